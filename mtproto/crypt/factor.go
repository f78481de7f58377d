package crypt

import "math/bits"

// Factorize splits the pq of a resPQ: p < q, both odd primes, p*q = pq. ok is false when pq is not such a product or is
// 2^63 or more. For factors of 31 bits it takes about half a millisecond; whatever a hostile peer sends, it ends within
// some tens of milliseconds.
//
// Brent's variant of Pollard's rho on machine words in Montgomery form
// (R. P. Brent, An improved Monte Carlo factorization algorithm, BIT 20, 1980).
func Factorize(pq uint64) (p, q uint64, ok bool) {
	if pq>>63 != 0 || pq < 15 || pq&1 == 0 {
		return 0, 0, false
	}
	if p = smallFactor(pq); p == 0 {
		m := newMont(pq)
		if m.isPrime() {
			return 0, 0, false
		}
		if p = m.rho(); p == 0 {
			return 0, 0, false
		}
	}
	if q = pq / p; p > q {
		p, q = q, p
	}
	if p == q || !isPrime(p) || !isPrime(q) {
		return 0, 0, false
	}
	return p, q, true
}

// smallFactor finds a divisor below 256. The walk of rho is too short to be reliable for such factors.
func smallFactor(n uint64) uint64 {
	for d := uint64(3); d < 256 && d*d <= n; d += 2 {
		if n%d == 0 {
			return d
		}
	}
	return 0
}

// isPrime decides for n odd and below 2^63.
func isPrime(n uint64) bool {
	switch {
	case n < 3 || n&1 == 0:
		return n == 2
	case smallFactor(n) != 0:
		return false
	case n < 256*256:
		return true
	}
	m := newMont(n)
	return m.isPrime()
}

// mont is arithmetic modulo an odd n < 2^63 on numbers x*2^64 mod n.
type mont struct {
	n    uint64
	inv  uint64 // n^-1 mod 2^64
	one  uint64 // 2^64 mod n
	sqr2 uint64 // 2^128 mod n, which brings a number into Montgomery form
}

func newMont(n uint64) mont {
	m := mont{n: n, inv: n}
	for range 5 { // each Newton step doubles the correct bits: 3, 6, 12, 24, 48, 96
		m.inv *= 2 - n*m.inv
	}
	_, m.one = bits.Div64(1, 0, n)
	hi, lo := bits.Mul64(m.one, m.one)
	_, m.sqr2 = bits.Div64(hi%n, lo, n)
	return m
}

// mul is a*b/2^64 mod n for a, b < n.
func (m *mont) mul(a, b uint64) uint64 {
	hi, lo := bits.Mul64(a, b)
	sub, _ := bits.Mul64(lo*m.inv, m.n)
	r, borrow := bits.Sub64(hi, sub, 0)
	return r + m.n&-borrow
}

// isPrime is Miller-Rabin with the twelve bases that decide every n < 2^64 (Sorenson and Webster, Strong pseudoprimes to
// twelve prime bases, 2015). n must have no factor below 38.
func (m *mont) isPrime() bool {
	s := bits.TrailingZeros64(m.n - 1)
	d := (m.n - 1) >> s
	minusOne := m.n - m.one
bases:
	for _, base := range [...]uint64{2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37} {
		x := m.pow(m.mul(base, m.sqr2), d)
		if x == m.one || x == minusOne {
			continue
		}
		for range s - 1 {
			x = m.mul(x, x)
			if x == minusOne {
				continue bases
			}
		}
		return false
	}
	return true
}

func (m *mont) pow(x, e uint64) uint64 {
	r := m.one
	for ; e != 0; e >>= 1 {
		if e&1 != 0 {
			r = m.mul(r, x)
		}
		x = m.mul(x, x)
	}
	return r
}

const (
	// rhoBatch differences are multiplied together before one gcd.
	rhoBatch = 128
	// rhoSteps bounds one walk. The expected length is about 2*sqrt(p), 92,000 for p near 2^31 and 110,000 for the largest
	// possible p; a walk of eight times that has failed and another constant is tried.
	rhoSteps = 1 << 20
	// rhoWalks bounds the constants tried: together below 30 ms.
	rhoWalks = 4
)

// rho finds a proper divisor of the composite n, or 0.
func (m *mont) rho() uint64 {
	for c := uint64(1); c <= rhoWalks; c++ {
		if d := m.walk(m.mul(c, m.sqr2)); d != 0 {
			return d
		}
	}
	return 0
}

// walk follows x -> x*x + c. With r doubling, it compares the point at r with the next r points.
func (m *mont) walk(c uint64) uint64 {
	n := m.n
	y := m.one + m.one
	if y >= n {
		y -= n
	}
	product := m.one
	for r := 1; r < rhoSteps; r *= 2 {
		x := y
		for done := 0; done < r; done += rhoBatch {
			start := y
			batch := min(rhoBatch, r-done)
			for range batch {
				y = m.next(y, c)
				product = m.mul(product, absDiff(x, y))
			}
			switch d := gcd(product, n); {
			case d == 1:
			case d < n:
				return d
			default: // both factors fell into one batch: repeat it slowly
				return m.walkBack(x, start, c, batch)
			}
		}
	}
	return 0
}

// walkBack repeats a batch with a gcd at each step. It returns 0 when both factors appear in the same step.
func (m *mont) walkBack(x, y, c uint64, batch int) uint64 {
	for range batch {
		y = m.next(y, c)
		if d := gcd(absDiff(x, y), m.n); d != 1 {
			if d == m.n {
				return 0
			}
			return d
		}
	}
	return 0
}

func (m *mont) next(y, c uint64) uint64 {
	y = m.mul(y, y) + c // no overflow: n < 2^63
	if y >= m.n {
		y -= m.n
	}
	return y
}

func absDiff(a, b uint64) uint64 {
	if a > b {
		return a - b
	}
	return b - a
}

// gcd is the binary algorithm for b odd; gcd(0, b) = b.
func gcd(a, b uint64) uint64 {
	if a == 0 {
		return b
	}
	a >>= bits.TrailingZeros64(a)
	for a != b {
		if a > b {
			a -= b
			a >>= bits.TrailingZeros64(a)
		} else {
			b -= a
			b >>= bits.TrailingZeros64(b)
		}
	}
	return b
}

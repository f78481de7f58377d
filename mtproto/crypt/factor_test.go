package crypt

import (
	"math"
	"math/big"
	"math/rand/v2"
	"testing"
)

func TestFactorizeVectors(t *testing.T) {
	tests := []struct{ pq, p, q uint64 }{
		{0x1460E7D3FA727791, 0x3C2357CF, 0x56BFB29F},
		{0x17ED48941A08F981, 0x494C553B, 0x53911073},
		{1825206431143503757, 0x44b2e50d, 0x5e63ac81},
		{15, 3, 5},
		{3 * 4294967291, 3, 4294967291},
		{2147483629 * 2147483647, 2147483629, 2147483647},
		{65521 * 65537, 65521, 65537},
		{2147483647 * 4294967291, 2147483647, 4294967291}, // near 2^63
	}
	for _, test := range tests {
		if p, q, ok := Factorize(test.pq); !ok || p != test.p || q != test.q {
			t.Errorf("%d = %d * %d, %v; want %d * %d", test.pq, p, q, ok, test.p, test.q)
		}
	}
}

func TestFactorizeRefuses(t *testing.T) {
	for name, pq := range map[string]uint64{
		"zero": 0, "one": 1, "a small prime": 13, "a small square": 9, "even": 2 * 1000003, "a prime": 2305843009213693951,
		"the largest prime below 2^63": 9223372036854775783, "a square of a prime": 2147483647 * 2147483647,
		"three primes": 1000003 * 1000033 * 1000037 / 1, "a cube": 1000003 * 1000003 * 1000003, "small times composite": 3 * 1000003 * 1000033,
		"2^63": 1 << 63, "all ones": math.MaxUint64, "a power of three": 12157665459056928801 >> 1,
	} {
		if p, q, ok := Factorize(pq); ok {
			t.Errorf("%s: %d = %d * %d", name, pq, p, q)
		}
	}
}

func TestFactorizeAllSizes(t *testing.T) {
	r := rand.New(seeded(6))
	prime := func(bits int) uint64 {
		for {
			n := r.Uint64N(1<<(bits-1)) | 1<<(bits-1) | 1
			if new(big.Int).SetUint64(n).ProbablyPrime(0) {
				return n
			}
		}
	}
	for bits := 2; bits <= 32; bits++ {
		for range 20 {
			p, q := prime(bits), prime(31)
			if p > q {
				p, q = q, p
			}
			gotP, gotQ, ok := Factorize(p * q)
			if p == q {
				if ok {
					t.Errorf("square of %d accepted", p)
				}
				continue
			}
			if !ok || gotP != p || gotQ != q {
				t.Errorf("%d * %d gives %d * %d, %v", p, q, gotP, gotQ, ok)
			}
		}
	}
}

func TestIsPrimeAgreesWithBigInt(t *testing.T) {
	r := rand.New(seeded(7))
	check := func(n uint64) {
		if got, want := isPrime(n), new(big.Int).SetUint64(n).ProbablyPrime(0); got != want {
			t.Errorf("isPrime(%d) = %v", n, got)
		}
	}
	for n := range uint64(3000) {
		check(n)
	}
	for n := uint64(65000); n < 67000; n++ {
		check(n)
	}
	for range 3000 {
		check(r.Uint64() >> (1 + r.IntN(60)))
	}
}

func FuzzFactorize(f *testing.F) {
	for _, n := range []uint64{0, 15, 1468428376148703121, 2305843009213693951, 1 << 62, math.MaxUint64, 2147483647 * 2147483647} {
		f.Add(n)
	}
	f.Fuzz(func(t *testing.T, pq uint64) {
		p, q, ok := Factorize(pq)
		if ok && (p >= q || p*q != pq || !isPrime(p) || !isPrime(q)) {
			t.Fatalf("%d = %d * %d", pq, p, q)
		}
	})
}

package bench

import (
	"crypto/rand"
	"fmt"
	"io"
	"math/big"
	"sync"

	"github.com/mtfleet/mtfleet/mtproto/crypt"
)

// Floor is the arithmetic of signing in without anything around it, by the functions
// that the client uses: what no client with these primitives can go below.
type Floor struct {
	group *crypt.Group
	key   *crypt.PublicKey
	ga    []byte   // a server's public value
	b     [][]byte // secret exponents
	pq    []uint64

	algo  crypt.SRPAlgo // of a two-step password
	srpB  []byte
	proof []byte // the password
}

// Of numbers that are drawn once and taken in turn; their factorisations differ.
const floorDraws = 64

// innerSize is the length of p_q_inner_data_dc, which RSA_PAD wraps.
const innerSize = 96

// NewFloor draws numbers for an RSA key of the DC.
func NewFloor(key *crypt.PublicKey) (*Floor, error) {
	f := &Floor{group: crypt.WellKnownGroup(), key: key}
	for range floorDraws {
		p, err := prime()
		if err != nil {
			return nil, err
		}
		q, err := prime()
		if err != nil {
			return nil, err
		}
		e := make([]byte, crypt.KeySize)
		if _, err := io.ReadFull(rand.Reader, e); err != nil {
			return nil, err
		}
		f.pq, f.b = append(f.pq, p*q), append(f.b, e)
	}
	f.ga = f.group.ExpG(f.b[0])
	if _, err := crypt.RSAPad(rand.Reader, key, make([]byte, innerSize)); err != nil {
		return nil, fmt.Errorf("bench: the RSA key of the DC: %w", err)
	}
	return f, f.setPassword()
}

// setPassword does a server's part of a two-step password.
func (f *Floor) setPassword() error {
	f.algo = crypt.SRPAlgo{Salt1: f.b[0][:8], Salt2: f.b[1][:16], G: f.group.G(), P: f.group.Prime()}
	f.proof = []byte("password")
	verifier, err := f.algo.Verifier(f.group, f.proof)
	if err == nil {
		f.srpB, err = f.algo.Challenge(f.group, verifier, f.b[2])
	}
	if err != nil {
		return fmt.Errorf("bench: the server's part of a password: %w", err)
	}
	return nil
}

// prime draws one of 31 bits, as servers do for pq.
func prime() (uint64, error) {
	for {
		n, err := rand.Int(rand.Reader, big.NewInt(1<<30))
		if err != nil {
			return 0, err
		}
		if n.SetBit(n, 30, 1); n.ProbablyPrime(16) {
			return n.Uint64(), nil
		}
	}
}

// Exp is the client's exponentiation of the server's value, the i-th.
func (f *Floor) Exp(i int) { f.group.Exp(f.ga, f.b[i%len(f.b)]) }

// ExpG is that of the generator.
func (f *Floor) ExpG(i int) { f.group.ExpG(f.b[i%len(f.b)]) }

// Factorize takes a pq apart.
func (f *Floor) Factorize(i int) { crypt.Factorize(f.pq[i%len(f.pq)]) }

// RSAPad wraps what the client sends with the factors.
func (f *Floor) RSAPad(int) {
	_, _ = crypt.RSAPad(rand.Reader, f.key, make([]byte, innerSize)) // NewFloor has tried
}

// Key is what one key costs at least.
func (f *Floor) Key(i int) {
	f.Factorize(i)
	f.RSAPad(i)
	f.ExpG(i)
	f.Exp(i)
}

// Keys does the arithmetic of n keys on so many goroutines, and returns when it is
// done.
func (f *Floor) Keys(n, workers int) { spread(n, workers, f.Key) }

// spread runs f for 0 to n-1 on so many goroutines.
func spread(n, workers int, f func(i int)) {
	var wg sync.WaitGroup
	for w := range max(workers, 1) {
		wg.Go(func() {
			for i := w; i < n; i += max(workers, 1) {
				f(i)
			}
		})
	}
	wg.Wait()
}

// Passwords does the arithmetic of n proofs of a two-step password: 100,000 rounds of
// PBKDF2 and three exponentiations each.
func (f *Floor) Passwords(n, workers int) {
	spread(n, workers, func(int) { _, _, _ = f.algo.Prove(f.group, rand.Reader, f.proof, f.srpB) }) // the parameters are ours
}

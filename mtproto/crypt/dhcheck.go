package crypt

import (
	"errors"
	"fmt"
	"math/big"
)

// Reasons why a DH group is refused (https://core.telegram.org/mtproto/auth_key#presenting-proof-of-work-server-authentication,
// "the client is expected to check").
var (
	// ErrPrimeSize: p does not have exactly 2048 bits.
	ErrPrimeSize = errors.New("crypt: DH prime does not have 2048 bits")
	// ErrNotSafePrime: p or (p-1)/2 is not prime.
	ErrNotSafePrime = errors.New("crypt: DH prime is not a safe prime")
	// ErrGenerator: g is not one of 2..7, or does not generate the subgroup of prime order (p-1)/2.
	ErrGenerator = errors.New("crypt: DH generator does not fit the prime")
)

// primeRounds is the number of Miller-Rabin rounds with random bases, after which a composite remains undetected with
// probability below 4^-20; big.Int adds a Baillie-PSW test.
const primeRounds = 20

// publicMargin is 2^(2048-64), the distance every public value keeps from 0 and from p.
func publicMargin() *big.Int { return new(big.Int).Lsh(big.NewInt(1), 8*KeySize-64) }

// CheckGroup proves that p is a 2048-bit safe prime and that g fits it, as far as probability proves. A wrong p is usually
// refused within milliseconds; a right one takes a quarter of a second, so remember the answer. The error is
// ErrPrimeSize, ErrGenerator or ErrNotSafePrime.
func CheckGroup(p []byte, g int) error {
	prime := new(big.Int).SetBytes(p)
	if err := checkForm(prime, g); err != nil {
		return err
	}
	half := new(big.Int).Rsh(prime, 1)
	// One round each first: almost every composite ends here.
	for _, rounds := range []int{0, primeRounds} {
		if !half.ProbablyPrime(rounds) || !prime.ProbablyPrime(rounds) {
			return ErrNotSafePrime
		}
	}
	return nil
}

// checkForm makes the checks that cost nothing.
func checkForm(p *big.Int, g int) error {
	if p.BitLen() != 8*KeySize {
		return ErrPrimeSize
	}
	if p.Bit(0) == 0 {
		return ErrNotSafePrime
	}
	return checkGenerator(p, g)
}

// CheckGenerator checks that g is 2..7 and a quadratic residue modulo the safe prime p, by the residues the
// specification lists. The error is ErrGenerator.
func CheckGenerator(p []byte, g int) error { return checkGenerator(new(big.Int).SetBytes(p), g) }

func checkGenerator(p *big.Int, g int) error {
	mod := func(m int64) int64 { return new(big.Int).Mod(p, big.NewInt(m)).Int64() }
	ok := false
	switch g {
	case 2:
		ok = mod(8) == 7
	case 3:
		ok = mod(3) == 2
	case 4: // a square is always a residue
		ok = true
	case 5:
		r := mod(5)
		ok = r == 1 || r == 4
	case 6:
		r := mod(24)
		ok = r == 19 || r == 23
	case 7:
		r := mod(7)
		ok = r == 3 || r == 5 || r == 6
	}
	if !ok {
		return fmt.Errorf("%w: g = %d", ErrGenerator, g)
	}
	return nil
}

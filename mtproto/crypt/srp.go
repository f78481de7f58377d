package crypt

import (
	"crypto/pbkdf2"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"math/big"
)

// Telegram's two-step passwords are checked by SRP: neither the password nor anything it could be guessed from crosses
// the wire, and a server that does not know the verifier learns nothing from a proof.
// https://core.telegram.org/api/srp

// SRPAlgo is how the server keeps a password: the KDF
// passwordKdfAlgoSHA256SHA256PBKDF2HMACSHA512iter100000SHA256ModPow.
type SRPAlgo struct {
	Salt1, Salt2 []byte
	G            int
	P            []byte
}

// srpRounds is the count of PBKDF2 rounds.
const srpRounds = 100_000

// Reasons why the parameters of a password are refused. Nothing is sent under them: a server that offers such is not the
// one it claims to be.
var (
	// ErrSRPPublic: the server's B, or our A, lies outside its range.
	ErrSRPPublic = errors.New("crypt: SRP public value out of range")
	// ErrSRPScramble: u is zero, so that the password would not matter.
	ErrSRPScramble = errors.New("crypt: SRP scrambling parameter is zero")
	// ErrSRPProof: the client's proof is wrong: it does not know the password.
	ErrSRPProof = errors.New("crypt: SRP proof is wrong")
)

// group returns the group of the algorithm. known is the one this process made already; any other is proved first, which
// takes a quarter of a second.
func (a SRPAlgo) group(known *Group) (*Group, error) {
	if len(a.P) != KeySize {
		return nil, ErrPrimeSize
	}
	if known != nil && known.HasPrime(a.P) {
		if known.G() == a.G {
			return known, nil
		}
		if err := CheckGenerator(a.P, a.G); err != nil {
			return nil, err
		}
	} else if err := CheckGroup(a.P, a.G); err != nil {
		return nil, err
	}
	return NewGroup(a.P, a.G)
}

// sha256Of hashes the parts one after the other.
func sha256Of(parts ...[]byte) []byte {
	h := sha256.New()
	for _, p := range parts {
		h.Write(p)
	}
	return h.Sum(nil)
}

// secret returns x, 32 bytes, from the password. Tens of milliseconds.
func (a SRPAlgo) secret(password []byte) ([]byte, error) {
	ph1 := salted(salted(password, a.Salt1), a.Salt2)
	defer clear(ph1)
	stretched, err := pbkdf2.Key(sha512.New, string(ph1), a.Salt1, srpRounds, sha512.Size)
	if err != nil {
		return nil, fmt.Errorf("crypt: stretching a password: %w", err)
	}
	defer clear(stretched)
	return salted(stretched, a.Salt2), nil
}

func salted(data, salt []byte) []byte { return sha256Of(salt, data, salt) }

// multiplier returns k.
func (gr *Group) multiplier() *big.Int {
	return new(big.Int).SetBytes(sha256Of(gr.prime[:], gr.generator()))
}

// generator is g as 256 bytes.
func (gr *Group) generator() []byte {
	b := make([]byte, KeySize)
	b[KeySize-1] = byte(gr.g)
	return b
}

// proof returns M1 for the agreed S.
func (gr *Group) proof(a SRPAlgo, gA, gB, s []byte) []byte {
	both := sha256Of(gr.prime[:])
	subtle.XORBytes(both, both, sha256Of(gr.generator()))
	key := sha256Of(s)
	defer clear(key)
	return sha256Of(both, sha256Of(a.Salt1), sha256Of(a.Salt2), gA, gB, key)
}

// Prove returns A and M1, which prove the knowledge of a password to who gave b (account.password's srp_B). known is a
// group this process made already, or nil. random is read for our secret number: 256 bytes for each draw, of which one
// all but always does. The server's own secure_random has no part in it: a false server could test guesses with a number
// it knows.
//
// It fails with ErrPrimeSize, ErrNotSafePrime, ErrGenerator, ErrSRPPublic or ErrSRPScramble when the parameters are not
// to be trusted. Tens of milliseconds, a quarter of a second more for a group that is not known.
func (a SRPAlgo) Prove(known *Group, random io.Reader, password, b []byte) (publicA, m1 []byte, err error) {
	gr, err := a.group(known)
	if err != nil {
		return nil, nil, err
	}
	// B keeps the distance from 0 and from p that every public value keeps.
	if gr.CheckPublic(b) != nil || len(b) > KeySize {
		return nil, nil, ErrSRPPublic
	}
	var exponent [KeySize]byte
	defer clear(exponent[:])
	for tries := 0; ; tries++ {
		if _, err := io.ReadFull(random, exponent[:]); err != nil {
			return nil, nil, fmt.Errorf("crypt: reading randomness: %w", err)
		}
		if publicA = gr.ExpG(exponent[:]); gr.CheckPublic(publicA) == nil {
			break
		}
		if tries == 3 {
			return nil, nil, ErrSRPPublic // the randomness is none
		}
	}
	gB := padded(b)
	u := new(big.Int).SetBytes(sha256Of(publicA, gB))
	if u.Sign() == 0 {
		return nil, nil, ErrSRPScramble
	}
	x, err := a.secret(password)
	if err != nil {
		return nil, nil, err
	}
	defer clear(x)

	p := new(big.Int).SetBytes(gr.prime[:])
	kv := new(big.Int).Mul(gr.multiplier(), new(big.Int).SetBytes(gr.ExpG(x)))
	t := new(big.Int).Sub(new(big.Int).SetBytes(gB), kv)
	t.Mod(t, p)
	e := new(big.Int).Mul(u, new(big.Int).SetBytes(x))
	e.Add(e, new(big.Int).SetBytes(exponent[:]))
	s := gr.Exp(t.Bytes(), e.Bytes())
	defer clear(s)
	return publicA, gr.proof(a, publicA, gB, s), nil
}

// padded is a number as 256 bytes.
func padded(x []byte) []byte { return new(big.Int).SetBytes(x).FillBytes(make([]byte, KeySize)) }

// srpOwnSalt is how many random bytes a client adds to the salt the server proposes for a new password.
const srpOwnSalt = 32

// NewPassword returns what a server keeps of a new password: the algorithm with our part of its first salt, and the
// verifier, 256 bytes. It is called on the algorithm that the server proposes (account.password's new_algo). It fails and
// costs as Prove does.
func (a SRPAlgo) NewPassword(known *Group, random io.Reader, password []byte) (algo SRPAlgo, verifier []byte, err error) {
	gr, err := a.group(known)
	if err != nil {
		return SRPAlgo{}, nil, err
	}
	own := make([]byte, srpOwnSalt)
	if _, err := io.ReadFull(random, own); err != nil {
		return SRPAlgo{}, nil, fmt.Errorf("crypt: reading randomness: %w", err)
	}
	algo = a
	algo.Salt1 = append(append([]byte(nil), a.Salt1...), own...)
	verifier, err = algo.verifier(gr, password)
	return algo, verifier, err
}

func (a SRPAlgo) verifier(gr *Group, password []byte) ([]byte, error) {
	x, err := a.secret(password)
	if err != nil {
		return nil, err
	}
	defer clear(x)
	return gr.ExpG(x), nil
}

// Verifier returns what a server keeps of a password under the algorithm as it is, 256 bytes.
func (a SRPAlgo) Verifier(known *Group, password []byte) ([]byte, error) {
	gr, err := a.group(known)
	if err != nil {
		return nil, err
	}
	return a.verifier(gr, password)
}

// Challenge is the server's half: B for a verifier and the server's secret number b, 256 bytes of randomness.
func (a SRPAlgo) Challenge(known *Group, verifier, b []byte) ([]byte, error) {
	gr, err := a.group(known)
	if err != nil {
		return nil, err
	}
	p := new(big.Int).SetBytes(gr.prime[:])
	sum := new(big.Int).Mul(gr.multiplier(), new(big.Int).SetBytes(verifier))
	sum.Add(sum, new(big.Int).SetBytes(gr.ExpG(b)))
	return sum.Mod(sum, p).FillBytes(make([]byte, KeySize)), nil
}

// Check is the server's half: it says whether A and M1 prove the password of a verifier, after the challenge made with b.
// It fails with ErrSRPPublic for an A out of range and ErrSRPProof for a wrong proof.
func (a SRPAlgo) Check(known *Group, verifier, b, publicA, m1 []byte) error {
	gr, err := a.group(known)
	if err != nil {
		return err
	}
	p := new(big.Int).SetBytes(gr.prime[:])
	A := new(big.Int).SetBytes(publicA)
	if A.Sign() <= 0 || A.Cmp(p) >= 0 {
		return ErrSRPPublic
	}
	gB, err := a.Challenge(gr, verifier, b)
	if err != nil {
		return err
	}
	gA := A.FillBytes(make([]byte, KeySize))
	u := sha256Of(gA, gB)
	base := new(big.Int).Mul(A, new(big.Int).SetBytes(gr.Exp(verifier, u)))
	s := gr.Exp(base.Mod(base, p).Bytes(), b)
	defer clear(s)
	if subtle.ConstantTimeCompare(gr.proof(a, gA, gB, s), m1) != 1 {
		return ErrSRPProof
	}
	return nil
}

// String says nothing of it.
func (a SRPAlgo) String() string { return fmt.Sprintf("SRPAlgo(g %d)", a.G) }

// GoString is String.
func (a SRPAlgo) GoString() string { return a.String() }

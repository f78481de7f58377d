package crypt

import (
	"bytes"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/x509"
	"encoding/binary"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"

	"filippo.io/bigmod"
)

const (
	rsaBits     = 8 * KeySize
	rsaExponent = 65537 // every server key has this one; it is also what GeneratePrivateKey makes
	pemPublic   = "RSA PUBLIC KEY"
	pemPrivate  = "RSA PRIVATE KEY"
)

// PublicKey is the RSA key of a DC, 2048 bits. Immutable.
type PublicKey struct {
	n           []byte // big-endian, 256 bytes
	e           uint
	modulus     *bigmod.Modulus
	fingerprint int64
}

// ParsePublicKeys reads every key of a PEM text, as PKCS #1 ("RSA PUBLIC KEY") or PKIX ("PUBLIC KEY"). It fails when a
// block is something else, when a key is not a 2048-bit RSA key with an odd exponent, or when there is no key at all.
func ParsePublicKeys(text []byte) ([]*PublicKey, error) {
	var keys []*PublicKey
	for {
		block, rest := pem.Decode(text)
		if block == nil {
			break
		}
		text = rest
		key, err := parsePublicBlock(block)
		if err != nil {
			return nil, fmt.Errorf("crypt: public key %d: %w", len(keys)+1, err)
		}
		keys = append(keys, key)
	}
	if len(keys) == 0 {
		return nil, errors.New("crypt: no PEM public key found")
	}
	if len(bytes.TrimSpace(text)) != 0 {
		return nil, fmt.Errorf("crypt: text after public key %d is not PEM", len(keys))
	}
	return keys, nil
}

func parsePublicBlock(block *pem.Block) (*PublicKey, error) {
	switch block.Type {
	case pemPublic:
		key, err := x509.ParsePKCS1PublicKey(block.Bytes)
		if err != nil {
			return nil, err
		}
		return newPublicKey(key.N, key.E)
	case "PUBLIC KEY":
		key, err := x509.ParsePKIXPublicKey(block.Bytes)
		if err != nil {
			return nil, err
		}
		if key, ok := key.(*rsa.PublicKey); ok {
			return newPublicKey(key.N, key.E)
		}
		return nil, errors.New("not an RSA key")
	}
	return nil, fmt.Errorf("PEM block %q is not a public key", block.Type)
}

func newPublicKey(n *big.Int, e int) (*PublicKey, error) {
	if n.BitLen() != rsaBits || n.Bit(0) == 0 {
		return nil, fmt.Errorf("modulus of %d bits: MTProto keys are odd and have %d", n.BitLen(), rsaBits)
	}
	if e < 3 || e&1 == 0 {
		return nil, errors.New("exponent must be odd and at least 3")
	}
	k := &PublicKey{n: n.FillBytes(make([]byte, KeySize)), e: uint(e)}
	var err error
	if k.modulus, err = bigmod.NewModulus(k.n); err != nil {
		return nil, err
	}
	k.fingerprint = fingerprint(k.n, k.e)
	return k, nil
}

// fingerprint is the last 8 bytes, as a little-endian long, of the SHA-1 over the bare serialization n:string e:string.
func fingerprint(n []byte, e uint) int64 {
	h := sha1.New()
	h.Write([]byte{0xfe, byte(len(n)), byte(len(n) >> 8), 0}) // a TL string of 256 bytes needs no padding
	h.Write(n)
	exp := bytes.TrimLeft(binary.BigEndian.AppendUint64(nil, uint64(e)), "\x00")
	short := append([]byte{byte(len(exp))}, exp...)
	h.Write(append(short, make([]byte, -len(short)&3)...))
	return int64(binary.LittleEndian.Uint64(h.Sum(nil)[12:]))
}

// Fingerprint is the number by which a DC and a client name the key.
func (k *PublicKey) Fingerprint() int64 { return k.fingerprint }

// PEM gives the key in PKCS #1 form, as ParsePublicKeys reads it.
func (k *PublicKey) PEM() []byte {
	der := x509.MarshalPKCS1PublicKey(&rsa.PublicKey{N: new(big.Int).SetBytes(k.n), E: int(k.e)})
	return pem.EncodeToMemory(&pem.Block{Type: pemPublic, Bytes: der})
}

// encrypt computes m^e mod n. m must be 256 bytes, below n.
func (k *PublicKey) encrypt(m []byte) ([]byte, error) {
	x, err := bigmod.NewNat().SetBytes(m, k.modulus)
	if err != nil {
		return nil, err
	}
	return bigmod.NewNat().ExpShortVarTime(x, k.e, k.modulus).Bytes(k.modulus), nil
}

// PrivateKey is the RSA key of a test DC. Immutable.
type PrivateKey struct {
	public *PublicKey
	key    *rsa.PrivateKey // for PEM only; the arithmetic is bigmod's
	p, q   *bigmod.Modulus
	dp, dq []byte
	qInv   *bigmod.Nat // q^-1 mod p
}

// ParsePrivateKey reads the first PEM block, PKCS #1 ("RSA PRIVATE KEY") or PKCS #8 ("PRIVATE KEY"). The key must have
// 2048 bits and two primes.
func ParsePrivateKey(text []byte) (*PrivateKey, error) {
	block, _ := pem.Decode(text)
	if block == nil {
		return nil, errors.New("crypt: no PEM private key found")
	}
	var key *rsa.PrivateKey
	switch block.Type {
	case pemPrivate:
		var err error
		if key, err = x509.ParsePKCS1PrivateKey(block.Bytes); err != nil {
			return nil, fmt.Errorf("crypt: private key: %w", err)
		}
	case "PRIVATE KEY":
		any, err := x509.ParsePKCS8PrivateKey(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("crypt: private key: %w", err)
		}
		var ok bool
		if key, ok = any.(*rsa.PrivateKey); !ok {
			return nil, errors.New("crypt: private key is not RSA")
		}
	default:
		return nil, fmt.Errorf("crypt: PEM block %q is not a private key", block.Type)
	}
	return newPrivateKey(key)
}

// GeneratePrivateKey makes a 2048-bit key with exponent 65537 from rand alone, so that a seeded reader gives the same key
// again. It takes some tenths of a second and fails only when rand does.
func GeneratePrivateKey(rand io.Reader) (*PrivateKey, error) {
	e := big.NewInt(rsaExponent)
	for {
		p, err := randomPrime(rand, e)
		if err != nil {
			return nil, err
		}
		q, err := randomPrime(rand, e)
		if err != nil {
			return nil, err
		}
		if p.Cmp(q) == 0 {
			continue // a reader that repeats itself; one that does so forever is the caller's
		}
		one := big.NewInt(1)
		phi := new(big.Int).Mul(new(big.Int).Sub(p, one), new(big.Int).Sub(q, one))
		return newPrivateKey(&rsa.PrivateKey{
			PublicKey: rsa.PublicKey{N: new(big.Int).Mul(p, q), E: rsaExponent},
			D:         new(big.Int).ModInverse(e, phi),
			Primes:    []*big.Int{p, q},
		})
	}
}

// randomPrime draws primes of 1024 bits whose two top bits are set, so that a product of two has 2048, until p-1 is
// coprime to e.
func randomPrime(rand io.Reader, e *big.Int) (*big.Int, error) {
	buf := make([]byte, KeySize/2)
	p, r := new(big.Int), new(big.Int)
	for {
		if _, err := io.ReadFull(rand, buf); err != nil {
			return nil, err
		}
		buf[0] |= 0xc0
		buf[len(buf)-1] |= 1
		p.SetBytes(buf)
		// e is prime: it divides p-1 exactly when p mod e is 1.
		if r.Mod(p, e).Cmp(big.NewInt(1)) != 0 && p.ProbablyPrime(20) {
			return p, nil
		}
	}
}

func newPrivateKey(key *rsa.PrivateKey) (*PrivateKey, error) {
	if len(key.Primes) != 2 {
		return nil, fmt.Errorf("crypt: private key has %d primes, not 2", len(key.Primes))
	}
	public, err := newPublicKey(key.N, key.E)
	if err != nil {
		return nil, fmt.Errorf("crypt: private key: %w", err)
	}
	key.Precompute()
	if err := key.Validate(); err != nil {
		return nil, fmt.Errorf("crypt: private key: %w", err)
	}
	k := &PrivateKey{public: public, key: key}
	p, q := key.Primes[0], key.Primes[1]
	if k.p, err = bigmod.NewModulus(p.Bytes()); err != nil {
		return nil, err
	}
	if k.q, err = bigmod.NewModulus(q.Bytes()); err != nil {
		return nil, err
	}
	if k.p.BitLen() != rsaBits/2 || k.q.BitLen() != rsaBits/2 {
		return nil, fmt.Errorf("crypt: private key has primes of %d and %d bits", k.p.BitLen(), k.q.BitLen())
	}
	one := big.NewInt(1)
	k.dp = new(big.Int).Mod(key.D, new(big.Int).Sub(p, one)).Bytes()
	k.dq = new(big.Int).Mod(key.D, new(big.Int).Sub(q, one)).Bytes()
	if k.qInv, err = bigmod.NewNat().SetBytes(new(big.Int).ModInverse(q, p).Bytes(), k.p); err != nil {
		return nil, err
	}
	return k, nil
}

// Public is the half that clients get.
func (k *PrivateKey) Public() *PublicKey { return k.public }

// PEM gives the whole secret key in PKCS #1 form, as ParsePrivateKey reads it.
func (k *PrivateKey) PEM() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: pemPrivate, Bytes: x509.MarshalPKCS1PrivateKey(k.key)})
}

// decrypt computes c^d mod n by the Chinese remainder theorem, in constant time. c must be 256 bytes, below n.
func (k *PrivateKey) decrypt(c []byte) ([]byte, error) {
	x, err := bigmod.NewNat().SetBytes(c, k.public.modulus)
	if err != nil {
		return nil, err
	}
	t := bigmod.NewNat()
	mp := bigmod.NewNat().Exp(t.Mod(x, k.p), k.dp, k.p)
	mq := bigmod.NewNat().Exp(t.Mod(x, k.q), k.dq, k.q)
	// m = mq + q * (qInv * (mp - mq) mod p)
	mp.Sub(t.Mod(mq, k.p), k.p).Mul(k.qInv, k.p)
	n := k.public.modulus
	q := bigmod.NewNat().Mod(k.q.Nat(), n)
	m := mp.ExpandFor(n).Mul(q, n).Add(mq.ExpandFor(n), n)
	return m.Bytes(n), nil
}

// String names the key by its fingerprint; the secret stays inside.
func (k PrivateKey) String() string {
	return fmt.Sprintf("PrivateKey(fingerprint %016x)", uint64(k.public.fingerprint))
}

// GoString is String.
func (k PrivateKey) GoString() string { return k.String() }

// Format answers every verb with String.
func (k PrivateKey) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(k.String())) }

// MarshalText is String: loggers and JSON print the fingerprint. It is not a way to store a key; PEM is.
func (k PrivateKey) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

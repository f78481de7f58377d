package crypt

import (
	"bytes"
	"crypto/sha512"
	"errors"
	"io"
	"math/big"
	"strings"
	"testing"
)

// srpVector is the first vector: what both sides drew.
func srpVector() (algo SRPAlgo, a, b []byte) {
	draw := func(letter byte) (out []byte) {
		for i := range byte(4) {
			sum := sha512.Sum512([]byte{letter, i})
			out = append(out, sum[:]...)
		}
		return out
	}
	salt2 := make([]byte, 16)
	for i := range salt2 {
		salt2[i] = 0xa0 + byte(i)
	}
	return SRPAlgo{Salt1: ascending(40), Salt2: salt2, G: 3, P: WellKnownGroup().Prime()}, draw('a'), draw('b')
}

const srpPassword = "correct horse"

func TestSRPMatchesThePublishedVectors(t *testing.T) {
	v, group := readVectors(t, "srp.txt"), WellKnownGroup()
	algo, a, b := srpVector()

	x, err := algo.secret([]byte(srpPassword))
	if err != nil {
		t.Fatal(err)
	}
	wantBytes(t, "x", x, v["x"])
	verifier, err := algo.Verifier(group, []byte(srpPassword))
	if err != nil {
		t.Fatal(err)
	}
	wantBytes(t, "v", verifier, v["v"])
	challenge, err := algo.Challenge(group, verifier, b)
	if err != nil {
		t.Fatal(err)
	}
	wantBytes(t, "B", challenge, v["B"])
	publicA, m1, err := algo.Prove(group, bytes.NewReader(a), []byte(srpPassword), challenge)
	if err != nil {
		t.Fatal(err)
	}
	wantBytes(t, "A", publicA, v["A"])
	wantBytes(t, "M1", m1, v["M1"])
	if err := algo.Check(group, verifier, b, publicA, m1); err != nil {
		t.Errorf("the server refuses the right proof: %v", err)
	}

	mtcute := SRPAlgo{Salt1: v["mtcute salt1"], Salt2: v["mtcute salt2"]}
	if x, err = mtcute.secret([]byte("qwe123")); err != nil {
		t.Fatal(err)
	}
	wantBytes(t, "x of mtcute", x, v["mtcute x"])
}

// The vector of gotd has 1 for our secret number, which Prove refuses to use:
// what remains of it is the arithmetic behind.
func TestSRPMatchesTheVectorWithATinyExponent(t *testing.T) {
	v, group := readVectors(t, "srp.txt"), WellKnownGroup()
	algo := SRPAlgo{Salt1: v["gotd salt1"], Salt2: v["gotd salt2"], G: 3, P: group.Prime()}
	one := append(make([]byte, KeySize-1), 1)
	if _, _, err := algo.Prove(group, bytes.NewReader(bytes.Repeat(one, 8)), []byte("123123"), v["gotd B"]); !errors.Is(err, ErrSRPPublic) {
		t.Errorf("randomness that is always 1 is used: %v", err)
	}
	x, err := algo.secret([]byte("123123"))
	if err != nil {
		t.Fatal(err)
	}
	p, gA := new(big.Int).SetBytes(group.Prime()), padded([]byte{3})
	u := new(big.Int).SetBytes(sha256Of(gA, v["gotd B"]))
	base := new(big.Int).Mul(group.multiplier(), new(big.Int).SetBytes(group.ExpG(x)))
	base.Sub(new(big.Int).SetBytes(v["gotd B"]), base).Mod(base, p)
	e := new(big.Int).Mul(u, new(big.Int).SetBytes(x))
	s := group.Exp(base.Bytes(), e.Add(e, big.NewInt(1)).Bytes())
	wantBytes(t, "M1", group.proof(algo, gA, v["gotd B"], s), v["gotd M1"])
}

func TestSRPTellsPasswordsApart(t *testing.T) {
	group := WellKnownGroup()
	algo, a, b := srpVector()
	verifier, _ := algo.Verifier(group, []byte(srpPassword))
	challenge, _ := algo.Challenge(group, verifier, b)
	for _, wrong := range []string{"", "correct horse ", "Correct horse", "correct\u00a0horse"} {
		publicA, m1, err := algo.Prove(group, bytes.NewReader(a), []byte(wrong), challenge)
		if err != nil {
			t.Fatal(err)
		}
		if err := algo.Check(group, verifier, b, publicA, m1); !errors.Is(err, ErrSRPProof) {
			t.Errorf("%q: %v, want that the proof is wrong", wrong, err)
		}
	}
	publicA, m1, _ := algo.Prove(group, bytes.NewReader(a), []byte(srpPassword), challenge)
	for name, bad := range map[string][]byte{"zero": nil, "p": group.Prime(), "more than p": bytes.Repeat([]byte{0xff}, 256)} {
		if err := algo.Check(group, verifier, b, bad, m1); !errors.Is(err, ErrSRPPublic) {
			t.Errorf("A = %s: %v", name, err)
		}
	}
	m1[0] ^= 1
	if err := algo.Check(group, verifier, b, publicA, m1); !errors.Is(err, ErrSRPProof) {
		t.Errorf("a proof with one bit changed: %v", err)
	}
}

// Everything a hostile server may offer is refused before anything is computed
// from the password.
func TestSRPRefusesParametersThatAreNotToBeTrusted(t *testing.T) {
	group := WellKnownGroup()
	algo, a, b := srpVector()
	verifier, _ := algo.Verifier(group, []byte(srpPassword))
	good, _ := algo.Challenge(group, verifier, b)
	p := group.Prime()
	minus := func(n int64) []byte { return new(big.Int).Sub(new(big.Int).SetBytes(p), big.NewInt(n)).Bytes() }
	prime := func(change func([]byte) []byte) SRPAlgo {
		c := algo
		c.P = change(bytes.Clone(p))
		return c
	}
	generator := func(g int) SRPAlgo { c := algo; c.G = g; return c }
	for name, c := range map[string]struct {
		algo SRPAlgo
		b    []byte
		want error
	}{
		"B = 0":               {algo, nil, ErrSRPPublic},
		"B = 1":               {algo, []byte{1}, ErrSRPPublic},
		"B = p":               {algo, p, ErrSRPPublic},
		"B = p - 1":           {algo, minus(1), ErrSRPPublic},
		"B above p":           {algo, bytes.Repeat([]byte{0xff}, 256), ErrSRPPublic},
		"B of 257 bytes":      {algo, append([]byte{1}, good...), ErrSRPPublic},
		"B padded too far":    {algo, append([]byte{0}, good...), ErrSRPPublic},
		"B below 2^1984":      {algo, append([]byte{0xff}, make([]byte, 247)...), ErrSRPPublic},
		"B = p - 2^1983":      {algo, new(big.Int).Sub(new(big.Int).SetBytes(p), new(big.Int).Lsh(big.NewInt(1), 1983)).Bytes(), ErrSRPPublic},
		"g = 9":               {generator(9), good, ErrGenerator},
		"g = 1":               {generator(1), good, ErrGenerator},
		"g that does not fit": {generator(2), good, ErrGenerator},
		"p not prime":         {prime(func(p []byte) []byte { p[255] ^= 4; p[200]++; return p }), good, ErrNotSafePrime},
		"p even":              {prime(func(p []byte) []byte { p[255] &^= 1; return p }), good, ErrNotSafePrime},
		"p short":             {prime(func(p []byte) []byte { return p[1:] }), good, ErrPrimeSize},
		"p of 2047 bits":      {prime(func(p []byte) []byte { p[0] &= 0x7f; return p }), good, ErrPrimeSize},
		"p padded":            {prime(func(p []byte) []byte { return append([]byte{0}, p...) }), good, ErrPrimeSize},
	} {
		publicA, m1, err := c.algo.Prove(group, bytes.NewReader(a), []byte(srpPassword), c.b)
		ok := errors.Is(err, c.want) || strings.HasPrefix(name, "p ") && errors.Is(err, ErrGenerator) // found first
		if !ok || publicA != nil || m1 != nil {
			t.Errorf("%s: %v, want %v and no proof", name, err, c.want)
		}
	}
	if _, _, err := algo.Prove(group, strings.NewReader("short"), []byte("x"), good); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("without randomness: %v", err)
	}
}

// A group that is not known is proved; other generators of the known prime are
// not proved again.
func TestSRPWorksInAGroupThatIsNotKnown(t *testing.T) {
	if testing.Short() {
		t.Skip("it proves a prime")
	}
	algo, a, b := srpVector()
	algo.G = 4
	verifier, err := algo.Verifier(nil, []byte(srpPassword))
	if err != nil {
		t.Fatal(err)
	}
	challenge, _ := algo.Challenge(nil, verifier, b)
	publicA, m1, err := algo.Prove(WellKnownGroup(), bytes.NewReader(a), []byte(srpPassword), challenge)
	if err != nil {
		t.Fatal(err)
	}
	if err := algo.Check(nil, verifier, b, publicA, m1); err != nil {
		t.Error(err)
	}
}

func TestANewPasswordAddsItsOwnSalt(t *testing.T) {
	group := WellKnownGroup()
	algo, _, b := srpVector()
	algo.Salt1 = algo.Salt1[:8]
	made, verifier, err := algo.NewPassword(group, seeded(1), []byte(srpPassword))
	if err != nil {
		t.Fatal(err)
	}
	if len(made.Salt1) != 40 || !bytes.HasPrefix(made.Salt1, algo.Salt1) || !bytes.Equal(made.Salt2, algo.Salt2) || len(verifier) != KeySize {
		t.Errorf("salts of %d and %d bytes, a verifier of %d", len(made.Salt1), len(made.Salt2), len(verifier))
	}
	challenge, _ := made.Challenge(group, verifier, b)
	publicA, m1, err := made.Prove(group, seeded(2), []byte(srpPassword), challenge)
	if err != nil {
		t.Fatal(err)
	}
	if err := made.Check(group, verifier, b, publicA, m1); err != nil {
		t.Error(err)
	}
	algo.G = 9
	if _, _, err := algo.NewPassword(group, seeded(1), []byte("x")); !errors.Is(err, ErrGenerator) {
		t.Errorf("a password is made in a group that does not hold: %v", err)
	}
}

func BenchmarkSRPProve(b *testing.B) {
	group := WellKnownGroup()
	algo, _, secret := srpVector()
	verifier, _ := algo.Verifier(group, []byte(srpPassword))
	challenge, _ := algo.Challenge(group, verifier, secret)
	random := seeded(3)
	for b.Loop() {
		if _, _, err := algo.Prove(group, random, []byte(srpPassword), challenge); err != nil {
			b.Fatal(err)
		}
	}
}

package crypt

import (
	"bytes"
	"errors"
	"math/big"
	"sync"
	"testing"
)

// group14 is the prime of RFC 3526 section 3: another safe prime of 2048 bits, p mod 8 = 7.
const group14 = "FFFFFFFFFFFFFFFFC90FDAA22168C234C4C6628B80DC1CD129024E088A67CC74020BBEA63B139B22514A08798E3404DDEF9519B3CD3A431B302B0A6DF25F1437" +
	"4FE1356D6D51C245E485B576625E7EC6F44C42E9A637ED6B0BFF5CB6F406B7EDEE386BFB5A899FA5AE9F24117C4B1FE649286651ECE45B3DC2007CB8A163BF05" +
	"98DA48361C55D39A69163FA8FD24CF5F83655D23DCA3AD961C62F356208552BB9ED529077096966D670C354E4ABC9804F1746C08CA18217C32905E462E36CE3B" +
	"E39E772C180E86039B2783A2EC07A28FB5C55DF06F4C52C9DE2BCBF6955817183995497CEA956AE515D2261898FA051015728E5A8AACAA68FFFFFFFFFFFFFFFF"

func TestSampleExponentiations(t *testing.T) {
	v := readVectors(t, "sample.txt")
	gr := WellKnownGroup()
	wantBytes(t, "prime", gr.Prime(), v["prime"])
	wantBytes(t, "g_b by the table", gr.ExpG(v["b"]), v["g_b"])
	wantBytes(t, "g_b", gr.Exp([]byte{3}, v["b"]), v["g_b"])
	wantBytes(t, "auth key", gr.Exp(v["g_a"], v["b"]), v["auth_key"])
	for _, x := range [][]byte{v["g_a"], v["g_b"]} {
		if err := gr.CheckPublic(x); err != nil {
			t.Error(err)
		}
	}
}

func TestExpAgreesWithBigInt(t *testing.T) {
	rand := seeded(5)
	for _, gr := range []*Group{WellKnownGroup(), mustGroup(t, unhex(group14), 2)} {
		p := new(big.Int).SetBytes(gr.Prime())
		random := make([]byte, 256)
		_, _ = rand.Read(random)
		sparse := make([]byte, 256)
		sparse[0], sparse[255] = 0x80, 1
		for name, e := range map[string][]byte{
			"empty": nil, "zero": {0}, "one": {1}, "short": {0x12, 0x34, 0x56}, "random": random, "sparse": sparse,
			"all ones": bytes.Repeat([]byte{0xff}, 256), "longer than the table": append([]byte{3}, random...),
		} {
			exp := new(big.Int).SetBytes(e)
			want := new(big.Int).Exp(big.NewInt(int64(gr.G())), exp, p).FillBytes(make([]byte, 256))
			wantBytes(t, name+" by the table", gr.ExpG(e), want)
			if name != "random" {
				continue
			}
			for base, b := range map[string][]byte{
				"zero": {0}, "random": random, "above p": bytes.Repeat([]byte{0xff}, 256), "far above p": bytes.Repeat([]byte{0xff}, 300),
				"zeros on the left": append(make([]byte, 100), random...),
			} {
				want := new(big.Int).Exp(new(big.Int).SetBytes(b), exp, p).FillBytes(make([]byte, 256))
				wantBytes(t, "base "+base, gr.Exp(b, e), want)
			}
		}
	}
}

func mustGroup(t testing.TB, p []byte, g int) *Group {
	t.Helper()
	gr, err := NewGroup(p, g)
	if err != nil {
		t.Fatal(err)
	}
	return gr
}

func TestResultsHave256Bytes(t *testing.T) {
	gr := WellKnownGroup()
	for name, e := range map[string][]byte{"g^0": nil, "g^1": {1}, "g^200": {200}} {
		if got := gr.ExpG(e); len(got) != 256 || got[0] != 0 {
			t.Errorf("%s has %d bytes", name, len(got))
		}
		if got := gr.Exp([]byte{3}, e); len(got) != 256 || got[0] != 0 {
			t.Errorf("Exp %s has %d bytes", name, len(got))
		}
	}
}

func TestCheckPublic(t *testing.T) {
	gr := WellKnownGroup()
	p := new(big.Int).SetBytes(gr.Prime())
	one := big.NewInt(1)
	margin := new(big.Int).Lsh(one, 1984)
	upper := new(big.Int).Sub(p, margin)
	add := func(x *big.Int, d int64) *big.Int { return new(big.Int).Add(x, big.NewInt(d)) }
	tests := []struct {
		name string
		x    *big.Int
		ok   bool
	}{
		{"0", big.NewInt(0), false},
		{"1", one, false},
		{"2^1984 - 1", add(margin, -1), false},
		{"2^1984", margin, true},
		{"2^2040", new(big.Int).Lsh(one, 2040), true},
		{"p - 2^1984", upper, true},
		{"p - 2^1984 + 1", add(upper, 1), false},
		{"p - 1", add(p, -1), false},
		{"p", p, false},
		{"2^2048", new(big.Int).Lsh(one, 2048), false},
	}
	for _, test := range tests {
		for _, x := range [][]byte{test.x.Bytes(), append(make([]byte, 9), test.x.Bytes()...)} {
			if err := gr.CheckPublic(x); (err == nil) != test.ok || err != nil && !errors.Is(err, ErrPublicValue) {
				t.Errorf("%s (%d bytes): %v", test.name, len(x), err)
			}
		}
	}
}

func TestGenerators(t *testing.T) {
	known := WellKnownGroup()
	// The well-known prime takes 3, 4 and 7; p of RFC 3526 is 7 mod 8, 2 mod 3, and so on.
	for g, ok := range map[int]bool{-1: false, 0: false, 1: false, 2: false, 3: true, 4: true, 5: false, 6: false, 7: true, 8: false} {
		if err := CheckGenerator(known.Prime(), g); (err == nil) != ok || err != nil && !errors.Is(err, ErrGenerator) {
			t.Errorf("g = %d: %v", g, err)
		}
	}
	// Every rule is Euler's criterion: g^((p-1)/2) = 1.
	for _, prime := range []string{wellKnownPrime, group14} {
		p := new(big.Int).SetBytes(unhex(prime))
		half := new(big.Int).Rsh(p, 1)
		for g := 2; g <= 7; g++ {
			residue := new(big.Int).Exp(big.NewInt(int64(g)), half, p).Cmp(big.NewInt(1)) == 0
			if err := CheckGenerator(p.Bytes(), g); (err == nil) != residue {
				t.Errorf("g = %d, residue %v: %v", g, residue, err)
			}
		}
	}
}

func TestCheckGroup(t *testing.T) {
	p := unhex(group14)
	if err := CheckGroup(p, 2); err != nil {
		t.Error("RFC 3526 group 14:", err)
	}
	// A prime whose half is not prime, found by walking up from the well-known one.
	prime := new(big.Int).SetBytes(unhex(wellKnownPrime))
	step := big.NewInt(24) // keeps p mod 8 and mod 3, so g = 3 still fits
	for prime.Add(prime, step); !prime.ProbablyPrime(0); prime.Add(prime, step) {
	}
	composite := new(big.Int).Add(new(big.Int).SetBytes(p), big.NewInt(24*5*7))
	even := new(big.Int).Sub(new(big.Int).SetBytes(p), big.NewInt(1))
	short := new(big.Int).Rsh(new(big.Int).SetBytes(p), 1)
	long := new(big.Int).Lsh(new(big.Int).SetBytes(p), 1)
	tests := []struct {
		name string
		p    []byte
		g    int
		want error
	}{
		{"a prime that is not safe", prime.Bytes(), 3, ErrNotSafePrime},
		{"a composite", composite.Bytes(), 2, ErrNotSafePrime},
		{"an even number", even.Bytes(), 4, ErrNotSafePrime},
		{"2047 bits", short.Bytes(), 2, ErrPrimeSize},
		{"2049 bits", long.Bytes(), 2, ErrPrimeSize},
		{"nothing", nil, 3, ErrPrimeSize},
		{"a generator that does not fit", unhex(wellKnownPrime), 2, ErrGenerator},
	}
	for _, test := range tests {
		if err := CheckGroup(test.p, test.g); !errors.Is(err, test.want) {
			t.Errorf("%s: %v", test.name, err)
		}
	}
	for _, test := range tests[2:] {
		if _, err := NewGroup(test.p, test.g); !errors.Is(err, test.want) {
			t.Errorf("NewGroup, %s: %v", test.name, err)
		}
	}
}

// A group is shared by everybody who makes keys.
func TestGroupIsShared(t *testing.T) {
	v, gr := readVectors(t, "sample.txt"), WellKnownGroup()
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			wantBytes(t, "g_b", gr.ExpG(v["b"]), v["g_b"])
			wantBytes(t, "auth key", gr.Exp(v["g_a"], v["b"]), v["auth_key"])
		})
	}
	wg.Wait()
}

func TestGroupKnowsItsPrime(t *testing.T) {
	gr := WellKnownGroup()
	if !gr.HasPrime(gr.Prime()) || !gr.HasPrime(append([]byte{0, 0}, gr.Prime()...)) || gr.HasPrime(unhex(group14)) || gr.HasPrime(nil) {
		t.Error("HasPrime is wrong")
	}
	gr.Prime()[0] = 0 // a copy
	if !gr.HasPrime(unhex(wellKnownPrime)) || gr.G() != 3 {
		t.Error("the group changed")
	}
	if s := gr.String(); s != "Group(p C71CAEB9…, g 3)" {
		t.Error(s)
	}
}

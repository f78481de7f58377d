package crypt

import (
	"bytes"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"math/big"
	"os"
	"strings"
	"testing"
)

// testKey is a private key generated once for these tests.
func testKey(t testing.TB) *PrivateKey {
	t.Helper()
	text, err := os.ReadFile("testdata/private.pem")
	if err != nil {
		t.Fatal(err)
	}
	k, err := ParsePrivateKey(text)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func readPublic(t testing.TB, name string) *PublicKey {
	t.Helper()
	text, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	keys, err := ParsePublicKeys(text)
	if err != nil || len(keys) != 1 {
		t.Fatal(len(keys), err)
	}
	return keys[0]
}

func TestFingerprintsOfTelegram(t *testing.T) {
	for name, want := range map[string]int64{
		"production.pem":   -3414540481677951611,
		"test_servers.pem": -5595554452916591101,
	} {
		if got := readPublic(t, name).Fingerprint(); got != want {
			t.Errorf("%s: fingerprint %d, want %d", name, got, want)
		}
	}
}

func TestPublicKeysFromPEM(t *testing.T) {
	a, b := readPublic(t, "production.pem"), readPublic(t, "test_servers.pem")
	der, err := x509.MarshalPKIXPublicKey(&rsa.PublicKey{N: new(big.Int).SetBytes(b.n), E: int(b.e)})
	if err != nil {
		t.Fatal(err)
	}
	both := append(a.PEM(), pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})...)
	keys, err := ParsePublicKeys(append(both, "\n\n"...))
	if err != nil || len(keys) != 2 || keys[0].Fingerprint() != a.Fingerprint() || keys[1].Fingerprint() != b.Fingerprint() {
		t.Errorf("%d keys, %v", len(keys), err)
	}

	small := x509.MarshalPKCS1PublicKey(&rsa.PublicKey{N: new(big.Int).SetBytes(a.n[:128]), E: 65537})
	even := x509.MarshalPKCS1PublicKey(&rsa.PublicKey{N: new(big.Int).SetBytes(a.n), E: 65536})
	for name, text := range map[string][]byte{
		"nothing":          nil,
		"text":             []byte("no key here"),
		"a key, then junk": append(a.PEM(), "junk"...),
		"another block":    pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
		"broken DER":       pem.EncodeToMemory(&pem.Block{Type: pemPublic, Bytes: der[:20]}),
		"1024 bits":        pem.EncodeToMemory(&pem.Block{Type: pemPublic, Bytes: small}),
		"even exponent":    pem.EncodeToMemory(&pem.Block{Type: pemPublic, Bytes: even}),
		"a private key":    testKey(t).PEM(),
	} {
		if keys, err := ParsePublicKeys(text); err == nil || !strings.HasPrefix(err.Error(), "crypt: ") {
			t.Errorf("%s: %d keys, %v", name, len(keys), err)
		}
	}
}

func TestRSAPadVector(t *testing.T) {
	pub := readPublic(t, "production.pem")
	got, err := RSAPad(bytes.NewReader(make([]byte, 48+32)), pub, bytes.Repeat([]byte{'a'}, 144))
	if err != nil {
		t.Fatal(err)
	}
	wantBytes(t, "RSA_PAD", got, readVectors(t, "rsapad.txt")["result"])
}

func TestRSAPadThereAndBack(t *testing.T) {
	priv, rand := testKey(t), seeded(2)
	for _, n := range []int{0, 1, 96, 143, 144} {
		c, err := RSAPad(rand, priv.Public(), ascending(n))
		if err != nil || len(c) != 256 {
			t.Fatal(len(c), err)
		}
		padded, err := RSAUnpad(priv, c)
		if err != nil || len(padded) != 192 {
			t.Fatal(len(padded), err)
		}
		wantBytes(t, "data", padded[:n], ascending(n))
		for _, i := range []int{0, 31, 32, 255} {
			bad := bytes.Clone(c)
			bad[i] ^= 1
			if _, err := RSAUnpad(priv, bad); err != ErrRSAPad {
				t.Errorf("byte %d changed: %v", i, err)
			}
		}
	}
	if _, err := RSAPad(rand, priv.Public(), ascending(145)); err == nil {
		t.Error("145 bytes accepted")
	}
	for _, bad := range [][]byte{nil, make([]byte, 255), make([]byte, 257), make([]byte, 256), bytes.Repeat([]byte{0xff}, 256)} {
		if _, err := RSAUnpad(priv, bad); err != ErrRSAPad {
			t.Errorf("block of %d bytes: %v", len(bad), err)
		}
	}
}

// A result below 2^2040 must still have 256 bytes (P2), and the server must take it.
func TestRSAPadLeadingZero(t *testing.T) {
	priv := testKey(t)
	for seed := byte(0); ; seed++ {
		rand := seeded(seed)
		for range 16 {
			c, err := RSAPad(rand, priv.Public(), []byte("data"))
			if err != nil {
				t.Fatal(err)
			}
			if c[0] != 0 {
				continue
			}
			if padded, err := RSAUnpad(priv, c); len(c) != 256 || err != nil || string(padded[:4]) != "data" {
				t.Errorf("block %d bytes, %v", len(c), err)
			}
			return
		}
		if seed == 255 {
			t.Fatal("no block with a leading zero in 4096 tries")
		}
	}
}

func TestRSAPadStopsOnBrokenRandomness(t *testing.T) {
	priv := testKey(t)
	if _, err := RSAPad(bytes.NewReader(make([]byte, 100)), priv.Public(), nil); err == nil {
		t.Error("short randomness accepted")
	}
	// A reader that repeats one temp_key whose block lies above the modulus.
	for v := byte(0); v < 255; v++ {
		repeat := repeater(v)
		_, err := RSAPad(repeat, priv.Public(), nil)
		if err != nil {
			return
		}
	}
	t.Error("no repeating reader was refused")
}

type repeater byte

func (r repeater) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = byte(r)
	}
	return len(p), nil
}

func TestPrivateKeys(t *testing.T) {
	k, err := GeneratePrivateKey(seeded(3))
	if err != nil {
		t.Fatal(err)
	}
	again, err := ParsePrivateKey(k.PEM())
	if err != nil || again.Public().Fingerprint() != k.Public().Fingerprint() {
		t.Fatal(err)
	}
	c, err := RSAPad(seeded(4), k.Public(), []byte("hello"))
	if err != nil {
		t.Fatal(err)
	}
	if p, err := RSAUnpad(again, c); err != nil || string(p[:5]) != "hello" {
		t.Error(err)
	}
	// The Chinese remainder way is the plain way.
	want := new(big.Int).Exp(new(big.Int).SetBytes(c), k.key.D, k.key.N)
	got, err := k.decrypt(c)
	if err != nil {
		t.Fatal(err)
	}
	wantBytes(t, "c^d", got, want.FillBytes(make([]byte, 256)))

	pkcs8, err := x509.MarshalPKCS8PrivateKey(k.key)
	if err != nil {
		t.Fatal(err)
	}
	if k8, err := ParsePrivateKey(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8})); err != nil || k8.Public().Fingerprint() != k.Public().Fingerprint() {
		t.Error(err)
	}
	for _, bad := range [][]byte{nil, []byte("x"), k.Public().PEM(), pem.EncodeToMemory(&pem.Block{Type: pemPrivate, Bytes: pkcs8})} {
		if _, err := ParsePrivateKey(bad); err == nil || strings.Contains(err.Error(), "\n") {
			t.Error(err)
		}
	}
	if _, err := GeneratePrivateKey(bytes.NewReader(make([]byte, 100))); err == nil {
		t.Error("failing randomness unnoticed")
	}
	if errors.Is(err, ErrRSAPad) {
		t.Error(err)
	}
}

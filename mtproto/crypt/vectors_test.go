package crypt

import (
	"bytes"
	"encoding/hex"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// readVectors reads testdata/name: lines "key =" followed by indented hexadecimal.
func readVectors(t testing.TB, name string) map[string][]byte {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	hexes := map[string]string{}
	key := ""
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		if k, ok := strings.CutSuffix(line, " ="); ok {
			key = k
		} else if !strings.HasPrefix(line, "#") {
			hexes[key] += line
		}
	}
	values := map[string][]byte{}
	for k, v := range hexes {
		values[k] = unhex(v)
	}
	return values
}

// unhex decodes hexadecimal with spaces and line breaks anywhere.
func unhex(s string) []byte {
	b, err := hex.DecodeString(strings.Join(strings.Fields(s), ""))
	if err != nil {
		panic(err)
	}
	return b
}

// ascending is n bytes 00, 01, ...
func ascending(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i)
	}
	return b
}

func mustKey(t testing.TB, value []byte) *AuthKey {
	t.Helper()
	k, err := NewAuthKey(value)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// key0 is bytes 00..ff; key1 is the key of mtcute's tests.
func key0(t testing.TB) *AuthKey { return mustKey(t, ascending(256)) }

func key1(t testing.TB) *AuthKey {
	return mustKey(t, bytes.Repeat(unhex("98cb29c6ffa89e79da695a54f572e6cb101e81c688b63a4bf73c3622dec230e0"), 8))
}

// seeded is a reproducible source of randomness.
func seeded(seed byte) *rand.ChaCha8 { return rand.NewChaCha8([32]byte{seed}) }

func wantBytes(t testing.TB, what string, got, want []byte) {
	t.Helper()
	if !bytes.Equal(got, want) {
		t.Errorf("%s:\n got %x\nwant %x", what, got, want)
	}
}

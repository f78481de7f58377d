package transport

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"testing"

	"pgregory.net/rapid"
)

// A stream that rests at any byte goes on as one that never does.
func TestAKeyStreamGoesOnWhereItRested(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		material := rapid.SliceOfN(rapid.Byte(), 48, 48).Draw(t, "key and counter")
		if rapid.Bool().Draw(t, "the counter overflows soon") {
			copy(material[32:], bytes.Repeat([]byte{0xff}, rapid.IntRange(8, 16).Draw(t, "of it")))
		}
		block, err := aes.NewCipher(material[:32])
		if err != nil {
			t.Fatal(err)
		}
		twin, s := cipher.NewCTR(block, material[32:]), ctr(material, nil)
		for range rapid.IntRange(1, 20).Draw(t, "writes") {
			text := rapid.SliceOfN(rapid.Byte(), 0, 100).Draw(t, "text")
			want, got := make([]byte, len(text)), make([]byte, len(text))
			twin.XORKeyStream(want, text)
			if s.XORKeyStream(got, text); !bytes.Equal(got, want) {
				t.Fatalf("%x, want %x, at %d", got, want, s.place)
			}
			if rapid.Bool().Draw(t, "rests") {
				s.rest()
			}
		}
	})
}

func BenchmarkRest(b *testing.B) {
	s := ctr(make([]byte, 48), nil)
	ping := make([]byte, 104)
	b.ReportAllocs()
	for b.Loop() {
		s.XORKeyStream(ping, ping)
		s.rest()
	}
}

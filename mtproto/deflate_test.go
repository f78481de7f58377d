package mtproto

import (
	"bytes"
	"compress/gzip"
	"io"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// inflateStrictly reads a gzip stream with the standard library, checksum and all.
func inflateStrictly(packed []byte) ([]byte, error) {
	z, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		return nil, err
	}
	return io.ReadAll(z)
}

func FuzzDeflate(f *testing.F) {
	f.Add([]byte{})
	f.Add([]byte("abcabcabcabcabcabcabc"))
	f.Add(bytes.Repeat([]byte{0}, 1000))
	f.Add([]byte(strings.Repeat("The quick brown fox. ", 100) + "\x90\xff\x8f"))
	f.Fuzz(func(t *testing.T, body []byte) {
		packed, ok := deflate(nil, body, 2*len(body)+100)
		if !ok {
			if len(body) <= probeAbove {
				t.Fatal("gave up below the limit")
			}
			return
		}
		if got, err := inflateStrictly(packed); err != nil || !bytes.Equal(got, body) {
			t.Fatalf("%d bytes come back as %d, %v", len(body), len(got), err)
		}
	})
}

func TestDeflateComesBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		// Runs and repetitions at all distances, up to beyond the window.
		var body []byte
		for range rapid.IntRange(0, 60).Draw(t, "pieces") {
			if len(body) > 0 && rapid.Bool().Draw(t, "repeat") {
				from := rapid.IntRange(0, len(body)-1).Draw(t, "from")
				n := rapid.IntRange(1, 3000).Draw(t, "n")
				for i := range n {
					body = append(body, body[from+i])
				}
				continue
			}
			body = append(body, rapid.SliceOfN(rapid.Byte(), 1, 500).Draw(t, "literals")...)
		}
		packed, ok := deflate([]byte("before"), body, 2*len(body)+100)
		if !ok {
			t.Skip("not worth it")
		}
		got, err := inflateStrictly(packed[len("before"):])
		if err != nil || !bytes.Equal(got, body) {
			t.Fatalf("%d bytes come back as %d, %v", len(body), len(got), err)
		}
	})
}

func TestPackingIsDoneWhenWorthIt(t *testing.T) {
	random := make([]byte, 40_000)
	seeded(1).Read(random)
	text := queryBody(strings.Repeat("one of many words ", 2000))
	s := idleSession(t, testKey(t, 1))
	for _, c := range []struct {
		name string
		body []byte
		want bool
	}{
		{"512 bytes of text", queryBody(strings.Repeat("word ", 100))[:512], false},
		{"520 bytes of text", queryBody(strings.Repeat("word ", 110))[:520], true},
		{"much text", text, true},
		{"little noise", random[:2000], false},
		{"much noise", random, false},
		{"what is packed already", gzipped(text), false},
	} {
		packed := s.pack(c.body)
		if got := peekID(packed) == idGzipPacked && peekID(c.body) != idGzipPacked; got != c.want {
			t.Errorf("%s: packed is %v", c.name, got)
		}
		budget := maxUnpacked
		if got, err := unpack(packed, &budget); c.want && (err != nil || !bytes.Equal(got, c.body) || len(packed) > len(c.body)*9/10+8) {
			t.Errorf("%s: %d bytes packed to %d come back as %d, %v", c.name, len(c.body), len(packed), len(got), err)
		}
	}
}

func TestInflateTakesZlibToo(t *testing.T) {
	// zlib.compress(b"abcd") of another implementation
	got, _, err := inflate(unhex(t, "789c4b4c4a4e0100 03d8018b"), 100)
	if err != nil || string(got) != "abcd" {
		t.Errorf("got %q, %v", got, err)
	}
	if _, _, err := inflate([]byte("neither nor"), 100); err == nil {
		t.Error("what is no stream is an error")
	}
}

package transport

import (
	"bytes"
	"errors"
	"io"
	"testing"
)

// drain reads everything a peer sent and checks what holds for every input.
func drain(t *testing.T, c *Codec, b []byte, one bool) (packets [][]byte, last error) {
	var r io.Reader = bytes.NewReader(b)
	if one {
		r = readerFunc(func(p []byte) (int, error) {
			if len(b) == 0 {
				return 0, io.EOF
			}
			p[0] = b[0]
			b = b[1:]
			return 1, nil
		})
	}
	allocated := 0
	alloc := func(n int) []byte { allocated += n; return make([]byte, n) }
	total := len(b)
	for {
		p, err := c.ReadPacket(r, alloc)
		if err != nil {
			var fe *FrameError
			if err != io.EOF && err != io.ErrUnexpectedEOF && !errors.As(err, &fe) {
				t.Fatalf("untyped error %v", err)
			}
			if allocated > firstChunk+6*total {
				t.Fatalf("%d bytes of input allocated %d", total, allocated)
			}
			return packets, err
		}
		if len(p) == 0 || len(p) > MaxPacket+maxPadding {
			t.Fatalf("packet of %d bytes", len(p))
		}
		packets = append(packets, p)
	}
}

// same checks that the cutting of the stream into reads does not matter.
func same(t *testing.T, fresh func() *Codec, b []byte) *Codec {
	whole, bytewise := fresh(), fresh()
	p1, e1 := drain(t, whole, b, false)
	p2, e2 := drain(t, bytewise, b, true)
	if len(p1) != len(p2) || (e1 == nil) != (e2 == nil) || e1.Error() != e2.Error() {
		t.Fatalf("whole: %d packets, %v; byte by byte: %d packets, %v", len(p1), e1, len(p2), e2)
	}
	for i := range p1 {
		if !bytes.Equal(p1[i], p2[i]) {
			t.Fatalf("packet %d differs", i)
		}
	}
	return whole
}

func FuzzServer(f *testing.F) {
	packet := unhex(f, samplePacket)
	for _, s := range setups() {
		c, _ := pair(f, s.kind, s.obfuscated, s.secret, &fixedRand{b: ascending()})
		b := mustEncode(f, c, packet)
		f.Add(append(b, mustEncode(f, c, packet)...))
	}
	f.Add([]byte("GET /apiws HTTP/1.1\r\n\r\n"))
	f.Add(unhex(f, "1603010200010001fc0303"))
	f.Add(unhex(f, "ef8a"+samplePacket))
	f.Add(unhex(f, "ef7fffffff"))
	f.Add(unhex(f, "ddddddddffffff7f"))
	f.Fuzz(func(t *testing.T, b []byte) {
		c := same(t, func() *Codec { return mustServer(t, ServerConfig{}) }, b)
		if c.Kind() > Full {
			t.Fatalf("detected %v", c.Kind())
		}
		same(t, func() *Codec { return mustServer(t, ServerConfig{Secret: make([]byte, 16)}) }, b)
	})
}

func FuzzClient(f *testing.F) {
	for k := Abridged; k <= Full; k++ {
		for _, s := range []string{
			"0a" + samplePacket, "28000000" + samplePacket, "3400000000000000" + samplePacket + "7649a99c",
			"016cfeffff", "040000006cfeffff", "0a0000006cfeffff29afd26df40f", "53feffff53feffff53feffff",
			"f1020304", "08000000ffffffff040302f1", "7fffffff",
		} {
			f.Add(uint8(k), false, unhex(f, s))
			f.Add(uint8(k), true, unhex(f, s))
		}
	}
	f.Fuzz(func(t *testing.T, kind uint8, obfuscated bool, b []byte) {
		k := Abridged + Kind(kind)%4
		same(t, func() *Codec {
			return mustClient(t, Config{Kind: k, Obfuscated: obfuscated && k != Full, DC: 2, Rand: &fixedRand{b: ascending()}})
		}, b)
	})
}

// FuzzDetect checks that more bytes never change a decision.
func FuzzDetect(f *testing.F) {
	f.Add([]byte{0xef})
	f.Add(unhex(f, "eeeeeeee28000000"))
	f.Add(unhex(f, "3400000000000000"))
	f.Add(append([]byte{0}, ascending()...))
	f.Fuzz(func(t *testing.T, b []byte) {
		var decided *opening
		for n := range len(b) + 1 {
			o, need, err := detect(b[:n])
			switch {
			case err != nil:
				if decided != nil {
					t.Fatalf("decided %+v, then %v", *decided, err)
				}
				return
			case need != 0:
				if decided != nil || need <= n || need > initLen {
					t.Fatalf("%d bytes: needs %d", n, need)
				}
			case decided == nil:
				decided = &o
			case *decided != o:
				t.Fatalf("decided %+v, then %+v", *decided, o)
			}
		}
	})
}

func FuzzParseSecret(f *testing.F) {
	f.Add("00112233445566778899aabbccddeeff")
	f.Add("7gARIjNEVWZ3iJmqu8zd7v9leGFtcGxlLmNvbQ")
	f.Fuzz(func(t *testing.T, text string) {
		s, err := ParseSecret(text)
		if err != nil {
			return
		}
		if again, err := DecodeSecret(s.Bytes()); err != nil || again != s {
			t.Fatalf("%q does not survive Bytes: %v", text, err)
		}
	})
}

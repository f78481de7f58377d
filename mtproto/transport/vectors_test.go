package transport

import (
	"bytes"
	"encoding/hex"
	"errors"
	"io"
	"testing"
)

// samplePacket is req_pq_multi of Telegram's published sample, 40 bytes.
const samplePacket = "000000000000000004000000fdc0ab6514000000f18e7ebe15a084b3b9ca2a17f03925f44b78fe68"

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// fixedRand repeats its bytes for ever.
type fixedRand struct {
	b []byte
	i int
}

func (r *fixedRand) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = r.b[r.i%len(r.b)]
		r.i++
	}
	return len(p), nil
}

func ascending() []byte {
	b := make([]byte, 64)
	for i := range b {
		b[i] = byte(i)
	}
	return b
}

func mustClient(t testing.TB, cfg Config) *Codec {
	t.Helper()
	c, err := NewClient(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func mustServer(t testing.TB, cfg ServerConfig) *Codec {
	t.Helper()
	c, err := NewServer(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func mustEncode(t testing.TB, c *Codec, packet []byte) []byte {
	t.Helper()
	b, err := c.Encode(nil, packet)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func mustRead(t testing.TB, c *Codec, r io.Reader) []byte {
	t.Helper()
	p, err := c.ReadPacket(r, nil)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestFramesAreByteForByteAsPublished(t *testing.T) {
	p := unhex(t, samplePacket)
	for _, v := range []struct {
		kind          Kind
		first, second string
	}{
		{Abridged, "ef0a" + samplePacket, "0a" + samplePacket},
		{Intermediate, "eeeeeeee28000000" + samplePacket, "28000000" + samplePacket},
		{Full, "3400000000000000" + samplePacket + "7649a99c", "3400000001000000" + samplePacket + "147181b6"},
	} {
		c := mustClient(t, Config{Kind: v.kind})
		if got := hex.EncodeToString(mustEncode(t, c, p)); got != v.first {
			t.Errorf("%v: first frame is %s, want %s", v.kind, got, v.first)
		}
		if got := hex.EncodeToString(mustEncode(t, c, p)); got != v.second {
			t.Errorf("%v: second frame is %s, want %s", v.kind, got, v.second)
		}
		s := mustServer(t, ServerConfig{})
		stream := bytes.NewReader(unhex(t, v.first+v.second))
		for range 2 {
			if got := mustRead(t, s, stream); !bytes.Equal(got, p) {
				t.Errorf("%v: server read %x, want %x", v.kind, got, p)
			}
		}
		if s.Kind() != v.kind || s.QuickAckRequested() {
			t.Errorf("server detected %v, quick ack %v", s.Kind(), s.QuickAckRequested())
		}
		if _, err := s.ReadPacket(stream, nil); err != io.EOF {
			t.Errorf("%v: end of the stream is %v, want EOF", v.kind, err)
		}
	}
}

func TestServerSeesQuickAckRequests(t *testing.T) {
	for _, stream := range []string{"ef8a" + samplePacket, "eeeeeeee28000080" + samplePacket, "dddddddd28000080" + samplePacket} {
		s := mustServer(t, ServerConfig{})
		r := bytes.NewReader(unhex(t, stream))
		if got := mustRead(t, s, r); hex.EncodeToString(got) != samplePacket || !s.QuickAckRequested() {
			t.Errorf("%v: read %x, quick ack %v", s.Kind(), got, s.QuickAckRequested())
		}
	}
}

func TestAbridgedLengthsChangeFormAt508Bytes(t *testing.T) {
	c := mustClient(t, Config{Kind: Abridged})
	mustEncode(t, c, make([]byte, 4))
	if got := mustEncode(t, c, make([]byte, 504)); got[0] != 0x7e || len(got) != 505 {
		t.Errorf("504 bytes start with %x", got[:4])
	}
	if got := mustEncode(t, c, make([]byte, 508)); hex.EncodeToString(got[:4]) != "7f7f0000" || len(got) != 512 {
		t.Errorf("508 bytes start with %x", got[:4])
	}
}

func TestObfuscatedHeaderAndStreamsAreAsPublished(t *testing.T) {
	secret := unhex(t, "00112233445566778899aabbccddeeff")
	ones := bytes.Repeat([]byte{0xff}, 64)
	for _, v := range []struct {
		name        string
		init        []byte
		kind        Kind
		dc          int
		secret      []byte
		header      string
		toServer    string // key stream behind the header
		toClient    string
		wholeHeader bool
	}{
		{"dc 2", ascending(), Intermediate, 2, nil, "4618255e1c00fd5d", "32a9c12838f1654122b190bd1da2b20b", "2f9de370decc064095d931e30a267b69", false},
		{"dc -2", ascending(), Intermediate, -2, nil, "4618255ee0fffd5d", "", "", false},
		{"dc 10002", ascending(), Intermediate, 10002, nil, "4618255e0c27fd5d", "", "", false},
		{"dc -10002", ascending(), Intermediate, -10002, nil, "4618255ef0d8fd5d", "", "", false},
		{"secret, dc 2", ascending(), Padded, 2, secret, "8f3d40553f8b44b1", "996c5102baebf594906bcdb5713a3913", "08e1eddf0a73ec8c851bf32c0d6cc044", false},
		{"secret, dc -2", ascending(), Padded, -2, secret, "8f3d4055c37444b1", "", "", false},
		{"secret, dc 10002", ascending(), Padded, 10002, secret, "8f3d40552fac44b1", "", "", false},
		{"ones, zero secret, dc 1", ones, Intermediate, 1, make([]byte, 16), "ecec4cbda8bb188b", "", "", false},
		{"ones, zero secret, dc 10001", ones, Intermediate, 10001, make([]byte, 16), "ecec4cbdb89c188b", "", "", false},
		{"ones, zero secret, dc -1", ones, Intermediate, -1, make([]byte, 16), "ecec4cbd5644188b", "", "", false},
		{"ones, dc left as it was", ones, Intermediate, -1, nil, "fce8ab2203db2bff", "", "", false},
	} {
		t.Run(v.name, func(t *testing.T) {
			header, enc, dec := obfuscate([64]byte(v.init), v.kind, int16(v.dc), v.secret)
			if got := hex.EncodeToString(header[56:]); got != v.header {
				t.Errorf("header ends with %s, want %s", got, v.header)
			}
			if !bytes.Equal(header[:56], v.init[:56]) {
				t.Error("the first 56 bytes are not sent as drawn")
			}
			stream := make([]byte, 16)
			if enc.XORKeyStream(stream, stream); v.toServer != "" && hex.EncodeToString(stream) != v.toServer {
				t.Errorf("key stream to the server is %x, want %s", stream, v.toServer)
			}
			clear(stream)
			if dec.XORKeyStream(stream, stream); v.toClient != "" && hex.EncodeToString(stream) != v.toClient {
				t.Errorf("key stream to the client is %x, want %s", stream, v.toClient)
			}
			kind, dc, _, _ := deobfuscate(header[:], v.secret)
			if kind != v.kind || int(dc) != v.dc {
				t.Errorf("server reads %v, dc %d", kind, dc)
			}
		})
	}
}

func TestObfuscatedCodecContinuesTheHeadersStream(t *testing.T) {
	// Restarting the counter behind the header is a classic mistake.
	c := mustClient(t, Config{Kind: Intermediate, Obfuscated: true, DC: 2, Rand: &fixedRand{b: ascending()}})
	out := mustEncode(t, c, make([]byte, 24))
	want := unhex(t, "32a9c12838f1654122b190bd1da2b20b")
	want[0] ^= 24 // the length
	if !bytes.Equal(out[64:80], want) {
		t.Errorf("bytes behind the header are %x, want %x", out[64:80], want)
	}
}

func TestInitsThatLookLikeSomethingElseAreDrawnAgain(t *testing.T) {
	good := ascending()
	for _, start := range []string{
		"ef", "48454144", "504f5354", "47455420", "4f505449", "dddddddd", "eeeeeeee", "16030102", "0001020300000000",
	} {
		bad := ascending()
		copy(bad, unhex(t, start))
		init, err := newInit(&fixedRand{b: append(bad, good...)})
		if err != nil || !bytes.Equal(init[:], good) {
			t.Errorf("%s: init is %x, %v; want the second draw", start, init, err)
		}
	}
	var ce *ConfigError
	if _, err := NewClient(Config{Kind: Abridged, Obfuscated: true, Rand: &fixedRand{b: []byte{0xef}}}); !errors.As(err, &ce) {
		t.Errorf("a random source that never gives a usable header: %v", err)
	}
}

func TestErrorCodesAreByteForByteAsPublished(t *testing.T) {
	for _, v := range []struct {
		kind Kind
		code int32
		want string
	}{
		{Abridged, -404, "016cfeffff"},
		{Intermediate, -404, "040000006cfeffff"},
		{Intermediate, -429, "0400000053feffff"},
		{Intermediate, -444, "0400000044feffff"},
		{Padded, -404, "0a0000006cfeffff29afd26df40f"},
		{Full, -429, "53feffff53feffff53feffff"},
	} {
		s := mustServer(t, ServerConfig{Rand: &fixedRand{b: unhex(t, "0629afd26df40f000000000000000000")}})
		s.kind = v.kind
		out, err := s.AppendError(nil, v.code)
		if err != nil || hex.EncodeToString(out) != v.want {
			t.Errorf("%v: error %d is %x, %v; want %s", v.kind, v.code, out, err, v.want)
		}
		c := mustClient(t, Config{Kind: v.kind, Rand: &fixedRand{b: []byte{1}}})
		r := bytes.NewReader(out)
		packet := mustRead(t, c, r)
		if code, ok := ErrorCode(packet); !ok || code != v.code || len(packet) != 4 {
			t.Errorf("%v: client read %x as error %d, %v", v.kind, packet, code, ok)
		}
		if _, err := c.ReadPacket(r, nil); err != io.EOF {
			t.Errorf("%v: after the error: %v, want EOF", v.kind, err)
		}
	}
}

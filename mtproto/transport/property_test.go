package transport

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// seeded is a repeatable source of bytes.
func seeded(seed uint64) io.Reader {
	var key [32]byte
	binary.LittleEndian.PutUint64(key[:], seed)
	return rand.NewChaCha8(key)
}

// pair makes the two ends of one connection.
func pair(t testing.TB, k Kind, obfuscated bool, secret []byte, random io.Reader) (client, server *Codec) {
	t.Helper()
	client = mustClient(t, Config{Kind: k, Obfuscated: obfuscated, DC: -10004, Secret: secret, Rand: random})
	return client, mustServer(t, ServerConfig{Secret: secret, Rand: random})
}

// errNotYet is what a reader says that has no more for the moment.
var errNotYet = errors.New("not yet")

// chunks delivers its bytes in pieces of random size, sometimes none, and has
// none for the moment now and then.
type chunks struct {
	b   []byte
	rnd *rand.Rand
}

func (c *chunks) Read(p []byte) (int, error) {
	if len(c.b) == 0 {
		return 0, io.EOF
	}
	if c.rnd.IntN(16) == 0 {
		return 0, errNotYet
	}
	n := min(c.rnd.IntN(4), len(c.b), len(p))
	if c.rnd.IntN(3) == 0 {
		n = min(c.rnd.IntN(700), len(c.b), len(p))
	}
	copy(p, c.b[:n])
	c.b = c.b[n:]
	return n, nil
}

// realPacket makes a packet in one of the two real shapes, from which the padded
// framing can tell its length.
func realPacket(rnd *rand.Rand) []byte {
	if rnd.IntN(4) == 0 {
		body := 4 * rnd.IntN(200)
		p := make([]byte, minPacket+body)
		binary.LittleEndian.PutUint64(p[8:], rnd.Uint64())
		binary.LittleEndian.PutUint32(p[16:], uint32(body))
		return p
	}
	blocks := rnd.IntN(40)
	if rnd.IntN(10) == 0 {
		blocks = rnd.IntN(10000) // beyond the first chunk
	}
	p := make([]byte, 24+16*blocks)
	for i := range p {
		p[i] = byte(rnd.Uint32())
	}
	p[3] |= 1
	return p
}

type setup struct {
	kind       Kind
	obfuscated bool
	secret     []byte
}

func (s setup) String() string {
	return fmt.Sprintf("%v obfuscated=%v secret=%v", s.kind, s.obfuscated, s.secret != nil)
}

func setups() []setup {
	secret := bytes.Repeat([]byte{0x5c}, 16)
	all := []setup{{kind: Full}}
	for _, k := range []Kind{Abridged, Intermediate, Padded} {
		all = append(all, setup{k, false, nil}, setup{k, true, nil}, setup{k, true, secret})
	}
	return append(all, setup{Padded, true, append([]byte{0xdd}, secret...)})
}

func TestWhatIsEncodedIsDecodedInBothDirections(t *testing.T) {
	for _, s := range setups() {
		t.Run(s.String(), func(t *testing.T) {
			rapid.Check(t, func(rt *rapid.T) {
				seed := rapid.Uint64().Draw(rt, "seed")
				rnd := rand.New(rand.NewPCG(seed, 1))
				client, server := pair(t, s.kind, s.obfuscated, s.secret, seeded(seed))
				roundTrip(rt, rnd, client, server)
				roundTrip(rt, rnd, server, client)
				roundTrip(rt, rnd, client, server)
				if server.Kind() != s.kind || server.Obfuscated() != s.obfuscated || client.Obfuscated() != s.obfuscated {
					rt.Fatalf("server detected %v, obfuscated %v", server.Kind(), server.Obfuscated())
				}
				if s.obfuscated && server.DC() != -10004 {
					rt.Fatalf("server read DC %d", server.DC())
				}
			})
		})
	}
}

func roundTrip(t *rapid.T, rnd *rand.Rand, from, to *Codec) {
	var packets [][]byte
	stream := []byte("before") // Encode appends
	for range 1 + rnd.IntN(4) {
		p := realPacket(rnd)
		packets = append(packets, p)
		var err error
		if stream, err = from.Encode(stream, p); err != nil {
			t.Fatal(err)
		}
	}
	r := &chunks{stream[len("before"):], rnd}
	read := func() ([]byte, error) {
		for {
			got, err := to.ReadPacket(r, nil)
			if !errors.Is(err, errNotYet) {
				return got, err
			}
			if rnd.IntN(2) == 0 { // it loses nothing by that, wherever it is
				to.RestReading()
				from.RestEncoding()
			}
		}
	}
	for i, p := range packets {
		got, err := read()
		if err != nil || !bytes.Equal(got, p) {
			t.Fatalf("packet %d of %d bytes came as %d bytes, %v", i, len(p), len(got), err)
		}
	}
	if _, err := read(); err != io.EOF {
		t.Fatalf("behind the last packet: %v", err)
	}
}

func TestEveryPaddingIsCutOff(t *testing.T) {
	plain := make([]byte, 40)
	binary.LittleEndian.PutUint32(plain[16:], 20)
	for padding := range maxPadding + 1 {
		for _, packet := range [][]byte{plain, bytes.Repeat([]byte{9}, 24+64), bytes.Repeat([]byte{9}, 24)} {
			frame := binary.LittleEndian.AppendUint32([]byte{0xdd, 0xdd, 0xdd, 0xdd}, uint32(len(packet)+padding))
			frame = append(append(frame, packet...), make([]byte, padding)...)
			got := mustRead(t, mustServer(t, ServerConfig{}), bytes.NewReader(frame))
			if !bytes.Equal(got, packet) {
				t.Errorf("padding %d: packet of %d bytes came as %d", padding, len(packet), len(got))
			}
		}
	}
	// The encoder uses all of them.
	seen := map[int]bool{}
	c := mustClient(t, Config{Kind: Padded, Rand: seeded(1)})
	mustEncode(t, c, plain)
	for range 1000 {
		seen[len(mustEncode(t, c, plain))-4-len(plain)] = true
	}
	if len(seen) != maxPadding+1 || !seen[0] || !seen[maxPadding] {
		t.Errorf("paddings used: %v", seen)
	}
}

func TestEncodeRefusesWhatCannotBeFramed(t *testing.T) {
	for _, k := range []Kind{Abridged, Intermediate, Padded, Full} {
		for _, n := range []int{0, 1, 41, MaxPacket + 4} {
			dst, err := clientOf(t, k).Encode([]byte{1}, make([]byte, n))
			var pe *PacketError
			if !errors.As(err, &pe) || pe.Length != n || len(dst) != 1 {
				t.Errorf("%v, %d bytes: %v", k, n, err)
			}
		}
	}
	s := mustServer(t, ServerConfig{})
	if _, err := s.Encode(nil, make([]byte, 4)); err != ErrUndetected {
		t.Errorf("a server that has read nothing: %v", err)
	}
	if _, err := s.AppendQuickAck(nil, 1); err != ErrUndetected {
		t.Errorf("a server that has read nothing: %v", err)
	}
	broken := mustClient(t, Config{Kind: Padded, Rand: strings.NewReader("")})
	if dst, err := broken.Encode(nil, make([]byte, 4)); err != io.EOF || dst != nil {
		t.Errorf("a broken random source: %x, %v", dst, err)
	}
}

func TestClientConfigIsChecked(t *testing.T) {
	random := &fixedRand{b: ascending()}
	for _, v := range []struct {
		cfg  Config
		want string
	}{
		{Config{}, "transport: no such framing: unknown"},
		{Config{Kind: 9}, "transport: no such framing: kind 9"},
		{Config{Kind: Padded}, "transport: padded needs a source of randomness"},
		{Config{Kind: Full, Obfuscated: true, Rand: random}, "transport: the full transport cannot be obfuscated"},
		{Config{Kind: Abridged, Obfuscated: true, DC: 40000, Rand: random}, "transport: the DC id does not fit in 16 bits"},
		{Config{Kind: Abridged, Secret: make([]byte, 5), Rand: random}, "transport: MTProxy secret: it is shorter than 16 bytes"},
		{Config{Kind: Abridged, Secret: append([]byte{0xdd}, make([]byte, 16)...), Rand: random}, "transport: MTProxy secret: 0xdd asks for the padded transport, not abridged"},
		{Config{Kind: Padded, Secret: append([]byte{0xee}, make([]byte, 20)...), Rand: random}, "transport: MTProxy secret: one with 0xee is for a stream inside fake-TLS: open that first, and use what Inner returns"},
	} {
		if _, err := NewClient(v.cfg); err == nil || err.Error() != v.want {
			t.Errorf("%+v: %v, want %s", v.cfg.Kind, err, v.want)
		}
	}
}

func TestSecretsInEveryEncoding(t *testing.T) {
	const key = "00112233445566778899aabbccddeeff"
	for _, v := range []struct {
		text   string
		padded bool
		domain string
		bad    string
	}{
		{text: key},
		{text: strings.ToUpper(key)},
		{text: "ABEiM0RVZneImaq7zN3u/w=="},
		{text: "ABEiM0RVZneImaq7zN3u_w"},
		{text: "dd" + key, padded: true},
		{text: "3QARIjNEVWZ3iJmqu8zd7v8", padded: true},
		{text: "ee" + key + "6578616d706c652e636f6d", padded: true, domain: "example.com"},
		{text: "7gARIjNEVWZ3iJmqu8zd7v9leGFtcGxlLmNvbQ", padded: true, domain: "example.com"},
		{text: "ee" + key, bad: "0xee needs a domain of 1 to 182 bytes behind the key"},
		{text: "aa" + key, bad: "it is neither 16 bytes, nor 0xdd and 16 bytes, nor 0xee, 16 bytes and a domain"},
		{text: "0011", bad: "it is shorter than 16 bytes"},
		{text: "", bad: "it is shorter than 16 bytes"},
		{text: "not a secret!", bad: "it is neither hex nor base64"},
	} {
		s, err := ParseSecret(v.text)
		if v.bad != "" {
			if err == nil || err.Error() != "transport: MTProxy secret: "+v.bad {
				t.Errorf("%q: %v", v.text, err)
			}
			continue
		}
		if err != nil || fmt.Sprintf("%x", s.Key[:]) != key || s.Padded != v.padded || s.Domain != v.domain {
			t.Errorf("%q: %x %v %q, %v", v.text, s.Key, s.Padded, s.Domain, err)
			continue
		}
		if again, err := DecodeSecret(s.Bytes()); err != nil || again != s {
			t.Errorf("%q does not survive Bytes: %v", v.text, err)
		}
		if printed := fmt.Sprintf("%v %+v %#v", s, s, s); printed != "[secret] [secret] [secret]" {
			t.Errorf("printing shows %s", printed)
		}
	}
}

func TestKindsHaveNames(t *testing.T) {
	for k := Abridged; k <= Full; k++ {
		if got, ok := ParseKind(k.String()); !ok || got != k {
			t.Errorf("%v is read as %v", k, got)
		}
	}
	if _, ok := ParseKind("unknown"); ok {
		t.Error("the zero kind can be named")
	}
}

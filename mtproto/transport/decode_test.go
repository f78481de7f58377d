package transport

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

func clientOf(t testing.TB, k Kind) *Codec {
	t.Helper()
	return mustClient(t, Config{Kind: k, Rand: &fixedRand{b: ascending()}})
}

func TestErrorCodesWithEveryPaddingAreRecognised(t *testing.T) {
	for padding := range 16 {
		frame := binary.LittleEndian.AppendUint32(nil, uint32(4+padding))
		frame = append(frame, 0x6c, 0xfe, 0xff, 0xff)
		frame = append(frame, bytes.Repeat([]byte{0x5a}, padding)...)
		packet := mustRead(t, clientOf(t, Padded), bytes.NewReader(frame))
		if code, ok := ErrorCode(packet); !ok || code != -404 || len(packet) != 4 {
			t.Errorf("padding %d: read %x", padding, packet)
		}
	}
}

func TestClientSkipsQuickAcksAndNoOps(t *testing.T) {
	packet := samplePacket
	for _, v := range []struct {
		name   string
		kind   Kind
		stream string
	}{
		{"abridged quick ack", Abridged, "f1020304" + "0a" + packet},
		{"abridged no-op", Abridged, "0100000000" + "0a" + packet},
		{"abridged lone -1", Abridged, "01ffffffff" + "0a" + packet},
		{"intermediate quick ack", Intermediate, "040302f1" + "28000000" + packet},
		{"intermediate no-op", Intermediate, "0400000000000000" + "28000000" + packet},
		{"padded quick ack", Padded, "08000000ffffffff040302f1" + "28000000" + packet},
		{"padded quick ack with padding", Padded, "10000000ffffffff040302f1a1a2a3a4a5a6a7a8" + "28000000" + packet},
		{"padded quick ack, unframed", Padded, "040302f1" + "28000000" + packet},
		{"padded no-op with padding", Padded, "060000000000000055aa" + "28000000" + packet},
	} {
		c := clientOf(t, v.kind)
		got := mustRead(t, c, iotest.OneByteReader(bytes.NewReader(unhex(t, v.stream))))
		if hex.EncodeToString(got) != packet || c.QuickAckRequested() {
			t.Errorf("%s: read %x", v.name, got)
		}
	}
}

func TestQuickAcksOfTheServerAreSkippedByTheClient(t *testing.T) {
	for _, k := range []Kind{Abridged, Intermediate, Padded, Full} {
		rand := &fixedRand{b: ascending()}
		client, server := pair(t, k, k != Full, nil, rand)
		mustRead(t, server, bytes.NewReader(mustEncode(t, client, unhex(t, samplePacket))))
		stream, err := server.AppendQuickAck(nil, 0x01020304)
		if err != nil {
			t.Fatal(err)
		}
		if stream, err = server.Encode(stream, unhex(t, samplePacket)); err != nil {
			t.Fatal(err)
		}
		if got := mustRead(t, client, bytes.NewReader(stream)); hex.EncodeToString(got) != samplePacket {
			t.Errorf("%v: behind the quick ack the client read %x", k, got)
		}
	}
}

func TestNegativeFirstWordIsNoErrorInARealPacket(t *testing.T) {
	// Auth key ids with a negative low half made a known client read short
	// packets as errors.
	packet := bytes.Repeat([]byte{0xff}, 24+16)
	for _, k := range []Kind{Abridged, Intermediate, Padded, Full} {
		client, server := pair(t, k, false, nil, &fixedRand{b: ascending()})
		mustRead(t, server, bytes.NewReader(mustEncode(t, client, packet)))
		got := mustRead(t, client, bytes.NewReader(mustEncode(t, server, packet)))
		if _, ok := ErrorCode(got); ok || !bytes.Equal(got, packet) {
			t.Errorf("%v: read %x", k, got)
		}
	}
}

func TestFramingViolationsAreTypedAndFinal(t *testing.T) {
	for _, v := range []struct {
		name   string
		kind   Kind
		server bool
		stream string
		want   error
		text   string
	}{
		{"empty abridged frame", Abridged, false, "00", ErrLength, "transport: abridged: frame length is not allowed: 0"},
		{"abridged frame over the limit", Abridged, false, "7fffffff", ErrTooLong, "transport: abridged: frame is too long: 67108860 bytes, the limit is 16777216"},
		{"empty intermediate frame", Intermediate, false, "00000000", ErrLength, ""},
		{"intermediate frame of 22 bytes", Intermediate, false, "16000000", ErrLength, ""},
		{"intermediate frame over the limit", Intermediate, false, "04000001", ErrTooLong, ""},
		{"padded frame of 3 bytes", Padded, false, "03000000", ErrLength, ""},
		{"padded frame over the limit", Padded, false, "10000001", ErrTooLong, ""},
		{"full frame shorter than its header", Full, false, "0c00000000000000", ErrLength, "transport: full: frame length is not allowed: 12"},
		{"full frame over the limit", Full, false, "1000000100000000", ErrTooLong, ""},
		{"full frame out of sequence", Full, false, "3400000001000000", ErrSequence, "transport: full: frame is out of sequence"},
		{"full frame with a wrong checksum", Full, false, "3400000000000000" + samplePacket + "7649a99d", ErrChecksum, "transport: full: frame checksum is wrong"},
		{"HTTP", 0, true, hex.EncodeToString([]byte("POST /apiw1 HTTP/1.1\r\n")), ErrPreamble, "transport: opening bytes name no known transport"},
		{"TLS", 0, true, "1603010200", ErrPreamble, ""},
		{"obfuscated with an unknown tag", 0, true, strings.Repeat("a7", 64), ErrPreamble, ""},
		{"negative length from a client", 0, true, "ffffffff00000000", ErrLength, ""},
		{"detected, then an empty frame", 0, true, "eeeeeeee00000000", ErrLength, ""},
	} {
		t.Run(v.name, func(t *testing.T) {
			c := mustServer(t, ServerConfig{})
			if !v.server {
				c = clientOf(t, v.kind)
			}
			r := bytes.NewReader(unhex(t, v.stream))
			_, err := c.ReadPacket(r, nil)
			var fe *FrameError
			if !errors.As(err, &fe) || !errors.Is(err, v.want) {
				t.Fatalf("error is %v, want %v", err, v.want)
			}
			if v.text != "" && err.Error() != v.text {
				t.Errorf("text is %q, want %q", err, v.text)
			}
			if _, again := c.ReadPacket(bytes.NewReader(make([]byte, 100)), nil); again != err {
				t.Errorf("the next read gives %v, want the same error", again)
			}
		})
	}
}

func TestSecretsAreDemandedOfClients(t *testing.T) {
	secret := bytes.Repeat([]byte{7}, 16)
	for _, stream := range [][]byte{
		mustEncode(t, clientOf(t, Intermediate), unhex(t, samplePacket)),
		mustEncode(t, mustClient(t, Config{Kind: Padded, Obfuscated: true, Rand: &fixedRand{b: ascending()}}), unhex(t, samplePacket)),
	} {
		s := mustServer(t, ServerConfig{Secret: secret})
		if _, err := s.ReadPacket(bytes.NewReader(stream), nil); !errors.Is(err, ErrPreamble) {
			t.Errorf("a client without the secret: %v", err)
		}
	}
}

func TestReadingResumesAfterAnErrorOfTheReader(t *testing.T) {
	// A read deadline in mid-frame must not lose the place in the stream.
	for _, k := range []Kind{Abridged, Intermediate, Padded, Full} {
		client, server := pair(t, k, k != Full, nil, &fixedRand{b: ascending()})
		packet := append(unhex(t, samplePacket), make([]byte, 1000)...)
		binary.LittleEndian.PutUint32(packet[16:], 1020)
		stream := mustEncode(t, client, packet)
		var got []byte
		for _, b := range stream {
			p, err := server.ReadPacket(bytes.NewReader([]byte{b}), nil)
			if err != nil && err != io.EOF && err != io.ErrUnexpectedEOF {
				t.Fatal(err)
			}
			if p != nil {
				got = p
			}
		}
		if !bytes.Equal(got, packet) {
			t.Errorf("%v: got %d bytes", k, len(got))
		}
	}
}

func TestEndOfStreamWithinAFrameIsUnexpected(t *testing.T) {
	frame := unhex(t, "28000000"+samplePacket)
	for cut := range len(frame) {
		_, err := clientOf(t, Intermediate).ReadPacket(bytes.NewReader(frame[:cut]), nil)
		if want := io.ErrUnexpectedEOF; cut > 0 && err != want || cut == 0 && err != io.EOF {
			t.Errorf("cut at %d: %v", cut, err)
		}
	}
}

func TestReaderThatGivesNothingIsGivenUp(t *testing.T) {
	_, err := clientOf(t, Abridged).ReadPacket(iotest.ErrReader(nil), nil)
	if err != io.ErrNoProgress {
		t.Errorf("error is %v", err)
	}
}

func TestBodyIsAllocatedOnlyWhenItsHeaderHasArrived(t *testing.T) {
	c := clientOf(t, Intermediate)
	var asked []int
	alloc := func(n int) []byte { asked = append(asked, n); return make([]byte, n+100) }
	if _, err := c.ReadPacket(bytes.NewReader([]byte{0x28, 0, 0}), alloc); err != io.ErrUnexpectedEOF || len(asked) != 0 {
		t.Fatalf("three bytes of a header: %v, allocations %v", err, asked)
	}
	if _, err := c.ReadPacket(bytes.NewReader([]byte{0}), alloc); err != io.ErrUnexpectedEOF || len(asked) != 1 || asked[0] != 40 {
		t.Fatalf("a header: %v, allocations %v", err, asked)
	}
	if got, err := c.ReadPacket(bytes.NewReader(unhex(t, samplePacket)), alloc); err != nil || len(got) != 40 {
		t.Fatalf("the body: %x, %v", got, err)
	}
}

func TestLargeBodiesAreAllocatedAsTheyArrive(t *testing.T) {
	c := clientOf(t, Intermediate)
	total := 0
	alloc := func(n int) []byte { total += n; return make([]byte, n) }
	frame := binary.LittleEndian.AppendUint32(nil, MaxPacket)
	if _, err := c.ReadPacket(bytes.NewReader(append(frame, make([]byte, 100)...)), alloc); err != io.ErrUnexpectedEOF {
		t.Fatal(err)
	}
	if total > firstChunk {
		t.Errorf("a header that claims 16 MiB made us allocate %d bytes", total)
	}
	packet, err := c.ReadPacket(bytes.NewReader(make([]byte, MaxPacket)), alloc)
	if err != nil || len(packet) != MaxPacket {
		t.Fatalf("%d bytes, %v", len(packet), err)
	}
	if total > MaxPacket*3/2 {
		t.Errorf("16 MiB made us allocate %d bytes", total)
	}
}

func TestSmallPacketTakesOneRead(t *testing.T) {
	reads := 0
	r := readerFunc(func(p []byte) (int, error) {
		reads++
		return copy(p, unhex(t, "28000000"+samplePacket)), nil
	})
	mustRead(t, clientOf(t, Intermediate), r)
	if reads != 1 {
		t.Errorf("%d reads for a packet of 40 bytes", reads)
	}
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

func BenchmarkReadPacket(b *testing.B) {
	client, server := pair(b, Abridged, true, nil, &fixedRand{b: ascending()})
	packet := make([]byte, 24+16*8)
	packet[0] = 1
	first := mustEncode(b, client, packet)
	mustRead(b, server, bytes.NewReader(first))
	var out []byte
	var r bytes.Reader
	buf := make([]byte, len(packet))
	alloc := func(int) []byte { return buf }
	b.ReportAllocs()
	for b.Loop() {
		out, _ = client.Encode(out[:0], packet)
		r.Reset(out)
		if _, err := server.ReadPacket(&r, alloc); err != nil {
			b.Fatal(err)
		}
	}
}

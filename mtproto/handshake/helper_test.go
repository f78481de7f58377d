package handshake

import (
	"bytes"
	"encoding/hex"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mtfleet/mtfleet/mtproto/crypt"
)

// wellKnown is made once: its table takes longer than a handshake.
var wellKnown = sync.OnceValue(crypt.WellKnownGroup)

var privateKey = sync.OnceValue(func() *crypt.PrivateKey {
	text, err := os.ReadFile("testdata/private.pem")
	if err != nil {
		panic(err)
	}
	k, err := crypt.ParsePrivateKey(text)
	if err != nil {
		panic(err)
	}
	return k
})

func publicKeys(t testing.TB, name string) []*crypt.PublicKey {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	keys, err := crypt.ParsePublicKeys(text)
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

// readVectors reads testdata/name: lines "key =" followed by indented hexadecimal.
func readVectors(t testing.TB, name string) map[string][]byte {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	values := map[string][]byte{}
	key := ""
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		if k, ok := strings.CutSuffix(line, " ="); ok {
			key = k
		} else if !strings.HasPrefix(line, "#") {
			b, err := hex.DecodeString(line)
			if err != nil {
				t.Fatal(err)
			}
			values[key] = append(values[key], b...)
		}
	}
	return values
}

func wantBytes(t testing.TB, what string, got, want []byte) {
	t.Helper()
	if !bytes.Equal(got, want) {
		t.Errorf("%s:\n got %x\nwant %x", what, got, want)
	}
}

func seeded(seed byte) io.Reader { return rand.NewChaCha8([32]byte{seed}) }

// script answers reads of certain lengths with given bytes, each once and in order, and all others from rest. The two
// sides read each kind of secret with a length of its own.
type script struct {
	bySize map[int][][]byte
	rest   io.Reader
}

func (s *script) Read(p []byte) (int, error) {
	if queue := s.bySize[len(p)]; len(queue) > 0 {
		s.bySize[len(p)] = queue[1:]
		return copy(p, queue[0]), nil
	}
	return io.ReadFull(s.rest, p)
}

// start is the local time of the client in all tests.
var start = time.Date(2026, 3, 1, 12, 0, 0, 500_000_000, time.UTC)

// pair is a client and a server with a wire between them that a test can tamper with.
type pair struct {
	t      testing.TB
	client *Client
	server *Server
	now    time.Time
	skew   time.Duration // server time minus client time

	// toServer and toClient may change, multiply or drop (nil) a packet. nil means deliver.
	toServer, toClient func(packet []byte) [][]byte

	clientResult *Result
	clientErr    error
	serverResult *ServerResult
	serverErr    error
	code         int32
	works        int // pieces of work of the client
	packets      [2]int
}

func clientConfig(seed byte) ClientConfig {
	return ClientConfig{Rand: seeded(seed), Keys: []*crypt.PublicKey{privateKey().Public()}, Group: wellKnown(), DC: 2}
}

func serverConfig(seed byte) ServerConfig {
	return ServerConfig{Rand: seeded(seed), Keys: []*crypt.PrivateKey{privateKey()}, Group: wellKnown(),
		AcceptDC: func(dc int) bool { return dc == 2 || dc == -2 }}
}

func newPair(t testing.TB, cc ClientConfig, sc ServerConfig) *pair {
	t.Helper()
	server, err := NewServer(sc)
	if err != nil {
		t.Fatal(err)
	}
	return &pair{t: t, client: NewClient(cc), server: server, now: start}
}

// run starts the client and carries packets and work until nothing moves any more.
func (p *pair) run() *pair {
	p.t.Helper()
	p.client.Start(p.now)
	p.settle()
	return p
}

// runOut lets time pass until the client has ended.
func (p *pair) runOut() *pair {
	p.run()
	for p.clientResult == nil && p.clientErr == nil {
		p.now = p.client.Deadline()
		p.client.Advance(p.now)
		p.settle()
	}
	return p
}

func (p *pair) settle() {
	p.t.Helper()
	for out, ok := p.client.Next(); ok; out, ok = p.client.Next() {
		switch out.Kind {
		case OutPacket:
			p.packets[0]++
			for _, packet := range tamper(p.toServer, out.Packet) {
				p.serve(p.server.Receive(p.now.Add(p.skew), packet))
			}
		case OutWork:
			p.works++
			p.client.Done(p.now, out.Work())
		case OutDone:
			p.clientResult = out.Result
		case OutFailed:
			p.clientErr = out.Err
		}
	}
}

// serve does what the server wants, and delivers what it sends.
func (p *pair) serve(r Reply) {
	for r.Work != nil {
		r = p.server.Done(p.now.Add(p.skew), r.Work())
	}
	if r.Result != nil {
		p.serverResult = r.Result
	}
	if r.Err != nil {
		p.serverErr, p.code = r.Err, r.Code
		p.client.Refused(p.now, r.Code)
	}
	if r.Packet != nil {
		p.packets[1]++
		for _, packet := range tamper(p.toClient, r.Packet) {
			p.client.Receive(p.now, packet)
		}
	}
}

func tamper(f func([]byte) [][]byte, packet []byte) [][]byte {
	if f == nil {
		return [][]byte{packet}
	}
	return f(packet)
}

// wantKey fails unless both sides have the same key.
func (p *pair) wantKey() {
	p.t.Helper()
	if p.clientErr != nil || p.serverErr != nil {
		p.t.Fatalf("client: %v, server: %v", p.clientErr, p.serverErr)
	}
	if p.clientResult == nil || p.serverResult == nil {
		p.t.Fatalf("client has result %v, server %v", p.clientResult != nil, p.serverResult != nil)
	}
	if !p.clientResult.Key.Equal(p.serverResult.Key) || p.clientResult.ServerSalt != p.serverResult.ServerSalt {
		p.t.Fatal("the two sides have different keys")
	}
}

// wantStep fails unless err is a *StepError of that step with that cause (nil: any).
func wantStep(t testing.TB, who string, err error, step Step, cause error) {
	t.Helper()
	var se *StepError
	if !errors.As(err, &se) {
		t.Errorf("%s: %v is not a StepError", who, err)
		return
	}
	if se.Step != step || cause != nil && !errors.Is(err, cause) {
		t.Errorf("%s: %v; want %v: %v", who, err, step, cause)
	}
	if !strings.HasPrefix(err.Error(), "handshake: "+step.String()+": ") {
		t.Errorf("%s: message %q", who, err)
	}
}

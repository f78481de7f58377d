package handshake

import (
	"bytes"
	"encoding/binary"
	"math/big"
	"testing"
	"time"

	"github.com/mtfleet/mtfleet/mtproto/crypt"
	"github.com/mtfleet/mtfleet/tl/mt"
)

func mustServer(t testing.TB, cfg ServerConfig) *Server {
	t.Helper()
	s, err := NewServer(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// reqPQ is the first packet of a client with that nonce.
func reqPQ(nonce byte) []byte {
	return appendPlain(nil, 4, (&mt.ReqPQMultiRequest{Nonce: [16]byte{15: nonce}}).Append(nil))
}

func TestServerNeedsItsConfig(t *testing.T) {
	for name, spoil := range map[string]func(*ServerConfig){
		"randomness": func(c *ServerConfig) { c.Rand = nil },
		"keys":       func(c *ServerConfig) { c.Keys = nil },
		"group":      func(c *ServerConfig) { c.Group = nil },
		"dc":         func(c *ServerConfig) { c.AcceptDC = nil },
	} {
		cfg := serverConfig(60)
		spoil(&cfg)
		if _, err := NewServer(cfg); err == nil {
			t.Errorf("server without %s", name)
		}
	}
}

func TestSameNonceSameAnswer(t *testing.T) {
	s := mustServer(t, serverConfig(61))
	a, b := s.Receive(start, reqPQ(1)).Packet, s.Receive(start.Add(time.Minute), reqPQ(1)).Packet
	wantBytes(t, "second answer", b[plainHeader:], a[plainHeader:])
	old := appendPlain(nil, 4, (&mt.ReqPQRequest{Nonce: [16]byte{15: 1}}).Append(nil))
	wantBytes(t, "answer to req_pq", s.Receive(start, old).Packet[plainHeader:], a[plainHeader:])
	if c := s.Receive(start, reqPQ(2)).Packet; bytes.Equal(c[36:], a[36:]) || s.Pending() != 2 {
		t.Error("another nonce has the same answer")
	}
	ids := map[uint64]bool{}
	for range 5 { // the clock stands still
		id := binary.LittleEndian.Uint64(s.Receive(start.Add(time.Minute), reqPQ(1)).Packet[8:])
		if ids[id] || id%4 != 1 || id>>32 != uint64(start.Unix()+60) {
			t.Errorf("msg_id %#x", id)
		}
		ids[id] = true
	}
}

func TestServerForgetsAfterTenMinutes(t *testing.T) {
	p := newPair(t, clientConfig(62), serverConfig(63))
	p.client.Start(start)
	out, _ := p.client.Next()
	resPQ := p.server.Receive(start, out.Packet).Packet
	p.client.Receive(start, resPQ)
	work, _ := p.client.Next()
	p.client.Done(start, work.Work())
	req, _ := p.client.Next()

	late := start.Add(10 * time.Minute)
	if d := p.server.Deadline(); !d.Equal(late) {
		t.Errorf("deadline %v", d)
	}
	p.server.Advance(late.Add(-1))
	if p.server.Pending() != 1 {
		t.Error("forgotten too early")
	}
	r := p.server.Receive(late, req.Packet)
	wantStep(t, "server", r.Err, StepReqDHParams, ErrUnknown)
	if p.server.Pending() != 0 || !p.server.Deadline().IsZero() || r.Code != CodeRefused {
		t.Error("not forgotten")
	}
}

func TestServerRemembersABoundedNumber(t *testing.T) {
	cfg := serverConfig(64)
	cfg.MaxExchanges = 3
	s := mustServer(t, cfg)
	first := s.Receive(start, reqPQ(0)).Packet
	for n := byte(1); n < 10; n++ {
		s.Receive(start, reqPQ(n))
		if s.Pending() > 3 || len(s.queue) > 3 {
			t.Fatalf("%d handshakes remembered, %d queued", s.Pending(), len(s.queue))
		}
	}
	if again := s.Receive(start, reqPQ(0)).Packet; bytes.Equal(again[36:], first[36:]) {
		t.Error("the oldest was not forgotten")
	}
}

// Work that ends after its handshake was forgotten makes no key.
func TestServerForgetsDuringWork(t *testing.T) {
	p := newPair(t, clientConfig(65), serverConfig(66))
	p.client.Start(start)
	out, _ := p.client.Next()
	p.client.Receive(start, p.server.Receive(start, out.Packet).Packet)
	work, _ := p.client.Next()
	p.client.Done(start, work.Work())
	req, _ := p.client.Next()
	r := p.server.Receive(start, req.Packet)
	if r.Work == nil {
		t.Fatal("no work")
	}
	// The same packet again, while the work runs: its answer will come.
	if again := p.server.Receive(start, req.Packet); again.Packet != nil || again.Work != nil || again.Err != nil {
		t.Errorf("repeated during work: %+v", again)
	}
	result := r.Work()
	p.server.Advance(start.Add(time.Hour))
	r = p.server.Done(start.Add(time.Hour), result)
	wantStep(t, "server", r.Err, StepServerDHParams, ErrUnknown)
	if r := p.server.Done(start, WorkResult{}); r.Err != nil || r.Packet != nil {
		t.Error("an empty result did something")
	}
	if r := p.server.Done(start, factorWork(&job{StepReqDHParams}, 15)()); r.Err != nil || r.Packet != nil {
		t.Error("a client's result did something")
	}
}

// After the key is made, every packet that comes again gets the answer it got before, and makes no second key.
func TestServerRepeatsItsAnswers(t *testing.T) {
	p := newPair(t, clientConfig(67), serverConfig(68))
	var sent, answers [][]byte
	p.toServer = func(packet []byte) [][]byte { sent = append(sent, packet); return [][]byte{packet} }
	p.toClient = func(packet []byte) [][]byte { answers = append(answers, packet); return [][]byte{packet} }
	p.server.Force(Forced{Retries: 1})
	p.run().wantKey()
	if len(sent) != 4 || len(answers) != 4 {
		t.Fatal(len(sent), len(answers))
	}
	for i, packet := range sent {
		r := p.server.Receive(start.Add(time.Minute), packet)
		if r.Packet == nil || r.Work != nil || r.Result != nil {
			t.Fatalf("packet %d: %+v", i, r)
		}
		wantBytes(t, "repeated answer", r.Packet[plainHeader:], answers[i][plainHeader:])
	}
}

func TestServerOffersAllItsKeys(t *testing.T) {
	other, err := crypt.GeneratePrivateKey(seeded(69))
	if err != nil {
		t.Fatal(err)
	}
	sc := serverConfig(70)
	sc.Keys = []*crypt.PrivateKey{other, privateKey()}
	p := newPair(t, clientConfig(71), sc).run() // knows only the second
	p.wantKey()
	if p.serverResult.Fingerprint != privateKey().Public().Fingerprint() {
		t.Error("wrong key")
	}
	cc := clientConfig(71)
	cc.Keys = append(cc.Keys, other.Public())
	if p = newPair(t, cc, sc).run(); p.clientResult.Fingerprint != other.Public().Fingerprint() {
		t.Error("not the first of the server's keys")
	}
}

func TestTempLifeIsBounded(t *testing.T) {
	cc := clientConfig(72)
	cc.Temp, cc.ExpiresIn = true, 1000*time.Hour
	p := newPair(t, cc, serverConfig(73)).run()
	p.wantKey()
	if got := p.serverResult.ExpiresAt.Sub(start); got != 24*time.Hour {
		t.Errorf("lives %v", got)
	}
	cc = clientConfig(72)
	cc.Temp = true
	p = newPair(t, cc, serverConfig(73)).run()
	if got := p.serverResult.ExpiresAt.Sub(start); got != 24*time.Hour {
		t.Errorf("by default lives %v", got)
	}
}

func TestDrawnPrimes(t *testing.T) {
	r := seeded(74)
	for range 200 {
		p, q, err := drawPrimes(r)
		if err != nil || p >= q || p>>30 != 1 || q>>30 != 1 ||
			!new(big.Int).SetUint64(p).ProbablyPrime(0) || !new(big.Int).SetUint64(q).ProbablyPrime(0) {
			t.Fatalf("%d, %d: %v", p, q, err)
		}
	}
	if _, _, err := drawPrimes(ones{}); err == nil {
		t.Error("primes from a reader that repeats itself")
	}
	for n := uint64(63); n < 70000; n += 2 {
		if smallPrime(uint32(n)) != new(big.Int).SetUint64(n).ProbablyPrime(0) {
			t.Fatal(n)
		}
	}
}

type ones struct{}

func (ones) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = 1
	}
	return len(p), nil
}

// Junk of every length inside and behind the counted body is ignored by both sides (P4).
func TestJunkBehindTheObject(t *testing.T) {
	for _, inside := range []int{0, 1, 4, 100, 1024} {
		for _, behind := range []int{0, 1, 15} {
			junk := func(packet []byte) [][]byte {
				id := int64(binary.LittleEndian.Uint64(packet[8:]))
				body := append(bytes.Clone(packet[plainHeader:]), bytes.Repeat([]byte{0xa7}, inside)...)
				return [][]byte{append(appendPlain(nil, id, body), make([]byte, behind)...)}
			}
			if inside > 4 && behind > 1 {
				continue
			}
			p := newPair(t, clientConfig(75), serverConfig(76))
			p.toServer, p.toClient = junk, junk
			p.run().wantKey()
		}
	}
}

func TestStepNames(t *testing.T) {
	for step := StepReqPQ; step <= StepDHGen; step++ {
		if s := step.String(); s == "" || bytes.HasPrefix([]byte(s), []byte("step")) {
			t.Errorf("step %d is called %q", step, s)
		}
	}
	if Step(99).String() != "step 99" {
		t.Error(Step(99))
	}
}

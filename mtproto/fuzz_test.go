package mtproto

import (
	"encoding/binary"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/mtfleet/mtfleet/mtproto/tgerr"
)

// FuzzDecrypted gives the Session whatever a server might have encrypted: the message ids of the fuzzer's choice, in an
// outer message or a container. Nothing may panic; every query ends at most once, and exactly once after Close.
func FuzzDecrypted(f *testing.F) {
	for _, seed := range []string{
		"pong c1", "answer c2 a1", "gzanswer c2 a1", "error c2 420 FLOOD_WAIT_3", "new_session c2 7 9", "ack c1 c2 c3",
		"bad_salt c4 5", "bad_salt c2 5", "bad_msg c2 16", "bad_msg c2 17", "bad_msg c4 32", "bad_msg c2 64", "bad_msg c3 20",
		"state_req c1 c2", "state_info c2 4 1", "all_info c2 4", "detailed c2 0x6957318600000001", "new_detailed 77",
		"resend_req c2 c3", "update u", "unknown", "garbage", "nested", "gzip update u", "gzip nested",
		"future_salts c1 1 2 3", "error c3 400 CONNECTION_NOT_INITED", "result c2 0xcd78e586", "true c2",
	} {
		p := fuzzPeer(f)
		m := p.parse(strings.Fields(seed))
		f.Add(uint64(m.id), m.seqNo, m.body, false)
		f.Add(uint64(m.id), m.seqNo, m.body, true)
		two := append(appendMember(nil, m), m.body...)
		body := binary.LittleEndian.AppendUint32(binary.LittleEndian.AppendUint32(nil, idMsgContainer), 2)
		f.Add(uint64(m.id)+8, uint32(0), append(append(body, two...), two...), false)
	}
	f.Fuzz(func(t *testing.T, id uint64, seqNo uint32, body []byte, unknownClock bool) {
		p := fuzzPeer(t)
		p.s.clock.known = !unknownClock
		p.s.begin(p.now)
		p.s.budget = maxUnpacked
		ended := map[QueryID]int{}
		for _, part := range [][]byte{body, body} {
			if err := p.s.onMessage(incoming{id: msgID(id), seqNo: seqNo, body: part}, false); err != nil {
				p.s.breakLink(err)
			}
			countEnds(t, p.s, ended)
		}
		p.s.Advance(p.now.Add(time.Minute))
		countEnds(t, p.s, ended)
		p.s.Disconnected(p.now.Add(time.Minute))
		p.s.Connected(p.now.Add(time.Minute))
		countEnds(t, p.s, ended)
		p.s.Deadline()
		p.s.Snapshot()
		p.s.Close(p.now.Add(time.Hour))
		countEnds(t, p.s, ended)
		for id := QueryID(1); id <= 3; id++ {
			if ended[id] != 1 {
				t.Errorf("query %d ended %d times", id, ended[id])
			}
		}
		if p.s.Pending() != 0 {
			t.Error("queries are left after Close")
		}
	})
}

// fuzzPeer has a ping, three queries of which two travelled in a container, and a future-salts request in flight.
func fuzzPeer(t testing.TB) *peer {
	p := newPeer(t, nil)
	p.command("connect")
	p.s.Send(p.now, p.query("q1"), queryBody("q1"), Once)
	p.s.Send(p.now, p.query("q2"), queryBody("q2"), Repeatable)
	p.drain()
	p.send("q3", Once)
	p.s.salts.request = p.byName["c1"]
	return p
}

// countEnds pulls the outputs and checks what must hold of each.
func countEnds(t *testing.T, s *Session, ended map[QueryID]int) {
	t.Helper()
	for range 10_000 {
		o, ok := s.Next()
		if !ok {
			return
		}
		switch o.Kind {
		case OutResult:
			ended[o.Query]++
		case OutFailed:
			ended[o.Query]++
			_, server := tgerr.As(o.Err)
			if count(server, errors.Is(o.Err, ErrNotSent), errors.Is(o.Err, ErrMayHaveRun)) != 1 {
				t.Errorf("the error %q does not tell one fate", o.Err)
			}
		}
	}
	t.Error("outputs without end")
}

// FuzzReceive gives the Session packets that nobody encrypted.
func FuzzReceive(f *testing.F) {
	p := newPeer(f, nil)
	f.Add(p.seal(p.message(boxed(idTestUpdate, "u"), idPush, true), p.s.sessionID))
	f.Add([]byte{0x6c, 0xfe, 0xff, 0xff})
	f.Add(make([]byte, 72))
	f.Fuzz(func(t *testing.T, packet []byte) {
		p := newPeer(t, nil)
		p.connect()
		p.s.Receive(p.now, packet)
		p.drain()
	})
}

// FuzzSplit gives the parser of decrypted packets any plaintext.
func FuzzSplit(f *testing.F) {
	f.Add(make([]byte, 64))
	f.Fuzz(func(t *testing.T, plaintext []byte) {
		p := newPeer(t, nil)
		m, ok, err := p.s.split(plaintext)
		if ok && err == nil && (len(m.body) < 4 || len(m.body)%4 != 0 || len(m.body) > len(plaintext)) {
			t.Errorf("body of %d bytes from %d", len(m.body), len(plaintext))
		}
	})
}

package mtproto

import (
	"fmt"
	"io"
	"runtime"
	"testing"
	"time"

	"github.com/mtfleet/mtfleet/mtproto/crypt"
	"github.com/mtfleet/mtfleet/tl"
)

// benchPair is a Session and just enough of a server to answer it, outside the measured time where it says so.
type benchPair struct {
	s    *Session
	key  *crypt.AuthKey
	rand io.Reader
	now  time.Time
	last msgID
	buf  []byte
}

func newBenchPair(b *testing.B) *benchPair {
	p := &benchPair{key: testKey(b, 1), rand: seeded(1), now: testEpoch}
	p.s = idleSession(b, p.key)
	p.s.Connected(p.now)
	p.drain(nil)
	p.s.Receive(p.now, p.packet(p.result(0)))
	p.drain(nil)
	return p
}

// idleSession has the salts of half a day.
func idleSession(tb testing.TB, key *crypt.AuthKey) *Session {
	unix := uint32(testEpoch.Unix())
	var salts []Salt
	for i := range uint32(askSalts) {
		salts = append(salts, Salt{Value: int64(i), Since: unix + 1800*i, Until: unix + 1800*(i+1)})
	}
	s, err := NewSession(Config{Rand: seeded(2), Salts: salts, OffsetKnown: true}, key)
	if err != nil {
		tb.Fatal(err)
	}
	return s
}

func (p *benchPair) drain(f func(Output)) {
	for o, ok := p.s.Next(); ok; o, ok = p.s.Next() {
		if f != nil {
			f(o)
		}
	}
}

func (p *benchPair) result(id msgID) []byte {
	b := tl.AppendInt64(tl.AppendUint32(p.buf[:0], idRPCResult), int64(id))
	return tl.AppendString(tl.AppendUint32(b, idTestAnswer), "an answer of some forty bytes, as many are")
}

func (p *benchPair) packet(body []byte) []byte {
	p.last = max(p.last+4, idAt(p.now.UnixNano())|idReply)
	m := incoming{id: p.last, seqNo: 1, body: body}
	plain := tl.AppendInt64(tl.AppendInt64(nil, 0), p.s.sessionID)
	plain = append(appendMember(plain, m), m.body...)
	packet, err := crypt.AppendEncrypted(nil, p.key, crypt.Server, plain, p.rand)
	if err != nil {
		panic(err)
	}
	return packet
}

// BenchmarkCall is one query: Send, the packet, the packet with the answer, OutResult. Making the answer is not measured.
func BenchmarkCall(b *testing.B) {
	p := newBenchPair(b)
	body := queryBody("a query of some forty bytes, as many are")
	b.ReportAllocs()
	done := 0
	for i := 0; b.Loop(); i++ {
		p.now = p.now.Add(time.Millisecond)
		p.s.Send(p.now, QueryID(i), body, Once)
		p.drain(nil)
		b.StopTimer()
		answer := p.packet(p.result(p.s.queries.byID[QueryID(i)].msgID))
		b.StartTimer()
		p.s.Receive(p.now, answer)
		p.drain(func(o Output) {
			if o.Kind == OutResult {
				done++
			}
		})
	}
	if done == 0 || p.s.Pending() != 0 {
		b.Fatal("no results")
	}
}

// BenchmarkCallBatched is the same with 32 queries in one container and their answers in another.
func BenchmarkCallBatched(b *testing.B) {
	const batch = 32
	p := newBenchPair(b)
	body := queryBody("a query of some forty bytes, as many are")
	b.ReportAllocs()
	next := QueryID(0)
	for b.Loop() {
		p.now = p.now.Add(time.Millisecond)
		for range batch {
			next++
			p.s.Send(p.now, next, body, Once)
		}
		p.drain(nil)
		b.StopTimer()
		container := tl.AppendInt32(tl.AppendUint32(nil, idMsgContainer), batch)
		for i := range QueryID(batch) {
			p.last += 4
			m := incoming{id: max(p.last, idAt(p.now.UnixNano())|idReply), seqNo: 1, body: p.result(p.s.queries.byID[next-i].msgID)}
			p.last = m.id
			container = append(appendMember(container, m), m.body...)
		}
		answer := p.packet(container)
		b.StartTimer()
		p.s.Receive(p.now, answer)
		p.drain(nil)
	}
	if p.s.Pending() != 0 {
		b.Fatal("no results")
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/batch, "ns/call")
}

// BenchmarkIdleMinute is what a quiet session costs in a minute: a ping and a pong.
func BenchmarkIdleMinute(b *testing.B) {
	p := newBenchPair(b)
	pong := func() []byte {
		return p.packet(tl.AppendInt64(tl.AppendInt64(tl.AppendUint32(nil, idPong), int64(p.s.ping.msgID)), p.s.ping.nonce))
	}
	if p.s.ping.waiting { // one that came with the connection
		p.s.Receive(p.now, pong())
		p.drain(nil)
	}
	b.ReportAllocs()
	for b.Loop() {
		p.now = p.now.Add(time.Minute)
		p.s.Advance(p.now)
		p.drain(nil)
		b.StopTimer()
		packet := pong()
		b.StartTimer()
		p.s.Receive(p.now, packet)
		p.drain(nil)
	}
	if p.s.link != linkUp {
		b.Fatal("the session died")
	}
}

// BenchmarkIdleBytes reports what a quiet session holds in memory after a call and an hour of pings.
func BenchmarkIdleBytes(b *testing.B) {
	b.ReportMetric(idleBytes(b, 500), "bytes/session")
	for b.Loop() {
	}
}

// idleBytes makes n sessions that have lived and gone quiet, and returns the bytes of heap each holds.
func idleBytes(tb testing.TB, n int) float64 {
	keys := make([]*crypt.AuthKey, 1)
	keys[0] = testKey(tb, 1)
	sessions := make([]*Session, n)
	rand := seeded(9)
	unix := uint32(testEpoch.Unix())
	salts := make([]Salt, askSalts)
	for i := range salts {
		salts[i] = Salt{Value: int64(i), Since: unix + 1800*uint32(i), Until: unix + 1800*uint32(i+1)}
	}
	before := heap()
	for i := range sessions {
		s, err := NewSession(Config{Rand: rand, Salts: salts, OffsetKnown: true}, keys[0])
		if err != nil {
			tb.Fatal(err)
		}
		sessions[i] = s
		liveAnHour(tb, s, keys[0], rand)
	}
	after := heap()
	runtime.KeepAlive(sessions)
	return float64(after-before) / float64(n)
}

func heap() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// liveAnHour connects, makes forty calls at once, and then only pings.
func liveAnHour(tb testing.TB, s *Session, key *crypt.AuthKey, rand io.Reader) {
	p := &benchPair{s: s, key: key, rand: rand, now: testEpoch}
	s.Connected(p.now)
	p.drain(nil)
	for i := range QueryID(40) {
		s.Send(p.now, i, queryBody("q"), Once)
	}
	p.drain(nil)
	for i := range QueryID(40) {
		p.s.Receive(p.now, p.packet(p.result(s.queries.byID[i].msgID)))
		p.drain(nil)
	}
	for i := range 60 {
		if i > 0 {
			p.now = p.now.Add(time.Minute)
			s.Advance(p.now)
			p.drain(nil)
		}
		p.s.Receive(p.now, p.packet(tl.AppendInt64(tl.AppendInt64(tl.AppendUint32(nil, idPong), int64(s.ping.msgID)), s.ping.nonce)))
		p.drain(nil)
	}
	if s.link != linkUp || s.Pending() != 0 {
		tb.Fatal("the session did not live")
	}
}

func TestAnIdleSessionIsSmall(t *testing.T) {
	if got := idleBytes(t, 50); got > 2304 {
		t.Errorf("%.0f bytes per idle session", got)
	} else {
		t.Logf("%.0f bytes per idle session", got)
	}
}

// BenchmarkPack is the compression of a query of 4 KiB.
func BenchmarkPack(b *testing.B) {
	s := idleSession(b, testKey(b, 1))
	var body []byte
	for i := range 146 {
		body = append(body, queryBody(fmt.Sprint("something like text ", i))...)
	}
	b.ReportAllocs()
	b.SetBytes(int64(len(body)))
	size := 0
	for b.Loop() {
		size = len(s.pack(body))
	}
	b.ReportMetric(float64(size)/float64(len(body)), "ratio")
}

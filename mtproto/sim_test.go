package mtproto

import (
	"errors"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/mtfleet/mtfleet/tl"
)

var (
	simSeed = flag.Uint64("seed", 0, "run only this seed of the simulation")
	simRuns = flag.Int("seeds", 20, "how many seeds the simulation runs")
)

// The simulation drives one Session against a small model of a server, over a wire that loses connections, delays and
// repeats packets, while the server changes salts, moves its clock and forgets the session. A workload sends and cancels
// queries; an auditor knows what must come of them.

// simFaults are the chances, per virtual second, of what goes wrong.
type simFaults struct {
	cut, salt, forget, skew, reject, cancel float64
	repeat                                  float64 // per packet of the server
	late                                    float64 // per packet on its way to the server when the connection is lost, or another could overtake it
}

// simServer is the model. It is strict: what it does not understand fails the test.
type simServer struct {
	t        testing.TB
	rand     *rand.Rand
	salt     int64
	sessions map[int64]*simSession
	executed map[string]int
	ranAs    map[simMessage]bool
	again    map[string]int // runs of a msg_id that had run before the server forgot its session: no client can help that
	unique   int64
}

// simMessage names a message for ever.
type simMessage struct {
	session int64
	id      msgID
}

// simSession is what the server knows of one session.
type simSession struct {
	id       int64
	received map[msgID]bool
	lowest   msgID // below it nothing is known
	highest  msgID
	answers  map[msgID]msgID     // query to the message that answers it
	unacked  map[msgID]incoming  // content-related messages, to be sent again on a new connection
	dropped  map[msgID]bool      // queries whose answers nobody wants
	resume   bool                // send unacked again with the next packet
	running  map[msgID]time.Time // queries, and when they will be done
	names    map[msgID]string
}

// sim is one run.
type sim struct {
	p         *peer
	server    *simServer
	rand      *rand.Rand
	faults    simFaults
	doubts    bool // the faults may leave a query in doubt
	up        bool
	upAt      time.Time
	toCli     []simPacket
	toSrv     []simRequest
	late      []simRequest
	overtaken bool
	mute      bool // what the server says goes to a connection that is gone
	policy    map[string]Policy
	cancels   map[string]bool
	quiet     bool // no more updates
	cuts      int
}

type simPacket struct {
	at   time.Time
	data []byte
}

type simRequest struct {
	at time.Time
	r  *request
}

func TestSimulation(t *testing.T) {
	calm := simFaults{}
	bad := simFaults{cut: 0.1, salt: 0.2, forget: 0.05, skew: 0.02, reject: 0.05, cancel: 0.1, repeat: 0.1, late: 0.3}
	for seed := range uint64(*simRuns) {
		seed++
		if *simSeed != 0 && seed != *simSeed {
			continue
		}
		faults := bad
		switch seed % 5 {
		case 0:
			faults = calm
		case 1:
			faults = simFaults{cut: 0.3, repeat: 0.3, late: 0.5}
		case 2:
			faults = simFaults{forget: 0.2, cut: 0.1}
		case 3:
			faults = simFaults{cut: 0.3, salt: 0.3, cancel: 0.1, late: 0.5}
		}
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			s := newSim(t, seed, faults)
			s.run(30 * time.Second)
			s.settle()
			s.audit()
			if t.Failed() {
				t.Logf("again: go test ./mtproto -run TestSimulation -seed %d", seed)
			}
		})
	}
}

func newSim(t *testing.T, seed uint64, faults simFaults) *sim {
	rnd := rand.New(rand.NewPCG(seed, 1))
	p := newPeer(t, func(c *Config) {
		c.OffsetKnown = rnd.IntN(2) == 0
		c.MaxInFlight = 5 + rnd.IntN(50)
		if rnd.IntN(2) == 0 {
			c.Salts = nil
		}
	})
	return &sim{
		p: p, rand: rnd, faults: faults, doubts: faults.forget+faults.reject+faults.skew > 0, policy: map[string]Policy{}, cancels: map[string]bool{},
		server: &simServer{t: t, rand: rnd, salt: 1, sessions: map[int64]*simSession{}, executed: map[string]int{}, ranAs: map[simMessage]bool{}, again: map[string]int{}},
	}
}

const simTick = 20 * time.Millisecond

func (s *sim) chance(perSecond float64) bool {
	return s.rand.Float64() < perSecond*simTick.Seconds()
}

// run lets time pass with faults and a workload.
func (s *sim) run(d time.Duration) {
	for end := s.p.now.Add(d); s.p.now.Before(end); {
		if s.chance(10) {
			s.send()
		}
		if s.chance(s.faults.cancel) && len(s.policy) > 0 {
			name := fmt.Sprint("q", s.rand.IntN(len(s.policy)))
			if len(s.p.ends[s.p.query(name)]) == 0 {
				s.cancels[name] = true
			}
			s.p.s.Cancel(s.p.now, s.p.query(name))
		}
		switch {
		case s.up && s.chance(s.faults.cut):
			s.cut()
		case s.chance(s.faults.salt):
			s.server.salt++
		case s.chance(s.faults.forget):
			clear(s.server.sessions)
		case s.chance(s.faults.skew):
			s.p.skew = time.Duration(s.rand.IntN(400)-200) * time.Second
		}
		s.tick()
	}
}

// settle ends the faults and lets everything end.
func (s *sim) settle() {
	s.faults, s.quiet = simFaults{}, true
	for end := s.p.now.Add(time.Hour); s.p.s.Pending() > 0 && s.p.now.Before(end); {
		s.tick()
	}
	for end := s.p.now.Add(2 * time.Minute); s.p.now.Before(end); {
		s.tick()
	}
}

// send gives the Session one to five queries at once.
func (s *sim) send() {
	for range 1 + s.rand.IntN(5) {
		name := fmt.Sprint("q", len(s.policy))
		s.policy[name] = Policy(s.rand.IntN(2))
		s.p.s.Send(s.p.now, s.p.query(name), queryBody(name), s.policy[name])
	}
}

func (s *sim) cut() {
	s.up, s.toCli = false, nil
	sent := s.toSrv
	s.toSrv = nil
	for _, x := range sent {
		// What the connection still held is lost, or arrives when nobody waits for it any more.
		if s.faults.late > 0 && s.rand.Float64() < s.faults.late {
			s.late = append(s.late, simRequest{s.p.now.Add(time.Duration(s.rand.IntN(6000)) * time.Millisecond), x.r})
		}
	}
	s.cuts++
	s.upAt = s.p.now.Add(time.Duration(s.rand.IntN(3000)) * time.Millisecond)
	s.p.disconnect()
	for _, x := range s.server.sessions {
		x.resume = true
	}
}

// tick is ten milliseconds of everybody's time.
func (s *sim) tick() {
	p := s.p
	p.now = p.now.Add(simTick)
	if !s.up && !p.now.Before(s.upAt) {
		s.up = true
		p.connect()
	}
	for len(s.toSrv) > 0 && !s.toSrv[0].at.After(p.now) {
		if len(s.toSrv) > 1 && s.faults.late > 0 && s.rand.Float64() < s.faults.late/10 { // overtaken
			s.toSrv[0].r, s.toSrv[1].r = s.toSrv[1].r, s.toSrv[0].r
			s.overtaken = true
		}
		r := s.toSrv[0].r
		s.toSrv = s.toSrv[1:]
		s.receive(r)
	}
	s.receiveLate()
	s.finishQueries()
	for s.up && len(s.toCli) > 0 && !s.toCli[0].at.After(p.now) {
		data := s.toCli[0].data
		s.toCli = s.toCli[1:]
		p.s.Receive(p.now, data)
		p.drain()
		s.collect()
	}
	p.s.Advance(p.now)
	p.drain()
	s.collect()
	if at := p.s.Deadline(); reached(p.now, at) && p.now.After(at) {
		p.t.Errorf("the deadline stands still %v ago", p.now.Sub(at))
	}
	if p.reconn {
		p.reconn = false
		s.cut()
	}
	for _, l := range p.lines() {
		if *simSeed != 0 && testing.Verbose() {
			p.t.Log(p.now.Sub(testEpoch), l)
		}
	}
}

// receiveLate gives the server what arrives from connections that have been given up. Its answers are lost with them, and
// said again on the next connection.
func (s *sim) receiveLate() {
	for i := 0; i < len(s.late); {
		if s.late[i].at.After(s.p.now) {
			i++
			continue
		}
		r := s.late[i].r
		s.late = slices.Delete(s.late, i, i+1)
		s.mute = true
		s.receive(r)
		s.mute = false
		if x := s.server.sessions[r.session]; x != nil {
			x.resume = true
		}
	}
}

// collect puts the Session's packets on the wire.
func (s *sim) collect() {
	for r := s.p.takeRequest(); r != nil; r = s.p.takeRequest() {
		if s.up {
			s.toSrv = append(s.toSrv, simRequest{s.delayed(len(s.toSrv), func(i int) time.Time { return s.toSrv[i].at }), r})
		}
	}
}

// delayed is a time of arrival that keeps the order of a TCP connection.
func (s *sim) delayed(n int, at func(int) time.Time) time.Time {
	t := s.p.now.Add(time.Duration(1+s.rand.IntN(150)) * time.Millisecond)
	if n > 0 && at(n-1).After(t) {
		t = at(n - 1)
	}
	return t
}

// reply puts messages of the server on the wire, sometimes twice.
func (s *sim) reply(session int64, messages ...incoming) {
	if !s.up || s.mute || len(messages) == 0 {
		return
	}
	m := messages[0]
	if len(messages) > 1 {
		s.rand.Shuffle(len(messages), func(i, j int) { messages[i], messages[j] = messages[j], messages[i] })
		body := tl.AppendInt32(tl.AppendUint32(nil, idMsgContainer), int32(len(messages)))
		for _, m := range messages {
			body = append(appendMember(body, m), m.body...)
		}
		m = incoming{id: s.p.stamp(idReply), body: body}
	}
	for range 1 + s.rand.IntN(1+int(s.faults.repeat*10)) {
		at := s.delayed(len(s.toCli), func(i int) time.Time { return s.toCli[i].at })
		s.toCli = append(s.toCli, simPacket{at, s.p.seal(m, session)})
	}
}

// receive is the server's side of one packet.
func (s *sim) receive(r *request) {
	v := s.server
	ahead := time.Duration(r.outer.nanos() - s.p.now.Add(s.p.skew).UnixNano())
	bad := func(code int32) {
		b := tl.AppendInt64(tl.AppendUint32(nil, idBadMsgNotification), int64(r.outer))
		s.reply(r.session, s.p.message(tl.AppendInt32(tl.AppendInt32(b, 0), code), idReply, false))
	}
	switch {
	case ahead < -maxAge:
		bad(badIDTooLow)
		return
	case ahead > maxAhead:
		bad(badIDTooHigh)
		return
	case r.salt != v.salt:
		b := tl.AppendInt64(tl.AppendUint32(nil, idBadServerSalt), int64(r.outer))
		b = tl.AppendInt64(tl.AppendInt32(tl.AppendInt32(b, 0), 48), v.salt)
		s.reply(r.session, s.p.message(b, idReply, false))
		return
	case s.rand.Float64() < s.faults.reject:
		bad([]int32{badContainerID, badSeqTooLow, badContainer, 99, badIDTooLow}[s.rand.IntN(5)])
		return
	}
	x := v.sessions[r.session]
	var out []incoming
	if x == nil {
		x = &simSession{
			id: r.session, lowest: r.members[0].id, received: map[msgID]bool{}, answers: map[msgID]msgID{}, unacked: map[msgID]incoming{},
			dropped: map[msgID]bool{}, running: map[msgID]time.Time{}, names: map[msgID]string{},
		}
		v.sessions[r.session] = x
		v.unique++
		// A client cannot tell a server that has not seen its first packets from one that forgot them.
		s.doubts = s.doubts || s.cuts > 0 || s.overtaken
		first := r.members[s.rand.IntN(len(r.members))].id // of any member, or of the container
		if s.rand.IntN(2) == 0 {
			first = r.outer
		}
		b := tl.AppendInt64(tl.AppendUint32(nil, idNewSessionCreated), int64(first))
		b = tl.AppendInt64(tl.AppendInt64(b, v.unique), v.salt)
		out = append(out, x.keep(s.p.message(b, idReply, true)))
	}
	if x.resume {
		x.resume = false
		for _, id := range slices.Sorted(maps.Keys(x.unacked)) {
			out = append(out, x.unacked[id])
		}
	}
	x.highest = max(x.highest, r.outer)
	for _, m := range r.members {
		if m := s.process(x, m); m != nil {
			out = append(out, *m)
		}
	}
	s.reply(x.id, out...)
}

// keep remembers a content-related message until it is acknowledged.
func (x *simSession) keep(m incoming) incoming {
	x.unacked[m.id] = m
	return m
}

// process is the server's side of one message. It returns the answer, if there is one at once.
func (s *sim) process(x *simSession, m incoming) *incoming {
	r := m.reader()
	x.highest = max(x.highest, m.id)
	if m.seqNo%2 == 1 && x.received[m.id] {
		return nil
	}
	x.received[m.id] = true
	answer := func(body []byte, content bool) *incoming {
		out := s.p.message(body, idReply, content)
		if content {
			x.keep(out)
		}
		return &out
	}
	switch peekID(m.body) {
	case idMsgsAck:
		readIDs(&r, func(id msgID) { delete(x.unacked, id) })
	case idPingDelayDisconnect:
		return answer(tl.AppendInt64(tl.AppendInt64(tl.AppendUint32(nil, idPong), int64(m.id)), r.Int64()), false)
	case idGetFutureSalts:
		return answer(s.p.futureSalts(int64(m.id), []string{fmt.Sprint(s.server.salt), fmt.Sprint(s.server.salt + 1000)}), false)
	case idMsgsStateReq:
		var info []byte
		readIDs(&r, func(id msgID) { info = append(info, x.state(id)) })
		return answer(tl.AppendBytes(tl.AppendInt64(tl.AppendUint32(nil, idMsgsStateInfo), int64(m.id)), info), false)
	case idMsgResendAnsReq:
		readIDs(&r, func(id msgID) {
			if a, ok := x.unacked[x.answers[id]]; ok {
				s.reply(x.id, a)
			}
		})
	case idRPCDropAnswer:
		x.dropped[readID(&r)] = true
		return answer(s.p.result(int64(m.id), tl.AppendUint32(nil, idRPCAnswerUnknown)), true)
	case idDestroySession:
		delete(s.server.sessions, r.Int64())
	case idMsgsStateInfo, idMsgResendReq:
	case idTestQuery:
		x.names[m.id] = r.String()
		s.server.executed[x.names[m.id]]++
		if as := (simMessage{x.id, m.id}); s.server.ranAs[as] {
			s.server.again[x.names[m.id]]++
		} else {
			s.server.ranAs[as] = true
		}
		x.running[m.id] = s.p.now.Add(time.Duration(s.rand.IntN(400)) * time.Millisecond)
		if s.rand.IntN(50) == 0 {
			x.running[m.id] = s.p.now.Add(time.Duration(s.rand.IntN(20)) * time.Second)
		}
	default:
		s.p.t.Errorf("the model server does not know %#x", peekID(m.body))
	}
	return nil
}

// state is what msgs_state_info says of a message.
func (x *simSession) state(id msgID) byte {
	switch {
	case x.received[id] && x.answers[id] != 0:
		return stateReceived | stateAnswered
	case x.received[id]:
		return stateReceived | stateRunning
	case id > x.highest:
		return stateTooHigh
	case id < x.lowest:
		return stateNothing
	default:
		return stateMissing
	}
}

// finishQueries answers what is done, and sometimes pushes an update.
func (s *sim) finishQueries() {
	for _, sid := range slices.Sorted(maps.Keys(s.server.sessions)) {
		x := s.server.sessions[sid]
		if len(x.running) == 0 && s.quiet {
			continue
		}
		var out []incoming
		for _, id := range slices.Sorted(maps.Keys(x.running)) {
			if s.p.now.Before(x.running[id]) {
				continue
			}
			delete(x.running, id)
			if x.dropped[id] {
				continue
			}
			m := x.keep(s.p.message(s.p.result(int64(id), boxed(idTestAnswer, x.names[id])), idReply, true))
			x.answers[id] = m.id
			if !x.resume { // otherwise it is sent when the client is back
				out = append(out, m)
			}
		}
		if !x.resume && !s.quiet && s.chance(0.5) && sid == s.p.s.sessionID {
			out = append(out, x.keep(s.p.message(boxed(idTestUpdate, "u"), idPush, true)))
		}
		s.reply(sid, out...)
	}
}

// audit holds the promises.
func (s *sim) audit() {
	t := s.p.t
	results, uncertain := 0, 0
	for name, policy := range s.policy {
		ends := s.p.ends[s.p.query(name)]
		runs := s.server.executed[name]
		if len(ends) != 1 {
			t.Errorf("%s (%v) ended %d times", name, policy, len(ends))
			continue
		}
		err := ends[0]
		switch {
		case policy == Once && runs-s.server.again[name] > 1:
			t.Errorf("%s must run once and ran %d times", name, runs)
		case err == nil && runs == 0:
			t.Errorf("%s has a result and never ran", name)
		case errors.Is(err, ErrNotSent) && runs > 0:
			t.Errorf("%s was said not to have run, and did: %v", name, err)
		case err != nil && policy == Repeatable && !errors.Is(err, ErrCanceled):
			t.Errorf("%s may be repeated and failed: %v", name, err)
		}
		if err == nil {
			results++
		} else if errors.Is(err, ErrMayHaveRun) && !s.cancels[name] {
			uncertain++
		}
	}
	if s.p.s.Pending() != 0 {
		t.Errorf("%d queries are pending", s.p.s.Pending())
	}
	if x := s.server.sessions[s.p.s.sessionID]; x != nil && len(x.unacked) > 0 {
		t.Errorf("%d messages were never acknowledged", len(x.unacked))
	}
	if n := len(s.p.s.records.list); n > 8*minRecords {
		t.Errorf("%d records are kept after two quiet minutes", n)
	}
	if !s.doubts && uncertain > 0 {
		t.Errorf("%d queries ended in doubt although the session was never lost", uncertain)
	}
	t.Logf("%d queries, %d results, %d in doubt, %d sessions", len(s.policy), results, uncertain, s.server.unique)
}

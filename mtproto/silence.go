package mtproto

import "time"

// SetSilent makes the Session fall silent or speak again. A silent one listens and sends nothing, no ack and no ping but
// one that Ping asks for, and nothing times out: the server then sees another session of the same account as the newer one.
// It stays so over connections. What it owes is sent when it speaks again, after a ping, as on a new connection.
func (s *Session) SetSilent(now time.Time, silent bool) {
	s.begin(now)
	if s.silent && !silent && s.link == linkUp {
		s.ping.connected(s.now, s.waiting())
		if s.queries.inFlight > 0 {
			s.states.at = s.now
		}
	}
	s.silent = silent
}

// CancelQueued is Cancel for every query that waits to be sent: those the server has certainly not got, or may get twice.
func (s *Session) CancelQueued(now time.Time) {
	s.begin(now)
	for len(s.queries.queue) > 0 {
		s.fail(s.queries.queue[0], ErrCanceled)
	}
}

// Unsent reports whether a query is pending and the server has certainly not got it: Cancel would end it with ErrNotSent.
func (s *Session) Unsent(id QueryID) bool {
	q := s.queries.byID[id]
	return q != nil && q.phase == queryQueued && !q.doubtful
}

// Ping sends a ping at once, or once there is a connection; a silent Session sends it alone. Its answer is an OutPong:
// the DC knows the auth key. A rejection says so too, and is not followed by another ping. There is no other output; the
// owner decides how long to wait.
func (s *Session) Ping(now time.Time) {
	s.begin(now)
	s.ping.again()
	s.ping.asked = true
}

// CancelPing takes a ping back that Ping asked for: what has not left will not, and no OutPong comes any more.
func (s *Session) CancelPing(now time.Time) {
	s.begin(now)
	s.ping.asked = false
}

// PingQueued reports whether a ping that Ping asked for has not left yet.
func (s *Session) PingQueued() bool { return s.ping.asked && !s.ping.waiting }

// PingOut reports whether a ping has left and is not answered: another one would only begin its time anew.
func (s *Session) PingOut() bool { return s.ping.waiting }

// RoundTrip returns how long the last ping was out, to a microsecond, once for each that is answered; false: none was
// since. What a pong waits here, before Receive, is part of it, and so is what the server takes.
func (s *Session) RoundTrip() (took time.Duration, answered bool) {
	n := s.ping.took
	if n == 0 {
		return 0, false
	}
	s.ping.took = 0
	return time.Duration(n-1) * time.Microsecond, true
}

// pingRejected hears that the server did not process the ping that waits.
func (s *Session) pingRejected() {
	s.ping.again()
	if s.ping.asked {
		s.ping.asked = false
		s.push(Output{Kind: OutPong})
	}
}

// LastID is the msg_id of the last message this Session made, 0 if there was none.
func (s *Session) LastID() uint64 { return uint64(s.ids.last) }

// followAtMost is how far ahead of our time Follow goes: further, the clocks of the two Sessions disagree, and msg_ids
// from the future would only be rejected.
const followAtMost = time.Second

// Follow makes every msg_id from now on greater than last, the LastID of a silent Session that this one replaces. Servers
// and their clocks aside, who spoke later is then plain from the msg_ids alone, which carry jitter and a clock per session.
func (s *Session) Follow(now time.Time, last uint64) {
	s.begin(now)
	if id := msgID(last); id.nanos() <= s.clock.server(s.now)+int64(followAtMost) {
		s.ids.last = max(s.ids.last, id)
	}
}

// askedPacket makes the one packet of a silent Session, nil when there is none to send.
func (s *Session) askedPacket() []byte {
	if !s.ping.asked || s.ping.waiting || s.now.Before(s.holdUntil) {
		return nil
	}
	p := s.startPacket()
	s.appendPing(&p)
	return s.seal(&p)
}

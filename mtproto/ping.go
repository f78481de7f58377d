package mtproto

import (
	"math"
	"math/bits"
	"time"
)

const (
	// disconnectMargin is what ping_delay_disconnect allows beyond the interval: 75 s after a ping every 60 s.
	disconnectMargin = 15 * time.Second
	// idlePongTimeout is how long an idle connection may owe a pong: gotd's 15 s. TDLib waits for 75 s, which suits a phone
	// that sleeps; here it is how long nobody knows that a DC does not answer. idleReadTimeout is how long such a
	// connection may be silent: TDLib's 135 s, the interval and something.
	idlePongTimeout = 15 * time.Second
	idleReadTimeout = 135 * time.Second
	// maxPingJitter is taken off the idle interval, so that sessions that began together do not ping together.
	maxPingJitter = 5 * time.Second
	// pingGrid is what pings at the idle interval come together on: the seconds of the owner's clock. A process that keeps
	// thousands of connections is woken for those of a second at once, and each ping alone would cost many times what
	// it takes. The sixty groups of a minute are what maxPingJitter and Config.SpreadPings are about.
	pingGrid = time.Second
	// gridAbove is the interval below which pings are not moved.
	gridAbove = 10 * pingGrid
	// While a query is pending: a ping every max(2 s, 1.5·rtt + 1 s) of silence, a pong within 2.5 times that and not
	// less than 5 s, any packet within 3.5 times that.
	minActiveInterval  = 2 * time.Second
	minActivePongLimit = 5 * time.Second
)

// pingState keeps a connection alive and notices when it is dead. It is idle while there is no connection.
type pingState struct {
	nonce    int64     // the last ping_id; they only need to differ
	waiting  bool      // a ping is unanswered
	urgent   bool      // ping at the next opportunity
	asked    bool      // the owner waits for a pong, see Ping
	took     uint32    // microseconds, and one, of the last ping that was answered, until the owner asks; see RoundTrip
	mark     int64     // how many bytes of this connection are handed out once the unanswered ping is
	movedAt  time.Time // when the queue in which the last ping waited last moved
	msgID    msgID     // of the unanswered ping
	sentAt   time.Time
	heardAt  time.Time // when anything valid was received, or the connection came up
	activeAt time.Time // when the first query of those pending was sent, zero if none is pending
	rtt      time.Duration
	interval time.Duration // while idle; negative: none
	jitter   time.Duration // this time's
	spread   bool          // see Config.SpreadPings
	first    bool          // no ping has left on this connection
}

// connected starts over for a new connection, with a ping at once: it tells the server where we are, and us its time,
// its salt and whether it knows the session.
func (s *pingState) connected(now time.Time, active bool) {
	s.waiting, s.urgent, s.first = false, true, true
	s.sentAt, s.heardAt, s.activeAt, s.movedAt = now, now, time.Time{}, time.Time{}
	if active {
		s.activeAt = now
	}
}

// active is told whether queries are pending.
func (s *pingState) active(now time.Time, is bool) {
	switch {
	case !is:
		s.activeAt = time.Time{}
	case s.activeAt.IsZero():
		s.activeAt = now
	}
}

// activeInterval is the time of silence after which a ping is sent while queries are pending.
func (s *pingState) activeInterval() time.Duration {
	return max(minActiveInterval, s.rtt+s.rtt/2+time.Second)
}

// nextAt is when the next ping is due, zero for never.
func (s *pingState) nextAt() time.Time {
	if s.waiting {
		return time.Time{}
	}
	var at time.Time
	if s.interval > 0 {
		at = s.sentAt.Add(s.interval - s.jitter)
		if s.interval >= gridAbove { // sooner, never later
			at = at.Add(-time.Duration(at.Nanosecond()) % pingGrid)
		}
	}
	if !s.activeAt.IsZero() {
		quiet := latest(s.sentAt, s.heardAt, s.activeAt).Add(s.activeInterval())
		at = earliest(at, quiet)
	}
	return at
}

// due reports whether a ping should be sent now.
func (s *pingState) due(now time.Time) bool {
	return !s.waiting && (s.urgent || reached(now, s.nextAt()))
}

// sent notes a ping and returns its ping_id and the delay after which the server may close the connection.
func (s *pingState) sent(now time.Time, id msgID, random uint64) (nonce int64, delay int32) {
	s.nonce++
	s.waiting, s.urgent, s.msgID, s.sentAt, s.mark = true, false, id, now, 0
	interval := s.interval
	if interval <= 0 {
		interval = defaultPingInterval
	}
	most := min(maxPingJitter, interval/10)
	if s.first && s.spread {
		most = interval - interval/10
	}
	s.first = false
	part, _ := bits.Mul64(random, uint64(most+1)) // the upper bits of random are the good ones
	s.jitter = time.Duration(part)
	return s.nonce, int32((interval + disconnectMargin) / time.Second)
}

// pong notes the answer, and reports whether it answers the ping that waits.
func (s *pingState) pong(now time.Time, nonce int64) bool {
	if !s.waiting || nonce != s.nonce {
		return false
	}
	s.waiting = false
	sample := max(0, now.Sub(latest(s.sentAt, s.movedAt)))
	if s.rtt == 0 {
		s.rtt = sample
	}
	s.rtt += (sample - s.rtt) / 8
	s.took = uint32(min(sample.Microseconds(), math.MaxUint32-1)) + 1
	return true
}

// again forgets the unanswered ping and sends another: the message that carried it was rejected.
func (s *pingState) again() { s.waiting, s.urgent = false, true }

// limits returns until when a pong and until when any packet must have come; zero for never. As long as the ping has not
// left, and the queue moves, neither is late.
func (s *pingState) limits() (pong, read time.Time) {
	if !s.activeAt.IsZero() {
		interval := s.activeInterval()
		if s.waiting {
			pong = latest(s.sentAt, s.movedAt, s.activeAt).Add(max(minActivePongLimit, interval*5/2))
		}
		return pong, latest(s.heardAt, s.movedAt, s.activeAt).Add(interval * 7 / 2)
	}
	if s.interval <= 0 {
		return time.Time{}, time.Time{}
	}
	// With a longer interval than usual, silence lasts longer.
	slack := max(0, s.interval-defaultPingInterval)
	if s.waiting {
		pong = latest(s.sentAt, s.movedAt).Add(idlePongTimeout + slack)
	}
	return pong, latest(s.heardAt, s.movedAt).Add(idleReadTimeout + slack)
}

// expired returns what the connection failed to deliver, nil if it is alive.
func (s *pingState) expired(now time.Time) error {
	switch pong, read := s.limits(); {
	case reached(now, pong):
		return &TimeoutError{What: "pong", After: now.Sub(latest(s.sentAt, s.movedAt))}
	case reached(now, read):
		return &TimeoutError{What: "packet", After: now.Sub(latest(s.heardAt, s.movedAt))}
	}
	return nil
}

// deadline is when due or expired may become true.
func (s *pingState) deadline() time.Time {
	pong, read := s.limits()
	return earliest(s.nextAt(), earliest(pong, read))
}

// reached reports whether the deadline at has come; the zero time never comes.
func reached(now, at time.Time) bool { return !at.IsZero() && !now.Before(at) }

// earliest is the earlier of two deadlines of which each may be the zero time, never.
func earliest(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

// latest is the latest of some times.
func latest(first time.Time, more ...time.Time) time.Time {
	for _, t := range more {
		if t.After(first) {
			first = t
		}
	}
	return first
}

package mtproto

import (
	"slices"
	"time"
)

const (
	// ackCount acks do not wait for something to travel with: "must be acknowledged when more than 16 are pending".
	ackCount = 16
	// ackDelay is how long an ack waits for something to travel with. The documents allow 60 s.
	ackDelay = 15 * time.Second
	// maxIDs is how many msg_ids one msgs_ack, msgs_state_req or msg_resend_req may hold.
	maxIDs = 8192
)

// ackState collects the msg_ids to acknowledge. It is bounded by maxIDs: sixteen make a packet, so more gather only while
// there is no connection, when nothing is received.
type ackState struct {
	ids   []msgID
	since time.Time // of the oldest
}

// add notes that a message, perhaps a repeated one, must be acknowledged.
func (s *ackState) add(now time.Time, id msgID) {
	if slices.Contains(s.ids[max(0, len(s.ids)-ackCount):], id) || len(s.ids) >= maxIDs {
		return
	}
	if len(s.ids) == 0 {
		s.since = now
	}
	s.ids = append(s.ids, id)
}

// due reports whether acks must go now, if need be alone.
func (s *ackState) due(now time.Time) bool {
	return len(s.ids) >= ackCount || len(s.ids) > 0 && !now.Before(s.since.Add(ackDelay))
}

// deadline is when due will become true, zero if there is nothing to acknowledge.
func (s *ackState) deadline() time.Time {
	if len(s.ids) == 0 {
		return time.Time{}
	}
	return s.since.Add(ackDelay)
}

// sent forgets what has been acknowledged, and the memory of a burst.
func (s *ackState) sent() {
	s.ids = s.ids[:0]
	if cap(s.ids) > 2*ackCount {
		s.ids = nil
	}
}

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

	// Acks have no answer of their own, and a packet that is rejected acknowledges nothing. So what was sent is remembered
	// until an answer to something sent later shows that it arrived; batches says which message acknowledged how many.
	flying  []msgID
	batches []ackBatch
}

// ackBatch is one msgs_ack of ours.
type ackBatch struct {
	id msgID
	n  int
}

// maxFlying bounds the ids that are remembered; the server repeats what it misses.
const maxFlying = 4 * ackCount

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

// sent notes that message id acknowledges all ids, and forgets the memory of a burst.
func (s *ackState) sent(id msgID) {
	for len(s.flying)+len(s.ids) > maxFlying && len(s.batches) > 0 {
		s.drop(0)
	}
	if len(s.ids) <= maxFlying {
		s.flying = append(s.flying, s.ids...)
		s.batches = append(s.batches, ackBatch{id, len(s.ids)})
	}
	s.ids = s.ids[:0]
	if cap(s.ids) > 2*ackCount {
		s.ids = nil
	}
}

// drop forgets batch i.
func (s *ackState) drop(i int) {
	start := 0
	for _, b := range s.batches[:i] {
		start += b.n
	}
	s.flying = slices.Delete(s.flying, start, start+s.batches[i].n)
	s.batches = slices.Delete(s.batches, i, i+1)
}

// arrived is told that the server processed our message id; what was sent before it arrived too.
func (s *ackState) arrived(id msgID) {
	for len(s.batches) > 0 && s.batches[0].id < id {
		s.drop(0)
	}
}

// rejected is told that our message id was not processed: what it acknowledged is acknowledged again.
func (s *ackState) rejected(now time.Time, id msgID) {
	start := 0
	for i, b := range s.batches {
		if b.id == id {
			for _, ack := range s.flying[start : start+b.n] {
				s.add(now, ack)
			}
			s.drop(i)
			return
		}
		start += b.n
	}
}

// disconnected forgets what was sent: the server repeats on the next connection what it misses.
func (s *ackState) disconnected() { s.flying, s.batches = nil, nil }

// relax gives back memory.
func (s *ackState) relax() {
	s.ids = clip(s.ids)
	if len(s.batches) == 0 {
		s.flying, s.batches = nil, nil
	}
}

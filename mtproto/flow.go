package mtproto

import "time"

// flowState is how much the connection takes. Who never calls SetRoom has a connection that takes everything.
type flowState struct {
	limited bool  // SetRoom was called on this connection
	room    int   // what it said, less what was handed out since
	full    int   // the largest it said on this connection: an empty queue's
	handed  int64 // bytes of packets handed out on this connection
	left    int64 // how many of them have left the queue, as far as we know
}

// open reports whether queries may go.
func (s *flowState) open() bool { return !s.limited || s.room > 0 }

// hand notes a packet handed out.
func (s *flowState) hand(size int) {
	s.handed += int64(size)
	s.room -= size
}

// set takes the room there is and reports whether the queue has moved since.
func (s *flowState) set(room int) (moved bool) {
	s.limited, s.room, s.full = true, room, max(s.full, room)
	if left := s.handed - int64(s.full-room); left > s.left {
		s.left = left
		return true
	}
	return false
}

// SetRoom says how many bytes the connection takes now without a long queue of its own: the owner calls it before it pulls
// packets, and whenever the queue has become shorter while WantsRoom. Queries go into packets only while there is room; the
// last of them may go past it, so that no query is too large and the queue need not run empty. Acks, pings and other
// service messages always go. The room of an empty queue must be the largest. It lasts until the connection ends; news
// reports whether the Session can do more now, or has learned that the queue moves.
//
// While a ping waits in the queue and the queue moves, the connection is not dead but busy: the time for its pong begins
// when it has left.
func (s *Session) SetRoom(now time.Time, room int) (news bool) {
	s.begin(now)
	if s.link != linkUp {
		return false
	}
	was := s.flow
	moved := s.flow.set(room)
	if moved && s.ping.waiting && was.left < s.ping.mark {
		s.ping.movedAt = s.now
	}
	return moved || s.flow.open() && !was.open()
}

// WantsRoom reports whether it matters that the queue becomes shorter: queries wait for room, or a ping is in the queue.
func (s *Session) WantsRoom() bool {
	if s.link != linkUp || !s.flow.limited {
		return false
	}
	return !s.flow.open() && (s.queued() > 0 || len(s.chores.copies) > 0) || s.ping.waiting && s.flow.left < s.ping.mark
}

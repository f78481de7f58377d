package mtproto

import "time"

// msgID identifies a message within its session: server time in seconds times 2^32, unsigned
// (https://core.telegram.org/mtproto/description#message-identifier-msg-id).
type msgID uint64

// The two low bits tell who made a msg_id and why.
const (
	idFromClient = 0
	idReply      = 1 // the server's, in response to a message of the client
	idPush       = 3 // the server's, of its own accord
)

// kind is the two low bits.
func (id msgID) kind() int { return int(id & 3) }

// nanos is the time in the id, in nanoseconds since 1970.
func (id msgID) nanos() int64 {
	return int64(id>>32)*int64(time.Second) + int64((id&0xffffffff)*1e9>>32)
}

// idAt is the lowest client msg_id of a time given in nanoseconds since 1970. Times before 1970 give 1970.
func idAt(nanos int64) msgID {
	nanos = max(nanos, 0)
	seconds, fraction := uint64(nanos)/1e9, uint64(nanos)%1e9
	return msgID(seconds<<32|fraction<<32/1e9) &^ 3
}

// idState makes the msg_ids of one session after another. They rise strictly, over all of them, so that a session never seems
// to be older than the one it took the place of. They are divisible by four, and their low bits vary even when the clock is
// coarse: "the low 32 bits must not be empty or constant".
type idState struct {
	last msgID
	rand uint64 // jitter; no secret depends on it
}

// next returns a msg_id for server time nanos. When the clock stands still or has gone back it is the last one and a
// little more.
func (s *idState) next(nanos int64) msgID {
	s.rand = s.rand*6364136223846793005 + 1442695040888963407
	jitter := msgID(s.rand >> 44) // 20 bits: a quarter of a millisecond
	id := idAt(nanos) ^ jitter&^3
	if id <= s.last {
		id = s.last + 4 + 4*(jitter&7)
	}
	s.last = id
	return id
}

// reset forgets the last id. Only a new session may do that, and only when the server has proved that the last one was too
// high.
func (s *idState) reset() { s.last = 0 }

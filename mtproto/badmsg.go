package mtproto

import (
	"time"

	"github.com/mtfleet/mtfleet/tl"
)

// The error_code of bad_msg_notification
// (https://core.telegram.org/mtproto/service_messages_about_messages#notice-of-ignored-error-message).
const (
	badIDTooLow    = 16
	badIDTooHigh   = 17
	badIDBits      = 18
	badContainerID = 19
	badTooOld      = 20
	badSeqTooLow   = 32
	badSeqTooHigh  = 33
	badSeqNotEven  = 34
	badSeqNotOdd   = 35
	badSalt        = 48
	badContainer   = 64
)

// rescueSlack is the least time by which a msg_id must be too high to be surely rejected.
const rescueSlack = 2 * time.Second

// onBadMsg acts on a message that the server refused to process. What is not ours, or has been dealt with, is ignored.
func (s *Session) onBadMsg(m incoming, r *tl.Reader) {
	bad := readID(r)
	r.Uint32()
	code := int(r.Int32())
	rec := s.records.find(bad)
	if r.Err() != nil || rec == nil || rec.kind == sentDone {
		return
	}
	defer s.countRefusal(code)
	switch code {
	case badIDTooLow:
		// The clock was behind, or the message waited too long. It will not become younger: every packet with this id is
		// refused from now on.
		s.clock.observe(s.now, m.id)
		if rec.q != nil && rec.q.bare() && rec.q.carrier == 0 {
			rec.q.copied = false
		}
		s.sendAgain(rec, code)

	case badIDTooHigh:
		// msg_ids go on rising over the new session, unless they are proved too high for that: by more than a word takes to
		// come here.
		if s.ids.last.nanos()-m.id.nanos() > int64(provenLate) {
			s.ids.reset()
		}
		s.clock.set(s.now, m.id)
		s.rescueFuture(m.id)
		s.startAgain(rec, code)

	case badContainerID:
		// The server has had a container of this id, most likely this very one, repeated on the way: its queries may
		// have run.
		s.reset(code)

	case badSeqTooLow, badSeqTooHigh:
		s.startAgain(rec, code)

	case badTooOld:
		// The server cannot tell whether it received it.
		s.eachRejected(rec, func(q *query) { s.lost(q, ErrForgotten) })

	case badIDBits, badSeqNotEven, badSeqNotOdd:
		// We broke a rule; sending it again would break it again.
		s.eachRejected(rec, func(q *query) {
			s.finish(q, Output{Kind: OutFailed, Query: q.id, Err: &QueryError{
				Reason: &BadMsgError{Code: code}, Fate: q.fate()}})
		})

	case badSalt:
		s.salts.asked = time.Time{}
		s.sendAgain(rec, code)

	case badContainer:
		s.eachRejected(rec, func(q *query) {
			q.alone = true
			s.rejected(q)
		})

	default:
		// Nobody knows this code; mtcute begins a new session.
		s.startAgain(rec, code)
	}
}

// sendAgain sends what was rejected again. When that has happened too often a new session is the cure.
func (s *Session) sendAgain(rec *sentRecord, code int) {
	tooOften := false
	s.eachRejected(rec, func(q *query) {
		tooOften = q.countResend(s.now) || tooOften
		s.rejected(q)
	})
	if tooOften {
		s.reset(code)
	}
}

// startAgain begins a new session; what was rejected has not been executed and goes first, unless another packet with it is
// on its way: the old session may take that one.
func (s *Session) startAgain(rec *sentRecord, code int) {
	s.eachRejected(rec, s.rejected)
	s.reset(code)
}

// rescueFuture puts back the queries that the server must have rejected as well, or will: their msg_ids lie so far ahead of
// its time, told by id, that it cannot accept them, even if the notification took a while to arrive. Without it they would
// end as lost with the session. It holds only as long as the server has accepted nothing in this session, which is the case
// of a client that starts with a wrong clock; later it may be the server's clock that moved, after it had accepted them. And
// only for packets on this connection, which are not much older than the notification: what an earlier one still holds may
// come when it is not too high any more.
func (s *Session) rescueFuture(id msgID) {
	if s.accepted {
		return
	}
	limit := idAt(id.nanos() + int64(maxAhead+max(rescueSlack, 2*s.ping.rtt)))
	for _, q := range s.pending() {
		if q.phase == querySent && q.msgID > limit {
			s.rejected(q)
		}
	}
}

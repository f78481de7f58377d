package mtproto

import (
	"slices"
	"time"

	"github.com/mtfleet/mtfleet/tl"
)

// One byte of msgs_state_info tells the state of one message
// (https://core.telegram.org/mtproto/service_messages_about_messages#informational-message-regarding-status-of-messages).
const (
	stateMask     = 7
	stateNothing  = 1 // nothing is known: the id is too low, or forgotten
	stateMissing  = 2 // not received, the id lies within what is known
	stateTooHigh  = 3 // not received, the id is higher than all seen
	stateReceived = 4

	stateAcked     = 8   // already acknowledged
	stateNoAck     = 16  // needs no acknowledgment
	stateRunning   = 32  // the query is being or has been processed
	stateAnswered  = 64  // an answer was generated already
	stateKnownRecv = 128 // the other side knows that it was received
)

const (
	// maxOpenStates is how many state requests may be unanswered; older ones are forgotten.
	maxOpenStates = 8
	// maxChores bounds each list of ids the server can make grow; what does not fit is left undone, the server repeats it.
	maxChores = 1024
	// maxInfos bounds the answers owed to the server's own state requests.
	maxInfos = 16
)

// stateState asks what became of queries: at once after a reconnect, ten seconds after sending otherwise.
type stateState struct {
	at   time.Time // when to look for queries to ask about; zero while none is pending
	open []stateRequest
}

// stateRequest is an unanswered msgs_state_req.
type stateRequest struct {
	id  msgID
	ids []msgID
}

// watch sees to it that queries sent now are looked at in time.
func (s *stateState) watch(now time.Time) {
	if s.at.IsZero() {
		s.at = now.Add(askAfter)
	}
}

// sent remembers a request.
func (s *stateState) sent(id msgID, ids []msgID) {
	if len(s.open) == maxOpenStates {
		s.open = slices.Delete(s.open, 0, 1)
	}
	s.open = append(s.open, stateRequest{id, ids})
}

// take returns the ids a request asked about, and forgets it.
func (s *stateState) take(id msgID) []msgID {
	for i, r := range s.open {
		if r.id == id {
			s.open = slices.Delete(s.open, i, i+1)
			return r.ids
		}
	}
	return nil
}

// choreState is what the server has made us owe: rare, so nothing is allocated before it happens.
type choreState struct {
	drops   []msgID     // queries whose answers the server may drop
	wants   []msgID     // messages of the server we have not got: msg_resend_req
	answers []msgID     // queries of ours whose answers we have not got: msg_resend_ans_req
	copies  []msgID     // queries to be sent again under their old msg_ids
	infos   []stateInfo // answers to the server's msgs_state_req
	destroy int64       // the session to destroy, 0 for none
}

// stateInfo answers one msgs_state_req.
type stateInfo struct {
	request msgID
	info    []byte
}

func (s *choreState) drop(id msgID)     { s.drops = appendChore(s.drops, id) }
func (s *choreState) want(id msgID)     { s.wants = appendChore(s.wants, id) }
func (s *choreState) answer(id msgID)   { s.answers = appendChore(s.answers, id) }
func (s *choreState) copy(id msgID)     { s.copies = appendChore(s.copies, id) }
func (s *choreState) reply(i stateInfo) { s.infos = append(s.infos[:min(len(s.infos), maxInfos-1)], i) }
func (s *choreState) reset()            { *s = choreState{} }

// pending reports whether something is owed that may be sent now: copies of queries only while there is room.
func (s *choreState) pending(room bool) bool {
	return len(s.drops)+len(s.wants)+len(s.answers)+len(s.infos) > 0 || s.destroy != 0 || room && len(s.copies) > 0
}

func appendChore(list []msgID, id msgID) []msgID {
	if len(list) >= maxChores || slices.Contains(list, id) {
		return list
	}
	return append(list, id)
}

// askable returns the queries whose state should be asked for now, and sets when to look again.
func (s *Session) askable() []msgID {
	var ids []msgID
	next := time.Time{}
	for i := range s.records.list {
		q := s.records.list[i].q
		if q == nil || q.phase == queryQueued || q.msgID != s.records.list[i].id {
			continue
		}
		if !q.askAt.After(s.now) && len(ids) < maxIDs {
			q.asked(s.now)
			ids = append(ids, q.msgID)
		}
		next = earliest(next, q.askAt)
	}
	s.states.at = next
	return ids
}

// onStates learns what became of our messages.
func (s *Session) onStates(ids []msgID, info []byte) {
	for i, id := range ids {
		if i >= len(info) {
			return
		}
		if r := s.records.find(id); r != nil && r.q != nil && r.q.msgID == id {
			s.onState(r.q, info[i])
		}
	}
}

// onAllInfo takes states nobody asked for. The server may have written them before our message reached it, so "not
// received" is only a reason to ask; a request of ours travels behind the message.
func (s *Session) onAllInfo(ids []msgID, info []byte) {
	for i, id := range ids {
		if i >= len(info) {
			return
		}
		r := s.records.find(id)
		if r == nil || r.q == nil || r.q.msgID != id || r.q.phase == queryQueued {
			continue
		}
		if info[i]&stateMask == stateReceived {
			s.onState(r.q, info[i])
			continue
		}
		r.q.askAt, s.states.at = s.now, s.now
	}
}

// onState acts on the state of one query.
func (s *Session) onState(q *query, state byte) {
	if q.phase == queryQueued {
		return
	}
	switch state & stateMask {
	case stateNothing:
		// "Nothing is known about the message (msg_id too low, the other party may have forgotten it)".
		s.lost(q, ErrForgotten)
	case stateMissing, stateTooHigh:
		// "The other party has certainly not received a message like that", "has not received that message yet". One that it
		// acknowledged it has forgotten.
		if q.acknowledged {
			s.lost(q, ErrForgotten)
			return
		}
		s.repeat(q)
	case stateReceived:
		q.phase, q.acknowledged = querySent, true
		if state&(stateAnswered|stateKnownRecv) != 0 {
			s.chores.answer(q.msgID)
		}
	}
}

// onStateRequest answers what became of the server's own messages.
func (s *Session) onStateRequest(request msgID, r *tl.Reader) {
	var info []byte
	readIDs(r, func(id msgID) { info = append(info, s.stateOf(id)) })
	if r.Err() == nil {
		s.chores.reply(stateInfo{request, info})
	}
}

// stateOf is the state of a message of the server.
func (s *Session) stateOf(id msgID) byte {
	switch s.inbox.check(id) {
	case seenBefore:
		return stateReceived
	case seenTooOld:
		return stateNothing
	default:
		if id > s.inbox.newest() {
			return stateTooHigh
		}
		return stateMissing
	}
}

// onResendRequest sends again what the server asks for: queries still pending, under the same msg_id. What we do not have
// any more is answered with a state.
func (s *Session) onResendRequest(request msgID, r *tl.Reader) {
	var info []byte
	missing := false
	readIDs(r, func(id msgID) {
		rec := s.records.find(id)
		if rec != nil && rec.q != nil && rec.q.msgID == id && rec.q.phase != queryQueued {
			s.chores.copy(id)
			info = append(info, stateReceived)
			return
		}
		missing = true
		info = append(info, stateNothing)
	})
	if r.Err() == nil && missing {
		s.chores.reply(stateInfo{request, info})
	}
}

// onDetailedInfo learns that the server has an answer, or another message, that it did not send again.
func (s *Session) onDetailedInfo(query, answer msgID) {
	if query != 0 {
		r := s.records.find(query)
		if r == nil || r.q == nil {
			// Nobody waits for it; acknowledging is the way to make the server forget it.
			s.acks.add(s.now, answer)
			return
		}
		r.q.acknowledged = true
	}
	if s.inbox.check(answer) == seenBefore {
		s.acks.add(s.now, answer)
		return
	}
	s.chores.want(answer)
}

package mtproto

import (
	"encoding/binary"
	"slices"
	"time"

	"github.com/mtfleet/mtfleet/mtproto/tgerr"
	"github.com/mtfleet/mtfleet/tl"
)

// onMessage makes checks 6 to 8 of one message, alone or from a container, acknowledges it and acts on it. The error means
// that the connection must be given up.
func (s *Session) onMessage(m incoming, inContainer bool) error {
	if m.id.kind() != idReply && m.id.kind() != idPush {
		return &PacketError{What: "msg_id of the server is not odd"}
	}
	if len(m.body) < 4 {
		return nil
	}
	seen := s.inbox.check(m.id)
	if seen == seenBefore {
		// "Notifications about repeated messages": not processed again, but acknowledged again, or it will be repeated
		// forever.
		s.acknowledge(m)
		return nil
	}
	timely := s.clock.inTime(s.now, m.id)
	container := peekID(m.body) == idMsgContainer
	if seen == seenTooOld || !timely {
		// Only what refers to a recent message of ours proves that it is fresh; the members of a container do so one by one.
		if container && !inContainer {
			return s.onContainer(m)
		}
		if !s.provesFresh(m.body) {
			s.refused(m, seen)
			return nil
		}
	}
	if seen == seenNever {
		s.inbox.add(m.id)
	}
	if timely {
		s.clock.observe(s.now, m.id)
	}
	if container {
		if inContainer {
			return &PacketError{What: "container inside a container"}
		}
		return s.onContainer(m)
	}
	s.acknowledge(m)
	s.dispatch(m)
	return nil
}

// acknowledge notes that a message must be acknowledged, if it must. A container itself never must.
func (s *Session) acknowledge(m incoming) {
	if needsAck(m.seqNo) && peekID(m.body) != idMsgContainer {
		s.acks.add(s.now, m.id)
	}
}

// refused deals with a message that is too old or too new to be believed. A ping tells which clock is wrong. An old one is
// acknowledged, because it will not become younger; if it held an update, that is a gap.
func (s *Session) refused(m incoming, seen verdict) {
	s.ping.urgent = true
	old := seen == seenTooOld || m.id.nanos() < s.clock.server(s.now)
	if !old || !needsAck(m.seqNo) {
		return
	}
	s.acknowledge(m)
	if m.id.kind() == idPush {
		s.push(Output{Kind: OutGap})
	}
}

// provesFresh reports whether a message refers to one we sent not long ago.
func (s *Session) provesFresh(body []byte) bool {
	var r tl.Reader
	r.Reset(body)
	switch r.ID() {
	case idRPCResult, idPong, idBadServerSalt, idBadMsgNotification, idMsgsStateInfo, idFutureSalts, idMsgDetailedInfo,
		idNewSessionCreated:
		id := readID(&r)
		return r.Err() == nil && s.records.ours(id)
	case idMsgsAck:
		ours := false
		readIDs(&r, func(id msgID) { ours = ours || s.records.ours(id) })
		return ours
	}
	return false
}

// onContainer acts on every member. A member that cannot be read does not keep the others from being read. States of our
// messages come last: an answer, or the news of a new session, in the same container says more than they do.
func (s *Session) onContainer(m incoming) error {
	if len(m.body) < containerHeaderSize {
		return &PacketError{What: "container header"}
	}
	n, rest := binary.LittleEndian.Uint32(m.body[4:]), m.body[containerHeaderSize:]
	if int64(n) > int64(len(rest)/memberHeaderSize) {
		return &PacketError{What: "container count"}
	}
	var first error
	var states []incoming
	session := s.sessionID
	each := func(member incoming) bool {
		if err := s.onMessage(member, true); err != nil && first == nil {
			first = err
		}
		// What follows a reset belongs to a session that is gone.
		return s.link == linkUp && s.sessionID == session
	}
	for range n {
		member, after, ok := cutMember(rest)
		if !ok {
			return &PacketError{What: "container member length"}
		}
		rest = after
		if peekID(member.body) == idMsgsStateInfo {
			states = append(states, member)
		} else if !each(member) {
			return nil
		}
	}
	for _, member := range states {
		if !each(member) {
			return nil
		}
	}
	return first
}

// cutMember cuts the first message off the members of a container.
func cutMember(b []byte) (m incoming, rest []byte, ok bool) {
	if len(b) < memberHeaderSize {
		return m, nil, false
	}
	size := int(int32(binary.LittleEndian.Uint32(b[12:])))
	if size < 0 || size%4 != 0 || size > len(b)-memberHeaderSize {
		return m, nil, false
	}
	end := memberHeaderSize + size
	return incoming{
		id:    msgID(binary.LittleEndian.Uint64(b)),
		seqNo: binary.LittleEndian.Uint32(b[8:]),
		body:  b[memberHeaderSize:end:end],
	}, b[end:], true
}

// dispatch acts on one checked message, in the order of the documents. What cannot be read is ignored: nothing a message
// holds ends the session.
func (s *Session) dispatch(m incoming) {
	r := m.reader()
	switch peekID(m.body) {
	case idRPCResult:
		s.onResult(m, &r)
	case idGzipPacked:
		s.onGzip(m)
	case idMsgCopy:
		s.onCopy(&r)

	case idMsgsAck:
		readIDs(&r, s.onAck)
	case idBadServerSalt:
		s.onBadSalt(m, &r)
	case idBadMsgNotification:
		s.onBadMsg(m, &r)
	case idMsgsStateReq:
		s.onStateRequest(m.id, &r)
	case idMsgsStateInfo:
		s.onStateInfo(m, &r)
	case idMsgsAllInfo:
		var ids []msgID
		readIDs(&r, func(id msgID) { ids = append(ids, id) })
		if info := r.BytesView(); r.Err() == nil {
			s.onAllInfo(ids, info)
		}
	case idMsgDetailedInfo:
		if query, answer := readID(&r), readID(&r); r.Err() == nil {
			s.onDetailedInfo(query, answer)
		}
	case idMsgNewDetailedInfo:
		if answer := readID(&r); r.Err() == nil {
			s.onDetailedInfo(0, answer)
		}
	case idMsgResendReq, idMsgResendAnsReq:
		s.onResendRequest(m.id, &r)

	case idNewSessionCreated:
		s.onNewSession(&r)
	case idPong:
		s.onPong(m, &r)
	case idFutureSalts:
		s.onFutureSalts(m, &r)
	case idDestroySessionOK, idDestroySessionNone, idDestroyAuthKeyOK, idDestroyAuthKeyNone, idDestroyAuthKeyFail,
		idRPCAnswerUnknown, idRPCAnswerDropped, idRPCAnswerDroppedRun:
		// Answers to requests whose outcome changes nothing here.
	default:
		s.push(Output{Kind: OutUpdates, Body: m.body})
	}
}

// onGzip unpacks a whole message. Containers and service messages must not be packed; service messages are understood
// anyway, a container is not.
func (s *Session) onGzip(m incoming) {
	body, err := unpack(m.body, &s.budget)
	if err != nil || len(body) < 4 || peekID(body) == idMsgContainer {
		// It cannot have been an answer: those are packed inside rpc_result. So it was an update.
		s.push(Output{Kind: OutGap})
		return
	}
	m.body = body
	s.dispatch(m)
}

// onCopy unwraps msg_copy, which has never been seen in the wild.
func (s *Session) onCopy(r *tl.Reader) {
	if r.ID() != idMessage {
		return
	}
	m := incoming{id: readID(r), seqNo: r.Uint32()}
	size := int(r.Int32())
	rest := r.Rest()
	if r.Err() != nil || size < 4 || size > len(rest) || s.inbox.check(m.id) != seenNever || m.id.kind()&1 == 0 {
		return
	}
	m.body = rest[:size]
	if id := peekID(m.body); id == idMsgCopy || id == idMsgContainer {
		return
	}
	s.inbox.add(m.id)
	s.acknowledge(m)
	s.dispatch(m)
}

// onResult takes the answer to a query, to a binding, to rpc_drop_answer, or the refusal of a state request.
func (s *Session) onResult(m incoming, r *tl.Reader) {
	request := readID(r)
	rec := s.records.find(request)
	if r.Err() != nil || rec == nil {
		return // unknown or 0; it has been acknowledged
	}
	s.processed(m.id, request)
	kind, q := rec.kind, rec.q
	switch kind {
	case sentDrop, sentCanceled:
		rec.kind = sentDone
		return
	case sentStateReq:
		rec.kind = sentDone
		s.onStateRefused(s.states.take(request))
		return
	case sentQuery, sentBind:
	default:
		return
	}
	result, err := unpack(r.Rest(), &s.budget)
	if err == nil && len(result) < 4 {
		err = tl.ErrShort
	}
	var failure *tgerr.Error
	if err == nil && peekID(result) == idRPCError {
		failure, err = readError(result)
	}
	if _, wait := failure.Wait(); wait {
		s.ordered = true
	}
	if kind == sentBind {
		rec.kind = sentDone
		if err != nil {
			result = nil // as refused as boolFalse
		}
		s.onBindResult(result, failure)
		return
	}
	s.onAnswer(q, result, failure, err)
}

// processed notes what the answer tells, whatever it answers: the server's time, and that our message arrived.
func (s *Session) processed(answer, request msgID) {
	s.clock.observeAnswer(s.now, answer, request)
	s.acks.arrived(request)
	s.saltRejections = 0
	s.accept()
}

// readError reads a boxed rpc_error.
func readError(body []byte) (*tgerr.Error, error) {
	var r tl.Reader
	r.Reset(body)
	r.ID()
	code, text := r.Int32(), r.String()
	if err := r.Err(); err != nil {
		return nil, err
	}
	return tgerr.New(int(code), text), nil
}

// onAnswer ends q with what the server answered, or sends it again with the header the server misses.
func (s *Session) onAnswer(q *query, result []byte, failure *tgerr.Error, err error) {
	switch {
	case s.queries.byID[q.id] != q: // it has ended
	case err != nil:
		// The server answered, so it did execute the query.
		s.finish(q, Output{Kind: OutFailed, Query: q.id, Err: &QueryError{
			Reason: &ResultError{Err: err}, Fate: ErrMayHaveRun}})
	case failure != nil:
		if tgerr.Is(failure, "CONNECTION_NOT_INITED", "CONNECTION_LAYER_INVALID") && len(s.cfg.Header) > 0 {
			s.headerKnown = false
			if !q.withHeader {
				s.records.settle(q.msgID)
				s.queries.requeue(q) // answered: the server knows this msg_id
				return
			}
		}
		s.finish(q, Output{Kind: OutFailed, Query: q.id, Err: failure})
	case peekID(result) == idRPCAnswerDroppedRun || peekID(result) == idRPCAnswerDropped:
		s.finish(q, Output{Kind: OutFailed, Query: q.id, Err: &QueryError{Reason: ErrDropped, Fate: ErrMayHaveRun}})
	default:
		s.headerKnown = s.headerKnown || q.withHeader
		s.finish(q, Output{Kind: OutResult, Query: q.id, Body: result})
	}
}

// onAck notes that the server received a message. It says nothing of the answer.
func (s *Session) onAck(id msgID) {
	r := s.records.find(id)
	if r == nil {
		return
	}
	if r.kind == sentNotice {
		r.kind = sentDone
	}
	s.accept()
	if r.q != nil && r.q.msgID == id {
		r.q.acknowledged = true
	}
}

// onPong ends the ping that waits.
func (s *Session) onPong(m incoming, r *tl.Reader) {
	request, nonce := readID(r), r.Int64()
	if r.Err() != nil {
		return
	}
	if s.records.ours(request) {
		s.processed(m.id, request)
		s.records.settle(request)
	}
	if s.ping.pong(s.now, nonce) && s.ping.asked {
		s.ping.asked = false
		s.push(Output{Kind: OutPong})
	}
}

// onFutureSalts takes the salts asked for.
func (s *Session) onFutureSalts(m incoming, r *tl.Reader) {
	request := readID(r)
	r.Uint32() // the server's idea of now; msg_id is finer
	n := r.BareVectorLen(futureSaltSize)
	if r.Err() != nil || request == 0 || request != s.salts.request {
		return
	}
	s.processed(m.id, request)
	s.records.settle(request)
	s.salts.request = 0
	salts := make([]Salt, 0, min(n, maxSalts))
	for range min(n, maxSalts) {
		since, until := r.Uint32(), r.Uint32()
		salts = append(salts, Salt{Value: r.Int64(), Since: since, Until: until})
	}
	if r.Err() != nil || n == 0 {
		return
	}
	s.salts.replace(s.clock.unix(s.now), salts)
	s.saveDue = true
}

// onStateInfo takes the answer to a msgs_state_req of ours.
func (s *Session) onStateInfo(m incoming, r *tl.Reader) {
	request, info := readID(r), r.BytesView()
	if r.Err() != nil || !s.records.ours(request) {
		return
	}
	s.processed(m.id, request)
	s.records.settle(request)
	s.onStates(s.states.take(request), info)
}

// onStateRefused is told by an rpc_result, which is no answer to a state request, that the server cannot tell what became
// of queries: servers exist that do not know msgs_state_req. Answers may still come to the queries of this connection, but
// what went out on an earlier one would be asked about for ever.
func (s *Session) onStateRefused(ids []msgID) {
	for _, id := range ids {
		if r := s.records.find(id); r != nil && r.q != nil && r.q.msgID == id && r.q.phase == queryUnknown {
			s.lost(r.q, ErrForgotten)
		}
	}
}

// onNewSession learns that the server knew nothing of this session before first. Earlier queries have no answer any more,
// and updates may have been missed (https://core.telegram.org/mtproto/service_messages#new-session-creation-notification).
func (s *Session) onNewSession(r *tl.Reader) {
	first, unique, salt := readID(r), r.Int64(), r.Int64()
	if r.Err() != nil || slices.Contains(s.created[:], unique) && unique != 0 {
		return
	}
	s.accept()
	copy(s.created[1:], s.created[:])
	s.created[0] = unique
	if s.salts.correct(s.clock.unix(s.now), salt) {
		s.saveDue = true
	}
	// first may be the id of a container or of one of its members: all of that packet belongs to the new session.
	first = s.records.packetStart(s.packetOf(first))
	for _, q := range s.pending() {
		if q.phase != queryQueued && max(q.msgID, q.carrier) < first {
			s.lost(q, ErrSessionLost)
		}
	}
	s.push(Output{Kind: OutGap})
}

// packetOf maps the id of a container to its first new member, that of a copied query to the container of its latest copy,
// and leaves other ids alone.
func (s *Session) packetOf(id msgID) msgID {
	r := s.records.find(id)
	if r != nil && r.q != nil && r.q.msgID == id && r.q.carrier != 0 {
		r = s.records.find(r.q.carrier)
	}
	if r != nil && r.kind == sentContainer {
		return r.first
	}
	return id
}

// onBadSalt takes the right salt and sends again what was rejected for the wrong one.
func (s *Session) onBadSalt(m incoming, r *tl.Reader) {
	bad := readID(r)
	r.Uint32()
	r.Int32() // always 48
	salt := r.Int64()
	rec := s.records.find(bad)
	if r.Err() != nil || rec == nil {
		return
	}
	s.clock.observeAnswer(s.now, m.id, bad)
	if s.salts.correct(s.clock.unix(s.now), salt) {
		s.salts.asked = time.Time{} // the salts to come may be wrong as well
		s.saveDue = true
	}
	s.eachRejected(rec, s.rejected)
	if s.saltRejections++; s.saltRejections > maxSaltRejections {
		s.saltRejections = 0
		s.holdUntil = s.now.Add(saltHold)
	}
}

// eachRejected goes through the message of rec, or through the members if it was a container, none of which the server
// processed. Ours are prepared anew; f decides about queries.
func (s *Session) eachRejected(rec *sentRecord, f func(*query)) {
	list := []sentRecord{*rec}
	if rec.kind == sentContainer {
		list = slices.Clone(s.records.members(rec))
		rec.kind = sentDone
		if rec.copies {
			s.eachCarried(rec.id, f)
		}
	}
	for _, r := range list {
		ours := r.kind == sentQuery && r.q.msgID == r.id && r.q.phase != queryQueued
		if !ours || !r.q.copied { // a copied one is not done with
			s.records.settle(r.id)
		}
		switch r.kind {
		case sentQuery:
			if ours {
				f(r.q)
			}
		case sentNotice:
			s.acks.rejected(s.now, r.id)
		case sentPing:
			if r.id == s.ping.msgID {
				s.pingRejected()
			}
		case sentSalts:
			s.salts.asked = time.Time{}
		case sentStateReq:
			for _, id := range s.states.take(r.id) {
				if q := s.records.find(id); q != nil && q.q != nil {
					q.q.askAt = s.now
				}
			}
			s.states.at = s.now
		case sentBind:
			s.bindRejected()
		}
	}
}

// eachCarried goes through the queries whose latest copies travelled in a container, in the order of Send.
func (s *Session) eachCarried(container msgID, f func(*query)) {
	for _, q := range s.pending() {
		if q.carrier == container && q.phase != queryQueued {
			f(q)
		}
	}
}

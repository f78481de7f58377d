package dctest

import (
	"time"

	"github.com/mtfleet/mtfleet/tl"
	"github.com/mtfleet/mtfleet/tl/mt"
)

// messageKind groups constructors by what the server demands of their seqno.
type messageKind uint8

const (
	kindQuery     messageKind = iota // an API call: odd
	kindContainer                    // even
	kindPlain                        // acknowledgements and notices: even
	kindService                      // requests of the protocol itself: clients disagree, both are taken
)

// msgResendAnsReqID is msg_resend_ans_req: like msg_resend_req, but the ids are those of queries.
const msgResendAnsReqID uint32 = 0x8610baeb

// classify sorts a constructor; what it does not know is a query.
func classify(id uint32) messageKind {
	switch id {
	case mt.MsgContainerID:
		return kindContainer
	case mt.MsgsAckID, mt.HTTPWaitRequestID, mt.BadMsgNotificationID, mt.MsgsAllInfoID, mt.MsgsStateInfoID,
		mt.MsgDetailedInfoID, mt.MsgNewDetailedInfoID:
		return kindPlain
	case mt.PingRequestID, mt.PingDelayDisconnectRequestID, mt.GetFutureSaltsRequestID, mt.MsgsStateReqID,
		mt.MsgResendReqID, msgResendAnsReqID, mt.RPCDropAnswerRequestID, mt.DestroySessionRequestID,
		mt.DestroyAuthKeyRequestID:
		return kindService
	}
	return kindQuery
}

// service acts on one message of the protocol itself.
func (c *Cluster) service(d *delivery, m message) {
	r := tl.NewReader(m.body)
	switch bodyID(m.body) {
	case mt.MsgsAckID:
		for _, id := range c.idList(d, m, r) {
			c.acked(d.s, id)
		}
	case mt.PingRequestID:
		var q mt.PingRequest
		if q.Parse(r); c.parsed(d, m, r) {
			c.reply(d.now, d.s, &mt.Pong{MsgID: m.msgID, PingID: q.PingID}, false)
		}
	case mt.PingDelayDisconnectRequestID:
		var q mt.PingDelayDisconnectRequest
		if q.Parse(r); c.parsed(d, m, r) {
			c.disconnectAfter(d.now, d.conn, time.Duration(max(q.DisconnectDelay, 0))*time.Second)
			c.reply(d.now, d.s, &mt.Pong{MsgID: m.msgID, PingID: q.PingID}, false)
		}
	case mt.GetFutureSaltsRequestID:
		var q mt.GetFutureSaltsRequest
		if q.Parse(r); c.parsed(d, m, r) {
			c.sendFutureSalts(d, m, q.Num)
		}
	case mt.MsgsStateReqID:
		ids := c.idList(d, m, r)
		c.reply(d.now, d.s, &mt.MsgsStateInfo{ReqMsgID: m.msgID, Info: d.s.states(ids)}, false)
	case mt.MsgResendReqID:
		c.resendAsked(d, m, c.idList(d, m, r))
	case msgResendAnsReqID:
		c.resendAnswers(d, m, c.idList(d, m, r))
	case mt.RPCDropAnswerRequestID:
		var q mt.RPCDropAnswerRequest
		if q.Parse(r); c.parsed(d, m, r) {
			c.dropAnswer(d, m, q.ReqMsgID)
		}
	case mt.DestroySessionRequestID:
		var q mt.DestroySessionRequest
		if q.Parse(r); c.parsed(d, m, r) {
			c.destroySession(d, q.SessionID)
		}
	case mt.DestroyAuthKeyRequestID:
		c.reply(d.now, d.s, &mt.DestroyAuthKeyOk{}, false)
		c.flush(d.now, d.s) // the last words under this key
		c.removeKey(d.now, d.key, "destroyed")
	}
}

// parsed notes a body that is not what its constructor says. Such a message is acknowledged by silence, as the real
// server does.
func (c *Cluster) parsed(d *delivery, m message, r *tl.Reader) bool {
	if err := r.End(); err != nil {
		v := d.violation(RuleTL, m.msgID, err.Error())
		v.Severity = SeverityNoted
		c.violate(v)
		return false
	}
	return true
}

// idList reads the Vector<long> of a service message. A list over the limit is refused whole: the real server answers
// it with -429.
func (c *Cluster) idList(d *delivery, m message, r *tl.Reader) []int64 {
	r.ID()
	if r.ID() != tl.VectorID {
		v := d.violation(RuleTL, m.msgID, "not a vector of ids")
		v.Severity = SeverityNoted
		c.violate(v)
		return nil
	}
	n := r.BareVectorLen(8)
	if n > maxIDs {
		c.violate(d.violation(RuleIDList, m.msgID, "more than 8192 ids"))
		c.transportError(d.conn, codeFlood)
		return nil
	}
	ids := make([]int64, 0, n)
	for range n {
		ids = append(ids, r.Int64())
	}
	if !c.parsed(d, m, r) {
		return nil
	}
	return ids
}

func (c *Cluster) sendFutureSalts(d *delivery, m message, num int32) {
	list := c.futureSalts(d.key, d.t, int(min(max(num, 1), 64)))
	answer := mt.FutureSalts{ReqMsgID: m.msgID, Now: int32(d.t.Unix())}
	for _, s := range list {
		answer.Salts = append(answer.Salts, mt.FutureSalt{
			ValidSince: int32(s.since.Unix()),
			ValidUntil: int32(s.since.Add(c.cfg.SaltPeriod).Unix()),
			Salt:       s.value,
		})
	}
	c.reply(d.now, d.s, &answer, false)
}

// Status bytes of msgs_state_info (reference 6.12).
const (
	stateUnknown     = 1
	stateNotReceived = 2
	stateTooHigh     = 3
	stateReceived    = 4
	stateAcked       = 8
	stateNoAck       = 16
	stateRunning     = 32
	stateAnswered    = 64
)

// states tells what the server knows of each id, one byte per id.
func (s *session) states(ids []int64) []byte {
	info := make([]byte, len(ids))
	for i, id := range ids {
		info[i] = s.state(id)
	}
	return info
}

func (s *session) state(id int64) byte {
	in := s.received(id)
	switch {
	case in == nil && id > s.highest():
		return stateTooHigh
	case in == nil && (id <= s.evicted || id < s.born):
		return stateUnknown
	case in == nil:
		return stateNotReceived
	}
	state := byte(stateReceived)
	if in.flags&inAcked != 0 {
		state |= stateAcked
	}
	if in.flags&inContent == 0 {
		state |= stateNoAck
	}
	if in.flags&inRunning != 0 {
		state |= stateRunning
	}
	if in.flags&inDone != 0 {
		state |= stateAnswered
	}
	return state
}

// resendAsked repeats server messages by their ids; the states of those no longer kept are told instead.
func (c *Cluster) resendAsked(d *delivery, m message, ids []int64) {
	unknown := false
	info := make([]byte, len(ids))
	for i, id := range ids {
		if j := d.s.unackedIndex(id); j >= 0 {
			info[i] = stateReceived
			if u := d.s.unacked[j]; !inBatch(d.s.batch, u) {
				d.s.batch = append(d.s.batch, u)
				c.touch(d.s)
			}
			continue
		}
		info[i] = stateUnknown
		unknown = true
	}
	if unknown {
		c.reply(d.now, d.s, &mt.MsgsStateInfo{ReqMsgID: m.msgID, Info: info}, false)
	}
}

// resendAnswers repeats the answers to queries by the queries' ids.
func (c *Cluster) resendAnswers(d *delivery, m message, ids []int64) {
	answers := make([]int64, 0, len(ids))
	for _, id := range ids {
		if in := d.s.received(id); in != nil && in.answer != 0 {
			answers = append(answers, in.answer)
		}
	}
	c.resendAsked(d, m, answers)
}

func inBatch(batch []*outbound, m *outbound) bool {
	for _, b := range batch {
		if b == m {
			return true
		}
	}
	return false
}

// dropAnswer is rpc_drop_answer. A query still running is given up; its answer is rpc_answer_dropped_running, twice.
func (c *Cluster) dropAnswer(d *delivery, m message, reqMsgID int64) {
	in := d.s.received(reqMsgID)
	if in != nil && in.flags&inRunning != 0 {
		if q := d.s.running[reqMsgID]; q != nil {
			c.finish(d.now, q, (&mt.RPCAnswerDroppedRunning{}).Append(nil), false)
		}
		c.result(d.now, d.s, m.msgID, (&mt.RPCAnswerDroppedRunning{}).Append(nil), false)
		return
	}
	if in != nil && in.answer != 0 {
		if i := d.s.unackedIndex(in.answer); i >= 0 {
			a := d.s.unacked[i]
			c.dropUnacked(d.s, i)
			dropped := mt.RPCAnswerDropped{MsgID: a.msgID, SeqNo: a.seqNo, Bytes: int32(len(a.body))}
			c.result(d.now, d.s, m.msgID, dropped.Append(nil), false)
			return
		}
	}
	c.result(d.now, d.s, m.msgID, (&mt.RPCAnswerUnknown{}).Append(nil), false)
}

// destroySession forgets another session of the same key.
func (c *Cluster) destroySession(d *delivery, id int64) {
	other := d.key.sessions[id]
	if other == nil || other == d.s {
		if other == d.s {
			v := d.violation(RuleSession, 0, "destroy_session of the session that asks")
			v.Severity = SeverityNoted
			c.violate(v)
		}
		c.reply(d.now, d.s, &mt.DestroySessionNone{SessionID: id}, false)
		return
	}
	c.forgetSession(other)
	c.reply(d.now, d.s, &mt.DestroySessionOk{SessionID: id}, false)
}

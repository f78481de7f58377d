package dctest

import (
	"fmt"
	"slices"
	"time"

	"github.com/mtfleet/mtfleet/mtproto/dctest/api"
	"github.com/mtfleet/mtfleet/mtproto/dctest/echo"
	"github.com/mtfleet/mtfleet/tl"
	"github.com/mtfleet/mtfleet/tl/mt"
	"github.com/mtfleet/mtfleet/tl/tg"
)

// query is one API query on its way to its answer.
type query struct {
	wrapping
	s      *session
	msgID  int64
	remote string
	conn   ConnID
	lose   bool // a fault loses the answer
}

// Names of the calls the protocol half answers itself.
const (
	methodEcho     = "testdc.echo"
	methodDropTemp = "auth.dropTempAuthKeys"
	methodBind     = "auth.bindTempAuthKey"
)

// Errors the protocol half answers itself.
var (
	errLayer      = &api.Error{Code: 400, Text: "CONNECTION_LAYER_INVALID"}
	errNotInited  = &api.Error{Code: 400, Text: "CONNECTION_NOT_INITED"}
	errPermEmpty  = &api.Error{Code: 401, Text: "AUTH_KEY_PERM_EMPTY"}
	errNoMethod   = &api.Error{Code: 400, Text: "INPUT_METHOD_INVALID"}
	errFetch      = &api.Error{Code: 400, Text: "INPUT_FETCH_ERROR"}
	errWaitFailed = &api.Error{Code: 400, Text: "MSG_WAIT_FAILED"}
	errWaitTime   = &api.Error{Code: -503, Text: "MSG_WAIT_TIMEOUT"}
	errTooMany    = &api.Error{Code: 500, Text: "WORKER_BUSY_TOO_LONG_RETRY"}
)

// query starts one API query: wrappers off, then dependencies, then run.
func (c *Cluster) query(d *delivery, m message) {
	in := d.s.received(m.msgID)
	in.flags |= inRunning
	q := &query{s: d.s, msgID: m.msgID, remote: d.conn.remote, conn: d.conn.id}
	if q.s.running == nil {
		q.s.running = make(map[int64]*query)
	}
	q.s.running[q.msgID] = q
	w, err := d.unwrap(m.body)
	if err != nil {
		c.violate(d.violation(RuleTL, m.msgID, err.Error()))
		c.fail(d.now, q, errFetch)
		return
	}
	q.wrapping = w
	if bodyID(q.query) != mt.AuthBindTempAuthKeyRequestID {
		c.ledger.apiQuery(d.key, d.s, m.msgID, q.wantsUpdates())
	}
	if len(q.after) > 0 {
		c.await(d.now, q)
		return
	}
	c.run(d.now, q)
}

// wantsUpdates tells whether a query makes its session a main one. help.getNearestDc does not: clients use it under the
// perm key itself, to prove that the key is alive.
func (q *query) wantsUpdates() bool {
	return !q.withoutUpdates && bodyID(q.query) != tg.HelpGetNearestDCRequestID
}

// await holds a query back until the queries it names are finished.
func (c *Cluster) await(now time.Time, q *query) {
	if len(q.s.waiting) >= maxWaiting {
		c.fail(now, q, errTooMany)
		return
	}
	q.s.waiting = append(q.s.waiting, q)
	c.recheck(now, q.s)
	c.timers.add(now.Add(c.cfg.AfterTimeout), func(now time.Time) {
		if q.s.drop(q) {
			c.fail(now, q, errWaitTime)
		}
	})
}

// recheck runs or fails the waiting queries whose dependencies are decided.
func (c *Cluster) recheck(now time.Time, s *session) {
	for i := 0; i < len(s.waiting); {
		q := s.waiting[i]
		ready, failed := true, false
		for _, id := range q.after {
			in := s.received(id)
			ready = ready && in != nil && in.flags&inDone != 0
			failed = failed || in != nil && in.flags&inFailed != 0
		}
		if !ready && !failed {
			i++
			continue
		}
		s.waiting = slices.Delete(s.waiting, i, i+1)
		if failed {
			c.fail(now, q, errWaitFailed)
		} else {
			c.run(now, q)
		}
		i = 0 // finishing q may have changed the list
	}
}

// drop takes a query off the waiting list; false if it is not on it.
func (s *session) drop(q *query) bool {
	i := slices.Index(s.waiting, q)
	if i < 0 || s.gone {
		return false
	}
	s.waiting = slices.Delete(s.waiting, i, i+1)
	return true
}

// run passes a query through the gates of auth.md 1.5 and answers it.
func (c *Cluster) run(now time.Time, q *query) {
	k := q.s.key
	id := bodyID(q.query)
	if id == mt.AuthBindTempAuthKeyRequestID {
		c.runBind(now, q)
		return
	}
	if err := c.initGate(now, q); err != nil {
		c.fail(now, q, err)
		return
	}
	if k.owner() == nil && id != tg.HelpGetConfigRequestID && id != tg.HelpGetNearestDCRequestID {
		c.violateQuery(now, q, RuleUnbound, "an API query on an unbound temp key")
		c.fail(now, q, errPermEmpty)
		return
	}
	// Queries of older layers are asked in the constructors of the newest from here on. What cannot be read the API half
	// refuses, and testdc.echo is no part of any layer.
	if query, err := tg.Upgrade(k.layer, q.query); err == nil {
		q.query = query
		id = bodyID(query)
	}
	if !tg.LayerHas(k.layer, id) {
		c.violateQuery(now, q, RuleUnknownQuery, fmt.Sprintf("a query that layer %d does not have", k.layer))
		c.fail(now, q, errNoMethod)
		return
	}
	if err := c.faultQuery(now, q); err != nil {
		c.fail(now, q, err)
		return
	}
	var reply api.Reply
	switch id {
	case tg.AuthDropTempAuthKeysRequestID:
		reply = c.dropTempKeys(now, q)
	case echo.RequestID:
		reply = c.runEcho(now, q)
	default:
		if c.api.Method(q.query) == "" {
			c.violateQuery(now, q, RuleUnknownQuery, fmt.Sprintf("a query %08x that nobody knows", id))
		}
		reply = c.api.Handle(c.request(now, q))
	}
	if q.wantsUpdates() && reply.Err == nil && k.owner() != nil {
		q.s.subscribed = true
	}
	reply.Delay += c.slow(now, q)
	c.answer(now, q, reply)
}

// initGate keeps layer and initConnection per key and refuses what the real server refuses.
func (c *Cluster) initGate(now time.Time, q *query) *api.Error {
	k := q.s.key
	if q.layer != 0 {
		if !slices.Contains(c.api.Layers(), q.layer) {
			c.violateQuery(now, q, RuleLayer, fmt.Sprintf("layer %d", q.layer))
			return errLayer
		}
		k.layer = q.layer
		c.ledger.layer(q.layer)
	}
	if q.app != nil {
		if k.layer == 0 {
			return errLayer
		}
		if err := c.api.CheckInit(k.layer, q.app); err != nil {
			return err
		}
		k.inited, k.app = true, *q.app
	}
	if !k.inited {
		c.violateQuery(now, q, RuleInit, "a query before initConnection")
		return errNotInited
	}
	return nil
}

// request is the API half's view of a query.
func (c *Cluster) request(now time.Time, q *query) *api.Request {
	k := q.s.key
	req := &api.Request{
		Now: k.dc.clock(now), DC: k.dc.id,
		Perm: k.ownerID(), Unbound: k.owner() == nil,
		Session: q.s.id, MsgID: q.msgID,
		Layer: k.layer, App: k.app, Inited: k.inited,
		WithoutUpdates: q.withoutUpdates, RemoteAddr: q.remote, Body: q.query,
	}
	if k.temp {
		req.Temp = int64(k.id())
	}
	if o := k.owner(); o != nil {
		req.PermCreated = o.created
	}
	return req
}

// runEcho answers testdc.echo.
func (c *Cluster) runEcho(now time.Time, q *query) api.Reply {
	k := q.s.key
	var e echo.EchoRequest
	if err := tl.Unmarshal(q.query, &e); err != nil {
		c.violateQuery(now, q, RuleTL, err.Error())
		return api.Reply{Err: errFetch}
	}
	user, ok := c.api.UserOf(k.dc.id, k.ownerID())
	delay := e.Delay()
	if ok || !c.cfg.AnonymousEcho {
		held, err := c.api.Admit(c.request(now, q), methodEcho)
		if err != nil {
			return api.Reply{Err: err, Delay: held}
		}
		delay += held
	}
	cn := c.conns[q.conn]
	c.ledger.echo(now, e.ID, user, k, cn != nil && cn.media)
	answer := echo.Echoed{ID: e.ID, UserID: user, DC: int32(k.dc.id), Payload: e.Payload}
	return api.Reply{Body: answer.Append(nil), Delay: delay}
}

// answer sends a reply, now or after its delay.
func (c *Cluster) answer(now time.Time, q *query, reply api.Reply) {
	if reply.Err != nil {
		c.failAfter(now, q, reply.Err, reply.Delay)
		return
	}
	body, err := c.downgrade(q.s.key.layer, reply.Body)
	if err != nil {
		c.failAfter(now, q, &api.Error{Code: 500, Text: "RPC_CALL_FAIL"}, reply.Delay)
		return
	}
	c.after(now, reply.Delay, func(now time.Time) { c.finish(now, q, body, false) })
}

func (c *Cluster) fail(now time.Time, q *query, err *api.Error) { c.failAfter(now, q, err, 0) }

func (c *Cluster) failAfter(now time.Time, q *query, err *api.Error, delay time.Duration) {
	body := (&mt.RPCError{ErrorCode: int32(err.Code), ErrorMessage: err.Text}).Append(nil)
	c.after(now, delay, func(now time.Time) { c.finish(now, q, body, true) })
}

// after runs f now or at a later input.
func (c *Cluster) after(now time.Time, delay time.Duration, f func(now time.Time)) {
	if delay <= 0 {
		f(now)
		return
	}
	c.timers.add(now.Add(delay), f)
}

// finish ends a query with its result. A query that was dropped, or whose session is forgotten, has ended already.
func (c *Cluster) finish(now time.Time, q *query, result []byte, failed bool) {
	s := q.s
	if s.gone || s.running[q.msgID] != q {
		return
	}
	delete(s.running, q.msgID)
	if q.lose {
		return // to the client it looks as if it ran for ever
	}
	answer := c.result(now, s, q.msgID, result, true)
	if in := s.received(q.msgID); in != nil {
		in.flags = in.flags&^inRunning | inDone
		if failed {
			in.flags |= inFailed
		}
		in.answer = answer
	}
	if len(s.waiting) > 0 {
		c.recheck(now, s)
	}
}

// result queues rpc_result and returns its msg_id.
func (c *Cluster) result(now time.Time, s *session, reqMsgID int64, result []byte, pack bool) int64 {
	if pack {
		result = c.deflate(result)
	}
	body := make([]byte, 0, 12+len(result))
	body = tl.AppendUint32(body, mt.RPCResultID)
	body = tl.AppendInt64(body, reqMsgID)
	body = append(body, result...)
	m := c.queue(now, s, body, true, idReply)
	m.request = reqMsgID
	return m.msgID
}

// downgrade rewrites a result or an update for a client of an older layer.
func (c *Cluster) downgrade(layer int, body []byte) ([]byte, error) {
	if layer == 0 || layer == tg.Layer || bodyID(body) == echo.EchoedID {
		return body, nil
	}
	out, err := tg.Downgrade(layer, body)
	if err != nil {
		return nil, fmt.Errorf("dctest: downgrade to layer %d: %w", layer, err)
	}
	return out, nil
}

func (c *Cluster) violateQuery(now time.Time, q *query, rule Rule, text string) {
	c.violate(Violation{At: now, DC: q.s.key.dc.id, Conn: q.conn, Key: int64(q.s.key.id()), Session: q.s.id,
		MsgID: q.msgID, Rule: rule, Text: text})
}

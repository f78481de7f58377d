package account

import (
	"time"

	"github.com/mtfleet/mtfleet/actors/binding"
	"github.com/mtfleet/mtfleet/mtproto/dc"
	"github.com/mtfleet/mtfleet/mtproto/standing"
	"github.com/mtfleet/mtfleet/tl"
	"github.com/mtfleet/mtfleet/tl/tg"
)

// This file takes queries to their DC and back: callers' and those of the
// account's own engines, all through the same two doors of standing.

// onCall admits a call and sends it, or ends it.
func (a *account) onCall(c *ctx, call *Call) {
	if call.ended.Load() {
		return // nobody waits for it any more
	}
	switch err := a.stand.Admit(c.Now(), &call.query); err {
	case nil:
		a.send(call)
	case standing.ErrParked:
		a.kept.Keep(call.query.ID, call)
	default:
		a.end(c, call, nil, err)
	}
}

// send sends an admitted call to its DC.
func (a *account) send(call *Call) {
	if call.Media {
		a.bindings.SendMedia(call.query.DC, a.message(call), call)
		return
	}
	a.bindings.Send(call.query.DC, a.message(call), call)
}

// message is a call as bindings know it. It comes back to Returned.
func (a *account) message(call *Call) binding.Call {
	call.account, call.proves, call.era = a.self, a.stand.Proves(&call.query), a.feed.Era()
	own := call.own != nil && call.query.Purpose != standing.ForMove
	return binding.Call{ID: call.id(), Method: call.Method, Body: call.Body, Policy: call.Policy, Own: own}
}

// Returned implements [bindings.Caller]: what is its caller's business alone goes to
// the caller directly, everything else to the account.
func (c *Call) Returned(body []byte, err error, on binding.Where) {
	if c.own == nil && (err != nil || !c.proves && !c.learns(body, on)) && !standing.NeedsPolicy(err) {
		c.finish(body, err)
		return
	}
	c.account.Send(callReturned{call: c, body: body, err: err, on: on})
}

// onReturned tells standing how a call ended, which may have it sent again.
// What a caller who has left was answered says as much of the account.
func (a *account) onReturned(c *ctx, m callReturned) {
	call := m.call
	switch a.stand.Returned(c.Now(), &call.query, whereOf(m.on), m.body, m.err) {
	case standing.FateOver:
		if m.err == nil && call.learns(m.body, m.on) {
			a.feed.Learn(c.Now(), call.Body, m.body)
		}
		a.end(c, call, m.body, m.err)
	case standing.FateJudged:
		a.kept.Keep(call.query.ID, call)
	case standing.FateOwn:
		if call.query.Purpose == standing.ForLogOut && m.err == nil {
			a.login.LoggedOut(m.body)
		}
	}
}

// end tells who asked how a call ended.
func (a *account) end(c *ctx, call *Call, body []byte, err error) {
	if call.own == nil {
		call.finish(body, err)
		return
	}
	switch own := call.own; call.query.Purpose {
	case standing.ForSignIn:
		a.login.Answered(c.Now(), own.step, body, err)
	case standing.ForUpdates:
		a.feed.Answered(c.Now(), own.question, body, err)
	case standing.ForConfig:
		a.config = a.env.dcs.Learn(c.Now(), body, err)
	case standing.ForMove:
		a.stand.MoveEnded(c.Now(), call.query.DC, err)
	case standing.ForExport, standing.ForImport, standing.ForGuestLogOut:
		a.bindings.Tell(own.binding, binding.Answered{ID: own.errand, Body: body, Err: err})
	}
}

// onCancel forgets a call nobody waits for, wherever it is.
func (a *account) onCancel(c *ctx, call *Call) {
	call.finish(nil, errLeft)
	a.withdraw(c, call.query.DC, call.query.ID)
}

// withdraw takes a call back: from standing, or from where it was sent, which
// then answers it.
func (a *account) withdraw(c *ctx, from dc.ID, id standing.CallID) {
	if call, ok := a.kept.Take(id); ok {
		a.stand.Canceled(c.Now(), id)
		a.end(c, call, nil, ErrStopped)
		return
	}
	a.bindings.Cancel(from, binding.QueryID(id))
}

// ask runs a query of one of the account's own engines, for what is in q.
func (a *account) ask(c *ctx, q standing.Call, query tl.Object, own ownCall) *Call {
	call := newOwn(q, query, own)
	a.onCall(c, call)
	return call
}

// askFor runs a query of standing's own. It is admitted already.
func (a *account) askFor(out standing.Output) {
	call := newOwn(out.Call, out.Query, ownCall{})
	if out.Call.Purpose == standing.ForConfirm {
		a.bindings.Confirm(a.message(call), call)
	} else {
		a.send(call)
	}
}

// fetchConfig asks for the table of DCs when nobody did within the hour.
func (a *account) fetchConfig(c *ctx) {
	a.config = time.Time{}
	if a.env.dcs.Claim(c.Now()) {
		a.ask(c, standing.Call{Purpose: standing.ForConfig, Repeatable: true}, &tg.HelpGetConfigRequest{}, ownCall{})
	}
}

func whereOf(on binding.Where) standing.Where {
	return standing.Where{DC: on.DC, Home: on.Home, Key: uint64(on.Key), Temp: on.Temp}
}

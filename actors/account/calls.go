package account

import (
	"cmp"
	"slices"

	"github.com/mtfleet/mtfleet/actors/binding"
	"github.com/mtfleet/mtfleet/actors/journal"
	"github.com/mtfleet/mtfleet/actors/peers"
	"github.com/mtfleet/mtfleet/actors/runtime"
	"github.com/mtfleet/mtfleet/mtproto/standing"
	"github.com/mtfleet/mtfleet/persistence"
	"github.com/mtfleet/mtfleet/tl"
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
		a.send(c, call)
	case standing.ErrParked:
		a.keep(call)
	default:
		a.end(c, call, nil, err)
	}
}

// send sends an admitted call on the connection of its DC, or to the binding
// that will have one.
func (a *account) send(c *ctx, call *Call) {
	p := a.peers.To(call.query.DC)
	if p == nil {
		a.homeless = append(a.homeless, call) // home is about to be opened
		return
	}
	call.at = p
	b := a.toBinding(call)
	route := a.peers.Route(p, b)
	if route.IsZero() {
		b.Reply = a.reply(p, call)
		a.peers.Tell(p, b)
		return
	}
	r, on := a.replier(p, call), route.Where()
	route.SendFor(b, func(body []byte, err error) { r.reply(body, err, on) })
}

// toBinding is a call as bindings know it, but for its reply.
func (a *account) toBinding(call *Call) binding.Call {
	own := call.own != nil && call.query.Purpose != standing.ForMove
	return binding.Call{ID: call.id(), Method: call.Method, Body: call.Body, Policy: call.Policy, Own: own}
}

// reply is how a call comes back: what is its caller's business alone goes to
// the caller directly, everything else to the account.
func (a *account) reply(p *peers.Peer, call *Call) func([]byte, error, binding.Where) {
	r := a.replier(p, call)
	return func(body []byte, err error, on binding.Where) { r.reply(body, err, on) }
}

// replier is what the way back of one call needs to know.
type replier struct {
	self   runtime.Ref[Message]
	peer   *peers.Peer
	call   *Call
	proves bool
}

func (a *account) replier(p *peers.Peer, call *Call) replier {
	p.Sent()
	return replier{a.self, p, call, a.stand.Proves(&call.query)}
}

func (r replier) reply(body []byte, err error, on binding.Where) {
	r.peer.Returned()
	if r.call.own == nil && (err != nil || !r.proves) && !standing.NeedsPolicy(err) {
		r.call.finish(body, err)
		return
	}
	r.self.Send(callReturned{call: r.call, body: body, err: err, on: on})
}

// onReturned tells standing how a call ended, which may have it sent again.
// What a caller who has left was answered says as much of the account.
func (a *account) onReturned(c *ctx, m callReturned) {
	call, on := m.call, whereOf(m.on)
	if call.at != nil && on.DC == 0 {
		on.DC, on.Home = call.at.DC(), call.at.IsHome()
	}
	switch a.stand.Returned(c.Now(), &call.query, on, m.err) {
	case standing.FateOver:
		a.end(c, call, m.body, m.err)
	case standing.FateJudged:
		a.keep(call)
	case standing.FateOwn:
		if call.query.Purpose == standing.ForLogOut && m.err == nil && a.tokens.LoggedOut(m.body) {
			a.storeTokens(c)
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
		a.onLoginAnswered(c, own, body, err)
	case standing.ForUpdates:
		if a.updates != nil && a.updates == own.updates {
			a.updates.Answered(c.Now(), own.place, body, err)
		}
	case standing.ForConfig:
		a.onConfig(c, body, err)
	case standing.ForMove:
		a.onMoved(c, call.query.DC, err)
	case standing.ForExport, standing.ForImport, standing.ForGuestLogOut:
		a.peers.Tell(own.peer, binding.Answered{ID: own.errand, Body: body, Err: err})
	}
}

// onCancel forgets a call nobody waits for, wherever it is.
func (a *account) onCancel(c *ctx, call *Call) {
	call.finish(nil, errLeft)
	a.withdraw(c, call)
}

// withdraw takes a call back: from standing, or from where it was sent, which
// then answers it.
func (a *account) withdraw(c *ctx, call *Call) {
	if a.kept[call.query.ID] != nil {
		a.stand.Canceled(c.Now(), call.query.ID)
		delete(a.kept, call.query.ID)
		a.end(c, call, nil, ErrStopped)
		return
	}
	if call.at != nil {
		a.peers.Tell(call.at, binding.Cancel{ID: call.id()})
	}
}

// ask runs a query of one of the account's own engines, for what is in q.
func (a *account) ask(c *ctx, q standing.Call, query tl.Object, own ownCall) *Call {
	call := newOwn(q, query, own)
	a.onCall(c, call)
	return call
}

// askFor runs a query of standing's own. It is admitted already.
func (a *account) askFor(c *ctx, out standing.Output) {
	call := newOwn(out.Call, out.Query, ownCall{})
	switch home := a.peers.Home(); {
	case home == nil:
		a.stand.Ended(c.Now(), &call.query, standing.Where{}, ErrStopped)
	case out.Call.Purpose == standing.ForConfirm:
		call.at = home
		b := a.toBinding(call)
		b.Reply = a.reply(home, call)
		a.peers.Tell(home, binding.Confirm{Call: b})
	default:
		a.send(c, call)
	}
}

// keep remembers a call that standing has.
func (a *account) keep(call *Call) {
	if a.kept == nil {
		a.kept = map[standing.CallID]*Call{}
	}
	a.kept[call.query.ID] = call
}

// take returns a call that standing had, nil when it was taken back.
func (a *account) take(q standing.Call) *Call {
	call := a.kept[q.ID]
	if delete(a.kept, q.ID); len(a.kept) == 0 {
		a.kept = nil
	}
	if call != nil {
		call.query = q
	}
	return call
}

// takeKept returns all of them, in the order they were made.
func (a *account) takeKept() []*Call {
	var all []*Call
	for _, call := range a.kept {
		all = append(all, call)
	}
	a.kept = nil
	slices.SortFunc(all, func(x, y *Call) int { return cmp.Compare(x.query.ID, y.query.ID) })
	return all
}

func whereOf(on binding.Where) standing.Where {
	return standing.Where{DC: on.DC, Home: on.Home, Key: uint64(on.Key), Temp: on.Temp}
}

// storeTokens keeps the future auth tokens. What is lost of them costs a code.
func (a *account) storeTokens(c *ctx) {
	a.store(c, journal.Work{Commit: persistence.Commit{Put: []persistence.Record{futuresRecord(a.id, a.tokens)}}}, nobodyWaits)
}

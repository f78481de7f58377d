package binding

import (
	"github.com/mtfleet/mtfleet/actors/dcconn"
	"github.com/mtfleet/mtfleet/actors/runtime"
	"github.com/mtfleet/mtfleet/mtproto/crypt"
	"github.com/mtfleet/mtfleet/mtproto/dc"
)

// Where is what a call was answered on. The zero Key says that nothing was
// sent.
type Where struct {
	DC   dc.ID
	Home bool
	Key  crypt.KeyID
	Temp bool // Key is a temp key
}

// Route is where calls may go at the moment: one connection under one key. It
// is small and comparable; the zero Route is none, and gives back what is sent
// there.
type Route struct {
	conn runtime.Ref[dcconn.Message]
	on   Where
}

// IsZero reports whether r leads nowhere.
func (r Route) IsZero() bool { return r.conn.IsZero() }

// Where returns what calls are answered on there.
func (r Route) Where() Where { return r.on }

// Send sends a call. A connection that takes no more calls gives it back.
func (r Route) Send(c Call) {
	if r.conn.IsZero() {
		c.giveBack()
		return
	}
	reply, on := c.Reply, r.on // what the closure keeps
	r.SendFor(c, func(body []byte, err error) { reply(body, err, on) })
}

// SendFor is Send for who keeps the route's Where beside the call: reply takes
// the place of c.Reply. r must lead somewhere.
func (r Route) SendFor(c Call, reply func(body []byte, err error)) {
	r.conn.Send(dcconn.Call{ID: c.ID, Method: c.Method, Body: c.Body, Policy: c.Policy, Reply: reply})
}

// flow is whether calls go.
type flow uint8

const (
	// flowLost: no connection stands under a key in use; calls are held. Left
	// when the serving connection's socket stands.
	flowLost flow = iota
	// flowHeld: a successor is being bound, and calls are held for it. Left by
	// the machine of the keys, with the one key or the other.
	flowHeld
	// flowTurning: the serving connection stands, but one that served before it
	// has not said yet that it sends nothing more; calls are held until then, so
	// that the server sees one session after the other. Left when it has, or
	// with the socket.
	flowTurning
	// flowOpen: the serving connection carries calls. Left with its socket or
	// its key, or when a successor is to be bound.
	flowOpen
)

// setFlow is the only way to another flow.
func (b *binding) setFlow(c *ctx, f flow, why string) {
	b.flow = f
	if f == flowOpen {
		if b.lastID != 0 {
			b.say(b.at(placeServing), dcconn.Follow{Last: b.lastID})
			b.lastID = 0
		}
		for _, call := range take(&b.own) {
			b.route().Send(call)
		}
		b.keyReady(c)
	}
	b.tell(why)
}

// flowOfServing goes on when the key in use or its socket is another.
func (b *binding) flowOfServing(c *ctx, why string) {
	switch ch := b.at(placeServing); {
	case ch == nil || !ch.up:
		b.setFlow(c, flowLost, why)
	case b.anotherSpeaks():
		b.setFlow(c, flowTurning, "")
	default:
		b.setFlow(c, flowOpen, "")
	}
}

// anotherSpeaks reports whether a connection that served before may still send
// something.
func (b *binding) anotherSpeaks() bool {
	for _, ch := range b.children {
		if ch.speaks && ch.place != placeServing {
			return true
		}
	}
	return false
}

// hushed hears that a connection sends nothing more, and what its last msg_id
// was. Calls may have waited for that.
func (b *binding) hushed(c *ctx, ch *child, last uint64) {
	ch.speaks, b.lastID = false, max(b.lastID, last)
	if b.flow == flowTurning {
		b.flowOfServing(c, "")
	}
}

// tell tells the account what has changed for its calls: on a guest DC they go
// when the authorization is there too.
func (b *binding) tell(why string) {
	to := b.flow
	if to == flowTurning {
		return // to the account calls are held, or have no route yet, as before
	}
	if to != flowLost && b.guest != nil && !b.guest.ready() {
		to = flowLost
	}
	if to == b.told && to != flowOpen {
		return
	}
	b.told = to
	switch to {
	case flowLost:
		b.notify(EventLost{why})
	case flowHeld:
		b.notify(EventHeld{})
	case flowOpen:
		if !b.forMedia() {
			b.cfg.Shared.lend(b.keys.Perm(), b.keys.Snapshot().TimeOffset)
		}
		b.notify(EventRoute{Route: b.route(), Perm: b.keys.PermID()})
		for _, call := range take(&b.held) {
			b.route().Send(call)
		}
	}
}

// tellAgain gives the account the route back that it gave up for a word about
// another key.
func (b *binding) tellAgain() {
	if b.carries() {
		b.notify(EventRoute{Route: b.route(), Perm: b.keys.PermID(), Again: true})
	}
}

// carries reports whether a caller's call can go now. A key that was refused
// stays in use for as long as a commit takes.
func (b *binding) carries() bool { return b.told == flowOpen && b.serves() }

// serves reports whether the machine still wants calls to go under the key in
// use.
func (b *binding) serves() bool {
	id, ok := b.keys.Serving()
	return ok && b.using != nil && id == b.using.key.ID()
}

// route is the way over the serving connection.
func (b *binding) route() Route {
	ch := b.at(placeServing)
	if ch == nil {
		return Route{}
	}
	return Route{ch.ref, Where{DC: b.cfg.ID.DC, Home: b.cfg.Home, Key: ch.key, Temp: ch.temp}}
}

// take empties a list and returns what it held.
func take[T any](list *[]T) []T {
	all := *list
	*list = nil
	return all
}

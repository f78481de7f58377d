package binding

import (
	"slices"

	"github.com/mtfleet/mtfleet/actors/dcconn"
)

// maxHeld bounds the callers' calls that wait in one binding while it cannot
// send: as many as one session has in flight. At the bound a call ends with
// *BusyError.
const maxHeld = 1024

// onCall sends a call, holds it, or ends it.
func (b *binding) onCall(c *ctx, call Call) {
	switch {
	case call.Own && b.flow == flowOpen && b.serves():
		b.route().Send(call)
		return
	case call.Own:
		b.own = append(b.own, call)
		b.hurry()
		return
	case b.carries():
		b.used(c)
		b.route().Send(call)
		return
	}
	b.used(c)
	if b.guest != nil {
		if err := b.guest.machine.Refusal(c.Now()); err != nil {
			call.end(&GuestError{DC: b.cfg.ID.DC, Err: err})
			return
		}
		b.guest.machine.Wanted(c.Now())
	}
	if len(b.held) >= maxHeld {
		call.end(&BusyError{Limit: maxHeld})
		return
	}
	b.held = append(b.held, call)
	b.patience(c)
	b.hurry()
}

// hurry tells the connection that the calls wait for that somebody does.
func (b *binding) hurry() {
	ch := b.at(placeServing)
	if ch == nil {
		ch = b.at(placeSuccessor)
	}
	if ch != nil && !ch.up {
		b.say(ch, dcconn.Hurry{})
	}
}

// awaited reports whether somebody waits for a connection.
func (b *binding) awaited() bool { return len(b.held)+len(b.own)+len(b.asks) > 0 }

// onCancel ends a call nobody waits for. Every connection may have it.
func (b *binding) onCancel(id QueryID) {
	gone := func(c Call) bool {
		if c.ID == id {
			c.end(&QueryError{Reason: dcconn.ErrCanceled, Fate: ErrNotSent})
		}
		return c.ID == id
	}
	b.own = slices.DeleteFunc(b.own, gone)
	b.held = slices.DeleteFunc(b.held, gone)
	b.asks = slices.DeleteFunc(b.asks, func(q *question) bool { return q.child == nil && gone(q.call) })
	for _, ch := range b.children {
		if ch.place < placeEnding {
			b.say(ch, dcconn.Cancel{ID: id})
		}
	}
}

// onRecall gives back the calls of a method, or of all, that were not sent.
func (b *binding) onRecall(m Recall) {
	back := func(c Call) bool {
		if m.Method != "" && m.Method != c.Method {
			return false
		}
		c.giveBack()
		return true
	}
	b.own = slices.DeleteFunc(b.own, back)
	b.held = slices.DeleteFunc(b.held, back)
	b.asks = slices.DeleteFunc(b.asks, func(q *question) bool { return q.child == nil && back(q.call) })
	if len(b.asks) > 0 && b.asks[0].child != nil {
		b.say(b.asks[0].child, dcconn.Recall(m))
	}
	if ch := b.at(placeServing); ch != nil {
		b.say(ch, dcconn.Recall(m))
	}
}

// endHeld ends the callers' calls that are held.
func (b *binding) endHeld(err error) {
	for _, call := range take(&b.held) {
		call.end(&GuestError{DC: b.cfg.ID.DC, Err: err})
	}
}

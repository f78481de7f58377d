package dcconn

import (
	"time"

	"github.com/mtfleet/mtfleet/actors/governor"
)

// drainState is how far Drain or Listen has come. In the last two the
// connection is silent.
type drainState uint8

const (
	// drainNone: calls are taken. Drain leads to draining, Listen to listening.
	drainNone drainState = iota
	// draining: no new calls; those under way may finish. The last one, or the
	// limit, leads to drained; Listen to listening.
	draining
	// listening: silent, with calls under way that may still be answered. The
	// last one, the limit, or the loss of the socket leads to drained.
	listening
	// drainedDone: silent, and EventDrained is told; calls that were kept may
	// still be answered. A further Drain or Listen leads to listening if there
	// are any.
	drainedDone
)

// silent reports whether nothing may be sent.
func (n *conn) silent() bool { return n.drain >= listening }

func (n *conn) onDrain(c *ctx, m Drain) {
	n.keep = m.Keep
	if n.silent() {
		n.drain = listening
	} else {
		n.drain = draining
	}
	n.awaitCalls(c, m.Limit)
}

func (n *conn) onListen(c *ctx, m Listen) {
	n.keep = false
	n.fallSilent(c)
	n.drain, n.owes = listening, true
	n.tellSilent()
	n.awaitCalls(c, m.Limit)
}

// awaitCalls sets the limit for the calls under way, or ends at once.
func (n *conn) awaitCalls(c *ctx, limit time.Duration) {
	c.After(timerDrain, limit, drained{})
	if n.drain == listening && n.state != socketUp {
		n.onDrainLimit(c) // nothing can be answered any more
		return
	}
	n.checkDrained(c)
}

// pendingCalls is how many calls have not ended.
func (n *conn) pendingCalls() int {
	if n.session == nil {
		return 0
	}
	return n.session.Pending()
}

// checkDrained ends the waiting for calls when the last one has ended.
func (n *conn) checkDrained(c *ctx) {
	if (n.drain == draining || n.drain == listening) && n.pendingCalls() == 0 {
		n.endDrain(c)
	}
}

// onDrainLimit gives back the calls that have not ended in time, or keeps them.
func (n *conn) onDrainLimit(c *ctx) {
	if n.drain != draining && n.drain != listening {
		return
	}
	if n.keep || n.session == nil {
		n.endDrain(c)
		return
	}
	for _, k := range n.calls {
		n.session.Cancel(c.Now(), k.id)
	}
	n.pump(c) // which ends it
}

// endDrain falls silent, if that is still to do, and says so.
func (n *conn) endDrain(c *ctx) {
	c.Cancel(timerDrain)
	n.fallSilent(c)
	n.drain = drainedDone
	n.notify(Event{Kind: EventDrained, Pending: n.pendingCalls(), Last: n.lastID()})
}

// fallSilent makes the connection silent, if it is not, and gives back the
// calls it can send no more. A socket that does not stand yet would be of no
// use: the server learns of it by what we send.
func (n *conn) fallSilent(c *ctx) {
	if n.silent() {
		return
	}
	n.drain = drainedDone // the end of a call here is not yet the end of the wait
	c.Cancel(timerSession)
	n.alarm = time.Time{}
	if n.state < socketUp {
		n.release(governor.Unknown)
		c.Cancel(timerRedial)
		n.state = socketParked
	}
	if n.session != nil {
		n.session.SetSilent(c.Now(), true)
		n.pump(c)
	}
}

// tellSilent says that nothing is sent any more, where that is owed and so: the
// ping of a probe may still wait.
func (n *conn) tellSilent() {
	if n.owes && n.silent() && (n.session == nil || !n.session.PingQueued()) {
		n.owes = false
		n.notify(Event{Kind: EventSilent, Last: n.lastID()})
	}
}

// lastID is the last msg_id that was used.
func (n *conn) lastID() uint64 {
	if n.session == nil {
		return 0
	}
	return n.session.LastID()
}

// onFollow has the session go on behind the one it replaces.
func (n *conn) onFollow(c *ctx, m Follow) {
	if n.session != nil {
		n.session.Follow(c.Now(), m.Last)
		n.pump(c)
	}
}

func (n *conn) onResume(c *ctx) {
	n.drain, n.owes = drainNone, false
	c.Cancel(timerDrain)
	if n.state == socketParked {
		n.want(c)
	}
	if n.session != nil {
		n.session.SetSilent(c.Now(), false)
		n.pump(c)
	}
}

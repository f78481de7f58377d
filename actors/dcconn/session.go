package dcconn

import (
	"errors"
	"slices"
	"time"

	"github.com/mtfleet/mtfleet/actors/governor"
	"github.com/mtfleet/mtfleet/mtproto"
)

// drainState is how far Drain has come.
type drainState uint8

const (
	// drainNone: calls are taken. Drain leaves it.
	drainNone drainState = iota
	// draining: no new calls; those under way may finish. The last one, or the
	// limit, leads to drainedDone.
	draining
	// drainedDone: nothing is pending and nothing is sent. Resume leaves it.
	drainedDone
)

func (n *conn) onRun(c *ctx, m Run) {
	if n.session != nil {
		return
	}
	if n.wish != nil {
		n.keyLost(c, ErrBusy)
	}
	s, err := mtproto.NewSession(m.Session, m.Key)
	if err != nil {
		// Only a configuration that cannot work: there is nothing to retry.
		n.release(governor.Unknown)
		n.state = socketEnded
		n.notify(Event{Kind: EventDown, Err: err})
		return
	}
	n.session = s
	if m.Bind != nil {
		s.Bind(c.Now(), m.Bind.Perm, m.Bind.ExpiresAt)
	}
	if n.state == socketUp {
		s.Connected(c.Now())
	}
	n.pump(c)
}

func (n *conn) onCall(c *ctx, m Call) {
	if n.session == nil || n.drain != drainNone || n.replies[m.ID] != nil {
		giveBack(m)
		return
	}
	if n.replies == nil {
		n.replies = make(map[mtproto.QueryID]func([]byte, error))
		n.hurry()
	}
	n.replies[m.ID] = m.Reply
	n.session.Send(c.Now(), m.ID, m.Body, m.Policy)
	n.pump(c)
}

func (n *conn) onCancel(c *ctx, m Cancel) {
	if n.session != nil {
		n.session.Cancel(c.Now(), m.ID)
		n.pump(c)
	}
}

// onDue is a deadline of the session or the handshake.
func (n *conn) onDue(c *ctx) {
	n.alarm = time.Time{}
	switch now := c.Now(); {
	case n.client != nil:
		n.client.Advance(now)
		n.pumpKey(c)
	case n.session != nil:
		// The timer may be early: it is not moved when the deadline moves away.
		if at := n.session.Deadline(); !at.IsZero() && !now.Before(at) {
			n.session.Advance(now)
		}
		n.pump(c)
	}
}

// pump does what the session asks for, then sets the timer.
func (n *conn) pump(c *ctx) {
	s := n.session
	var broken error
	for out, ok := s.Next(); ok; out, ok = s.Next() {
		switch out.Kind {
		case mtproto.OutPacket:
			if n.state == socketUp && !n.silent {
				_ = n.socket.Send(out.Packet) // if it fails, the socket is closing and says so
			}
		case mtproto.OutResult:
			n.reply(out.Query, out.Body, nil)
		case mtproto.OutFailed:
			n.reply(out.Query, nil, n.fate(out.Err))
		case mtproto.OutUpdates:
			n.notify(Event{Kind: EventUpdates, Updates: slices.Clone(out.Body)})
		case mtproto.OutGap:
			n.notify(Event{Kind: EventGap})
		case mtproto.OutSave:
			n.notify(Event{Kind: EventSave, Snapshot: s.Snapshot()})
		case mtproto.OutBound:
			n.notify(Event{Kind: EventBound})
		case mtproto.OutBindFailed:
			n.notify(Event{Kind: EventBindFailed, Err: out.Err})
		case mtproto.OutReconnect:
			broken = out.Err
		}
	}
	if broken != nil && n.state == socketUp {
		n.lost(c, broken) // which comes back here
		return
	}
	n.checkDrained(c)
	n.arm(c)
}

// fate turns "canceled" into "given back" for calls that Drain has ended.
func (n *conn) fate(err error) error {
	var q *mtproto.QueryError
	if n.drain != drainNone && errors.Is(err, mtproto.ErrCanceled) && errors.As(err, &q) {
		return &mtproto.QueryError{Reason: mtproto.ErrClosed, Fate: q.Fate}
	}
	return err
}

// arm sets the timer for the session's deadline. A timer that is early stays:
// moving it for each packet would cost more than waking once too often.
func (n *conn) arm(c *ctx) {
	at := n.session.Deadline()
	if n.silent || at.IsZero() || !n.alarm.IsZero() && !n.alarm.After(at) {
		return
	}
	n.alarm = at
	c.After(timerSession, at.Sub(c.Now()), due{})
}

func (n *conn) onDrain(c *ctx, m Drain) {
	if n.drain == drainedDone {
		n.notify(Event{Kind: EventDrained})
		return
	}
	n.drain = draining
	c.After(timerDrain, m.Limit, drained{})
	n.checkDrained(c)
}

// checkDrained falls silent when the last call has ended.
func (n *conn) checkDrained(c *ctx) {
	if n.drain != draining || n.session != nil && n.session.Pending() > 0 {
		return
	}
	c.Cancel(timerDrain)
	c.Cancel(timerSession)
	n.drain, n.silent, n.alarm = drainedDone, true, time.Time{}
	if n.state < socketUp { // a new socket would be of no use: the server learns of it by what we send
		n.release(governor.Unknown)
		c.Cancel(timerRedial)
		n.state = socketParked
	}
	n.notify(Event{Kind: EventDrained})
}

// onDrainLimit gives back the calls that have not ended in time.
func (n *conn) onDrainLimit(c *ctx) {
	if n.drain != draining || n.session == nil {
		return
	}
	for _, id := range n.pending() {
		n.session.Cancel(c.Now(), id)
	}
	n.pump(c)
}

func (n *conn) onResume(c *ctx) {
	n.drain, n.silent = drainNone, false
	c.Cancel(timerDrain)
	if n.state == socketParked {
		n.want(c)
	}
	if n.session != nil {
		n.pump(c)
	}
}

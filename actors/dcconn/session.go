package dcconn

import (
	"errors"
	"time"

	"github.com/mtfleet/mtfleet/actors/governor"
	"github.com/mtfleet/mtfleet/mtproto"
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
	n.session, n.offset = s, m.Session.TimeOffset
	s.SetSilent(c.Now(), n.silent())
	if m.Bind != nil {
		n.unbound = true
		s.Bind(c.Now(), m.Bind.Perm, m.Bind.ExpiresAt)
	}
	if n.state == socketUp {
		n.connected(c)
	}
	n.pump(c)
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
	n.gathered = 0
	if n.silent() { // what waits to be sent has nothing to wait for
		s.CancelQueued(c.Now())
	}
	for more := true; more; more = n.moreRoom(c) {
		if broken := n.pull(c); broken != nil && n.state == socketUp {
			n.lost(c, broken) // which comes back here
			return
		}
	}
	n.tellSilent()
	n.checkDrained(c)
	n.arm(c)
}

// moreRoom tells the session how the socket's queue stands. It is asked again
// after every pull: that the socket is seen without room is what makes it tell
// when there is more.
func (n *conn) moreRoom(c *ctx) bool {
	return n.state == socketUp && n.session.WantsRoom() && n.session.SetRoom(c.Now(), n.socket.Room())
}

// pull handles the outputs of the session, of which there may be none. The
// error means that the socket is of no use any more.
func (n *conn) pull(c *ctx) (broken error) {
	s := n.session
	if n.state == socketUp {
		s.SetRoom(c.Now(), n.socket.Room())
	}
	for out, ok := s.Next(); ok; out, ok = s.Next() {
		switch out.Kind {
		case mtproto.OutPacket:
			_ = n.socket.Send(out.Packet) // if it fails, the socket is closing and says so
		case mtproto.OutResult:
			n.reply(c, out.Query, out.Body, nil)
		case mtproto.OutFailed:
			n.reply(c, out.Query, nil, n.fate(out.Err))
		case mtproto.OutUpdates:
			n.onPush(out.Body)
		case mtproto.OutGap:
			n.notify(Event{Kind: EventGap})
		case mtproto.OutSave:
			n.notify(Event{Kind: EventSave, Snapshot: s.Snapshot()})
		case mtproto.OutBound:
			n.unbound = false
			n.tell(n.answered())
			n.attend(c)
			n.proved()
			n.notify(Event{Kind: EventBound})
		case mtproto.OutBindFailed:
			n.notify(Event{Kind: EventBindFailed, Err: out.Err})
		case mtproto.OutReconnect:
			broken = out.Err
		case mtproto.OutClock:
			n.tell(n.answered())
			n.attend(c)
			if !n.unbound {
				n.proved()
			}
			n.offset = out.Offset
			n.notify(Event{Kind: EventClock, Offset: out.Offset})
		case mtproto.OutPong:
			n.ponged(c)
			n.endProbe(c, true)
		}
	}
	return broken
}

// answered is what a valid packet of the session says of the DC. Under a temp key
// that is not bound yet any DC answers, also one that knows none of our perm keys.
func (n *conn) answered() governor.Outcome {
	if n.unbound {
		return governor.Worked
	}
	return governor.Answered
}

// fate turns "canceled" into "given back" for calls that Drain has ended.
func (n *conn) fate(err error) error {
	var q *mtproto.QueryError
	if n.drain != drainNone && errors.Is(err, mtproto.ErrCanceled) && errors.As(err, &q) {
		return &mtproto.QueryError{Reason: mtproto.ErrClosed, Fate: q.Fate}
	}
	return err
}

// restful is how long after the last call the timer is moved away again.
const restful = 5 * time.Second

// arm sets the timer for the session's deadline. While there are calls a timer
// that is early stays: moving it for each packet would cost more than waking once
// too often. A connection at rest is not woken without need: after a ping's pong
// the time by which it was to come is of no interest.
func (n *conn) arm(c *ctx) {
	at := n.session.Deadline()
	if at.IsZero() || !n.alarm.IsZero() && !n.alarm.After(at) && !n.resting(c.Now()) {
		return
	}
	n.alarm = at
	c.At(timerSession, at, due{})
}

// resting reports whether there was no call for a while.
func (n *conn) resting(now time.Time) bool { return len(n.calls) == 0 && now.Sub(n.quiet) >= restful }

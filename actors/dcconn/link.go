package dcconn

import (
	"context"
	"errors"
	"time"

	"github.com/mtfleet/mtfleet/actors/governor"
	"github.com/mtfleet/mtfleet/actors/runtime"
	"github.com/mtfleet/mtfleet/actors/wire"
	"github.com/mtfleet/mtfleet/mtproto"
	"github.com/mtfleet/mtfleet/mtproto/dc"
	"github.com/mtfleet/mtfleet/mtproto/handshake"
)

// link is where the socket is.
type link uint8

const (
	// linkPaused: a timer runs until the next dial is wanted. It leads to
	// linkWaiting.
	linkPaused link = iota
	// linkWaiting: the governor has our ticket. Its permit leads to
	// linkDialing. There is no timer: the governor wakes us.
	linkWaiting
	// linkDialing: a dial is under way on the pool. It leads to linkUp or
	// linkPaused.
	linkDialing
	// linkUp: packets flow. Its end leads to linkPaused, linkParked or linkEnded.
	linkUp
	// linkParked: there is no socket and none is wanted, for the connection is
	// silent. Resume leads to linkWaiting.
	linkParked
	// linkEnded: the DC does not know the session's key. Nothing leaves it.
	linkEnded
)

const (
	redialFirst = 100 * time.Millisecond
	redialMax   = 16 * time.Second
	// healthy is how long a socket must have lived for its successor to be
	// dialled at once.
	healthy = 10 * time.Second
	// settle is after which silence an open socket counts as working, for the
	// governor: nothing was sent, so nothing need have come.
	settle = 2 * time.Second
)

// want asks the governor for a permit to dial.
func (n *conn) want(c *ctx) {
	n.link = linkWaiting
	self := c.Self()
	t := &governor.Ticket{Kind: governor.Connect, DC: int(n.cfg.DC), Active: n.cfg.Active || n.busy()}
	t.Granted = func() { self.Send(permitted{t}) }
	n.ticket = t
	n.env.Governor.Send(governor.Want{Ticket: t})
}

// busy reports whether somebody waits for this connection.
func (n *conn) busy() bool { return len(n.replies) > 0 || n.wish != nil }

// hurry tells the governor that somebody has begun to wait.
func (n *conn) hurry() {
	if n.link == linkWaiting && !n.cfg.Active {
		n.env.Governor.Send(governor.Hurry{Ticket: n.ticket})
	}
}

func (n *conn) onPermitted(c *ctx, m permitted) {
	if m.ticket != n.ticket || n.link != linkWaiting {
		return
	}
	n.link = linkDialing
	n.epoch++
	table := n.env.Table()
	targets := table.Select(dc.Want{DC: n.cfg.DC, Media: n.cfg.Media, IPv6: n.env.IPv6})
	if k := len(targets); k > 1 { // after a failure begin at the next address
		first := int(n.tries) % k
		targets = append(targets[first:k:k], targets[:first]...)
	}
	dial, cancel := context.WithCancel(context.Background())
	n.cancel = cancel
	epoch, number := n.epoch, dc.Wire(n.cfg.DC, table.Test, n.cfg.Media)
	c.GoIO(func() Message {
		conn, err := n.env.Network.Dial(dial, targets, number)
		return dialed{epoch, conn, err}
	})
}

// listener passes a socket's packets on to its connection.
type listener struct {
	to    runtime.Ref[Message]
	epoch uint32
}

func (l *listener) Packet(p []byte)  { l.to.Send(received{l.epoch, p}) }
func (l *listener) Closed(err error) { l.to.Send(closed{l.epoch, err}) }

func (n *conn) onDialed(c *ctx, m dialed) {
	if m.epoch != n.epoch || n.link != linkDialing {
		if m.conn != nil {
			m.conn.Close()
		}
		return
	}
	n.cancel()
	n.cancel = nil
	if m.err != nil {
		n.lost(c, m.err)
		return
	}
	n.link, n.socket, n.upSince, n.proved = linkUp, m.conn, c.Now(), false
	n.socket.Start(&listener{c.Self(), n.epoch})
	c.After(timerSettle, settle, settled{})
	n.notify(Event{Kind: EventUp})
	switch {
	case n.session != nil:
		n.session.Connected(c.Now())
		n.pump(c)
	case n.wish != nil:
		n.makeKey(c)
	}
}

func (n *conn) onReceived(c *ctx, m received) {
	if m.epoch != n.epoch || n.link != linkUp {
		return // its socket is closed; nobody waits for the credit
	}
	n.socket.Release(len(m.packet))
	if !n.proved {
		n.tell(governor.Worked)
		c.Cancel(timerSettle)
	}
	switch {
	case n.session != nil:
		n.session.Receive(c.Now(), m.packet)
		n.pump(c)
	case n.client != nil:
		n.client.Receive(c.Now(), m.packet)
		n.pumpKey(c)
	}
}

func (n *conn) onClosed(c *ctx, m closed) {
	if m.epoch == n.epoch && n.link == linkUp {
		n.lost(c, m.err)
	}
}

// tell reports to the governor, once for each socket, how it went. A -429 is
// news at any time.
func (n *conn) tell(o governor.Outcome) {
	n.proved = true
	switch {
	case n.ticket != nil:
		n.env.Governor.Send(governor.Done{Ticket: n.ticket, Outcome: o})
		n.ticket = nil
	case o == governor.Flooded:
		n.env.Governor.Send(governor.Report{DC: int(n.cfg.DC), Outcome: o})
	}
}

// release lets go of ticket, dial and socket, whichever there is. Whatever
// they still send has an old epoch.
func (n *conn) release(o governor.Outcome) {
	n.tell(o)
	n.epoch++
	if n.cancel != nil {
		n.cancel()
		n.cancel = nil
	}
	if n.socket != nil {
		n.socket.Close()
		n.socket = nil
	}
}

// lost ends a socket or the attempt at one, and arranges for the next. It is
// the only way out of linkUp and linkDialing while the actor lives.
func (n *conn) lost(c *ctx, err error) {
	wasUp := n.link == linkUp
	code := asCode(err)
	switch {
	case code == wire.CodeFlood:
		n.release(governor.Flooded)
	case code != 0:
		n.release(governor.Worked) // it answers, whatever it says
	case ours(err):
		n.release(governor.Unknown)
	default:
		n.release(governor.Failed)
	}
	c.Cancel(timerSettle)
	if wasUp && n.session != nil {
		n.session.Disconnected(c.Now())
	}
	n.keyLost(c, err)
	pause := n.pause(c, wasUp, code, err)
	unknown := code == wire.CodeKeyUnknown && n.session != nil
	switch {
	case unknown:
		n.link = linkEnded
	case n.silent:
		n.link = linkParked
	default:
		n.link = linkPaused
		c.After(timerRedial, pause, redial{})
	}
	n.notify(Event{Kind: EventDown, Err: err})
	if unknown {
		n.notify(Event{Kind: EventKeyUnknown, Err: err})
	}
	if n.session != nil {
		n.pump(c)
	}
}

// ours reports whether an error says nothing about the DC.
func ours(err error) bool {
	var fenced *wire.FencedError
	var public *wire.NotLoopbackError
	return errors.As(err, &fenced) || errors.As(err, &public) || errors.Is(err, wire.ErrNoTarget) ||
		errors.Is(err, context.Canceled)
}

// pause returns how long to wait before the next dial, and decides whether to
// begin at another address: not after a socket that was good until it ended.
func (n *conn) pause(c *ctx, wasUp bool, code int32, err error) time.Duration {
	if wasUp && c.Now().Sub(n.upSince) >= healthy {
		n.backoff.Reset()
		if code == 0 && !judged(err) {
			return 0
		}
	}
	n.tries++
	d := n.backoff.Next(c.Rand())
	if code == wire.CodeInvalidDC {
		d = redialMax // only a new table of addresses helps
	}
	return d
}

// judged reports whether a session or a handshake gave up the socket, which
// by itself still stood.
func judged(err error) bool {
	var timeout *mtproto.TimeoutError
	var packet *mtproto.PacketError
	var resets *mtproto.ResetLimitError
	var step *handshake.StepError
	return errors.As(err, &timeout) || errors.As(err, &packet) || errors.As(err, &resets) || errors.As(err, &step)
}

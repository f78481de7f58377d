package dcconn

import (
	"errors"
	"time"

	"github.com/mtfleet/mtfleet/actors/governor"
	"github.com/mtfleet/mtfleet/actors/runtime"
	"github.com/mtfleet/mtfleet/mtproto"
	"github.com/mtfleet/mtfleet/mtproto/dc"
	"github.com/mtfleet/mtfleet/mtproto/handshake"
)

// socketState is where the socket is.
type socketState uint8

const (
	// socketPaused: a timer runs until the next dial is wanted. It leads to
	// socketWaiting.
	socketPaused socketState = iota
	// socketWaiting: the governor has our ticket. Its permit leads to
	// socketDialing. There is no timer: the governor wakes us.
	socketWaiting
	// socketDialing: a dial is under way. It leads to socketUp or
	// socketPaused.
	socketDialing
	// socketUp: packets flow. Its end leads to socketPaused, socketParked or socketEnded.
	socketUp
	// socketParked: there is no socket and none is wanted, for the connection is
	// silent. Resume leads to socketWaiting.
	socketParked
	// socketEnded: the DC does not know the session's key. Nothing leaves it.
	socketEnded
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

// number is the governor's of the DC: its addresses for media have one of their own,
// for they may be down while the others are not.
func (n *conn) number() int {
	if n.cfg.Media {
		return -int(n.cfg.DC)
	}
	return int(n.cfg.DC)
}

// want asks the governor for a permit to dial.
func (n *conn) want(c *ctx) {
	n.state = socketWaiting
	self := c.Self()
	t := &governor.Ticket{Kind: governor.Connect, DC: n.number(), Route: n.cfg.Way.Route, Active: n.cfg.Active || n.busy(), Who: n.cfg.Who}
	t.Granted = func() { self.Send(permitted{t}) }
	n.ticket, n.tried = t, governor.Tried{}
	n.env.Governor.Send(governor.Want{Ticket: t})
}

func (n *conn) onPermitted(c *ctx, m permitted) {
	if m.ticket != n.ticket || n.state != socketWaiting {
		return
	}
	n.state = socketDialing
	n.epoch++
	n.pulse = m.ticket.Pulse
	table := n.env.Table()
	self, epoch := c.Self(), n.epoch
	n.cancel = n.env.Network.Dial(n.targets(table), dc.Wire(n.cfg.DC, table.Test, n.cfg.Media), n.via(c.Now()), func(s Socket, err error) {
		self.Send(dialed{epoch, s, err})
	})
}

// listener passes a socket's packets on to its connection.
type listener struct {
	to    runtime.Ref[Message]
	epoch uint32
}

func (l *listener) Packet(p []byte)  { l.to.Send(received{l.epoch, p}) }
func (l *listener) Serve(p []byte)   { l.to.Deliver(received{l.epoch, p}) }
func (l *listener) Writable()        { l.to.Send(writable{l.epoch}) }
func (l *listener) Closed(err error) { l.to.Send(closed{l.epoch, err}) }

func (n *conn) onDialed(c *ctx, m dialed) {
	if m.epoch != n.epoch || n.state != socketDialing {
		if m.socket != nil {
			m.socket.Close()
		}
		return
	}
	n.cancel()
	n.cancel = nil
	n.tried = triedBy(m.socket, m.err)
	if m.err != nil {
		n.lost(c, m.err)
		return
	}
	n.state, n.socket, n.upSince, n.hurried = socketUp, m.socket, c.Now(), false
	n.told, n.proof = governor.Unknown, false
	n.socket.Start(&listener{c.Self(), n.epoch})
	c.After(timerSettle, settle, settled{})
	n.notify(Event{Kind: EventUp})
	switch {
	case n.session != nil:
		n.connected(c)
		n.pump(c)
	case n.wish != nil:
		n.makeKey(c)
	}
}

func (n *conn) onReceived(c *ctx, m received) {
	if m.epoch != n.epoch || n.state != socketUp {
		return // its socket is closed; nobody waits for the credit
	}
	n.socket.Release(len(m.packet))
	n.pulse.Beat(c.Now())
	n.checks = false
	if n.session == nil { // a session says more of it, see answered
		n.onSettled()
	}
	switch {
	case n.session != nil:
		n.session.Receive(c.Now(), m.packet)
		if took, answered := n.session.RoundTrip(); answered {
			n.pulse.Trip(c.Now(), n.tried.Reached, took)
		}
		n.pump(c)
	case n.client != nil:
		n.client.Receive(c.Now(), m.packet)
		n.pumpKey(c)
	}
}

func (n *conn) onWritable(c *ctx, m writable) {
	if m.epoch == n.epoch && n.state == socketUp && n.session != nil {
		n.pump(c)
	}
}

func (n *conn) onClosed(c *ctx, m closed) {
	if m.epoch == n.epoch && n.state == socketUp {
		n.lost(c, m.err)
	}
}

// onSettled counts a socket as working.
func (n *conn) onSettled() {
	if n.told == governor.Unknown {
		n.tell(governor.Worked)
	}
}

// tell reports to the governor, once for each socket, how it went. A -429 is
// news at any time, and the first answer under a key after all else.
func (n *conn) tell(o governor.Outcome) {
	news := o == governor.Flooded || o == governor.Answered && n.told != o
	n.told = o
	switch {
	case n.ticket != nil:
		n.env.Governor.Send(governor.Done{Ticket: n.ticket, Outcome: o, Tried: n.families(o)})
		n.ticket = nil
	case news:
		n.env.Governor.Send(governor.Report{DC: n.number(), Route: n.cfg.Way.Route, Outcome: o, Who: n.cfg.Who, Made: n.upSince})
	}
}

// release lets go of ticket, dial and socket, whichever there is. Whatever
// they still send has an old epoch.
func (n *conn) release(o governor.Outcome) {
	n.tell(o)
	n.unattend()
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
// the only way out of socketUp and socketDialing while the actor lives.
func (n *conn) lost(c *ctx, err error) {
	wasUp := n.state == socketUp
	code := CodeOf(err)
	n.release(outcomeOf(err))
	c.Cancel(timerSettle)
	n.checks = false
	if wasUp && !ours(err) {
		n.pulse.Lose(n.tried.Reached)
	}
	if wasUp && silence(err) {
		n.env.Governor.Send(governor.Silent{DC: n.number(), Route: n.cfg.Way.Route, Who: n.cfg.Who})
	}
	if wasUp && n.session != nil {
		n.session.Disconnected(c.Now())
	}
	n.keyLost(c, err)
	pause := n.pause(c, wasUp, code, err)
	unknown := code == CodeKeyUnknown && n.session != nil
	switch {
	case unknown:
		n.state = socketEnded
	case n.silent():
		n.state = socketParked
	default:
		n.state = socketPaused
		c.After(timerRedial, pause, redial{})
	}
	n.notify(Event{Kind: EventDown, Err: err})
	if unknown {
		n.notify(Event{Kind: EventKeyUnknown, Err: err})
	}
	n.endProbe(c, false)
	if n.session != nil {
		n.pump(c)
	}
	if n.drain == listening {
		n.onDrainLimit(c) // nothing can be answered any more
	}
}

// outcomeOf is what the end of a dial, or of a socket, says of the DC.
func outcomeOf(err error) governor.Outcome {
	switch code := CodeOf(err); {
	case code == CodeFlood:
		return governor.Flooded
	case code != 0:
		return governor.Worked // it answers, whatever it says
	case ours(err):
		return governor.Unknown
	}
	return governor.Failed
}

// pause returns how long to wait before the next dial, and decides whether to
// begin at another address: not after a socket that was good until it ended. All
// connections of the DC do after a dial that failed, this one after a socket that
// was of no use.
func (n *conn) pause(c *ctx, wasUp bool, code int32, err error) time.Duration {
	if err == errRerouted {
		n.backoff.Reset()
		return 0
	}
	if wasUp && c.Now().Sub(n.upSince) >= healthy && !fruitless(err) {
		n.backoff.Reset()
		if code == 0 && !judged(err) {
			return 0
		}
	}
	switch {
	case wasUp:
		n.tries++
	case !ours(err):
		n.env.addresses.fail(n.addresses())
	}
	d := n.backoff.Next(c.Rand())
	if code == CodeInvalidDC {
		d = redialMax // only a new table of addresses helps
	}
	return d
}

// fruitless reports whether a socket was of no use however long it lived: the
// server accepted nothing of what was sent.
func fruitless(err error) bool {
	var resets *mtproto.ResetLimitError
	return errors.As(err, &resets)
}

// silence reports whether a socket was given up because nothing came.
func silence(err error) bool {
	var timeout *mtproto.TimeoutError
	return errors.As(err, &timeout)
}

// judged reports whether a session or a handshake gave up the socket, which
// by itself still stood.
func judged(err error) bool {
	var timeout *mtproto.TimeoutError
	var packet *mtproto.PacketError
	var step *handshake.StepError
	return errors.As(err, &timeout) || errors.As(err, &packet) || errors.As(err, &step) || fruitless(err)
}

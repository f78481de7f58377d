package dcconn

import (
	"io"
	"sync/atomic"
	"time"

	"github.com/mtfleet/mtfleet/actors/governor"
	"github.com/mtfleet/mtfleet/mtproto/dc"
	"github.com/mtfleet/mtfleet/mtproto/handshake"
	"github.com/mtfleet/mtfleet/mtproto/proxy"
)

// This file asks a DC whether it is there, without an account: for the first answer
// of a handshake. No key is made by it.

const (
	// askTurn is how long the permit is waited for: while a DC is down there is one
	// in eight seconds at most, which the connections that wait are given too.
	askTurn = 10 * time.Second
	// askDial is longer than a dial takes by itself.
	askDial = 10 * time.Second
	// askAnswer is how long the answer may take, two round trips to the farthest DC
	// through a proxy.
	askAnswer = 5 * time.Second
)

// Asking is what Ask wants of who asks.
type Asking struct {
	DC   dc.ID
	Way  Way
	Now  func() time.Time
	Rand io.Reader // safe for concurrent use
	// Wait waits until ready, for a time at most. It may return early, when nobody
	// wants to know any more.
	Wait func(most time.Duration, ready func() bool)
}

// Ask reports whether a DC answers, whatever it says, and tells the governor, which
// permits it as it permits any dial: whoever waits for the DC may come when it did.
// It blocks, for 25 seconds at most.
func (e *Env) Ask(a Asking) bool {
	var granted atomic.Bool
	t := &governor.Ticket{Kind: governor.Connect, DC: int(a.DC), Route: a.Way.Route, Active: true, Granted: func() { granted.Store(true) }}
	e.Governor.Send(governor.Want{Ticket: t})
	outcome, tried := governor.Unknown, governor.Tried{}
	if a.Wait(askTurn, granted.Load); granted.Load() {
		outcome, tried = e.ask(a)
	}
	answers := outcome == governor.Worked || outcome == governor.Flooded
	if answers {
		t.Pulse.Beat(a.Now())
	}
	e.Governor.Send(governor.Done{Ticket: t, Outcome: outcome, Tried: tried})
	return answers
}

// ask dials and asks. The permit was given.
func (e *Env) ask(a Asking) (governor.Outcome, governor.Tried) {
	table := e.Table()
	targets := e.addresses.order(addressesOf{dc: a.DC, route: a.Way.Route}, table.Select(dc.Want{DC: a.DC, IPv6: true, Proxied: a.Way.Server != nil}), 0)
	var via *proxy.Via
	if a.Way.Server != nil {
		via = &proxy.Via{Server: a.Way.Server, Now: a.Now()}
	}
	type dialed struct {
		socket Socket
		err    error
	}
	var end atomic.Pointer[dialed]
	wire := dc.Wire(a.DC, table.Test, false)
	cancel := e.Network.Dial(targets, wire, via, func(s Socket, err error) {
		if !end.CompareAndSwap(nil, &dialed{s, err}) && s != nil {
			s.Close() // nobody waits for it
		}
	})
	defer cancel()
	a.Wait(askDial, func() bool { return end.Load() != nil })
	if end.CompareAndSwap(nil, &dialed{}) {
		return governor.Unknown, governor.Tried{}
	}
	d := end.Load()
	if d.err != nil {
		return outcomeOf(d.err), triedBy(nil, d.err)
	}
	defer d.socket.Close()
	h := &hearing{socket: d.socket}
	client := handshake.NewClient(handshake.ClientConfig{Rand: a.Rand, Keys: e.RSAKeys, DC: wire})
	client.Start(a.Now())
	out, _ := client.Next()
	if out.Kind != handshake.OutPacket {
		return governor.Unknown, governor.Tried{} // there is no randomness
	}
	h.socket.Start(h)
	if err := h.socket.Send(out.Packet); err != nil {
		return outcomeOf(err), governor.Tried{}
	}
	a.Wait(askAnswer, func() bool { return h.packet.Load() != nil || h.closed.Load() != nil })
	tried := triedBy(d.socket, nil)
	if packet := h.packet.Load(); packet != nil && first(client, a.Now(), *packet) {
		return governor.Worked, tried
	}
	if err := h.closed.Load(); err != nil {
		return outcomeOf(*err), governor.Tried{Missed: tried.Reached | tried.Missed}
	}
	return governor.Failed, governor.Tried{Missed: tried.Reached | tried.Missed}
}

// first reports whether a packet is the answer of a DC: it has our nonce, and a key
// we know.
func first(client *handshake.Client, now time.Time, packet []byte) bool {
	client.Receive(now, packet)
	for out, ok := client.Next(); ok; out, ok = client.Next() {
		if out.Kind == handshake.OutFailed {
			return false
		}
	}
	return true
}

// hearing is what a socket of an Ask delivers to: the first packet counts.
type hearing struct {
	socket Socket
	packet atomic.Pointer[[]byte]
	closed atomic.Pointer[error]
}

// Packet implements Handler.
func (h *hearing) Packet(p []byte) {
	h.packet.CompareAndSwap(nil, &p)
	h.socket.Release(len(p))
}

// Writable implements Handler.
func (h *hearing) Writable() {}

// Closed implements Handler.
func (h *hearing) Closed(err error) { h.closed.Store(&err) }

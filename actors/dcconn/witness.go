package dcconn

import (
	"time"

	"github.com/mtfleet/mtfleet/actors/governor"
)

// This file is the connection's part in finding out whether its DC answers
// anybody, see the vigil of actors/governor.

// connected begins a session on a socket, which pings at once.
func (n *conn) connected(c *ctx) {
	n.askedAt = c.Now()
	n.session.Connected(n.askedAt)
}

// attend tells the governor that this connection can be asked, once for each
// socket, when the DC has answered on it under a key.
func (n *conn) attend(c *ctx) {
	if n.witness != nil || n.told != governor.Answered || n.state != socketUp {
		return
	}
	self, w := c.Self(), &governor.Witness{DC: n.number(), Route: n.cfg.Way.Route, Who: n.cfg.Who}
	w.Ask = func(round uint32) { self.Send(ask{w, round}) }
	n.witness = w
	attend := governor.Attend{Witness: w}
	if !n.askedAt.IsZero() {
		attend.Took = c.Now().Sub(n.askedAt)
		n.askedAt = time.Time{}
	}
	n.env.Governor.Send(attend)
}

// unattend takes that back: the socket ends.
func (n *conn) unattend() {
	if n.witness != nil {
		n.env.Governor.Send(governor.Leave{Witness: n.witness})
		n.witness, n.askedAt = nil, time.Time{}
	}
}

// onAsk has the session ping now rather than at its own time, unless one is
// under way. Nothing but the session's own limits closes the socket.
func (n *conn) onAsk(c *ctx, m ask) {
	if m.witness != n.witness || n.session == nil || n.silent() || n.probing {
		return
	}
	if !n.session.PingOut() {
		n.askedAt = c.Now()
		n.session.Ping(n.askedAt)
		n.pump(c)
	}
	if m.witness == n.witness && n.session.PingOut() { // else the uplink is busy, or the socket lost
		n.env.Governor.Send(governor.Asked{Witness: m.witness, Round: m.round})
	}
}

// ponged hears that a ping that was asked for is answered.
func (n *conn) ponged(c *ctx) {
	if n.witness != nil && !n.askedAt.IsZero() {
		n.env.Governor.Send(governor.Took{Witness: n.witness, Time: c.Now().Sub(n.askedAt)})
	}
	n.askedAt = time.Time{}
}

package dcconn

import (
	"time"

	"github.com/mtfleet/mtfleet/actors/governor"
	"github.com/mtfleet/mtfleet/mtproto/proxy"
)

// This file is about the way to the DC: directly, or through a proxy.

// errRerouted is why a socket ends that leads another way than wanted.
var errRerouted error = rerouted{}

type rerouted struct{}

func (rerouted) Error() string { return "dcconn: the account's proxy was changed" }

// BlamesNobody says that the DC was not asked.
func (rerouted) BlamesNobody() {}

// via is the way of a dial at now, by our clock.
func (n *conn) via(now time.Time) *proxy.Via {
	if n.cfg.Way.Server == nil {
		return nil
	}
	return &proxy.Via{Server: n.cfg.Way.Server, Now: now.Add(n.offset)}
}

// onThrough leaves a way at once: nothing more is sent by it, and what was asked
// by it and is not answered is as after any lost socket.
func (n *conn) onThrough(c *ctx, m Through) {
	if n.cfg.Way.is(m.Way) {
		return
	}
	switch n.state {
	case socketUp, socketDialing:
		n.lost(c, errRerouted)
		n.cfg.Way = m.Way // what was said until here was of the old one
	case socketWaiting:
		n.release(governor.Unknown)
		n.cfg.Way = m.Way
		n.want(c)
	case socketPaused: // for a failure of the old one
		n.cfg.Way = m.Way
		n.backoff.Reset()
		c.Cancel(timerRedial)
		n.want(c)
	default:
		n.cfg.Way = m.Way
	}
}

package dcconn

import (
	"time"

	"github.com/mtfleet/mtfleet/mtproto"
)

// checkLimit is how long a Check waits: what a Session allows a pong at least
// while somebody waits for an answer.
const checkLimit = 5 * time.Second

// onCheck asks for a sign of life, or hears of one.
func (n *conn) onCheck(c *ctx, m Check) {
	if m.Back {
		n.backoff.Reset() // also for a socket that is about to fail by what was before
		if n.state == socketPaused {
			c.Cancel(timerRedial)
			n.want(c)
		}
		return
	}
	if n.state != socketUp || n.session == nil || n.silent() || n.probing || n.checks {
		return
	}
	n.checks = true
	c.After(timerCheck, checkLimit, checked{})
	n.session.Ping(c.Now())
	n.pump(c)
}

// onChecked ends a check. A ping that has not left yet proves nothing: the
// uplink is busy, and the session watches that it moves.
func (n *conn) onChecked(c *ctx) {
	if !n.checks || n.state != socketUp || n.session == nil {
		return
	}
	n.checks = false
	if n.session.PingQueued() {
		return
	}
	n.lost(c, &mtproto.TimeoutError{What: "pong", After: checkLimit})
}

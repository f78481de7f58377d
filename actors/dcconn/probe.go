package dcconn

// onProbe sends a ping whose answer, or the lack of it, is told once. A probe
// that comes while one is under way begins anew.
func (n *conn) onProbe(c *ctx, m Probe) {
	n.probing, n.owes = true, n.silent()
	if n.session == nil || n.state > socketUp { // there will be no socket to ask on
		n.endProbe(c, false)
		return
	}
	c.After(timerProbe, m.Limit, probed{})
	n.session.Ping(c.Now())
	n.pump(c)
}

// endProbe tells the answer to the probe under way, if there is one.
func (n *conn) endProbe(c *ctx, answered bool) {
	if !n.probing {
		return
	}
	n.probing = false
	c.Cancel(timerProbe)
	if n.session != nil {
		n.session.CancelPing(c.Now())
	}
	n.tellSilent()
	n.notify(Event{Kind: EventProbed, Answered: answered})
}

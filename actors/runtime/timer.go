package runtime

import "time"

// timerSlot is one kind of timer of one actor. The slot belongs to the actor;
// the function given to the clock knows kind and epoch only, and posts a tick.
type timerSlot[M any] struct {
	kind  int32
	epoch uint32
	timer Timer // nil when not armed
	m     M
	at    time.Time // that At was asked for, zero when not
}

// tick is the system message of a timer that fired.
type tick struct {
	kind  int32
	epoch uint32
}

func (s *timerSlot[M]) cancel() {
	if s.timer != nil {
		s.timer.Stop()
		s.timer = nil
	}
	var none M
	s.m, s.at = none, time.Time{}
	s.epoch++ // revokes a tick that is already queued
}

// After delivers m to this actor when d has passed. There is at most one timer
// of each kind: a new one replaces the old, whose message will not come, not
// even if it was due already. Ticks overtake queued messages.
func (c *Context[M]) After(kind int, d time.Duration, m M) {
	if c.state >= stateStopping {
		return
	}
	s := c.slot(kind)
	s.cancel()
	s.m = m
	t := tick{s.kind, s.epoch}
	s.timer = c.sys.opts.Clock.AfterFunc(max(d, 0), func() { c.PostSystemMessage(t) })
}

// At is After for a time, and Cancel for the zero one. To name the time again for
// which the timer stands already costs nothing, and leaves its message: an actor
// calls it with its engine's deadline whenever something has happened.
func (c *Context[M]) At(kind int, at time.Time, m M) {
	if at.IsZero() {
		c.Cancel(kind)
		return
	}
	if !c.slot(kind).at.Equal(at) {
		c.After(kind, at.Sub(c.Now()), m)
		c.slot(kind).at = at
	}
}

// Cancel revokes the timer of that kind, if there is one.
func (c *Context[M]) Cancel(kind int) {
	for i := range c.timers {
		if c.timers[i].kind == int32(kind) {
			c.timers[i].cancel()
		}
	}
}

func (c *Context[M]) slot(kind int) *timerSlot[M] {
	for i := range c.timers {
		if c.timers[i].kind == int32(kind) {
			return &c.timers[i]
		}
	}
	c.timers = append(c.timers, timerSlot[M]{kind: int32(kind)})
	return &c.timers[len(c.timers)-1]
}

// ticked delivers the message of a tick, unless it was revoked.
func (c *Context[M]) ticked(t tick) {
	for i := range c.timers {
		s := &c.timers[i]
		if s.kind == t.kind && s.epoch == t.epoch && s.timer != nil {
			m := s.m
			s.cancel()
			c.actor.Receive(c, m)
			return
		}
	}
}

package runtime

import "time"

// timerSlot is one kind of timer of one actor. The slot belongs to the actor;
// the clock is given a tick, which it posts.
type timerSlot[M any] struct {
	tick        // that the timer posts
	armed bool  // it has neither come nor been revoked
	timer Timer // an *alarm is kept for the next time
	m     M
	at    time.Time // that At was asked for, zero when not
}

// tick is the system message of a timer that fired.
type tick struct {
	kind  int32
	epoch uint32
}

func (s *timerSlot[M]) cancel() {
	if s.armed {
		s.timer.Stop()
	}
	s.revoke()
}

// revoke forgets the timer and its message, and a tick that is already queued.
func (s *timerSlot[M]) revoke() {
	var none M
	s.m, s.at, s.armed = none, time.Time{}, false
	s.epoch++
}

// After delivers m to this actor when d has passed. There is at most one timer
// of each kind: a new one replaces the old, whose message will not come, not
// even if it was due already. Ticks overtake queued messages.
func (c *Context[M]) After(kind int, d time.Duration, m M) {
	if c.state < stateStopping {
		c.slot(kind).set(&c.core, c.Now(), d, m)
	}
}

// At is After for a time, and Cancel for the zero one. To name the time again for
// which the timer stands already costs nothing, and leaves its message: an actor
// calls it with its engine's deadline whenever something has happened. To move it
// costs little.
func (c *Context[M]) At(kind int, at time.Time, m M) {
	if at.IsZero() {
		c.Cancel(kind)
		return
	}
	if s := c.slot(kind); c.state < stateStopping && !s.at.Equal(at) {
		now := c.Now()
		s.set(&c.core, now, at.Sub(now), m)
		s.at = at
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
	c.timers = append(c.timers, timerSlot[M]{tick: tick{kind: int32(kind)}})
	return &c.timers[len(c.timers)-1]
}

// set arms the timer for d from now, or moves it.
func (s *timerSlot[M]) set(c *core, now time.Time, d time.Duration, m M) {
	d = max(d, 0)
	if l := &c.sys.alarms; l.used() {
		s.revoke()
		a, _ := s.timer.(*alarm)
		if a == nil {
			a = &alarm{core: c, place: -1}
			s.timer = a
		}
		l.start(a, s.tick, now.Add(d))
	} else {
		s.cancel()
		t := s.tick
		s.timer = c.sys.opts.Clock.AfterFunc(d, func() { c.PostSystemMessage(t) })
	}
	s.m, s.armed = m, true
}

// ticked delivers the message of a tick, unless it was revoked.
func (c *Context[M]) ticked(t tick) {
	for i := range c.timers {
		if s := &c.timers[i]; s.armed && s.tick == t {
			m := s.m
			s.revoke()
			c.actor.Receive(c, m)
			return
		}
	}
}

package dctest

import (
	"time"

	"github.com/mtfleet/mtfleet/mtproto/crypt"
	"github.com/mtfleet/mtfleet/mtproto/dctest/api"
)

// drainPushes routes what the API half wants pushed.
func (c *Cluster) drainPushes(now time.Time) {
	for {
		p, ok := c.api.NextPush()
		if !ok {
			return
		}
		c.push(now, p)
	}
}

// push queues one payload to the sessions it is meant for, in the constructors of their layer.
func (c *Cluster) push(now time.Time, p api.Push) {
	d := c.dc(p.DC)
	if d == nil {
		return
	}
	perm := d.keys[crypt.KeyID(p.Perm)]
	if perm == nil {
		return
	}
	eachSession(perm, func(s *session) {
		switch {
		case p.Session != 0 && s.id != p.Session,
			p.Session == 0 && !s.subscribed,
			p.ExceptSession != 0 && s.id == p.ExceptSession:
			return
		}
		body, err := c.downgrade(s.key.layer, p.Body)
		if err != nil {
			return // not expressible at that layer: the client finds it by getDifference
		}
		if s.conn == nil && len(s.unacked) >= maxUnacked/2 {
			// Too much for somebody who is not there: the session is forgotten, and new_session_created will tell.
			c.forgetSession(s)
			return
		}
		c.pushTo(now, s, body)
	})
}

// pushTo passes a push to one session through the faults.
func (c *Cluster) pushTo(now time.Time, s *session, body []byte) {
	p := place{dc: s.key.dc.id, perm: s.key.ownerID()}
	if s.conn != nil {
		p.conn = s.conn.id
	}
	if c.hit(now, FaultPushLost, p) != nil {
		return
	}
	copies := 1
	if c.hit(now, FaultPushTwice, p) != nil {
		copies = 2
	}
	for range copies {
		if s.late == nil && c.hit(now, FaultPushReorder, p) != nil {
			c.pushLate(now, s, body)
			continue
		}
		c.queue(now, s, body, true, idPush)
		if late := s.late; late != nil {
			s.late = nil
			c.queue(now, s, *late, true, idPush)
		}
	}
}

// pushLate holds a push back until the next has overtaken it, a second at most.
func (c *Cluster) pushLate(now time.Time, s *session, body []byte) {
	late := &body
	s.late = late
	c.timers.add(now.Add(swapTimeout), func(now time.Time) {
		if s.late == late && !s.gone {
			s.late = nil
			c.queue(now, s, body, true, idPush)
		}
	})
}

// PushUpdate appends one update to a user's log and pushes it to the user's sessions. It returns the pts after it.
func (c *Cluster) PushUpdate(now time.Time, userID int64) (int32, error) {
	pts, err := c.api.PushUpdate(now, userID)
	c.settle(now)
	return pts, err
}

// Push sends a payload as the server's own initiative, for tests of what clients do with it.
func (c *Cluster) Push(now time.Time, p api.Push) {
	c.push(now, p)
	c.settle(now)
}

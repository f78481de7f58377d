package api

import (
	"time"

	"github.com/mtfleet/mtfleet/tl"
)

// This file is the second sequence of a bot, its qts: who stopped it and who started it again.

// stop is one updateBotStopped of a bot. Bound: Config.LogMax of them; older ones are told to nobody any more.
type stop struct {
	at      time.Time
	qts     int32
	user    int64
	stopped bool
}

func (s *stop) append(b []byte) []byte {
	return append(b, value(updateBotStoppedID, s.user, int(s.at.Unix()), s.stopped, int(s.qts))...)
}

// stoppedSince lists what is after a qts.
func (u *user) stoppedSince(qts int32, m *mentioned) (list []tl.Raw) {
	for i := range u.stops {
		if s := &u.stops[i]; s.qts > qts {
			m.user(s.user)
			list = append(list, s.append(nil))
		}
	}
	return list
}

// block answers contacts.block, unblock contacts.unblock. A bot that is blocked is told (updateBotStopped).
func (c *call) block() ([]byte, *Error)   { return c.setBlocked(true) }
func (c *call) unblock() ([]byte, *Error) { return c.setBlocked(false) }

func (c *call) setBlocked(blocked bool) ([]byte, *Error) {
	a := c.args() // flags, id
	t, err := c.peer(a[1])
	switch {
	case err != nil:
		return nil, err
	case t.user == nil || t.user == c.user:
		return nil, errPeerIDInvalid
	}
	d := c.user.dialogWith(t.id)
	if d.blocked == blocked {
		return value(true), nil
	}
	d.blocked = blocked
	if bot := t.user; bot.bot {
		bot.qts++
		s := stop{c.req.Now, bot.qts, c.user.id, blocked}
		if bot.stops = append(bot.stops, s); len(bot.stops) > c.b.cfg.LogMax {
			bot.stops = bot.stops[1:]
		}
		m := mentioned{users: []int64{c.user.id}}
		c.b.pushHome(bot, nil, c.b.updates(c.req.Now, bot, &m, s.append(nil)))
	}
	return value(true), nil
}

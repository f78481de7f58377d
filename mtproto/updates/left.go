package updates

import (
	"slices"
	"time"
)

// This file is the end of a channel that the account has left. What is missing of it
// is asked for first: the server may still bring it. Then it is remembered where it
// was: a push may come late, or again, and is no beginning; and who comes back soon
// goes on from there.

const (
	// leftMost is how many are remembered, 56 bytes each; the one that was left
	// longest ago makes way.
	leftMost = 64
	// leftWait is for how long. By then the session has told of a push or is
	// another, and a channel that the server has renumbered begins anew.
	leftWait = 15 * time.Minute
)

// left is a channel that is followed no longer, and how far it was delivered.
type left struct {
	Channel
	safe int32 // see channel
	at   time.Time
}

// leave ends with a channel that the account may not read any more, when nothing is
// missing of it.
func (m *Machine) leave(now time.Time, c *channel) {
	if c.trouble != nil {
		c.trouble.leaves = true
		return
	}
	s := m.chans
	s.left = slices.DeleteFunc(s.left, func(l left) bool { return l.ID == c.ID || now.Sub(l.at) >= leftWait })
	if len(s.left) == leftMost {
		s.left = slices.Delete(s.left, 0, 1)
	}
	s.left = append(s.left, left{c.Channel, c.safe, now})
	m.remove(now, c)
}

// leftAt is how far a channel was delivered that was left a short while ago, 0 for
// any other.
func (m *Machine) leftAt(now time.Time, id int64) int32 {
	if i := m.leftIndex(now, id); i >= 0 {
		return m.chans.left[i].Pts
	}
	return 0
}

func (m *Machine) leftIndex(now time.Time, id int64) int {
	if m.chans == nil {
		return -1
	}
	return slices.IndexFunc(m.chans.left, func(l left) bool { return l.ID == id && now.Sub(l.at) < leftWait })
}

// goOn follows a channel again that was left a short while ago, from where it was;
// nil for any other.
func (m *Machine) goOn(now time.Time, id int64, env *envelope) *channel {
	i := m.leftIndex(now, id)
	if i < 0 {
		return nil
	}
	was := m.chans.left[i]
	m.chans.left = slices.Delete(m.chans.left, i, i+1)
	c := m.follow(now, was.Channel, env)
	c.safe = was.safe
	return c
}

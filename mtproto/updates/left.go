package updates

import (
	"slices"
	"time"
)

// This file remembers where a channel was that the account has left. The server
// may send a push again that it does not know to have arrived, also after that:
// it is no beginning.

const (
	// leftMost is how many are remembered, 48 bytes each; the one that was left
	// longest ago makes way.
	leftMost = 64
	// leftWait is for how long. By then the session has told of a push or is
	// another, and a channel that the server has renumbered begins anew.
	leftWait = 15 * time.Minute
)

// left is a channel that is followed no longer, and how far it was delivered.
type left struct {
	Channel
	at time.Time
}

// leave ends with a channel that the account may not read any more.
func (m *Machine) leave(now time.Time, c *channel) {
	s := m.chans
	s.left = slices.DeleteFunc(s.left, func(l left) bool { return l.ID == c.ID || now.Sub(l.at) >= leftWait })
	if len(s.left) == leftMost {
		s.left = slices.Delete(s.left, 0, 1)
	}
	s.left = append(s.left, left{c.Channel, now})
	m.unfollow(now, c)
}

// leftAt is how far a channel was delivered that was left a short while ago, 0 for
// any other.
func (m *Machine) leftAt(now time.Time, id int64) int32 {
	if m.chans == nil {
		return 0
	}
	for _, l := range m.chans.left {
		if l.ID == id && now.Sub(l.at) < leftWait {
			return l.Pts
		}
	}
	return 0
}

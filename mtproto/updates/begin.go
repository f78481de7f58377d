package updates

import (
	"cmp"
	"slices"
	"time"
)

// This file is the beginning of a channel that nobody followed.

// A first is one of the first updates that are heard of a channel.
type first struct {
	channel int64
	item    item
}

// begin begins with the channels that are heard of for the first time in an
// envelope. What was before it is the past. The server lists updates in any order:
// the earliest says where we begin. There are as many as the envelope holds.
func (m *Machine) begin(now time.Time) {
	if m.chans == nil || m.chans.firsts == nil {
		return
	}
	list := m.chans.firsts
	m.chans.firsts = nil
	slices.SortStableFunc(list, func(a, b first) int { return cmp.Compare(a.item.start, b.item.start) })
	for _, f := range list {
		c := m.channelAt(f.channel)
		if c == nil {
			c = m.goOn(now, f.channel, f.item.env)
		}
		if c == nil {
			c = m.follow(now, Channel{ID: f.channel, Pts: int32(f.item.start)}, f.item.env)
			c.begun = c.Pts
			if m.known && !m.arrived {
				// An earlier process may have followed it, and been killed before that
				// was stored.
				m.channelHole(c.ID, 0, c.begun)
				c.begun = 0
			}
		}
		m.continueChannel(now, c, f.item)
	}
}

// late names what was before a channel was begun with and shows by one of it that
// comes after all: it is out of order, and the server is not asked for the past.
// What comes from within that is named once.
func (m *Machine) late(c *channel, i item) {
	m.channelHole(c.ID, int32(i.start), c.begun)
	c.begun = int32(i.start)
}

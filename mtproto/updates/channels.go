package updates

import (
	"cmp"
	"slices"
	"time"

	"github.com/mtfleet/mtfleet/tl/tg"
)

// Bounds of what a machine does about channels.
const (
	// channelsMost is how many are followed: an account can be a member of 1,000,
	// a bot of any number. 4096 are 230 KiB. For one more, the one that moved
	// longest ago is followed no longer: with its next update we begin anew
	// there, and whether something was before it nobody will know.
	channelsMost = 4096
	// channelAsksMost is how many differences of channels are under way at a time,
	// of an account. After a night away it has some hundred to ask for; four at a
	// time and 50 ms of way are eighty a second, and a thousand accounts that come
	// back together have 4,000 answers of 100 messages on their way at most.
	channelAsksMost = 4
	// userChannelLimit and botChannelLimit: how much a difference may hold, for users and
	// for bots. https://core.telegram.org/method/updates.getChannelDifference
	userChannelLimit = 100
	botChannelLimit  = 100_000
	// Pages is in how many records the channels of an account are stored, by the
	// remainder of their id: a channel that moves has one written anew, of 64
	// channels at most where they are spread evenly, some 1.3 KB.
	Pages = 64
)

// channels are those that a machine follows.
type channels struct {
	all    []*channel // by id
	active []*channel // those with trouble, in the order of its beginning
	left   []left     // those that the account has left, in that order
	tick   uint32     // the last moved
	dirty  uint64     // pages that are not saved, by their bits
	begun  bool       // one is followed that was never saved
	firsts []first    // of channels that are not followed, out of the envelope at hand
}

// A Page is the channels of one record.
type Page struct {
	Number   int // 0 to Pages-1
	Channels []Channel
}

// PageOf is the page that a channel is in.
func PageOf(id int64) int { return int(uint64(id) % Pages) }

func byID(c *channel, id int64) int { return cmp.Compare(c.ID, id) }

// channelAt returns a channel that is followed, nil for another.
func (m *Machine) channelAt(id int64) *channel {
	if m.chans == nil {
		return nil
	}
	if i, ok := slices.BinarySearchFunc(m.chans.all, id, byID); ok {
		return m.chans.all[i]
	}
	return nil
}

// channels returns those that are followed, where there are to be some.
func (m *Machine) channels() *channels {
	if m.chans == nil {
		m.chans = &channels{}
	}
	return m.chans
}

// follow begins with a channel at a place.
func (m *Machine) follow(now time.Time, at Channel, env *envelope) *channel {
	s := m.channels()
	s.begun = len(s.all) < channelsMost // past the bound it may be many a second
	if !s.begun {
		m.remove(now, slices.MinFunc(s.all, func(a, b *channel) int { return cmp.Compare(a.moved, b.moved) }))
	}
	c := &channel{Channel: at, safe: at.Pts}
	i, _ := slices.BinarySearchFunc(s.all, at.ID, byID)
	s.all = slices.Insert(s.all, i, c)
	s.tick++
	c.moved = s.tick
	m.learn(now, c, env)
	m.touch(now, c)
	return c
}

// unfollow ends with a channel. If something was missing of it, that and all up to
// where it is begun with anew will not come.
func (m *Machine) unfollow(now time.Time, c *channel) {
	if c.trouble != nil {
		m.channelHole(c.ID, c.Pts, 0)
	}
	m.remove(now, c)
}

func (m *Machine) remove(now time.Time, c *channel) {
	s := m.chans
	if c.trouble != nil {
		c.trouble.box.drop(&m.kept)
		s.calm(c)
	}
	m.touch(now, c)
	s.all = slices.DeleteFunc(s.all, func(other *channel) bool { return other == c })
}

// calm ends a channel's trouble.
func (s *channels) calm(c *channel) {
	c.trouble = nil
	if s.active = slices.DeleteFunc(s.active, func(other *channel) bool { return other == c }); len(s.active) == 0 {
		s.active = nil
	}
}

// moveChannel takes over a channel's place. What lies between was delivered, or
// named by a hole, before.
func (m *Machine) moveChannel(now time.Time, c *channel, pts int32) {
	m.chans.tick++
	c.Pts, c.moved = pts, m.chans.tick
	m.moved(now, c)
}

// touch notes that what is stored of a channel is another.
func (m *Machine) touch(now time.Time, c *channel) {
	m.chans.dirty |= 1 << PageOf(c.ID)
	m.unsaved(now)
}

// channelHole says that updates of a channel will not come. 0 is a place that
// nobody knows.
func (m *Machine) channelHole(id int64, from, to int32) {
	m.told(1, 0)
	m.emit(Output{Kind: OutHole, Box: Box{BoxChannel, id}, Mark: m.mark, From: State{Pts: from}, To: State{Pts: to}})
}

// turn ends an input: it asks for the differences that are wanted, as many as may
// be at a time, and has a channel's first place saved.
func (m *Machine) turn(now time.Time) {
	if m.chans != nil && m.chans.begun {
		m.chans.begun = false
		m.save(true)
	}
	if m.full() && (m.phase == PhaseCurrent || m.phase == PhaseGap) {
		m.ask() // as soon as there is room
	}
	if m.chans == nil || len(m.chans.active) == 0 || m.phase == PhaseNew || m.behind() {
		return
	}
	asked := 0
	for _, c := range m.chans.active {
		if c.trouble.phase == channelFetching {
			asked++
		}
	}
	for i := 0; i < len(m.chans.active); {
		c := m.chans.active[i]
		switch {
		case c.trouble.phase != channelWaiting:
		case c.Hash == 0 && !m.bot: // a bot may ask without
			m.giveUp(now, c)
			continue // it is no longer among them
		case asked < channelAsksMost:
			asked++
			m.askChannel(c)
		}
		i++
	}
}

func (m *Machine) askChannel(c *channel) {
	t := m.becomeChannel(c, channelFetching)
	m.calls++
	t.call, t.again = m.calls, false
	limit := int32(userChannelLimit)
	if m.bot {
		limit = botChannelLimit
	}
	m.emit(Output{
		Kind: OutGetChannelDifference, Call: t.call, Box: Box{BoxChannel, c.ID}, State: State{Pts: c.Pts},
		Query: &tg.UpdatesGetChannelDifferenceRequest{
			Channel: &tg.InputChannel{ChannelID: c.ID, AccessHash: c.Hash}, Filter: &tg.ChannelMessagesFilterEmpty{},
			Pts: max(c.Pts, 1), Limit: limit, // 0 is no place
		},
	})
}

// asking returns the channel that a call is for, nil if it is for none any more.
func (m *Machine) asking(id CallID) *channel {
	if m.chans == nil || id == 0 {
		return nil
	}
	for _, c := range m.chans.active {
		if c.trouble.phase == channelFetching && c.trouble.call == id {
			return c
		}
	}
	return nil
}

// channelDeadline is when advanceChannels is wanted, zero for never.
func (m *Machine) channelDeadline() (d time.Time) {
	if m.chans == nil {
		return d
	}
	for _, c := range m.chans.active {
		if until := c.trouble.until; !until.IsZero() && (d.IsZero() || until.Before(d)) {
			d = until
		}
	}
	return d
}

// advanceChannels wants the differences of those that have waited long enough.
func (m *Machine) advanceChannels(now time.Time) {
	if m.chans == nil {
		return
	}
	for _, c := range m.chans.active {
		if t := c.trouble; !t.until.IsZero() && !now.Before(t.until) {
			m.becomeChannel(c, channelWaiting)
		}
	}
}

// pages takes what is to be saved of channels.
func (m *Machine) pages() (list []Page) {
	if m.chans == nil || m.chans.dirty == 0 {
		return nil
	}
	var at [Pages]int
	for n := range Pages {
		if m.chans.dirty&(1<<n) != 0 {
			list = append(list, Page{Number: n})
			at[n] = len(list)
		}
	}
	m.chans.dirty = 0
	for _, c := range m.chans.all {
		if i := at[PageOf(c.ID)]; i > 0 {
			list[i-1].Channels = append(list[i-1].Channels, Channel{c.ID, c.Hash, c.safe})
		}
	}
	return list
}

// restore takes over the channels of a snapshot.
func (m *Machine) restore(list []Channel) {
	if len(list) == 0 {
		return
	}
	list = slices.SortedFunc(slices.Values(list), func(a, b Channel) int { return cmp.Compare(a.ID, b.ID) })
	m.chans = &channels{}
	for _, c := range list {
		if n := len(m.chans.all); n < channelsMost && (n == 0 || m.chans.all[n-1].ID != c.ID) {
			m.chans.all = append(m.chans.all, &channel{Channel: c, safe: c.Pts})
		}
	}
}

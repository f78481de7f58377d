package updates

import (
	"time"

	"github.com/mtfleet/mtfleet/tl"
)

// A Channel is what is stored of one channel: how it is asked for, and where we
// are in it.
type Channel struct {
	ID   int64
	Hash int64 // the account's access_hash for it; 0 is not known
	Pts  int32
}

// channel is one that is followed. While nothing is wrong with it this is all of
// it: 48 bytes, and 8 in the list.
type channel struct {
	Channel
	safe    int32  // the pts that may be stored; see durable.go
	begun   int32  // where it was begun with by an update, 0 if not so or not in this numbering; see late
	moved   uint32 // counts on with every channel that moves: the smallest moved longest ago
	trouble *trouble
}

// channelPhase is what is done about a channel.
type channelPhase uint8

const (
	// channelCurrent: as far as we know, nothing is missing. Updates are
	// delivered as they come.
	channelCurrent channelPhase = iota
	// channelGap: something is missing and may still arrive. Left when it does,
	// or to Waiting half a second later.
	channelGap
	// channelWaiting: its difference is wanted; a few are asked for at a time.
	channelWaiting
	// channelFetching: updates.getChannelDifference is under way.
	channelFetching
	// channelRetrying waits to ask again after a failure.
	channelRetrying
)

// trouble is what a channel needs while something is missing.
type trouble struct {
	phase channelPhase
	box   box       // updates ahead of its pts
	until time.Time // end of Gap and Retrying
	call  CallID    // of Fetching
	again bool      // ask once more after the answer under way

	leaves bool // the account has left: it is the end when nothing is missing any more

	failures, unreadable, fruitless, barren int // in a row
}

// phase is what is done about it.
func (c *channel) phase() channelPhase {
	if c.trouble == nil {
		return channelCurrent
	}
	return c.trouble.phase
}

// becomeChannel is the only way to another phase of a channel.
func (m *Machine) becomeChannel(c *channel, p channelPhase) *trouble {
	switch {
	case p == channelCurrent:
		if c.trouble != nil {
			m.chans.calm(c)
		}
		return nil
	case c.trouble == nil:
		c.trouble = &trouble{}
		m.chans.active = append(m.chans.active, c)
	}
	c.trouble.phase, c.trouble.until, c.trouble.call = p, time.Time{}, 0
	return c.trouble
}

// takeChannel takes an update that concerns the place of a channel. It reports
// false for any other, and for those that are handed on besides.
func (m *Machine) takeChannel(now time.Time, u tl.Raw, env *envelope) bool {
	id := u.ID()
	if _, ok := hintFields[id]; ok || id == updateChannelID {
		m.begin(now) // it is about the channel as the updates before it left it
	}
	if at, ok := hintFields[id]; ok {
		if p, ok := readPlace(u, at); ok {
			m.hint(now, p, env, id == updateChannelTooLongID)
		}
		return id == updateChannelTooLongID
	}
	if id == updateChannelID {
		m.channelChanged(now, u, env)
		return false
	}
	p, ok := channelPlace(u)
	if ok {
		m.pushChannel(now, p, []tl.Raw{u}, env)
	}
	return ok
}

// pushChannel takes updates at a place of a channel; none, if only the place is
// known to move. Those of a channel that is not followed wait for begin.
func (m *Machine) pushChannel(now time.Time, p place, list []tl.Raw, env *envelope) {
	c := m.channelAt(p.channel)
	if p.pts < 0 || p.count < 0 || p.count > p.pts {
		if c != nil { // no such place
			m.want(now, c)
		}
		return
	}
	i := item{start: int64(p.pts) - int64(p.count), end: int64(p.pts), updates: list, env: env}
	switch {
	case c == nil && i.start < int64(m.leftAt(now, p.channel)):
		return // had already
	case c == nil:
		s := m.channels()
		s.firsts = append(s.firsts, first{p.channel, i})
		return
	}
	m.learn(now, c, env)
	m.continueChannel(now, c, i)
}

// continueChannel takes an item of a channel that is followed.
func (m *Machine) continueChannel(now time.Time, c *channel, i item) {
	switch pos := int64(c.Pts); {
	case i.start < pos && i.start < int64(c.begun):
		m.late(c, i)
	case m.behind():
		m.want(now, c)
	case c.trouble == nil && i.start == pos:
		m.deliver(i.updates, i.env)
		m.moveChannel(now, c, int32(i.end))
	case i.start < pos: // had already
	default:
		m.keepChannel(now, c, i)
	}
}

// keepChannel keeps what comes too early. Past the bound what is kept of the
// channel is dropped, and the difference, which holds it all, is asked for.
func (m *Machine) keepChannel(now time.Time, c *channel, i item) {
	t := c.trouble
	if t == nil {
		t = m.becomeChannel(c, channelGap)
	}
	if !t.box.add(&m.kept, i) {
		t.box.drop(&m.kept)
		m.want(now, c)
	}
	m.settleChannel(now, c)
}

// hint hears that a channel is at a place, or, with tooLong, that what is missing
// of it has to be asked for. Of a channel that is not followed nobody knows what
// that is: it is told as a hole without a beginning.
func (m *Machine) hint(now time.Time, p place, env *envelope, tooLong bool) {
	c := m.channelAt(p.channel)
	switch {
	case c == nil && (!tooLong || m.behind() && m.phase != PhaseFetching && m.phase != PhaseLoading):
		// While nothing more is taken, the difference that is asked for afterwards says it again.
	case c == nil && p.pts > 0 && p.pts < m.leftAt(now, p.channel): // it is late
	case c == nil && p.pts > 0 && m.leftAt(now, p.channel) > 0:
		m.goOn(now, p.channel, env)
		m.hint(now, p, env, tooLong)
	case c == nil:
		m.channelHole(p.channel, 0, p.pts)
		if p.pts > 0 {
			m.follow(now, Channel{ID: p.channel, Pts: p.pts}, env)
		}
	case p.pts > 0 && p.pts <= c.Pts: // we are there
	case tooLong:
		m.learn(now, c, env)
		m.want(now, c)
		c.trouble.box.lost = max(c.trouble.box.lost, int64(p.pts))
	case p.pts > c.Pts:
		m.learn(now, c, env)
		t := c.trouble
		if t == nil {
			t = m.becomeChannel(c, channelGap)
		}
		t.box.lost = max(t.box.lost, int64(p.pts))
		m.settleChannel(now, c)
	}
}

// channelChanged hears that the account's standing in a channel is another: one
// that it has left, or may not read any more, is not followed.
func (m *Machine) channelChanged(now time.Time, u tl.Raw, env *envelope) {
	p, ok := readPlace(u, fields{channel: 0, pts: -2})
	c := m.channelAt(p.channel)
	if !ok || c == nil {
		return
	}
	s := env.see(p.channel)
	if s.gone {
		m.leave(now, c)
		return
	}
	if s.known && c.trouble != nil {
		c.trouble.leaves = false
	}
	if s.hash != 0 && s.hash != c.Hash {
		c.Hash = s.hash
		m.touch(now, c)
	}
}

// learn takes over how a channel is asked for, if that is not known.
func (m *Machine) learn(now time.Time, c *channel, env *envelope) {
	if c.Hash != 0 || env == nil {
		return
	}
	if c.Hash = env.see(c.ID).hash; c.Hash != 0 {
		m.touch(now, c)
	}
}

// want has the difference of a channel asked for.
func (m *Machine) want(now time.Time, c *channel) {
	switch c.phase() {
	case channelCurrent, channelGap:
		m.becomeChannel(c, channelWaiting)
	case channelFetching:
		c.trouble.again = true
	case channelWaiting, channelRetrying:
	}
}

// settleChannel delivers what continues a channel and says whether something is
// missing. It does nothing while the server is asked, or is to be.
func (m *Machine) settleChannel(now time.Time, c *channel) {
	t := c.trouble
	if t == nil || t.phase != channelGap {
		return
	}
	moved := m.applyChannel(now, c)
	t.box.wait(now, moved)
	switch {
	case !t.box.empty():
		t.until = t.box.since.Add(gapWait)
	case t.box.lost <= int64(c.Pts):
		m.rest(now, c)
	case t.until.IsZero():
		t.until = now.Add(gapWait)
	}
}

// rest ends a channel's trouble: nothing is missing any more, or nothing more of it is
// to be had.
func (m *Machine) rest(now time.Time, c *channel) {
	leaves := c.trouble.leaves
	m.becomeChannel(c, channelCurrent)
	if leaves {
		m.leave(now, c)
	}
}

// applyChannel delivers what continues a channel's sequence. Neighbours out of one
// envelope go together.
func (m *Machine) applyChannel(now time.Time, c *channel) (moved bool) {
	var (
		batch []tl.Raw
		env   *envelope
		pos   = int64(c.Pts)
	)
	for i, ok := c.trouble.box.take(&m.kept, pos); ok; i, ok = c.trouble.box.take(&m.kept, pos) {
		if env != i.env {
			m.deliver(batch, env)
			batch, env = nil, i.env
		}
		batch = append(batch, i.updates...)
		pos, moved = i.end, true
	}
	m.deliver(batch, env)
	if moved {
		m.moveChannel(now, c, int32(pos))
	}
	return moved
}

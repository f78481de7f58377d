package updates

import (
	"errors"
	"time"

	"github.com/mtfleet/mtfleet/mtproto/tgerr"
	"github.com/mtfleet/mtfleet/tl"
	"github.com/mtfleet/mtfleet/tl/tg"
)

// This file takes the answers of updates.getChannelDifference. The timeout in them
// is for who shows a channel without being its member: members are pushed to.

const (
	fieldEmptyPts      = 1 // of updates.channelDifferenceEmpty
	fieldChannelPts    = 1 // of updates.channelDifference, to the end
	fieldChannelNew    = 3
	fieldChannelOthers = 4
	fieldChannelChats  = 5
	fieldChannelUsers  = 6
	fieldLongDialog    = 2 // of updates.channelDifferenceTooLong
	fieldLongChats     = 4
	fieldDialogPts     = 10 // of dialog

	flagFinal     = 1 << 0 // of all three
	flagDialogPts = 1 << 0

	dialogID = 0xfc89f7f3
)

// onChannelDifference takes an answer.
func (m *Machine) onChannelDifference(now time.Time, c *channel, body tl.Raw) {
	ok := false
	if cut, whole := cutUp(body); whole {
		switch body.ID() {
		case tg.UpdatesChannelDifferenceEmptyID:
			ok = m.channelIs(now, c, cut.int(fieldEmptyPts))
		case tg.UpdatesChannelDifferenceID:
			ok = m.onChannelAll(now, c, &cut)
		case tg.UpdatesChannelDifferenceTooLongID:
			ok = m.onChannelTooLong(now, c, &cut)
		}
	}
	t := c.trouble
	switch {
	case ok && t != nil:
		t.failures, t.unreadable = 0, 0
	case ok:
	default:
		// Asked again, another form may come. In the end it is better to miss
		// updates by name than to stand still.
		if t.unreadable++; t.unreadable >= unreadableMost {
			m.giveUp(now, c)
			return
		}
		m.retryChannel(now, c, 0)
	}
}

// channelIs ends the asking: the channel is at a place, and so are we. Like its
// siblings it reports false for an answer that makes no sense.
func (m *Machine) channelIs(now time.Time, c *channel, pts int32) bool {
	if pts < 0 {
		return false
	}
	t, before := c.trouble, c.Pts
	if pts != c.Pts {
		if pts < c.Pts { // renumbered; what is kept is in the old numbers
			t.box.drop(&m.kept)
			t.box.lost, c.begun = 0, 0
		}
		m.moveChannel(now, c, pts)
	}
	again := t.again
	t.barren = 0
	m.becomeChannel(c, channelGap)
	m.settleChannel(now, c)
	switch {
	case c.trouble == nil, c.Pts != before:
		t.fruitless = 0
	default:
		if t.fruitless++; t.fruitless >= fruitlessMost {
			m.giveUp(now, c)
		}
	}
	if again && m.channelAt(c.ID) == c {
		m.want(now, c)
	}
	return true
}

// onChannelAll takes what has happened, to the end or, if it is not final, a part.
func (m *Machine) onChannelAll(now time.Time, c *channel, cut *cut) bool {
	pts, final := cut.int(fieldChannelPts), cut.int(0)&flagFinal != 0
	t := c.trouble
	switch {
	case pts < c.Pts:
		return false // leads back: it would be asked for for ever
	case pts > c.Pts || final:
		t.barren = 0
	default:
		if t.barren++; t.barren > barrenMost {
			return false
		}
	}
	m.deliverChannel(now, c, cut, pts)
	if final {
		return m.channelIs(now, c, pts)
	}
	if pts != c.Pts {
		m.moveChannel(now, c, pts)
	}
	m.becomeChannel(c, channelWaiting)
	return true
}

// deliverChannel hands on what a difference up to a pts holds, in the order of its
// lists. Updates past its end, and of other sequences, are taken like pushes.
func (m *Machine) deliverChannel(now time.Time, c *channel, cut *cut, to int32) {
	env := newEnvelope(0, cut.list(fieldChannelUsers), cut.list(fieldChannelChats))
	var list []tl.Raw
	for _, msg := range cut.list(fieldChannelNew) {
		list = append(list, wrapMessage(updateNewChannelMessageID, msg))
	}
	for _, u := range cut.list(fieldChannelOthers) {
		p, ok := channelPlace(u)
		switch {
		case ok && p.channel == c.ID && p.pts <= c.Pts && p.count > 0: // had already
		case ok && p.channel == c.ID && p.pts <= to:
			list = append(list, u)
		case !m.take(now, u, env):
			list = append(list, u)
		}
	}
	m.begin(now)
	m.deliver(list, env)
	m.learn(now, c, env)
}

// onChannelTooLong goes on from where the channel is: the server does not bring
// what lies between.
func (m *Machine) onChannelTooLong(now time.Time, c *channel, cut *cut) bool {
	dialog, ok := cutUp(cut.bytes(fieldLongDialog))
	if !ok || tl.Raw(dialog.raw).ID() != dialogID || dialog.int(0)&flagDialogPts == 0 {
		return false
	}
	pts := dialog.int(fieldDialogPts)
	if pts < c.Pts {
		return false
	}
	m.learn(now, c, newEnvelope(0, nil, cut.list(fieldLongChats)))
	if pts > c.Pts {
		m.channelHole(c.ID, c.Pts, pts)
	}
	return m.channelIs(now, c, pts)
}

// channelFailed says that a channel's call came to nothing.
func (m *Machine) channelFailed(now time.Time, c *channel, err error) {
	var remembered interface{ WaitUntil() time.Time }
	e, said := tgerr.As(err)
	switch {
	case errors.As(err, &remembered):
		t := m.becomeChannel(c, channelRetrying)
		t.until = now.Add(min(max(remembered.WaitUntil().Sub(now), time.Second), retryMost))
	case tgerr.Is(err, "PERSISTENT_TIMESTAMP_INVALID", "PERSISTENT_TIMESTAMP_EMPTY"):
		m.unfollow(now, c) // the server does not know our place: we begin anew
	case said && channelOver(e):
		if c.Hash != 0 && !m.bot {
			c.Hash = 0 // perhaps it is that; it is learned with the next update
			m.touch(now, c)
		}
		m.giveUp(now, c)
	default:
		wait, _ := e.Wait()
		m.retryChannel(now, c, wait)
	}
}

// channelOver reports whether an error says that there is nothing to be had of a
// channel from here: it may not be read, or is not known by what we know of it.
func channelOver(e *tgerr.Error) bool {
	switch e.Class() {
	case tgerr.ClassBadRequest, tgerr.ClassForbidden:
		return true
	}
	return false
}

// retryChannel asks again after a pause of at least the given length.
func (m *Machine) retryChannel(now time.Time, c *channel, least time.Duration) {
	t := m.becomeChannel(c, channelRetrying)
	pause := min(time.Second<<min(t.failures, 6), retryMost)
	t.failures++
	t.until = now.Add(max(pause, least))
}

// giveUp goes on without what the server does not bring, by name: with what is
// kept, where there is something. Otherwise nobody knows what is missing, and the
// place stays where it is.
func (m *Machine) giveUp(now time.Time, c *channel) {
	t := c.trouble
	skipTo := func(pts int64) {
		if pts > int64(c.Pts) {
			m.channelHole(c.ID, c.Pts, int32(pts))
			m.moveChannel(now, c, int32(pts))
		}
	}
	known := !t.box.empty() || t.box.lost > int64(c.Pts)
	for !t.box.empty() {
		skipTo(t.box.items[0].start)
		m.applyChannel(now, c)
	}
	skipTo(t.box.lost)
	if !known {
		m.channelHole(c.ID, c.Pts, 0)
	}
	m.rest(now, c)
}

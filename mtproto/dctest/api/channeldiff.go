package api

import (
	"time"

	"github.com/mtfleet/mtfleet/tl"
	"github.com/mtfleet/mtfleet/tl/tg"
)

// Constructors of updates.getChannelDifference.
const (
	channelDifferenceEmptyID   uint32 = 0x3e11affb
	channelDifferenceID        uint32 = 0x2064674e
	channelDifferenceTooLongID uint32 = 0xa4bcc6fe
	channelMessagesFilterID    uint32 = 0xcd77d957
)

var errRangesInvalid = &Error{400, "RANGES_INVALID"}

// Bounds of the updates in one answer, as the method's page gives them.
const (
	maxChannelDifference    = 100
	maxChannelDifferenceBot = 100_000
)

const (
	flagFinal   = 1 << 0
	flagTimeout = 1 << 1
)

// channelDifference answers updates.getChannelDifference: nothing new, what is new, a part of it (not final), or that it
// is too much, with the dialog to go on from. Too much is what the log has lost and, where Config.ChannelTooLong is set,
// more than that many pts.
func (c *call) channelDifference() ([]byte, *Error) {
	a := c.args() // flags, channel, filter, pts, limit
	ch, err := c.inputChannel(a[1])
	if err != nil {
		return nil, err
	}
	l, pts := &ch.log, a.int32(3)
	switch {
	case pts == 0:
		return nil, errPtsEmpty
	case pts < 0 || pts > l.pts:
		return nil, errPtsInvalid
	case badRanges(a[2]):
		return nil, errRangesInvalid
	}
	most := maxChannelDifference
	if c.user.bot {
		most = maxChannelDifferenceBot
	}
	limit := min(max(int(a.int32(4)), 1), most)
	most = c.b.cfg.ChannelTooLong
	switch {
	case pts == l.pts:
		return c.appendTimeout(value(channelDifferenceEmptyID, flagFinal|c.timeoutFlag(), int(pts))), nil
	case pts < l.floor || most > 0 && int(l.pts-pts) > most:
		return c.channelTooLong(ch, limit), nil
	}
	entries, skip, all := l.slice(pts, limit)
	var m mentioned
	var messages, other [][]byte
	for i := range entries {
		e := &entries[i]
		e.mention(&m, c.user)
		if e.kind == entryMessage {
			messages = append(messages, e.message.append(nil, c.user))
		} else {
			other = append(other, e.appendChannelUpdate(nil, ch, c.user, skip))
		}
		skip = 0
	}
	m.channel(ch)
	flags := c.timeoutFlag()
	if all {
		flags |= flagFinal
	}
	out := c.appendTimeout(value(channelDifferenceID, flags, int(entries[len(entries)-1].pts)))
	out = appendVector(appendVector(out, messages), other)
	return m.appendPeople(m.appendChats(out, c.b, c.user), c.b, c.user), nil
}

// timeoutFlag and appendTimeout say when to ask again, if that is to be said.
func (c *call) timeoutFlag() int {
	if c.b.cfg.ChannelTimeout < 0 {
		return 0
	}
	return flagTimeout
}

func (c *call) appendTimeout(out []byte) []byte {
	if c.b.cfg.ChannelTimeout < 0 {
		return out
	}
	return tl.AppendInt32(out, int32(wholeSeconds(c.b.cfg.ChannelTimeout)))
}

// channelTooLong is where a client goes on that is too far behind: the dialog, whose pts it takes over, and the newest
// messages.
func (c *call) channelTooLong(ch *channel, limit int) []byte {
	list := ch.log.history(0, min(limit, maxChannelDifference), func(*message) bool { return true })
	m := mentioned{channels: []*channel{ch}}
	top, read, unread := 0, int32(0), 0
	bodies := make([][]byte, 0, len(list))
	for _, msg := range list {
		top = max(top, int(msg.id))
		m.message(c.user, msg)
		bodies = append(bodies, msg.append(nil, c.user))
	}
	if mb := ch.member(c.user); mb != nil {
		read, unread = mb.read, ch.unread(c.user, mb.read)
	}
	out := c.appendTimeout(value(channelDifferenceTooLongID, flagFinal|c.timeoutFlag()))
	out = append(out, value(dialogID, 1, peerChannelID, ch.id, top, int(read), 0, unread, 0, 0, 0, peerNotifySettingsID, 0, int(ch.log.pts))...)
	out = appendVector(out, bodies)
	return m.appendPeople(m.appendChats(out, c.b, c.user), c.b, c.user)
}

// badRanges tells whether a ChannelMessagesFilter has a range that ends before it begins. A filter narrows nothing here:
// the real servers may answer more than was asked for, too.
func badRanges(filter []byte) bool {
	r := tl.NewReader(filter)
	if r.ID() != channelMessagesFilterID {
		return false
	}
	r.Int32() // flags
	for range r.VectorLen(12) {
		r.ID()
		if least, most := r.Int32(), r.Int32(); least > most {
			return true
		}
	}
	return false
}

// movedSince lists the channels of a user that have moved since a date, as updateChannelTooLong: updates.getDifference
// names them in place of what is new in them.
func (c *call) movedSince(date int32, m *mentioned) (list []tl.Raw) {
	if c.b.cfg.NoChannelHints || !tg.LayerHas(c.req.Layer, channelID) { // a channel of that layer is not known here
		return nil
	}
	since := int64(date) - int64(c.b.cfg.ChannelHintSlack/time.Second)
	for _, ch := range c.b.channels.order {
		if mb := ch.member(c.user); mb != nil && ch.log.moved.Unix() >= since {
			m.channel(ch)
			list = append(list, ch.tooLong())
		}
	}
	return list
}

package api

import (
	"encoding/binary"

	"github.com/mtfleet/mtfleet/tl"
)

// Constructors of what reads messages.
const (
	affectedMessagesID    uint32 = 0x84d19185
	messagesMessagesID    uint32 = 0x1d73e7ea
	messagesSliceID       uint32 = 0x5f206716
	channelMessagesID     uint32 = 0xc776ba4e
	resolvedPeerID        uint32 = 0x7f077ad9
	inputReplyToMessageID uint32 = 0x3bd4b7c2
	maxHistory                   = 100 // messages of one answer
)

// replyID reads which message an InputReplyTo names, 0 for other kinds of replies.
func replyID(b []byte) int32 {
	if binary.LittleEndian.Uint32(b) != inputReplyToMessageID {
		return 0
	}
	return tl.NewReader(b[8:]).Int32() // behind id and flags
}

// listed answers a list of messages in the constructor of a box: messages.messages, or messages.channelMessages with
// the channel's pts. Messages that are not there are messageEmpty.
func (c *call) listed(ch *channel, list []*message, missing []int32, count int) []byte {
	var m mentioned
	bodies := make([][]byte, 0, len(list)+len(missing))
	for _, msg := range list {
		m.message(c.user, msg)
		bodies = append(bodies, msg.append(nil, c.user))
	}
	for _, id := range missing {
		bodies = append(bodies, value(messageEmptyID, 0, int(id)))
	}
	var out []byte
	switch {
	case ch != nil:
		m.channel(ch)
		out = value(channelMessagesID, 0, int(ch.log.pts), count)
	case count > len(bodies):
		out = value(messagesSliceID, 0, count)
	default:
		out = value(messagesMessagesID)
	}
	out = appendVector(out, bodies)
	out = tl.AppendVectorHeader(out, 0) // topics
	out = m.appendChats(out, c.b, c.user)
	return m.appendPeople(out, c.b, c.user)
}

// getHistory answers messages.getHistory, newest first.
func (c *call) getHistory() ([]byte, *Error) {
	a := c.args() // peer, offset_id, offset_date, add_offset, limit, max_id, min_id, hash
	t, err := c.peer(a[0])
	if err != nil {
		return nil, err
	}
	box, fits := &c.user.log, func(m *message) bool { return m.peer == t.id }
	if t.channel != nil {
		box, fits = &t.channel.log, func(*message) bool { return true }
	}
	limit, least, most := int(a.int32(4)), a.int32(6), a.int32(5)
	all := box.history(0, len(box.messages), fits)
	list := box.history(a.int32(1), min(max(limit, 0), maxHistory), func(m *message) bool {
		return fits(m) && m.id > least && (most == 0 || m.id < most)
	})
	return c.listed(t.channel, list, nil, len(all)), nil
}

// named finds messages of a box by a Vector<InputMessage>.
func (a *args) named(i int, box *updateLog) (list []*message, missing []int32) {
	for _, in := range a.list(i) {
		r := tl.NewReader(in)
		id := int32(0)
		switch r.ID() {
		case inputMessageIDID:
			id = r.Int32()
		case inputMessageReplyToID:
			if m := box.messages[r.Int32()]; m != nil {
				id = m.replyTo
			}
		}
		if m := box.messages[id]; m != nil {
			list = append(list, m)
		} else {
			missing = append(missing, id)
		}
	}
	return list, missing
}

// getMessages answers messages.getMessages: private messages by id.
func (c *call) getMessages() ([]byte, *Error) {
	a := c.args() // id
	list, missing := a.named(0, &c.user.log)
	if len(list)+len(missing) > maxHistory {
		return nil, errInputRequestTooLong
	}
	return c.listed(nil, list, missing, len(list)+len(missing)), nil
}

// readHistory answers messages.readHistory of a private dialog: one pts, and the other side hears of it.
func (c *call) readHistory() ([]byte, *Error) {
	a := c.args() // peer, max_id
	t, err := c.peer(a[0])
	switch {
	case err != nil:
		return nil, err
	case t.channel != nil:
		return nil, errPeerIDInvalid // channels.readHistory is for them
	}
	newest := c.user.log.history(0, 1, func(m *message) bool { return m.peer == t.id && !m.out })
	d := c.user.dialogs[t.id]
	if d == nil || len(newest) == 0 {
		return value(affectedMessagesID, int(c.user.log.pts), 0), nil
	}
	upTo := newest[0].id
	if most := a.int32(1); most > 0 {
		upTo = min(upTo, most)
	}
	if upTo <= d.readIn {
		return value(affectedMessagesID, int(c.user.log.pts), 0), nil
	}
	d.readIn = upTo
	now := c.req.Now
	e, full := c.user.log.add(logEntry{at: now, kind: entryReadInbox, ids: []int32{upTo}, peer: t.id})
	if full != nil {
		return nil, errPersistentIsFull
	}
	c.pushOthers(c.b.updatesFor(now, c.user, &e))
	if t.user != nil && t.user != c.user && !t.user.bot { // bots are told nothing of what people read
		c.readByPeer(t.user, upTo)
	}
	return value(affectedMessagesID, int(e.pts), 1), nil
}

// readByPeer tells the other side of a dialog what of its messages was read.
func (c *call) readByPeer(u *user, upTo int32) {
	last := c.user.log.history(upTo+1, 1, func(m *message) bool { return m.peer == u.id && !m.out && m.twin != 0 })
	if len(last) == 0 {
		return
	}
	u.dialogWith(c.user.id).readOut = last[0].twin
	e, err := u.log.add(logEntry{at: c.req.Now, kind: entryReadOutbox, ids: []int32{last[0].twin}, peer: c.user.id})
	if err == nil {
		c.b.pushNews(u, Delivery{}, c.b.updatesFor(c.req.Now, u, &e))
	}
}

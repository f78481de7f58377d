package api

import (
	"cmp"
	"encoding/binary"
	"slices"

	"github.com/mtfleet/mtfleet/tl"
	"github.com/mtfleet/mtfleet/tl/tg"
)

// Constructors of what reads messages.
const (
	affectedMessagesID    uint32 = 0x84d19185
	messagesMessagesID    uint32 = 0x1d73e7ea
	messagesSliceID       uint32 = 0x5f206716
	channelMessagesID     uint32 = 0xc776ba4e
	dialogsID             uint32 = 0x15ba6c40
	dialogsSliceID        uint32 = 0x71e094f3
	peerDialogsID         uint32 = 0x3371c354
	dialogID              uint32 = 0xfc89f7f3
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

// shown is a dialog as it is listed.
type shown struct {
	body []byte
	top  *message
}

// showDialog describes the dialog with a user or a channel; nil when there is none, or nothing in it.
func (c *call) showDialog(t target) *shown {
	var list []*message
	flags, readIn, readOut, unread := 0, int32(0), int32(0), 0
	if t.channel != nil {
		m := t.channel.member(c.user)
		list = t.channel.log.history(0, 1, func(*message) bool { return true })
		if m == nil {
			return nil
		}
		flags, readIn, unread = 1, m.read, t.channel.unread(c.user, m.read) // flags.0: pts
	} else if d := c.user.dialogs[t.id]; d != nil {
		list = c.user.log.history(0, 1, func(m *message) bool { return m.peer == t.id })
		readIn, readOut, unread = d.readIn, d.readOut, c.user.unread(t.id, d.readIn)
	}
	if len(list) == 0 {
		return nil
	}
	where := peerUser(t.id)
	if t.channel != nil {
		where = value(peerChannelID, t.channel.id)
	}
	body := value(dialogID, flags, where, int(list[0].id), int(readIn), int(readOut), unread, 0, 0, 0, peerNotifySettingsID, 0)
	if t.channel != nil {
		body = tl.AppendInt32(body, t.channel.log.pts)
	}
	return &shown{body, list[0]}
}

// dialogsOf lists the dialogs of the caller, the one with the newest message first.
func (c *call) dialogsOf() []*shown {
	var list []*shown
	peers := make([]int64, 0, len(c.user.dialogs))
	for id := range c.user.dialogs {
		peers = append(peers, id)
	}
	slices.Sort(peers)
	for _, id := range peers {
		if s := c.showDialog(target{id: id}); s != nil {
			list = append(list, s)
		}
	}
	for _, ch := range c.b.channels.order {
		if s := c.showDialog(target{channel: ch}); s != nil {
			list = append(list, s)
		}
	}
	slices.SortStableFunc(list, func(x, y *shown) int {
		return cmp.Or(y.top.at.Compare(x.top.at), cmp.Compare(y.top.id, x.top.id))
	})
	return list
}

// appendDialogs appends the four vectors that list dialogs.
func (c *call) appendDialogs(out []byte, list []*shown) []byte {
	var m mentioned
	var dialogs, tops [][]byte
	for _, s := range list {
		m.message(c.user, s.top)
		dialogs, tops = append(dialogs, s.body), append(tops, s.top.append(nil, c.user))
	}
	out = appendVector(appendVector(out, dialogs), tops)
	out = m.appendChats(out, c.b, c.user)
	return m.appendPeople(out, c.b, c.user)
}

// readsDialogs tells whether the layer of the caller has a form of dialogs that is known here; to others there are none.
func (c *call) readsDialogs() bool { return tg.LayerHas(c.req.Layer, dialogID) }

// getDialogs answers messages.getDialogs. Pages go by the date of the top message alone.
func (c *call) getDialogs() ([]byte, *Error) {
	if !c.readsDialogs() {
		return value(dialogsID, vector, vector, vector, vector), nil
	}
	a := c.args() // flags, folder_id, offset_date, offset_id, offset_peer, limit, hash
	all := c.dialogsOf()
	list := slices.DeleteFunc(slices.Clone(all), func(s *shown) bool {
		return a.int32(2) > 0 && int32(s.top.at.Unix()) >= a.int32(2)
	})
	if limit := int(a.int32(5)); limit > 0 && len(list) > limit {
		return c.appendDialogs(value(dialogsSliceID, len(all)), list[:limit]), nil
	}
	return c.appendDialogs(value(dialogsID), list), nil
}

// getPeerDialogs answers messages.getPeerDialogs with those of the peers named that are dialogs.
func (c *call) getPeerDialogs() ([]byte, *Error) {
	a := c.args() // peers
	if !c.readsDialogs() {
		s := c.user.state(c.req.Now)
		return value(peerDialogsID, vector, vector, vector, vector, s.Append(nil)), nil
	}
	var list []*shown
	for _, in := range a.list(0) {
		if binary.LittleEndian.Uint32(in) != inputDialogPeerID {
			continue // a folder
		}
		t, err := c.peer(inner(in))
		if err != nil {
			return nil, err
		}
		if s := c.showDialog(t); s != nil {
			list = append(list, s)
		}
	}
	s := c.user.state(c.req.Now)
	return append(c.appendDialogs(value(peerDialogsID), list), s.Append(nil)...), nil
}

const inputDialogPeerID uint32 = 0xfcaafeb7

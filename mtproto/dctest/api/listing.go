package api

import (
	"cmp"
	"encoding/binary"
	"slices"

	"github.com/mtfleet/mtfleet/tl/tg"
)

// This file lists dialogs.

const (
	dialogsID         uint32 = 0x15ba6c40
	dialogsSliceID    uint32 = 0x71e094f3
	peerDialogsID     uint32 = 0x3371c354
	dialogID          uint32 = 0xfc89f7f3
	inputDialogPeerID uint32 = 0xfcaafeb7
)

// maxDialogs is how many are in one answer, whatever was asked for: 100 with a longest text each are 1.7 MB. In all a user
// has one with each other user and one with each channel at most.
const maxDialogs = 100

// row is a dialog and the newest message in it.
type row struct {
	with target
	top  *message
}

// dialogRow looks for the dialog with a user or a channel. There is none where there is no message.
func (c *call) dialogRow(t target) (row, bool) {
	if t.channel != nil {
		if !t.channel.has(c.user) {
			return row{}, false
		}
		return newest(t, &t.channel.log, t.channel.log.nextMsg-1, func(*message) bool { return true })
	}
	d := c.user.dialogs[t.id]
	if d == nil || d.top == 0 {
		return row{}, false
	}
	return newest(t, &c.user.log, d.top, func(m *message) bool { return m.peer == t.id })
}

// newest finds the newest message of a dialog, which is top unless that is deleted.
func newest(t target, box *updateLog, top int32, fits func(*message) bool) (row, bool) {
	if m := box.messages[top]; m != nil {
		return row{t, m}, true
	}
	list := box.history(top, 1, fits)
	if len(list) == 0 {
		return row{}, false
	}
	return row{t, list[0]}, true
}

// dialogRows lists the dialogs of the caller, the one with the newest message first.
func (c *call) dialogRows() []row {
	var list []row
	peers := make([]int64, 0, len(c.user.dialogs))
	for id := range c.user.dialogs {
		peers = append(peers, id)
	}
	slices.Sort(peers)
	for _, id := range peers {
		if r, ok := c.dialogRow(target{id: id}); ok {
			list = append(list, r)
		}
	}
	for _, ch := range c.b.channels.order {
		if r, ok := c.dialogRow(target{channel: ch}); ok {
			list = append(list, r)
		}
	}
	slices.SortStableFunc(list, func(x, y row) int { return y.before(x.top.at.Unix(), x.top.id) })
	return list
}

// before compares where a dialog is listed with a date and a message: negative where it is older.
func (r row) before(date int64, id int32) int {
	return cmp.Or(cmp.Compare(r.top.at.Unix(), date), cmp.Compare(r.top.id, id))
}

// after cuts off the dialogs up to an offset: to the one that it names, or else those that are not older than its date and
// message. A date alone cuts off all of that second.
func (c *call) after(list []row, date int64, id int32, peer []byte) []row {
	if date <= 0 {
		return list
	}
	if t, err := c.peer(peer); err == nil {
		i := slices.IndexFunc(list, func(r row) bool { return r.with.id == t.id && r.with.channel == t.channel && r.before(date, id) == 0 })
		if i >= 0 {
			return list[i+1:]
		}
	}
	i := slices.IndexFunc(list, func(r row) bool { return r.before(date, id) < 0 })
	if i < 0 {
		return nil
	}
	return list[i:]
}

// appendDialog describes a dialog.
func (c *call) appendDialog(b []byte, r row) []byte {
	if ch := r.with.channel; ch != nil {
		m := ch.member(c.user)
		return append(b, value(dialogID, 1, peerChannelID, ch.id, int(r.top.id), int(m.read), 0, ch.unread(c.user, m.read), 0, 0, 0,
			peerNotifySettingsID, 0, int(ch.log.pts))...) // flags.0: pts
	}
	d := c.user.dialogs[r.with.id]
	return append(b, value(dialogID, 0, peerUser(r.with.id), int(r.top.id), int(d.readIn), int(d.readOut), c.user.unread(r.with.id, d.readIn), 0, 0, 0,
		peerNotifySettingsID, 0)...)
}

// appendDialogs appends the four vectors that list dialogs.
func (c *call) appendDialogs(out []byte, list []row) []byte {
	var m mentioned
	var dialogs, tops [][]byte
	for _, r := range list {
		m.message(c.user, r.top)
		dialogs, tops = append(dialogs, c.appendDialog(nil, r)), append(tops, r.top.append(nil, c.user))
	}
	out = appendVector(appendVector(out, dialogs), tops)
	out = m.appendChats(out, c.b, c.user)
	return m.appendPeople(out, c.b, c.user)
}

// readsDialogs tells whether the layer of the caller has a form of dialogs that is known here; to others there are none.
func (c *call) readsDialogs() bool { return tg.LayerHas(c.req.Layer, dialogID) }

// getDialogs answers messages.getDialogs.
func (c *call) getDialogs() ([]byte, *Error) {
	if !c.readsDialogs() {
		return value(dialogsID, vector, vector, vector, vector), nil
	}
	a := c.args() // flags, folder_id, offset_date, offset_id, offset_peer, limit, hash
	all := c.dialogRows()
	list := c.after(all, int64(a.int32(2)), a.int32(3), a[4])
	limit := maxDialogs
	if n := int(a.int32(5)); n > 0 {
		limit = min(limit, n)
	}
	if list = list[:min(limit, len(list))]; len(list) < len(all) {
		return c.appendDialogs(value(dialogsSliceID, len(all)), list), nil
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
	peers := a.list(0)
	if len(peers) > maxDialogs {
		return nil, errInputRequestTooLong
	}
	var list []row
	for _, in := range peers {
		if binary.LittleEndian.Uint32(in) != inputDialogPeerID {
			continue // a folder
		}
		t, err := c.peer(inner(in))
		if err != nil {
			return nil, err
		}
		if r, ok := c.dialogRow(t); ok {
			list = append(list, r)
		}
	}
	s := c.user.state(c.req.Now)
	return append(c.appendDialogs(value(peerDialogsID), list), s.Append(nil)...), nil
}

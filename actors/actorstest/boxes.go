package actorstest

import (
	"maps"
	"slices"

	"github.com/mtfleet/mtfleet/actors"
	"github.com/mtfleet/mtfleet/mtproto/dctest"
	"github.com/mtfleet/mtfleet/tl"
	"github.com/mtfleet/mtfleet/tl/tg"
)

// boxes are what came of the boxes of one account.
type boxes map[actors.Box]*box

// box is what came of one: updates by their pts, and new messages by their ids,
// for those out of a difference have no pts.
type box struct {
	pts, messages map[int32]bool
	holes         []dctest.Hole

	// The last of each: either rises within a process. Between them there is no
	// order, for a difference lists messages first.
	lastPts, lastMessage int32
}

func boxesOf(all map[string]boxes, account string) boxes {
	if all[account] == nil {
		all[account] = boxes{}
	}
	return all[account]
}

func (b boxes) of(id actors.Box) *box {
	if b[id] == nil {
		b[id] = &box{pts: map[int32]bool{}, messages: map[int32]bool{}}
	}
	return b[id]
}

func (b *box) hole(from, to int32) { b.holes = append(b.holes, dctest.Hole{From: from, To: to}) }

// delivered is what came of a box, as the ledger judges it.
func (b boxes) delivered(user int64, id actors.Box) dctest.Delivered {
	d := dctest.Delivered{UserID: user, Channel: id.Channel}
	if got := b[id]; got != nil {
		d.Pts, d.Messages, d.Holes = slices.Sorted(maps.Keys(got.pts)), slices.Sorted(maps.Keys(got.messages)), got.holes
	}
	return d
}

// hearUpdate takes one update: of a new message its id, of any other its pts.
func (x *Auditor) hearUpdate(ev actors.Event) {
	if ev.Box.Kind != actors.BoxCommon && ev.Box.Kind != actors.BoxChannel {
		return
	}
	now, run := boxesOf(x.thisLife, ev.Account).of(ev.Box), boxesOf(x.delivered, ev.Account).of(ev.Box)
	if ev.Pts != 0 {
		run.pts[ev.Pts] = true
	}
	switch id, isMessage := newMessage(ev.Update); {
	case isMessage:
		x.rises(ev, "message", &now.lastMessage, id)
		run.messages[id] = true
	case ev.Pts != 0:
		x.rises(ev, "update with pts", &now.lastPts, ev.Pts)
	}
}

// rises complains about what came twice in one process, or out of order.
func (x *Auditor) rises(ev actors.Event, what string, last *int32, n int32) {
	switch {
	case n == *last:
		x.complain("%s: the %s %d of %v came twice in one process", ev.Account, what, n, ev.Box)
	case n < *last:
		x.complain("%s: the %s %d of %v came after %d, again or out of order", ev.Account, what, n, ev.Box, *last)
	}
	*last = max(*last, n)
}

// Constructors of new messages.
const (
	updateNewMessageID        = 0x1f2b0afd
	updateNewChannelMessageID = 0x62ba04d9
	messageID                 = 0x7600b9d3
)

// newMessage is the id of the message that an update brings, if it brings one.
func newMessage(update tl.Raw) (id int32, ok bool) {
	switch update.ID() {
	case updateNewMessageID, updateNewChannelMessageID:
	default:
		return 0, false
	}
	message := update[4:]
	place := 1 // behind the flags
	if message.ID() == messageID {
		place = 2 // of which it has two words
	}
	_, err := tl.Walk(tg.Schema, message, func(f tl.Field) {
		if f.Index == place {
			id = tl.NewReader(message[f.Start:f.End]).Int32()
		}
	})
	return id, err == nil
}

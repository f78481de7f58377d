package binding

import (
	"time"

	"github.com/mtfleet/mtfleet/actors/dcconn"
	"github.com/mtfleet/mtfleet/actors/timeline"
	"github.com/mtfleet/mtfleet/mtproto/crypt"
	"github.com/mtfleet/mtfleet/mtproto/pfs"
)

// This file notes what becomes of keys and connections. It says nothing to anybody.

// note adds to the account's timeline; the key may be zero and the error nil.
func (b *binding) note(now time.Time, kind timeline.Kind, key crypt.KeyID, err error) {
	if b.cfg.Timeline == nil {
		return
	}
	why := ""
	if err != nil {
		why = err.Error()
	}
	b.noteWhy(now, kind, key, why)
}

// noteWhy is note with the reason in words.
func (b *binding) noteWhy(now time.Time, kind timeline.Kind, key crypt.KeyID, why string) {
	b.cfg.Timeline.Add(timeline.Entry{
		At: now, Kind: kind, DC: int(b.cfg.ID.DC), Media: b.forMedia(), Key: timeline.KeyOf(int64(key)), Why: why,
	})
}

// noteConn notes what a connection says, before anything follows from it.
func (b *binding) noteConn(now time.Time, ch *child, ev dcconn.Event) {
	switch ev.Kind {
	case dcconn.EventUp:
		b.note(now, timeline.Connected, ch.key, nil)
	case dcconn.EventDown:
		if ch.up {
			b.note(now, timeline.Disconnected, ch.key, ev.Err)
		}
	case dcconn.EventKeyMade:
		kind := timeline.PermMade
		if ev.Temp {
			kind = timeline.TempMade
		}
		b.note(now, kind, ev.Made.Key.ID(), nil)
	case dcconn.EventKeyFailed:
		b.note(now, timeline.MakeFailed, 0, ev.Err)
	case dcconn.EventBound:
		b.note(now, timeline.Bound, ch.key, nil)
	case dcconn.EventBindFailed:
		b.note(now, timeline.BindFailed, ch.key, ev.Err)
	}
}

// noteKeys notes what the machine of the keys decided, before it is done.
func (b *binding) noteKeys(now time.Time, out pfs.Output) {
	switch out.Kind {
	case pfs.OutSave:
		if out.Changes.DeletePerm && out.Changes.PutPerm == nil {
			b.note(now, timeline.Forgotten, 0, nil)
		}
	case pfs.OutUse:
		id := keyOf(out).key.ID()
		if b.using != nil && b.using.key.ID() == id {
			return // a rotation was given up
		}
		if b.using != nil {
			b.note(now, timeline.Replaced, b.using.key.ID(), nil)
		}
		b.note(now, timeline.Used, id, nil)
	case pfs.OutStop:
		b.noteWhy(now, timeline.Lost, out.ID, out.Loss.String())
	case pfs.OutGone:
		b.note(now, timeline.Gone, b.keys.PermID(), out.Err)
	}
}

// noteEnd notes that the connection of a replaced key is closed.
func (b *binding) noteEnd(now time.Time, key crypt.KeyID) {
	if b.using == nil || b.using.key.ID() != key {
		b.note(now, timeline.Closed, key, nil)
	}
}

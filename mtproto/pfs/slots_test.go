package pfs

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/mtfleet/mtfleet/mtproto/crypt"
	"github.com/mtfleet/mtfleet/mtproto/tgerr"
)

func TestSlots(t *testing.T) {
	now := time.Date(2026, 9, 1, 12, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		name string
		play func(s *Slots) (got any)
		want any
	}{
		{"an order names the live keys of every slot", func(s *Slots) any {
			s.Has(MainSlot, []crypt.KeyID{1, 2})
			s.Has(MediaSlot, []crypt.KeyID{7})
			return s.Drop(now, MediaSlot, []crypt.KeyID{7})
		}, []crypt.KeyID{7, 1, 2}},
		{"it names a key that is being bound", func(s *Slots) any {
			s.Bind(now, MainSlot, 3)
			return s.Drop(now, MediaSlot, nil)
		}, []crypt.KeyID{3}},
		{"a key is bound at once while no order is on its way", func(s *Slots) any {
			return s.Bind(now, MainSlot, 3)
		}, time.Time{}},
		{"one that an order of another slot does not name waits for its end", func(s *Slots) any {
			s.Drop(now, MediaSlot, []crypt.KeyID{7})
			return s.Bind(now, MainSlot, 3)
		}, now.Add(DropLimit)},
		{"and no longer than an order counts as on its way", func(s *Slots) any {
			s.Drop(now, MediaSlot, []crypt.KeyID{7})
			return s.Bind(now.Add(DropLimit), MainSlot, 3)
		}, time.Time{}},
		{"one that it names does not", func(s *Slots) any {
			s.Has(MainSlot, []crypt.KeyID{1, 3})
			s.Drop(now, MediaSlot, []crypt.KeyID{7})
			return s.Bind(now, MainSlot, 3)
		}, time.Time{}},
		{"an order that has ended stops nobody", func(s *Slots) any {
			s.Drop(now, MediaSlot, nil)
			s.Dropped(MediaSlot)
			return s.Bind(now, MainSlot, 3)
		}, time.Time{}},
		{"the order of its own slot is its machine's to wait for", func(s *Slots) any {
			s.Drop(now, MainSlot, nil)
			return s.Bind(now, MainSlot, 3)
		}, time.Time{}},
		{"a second order spares what the first does too", func(s *Slots) any {
			s.Drop(now, MediaSlot, nil)
			s.Has(MainSlot, []crypt.KeyID{3})
			s.Drop(now.Add(time.Second), MediaSlot, nil)
			return s.Bind(now.Add(time.Second), MainSlot, 3)
		}, now.Add(time.Second + DropLimit)},
		{"a key that the slot has no more is named no more", func(s *Slots) any {
			s.Has(MainSlot, []crypt.KeyID{1, 2})
			s.Has(MainSlot, []crypt.KeyID{2})
			return s.Drop(now, MediaSlot, nil)
		}, []crypt.KeyID{2}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := c.play(&Slots{}); fmt.Sprint(got) != fmt.Sprint(c.want) {
				t.Errorf("%v, want %v", got, c.want)
			}
		})
	}
}

func TestRoadOfMedia(t *testing.T) {
	for _, c := range []struct {
		name           string
		addresses, pfs bool
		reading        Reading
		want           MediaRoad
	}{
		{"no address for media alone", false, true, ReadingBoth, MediaByMain},
		{"no temp keys", true, false, ReadingUnknown, MediaByOwn},
		{"no temp keys and no address", false, false, ReadingUnknown, MediaByMain},
		{"both keys live", true, true, ReadingBoth, MediaByOwn},
		{"a bind cuts the other key off", true, true, ReadingCut, MediaByMain},
		{"nobody knows yet", true, true, ReadingUnknown, MediaFindOut},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := RoadOfMedia(c.addresses, c.pfs, c.reading); got != c.want {
				t.Errorf("%v, want %v", got, c.want)
			}
		})
	}
}

// keyTable is a server that knows temp keys of one perm key, and nothing else.
type keyTable struct{ bound []crypt.KeyID }

func (s *keyTable) drop(except []crypt.KeyID) {
	s.bound = slices.DeleteFunc(s.bound, func(id crypt.KeyID) bool { return !slices.Contains(except, id) })
}

// twoSlots are two machines under one perm key, their drivers and the server. What
// a driver sent is on its way until the server has it, and its answer until the
// driver has.
type twoSlots struct {
	t      *rapid.T
	now    time.Time
	slots  Slots
	server keyTable
	of     [slots]*slotDriver
	spare  byte
}

type slotDriver struct {
	m    *Machine
	slot Slot
	make bool
	bind crypt.KeyID   // on its way
	drop []crypt.KeyID // the order on its way
	sent bool          // there is one
	done bool          // the server has carried it out
	old  crypt.KeyID   // listened to
}

func (w *twoSlots) key() *crypt.AuthKey {
	w.spare++
	value := make([]byte, crypt.KeySize)
	value[0], value[255] = w.spare, 9
	k, err := crypt.NewAuthKey(value)
	if err != nil {
		w.t.Fatal(err)
	}
	return k
}

func newTwoSlots(t *rapid.T) *twoSlots {
	w := &twoSlots{t: t, now: time.Date(2026, 9, 1, 12, 0, 0, 0, time.UTC)}
	perm := &PermKey{Key: w.key(), Created: w.now.Add(-time.Hour)}
	for i := range w.of {
		d := &slotDriver{slot: Slot(i)}
		d.m = New(Config{PFS: true, Slot: d.slot, Reading: ReadingBoth}, Snapshot{Perm: perm})
		w.of[i] = d
		d.m.Start(w.now)
		w.pump(d)
	}
	return w
}

// pump does what a machine asks for, as a binding does.
func (w *twoSlots) pump(d *slotDriver) {
	for out, ok := d.m.Next(); ok; out, ok = d.m.Next() {
		switch out.Kind {
		case OutPermit:
			d.m.Permitted(w.now, out.Key)
		case OutMake:
			d.make = true
		case OutHold:
			d.m.Held(w.now)
		case OutBind:
			if at := w.slots.Bind(w.now, d.slot, out.Temp.ID()); !at.IsZero() {
				d.m.Blocked(w.now, out.Temp.ID(), at)
			} else {
				d.bind = out.Temp.ID()
			}
		case OutUse:
			if out.Listen == 0 {
				d.old = 0
			}
		case OutDrop:
			w.slots.Has(d.slot, d.m.Live())
			d.drop, d.sent, d.done = w.slots.Drop(w.now, d.slot, out.Except), true, false
		}
	}
	w.slots.Has(d.slot, d.m.Live())
}

// ended ends the order of a slot, if there is one.
func (w *twoSlots) ended(d *slotDriver) {
	if !d.sent {
		return
	}
	d.sent = false
	w.slots.Dropped(d.slot)
	d.m.Dropped(w.now)
	for _, other := range w.of {
		if other != d {
			other.m.Unblocked(w.now)
			w.pump(other)
		}
	}
}

// actions are what can happen next to a slot.
func (w *twoSlots) actions(d *slotDriver) map[string]func() {
	all := map[string]func(){
		"is asked to rotate": func() { d.m.Rotate(w.now) },
	}
	if d.make {
		all["has made a key"] = func() {
			d.make = false
			d.m.Made(w.now, Temp, NewKey{Key: w.key(), ExpiresAt: w.now.Add(24 * time.Hour)})
		}
	}
	if id := d.bind; id != 0 {
		all["is bound"] = func() {
			d.bind = 0
			w.server.bound = append(w.server.bound, id)
			d.m.Bound(w.now, id)
		}
	}
	if d.m.retired != nil {
		all["has nothing left to listen to"] = func() { d.m.Retired(w.now, d.m.retired.ID()) }
	}
	if d.sent && !d.done {
		all["has its order carried out"] = func() { d.done = true; w.server.drop(d.drop) }
	}
	if d.sent && d.done {
		all["hears of its order"] = func() {
			w.ended(d)
		}
	}
	if id, ok := d.m.Serving(); ok {
		all["has lost its key at the server"] = func() {
			w.server.bound = slices.DeleteFunc(w.server.bound, func(k crypt.KeyID) bool { return k == id })
			w.ended(d) // an order under a key that the server does not know comes to nothing
			d.m.Unknown(w.now, id)
		}
	}
	return all
}

// TestOneSlotDropsNoKeyOfTheOther: whatever two slots of a perm key do at the same
// time, each key that carries calls lives at the server.
func TestOneSlotDropsNoKeyOfTheOther(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := newTwoSlots(t)
		for range rapid.IntRange(1, 80).Draw(t, "steps") {
			d := w.of[rapid.IntRange(0, slots-1).Draw(t, "slot")]
			all := w.actions(d)
			names := make([]string, 0, len(all)+1)
			for name := range all {
				names = append(names, name)
			}
			slices.Sort(names)
			names = append(names, "time passes")
			switch name := rapid.SampledFrom(names).Draw(t, "what"); name {
			case "time passes":
				// Less than an order may take: what takes longer is taken back.
				w.now = w.now.Add(rapid.SampledFrom([]time.Duration{time.Millisecond, time.Second}).Draw(t, "how long"))
				for _, d := range w.of {
					if !w.now.Before(w.slots.of[d.slot].order.until) {
						w.ended(d)
					}
				}
				for _, d := range w.of {
					d.m.Advance(w.now)
					w.pump(d)
				}
			default:
				all[name]()
				w.pump(d)
			}
			for _, d := range w.of {
				if id, ok := d.m.Serving(); ok && !slices.Contains(w.server.bound, id) {
					t.Fatalf("slot %d uses key %v, which the server does not know", d.slot, id)
				}
			}
		}
	})
}

func TestASlotThatBorrowsThePermKey(t *testing.T) {
	now := time.Date(2026, 9, 1, 12, 0, 0, 0, time.UTC)
	w := &twoSlots{now: now}
	perm := &PermKey{Key: w.key(), Created: now.Add(-48 * time.Hour)}
	begun := func(pfs bool, s Snapshot) *Machine {
		m := New(Config{PFS: pfs, Slot: MediaSlot, Reading: ReadingBoth}, s)
		m.Start(now)
		return m
	}
	kinds := func(m *Machine) (list []OutputKind) {
		for out, ok := m.Next(); ok; out, ok = m.Next() {
			list = append(list, out.Kind)
		}
		return list
	}
	bound := func(m *Machine) {
		kinds(m)
		m.Permitted(now, Temp)
		m.Made(now, Temp, NewKey{Key: w.key(), ExpiresAt: now.Add(24 * time.Hour)})
		m.Bound(now, m.successor.ID())
	}
	for _, c := range []struct {
		name string
		play func() *Machine
		want []OutputKind
	}{
		{"makes none", func() *Machine { return begun(true, Snapshot{}) }, []OutputKind{OutGone}},
		{"saves nothing, and has keys dropped that a process before it may have left", func() *Machine {
			m := begun(true, Snapshot{Perm: perm})
			bound(m)
			return m
		}, []OutputKind{OutMake, OutBind, OutUse, OutDrop}},
		{"does not doubt it when a bind is refused", func() *Machine {
			m := begun(true, Snapshot{Perm: perm})
			kinds(m)
			m.Permitted(now, Temp)
			m.Made(now, Temp, NewKey{Key: w.key(), ExpiresAt: now.Add(24 * time.Hour)})
			kinds(m)
			m.BindFailed(now, m.successor.ID(), tgerr.New(400, "ENCRYPTED_MESSAGE_INVALID"))
			m.Advance(m.Deadline())
			return m
		}, []OutputKind{OutPermit}},
		{"does not doubt it when the DC does not know it, and lets it serve again", func() *Machine {
			m := begun(false, Snapshot{Perm: perm})
			m.Unknown(now, perm.ID())
			m.Advance(m.Deadline())
			return m
		}, []OutputKind{OutUse, OutStop, OutUse}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := kinds(c.play()); !slices.Equal(got, c.want) {
				t.Errorf("%v, want %v", got, c.want)
			}
		})
	}
}

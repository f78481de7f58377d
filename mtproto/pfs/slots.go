package pfs

import (
	"slices"
	"time"

	"github.com/mtfleet/mtfleet/mtproto/crypt"
)

// A Slot is what the temp keys of a machine are for. Each has its own, bound to the
// one perm key of the DC, and rotates by itself.
type Slot uint8

const (
	// MainSlot carries API calls and, at home, updates. Its machine keeps the perm
	// key.
	MainSlot Slot = iota
	// MediaSlot carries bulk transfers, on addresses of their own.
	MediaSlot

	slots = 2
)

// Slots are the live temp keys of one perm key by slot, and the orders to drop
// some that are on their way. The machines of the slots decide each for itself;
// what one of them must not do to the other is decided here:
//
//   - auth.dropTempAuthKeys names the live keys of every slot, not only of its own.
//   - A key that an order on its way does not name is not bound before the order has
//     ended: it would be dropped as soon as it is bound.
//
// It has one owner and no lock. The zero value has no keys.
type Slots struct{ of [slots]slotKeys }

type slotKeys struct {
	live  []crypt.KeyID
	order order
}

// An order is an auth.dropTempAuthKeys on its way.
type order struct {
	until time.Time     // it counts as over; zero: there is none
	names []crypt.KeyID // which it does not drop
}

// Has says which temp keys a slot has now, see [Machine.Live]. What it had before
// and has no more may be named in orders until then, which does no harm.
func (s *Slots) Has(slot Slot, live []crypt.KeyID) { s.of[slot].live = live }

// Bind says that a slot is about to bind a key. A time that is not zero says that
// it must not before then, or before [Slots.Dropped] of another slot. From the
// answer zero on the key is named in every order.
func (s *Slots) Bind(now time.Time, slot Slot, id crypt.KeyID) (notBefore time.Time) {
	for i := range s.of {
		o := &s.of[i].order
		if Slot(i) != slot && now.Before(o.until) && !slices.Contains(o.names, id) && o.until.After(notBefore) {
			notBefore = o.until
		}
	}
	if own := &s.of[slot]; !slices.Contains(own.live, id) {
		own.live = append(own.live, id) // of one that has to wait too: the next order need not stop it
	}
	return notBefore
}

// Drop says that a slot sends an order now which names its own keys, and returns
// all that it has to name. It counts as on its way for [DropLimit] at most: whoever
// sends it takes it back then.
func (s *Slots) Drop(now time.Time, slot Slot, own []crypt.KeyID) (except []crypt.KeyID) {
	except = slices.Clone(own)
	for i := range s.of {
		for _, id := range s.of[i].live {
			if !slices.Contains(except, id) {
				except = append(except, id)
			}
		}
	}
	o, names := &s.of[slot].order, except
	if now.Before(o.until) { // one before it may still be on its way
		names = slices.DeleteFunc(slices.Clone(except), func(id crypt.KeyID) bool { return !slices.Contains(o.names, id) })
	}
	*o = order{until: now.Add(DropLimit), names: names}
	return except
}

// Dropped says that the order of a slot has ended: nothing of it can reach the
// server any more.
func (s *Slots) Dropped(slot Slot) { s.of[slot].order = order{} }

// MediaRoad says by which slot calls for media go.
type MediaRoad uint8

const (
	// MediaByMain: by the main slot, its address and its key. There is no address
	// for media alone; or a key bound for media would cut the main one off.
	MediaByMain MediaRoad = iota
	// MediaFindOut: by the main slot until it is known what a bind does to keys that
	// were bound before. A rotation of the main key finds it out, see [Reading].
	MediaFindOut
	// MediaByOwn: by the slot for media, on the addresses for media.
	MediaByOwn
)

// RoadOfMedia decides by which slot calls for media go on a DC: addresses says
// whether it has any for media alone, pfs whether calls travel under temp keys.
func RoadOfMedia(addresses, pfs bool, r Reading) MediaRoad {
	switch {
	case !addresses:
		return MediaByMain
	case !pfs, r == ReadingBoth:
		return MediaByOwn
	case r == ReadingUnknown:
		return MediaFindOut
	}
	return MediaByMain
}

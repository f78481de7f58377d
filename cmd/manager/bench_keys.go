package main

import (
	"cmp"
	"slices"
	"time"

	"github.com/mtfleet/mtfleet/mtproto/dctest"
)

// keySlot is where one temp key serves: a perm key's slot on a DC, for calls or for
// media.
type keySlot struct {
	dc    int
	perm  int64
	media bool
}

// liveTempKeys reads from the ledger how many temp keys of one slot a DC knew at
// any one time, and how many it knows now, each the most of any slot. A key counts
// from its making, though nobody could know whose it was before it was bound, until
// it was dropped or had expired.
func liveTempKeys(keys []dctest.KeyRecord) (most, now int) {
	type change struct {
		at time.Time
		by int
	}
	changes, left := map[keySlot][]change{}, map[keySlot]int{}
	for _, k := range keys {
		if !k.Temp || k.Perm == 0 {
			continue
		}
		slot := keySlot{k.DC, k.Perm, k.Media}
		changes[slot] = append(changes[slot], change{k.Created, 1})
		if k.Gone.IsZero() {
			left[slot]++
		} else {
			changes[slot] = append(changes[slot], change{k.Gone, -1})
		}
		now = max(now, left[slot])
	}
	for _, list := range changes {
		// Of one instant the end comes first: a DC does one thing after the other.
		slices.SortStableFunc(list, func(a, b change) int { return cmp.Or(a.at.Compare(b.at), a.by-b.by) })
		n := 0
		for _, c := range list {
			n += c.by
			most = max(most, n)
		}
	}
	return most, now
}

package dctest

import (
	"cmp"
	"slices"
	"time"
)

// TempKeySlot is where one temp key serves, a perm key's slot on a DC for calls or for media, and how many the DC knew
// there at any one time, and how many it knows now.
type TempKeySlot struct {
	DC    int
	Perm  int64
	Media bool
	Most  int
	Now   int
}

// TempKeySlots counts the live temp keys of each slot, in the order in which the slots came. A key counts from its
// making, though nobody could know whose it was before it was bound, until it was dropped or had expired.
func (l Ledger) TempKeySlots() (slots []TempKeySlot) {
	type change struct {
		at time.Time
		by int
	}
	index := make(map[TempKeySlot]int)
	var changes [][]change
	for _, k := range l.Keys {
		if !k.Temp || k.Perm == 0 {
			continue
		}
		slot := TempKeySlot{DC: k.DC, Perm: k.Perm, Media: k.Media}
		i, known := index[slot]
		if !known {
			i = len(slots)
			index[slot] = i
			slots, changes = append(slots, slot), append(changes, nil)
		}
		changes[i] = append(changes[i], change{k.Created, 1})
		if k.Gone.IsZero() {
			slots[i].Now++
		} else {
			changes[i] = append(changes[i], change{k.Gone, -1})
		}
	}
	for i, list := range changes {
		// Of one instant the end comes first: a DC does one thing after the other.
		slices.SortStableFunc(list, func(a, b change) int { return cmp.Or(a.at.Compare(b.at), a.by-b.by) })
		n := 0
		for _, c := range list {
			n += c.by
			slots[i].Most = max(slots[i].Most, n)
		}
	}
	return slots
}

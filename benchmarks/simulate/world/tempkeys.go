package world

import (
	"cmp"
	"slices"
	"time"

	"github.com/mtfleet/mtfleet/mtproto/crypt"
	"github.com/mtfleet/mtfleet/mtproto/dctest"
)

// This file judges how many temp keys live.

const (
	// liveMost is how many bound temp keys may live in a slot at any time: a rotation
	// makes the successor before the old key is dropped.
	liveMost = 2
	// deniedMost is how long a key that its DC denied may live beside the next one. It
	// can be dropped only under a key that serves, and the order may be lost a few times.
	deniedMost = time.Minute
)

// slot is where one temp key serves at a time.
type slot struct {
	dc    int
	perm  int64
	media bool
}

// turn is a change of how many temp keys live in a slot.
type turn struct {
	at time.Time
	by int
}

// moved is the end of a time in which a perm key was one account's: from then on
// somebody else has it, who does not know its temp keys.
type moved struct {
	user int64
	at   time.Time
}

// ours is when a bound temp key is no account's any more: when it is gone, or its
// perm key has been handed out.
func (j *judge) ours(k dctest.KeyRecord, user int64, bound time.Time) time.Time {
	end := k.Gone
	for _, m := range j.moved {
		if m.user == user && m.at.After(bound) && (end.IsZero() || m.at.Before(end)) {
			end = m.at
		}
	}
	return end
}

// auditTempKeys holds the temp keys in each slot against that number: from the
// bind that the DC granted until it knew the key no more, or the session was handed out.
//
// A key that the DC answered -404 for does not count from then on until a minute after
// the next was bound in its slot, or it itself once more: who is told that a key is
// unknown needs another one, and with it drops those that may live all the same.
func (j *judge) auditTempKeys(l dctest.Ledger) {
	users := map[slot]int64{}
	for _, a := range l.Authorizations {
		users[slot{dc: a.DC, perm: a.Perm}] = a.UserID
	}
	keys := map[[2]int64]dctest.KeyRecord{} // by DC and id
	for _, k := range l.Keys {
		if k.Temp {
			keys[[2]int64{int64(k.DC), k.ID}] = k
		}
	}
	binds := map[slot][]dctest.BindRecord{}
	var order []slot
	for _, b := range l.Binds {
		k, ok := keys[[2]int64{int64(b.DC), b.Temp}]
		if s := (slot{b.DC, b.Perm, k.Media}); ok && b.Error == "" {
			if binds[s] == nil {
				order = append(order, s)
			}
			binds[s] = append(binds[s], b)
		}
	}
	for _, s := range order {
		var list []turn
		seen := map[int64]bool{}
		for _, b := range binds[s] {
			if seen[b.Temp] {
				continue
			}
			seen[b.Temp] = true
			k := keys[[2]int64{int64(b.DC), b.Temp}]
			end := j.ours(k, users[slot{dc: s.dc, perm: s.perm}], b.At)
			list = append(list, lives(k, b.At, end, binds[s])...)
		}
		slices.SortStableFunc(list, func(a, b turn) int { return cmp.Or(a.at.Compare(b.at), a.by-b.by) })
		live := 0
		for _, t := range list {
			if live += t.by; live > liveMost {
				j.Complain("%d temp keys live at %v under perm key %v of DC %d (media %v)", live, t.at.Sub(j.rec.begun), crypt.KeyID(s.perm), s.dc, s.media)
				break
			}
		}
	}
}

// lives is when a key counts, from its bind to its end, a zero end being none.
func lives(k dctest.KeyRecord, from, end time.Time, binds []dctest.BindRecord) []turn {
	list := []turn{{from, 1}}
	ends := func(at time.Time) bool { return !end.IsZero() && !end.After(at) }
	if k.Denied.After(from) && !ends(k.Denied) {
		list = append(list, turn{k.Denied, -1})
		i := slices.IndexFunc(binds, func(b dctest.BindRecord) bool { return b.At.After(k.Denied) })
		if i < 0 {
			return list
		}
		again := binds[i].At
		if binds[i].Temp != k.ID {
			again = again.Add(deniedMost)
		}
		if ends(again) {
			return list
		}
		list = append(list, turn{again, 1})
	}
	if !end.IsZero() {
		list = append(list, turn{end, -1})
	}
	return list
}

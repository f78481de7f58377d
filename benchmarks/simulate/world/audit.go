package world

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/mtfleet/mtfleet/mtproto/crypt"
	"github.com/mtfleet/mtfleet/mtproto/dctest"
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

// liveMost is how many bound temp keys may live in a slot at any time: a rotation
// makes the successor before the old key is dropped.
const liveMost = 2

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
// One that the database has forgotten is no more counted: nobody can have it dropped.
func (j *judge) auditTempKeys(l dctest.Ledger) {
	users := map[slot]int64{}
	for _, a := range l.Authorizations {
		users[slot{dc: a.DC, perm: a.Perm}] = a.UserID
	}
	bound := map[[2]int64]time.Time{} // DC and key
	for _, b := range l.Binds {
		if id := [2]int64{int64(b.DC), b.Temp}; b.Error == "" && bound[id].IsZero() {
			bound[id] = b.At
		}
	}
	turns := map[slot][]turn{}
	var order []slot
	for _, k := range l.Keys {
		from := bound[[2]int64{int64(k.DC), k.ID}]
		lost, forgotten := j.lostKeys[dctest.StoreKey{DC: k.DC, ID: k.ID}]
		if !k.Temp || from.IsZero() || forgotten && !lost.After(from) {
			continue
		}
		if forgotten && (k.Gone.IsZero() || lost.Before(k.Gone)) {
			k.Gone = lost
		}
		s := slot{k.DC, k.Perm, k.Media}
		if turns[s] == nil {
			order = append(order, s)
		}
		turns[s] = append(turns[s], turn{from, 1})
		if end := j.ours(k, users[slot{dc: s.dc, perm: s.perm}], from); !end.IsZero() {
			turns[s] = append(turns[s], turn{end, -1})
		}
	}
	for _, s := range order {
		list := turns[s]
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

// auditBounds looks at what is left when nobody has wanted anything for long: no
// permit is waited for, no packet waits in a socket for longer than its way is, and nobody holds sockets but
// the manager that runs, one or two for each account.
func (w *world) auditBounds(ctx context.Context) {
	for _, p := range w.live() {
		states, err := p.m.Governor(ctx)
		if err != nil {
			w.judge.Complain("the governor does not answer at the end: %v", err)
		}
		for _, s := range states {
			for kind, n := range s.Waiting {
				if n > 0 {
					w.judge.Complain("%d tickets of kind %d wait for DC %d at the end", n, kind, s.DC)
				}
			}
		}
	}
	open := 0
	for _, l := range w.sky.links {
		switch {
		case l.reason != nil:
		case !slices.Contains(w.live(), l.net.process):
			w.judge.Complain("a socket to DC %d is open whose manager is gone", l.dc)
		case l.stuck(w.sim.Now()):
			w.judge.Complain("packets wait in a socket to DC %d at the end: %d bytes to it, %d packets from it, %d that nobody takes", l.dc, l.queued, len(l.dn.list), l.held)
		default:
			open++
		}
	}
	if open > 2*len(w.users) {
		w.judge.Complain("%d sockets are open at the end, of %d accounts", open, len(w.users))
	}
}

// stuck tells whether a packet is there that should have been taken a minute ago.
func (l *link) stuck(now time.Time) bool {
	late := func(p *pipe) bool { return len(p.list) > 0 && now.Sub(p.list[0].at) > time.Minute }
	return late(&l.up) || late(&l.dn) || l.held > creditsMost/2
}

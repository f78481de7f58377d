package explore

import (
	"slices"
	"time"

	"github.com/mtfleet/mtfleet/mtproto/crypt"
	"github.com/mtfleet/mtfleet/mtproto/pfs"
	"github.com/mtfleet/mtfleet/mtproto/standing"
	"github.com/mtfleet/mtfleet/mtproto/tgerr"
	"github.com/mtfleet/mtfleet/tl/tg"
)

// This file is about orders to drop temp keys.

// An order is auth.dropTempAuthKeys on its way to the server.
type order struct {
	under  crypt.KeyID
	except []crypt.KeyID
	until  time.Time // it is taken back
}

var dropMethod = (*tg.AuthDropTempAuthKeysRequest)(nil).TypeName()

// drop sends one. Without a connection it is sent when that stands.
func (w *world) drop(s *slot, except []crypt.KeyID) {
	now := w.local()
	switch {
	case s.route == 0 || !s.up, len(s.orders) > 0:
		return
	case s.held, s.at != atAway && now.Before(w.media.noDrops) && !now.Before(s.noDrops):
		s.m.NotDropped(now)
		return
	case now.Before(s.noDrops):
		s.m.DropLater(now, s.noDrops)
		return
	}
	if w.now.Before(w.waitOf(dropMethod, s.at)) {
		w.failf("temp keys are dropped before the server's wait for that is over")
	}
	if s.at != atAway {
		w.has(s)
		all := w.media.slots.Drop(now, s.at.slot(), except)
		if w.plant != dropsMedia || s.at != atHome {
			except = all
		}
	}
	s.orders = append(s.orders, order{s.route, except, now.Add(pfs.DropLimit)})
}

// ordered is what the server does with the n-th order of a slot, and says.
func (w *world) ordered(s *slot, n int) answer {
	o := &s.orders[n]
	said, perm := w.server(s.at).ask(o.under, s.at, w.now)
	if said == granted || said == anonymous {
		for _, id := range w.server(s.at).drop(perm.id, o.except) {
			w.spares(s.at, id)
		}
	}
	return said
}

// spares checks that a key which an order of a place drops is nowhere in use.
func (w *world) spares(by place, dropped crypt.KeyID) {
	for _, s := range w.slots {
		if s == nil || s.at.dc() != by.dc() {
			continue
		}
		if dropped == s.route || dropped == s.old || s.bind != nil && s.bind.reached && dropped == s.bind.temp {
			w.failf("an order of %v drops a key that %v has in use", by, s.at)
		}
	}
	if by != atAway && slices.ContainsFunc(w.media.parked, func(t pfs.TempKey) bool { return t.ID() == dropped }) {
		w.failf("an order of %v drops a key that is kept for media", by)
	}
}

// orderEnded ends the n-th order of a slot, of which the machine hears unless
// another has overtaken it. err says why it is not known to be done.
func (w *world) orderEnded(s *slot, n int, err error) {
	newest := n == len(s.orders)-1
	if s.orders = slices.Delete(s.orders, n, n+1); !newest {
		return
	}
	now := w.local()
	if s.at != atAway {
		w.media.slots.Dropped(s.at.slot())
		for _, at := range []place{atHome, atMedia} {
			if other := w.slots[at]; other != nil && at != s.at {
				other.m.Unblocked(now)
			}
		}
	}
	s.m.DropEnded(now, err)
	if s.at == atHome && w.media.sweeps && s.m.Swept() {
		w.swept()
	}
}

// ordersUnder ends the orders that were sent under a key: no answer will come.
func (w *world) ordersUnder(s *slot, id crypt.KeyID) {
	for n := len(s.orders) - 1; n >= 0; n-- {
		if n < len(s.orders) && s.orders[n].under == id {
			w.orderEnded(s, n, errLost)
		}
	}
}

// ordersDue takes back what is on its way for too long.
func (w *world) ordersDue(s *slot) {
	for n := len(s.orders) - 1; n >= 0; n-- {
		if !w.local().Before(s.orders[n].until) {
			w.orderEnded(s, n, errLost)
		}
	}
}

func (w *world) orderActions(s *slot, on func(string, uint8, func(*world, *slot))) {
	for n := range s.orders {
		said, _ := w.server(s.at).ask(s.orders[n].under, s.at, w.now)
		if said == silence {
			continue
		}
		on := func(name string, cost uint8, do func(*world, *slot)) {
			if n > 0 { // a step is known by its name
				name += ", by an order after"
			}
			on(name, cost, do)
		}
		on("old temp keys are dropped", 0, func(w *world, s *slot) {
			id := s.orders[n].under
			switch w.ordered(s, n) {
			case unknownKey:
				w.orderEnded(s, n, errLost)
				s.m.Unknown(w.local(), id)
			case unbound:
				w.orderEnded(s, n, tgerr.New(401, "AUTH_KEY_PERM_EMPTY"))
			default:
				w.orderEnded(s, n, nil)
			}
		})
		on("old temp keys are dropped, and the answer is lost", 1, func(w *world, s *slot) { w.ordered(s, n); w.orderEnded(s, n, errLost) })
		on("a drop is lost", 1, func(w *world, s *slot) { w.orderEnded(s, n, errLost) })
		if said == anonymous { // the real one drops what nobody was ever signed in on, but not what was signed out
			on("a drop is refused, for the authorization has ended", 1, func(w *world, s *slot) {
				err := tgerr.New(401, "SESSION_REVOKED")
				w.st.KeyRefused(w.local(), dropMethod, w.whereKeys(s.at), err)
				w.orderEnded(s, n, err)
			})
		}
		on("a drop is ordered to wait", 1, func(w *world, s *slot) {
			w.learn()
			w.order(dropMethod, s.at, time.Hour)
			s.noDrops = w.local().Add(time.Hour)
			if s.at != atAway {
				w.media.noDrops = s.noDrops
			}
			err := tgerr.New(420, "FLOOD_WAIT_3600")
			w.st.KeyRefused(w.local(), dropMethod, w.whereKeys(s.at), err)
			w.orderEnded(s, n, err)
		})
	}
}

func (w *world) whereKeys(at place) standing.Where {
	return standing.Where{DC: at.id(), Home: at != atAway, Temp: true}
}

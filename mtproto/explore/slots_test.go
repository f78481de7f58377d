package explore

import (
	"fmt"
	"time"

	"github.com/mtfleet/mtfleet/mtproto/crypt"
	"github.com/mtfleet/mtfleet/mtproto/pfs"
	"github.com/mtfleet/mtfleet/mtproto/tgerr"
)

// This file is what can happen next to the keys of a slot.

const bindMethod = "auth.bindTempAuthKey"

func (w *world) slotActions(at place, add adder) {
	s, t := w.slots[at], w.server(at)
	on := func(name string, cost uint8, do func(*world, *slot)) {
		add(placeNames[at]+": "+name, cost, func(w *world) { do(w, w.slots[at]) })
	}
	if s.permit {
		on("a key may be made", 0, func(w *world, s *slot) { s.permit = false; s.m.Permitted(w.local(), s.kind) })
	}
	if s.make {
		on(fmt.Sprint("a ", s.kind, " key is made"), 0, func(w *world, s *slot) { w.made(s, true) })
		on("a key is made, and nobody hears of it", 1, func(w *world, s *slot) { w.made(s, false) })
	}
	if b := s.bind; b != nil {
		if !b.reached {
			on("a bind reaches the server", 0, func(w *world, s *slot) {
				s.bind.reached, s.bind.says = true, w.server(at).bind(s.bind.temp, s.bind.perm, at, w.now, w.strict)
			})
			on("a bind is answered -404 for a moment", 1, func(w *world, s *slot) {
				id := s.bind.temp
				s.bind = nil
				s.m.Unknown(w.local(), id)
			})
			on("a bind is lost", 1, func(w *world, s *slot) { w.bindFailed(s, errLost) })
			on("a bind is ordered to wait", 1, func(w *world, s *slot) {
				w.learn()
				w.order(bindMethod, at, time.Hour)
				err := tgerr.New(420, "FLOOD_WAIT_3600")
				w.st.KeyRefused(w.local(), bindMethod, w.whereKeys(at), err)
				if at != atAway {
					w.media.noBinds = w.local().Add(time.Hour)
				}
				w.bindFailed(s, err)
			})
		} else {
			on("a bind is answered", 0, func(w *world, s *slot) { w.bindAnswered(s) })
			on("the answer to a bind is lost", 1, func(w *world, s *slot) { w.bindFailed(s, errLost) })
			if b.says == granted {
				on("a bind is answered twice", 1, func(w *world, s *slot) {
					id := s.bind.temp
					w.bindAnswered(s)
					w.drain()
					if again := w.slots[at]; again != nil {
						again.m.Bound(w.local(), id)
					}
				})
			}
		}
	}
	if s.draining {
		on("what was under way has ended, or its time has", 0, (*world).drained)
	}
	if s.old != 0 && s.probe == 0 {
		on("the replaced key's connection stops", 0, (*world).stopped)
	}
	if s.probe != 0 {
		on("a replaced key is probed", 0, func(w *world, s *slot) {
			id := s.probe
			s.probe = 0
			said, _ := w.server(at).ask(id, at, w.now)
			if said == unknownKey {
				s.m.Unknown(w.local(), id)
				return
			}
			s.m.Probed(w.local(), id, said != silence)
		})
	}
	w.orderActions(s, on)
	if s.prove {
		on("the perm key itself is asked about", 0, func(w *world, s *slot) {
			s.prove = false
			if w.server(at).perm(s.m.PermID()) != nil {
				s.m.ProofAnswered(w.local())
			} else {
				s.m.ProofUnknown(w.local(), false)
			}
		})
		on("the question about the perm key is lost", 1, func(w *world, s *slot) { s.prove = false; s.m.ProofFailed(w.local(), errLost) })
	}
	if s.route != 0 && !s.up {
		on("the connection stands", 0, (*world).stands)
	}
	if s.route != 0 && s.up {
		on("the connection is lost", 1, (*world).fell)
		said, _ := t.ask(s.route, at, w.now)
		switch said {
		case unknownKey:
			on("a -404 is told", 0, func(w *world, s *slot) { s.m.Unknown(w.local(), s.route) })
		case unbound:
		default:
			on("a -404 is told for a moment", 1, func(w *world, s *slot) { s.m.Unknown(w.local(), s.route) })
			on("the server forgets the temp key", 1, func(w *world, s *slot) {
				id := s.route
				t := w.server(at)
				for i := range t.temps {
					if t.temps[i].id == id {
						t.temps[i].ends = w.now
					}
				}
				t.expire(w.now)
			})
			on("the server forgets the binding", 1, func(w *world, s *slot) {
				if k := w.server(at).temp(s.route, at, w.now); k != nil {
					k.perm = 0
				}
			})
		}
	}
	if p := t.perm(s.m.PermID()); p != nil && at != atMedia {
		on("the server forgets the perm key", 1, func(w *world, s *slot) {
			t := w.server(at)
			id := s.m.PermID()
			for i := range t.perms {
				if t.perms[i].id == id {
					t.perms = append(t.perms[:i:i], t.perms[i+1:]...)
					break
				}
			}
			t.drop(id, nil)
			w.out = w.out || at == atHome
		})
		if at == atAway && p.authorized {
			on("the server ends the authorization", 1, func(w *world, s *slot) { w.server(at).perm(s.m.PermID()).authorized = false })
		}
	}
}

// made ends a handshake: the server has the key, whoever hears of it.
func (w *world) made(s *slot, heard bool) {
	k := w.newKey()
	now := w.local()
	s.make = false
	t := w.server(s.at)
	n := pfs.NewKey{Key: k, TimeOffset: -w.skew, Fingerprint: 1}
	if s.kind == pfs.Perm {
		t.perms = append(t.perms, permAt{id: k.ID()})
	} else {
		n.ExpiresAt = w.now.Add(s.life)
		t.temps = append(t.temps, tempAt{id: k.ID(), media: s.at == atMedia, ends: n.ExpiresAt})
	}
	if heard {
		s.m.Made(now, s.kind, n)
	} else {
		s.m.MakeFailed(now, s.kind, errLost)
	}
}

func (w *world) bindFailed(s *slot, err error) {
	id := s.bind.temp
	s.bind = nil
	s.m.BindFailed(w.local(), id, err)
}

func (w *world) bindAnswered(s *slot) {
	b := s.bind
	s.bind = nil
	switch b.says {
	case granted:
		w.learn()
		s.m.Bound(w.local(), b.temp)
	case unknownKey:
		s.m.Unknown(w.local(), b.temp)
	default:
		w.learn()
		s.m.BindFailed(w.local(), b.temp, tgerr.New(400, "ENCRYPTED_MESSAGE_INVALID"))
	}
}

// learn is the server's time, which every packet brings before anything else in
// it.
func (w *world) learn() {
	now := w.local()
	for _, s := range w.slots {
		if s != nil {
			s.m.Clock(now, -w.skew, true)
		}
	}
	if !w.clock {
		w.clock = true
		w.st.Clock(now, -w.skew)
	}
}

func (w *world) drained(s *slot) {
	s.draining = false
	if s.wait && !s.keep {
		w.late(s, s.route)
		w.silence(s, s.route)
	}
	if !w.bound(s) {
		return
	}
	s.m.Held(w.local())
}

// late notes that a call takes longer than a rotation leaves it: then it may end
// as unknown, which is nobody's fault but the server's.
func (w *world) late(s *slot, id crypt.KeyID) {
	w.used = w.used || len(w.pending(s, id)) > 0
}

// bound reports whether the slot is still the world's.
func (w *world) bound(s *slot) bool { return s == w.slots[s.at] }

// order notes a wait of the server's, in its own time.
func (w *world) order(method string, at place, d time.Duration) {
	kept := w.waits[:0:0]
	for _, o := range w.waits {
		if (o.method != method || o.dc != at.dc()) && w.now.Before(o.ends) {
			kept = append(kept, o)
		}
	}
	w.waits = append(kept, wait{method: method, dc: at.dc(), ends: w.now.Add(d)})
}

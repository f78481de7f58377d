package explore

import (
	"fmt"
	"time"

	"github.com/mtfleet/mtfleet/mtproto/crypt"
	"github.com/mtfleet/mtfleet/mtproto/pfs"
	"github.com/mtfleet/mtfleet/mtproto/standing"
	"github.com/mtfleet/mtfleet/mtproto/tgerr"
	"github.com/mtfleet/mtfleet/tl"
	"github.com/mtfleet/mtfleet/tl/tg"
)

// This file is what can happen next, in any world.

// An action is one thing that happens.
type action struct {
	name string
	cost uint8 // in faults
	do   func(*world)
}

var (
	exported = tl.Raw((&tg.AuthExportedAuthorization{ID: 1, Bytes: []byte("once")}).Append(nil))
	imported = tl.Raw(tl.AppendUint32(nil, tg.AuthAuthorizationID))
)

// actions are what can happen, in an order that is the same for equal worlds.
func (w *world) actions(list []action) []action {
	add := func(name string, cost uint8, do func(*world)) {
		if cost <= w.faults {
			list = append(list, action{name: name, cost: cost, do: do})
		}
	}
	for i := range w.queries {
		w.queryActions(&w.queries[i], add)
	}
	for _, away := range []bool{false, true} {
		if w.slot(away) != nil {
			w.slotActions(away, add)
		}
	}
	w.worldActions(add)
	return list
}

type adder func(name string, cost uint8, do func(*world))

func (w *world) slotActions(away bool, add adder) {
	s, t := w.slot(away), w.server(away)
	at := "home"
	if away {
		at = "away"
	}
	on := func(name string, cost uint8, do func(*world, *slot)) {
		add(at+": "+name, cost, func(w *world) { do(w, w.slot(away)) })
	}
	if s.permit {
		on("a key may be made", 0, func(w *world, s *slot) { s.permit = false; s.m.Permitted(w.local(), s.kind) })
	}
	if s.make {
		on(fmt.Sprint("a ", s.kind, " key is made"), 0, func(w *world, s *slot) { w.made(s, away, true) })
		on("a key is made, and nobody hears of it", 1, func(w *world, s *slot) { w.made(s, away, false) })
	}
	if b := s.bind; b != nil {
		if !b.reached {
			on("a bind reaches the server", 0, func(w *world, s *slot) {
				s.bind.reached, s.bind.says = true, w.server(away).bind(s.bind.temp, s.bind.perm, w.now, w.strict)
			})
			on("a bind is lost", 1, func(w *world, s *slot) { w.bindFailed(s, errLost) })
			on("a bind is ordered to wait", 1, func(w *world, s *slot) {
				w.learn()
				w.order("auth.bindTempAuthKey", away, time.Hour)
				err := tgerr.New(420, "FLOOD_WAIT_3600")
				w.st.KeyRefused(w.local(), "auth.bindTempAuthKey", standing.Where{DC: homeDC, Home: !away, Temp: true}, err)
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
					if again := w.slot(away); again != nil {
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
		on("the replaced key's connection stops", 0, func(w *world, s *slot) {
			id := s.old
			w.late(s, id)
			w.silence(s, id, false)
			s.old = 0
			s.m.Retired(w.local(), id)
		})
	}
	if s.probe != 0 {
		on("a replaced key is probed", 0, func(w *world, s *slot) {
			id := s.probe
			s.probe = 0
			said, _ := w.server(away).ask(id, w.now)
			if said == unknownKey {
				s.m.Unknown(w.local(), id)
				return
			}
			s.m.Probed(w.local(), id, said != silence)
		})
	}
	if s.dropping {
		on("old temp keys are dropped", 0, func(w *world, s *slot) {
			s.dropping = false
			w.server(away).drop(s.m.PermID(), s.drop)
			s.m.Dropped(w.local())
		})
		on("a drop is lost", 1, func(w *world, s *slot) { s.dropping = false; s.m.Dropped(w.local()) })
	}
	if s.prove {
		on("the perm key itself is asked about", 0, func(w *world, s *slot) {
			s.prove = false
			if w.server(away).perm(s.m.PermID()) != nil {
				s.m.ProofAnswered(w.local())
			} else {
				s.m.ProofUnknown(w.local(), false)
			}
		})
		on("the question about the perm key is lost", 1, func(w *world, s *slot) { s.prove = false; s.m.ProofFailed(w.local(), errLost) })
	}
	if s.route != 0 {
		said, _ := t.ask(s.route, w.now)
		switch said {
		case unknownKey:
			on("a -404 is told", 0, func(w *world, s *slot) { s.m.Unknown(w.local(), s.route) })
		case unbound:
		default:
			on("the server forgets the temp key", 1, func(w *world, s *slot) {
				id := s.route
				t := w.server(away)
				for i := range t.temps {
					if t.temps[i].id == id {
						t.temps[i].ends = w.now
					}
				}
				t.expire(w.now)
			})
			on("the server forgets the binding", 1, func(w *world, s *slot) {
				if k := w.server(away).temp(s.route, w.now); k != nil {
					k.perm = 0
				}
			})
		}
	}
	if p := t.perm(s.m.PermID()); p != nil && w.faults > 0 {
		on("the server forgets the perm key", 1, func(w *world, s *slot) {
			t := w.server(away)
			id := s.m.PermID()
			for i := range t.perms {
				if t.perms[i].id == id {
					t.perms = append(t.perms[:i:i], t.perms[i+1:]...)
					break
				}
			}
			t.drop(id, nil)
			w.out = w.out || !away
		})
	}
}

// made ends a handshake: the server has the key, whoever hears of it.
func (w *world) made(s *slot, away, heard bool) {
	k := w.newKey()
	now := w.local()
	s.make = false
	t := w.server(away)
	n := pfs.NewKey{Key: k, TimeOffset: -w.skew, Fingerprint: 1}
	if s.kind == pfs.Perm {
		t.perms = append(t.perms, permAt{id: k.ID()})
	} else {
		n.ExpiresAt = w.now.Add(s.life)
		t.temps = append(t.temps, tempAt{id: k.ID(), ends: n.ExpiresAt})
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
	for _, s := range []*slot{w.home, w.away} {
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
		w.silence(s, s.route, false)
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
func (w *world) bound(s *slot) bool { return s == w.home || s == w.away }

// order notes a wait of the server's, in its own time.
func (w *world) order(method string, away bool, d time.Duration) {
	kept := w.waits[:0:0]
	for _, o := range w.waits {
		if (o.method != method || o.away != away) && w.now.Before(o.ends) {
			kept = append(kept, o)
		}
	}
	w.waits = append(kept, wait{method: method, away: away, ends: w.now.Add(d)})
}

func (w *world) queryActions(q *query, add adder) {
	id, what := q.call.ID, q.call.Method
	on := func(name string, cost uint8, do func(*world, *query)) {
		add(what+": "+name, cost, func(w *world) { do(w, w.query(id)) })
	}
	said, _ := w.server(q.away).ask(q.key, w.now)
	if q.stage != querySent || said == silence {
		return // no answer comes; its connection will find out
	}
	on("is answered", 0, func(w *world, q *query) { w.run(q); w.answer(q) })
	on("is done, and the answer is lost", 1, func(w *world, q *query) { w.run(q); w.lost(q) })
	if q.call.Purpose == standing.ForCaller {
		on("is ordered to wait", 1, func(w *world, q *query) {
			w.learn()
			w.order(q.call.Method, q.away, time.Hour)
			w.returned(q, tgerr.New(420, "FLOOD_WAIT_3600"))
		})
		on("meets the server's own trouble", 1, func(w *world, q *query) { w.returned(q, tgerr.New(500, "INTERNAL")) })
	}
}

// run is what the server does with a query that reaches it.
func (w *world) run(q *query) {
	said, perm := w.server(q.away).ask(q.key, w.now)
	if said != granted && (said != anonymous || q.call.Purpose != standing.ForImport) {
		return
	}
	switch q.call.Purpose {
	case standing.ForCaller:
		c := &w.calls[q.caller-1]
		if c.runs++; c.runs > 1 && !q.call.Repeatable {
			w.failf("a call that must not run twice did")
		}
	case standing.ForImport:
		if w.signedIn() {
			perm.authorized = true
		}
	case standing.ForGuestLogOut:
		perm.authorized = false
	case standing.ForLogOut:
		perm.authorized = false
		w.out = true
		for i := range w.servers[1].perms {
			w.servers[1].perms[i].authorized = false // the real one ends them too
		}
	}
}

// signedIn reports whether home has the login.
func (w *world) signedIn() bool {
	for _, p := range w.servers[0].perms {
		if p.authorized {
			return true
		}
	}
	return false
}

// answer brings what the server says.
func (w *world) answer(q *query) {
	s := w.slot(q.away)
	said, _ := w.server(q.away).ask(q.key, w.now)
	refused := tgerr.New(401, "AUTH_KEY_UNREGISTERED")
	if said != unknownKey {
		w.learn()
	}
	switch {
	case said == unknownKey:
		id := q.key
		w.lost(q) // its connection is told -404
		if w.bound(s) && (id == s.route || id == s.old) {
			s.m.Unknown(w.local(), id)
		}
	case said == unbound:
		w.returned(q, tgerr.New(401, "AUTH_KEY_PERM_EMPTY"))
	case q.call.Purpose == standing.ForLogOut, q.call.Purpose == standing.ForGuestLogOut:
		w.returned(q, nil) // run has ended it
	case said == anonymous:
		w.returned(q, refused)
	default:
		w.returned(q, nil)
	}
}

func (w *world) worldActions(add adder) {
	add("time passes", 0, (*world).pass)
	for i := range w.asked {
		if w.asked[i] || i == 1 && !w.guests {
			continue
		}
		add(fmt.Sprint("call ", i+1), 0, func(w *world) {
			w.asked[i] = true
			c := standing.Call{ID: standing.CallID(i + 1), Method: "messages.sendMessage"}
			if i == 1 {
				c.DC, c.Method, c.Repeatable = awayDC, "upload.getFile", true
			}
			w.ask(query{call: c, caller: i + 1})
		})
	}
	if w.owner {
		if w.wished == 0 {
			add("the owner pauses it", 0, func(w *world) { w.wished = 1; w.st.Pause(w.local(), 1) })
			add("the owner logs out", 0, func(w *world) { w.wished = 2; w.st.LogOut(w.local(), 2) })
		}
		if w.wished == 1 {
			add("the owner resumes it", 0, func(w *world) { w.wished = 2; w.st.Resume(w.local(), 3, "") })
		}
	}
	add("the process is killed", 1, func(w *world) { w.crash() })
	for _, skew := range []time.Duration{time.Hour, -time.Hour} {
		if w.skew != skew {
			add(fmt.Sprintf("the process is killed, and the clock is set to %v", skew), 1, func(w *world) { w.skew = skew; w.crash() })
		}
	}
}

// pass goes to the first moment at which something is due.
func (w *world) pass() {
	first := time.Time{}
	sooner := func(t time.Time) {
		if !t.IsZero() && (first.IsZero() || t.Before(first)) {
			first = t
		}
	}
	sooner(w.st.Deadline())
	for _, s := range []*slot{w.home, w.away} {
		if s != nil {
			sooner(s.m.Deadline())
		}
	}
	if w.g != nil {
		sooner(w.g.Deadline())
	}
	if first.IsZero() {
		first = w.local().Add(time.Minute)
	}
	if d := first.Sub(w.local()); d > 0 {
		w.now = w.now.Add(d)
	}
	for i := range w.servers {
		w.servers[i].expire(w.now)
		// A successor that was not made in time is a fault of whoever makes keys.
		s := w.slot(i == 1)
		w.used = w.used || s != nil && s.route != 0 && w.servers[i].temp(s.route, w.now) == nil
		if s != nil && s.old != 0 {
			w.late(s, s.old) // it would have stopped long ago
		}
	}
	now := w.local()
	for _, s := range []*slot{w.home, w.away} {
		if s != nil && s.dropping {
			s.dropping = false // it went down with its connection
			s.m.Dropped(now)
		}
	}
	w.st.Advance(now)
	w.drain()
	for _, s := range []*slot{w.home, w.away} {
		if s != nil && w.bound(s) {
			s.m.Advance(now)
			w.drain()
		}
	}
	if w.g != nil {
		w.g.Advance(now)
	}
	if w.asks && w.home != nil && w.home.route != 0 {
		w.asks = false
		w.standing(standing.Output{Kind: standing.OutSync})
	}
}

package explore

import (
	"fmt"
	"slices"
	"time"

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
	for at, s := range w.slots {
		if s != nil {
			w.slotActions(place(at), add)
		}
	}
	if w.bulk {
		w.mediaActions(add)
	}
	w.worldActions(add)
	return list
}

type adder func(name string, cost uint8, do func(*world))

func (w *world) queryActions(q *query, add adder) {
	id, what := q.call.ID, q.call.Method
	on := func(name string, cost uint8, do func(*world, *query)) {
		add(what+": "+name, cost, func(w *world) { do(w, w.query(id)) })
	}
	said, _ := w.server(q.at).ask(q.key, q.at, w.now)
	s := w.slots[q.at]
	if q.stage != querySent || said == silence || s == nil || q.key == s.route && !s.up {
		return // no answer comes; its connection will find out
	}
	on("is answered", 0, func(w *world, q *query) { w.run(q); w.answer(q) })
	on("is done, and the answer is lost", 1, func(w *world, q *query) { w.run(q); w.lost(q) })
	if q.call.Purpose == standing.ForCaller {
		on("is ordered to wait", 1, func(w *world, q *query) {
			w.learn()
			w.order(q.call.Method, q.at, time.Hour)
			w.returned(q, tgerr.New(420, "FLOOD_WAIT_3600"))
		})
		on("meets the server's own trouble", 1, func(w *world, q *query) { w.returned(q, tgerr.New(500, "INTERNAL")) })
	}
}

// run is what the server does with a query that reaches it.
func (w *world) run(q *query) {
	said, perm := w.server(q.at).ask(q.key, q.at, w.now)
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
	s := w.slots[q.at]
	said, _ := w.server(q.at).ask(q.key, q.at, w.now)
	refused := tgerr.New(401, "AUTH_KEY_UNREGISTERED")
	if said != unknownKey {
		w.learn()
	}
	switch {
	case said == unknownKey:
		id := q.key
		w.lost(q) // its connection is told -404
		if s != nil && w.bound(s) && (id == s.route || id == s.old) {
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
		if w.asked[i] || i == 1 && !w.guests || i == 2 && !w.bulk {
			continue
		}
		add(fmt.Sprint("call ", i+1), 0, func(w *world) {
			w.asked[i] = true
			c := standing.Call{ID: standing.CallID(i + 1), Method: "messages.sendMessage"}
			switch i {
			case 1:
				c.DC, c.Method, c.Repeatable = awayDC, "upload.getFile", true
			case 2:
				c.Method = "upload.saveFilePart"
			}
			w.ask(query{call: c, caller: i + 1, media: i == 2})
		})
	}
	if n := slices.Index(w.rotations[:w.asks], notAsked); n >= 0 {
		add("the owner asks for a rotation", 0, func(w *world) {
			w.rotations[n] = underWay
			w.st.Rotate(w.local(), firstRotation+standing.Request(n))
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
	for _, s := range w.slots {
		if s == nil {
			continue
		}
		sooner(s.m.Deadline())
		if s.old != 0 {
			sooner(s.listens)
		}
		for i := range s.orders {
			sooner(s.orders[i].until)
		}
	}
	if w.g != nil {
		sooner(w.g.Deadline())
	}
	if first.IsZero() {
		first = w.local().Add(time.Minute)
	}
	d := max(first.Sub(w.local()), 0)
	w.now = w.now.Add(d)
	for i := range w.servers {
		w.servers[i].expire(w.now)
	}
	for _, s := range w.slots {
		if s == nil {
			continue
		}
		// A successor that was not made in time is a fault of whoever makes keys.
		w.used = w.used || s.route != 0 && w.server(s.at).temp(s.route, s.at, w.now) == nil
		w.ordersDue(s)
		w.listened(s)
	}
	if d >= patience {
		w.impatient()
	}
	now := w.local()
	w.st.Advance(now)
	w.drain()
	for _, s := range w.slots {
		if s != nil && w.bound(s) {
			s.m.Advance(now)
			w.drain()
		}
	}
	if w.g != nil {
		w.g.Advance(now)
	}
	if w.again && w.slots[atHome] != nil && w.slots[atHome].route != 0 {
		w.again = false
		w.standing(standing.Output{Kind: standing.OutSync})
	}
}

package explore

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/mtfleet/mtfleet/mtproto/crypt"
	"github.com/mtfleet/mtfleet/mtproto/pfs"
	"github.com/mtfleet/mtfleet/mtproto/standing"
)

// This file is what must hold.

// check holds the invariants of a world at rest.
func (w *world) check() {
	for i, c := range w.calls {
		if c.ends > 1 {
			w.failf("call %d ended twice", i+1)
		}
	}
	if w.plant == noPlant && len(w.unsaved) > 0 {
		w.failf("something is not on disk")
	}
	kept := func(s pfs.Snapshot, id crypt.KeyID) bool { return s.Perm != nil && s.Perm.ID() == id }
	for _, p := range w.servers[0].perms {
		if p.authorized && !kept(w.disk.home, p.id) && w.disk.retired != p.id {
			w.failf("the login is orphaned: its perm key is not on disk")
		}
	}
	for _, p := range w.servers[1].perms {
		if p.authorized && !kept(w.disk.away, p.id) && w.signedIn() {
			w.failf("a guest's login is orphaned: its perm key is not on disk")
		}
	}
	if !w.out && w.signedIn() {
		switch s := w.st.State(); s {
		case standing.Revoked, standing.Duplicated, standing.SignedOut, standing.New:
			w.failf("the login lives, and the account is %v", s)
		}
	}
	for _, s := range w.slots {
		if s != nil {
			w.checkSlot(s)
		}
	}
}

func (w *world) checkSlot(s *slot) {
	if id, ok := s.m.Serving(); ok != (s.route != 0) || ok && id != s.route {
		w.failf("calls go under %v, and %v serves", s.route, id)
	}
	w.checkLive(s, s.at)
	if s.at == atHome {
		w.checkLive(s, atMedia) // without a slot for them too
	}
}

func (w *world) checkLive(s *slot, at place) {
	if n := w.server(at).live(s.m.PermID(), at, w.now); n > 2 && s.m.PermID() != 0 {
		w.failf("the server has %d live temp keys for %v", n, at)
	}
}

// step does one action in a copy of the world, and what follows it.
func (w *world) step(a action, crashAt int) *world {
	n := clone(w)
	n.faults -= a.cost
	n.used = n.used || a.cost > 0 || crashAt > 0
	n.saves, n.crashAt, n.crashed = 0, crashAt, false
	if crashAt > 0 {
		n.faults--
	}
	a.do(n)
	n.drain()
	n.has(n.slots[atHome])
	n.has(n.slots[atMedia])
	if n.plant == saveAfter && len(n.unsaved) > 0 && a.name == "time passes" {
		n.disk, n.unsaved = n.unsaved[0], nil
	}
	for i := range n.waits {
		n.waits[i].heard = true
	}
	if n.bad == "" {
		n.check()
	}
	return n
}

// settleMost bounds the steps of settle. The longest way is the proof that a perm
// key is gone that was bound within the last day: it is tried for the rest of the
// day, a minute apart, which a process that slept for a day leaves out (nap).
const (
	settleMost = 400
	nap        = 80
)

// settle lets everything go well from now on, and says what is wrong with where
// that ends: every call has ended, an account that the server knows, and that
// nobody took out of service, is online, its slot for media too, and the server has
// one key for each.
func (w *world) settle() (path []string, bad string) {
	n := clone(w)
	n.faults = 0
	var list []action
	quiet := 0
	for i := range settleMost {
		if n.settled() && quiet > 3 {
			return nil, ""
		}
		list = n.actions(list[:0])
		a := list[0]
		for _, a = range list {
			if !idle[a.name] {
				break
			}
		}
		if idle[a.name] {
			a, quiet = action{name: "time passes", do: (*world).pass}, quiet+1
		}
		if i%nap == nap-1 {
			a = action{name: "a day passes", do: func(w *world) { w.now = w.now.Add(25 * time.Hour); w.pass() }}
		}
		path = append(path, a.name)
		if n = n.step(a, 0); n.bad != "" {
			return path, n.bad
		}
	}
	return path, fmt.Sprintf("it does not come to rest: the account is %v (%s), calls %+v", n.st.State(), n.st.Status().Why, n.queries)
}

// withGuest is the world in which somebody has called the other DC, and nothing went wrong.
func (w *world) withGuest() *world {
	n := clone(w)
	n.faults = 0
	list := n.actions(nil)
	n = n.step(list[slices.IndexFunc(list, func(a action) bool { return a.name == "call 2" })], 0)
	for !n.settled() {
		list = n.actions(list[:0])
		i := slices.IndexFunc(list, func(a action) bool { return !idle[a.name] })
		if n = n.step(list[i], 0); n.bad != "" {
			break
		}
	}
	n.calls[1], n.asked[1], n.faults = tally{}, false, w.faults // it may be called again
	return n
}

// idle are the actions that nobody has to do.
var idle = map[string]bool{
	"time passes": true, "call 1": true, "call 2": true, "call 3": true, "the owner asks for a rotation": true,
	"the owner pauses it": true, "the owner logs out": true, "the owner resumes it": true,
	"media: it is closed for want of calls": true, "media is wanted": true,
}

func (w *world) settled() bool {
	if slices.ContainsFunc(w.queries, func(q query) bool { return q.caller != 0 }) {
		return false
	}
	for i, c := range w.calls {
		if w.asked[i] && c.ends != 1 {
			return false
		}
	}
	if slices.Contains(w.rotations[:], underWay) {
		return false
	}
	switch w.st.State() {
	case standing.Online:
		for at, s := range w.slots {
			if s != nil && !w.inOrder(s) || s == nil && place(at) == atHome {
				return false
			}
		}
		return true
	case standing.Paused:
		return w.owner // a wish to resume may have died with the process
	case standing.Revoked, standing.SignedOut:
		return w.out
	}
	return false
}

// inOrder reports whether calls go by a slot, and the server has no other key of it
// left bound than the one that they go under.
func (w *world) inOrder(s *slot) bool {
	for i := range w.server(s.at).temps {
		t := &w.server(s.at).temps[i]
		if t.perm == s.m.PermID() && t.media == (s.at == atMedia) && !t.cut && t.id != s.route {
			return false
		}
	}
	return s.open()
}

// describe is a world in a line, for the end of a path.
func (w *world) describe() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%v after %v, clock %v, faults left %d", w.st.State(), w.now.Sub(epoch), w.skew, w.faults)
	for _, s := range w.slots {
		if s != nil {
			serving, _ := s.m.Serving()
			fmt.Fprintf(&b, "; %v: keys %v, %v serves", s.at, s.m.Stage(), serving)
		}
	}
	if w.g != nil {
		fmt.Fprintf(&b, "; guest %v", w.g.State())
	}
	return b.String()
}

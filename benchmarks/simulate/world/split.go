package world

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/mtfleet/mtfleet/actors"
	"github.com/mtfleet/mtfleet/actors/placement"
	"github.com/mtfleet/mtfleet/persistence"
)

// This file is what may split several nodes that keep the accounts together, and how
// they stand when nothing does.

// node is one of the nodes.
func (s *storm) node() *node {
	if !s.w.several() {
		return s.w.nodes[0]
	}
	return s.w.nodes[s.rand.IntN(len(s.w.nodes))]
}

// span is how long something lasts: well within a lease, about as long, or longer.
func (s *storm) span() time.Duration {
	most := []time.Duration{8 * time.Second, 20 * time.Second, time.Minute}[s.rand.IntN(3)]
	return time.Duration(s.rand.Int64N(int64(most)))
}

// split does something to the nodes, or to their ways to the database.
func (s *storm) split(c *stormCtx) {
	w := s.w
	w.rec.count.Splits++
	n, d := s.node(), s.span()
	how := fate(1 + s.rand.IntN(int(allFates)-1))
	what := s.rand.IntN(15)
	p := n.process
	if p == nil {
		return
	}
	until := w.sim.Now().Add(d)
	switch what {
	case 0, 1:
		w.rec.line("database: %s is %s for %v", p.title(), fateNames[how], d)
		p.cut, p.until = how, until
	case 2:
		w.rec.line("database: everybody is %s for %v", fateNames[how], d)
		for _, p := range w.live() {
			p.cut, p.until = how, until
		}
	case 3:
		p.cut, p.next = how, 1+s.rand.IntN(5)
		w.rec.line("database: %s is %s %d times", p.title(), fateNames[how], p.next)
	case 4:
		slow := time.Duration(s.rand.Int64N(int64(4 * time.Second)))
		w.rec.line("database: it takes up to %v longer each way for %v", slow, d)
		w.db.slow = slow
		w.sim.AfterFunc(d, func() { w.db.slow = 0 })
	case 5, 6:
		w.freeze(p, d)
	case 7:
		w.rec.line("network: %s reaches no DC for %v", p.title(), d)
		p.unreached = until
	case 8:
		c.GoIO(func() gust { w.second(n); return gust{restarted: true} })
	case 9:
		wish := persistence.Wish(1 + s.rand.IntN(2))
		w.rec.line("an operator wants %s to %v for %v", n.name, wish, d)
		w.db.wish(n.name, wish)
		w.sim.AfterFunc(d, func() { w.db.wish(n.name, persistence.WishServe) })
	case 10:
		c.GoIO(func() gust { n.restart(true); return gust{restarted: true} })
	case 11:
		p.stops, p.stopFor = 1+s.rand.IntN(4), d
	case 12:
		drained := s.rand.IntN(4) > 0
		c.GoIO(func() gust { w.deploy(drained); return gust{restarted: true} })
	case 13, 14:
		// It follows synchronously, closely, or far behind; a quick one takes over while
		// leases last.
		lag := time.Duration(s.rand.Int64N(int64([]time.Duration{1, 3 * time.Second, 20 * time.Second}[s.rand.IntN(3)])))
		w.db.failOver(lag, d/[]time.Duration{1, 20}[s.rand.IntN(2)])
	}
}

// freeze stops a process for a while, as SIGSTOP does.
func (w *world) freeze(p *process, d time.Duration) {
	if p.busy {
		return
	}
	w.rec.line("%s is stopped for %v", p.title(), d)
	p.frozen++
	p.m.Freeze()
	w.sim.AfterFunc(d, func() { p.thaw(false) })
}

// thaw lets a stopped process go on, when nobody holds it any more or at once.
func (p *process) thaw(atOnce bool) {
	if p.dead || p.frozen == 0 {
		return
	}
	p.frozen--
	if atOnce {
		p.frozen = 0
	}
	if p.frozen == 0 {
		p.w.rec.line("%s goes on", p.title())
		p.m.Thaw()
	}
}

// second starts another process of a node that has one. It is refused, unless the lease
// of the first is over: that one has to end then.
func (w *world) second(n *node) {
	w.rec.line("a second manager is started on %s", n.name)
	p, err := w.begin(n.name)
	taken, away := (*persistence.NodeTakenError)(nil), (*persistence.UnreachableError)(nil)
	if err != nil && !errors.As(err, &taken) && !errors.As(err, &away) && !p.dead {
		w.judge.Complain("a second manager does not open: %v", err)
	}
	up := err == nil && !p.dead
	if old := n.process; old != nil && old.replaced {
		w.sim.AfterFunc(20*time.Second, func() { w.end(old) })
		n.process = nil
	}
	switch {
	case up && n.process == nil:
		w.rec.line("%s is up in place of the first", p.title())
		n.process = p
	case up:
		w.judge.Complain("two managers are up on %s", n.name)
		w.end(p)
	case n.process == nil:
		n.openIn(time.Second)
	}
	if !up {
		w.rec.line("the second manager on %s: %v", n.name, err)
		w.end(p)
	}
}

// deploy restarts every node, one after the other, as a deploy does.
func (w *world) deploy(drained bool) {
	w.rec.line("all nodes restart in turn (drained %v)", drained)
	for _, n := range w.nodes {
		n.restart(drained)
		w.sleep(30*time.Second, func() bool { return n.process != nil })
		w.sleep(3*time.Second, func() bool { return false })
	}
}

// sleep waits until something is so, for a time at most.
func (w *world) sleep(most time.Duration, so func() bool) {
	until := w.sim.Now().Add(most)
	w.sim.AfterFunc(most, func() {}) // so that there is such a moment
	w.sim.Wait(func() bool { return so() || !w.sim.Now().Before(until) })
}

// callee is where somebody calls an account: where it is, mostly.
func (w *world) callee(u *user) (*process, *actors.Account, error) {
	if w.several() && w.moves.IntN(8) == 0 {
		if all := w.live(); len(all) > 0 {
			p := all[w.moves.IntN(len(all))]
			if a, err := p.m.Account(u.name); err == nil {
				return p, a, nil
			}
		}
	}
	return w.at(u)
}

// again calls once more where an account was about to move.
func (k *workload) again(u *user, err error) {
	if moves := (*actors.ElsewhereError)(nil); errors.As(err, &moves) {
		if !errors.Is(err, actors.ErrNotSent) {
			k.w.judge.Complain("an account moves, and a call of it ends with %v", err)
		}
		k.w.sim.AfterFunc(time.Second, func() {
			if u.in && !k.resting {
				k.call(u)
			}
		})
	}
}

// clockError is by how much a session may seem to begin before the one that it
// follows: a manager knows a DC's clock to a second and the way of one packet. That a
// manager is silent without a lease is judged by itself, to the moment.
const clockError = 4 * time.Second

// wake resumes, when the weather has been good for long, whoever is paused: an operator
// who was told that the store does not answer does not know what came of his wish.
func (w *world) wake() {
	if !w.several() {
		return
	}
	for _, u := range w.users {
		a, err := w.account(u)
		if err != nil || a.Status().State != actors.Paused {
			continue
		}
		if !u.doubtful {
			w.judge.Complain("%s is paused, and was resumed", u.name)
		}
		if err := w.resume(u); err != nil {
			w.judge.Complain("%s is not resumed: %v", u.name, err)
		}
	}
	w.sim.RunFor(time.Minute)
}

// auditLease looks at a process that sends: it is not stopped, and has a lease.
func (n *network) auditLease() {
	p := n.process
	switch {
	case p.access == nil:
	case p.frozen > 0:
		n.complain("%s sends and is stopped", p.title())
	case !p.db.lasts(p.owner):
		n.complain("%s sends, and its lease is over", p.title())
	}
}

// late tells whether a process says of an account what it was, for another has it, or
// nobody.
func (p *process) late(ev actors.Event) bool {
	if p.access == nil {
		return false
	}
	switch ev.Status.State {
	case actors.Revoked, actors.SignedOut, actors.Quarantined:
		return p.db.ownerOf(p.w.user(ev.Account)) != p.owner
	}
	return false
}

// misplaced names an account that is not where it belongs: on one node alone, which
// owns it, is its home and, but for one, has it online.
func (w *world) misplaced(but *user) (who *user, why string) {
	var all []placement.Weighted
	for _, n := range w.nodes {
		if n.process == nil {
			return w.users[0], "on " + n.name + " no manager runs"
		}
		all = append(all, placement.Weighted{Name: n.name, Weight: 100})
	}
	for _, u := range w.users {
		home := placement.Home(persistence.AccountID(u.name), all)
		for _, p := range w.live() {
			a, err := p.m.Account(u.name)
			switch {
			case err != nil && p.on == home:
				return u, "it is not on " + home
			case err == nil && p.on != home:
				return u, "it is on " + p.on + ", and " + home + " is its home"
			case err == nil && w.db.ownerOf(u) != p.owner:
				return u, "it is on " + p.on + ", and owned by " + w.db.ownerOf(u).String()
			case err == nil && u != but && a.Status().State != actors.Online:
				return u, "it is " + a.Status().State.String()
			}
		}
	}
	return nil, ""
}

// settleMost is how long it takes in good weather until accounts are where they belong.
const settleMost = 3 * time.Minute

// settle waits until all accounts are where they belong, but for one that need not be
// online.
func (w *world) settle(but *user) {
	if !w.several() {
		return
	}
	for begun := w.sim.Now(); w.sim.Now().Sub(begun) < settleMost; w.sim.RunFor(time.Second) {
		if who, _ := w.misplaced(but); who == nil {
			return
		}
	}
	if who, why := w.misplaced(but); who != nil {
		w.judge.Complain("%s is not where it belongs: %s", who.name, why)
	}
}

// drainOne drains a node when nothing goes wrong, and has it back: that costs no key.
func (w *world) drainOne() {
	if !w.several() || len(w.live()) < len(w.nodes) {
		return
	}
	w.settle(nil)
	n := w.nodes[w.moves.IntN(len(w.nodes))]
	p, before := n.process, w.made()
	w.rec.line("%s is drained in good weather", p.title())
	if err := p.drain(); err != nil {
		w.judge.Complain("%s is not drained: %v", p.title(), err)
		return
	}
	w.writeToAll()
	if left := len(p.m.Accounts()); left > 0 {
		w.judge.Complain("%s keeps %d accounts after it was drained", p.title(), left)
	}
	n.restart(false)
	w.settle(nil)
	w.writeToAll()
	if after := w.made(); w.tempLife() == day && !slices.Equal(before, after) {
		w.judge.Complain("while %s was drained the DCs made keys or saw logins: %v, and %v before", p.title(), after, before)
	}
}

// made counts the keys and logins that the DCs have seen.
func (w *world) made() []int {
	c := w.dcs.core.Counts()
	return []int{c.PermKeys, c.TempKeys, c.Logins}
}

// writeToAll lets everybody hear of something.
func (w *world) writeToAll() {
	for _, u := range w.users {
		w.dcs.push(u.ID)
	}
	w.sim.RunFor(5 * time.Second)
}

// written is the store as it is read in the end.
func (w *world) written() persistence.Store {
	if w.several() {
		return w.db.cluster
	}
	return w.disk.open(&process{})
}

// roster complains about accounts that are not, in the end, on one node that owns them.
func (w *world) roster() {
	if !w.several() {
		return
	}
	if who, why := w.misplaced(nil); who != nil {
		w.judge.Complain("%s is not where it belongs in the end: %s", who.name, why)
	}
	as := w.db.cluster.Node()
	defer as.Close()
	nodes, err := as.Nodes(context.Background(), true)
	if err != nil || len(nodes) != len(w.nodes) {
		w.judge.Complain("the database has the nodes %+v in the end, %v", nodes, err)
	}
}

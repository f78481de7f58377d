package world

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/mtfleet/mtfleet/actors"
	"github.com/mtfleet/mtfleet/actors/governor"
	"github.com/mtfleet/mtfleet/actors/runtime"
	"github.com/mtfleet/mtfleet/persistence"
)

// node is a place where managers run, one after the other: the only one, or one of
// several that keep the accounts together.
type node struct {
	w    *world
	name string
	*process
}

// process is one life of a manager.
type process struct {
	w    *world
	on   string // the name of its node
	life int
	m    *actors.Manager
	net  *network
	dead bool

	// Of several only.
	owner     persistence.Owner // what the database made it
	replaced  bool              // another has its name
	ends      bool              // it is no node any more
	busy      bool              // it drains or closes
	frozen    int               // how many hold it stopped
	unreached time.Time         // until when its network reaches no DC
	*access
}

// several tells whether the world has more than one node.
func (w *world) several() bool { return len(w.nodes) > 1 }

// title is what lines call it.
func (p *process) title() string {
	if p.access == nil {
		return fmt.Sprintf("manager %d", p.life)
	}
	return fmt.Sprintf("manager %d on %s", p.life, p.on)
}

// live are the processes that run, one for each node at most.
func (w *world) live() (all []*process) {
	for _, n := range w.nodes {
		if n.process != nil {
			all = append(all, n.process)
		}
	}
	return all
}

// open starts a manager.
func (n *node) open() {
	p, err := n.w.begin(n.name)
	taken, away := (*persistence.NodeTakenError)(nil), (*persistence.UnreachableError)(nil)
	switch {
	case n.process != nil: // somebody else was quicker
		n.w.end(p)
		return
	case errors.As(err, &taken):
		n.openIn(min(taken.Left, 5*time.Second) + time.Second)
	case errors.As(err, &away):
		n.openIn(time.Second)
	case p.dead:
		n.openIn(time.Second) // it crashed at a commit
	case err != nil:
		n.w.judge.Complain("the manager does not open: %v", err)
	default:
		n.process = p
		n.w.rec.line("%s is up", p.title())
	}
}

// begin starts a process.
func (w *world) begin(name string) (*process, error) {
	w.life++
	p := &process{w: w, on: name, life: w.life}
	p.net = &network{weather: w.sky, process: p, paced: newPaced(Limits(w.seed), w.sim.Now())}
	app := w.dcs.api.Apps()[0]
	o := actors.Options{
		AllowExport: true, Network: p.net, Sim: w.sim, DCs: w.dcs.table(), Limits: Limits(w.seed), Logger: w.logger(),
		App: actors.App{APIID: app.ID, APIHash: app.Hash, DeviceModel: "mtfleet simulation", SystemVersion: "none", AppVersion: "0"},
		OnEvent: func(ev actors.Event) {
			if !p.dead {
				w.hear(p, ev)
			}
		},
	}
	if w.several() {
		p.access = w.db.to(p)
		o.Store, o.Node, o.Cluster = p.access, name, &actors.ClusterOptions{}
	} else {
		w.judge.Opened()
		o.Store = w.disk.open(p)
	}
	switch fast := (governor.Rate{PerSecond: 1e6, Burst: 1e6}); w.opts.Plant {
	case PlantNoBudget:
		o.Limits.ConnectsPerDC, o.Limits.Connects = fast, fast
		w.rec.line("plant: connects are not paced")
	case PlantNoKeyBudget:
		o.Limits.KeysPerDC, o.Limits.Keys = fast, fast
		w.rec.line("plant: keys are not paced")
	case PlantNoTurns:
		o.Limits.SignInsPerDC, o.Limits.SignIns = fast, fast
		w.rec.line("plant: sign-ins are not paced")
	}
	if life := w.tempLife(); life < day {
		o.TempKeyLife = life
	}
	m, err := actors.Open(o)
	if p.m = m; p.dead && m != nil {
		m.Crash() // it was killed meanwhile
	}
	return p, err
}

// openIn has a manager start some time later.
func (n *node) openIn(d time.Duration) { n.w.sim.AfterFunc(d, func() { n.w.boot.Send(boot{n}) }) }

// starter is the actor that starts managers: to open one is to wait for it.
type starter struct{ w *world }

// boot is what it handles: the node whose manager is to start, none when it did.
type boot struct{ *node }

// Started implements [runtime.Actor].
func (starter) Started(*runtime.Context[boot]) {}

// Receive implements [runtime.Actor].
func (s starter) Receive(c *runtime.Context[boot], b boot) {
	if b.node != nil {
		c.GoIO(func() boot { b.open(); return boot{} })
	}
}

// Stopping implements [runtime.Actor].
func (starter) Stopping(*runtime.Context[boot]) {}

// crash ends a node's process, and starts another some time later.
func (n *node) crash(when string) {
	p := n.process
	if p == nil {
		return
	}
	n.w.rec.count.Crashes++
	n.w.rec.line("%s crashes %s", p.title(), when)
	n.process = nil
	n.w.end(p)
	n.w.disk.crashed()
	n.openIn(time.Second + n.w.sky.latency(1)*100)
}

// crashes ends a process wherever it stands: at a commit, while it opens.
func (p *process) crashes(when string) {
	for _, n := range p.w.nodes {
		if n.process == p {
			n.crash(when)
			return
		}
	}
	if p.w.several() { // the only one opens as if nothing was
		p.w.end(p)
	}
}

// end kills a process; one that is not up may have no manager.
func (w *world) end(p *process) {
	if p.dead {
		return
	}
	p.dead = true
	p.net.kill()
	if p.m != nil {
		p.m.Crash()
	}
	w.judge.DiedIn(p.life)
}

// restart ends a node's manager in order and starts another; drained, it hands its
// accounts over before. It waits.
func (n *node) restart(drained bool) {
	w, p := n.w, n.process
	if p == nil || p.busy || p.frozen > 0 {
		return
	}
	p.busy = true
	defer func() { p.busy = false }()
	w.rec.count.Restarts++
	w.rec.line("%s closes", p.title())
	ctx, cancel := w.within(time.Minute)
	defer cancel()
	if drained {
		err := p.drain()
		w.rec.line("%s was drained: %v", p.title(), err)
		if n.process != p {
			return
		}
	}
	err := p.m.Close(ctx)
	if n.process != p {
		return // it crashed meanwhile
	}
	if away := (*persistence.UnreachableError)(nil); err != nil && !errors.As(err, &away) {
		w.judge.Complain("the manager does not close: %v", err)
	}
	w.closed(p)
	n.process = nil
	n.openIn(time.Second)
}

// closed notes that a process has ended in order.
func (w *world) closed(p *process) {
	p.dead = true
	p.net.kill()
	w.judge.UnendedIn(p.life, w.dcs.core.Echo)
}

// drain hands over what a process has, with the patience of a service manager.
func (p *process) drain() error {
	ctx, cancel := p.w.within(40 * time.Second)
	defer cancel()
	return p.m.Drain(ctx)
}

var (
	errNoManager = errors.New("no manager is running")
	errSilent    = errors.New("the manager does not answer, is silent, or does not know that the account is another's")
)

// at is where an account is, or where it can be added.
func (w *world) at(u *user) (*process, *actors.Account, error) {
	all := slices.DeleteFunc(w.live(), func(p *process) bool { return p.replaced })
	if len(all) == 0 {
		return nil, nil, errNoManager
	}
	if !w.several() {
		a, err := all[0].m.Account(u.name)
		return all[0], a, err
	}
	// Who asks comes to the node that owns it. Where none does it moves, or is not there:
	// whoever he tries to add it at has to know.
	owner := w.db.ownerOf(u)
	i := slices.IndexFunc(all, func(p *process) bool { return p.owner == owner })
	if i < 0 {
		i = w.moves.IntN(len(all))
	}
	p := all[i]
	a, err := p.m.Account(u.name)
	if p.frozen > 0 || err == nil && p.owner != owner {
		return nil, nil, errSilent
	}
	return p, a, err
}

func (w *world) account(u *user) (*actors.Account, error) {
	_, a, err := w.at(u)
	return a, err
}

// close ends the last managers.
func (w *world) close() {
	if len(w.live()) < len(w.nodes) {
		w.judge.Complain("there is no manager at the end")
	}
	if len(w.live()) == 0 {
		return
	}
	ctx, cancel := w.within(time.Minute)
	defer cancel()
	w.auditBounds(ctx)
	for _, u := range w.users {
		w.stories[u.name] = w.story(u)
	}
	for _, n := range w.nodes {
		if n.process != nil {
			w.closeLast(ctx, n)
		}
	}
}

func (w *world) closeLast(ctx context.Context, n *node) {
	if err := n.m.Close(ctx); err != nil {
		w.judge.Complain("the manager does not close at the end: %v", err)
	}
	w.closed(n.process)
}

package world

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/mtfleet/mtfleet/persistence"
)

// This file is the database of several nodes: a store in memory, at the end of a way
// of each process that may be cut. A question takes its time to get there and is
// answered some time later; who asked may be stopped, or gone, by then.

// database outlives every process. Nobody asks anything by its own cluster, which is
// what lies there: who asks puts right what the database has forgotten.
type database struct {
	w       *world
	rand    *rand.Rand
	cluster *persistence.MemoryCluster
	standby *persistence.Standby // that takes over soon; nil: none
	slow    time.Duration        // that every way takes longer
	ways    []*access            // of all processes that were
	unheld  bool                 // a plant was put

	// What was promised, whatever the database remembers of it.
	leases  map[persistence.Owner]*lent
	holders map[persistence.AccountID]persistence.Owner // who may use an account's keys
}

// lent is the lease of a node.
type lent struct {
	info  persistence.NodeInfo
	until time.Time // with the grace
}

func newDatabase(w *world) *database {
	return &database{
		w: w, rand: stream(w.seed, "database"), cluster: persistence.NewMemoryCluster(w.sim.Now),
		leases: map[persistence.Owner]*lent{}, holders: map[persistence.AccountID]persistence.Owner{},
	}
}

// clear mends everything. It does nothing where there is no database.
func (d *database) clear() {
	if d == nil {
		return
	}
	d.slow, d.standby = 0, nil
	for _, y := range d.ways {
		y.until, y.next, y.stops = time.Time{}, 0, 0
		y.process.unreached = time.Time{}
		y.process.thaw(true)
	}
	for _, n := range d.w.nodes {
		d.wish(n.name, persistence.WishServe)
	}
}

// wish is an operator's, who works on the database himself.
func (d *database) wish(node string, wish persistence.Wish) {
	as := d.cluster.Node()
	defer as.Close()
	if err := as.Wish(context.Background(), node, wish); err != nil {
		d.w.judge.Complain("the database takes no wish: %v", err)
	}
}

// ownerOf is who owns a user's account, by the database itself.
func (d *database) ownerOf(u *user) persistence.Owner {
	return d.cluster.Holder(persistence.AccountID(u.name))
}

// lasts tells whether an owner may speak yet: its lease and the grace are not over.
func (d *database) lasts(o persistence.Owner) bool {
	p := d.leases[o]
	return p != nil && d.w.sim.Now().Before(p.until)
}

// promised notes that a lease was begun, or renewed.
func (d *database) promised(o persistence.Owner) {
	if p := d.leases[o]; p != nil {
		p.until = d.w.sim.Now().Add(p.info.Term + p.info.Grace)
	}
}

// lets notes that an owner lets go of accounts.
func (d *database) lets(o persistence.Owner, ids ...persistence.AccountID) {
	for _, id := range ids {
		if d.holders[id] == o {
			delete(d.holders, id)
		}
	}
}

// takes notes that an owner has an account: who had it before may use its keys no more.
func (d *database) takes(o persistence.Owner, id persistence.AccountID) {
	if had := d.holders[id]; had != (persistence.Owner{}) && had != o && d.lasts(had) {
		d.w.judge.Complain("the database gave %v the account %s, and the lease of %v lasts, which has it", o, id, had)
	}
	d.holders[id] = o
	d.w.judge.Taken(string(id))
}

// fate is what becomes of a question on a way.
type fate uint8

const (
	arrives  fate = iota
	unasked       // it does not get there
	untold        // the answer does not come back
	allFates      // but the first
)

var fateNames = [...]string{unasked: "asked nothing", untold: "told nothing"}

// access is what a process has of the database: its way there.
type access struct {
	persistence.Cluster
	db      *database
	process *process

	cut   fate      // until then
	until time.Time // zero: it is whole
	next  int       // questions that the cut still happens to

	stops   int // commits until the process is stopped before one leaves; 0: none is planned
	stopFor time.Duration
}

// to is the way of a new process.
func (d *database) to(p *process) *access {
	y := &access{Cluster: d.cluster.Node(), db: d, process: p}
	d.ways = append(d.ways, y)
	return y
}

// fate is that of a question now.
func (y *access) fate() fate {
	if y.next > 0 {
		y.next--
		return y.cut
	}
	if y.db.w.sim.Now().Before(y.until) {
		return y.cut
	}
	return arrives
}

// latency is how long the way takes.
func (y *access) latency() time.Duration {
	d := time.Duration(y.db.rand.Int64N(int64(4 * time.Millisecond)))
	if slow := y.db.slow; slow > 0 {
		d += time.Duration(y.db.rand.Int64N(int64(slow)))
	}
	return d
}

// storePatience is how long a store waits by itself for its database.
const storePatience = 3 * time.Second

var errNoAnswer = errors.New("world: the database does not answer")

// ask has the database do something. Who gives up before it begins has not asked; a
// process that ends meanwhile has.
func (y *access) ask(ctx context.Context, do func() error) error {
	p, sim := y.process, y.db.w.sim
	if p.dead {
		return persistence.ErrClosed
	}
	var err error
	answered, gaveUp := false, false
	fate := y.fate()
	sim.AfterFunc(y.latency(), func() {
		if gaveUp || fate == unasked {
			return
		}
		if err = do(); fate != untold {
			sim.AfterFunc(y.latency(), func() { answered = true })
		}
	})
	sim.Wait(func() bool { return p.dead || p.frozen == 0 && (answered || ctx.Err() != nil) })
	gaveUp = !p.dead
	switch {
	case p.dead:
		return persistence.ErrClosed
	case answered:
		if stale := (*persistence.StaleOwnerError)(nil); errors.As(err, &stale) && stale.Account == "" {
			y.db.w.outlived(p)
		}
		return err
	}
	return &persistence.UnreachableError{Err: errNoAnswer}
}

// alone is ask with the store's own patience.
func (y *access) alone(do func() error) error {
	ctx, cancel := y.db.w.within(storePatience)
	defer cancel()
	return y.ask(ctx, do)
}

// Accounts implements Store.
func (y *access) Accounts() (ids []persistence.AccountID, err error) {
	err = y.alone(func() (err error) { ids, err = y.Cluster.Accounts(); return err })
	return ids, err
}

// Load implements Store.
func (y *access) Load(id persistence.AccountID) (list []persistence.Record, err error) {
	err = y.alone(func() (err error) {
		y.db.w.judge.reread(id)
		list, err = y.db.w.disk.load(id, y.Cluster.Load)
		return err
	})
	return list, err
}

// Commit implements Store.
func (y *access) Commit(c persistence.Commit) error {
	if y.stops > 0 && !y.process.dead {
		if y.stops--; y.stops == 0 {
			y.db.w.freeze(y.process, y.stopFor)
			y.db.w.sim.Wait(func() bool { return y.process.dead || y.process.frozen == 0 })
		}
	}
	return y.alone(func() error { return y.db.w.disk.commit(y.process, c, y.take) })
}

// take is the database's part of a commit: whoever makes it has to own what it is
// about.
func (y *access) take(c persistence.Commit) error {
	w := y.db.w
	gone := w.strays(c)
	err := y.Cluster.Commit(c)
	if stale := (*persistence.StaleOwnerError)(nil); w.opts.Plant == PlantFenceOutside && errors.As(err, &stale) && stale.Account != "" && stale.Current != (persistence.Owner{}) {
		w.rec.line("plant: a commit of %v for %s is taken", c.Owner, stale.Account)
		as := c
		as.Owner = stale.Current
		err = y.Cluster.Commit(as)
	}
	if err != nil {
		return err
	}
	w.judge.rewritten(c)
	for _, k := range gone {
		w.judge.lostKeys[k] = w.sim.Now()
	}
	for _, u := range w.users {
		if !concerns(c, u.name) {
			continue
		}
		switch id, o := persistence.AccountID(u.name), y.db.ownerOf(u); o {
		case persistence.Owner{}: // it has no record any more
			y.db.lets(c.Owner, id)
		case c.Owner:
			y.db.holders[id] = o // it may have begun it
		default:
			w.judge.Complain("the database took a commit of %v for %s, which %v owns", c.Owner, u.name, o)
		}
	}
	return nil
}

// concerns tells whether a commit is about an account.
func concerns(c persistence.Commit, account string) bool {
	for _, r := range c.Put {
		if string(r.Account) == account {
			return true
		}
	}
	for _, k := range c.Delete {
		if string(k.Account) == account {
			return true
		}
	}
	return false
}

// Join implements Cluster.
func (y *access) Join(ctx context.Context, n persistence.NodeInfo) (o persistence.Owner, err error) {
	if y.db.w.opts.Plant == PlantNoMargin {
		y.db.w.rec.line("plant: the lease of %s is half as long as it says", n.Name)
		n.Term, n.Grace = n.Term/2, 0
	}
	err = y.ask(ctx, func() (err error) {
		if o, err = y.Cluster.Join(ctx, n); err == nil {
			y.process.owner = o
			y.db.leases[o] = &lent{info: n}
			y.db.promised(o)
			for _, p := range y.db.w.live() {
				p.replaced = p.replaced || p.on == n.Name && p != y.process
			}
		}
		return err
	})
	return o, err
}

// Renew implements Cluster.
func (y *access) Renew(ctx context.Context, o persistence.Owner) error {
	return y.ask(ctx, func() error {
		err := y.Cluster.Renew(context.Background(), o)
		if err == nil {
			y.db.promised(o)
		}
		return err
	})
}

// CutOff implements Cluster.
func (y *access) CutOff(ctx context.Context, o persistence.Owner, cut bool) error {
	return y.ask(ctx, func() error { return y.Cluster.CutOff(context.Background(), o, cut) })
}

// Depart implements Cluster.
func (y *access) Depart(ctx context.Context, o persistence.Owner) error {
	return y.ask(ctx, func() error { return y.Cluster.Depart(context.Background(), o) })
}

// Leave implements Cluster.
func (y *access) Leave(ctx context.Context, o persistence.Owner) error {
	return y.ask(ctx, func() error {
		delete(y.db.leases, o) // it is silent already
		return y.Cluster.Leave(context.Background(), o)
	})
}

// Take implements Cluster.
func (y *access) Take(ctx context.Context, o persistence.Owner, ids []persistence.AccountID) (taken []persistence.AccountID, err error) {
	err = y.ask(ctx, func() (err error) {
		y.db.plantHold()
		taken, err = y.Cluster.Take(context.Background(), o, ids)
		for _, id := range taken {
			y.db.takes(o, id)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return taken, nil
}

// Release implements Cluster.
func (y *access) Release(ctx context.Context, o persistence.Owner, ids []persistence.AccountID) error {
	return y.ask(ctx, func() error {
		y.db.lets(o, ids...) // it uses no key of theirs any more
		return y.Cluster.Release(context.Background(), o, ids)
	})
}

// Free implements Cluster.
func (y *access) Free(ctx context.Context, most int) (list []persistence.FreeAccount, err error) {
	err = y.ask(ctx, func() (err error) {
		y.db.plantHold()
		list, err = y.Cluster.Free(context.Background(), most)
		return err
	})
	return list, err
}

// Owned implements Cluster.
func (y *access) Owned(ctx context.Context, o persistence.Owner) (ids []persistence.AccountID, err error) {
	err = y.ask(ctx, func() (err error) { ids, err = y.Cluster.Owned(context.Background(), o); return err })
	return ids, err
}

// Nodes implements Cluster.
func (y *access) Nodes(ctx context.Context, counted bool) (list []persistence.Node, err error) {
	err = y.ask(ctx, func() (err error) { list, err = y.Cluster.Nodes(context.Background(), counted); return err })
	return list, err
}

package actors

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/mtfleet/mtfleet/actors/lease"
	"github.com/mtfleet/mtfleet/actors/placement"
	"github.com/mtfleet/mtfleet/actors/runtime"
	"github.com/mtfleet/mtfleet/persistence"
)

// ClusterOptions make a Manager one of several that keep one fleet, each the
// accounts it owns. Zero fields have defaults.
type ClusterOptions struct {
	// Address is where other nodes reach this one's API; empty: nowhere.
	Address string
	// Capacity is this node's weight among the others: its share of the accounts.
	// Zero means 100.
	Capacity int
	// Version of the program, for people.
	Version string
	// Term is how long the lease of a node lasts from each renewal, of which there
	// are three in that time. Zero means 15 s. When a machine dies its accounts stand
	// still for Term and Grace at most, and that is also how long the store may be
	// away before this node is silent, less Margin.
	Term time.Duration
	// Margin is how much earlier than the store this node takes its lease for over:
	// what clocks may differ by in that time, and what a write may take that was
	// begun. Zero means a fifth of Term.
	Margin time.Duration
	// Grace is how much later than the end of a lease others take its accounts: what
	// is under way through the network by then. Zero means 500 ms.
	Grace time.Duration
	// MovesPerSecond paces the accounts that are handed over because they belong to
	// another node. Zero means 20. A node that drains or leaves hands over sixteen at
	// a time, however many a second that is.
	MovesPerSecond int
	// DrainLimit is how long a call may go on that is under way when its account is
	// handed over; then it ends as one that may have run. Zero means 10 s.
	DrainLimit time.Duration
}

const (
	defaultTerm     = 15 * time.Second
	defaultGrace    = 500 * time.Millisecond
	defaultCapacity = 100
	defaultMoves    = 20
	defaultDrain    = 10 * time.Second

	// handedAtOnce bounds the accounts that are being handed over at once. Each
	// takes a goroutine and waits for its calls, its last commit and its release.
	handedAtOnce = 16
	// takenAtOnce bounds those that are taken in one step: their records are read
	// before the next.
	takenAtOnce = 256
	// placeEvery is how often the store is asked what is free, when nobody gives a
	// hint: two statements, a second.
	placeEvery = time.Second
	// placeLeast is how close together hints may bring that.
	placeLeast = 50 * time.Millisecond
	// tallyEvery is how often a node compares what it keeps with what it owns.
	tallyEvery = 30 * time.Second
	// settleAfter is how long a node has to be there before accounts move to it: one
	// that starts and ends again moves none.
	settleAfter = 5 * time.Second
	// strays is after how many terms any node takes what its home has not taken.
	strays = 2
)

func (o *ClusterOptions) fill() {
	o.Capacity = cmp.Or(o.Capacity, defaultCapacity)
	o.Term = cmp.Or(o.Term, defaultTerm)
	o.Margin = cmp.Or(o.Margin, o.Term/5)
	o.Grace = cmp.Or(o.Grace, defaultGrace)
	o.MovesPerSecond = cmp.Or(o.MovesPerSecond, defaultMoves)
	o.DrainLimit = cmp.Or(o.DrainLimit, defaultDrain)
}

func (o *ClusterOptions) check() error {
	switch {
	case o.Margin < 0 || o.Margin >= o.Term:
		return fmt.Errorf("ClusterOptions.Margin is %v: it has to be less than the term of %v", o.Margin, o.Term)
	case o.MovesPerSecond < 0:
		return errors.New("ClusterOptions.MovesPerSecond is negative")
	case o.DrainLimit < 0:
		return errors.New("ClusterOptions.DrainLimit is negative")
	}
	return nil
}

// node is a Manager's place in a cluster: its lease, and which accounts are its own.
type node struct {
	m     *Manager
	opts  ClusterOptions
	store persistence.Cluster
	owner persistence.Owner
	lease *lease.Lease
	sim   *runtime.Sim // nil but in a simulation
	ref   runtime.Ref[nodeMsg]

	// alive ends with Close: what asks the store then is not waited for.
	alive context.Context
	end   context.CancelFunc

	mu      sync.Mutex                         // guards what follows
	leaving bool                               // Drain was called
	moving  map[persistence.AccountID]struct{} // being handed over, until the store knows
}

// join makes the options' store and name a node. It blocks.
func join(o *Options) (*node, error) {
	store, ok := o.Store.(persistence.Cluster)
	if !ok {
		return nil, errors.New("Options.Cluster is set, and Options.Store is not a store of several nodes")
	}
	c := *o.Cluster
	c.fill()
	if err := c.check(); err != nil {
		return nil, err
	}
	n := &node{opts: c, store: store, lease: lease.New(o.reading()), sim: o.Sim, moving: map[persistence.AccountID]struct{}{}}
	n.alive, n.end = context.WithCancel(context.Background())
	ctx, cancel := n.asking()
	defer cancel()
	asked := n.lease.Ask()
	owner, err := store.Join(ctx, persistence.NodeInfo{Name: o.Node, Address: c.Address, Capacity: c.Capacity, Version: c.Version, Term: c.Term, Grace: c.Grace})
	if err != nil {
		return nil, fmt.Errorf("joining the cluster: %w", err)
	}
	n.owner = owner
	n.extend(asked)
	return n, nil
}

// reading returns what tells a lease the time: the clocks of the machine, unless
// the Manager has one of its own.
func (o *Options) reading() func() lease.Reading {
	switch {
	case o.Sim != nil:
		return func() lease.Reading { return lease.Reading{Now: o.Sim.Now()} }
	case o.Clock != nil:
		return func() lease.Reading { return lease.Reading{Now: o.Clock.Now()} }
	}
	return lease.System
}

// asking is for one question to the store: there is time for another before the
// lease ends.
func (n *node) asking() (context.Context, context.CancelFunc) {
	return n.within(n.alive, max(time.Second, n.opts.Term/5))
}

// within is context.WithTimeout by the clock of a simulation, where there is one.
func (n *node) within(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	if n.sim == nil {
		return context.WithTimeout(ctx, d)
	}
	ctx, cancel := context.WithCancel(ctx)
	t := n.sim.AfterFunc(d, cancel)
	return ctx, func() {
		t.Stop()
		cancel()
	}
}

func (n *node) extend(asked lease.Reading) { n.lease.Extend(asked, n.opts.Term-n.opts.Margin) }

// leave tells the store that this node has ended: noNews of it runs any more.
func (n *node) leave(ctx context.Context) error {
	n.lease.End()
	err := n.store.Leave(ctx, n.owner)
	if errors.As(err, new(*persistence.StaleOwnerError)) {
		return nil // it was over already
	}
	return err
}

// nodeActor renews the lease and carries out what placement decides. Whatever
// becomes of it, the lease ends by itself.
type nodeActor struct {
	*node
	silent  bool                               // the lease was over
	failed  bool                               // the last renewal
	over    bool                               // this node is none any more
	known   map[string]time.Time               // live nodes, since when
	placing bool                               // a look at the store is under way
	looked  time.Time                          // when it was begun
	counted time.Time                          // when what is kept was compared with what is owned
	due     time.Time                          // when the next move by pace may begin
	hurry   bool                               // it drains or leaves: no pace but what there is room for
	given   map[persistence.AccountID]struct{} // handed over since the look under way began
}

type nodeMsg interface{ nodeMsg() }

type (
	renewDue struct{}
	renewed  struct {
		asked lease.Reading
		err   error
		// In a silence it was asked what is owned too.
		silent bool
		owned  []persistence.AccountID
	}
	// leaseDue is the end of the lease.
	leaseDue struct{}
	placeDue struct{}
	hinted   struct{}
	surveyed struct {
		nodes []persistence.Node
		free  []persistence.FreeAccount
		owned []persistence.AccountID // where tallied
		tally bool
		err   error
	}
	took   struct{ err error }
	noNews struct{} // of what has no news
	handed struct {
		id  persistence.AccountID
		err error
	}
	// leaveNow has this node hand over what it has.
	leaveNow struct{}
)

func (renewDue) nodeMsg() {}
func (renewed) nodeMsg()  {}
func (leaseDue) nodeMsg() {}
func (placeDue) nodeMsg() {}
func (hinted) nodeMsg()   {}
func (surveyed) nodeMsg() {}
func (took) nodeMsg()     {}
func (noNews) nodeMsg()   {}
func (handed) nodeMsg()   {}
func (leaveNow) nodeMsg() {}

const (
	timerRenew = iota + 1
	timerLease
	timerPlace
)

type nodeCtx = runtime.Context[nodeMsg]

func keepNode(n *node) runtime.Actor[nodeMsg] {
	return runtime.Keep(func() runtime.Actor[nodeMsg] {
		return &nodeActor{node: n, known: map[string]time.Time{}, given: map[persistence.AccountID]struct{}{}}
	})
}

func (n *nodeActor) Started(c *nodeCtx) {
	c.After(timerRenew, n.opts.Term/3, renewDue{})
	c.After(timerPlace, 0, placeDue{})
	n.watchLease(c)
	n.awaitHint(c)
}

func (n *nodeActor) Stopping(*nodeCtx) {}

func (n *nodeActor) Receive(c *nodeCtx, m nodeMsg) {
	if n.over {
		return
	}
	switch m := m.(type) {
	case renewDue:
		n.renew(c)
	case renewed:
		n.onRenewed(c, m)
	case leaseDue:
		n.watchLease(c)
	case placeDue:
		n.look(c)
	case hinted:
		c.After(timerPlace, max(0, placeLeast-c.Now().Sub(n.looked)), placeDue{})
		n.awaitHint(c)
	case leaveNow:
		c.After(timerPlace, 0, placeDue{})
	case surveyed:
		n.onLooked(c, m)
	case took:
		n.onTook(c, m.err)
	case handed:
		n.onHanded(c, m)
	}
}

// renew asks for the lease, and after a silence what is left.
func (n *nodeActor) renew(c *nodeCtx) {
	silent := n.silent
	c.GoIO(func() nodeMsg {
		ctx, cancel := n.asking()
		defer cancel()
		r := renewed{asked: n.lease.Ask(), silent: silent}
		if r.err = n.store.Renew(ctx, n.owner); r.err == nil && silent {
			r.owned, r.err = n.store.Owned(ctx, n.owner)
		}
		return r
	})
}

func (n *nodeActor) onRenewed(c *nodeCtx, r renewed) {
	if errors.As(r.err, new(*persistence.StaleOwnerError)) {
		n.over = true
		n.lease.End()
		n.m.noteRefusal("", r.err, 0)
		return
	}
	if r.err != nil {
		if !n.failed {
			n.m.log.Error("the lease of this node is not renewed: it is silent when that goes on", "in", max(0, n.lease.Left()).Round(time.Millisecond), "err", Words(r.err))
		}
		n.failed = true
		c.After(timerRenew, min(time.Second, n.opts.Term/10), renewDue{})
		return
	}
	if n.silent && !r.silent { // it ended while the store was asked
		n.renew(c)
		return
	}
	n.extend(r.asked)
	if n.lease.Left() <= 0 {
		c.After(timerRenew, 0, renewDue{}) // the answer took longer than it is worth
		return
	}
	if n.failed {
		n.m.log.Info("the lease of this node is renewed again")
	}
	n.failed = false
	if n.silent {
		n.silent = false
		n.speak(r.owned)
	}
	n.watchLease(c)
	c.After(timerRenew, n.opts.Term/3, renewDue{})
}

// watchLease is silent when the lease is over, and looks again when it will be.
func (n *nodeActor) watchLease(c *nodeCtx) {
	if left := n.lease.Left(); left > 0 {
		c.After(timerLease, left, leaseDue{})
		return
	}
	if n.silent {
		return
	}
	n.silent = true
	n.m.meters.nodeSilences.count(1, values{})
	n.m.log.Error("this node is silent: its lease has ended, and other nodes may take its accounts", "lease", n.opts.Term)
	n.m.fleet.Send(silence{"this node's lease has ended: it waits until it reaches the store"})
	c.After(timerRenew, 0, renewDue{})
}

// speak goes on with what is owned still, after a silence.
func (n *nodeActor) speak(owned []persistence.AccountID) {
	still := make(map[persistence.AccountID]bool, len(owned))
	for _, id := range owned {
		still[id] = true
	}
	n.m.log.Info("this node speaks again", "accounts", len(owned))
	n.m.fleet.Send(speakAgain{still})
	n.counted = time.Time{} // what it does not know of is found by the next look
}

// awaitHint asks to be told when something has changed, where that can wait.
func (n *nodeActor) awaitHint(c *nodeCtx) {
	if n.m.opts.Sim != nil {
		return
	}
	c.GoIO(func() nodeMsg {
		select {
		case _, open := <-n.store.Hints():
			if open {
				return hinted{}
			}
		case <-n.m.done:
		}
		return noNews{}
	})
}

// look asks the store who is there and what is free.
func (n *nodeActor) look(c *nodeCtx) {
	if n.placing || n.silent {
		c.After(timerPlace, placeEvery, placeDue{})
		return
	}
	n.placing, n.looked = true, c.Now()
	clear(n.given)
	tally := n.looked.Sub(n.counted) >= tallyEvery
	c.GoIO(func() nodeMsg {
		ctx, cancel := n.asking()
		defer cancel()
		l := surveyed{tally: tally}
		if tally {
			// Before anything is taken or handed over by this look.
			l.owned, l.err = n.store.Owned(ctx, n.owner)
		}
		if l.err == nil {
			l.nodes, l.err = n.store.Nodes(ctx)
		}
		if l.err == nil {
			l.free, l.err = n.store.Free(ctx, takenAtOnce*4)
		}
		return l
	})
}

func (n *nodeActor) onLooked(c *nodeCtx, l surveyed) {
	if l.err != nil || n.silent {
		n.onTook(c, l.err)
		return
	}
	now := c.Now()
	n.meet(now, l.nodes)
	if l.tally {
		n.counted = now
		n.reconcile(c, l.owned)
	}
	plan := placement.Decide(n.view(now, l))
	n.handOver(c, now, plan.HandOver)
	take := plan.Take[:min(len(plan.Take), takenAtOnce)]
	if len(take) == 0 {
		n.onTook(c, nil)
		return
	}
	c.GoIO(func() nodeMsg {
		ctx, cancel := n.asking()
		defer cancel()
		ids, err := n.store.Take(ctx, n.owner, take)
		if err == nil {
			n.m.host(ids)
		}
		return took{err}
	})
}

func (n *nodeActor) onTook(c *nodeCtx, err error) {
	n.placing = false
	if err != nil {
		n.counted = time.Time{} // what was taken may be ours without our knowing
		if errors.As(err, new(*persistence.StaleOwnerError)) {
			c.After(timerRenew, 0, renewDue{}) // which says so itself
		}
	}
	c.After(timerPlace, n.pace(c.Now()), placeDue{})
}

// pace is when to look again: sooner where accounts wait for their turn to move.
func (n *nodeActor) pace(now time.Time) time.Duration {
	if wait := n.due.Sub(now); wait > 0 && wait < placeEvery {
		return max(wait, placeLeast)
	}
	return placeEvery
}

// meet notes since when each node has been there.
func (n *nodeActor) meet(now time.Time, nodes []persistence.Node) {
	live := map[string]bool{}
	for _, o := range nodes {
		if o.Live() {
			live[o.Name] = true
			if n.known[o.Name].IsZero() {
				n.known[o.Name] = now
			}
		}
	}
	maps.DeleteFunc(n.known, func(name string, _ time.Time) bool { return !live[name] })
}

// reconcile takes into service what is owned and not kept: an answer of the store
// may have been lost.
func (n *nodeActor) reconcile(c *nodeCtx, owned []persistence.AccountID) {
	n.mu.Lock()
	missing := slices.DeleteFunc(owned, func(id persistence.AccountID) bool {
		_, moving := n.moving[id]
		_, gone := n.given[id]
		return moving || gone || n.m.here(id) != nil
	})
	n.mu.Unlock()
	if len(missing) > 0 {
		c.GoIO(func() nodeMsg {
			n.m.host(missing)
			return noNews{}
		})
	}
}

func (n *nodeActor) view(now time.Time, l surveyed) placement.View {
	v := placement.View{Me: n.owner, Nodes: l.nodes, Free: l.free, Leaving: n.isLeaving(), Known: map[string]time.Duration{}, Stray: strays * n.opts.Term, Settle: settleAfter}
	for name, since := range n.known {
		v.Known[name] = now.Sub(since)
	}
	n.hurry = v.Leaving || slices.ContainsFunc(l.nodes, func(o persistence.Node) bool { return o.Owner() == n.owner && o.Wish == persistence.WishDrain })
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, a := range n.m.Accounts() {
		if _, moving := n.moving[a.id]; moving || a.lost.Err() != nil {
			continue // or it cannot be handed over
		}
		if s := a.status.Load(); n.hurry || s.State != SigningIn && s.State != SigningOut {
			v.Mine = append(v.Mine, a.id)
		}
	}
	return v
}

// handOver begins to hand accounts over, as many as pace and room allow.
func (n *nodeActor) handOver(c *nodeCtx, now time.Time, ids []persistence.AccountID) {
	every := time.Second / time.Duration(n.opts.MovesPerSecond)
	if n.hurry {
		every = 0
	}
	for _, id := range ids {
		if every > 0 && now.Before(n.due) {
			return
		}
		a := n.m.here(id)
		if a == nil || !n.begin(id) {
			continue
		}
		if n.due.Before(now) {
			n.due = now
		}
		n.due = n.due.Add(every)
		c.GoIO(func() nodeMsg { return handed{id, n.give(a)} })
	}
}

// begin notes that an account is being handed over, if there is room for one more.
func (n *node) begin(id persistence.AccountID) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	if len(n.moving) >= handedAtOnce {
		return false
	}
	n.moving[id] = struct{}{}
	return true
}

// give ends an account here and lets go of it in the store. It blocks until the
// store knows, or will not.
func (n *node) give(a *Account) error {
	ctx := n.alive
	if err := n.m.part(ctx, a, n.opts.DrainLimit); err != nil {
		return err
	}
	for wait := 100 * time.Millisecond; ; wait = min(2*wait, 2*time.Second) {
		err := n.release(a.id)
		if err == nil || errors.As(err, new(*persistence.StaleOwnerError)) || n.m.ended() {
			return nil // by leaving it is released too
		}
		n.m.waitFor(ctx, wait, func() bool { return false })
	}
}

func (n *node) release(id persistence.AccountID) error {
	ctx, cancel := n.asking()
	defer cancel()
	return n.store.Release(ctx, n.owner, []persistence.AccountID{id})
}

func (n *nodeActor) onHanded(c *nodeCtx, m handed) {
	n.mu.Lock()
	delete(n.moving, m.id)
	n.mu.Unlock()
	n.given[m.id] = struct{}{}
	if m.err != nil {
		n.m.log.Error("an account was not handed over", "account", m.id, "err", Words(m.err))
		return
	}
	n.m.meters.nodeMoves.count(1, values{"given"})
	if n.hurry { // there is room for the next
		c.After(timerPlace, max(0, placeLeast-c.Now().Sub(n.looked)), placeDue{})
	}
}

func (n *node) isLeaving() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.leaving
}

// Drain hands every account over to the other nodes of the cluster, sixteen at a
// time, and returns when this manager keeps none, or when ctx ends: Close is next.
// Calls that are under way may end, for as long as ClusterOptions.DrainLimit. Without
// a cluster it does noNews.
func (m *Manager) Drain(ctx context.Context) error {
	n := m.node
	if n == nil {
		return nil
	}
	n.mu.Lock()
	n.leaving = true
	n.mu.Unlock()
	if err := n.depart(ctx); err != nil {
		m.log.Warn("other nodes may take this one's accounts late: they are not told that it leaves", "err", Words(err))
	}
	n.ref.Send(leaveNow{})
	empty := func() bool {
		n.mu.Lock()
		defer n.mu.Unlock()
		return len(n.moving) == 0 && m.keepsNone()
	}
	m.waitFor(ctx, drainMost, empty)
	if !empty() {
		return cmp.Or(ctx.Err(), ErrClosed)
	}
	return nil
}

func (n *node) depart(ctx context.Context) error {
	ctx, cancel := n.within(ctx, n.opts.Term/5)
	defer cancel()
	return n.store.Depart(ctx, n.owner)
}

// keepsNone reports whether there is no account here but those that can only end
// with the process.
func (m *Manager) keepsNone() bool {
	m.mu.RLock()
	defer m.mu.RUnlock()
	for _, a := range m.accounts {
		if a.lost.Err() == nil {
			return false
		}
	}
	return true
}

// drainMost bounds Drain for who gives it a ctx without an end.
const drainMost = time.Hour

// Owner is who this manager is to its store: commits name it, and the cursors of its
// events have its epoch as their run.
func (m *Manager) Owner() persistence.Owner { return m.env.Owner }

// leaseLeft is how long this node may yet speak; 0 without a cluster.
func (m *Manager) leaseLeft() time.Duration {
	if m.node == nil {
		return 0
	}
	return max(m.node.lease.Left(), 0)
}

// Nodes returns the nodes of the cluster, nil without one. It asks the store.
func (m *Manager) Nodes(ctx context.Context) ([]persistence.Node, error) {
	if m.node == nil {
		return nil, nil
	}
	return m.node.store.Nodes(ctx)
}

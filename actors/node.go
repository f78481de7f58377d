package actors

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/mtfleet/mtfleet/actors/governor"
	"github.com/mtfleet/mtfleet/actors/lease"
	"github.com/mtfleet/mtfleet/actors/placement"
	"github.com/mtfleet/mtfleet/actors/runtime"
	"github.com/mtfleet/mtfleet/actors/ways"
	"github.com/mtfleet/mtfleet/mtproto/dc"
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
	// strays is after how many terms any node takes what its home has not taken.
	strays = 2
)

// noNode is said where the store told a node so.
const noNode = "this node is none any more: another process took its name, or the store has forgotten it"

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
	way   ways.Way      // of accounts that have no proxy of their own
	stand atomic.Uint32 // whether it reaches the DCs, a placement.ReachState

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

// leave tells the store that this node has ended: nothing of it runs any more.
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
	reach   placement.Reach                    // whether it reaches the DCs
	dark    map[string]uint64                  // nodes that said at the last look that they do not, and their epochs
	asked   map[dc.ID]struct{}                 // DCs that are being asked
	rest    resting                            // whether its accounts are where they belong
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
		dcs   []governor.DCStatus     // nil where it is not known
		tally bool
		err   error
	}
	took struct {
		err    error
		unread bool // not all of what was taken could be read
	}
	unhosted struct{} // what is owned could not be read
	noNews   struct{} // of what has no news
	handed   struct {
		id  persistence.AccountID
		err error
	}
	// dcAsked says how it went to ask a DC whether it is there.
	dcAsked struct {
		at       dc.ID
		answered bool
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
func (unhosted) nodeMsg() {}
func (noNews) nodeMsg()   {}
func (handed) nodeMsg()   {}
func (dcAsked) nodeMsg()  {}
func (leaveNow) nodeMsg() {}

const (
	timerRenew = iota + 1
	timerLease
	timerPlace
)

type nodeCtx = runtime.Context[nodeMsg]

func keepNode(n *node) runtime.Actor[nodeMsg] {
	return runtime.Keep(func() runtime.Actor[nodeMsg] {
		return &nodeActor{node: n, known: map[string]time.Time{}, given: map[persistence.AccountID]struct{}{}, asked: map[dc.ID]struct{}{}}
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
		if m.unread {
			n.tallySoon()
		}
		n.onTook(c, m.err)
	case unhosted:
		n.tallySoon()
	case handed:
		n.onHanded(c, m)
	case dcAsked:
		n.onAsked(c, m)
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
	n.m.fleet.Send(silence{"this node's lease has ended: it waits until it reaches the store, and does not know whether another has the account by now"})
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
	n.tallySoon() // what it does not know of is found so
}

func (n *node) isLeaving() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.leaving
}

// Drain hands every account over to the other nodes of the cluster, sixteen at a
// time, and returns when this manager keeps none, or when ctx ends: Close is next.
// Calls that are under way may end, for as long as ClusterOptions.DrainLimit. Without
// a cluster it does nothing.
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
	return m.node.store.Nodes(ctx, true)
}

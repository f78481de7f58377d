package persistence

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"
)

// MemoryCluster is a Cluster without a disk, for tests and simulations: what one
// node has of it. Its clock is whoever's made it.
type MemoryCluster struct {
	*Memory
	shared *clusterImage
	hints  chan struct{}
	once   sync.Once // of Close
	seen   Change    // guarded by the lock of the records' image
}

// clusterImage is what all nodes see, beside the records. Its fields are guarded
// by the lock of the records' image.
type clusterImage struct {
	now func() time.Time
	ownership
	by     *MemoryCluster // whose claim of everything there is, until it is closed
	opened map[*MemoryCluster]struct{}
	server int   // how many have taken over
	nonce  int64 // the last; none comes again
}

// ownership is what is in the store of who owns what.
type ownership struct {
	Change
	all     Owner // who claimed everything; zero: nobody
	nodes   map[string]memoryNode
	wishes  map[string]Wish
	owners  map[AccountID]memoryOwner // of each account that has a record
	changes map[int64]int64           // the nonces of the last changes, by their numbers
	held    time.Time                 // until then nothing is free
	known   int                       // the server that nodes were told of
}

type memoryNode struct {
	info   NodeInfo
	epoch  uint64
	joined time.Time
	until  time.Time // of its lease
	leaves bool      // it said so
	cutOff bool      // it said so
}

func (n memoryNode) owner() Owner { return Owner{n.info.Name, n.epoch} }

// over is when its accounts can be taken.
func (n memoryNode) over() time.Time { return n.until.Add(n.info.Grace) }

type memoryOwner struct {
	owner Owner     // zero: nobody
	since time.Time // it is so
}

// NewMemoryCluster returns an empty store for one node; Node is for more.
func NewMemoryCluster(now func() time.Time) *MemoryCluster {
	m := &MemoryCluster{Memory: NewMemory(), shared: &clusterImage{
		now: now, opened: map[*MemoryCluster]struct{}{},
		ownership: ownership{nodes: map[string]memoryNode{}, wishes: map[string]Wish{}, owners: map[AccountID]memoryOwner{}, changes: map[int64]int64{}},
	}}
	return m.open()
}

// Node returns the same store as another process has it. m may be closed.
func (m *MemoryCluster) Node() *MemoryCluster {
	return (&MemoryCluster{Memory: &Memory{image: m.image}, shared: m.shared}).open()
}

func (m *MemoryCluster) open() *MemoryCluster {
	m.hints = make(chan struct{}, 1)
	m.image.mu.Lock()
	defer m.image.mu.Unlock()
	m.shared.opened[m] = struct{}{}
	return m
}

// Close implements Store.
func (m *MemoryCluster) Close() error {
	err := m.Memory.Close()
	m.once.Do(func() {
		m.image.mu.Lock()
		defer m.image.mu.Unlock()
		delete(m.shared.opened, m)
		m.shared.unclaim(m)
		close(m.hints)
	})
	return err
}

// Hints implements Cluster.
func (m *MemoryCluster) Hints() <-chan struct{} { return m.hints }

// Nudge implements Cluster.
func (m *MemoryCluster) Nudge(ctx context.Context) error {
	return m.look(ctx, func(c *clusterImage, _ time.Time) error {
		c.hint()
		return nil
	})
}

// hint tells every node that something changed. The image is locked.
func (c *clusterImage) hint() {
	for m := range c.opened {
		select {
		case m.hints <- struct{}{}:
		default:
		}
	}
}

// see gives access to everything while the store is open, after what it may have
// forgotten was put right.
func (m *MemoryCluster) see(ctx context.Context, f func(i *image, c *clusterImage, now time.Time) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return m.use(func(i *image) error {
		now := m.shared.now()
		m.shared.putRight(m.seen, now)
		defer func() { m.seen = m.seen.Highest(m.shared.Change) }()
		return f(i, m.shared, now)
	})
}

// look is see for what needs no records.
func (m *MemoryCluster) look(ctx context.Context, f func(c *clusterImage, now time.Time) error) error {
	return m.see(ctx, func(_ *image, c *clusterImage, now time.Time) error { return f(c, now) })
}

// as gives access to one who is a node; f may change it.
func (m *MemoryCluster) as(ctx context.Context, o Owner, f func(c *clusterImage, n *memoryNode, now time.Time) error) error {
	return m.look(ctx, func(c *clusterImage, now time.Time) error {
		n, there := c.nodes[o.Node]
		if !there || n.epoch != o.Epoch {
			return &StaleOwnerError{Owner: o, Current: c.current(o.Node)}
		}
		err := f(c, &n, now)
		if _, there := c.nodes[o.Node]; there {
			c.nodes[o.Node] = n
		}
		return err
	})
}

// current is who has the name now.
func (c *ownership) current(node string) Owner {
	if n, there := c.nodes[node]; there {
		return n.owner()
	}
	return c.all
}

// Commit implements Store.
func (m *MemoryCluster) Commit(commit Commit) error {
	if err := commit.Check(); err != nil {
		return err
	}
	return m.see(context.Background(), func(i *image, c *clusterImage, now time.Time) error {
		if err := c.fence(commit); err != nil {
			return err
		}
		if err := i.commit(commit); err != nil {
			return err
		}
		for _, id := range commit.accounts() {
			switch _, has := c.owners[id]; {
			case len(i.accounts[id]) == 0:
				delete(c.owners, id)
			case !has && commit.Owner == c.all:
				c.owners[id] = memoryOwner{since: now}
			case !has:
				c.owners[id] = memoryOwner{commit.Owner, now}
			}
		}
		return nil
	})
}

// accounts are those that the commit is about, sorted.
func (c Commit) accounts() []AccountID {
	ids := map[AccountID]struct{}{}
	for _, r := range c.Put {
		ids[r.Account] = struct{}{}
	}
	for _, keys := range [][]Key{c.Delete, c.Absent} {
		for _, k := range keys {
			ids[k.Account] = struct{}{}
		}
	}
	return slices.DeleteFunc(slices.Sorted(maps.Keys(ids)), AccountID.Shared)
}

// fence refuses a commit of one who may not. That a lease has ended is no reason:
// as long as nobody took the accounts they are the owner's.
func (c *ownership) fence(commit Commit) error {
	if o := commit.Owner; o == c.all && o != (Owner{}) {
		return nil
	}
	if n, there := c.nodes[commit.Owner.Node]; !there || n.epoch != commit.Owner.Epoch {
		return &StaleOwnerError{Owner: commit.Owner, Current: c.current(commit.Owner.Node)}
	}
	for _, id := range commit.accounts() {
		switch at, there := c.owners[id]; {
		case !there && commit.MissesBeginning(id):
			return &StaleOwnerError{Owner: commit.Owner, Account: id}
		case there && at.owner != commit.Owner:
			return &StaleOwnerError{Owner: commit.Owner, Current: at.owner, Account: id}
		}
	}
	return nil
}

// claimed refuses what is not done while another has claimed everything.
func (c *clusterImage) claimed(m *MemoryCluster) error {
	if c.by != nil && c.by != m {
		return &ClaimedError{By: c.all.Node}
	}
	return nil
}

// unclaim ends m's claim of everything, if it has it.
func (c *clusterImage) unclaim(m *MemoryCluster) {
	if c.by == m {
		c.by, c.all = nil, Owner{}
	}
}

// Claim implements Store.
func (m *MemoryCluster) Claim(node string) (owner Owner, err error) {
	if err := CheckNode(node); err != nil {
		return Owner{}, err
	}
	err = m.look(context.Background(), func(c *clusterImage, now time.Time) error {
		if err := c.claimed(m); err != nil {
			return err
		}
		var running []string
		for _, n := range c.nodes {
			if n.over().After(now) {
				running = append(running, n.info.Name)
			}
		}
		if running != nil {
			slices.Sort(running)
			return &NodesRunError{Nodes: running}
		}
		for _, n := range c.nodes {
			c.remove(n, now)
		}
		c.Epoch++
		c.all, c.by = Owner{node, c.Epoch}, m
		owner = c.all
		c.changed()
		return nil
	})
	return owner, err
}

// remove frees what a node has, and forgets it.
func (c *ownership) remove(n memoryNode, now time.Time) {
	for id, at := range c.owners {
		if at.owner == n.owner() {
			c.owners[id] = memoryOwner{since: now}
		}
	}
	delete(c.nodes, n.info.Name)
}

// Join implements Cluster.
func (m *MemoryCluster) Join(ctx context.Context, info NodeInfo) (owner Owner, err error) {
	if err := info.Check(); err != nil {
		return Owner{}, err
	}
	err = m.look(ctx, func(c *clusterImage, now time.Time) error {
		c.unclaim(m)
		if err := c.claimed(m); err != nil {
			return err
		}
		if n, there := c.nodes[info.Name]; there {
			if left := n.over().Sub(now); left > 0 {
				return &NodeTakenError{Name: info.Name, Address: n.info.Address, Left: left}
			}
			c.remove(n, now)
		}
		c.forget(now)
		c.Epoch++
		c.all = Owner{}
		n := memoryNode{info: info, epoch: c.Epoch, joined: now, until: now.Add(info.Term)}
		c.nodes[info.Name] = n
		owner = n.owner()
		c.Longest = 0
		for _, n := range c.nodes { // of those whose lease lasts
			if n.over().After(now) {
				c.Longest = max(c.Longest, n.info.Term+n.info.Grace)
			}
		}
		c.changed()
		return nil
	})
	return owner, err
}

// forget removes nodes that ended long ago.
func (c *clusterImage) forget(now time.Time) {
	for _, n := range c.nodes {
		if now.Sub(n.over()) >= NodeKept && c.count(n) == 0 && c.wishes[n.info.Name] == WishServe {
			c.remove(n, now)
		}
	}
}

// Renew implements Cluster.
func (m *MemoryCluster) Renew(ctx context.Context, o Owner) error {
	return m.as(ctx, o, func(_ *clusterImage, n *memoryNode, now time.Time) error {
		n.until = now.Add(n.info.Term)
		return nil
	})
}

// Depart implements Cluster.
func (m *MemoryCluster) Depart(ctx context.Context, o Owner) error {
	return m.as(ctx, o, func(c *clusterImage, n *memoryNode, _ time.Time) error {
		n.leaves = true
		c.hint()
		return nil
	})
}

// CutOff implements Cluster.
func (m *MemoryCluster) CutOff(ctx context.Context, o Owner, cut bool) error {
	return m.as(ctx, o, func(c *clusterImage, n *memoryNode, _ time.Time) error {
		n.cutOff = cut
		c.hint()
		return nil
	})
}

// Leave implements Cluster.
func (m *MemoryCluster) Leave(ctx context.Context, o Owner) error {
	return m.as(ctx, o, func(c *clusterImage, n *memoryNode, now time.Time) error {
		c.remove(*n, now)
		c.changed()
		return nil
	})
}

// free reports since when an account can be taken, if it can.
func (c *ownership) free(at memoryOwner, now time.Time) (since time.Time, ok bool) {
	if c.held.After(now) {
		return time.Time{}, false
	}
	n, there := c.nodes[at.owner.Node]
	if !there || n.epoch != at.owner.Epoch {
		return at.since, true
	}
	over := n.over()
	return over, !over.After(now)
}

// Take implements Cluster.
func (m *MemoryCluster) Take(ctx context.Context, o Owner, ids []AccountID) (taken []AccountID, err error) {
	err = m.as(ctx, o, func(c *clusterImage, _ *memoryNode, now time.Time) error {
		for _, id := range ids {
			if at, there := c.owners[id]; there {
				if _, free := c.free(at, now); free {
					c.owners[id] = memoryOwner{o, now}
					taken = append(taken, id)
				}
			}
		}
		c.changed()
		return nil
	})
	return taken, err
}

// Release implements Cluster.
func (m *MemoryCluster) Release(ctx context.Context, o Owner, ids []AccountID) error {
	return m.as(ctx, o, func(c *clusterImage, _ *memoryNode, now time.Time) error {
		for _, id := range ids {
			if at, there := c.owners[id]; there && at.owner == o {
				c.owners[id] = memoryOwner{since: now}
			}
		}
		c.changed()
		return nil
	})
}

// Free implements Cluster.
func (m *MemoryCluster) Free(ctx context.Context, most int) (list []FreeAccount, err error) {
	err = m.look(ctx, func(c *clusterImage, now time.Time) error {
		for id, at := range c.owners {
			if since, free := c.free(at, now); free {
				list = append(list, FreeAccount{ID: id, For: now.Sub(since)})
			}
		}
		return nil
	})
	slices.SortFunc(list, func(a, b FreeAccount) int {
		return cmp.Or(cmp.Compare(b.For, a.For), strings.Compare(string(a.ID), string(b.ID)))
	})
	return list[:min(len(list), max(most, 0))], err
}

// Owned implements Cluster.
func (m *MemoryCluster) Owned(ctx context.Context, o Owner) (ids []AccountID, err error) {
	err = m.as(ctx, o, func(c *clusterImage, _ *memoryNode, _ time.Time) error {
		for id, at := range c.owners {
			if at.owner == o {
				ids = append(ids, id)
			}
		}
		slices.Sort(ids)
		return nil
	})
	return ids, err
}

// OwnerOf implements Cluster.
func (m *MemoryCluster) OwnerOf(ctx context.Context, id AccountID) (o Owner, err error) {
	err = m.look(ctx, func(c *clusterImage, _ time.Time) error {
		o = c.owners[id].owner
		return nil
	})
	return o, err
}

// count is how many accounts a node owns.
func (c *ownership) count(n memoryNode) (owned int) {
	for _, at := range c.owners {
		if at.owner == n.owner() {
			owned++
		}
	}
	return owned
}

// Nodes implements Cluster.
func (m *MemoryCluster) Nodes(ctx context.Context, counted bool) (list []Node, err error) {
	err = m.look(ctx, func(c *clusterImage, now time.Time) error {
		for _, name := range slices.Sorted(maps.Keys(c.nodes)) {
			n := c.nodes[name]
			if owned := c.count(n); owned > 0 || n.until.After(now) {
				if !counted {
					owned = 0
				}
				list = append(list, Node{NodeInfo: n.info, Epoch: n.epoch, Wish: c.wishes[name], Departs: n.leaves, CutOff: n.cutOff, Joined: n.joined, Left: n.until.Sub(now), Accounts: owned})
			}
		}
		return nil
	})
	return list, err
}

// Wish implements Cluster.
func (m *MemoryCluster) Wish(ctx context.Context, node string, w Wish) error {
	if err := CheckNode(node); err != nil {
		return err
	}
	if w > WishDrain {
		return &InvalidError{Reason: "there is no such wish: " + w.String()}
	}
	return m.look(ctx, func(c *clusterImage, _ time.Time) error {
		c.wishes[node] = w
		c.hint()
		return nil
	})
}

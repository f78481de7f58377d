package actors

import (
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/mtfleet/mtfleet/actors/placement"
	"github.com/mtfleet/mtfleet/persistence"
)

// This file is how a node takes accounts and hands them over.

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
			l.nodes, l.err = n.store.Nodes(ctx, false)
		}
		if l.err == nil {
			l.free, l.err = n.store.Free(ctx, takenAtOnce*4)
		}
		if l.err == nil {
			l.dcs = n.census(ctx)
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
	say := n.sense(c, now, l)
	v, all := n.view(now, l)
	plan := placement.Decide(v)
	if all && plan.Rests {
		n.rest.since = now
	}
	n.handOver(c, now, plan.HandOver)
	take := plan.Take[:min(len(plan.Take), takenAtOnce)]
	if len(take) == 0 && !say {
		n.onTook(c, nil)
		return
	}
	cut := n.reaches().Says()
	c.GoIO(func() nodeMsg {
		ctx, cancel := n.asking()
		defer cancel()
		var ids []persistence.AccountID
		var err error
		if say {
			err = n.store.CutOff(ctx, n.owner, cut)
		}
		if err == nil && len(take) > 0 {
			ids, err = n.store.Take(ctx, n.owner, take)
		}
		if err == nil && len(ids) > 0 && !n.m.host(ids) {
			return took{unread: true}
		}
		return took{err: err}
	})
}

func (n *nodeActor) onTook(c *nodeCtx, err error) {
	n.placing = false
	if err != nil {
		n.tallySoon() // what was taken may be ours without our knowing
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

// meet notes since when each node has been there, and not cut off.
func (n *nodeActor) meet(now time.Time, nodes []persistence.Node) {
	live := map[string]bool{}
	for _, o := range nodes {
		if o.Live() && !o.CutOff {
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
			if !n.m.host(missing) {
				return unhosted{}
			}
			return noNews{}
		})
	}
}

// tallySoon has the next look compare what is kept with what is owned.
func (n *nodeActor) tallySoon() { n.counted = time.Time{} }

// view is what this node decides by. Its own accounts are left out while they rest; all
// reports that each is there which could be handed over at another time.
func (n *nodeActor) view(now time.Time, l surveyed) (v placement.View, all bool) {
	v = placement.View{Me: n.owner, Nodes: l.nodes, Free: l.free, Leaving: n.isLeaving(), Reach: n.reach.State(), Gives: n.reach.Gives(now), Known: map[string]time.Duration{}, Stray: strays * n.opts.Term, Settle: placement.SettleAfter}
	for name, since := range n.known {
		v.Known[name] = now.Sub(since)
	}
	n.hurry = v.Leaving || v.Gives || slices.ContainsFunc(l.nodes, func(o persistence.Node) bool { return o.Owner() == n.owner && o.Wish == persistence.WishDrain })
	if n.rests(now, l.nodes) {
		return v, false
	}
	n.rest.since = time.Time{}
	n.mu.Lock()
	defer n.mu.Unlock()
	all = !n.hurry
	for _, a := range n.m.Accounts() {
		if a.lost.Err() != nil {
			continue // it cannot be handed over
		}
		_, moving := n.moving[a.id]
		if s := a.status.Load(); moving || !n.hurry && (s.State == SigningIn || s.State == SigningOut) {
			all = false
			continue
		}
		v.Mine = append(v.Mine, a.id)
	}
	return v, all
}

// resting is of a look at which every account belonged to this node: as long as the
// same nodes serve and none has come since, it is not decided anew. To do that of
// 100,000 accounts and ten nodes takes 140 ms.
type resting struct {
	since   time.Time // zero: they do not rest
	serving []placement.Weighted
	arrived uint64
}

// rests reports whether the accounts do, and notes what they rest by.
func (n *nodeActor) rests(now time.Time, nodes []persistence.Node) bool {
	serving, _ := placement.Serving(nodes)
	arrived := n.m.arrivals()
	same := slices.Equal(serving, n.rest.serving) && arrived == n.rest.arrived
	n.rest.serving, n.rest.arrived = serving, arrived
	return same && !n.hurry && n.reach.State() == placement.Reaches && !n.rest.since.IsZero() && now.Sub(n.rest.since) < tallyEvery
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

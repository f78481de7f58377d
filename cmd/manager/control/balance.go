package control

import (
	"context"
	"errors"
	"time"

	"github.com/mtfleet/mtfleet/actors/placement"
	"github.com/mtfleet/mtfleet/persistence"
)

// NodeBalance is how the accounts of one node are placed.
type NodeBalance struct {
	Name     string `json:"name"`
	Accounts int    `json:"accounts"` // it owns
	Belong   int    `json:"belong"`   // of the store, to it
	// ToMove are those of its own that are to go to another node, Stay those that belong to another and do not go.
	ToMove int `json:"to_move"`
	Stay   int `json:"stay,omitempty"`
	// Why says why that is so, where it is not by itself clear.
	Why string `json:"why,omitempty"`
}

// BalanceList is the nodes of a cluster by name.
type BalanceList struct {
	Nodes []NodeBalance `json:"nodes"`
	// Free are accounts that nobody owns, ToMove all that are to move.
	Free   int `json:"free,omitempty"`
	ToMove int `json:"to_move"`
}

// balanceOf counts the accounts of a store. It reads the names of all, and computes where each belongs: some two seconds of a
// million, which docs/cluster.md adds up.
func balanceOf(ctx context.Context, store persistence.Cluster) (BalanceList, error) {
	nodes, err := store.Nodes(ctx, false)
	if err != nil {
		return BalanceList{}, Wrap(err)
	}
	b := placement.NewBalance(nodes)
	dead := map[persistence.AccountID]bool{} // with a node whose lease is over: when that is for long enough they are free too
	for _, n := range nodes {
		ids, err := store.Owned(ctx, n.Owner())
		if errors.As(err, new(*persistence.StaleOwnerError)) {
			continue // it has left meanwhile
		}
		if err != nil {
			return BalanceList{}, Wrap(err)
		}
		b.Count(n.Name, ids)
		if !n.Live() {
			for _, id := range ids {
				dead[id] = true
			}
		}
	}
	free, err := store.Free(ctx, freeMost)
	if err != nil {
		return BalanceList{}, Wrap(err)
	}
	for _, f := range free {
		if !dead[f.ID] {
			b.Count("", []persistence.AccountID{f.ID})
		}
	}
	list := BalanceList{Nodes: []NodeBalance{}, Free: b.Free, ToMove: b.ToMove()}
	for _, n := range b.Nodes {
		list.Nodes = append(list.Nodes, NodeBalance{Name: n.Name, Accounts: n.Owned, Belong: n.Belong, ToMove: n.ToMove, Stay: n.Stay, Why: whyBalance(b, n)})
	}
	return list, nil
}

// freeMost is how many accounts without an owner are counted: those that no node has taken in a second, or all while none runs.
const freeMost = 1_000_000

// whyBalance explains one node.
func whyBalance(b *placement.Balance, n placement.Count) string {
	switch {
	case !n.Live():
		return "its lease is over: the others take what it has"
	case n.Departs:
		return "it ends, and gives what it has to the others"
	case n.Wish == persistence.WishDrain && n.Stay > 0:
		return "it is drained, and there is no other node that serves"
	case n.Wish == persistence.WishDrain:
		return "it is drained: it gives what it has to the others"
	case b.Blind:
		return "no node reaches the DCs: nothing moves until one does"
	case n.CutOff:
		return "it is cut off from the DCs: it gives what it has to nodes that reach them"
	case n.Wish == persistence.WishCordon:
		return "it is cordoned: it keeps what it has, and takes nothing"
	case time.Since(n.Joined) < placement.SettleAfter && n.Belong > n.Owned: // by the clock of the database
		return "it has just come: the others give it what belongs to it when it has been there for a while"
	}
	return ""
}

// balance counts in a store, and has all nodes look before where that is wanted.
func balance(ctx context.Context, store persistence.Store, look bool) (BalanceList, error) {
	c, ok := store.(persistence.Cluster)
	if !ok {
		return BalanceList{}, errNoCluster
	}
	if look {
		if err := c.Nudge(ctx); err != nil {
			return BalanceList{}, Wrap(err)
		}
	}
	return balanceOf(ctx, c)
}

// Balance carries out [Balance].
func (l *Local) Balance(ctx context.Context, _ Empty) (BalanceList, error) {
	return balance(ctx, l.Cluster, false)
}

// Rebalance carries out [Rebalance].
func (l *Local) Rebalance(ctx context.Context, _ Empty) (BalanceList, error) {
	return balance(ctx, l.Cluster, true)
}

// Balance carries out [Balance].
func (d *Direct) Balance(ctx context.Context, _ Empty) (BalanceList, error) {
	return balance(ctx, d.options.Store, false)
}

// Rebalance carries out [Rebalance]: where no manager runs, nothing moves.
func (d *Direct) Rebalance(ctx context.Context, _ Empty) (BalanceList, error) {
	return balance(ctx, d.options.Store, true)
}

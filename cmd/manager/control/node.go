package control

import (
	"context"
	"fmt"
	"time"

	"github.com/mtfleet/mtfleet/persistence"
)

// Node is one node of a cluster, as the store knows it.
type Node struct {
	Name     string `json:"name"`
	Address  string `json:"address"` // where the other nodes reach it
	Version  string `json:"version"`
	Capacity int    `json:"capacity"` // its weight among the others
	Accounts int    `json:"accounts"` // it owns
	Wish     string `json:"wish"`     // serve, cordon or drain
	// Live: its lease lasts, for Lease seconds; of one that does not, negative, since when it is over.
	Live  bool    `json:"live"`
	Lease float64 `json:"lease_seconds"`
	// Departs: it said that it is about to leave.
	Departs bool `json:"departs,omitempty"`
	// CutOff: it said that it reaches no DC, or has reached them again for a short while only.
	CutOff bool      `json:"cut_off,omitempty"`
	Joined time.Time `json:"joined"`
	Epoch  uint64    `json:"epoch"`          // another each time that it joins
	Self   bool      `json:"self,omitempty"` // it is the node that answers
}

// NodeList is the nodes of a cluster by name.
type NodeList struct {
	Nodes []Node `json:"nodes"`
}

// WishRequest says what is wanted of which node: serve, cordon or drain.
type WishRequest struct {
	Node string `json:"node"`
	Wish string `json:"wish"`
}

func (r WishRequest) wish() (persistence.Wish, error) {
	for _, w := range []persistence.Wish{persistence.WishServe, persistence.WishCordon, persistence.WishDrain} {
		if r.Wish == w.String() {
			return w, nil
		}
	}
	return 0, &Error{Kind: KindInvalid, Message: fmt.Sprintf("a node is wanted to serve, cordon or drain, not %q", r.Wish)}
}

// check refuses a wish and a name that are none.
func (r WishRequest) check() error {
	if _, err := r.wish(); err != nil {
		return err
	}
	return Wrap(persistence.CheckNode(r.Node))
}

var errNoCluster = &Error{Kind: KindState, Message: "there are no nodes: one manager keeps this store alone; cluster.node makes several of it, on a store that several can share"}

// nodesOf are the nodes of a store, of which self answers.
func nodesOf(ctx context.Context, store persistence.Cluster, self persistence.Owner) ([]Node, error) {
	all, err := store.Nodes(ctx, true)
	if err != nil {
		return nil, Wrap(err)
	}
	list := make([]Node, len(all))
	for i, n := range all {
		list[i] = Node{
			Name: n.Name, Address: n.Address, Version: n.Version, Capacity: n.Capacity, Accounts: n.Accounts, Wish: n.Wish.String(),
			Live: n.Live(), Lease: n.Left.Seconds(), Departs: n.Departs, CutOff: n.CutOff, Joined: n.Joined, Epoch: n.Epoch, Self: n.Owner() == self,
		}
	}
	return list, nil
}

// setWish says what is wanted of a node that there is, and returns all.
func setWish(ctx context.Context, store persistence.Cluster, self persistence.Owner, r WishRequest) (NodeList, error) {
	w, err := r.wish()
	if err != nil {
		return NodeList{}, err
	}
	known := false
	list, err := nodesOf(ctx, store, self)
	for _, n := range list {
		known = known || n.Name == r.Node
	}
	switch {
	case err != nil:
		return NodeList{}, err
	case !known:
		return NodeList{}, &Error{Kind: KindState, Message: fmt.Sprintf("there is no node %q: `manager node list` shows those that there are", r.Node)}
	}
	if err := store.Wish(ctx, r.Node, w); err != nil {
		return NodeList{}, Wrap(err)
	}
	list, err = nodesOf(ctx, store, self)
	return NodeList{list}, err
}

// Nodes carries out [Nodes].
func (l *Local) Nodes(ctx context.Context, _ Empty) (NodeList, error) {
	if l.Cluster == nil {
		return NodeList{Nodes: []Node{}}, nil
	}
	list, err := nodesOf(ctx, l.Cluster, l.Manager.Owner())
	return NodeList{list}, err
}

// SetNodeWish carries out [SetNodeWish].
func (l *Local) SetNodeWish(ctx context.Context, r WishRequest) (NodeList, error) {
	if l.Cluster == nil {
		return NodeList{}, errNoCluster
	}
	return setWish(ctx, l.Cluster, l.Manager.Owner(), r)
}

// Nodes carries out [Nodes]: the store tells, where it is one of several nodes.
func (d *Direct) Nodes(ctx context.Context, _ Empty) (NodeList, error) {
	store, ok := d.options.Store.(persistence.Cluster)
	if !ok {
		return NodeList{Nodes: []Node{}}, nil
	}
	list, err := nodesOf(ctx, store, persistence.Owner{})
	return NodeList{list}, err
}

// SetNodeWish carries out [SetNodeWish] in the store.
func (d *Direct) SetNodeWish(ctx context.Context, r WishRequest) (NodeList, error) {
	store, ok := d.options.Store.(persistence.Cluster)
	if !ok {
		return NodeList{}, errNoCluster
	}
	return setWish(ctx, store, persistence.Owner{}, r)
}

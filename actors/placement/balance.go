package placement

import "github.com/mtfleet/mtfleet/persistence"

// Balance counts where the accounts of a store are, and where they belong. Give it
// all of them, then read.
type Balance struct {
	// Nodes are those that were given, in their order.
	Nodes []Count
	// Free are accounts that nobody owns: the node that they belong to takes them.
	Free int
	// Blind is set when no node reaches the DCs: then nothing moves but what has to.
	Blind bool

	serving []Weighted
	at      map[string]int // in Nodes
}

// Count is how the accounts of one node are placed.
type Count struct {
	persistence.Node
	// Owned are those that it owns, Belong those of the store that belong to it.
	Owned, Belong int
	// ToMove are those of Owned that are to go to another node, Stay those that
	// belong to another and do not go.
	ToMove, Stay int
}

// NewBalance counts for nodes as the store has them.
func NewBalance(nodes []persistence.Node) *Balance {
	b := &Balance{at: make(map[string]int, len(nodes))}
	b.serving, b.Blind = Serving(nodes)
	for i, n := range nodes {
		b.Nodes = append(b.Nodes, Count{Node: n})
		b.at[n.Name] = i
	}
	return b
}

// Count counts accounts that a node owns, or nobody where it is empty.
func (b *Balance) Count(node string, ids []persistence.AccountID) {
	i, owned := b.at[node]
	for _, id := range ids {
		home := Home(id, b.serving)
		if h, ok := b.at[home]; ok {
			b.Nodes[h].Belong++
		}
		if !owned {
			b.Free++
			continue
		}
		n := &b.Nodes[i]
		n.Owned++
		switch {
		case home == node:
		case home != "" && b.leaves(n.Node):
			n.ToMove++
		default:
			n.Stay++
		}
	}
}

// leaves reports whether what a node owns and belongs to another goes there: what
// Decide does, when every node has been there for a while.
func (b *Balance) leaves(n persistence.Node) bool {
	switch {
	case !n.Live(), n.Departs, n.Wish == persistence.WishDrain:
		return true
	case b.Blind:
		return false
	}
	return n.CutOff || n.Wish == persistence.WishServe
}

// ToMove are the accounts that are to move, those that nobody owns included where
// somebody can take them.
func (b *Balance) ToMove() (sum int) {
	if len(b.serving) > 0 {
		sum = b.Free
	}
	for _, n := range b.Nodes {
		sum += n.ToMove
	}
	return sum
}

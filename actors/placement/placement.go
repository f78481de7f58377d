// Package placement decides which node of a cluster keeps which accounts, and finds
// out whether a node reaches the DCs, without which it keeps none. It is arithmetic
// on what the store and the governor say; who carries it out is the manager of each
// node, for itself: nobody decides for all, and the store has the last word on who
// owns an account.
package placement

import (
	"crypto/sha256"
	"encoding/binary"
	"math"
	"slices"
	"time"

	"github.com/mtfleet/mtfleet/persistence"
)

// Home returns the node that an account belongs to, of nodes with their weights:
// by rendezvous hashing, each node has a draw for the account that its weight
// stretches, and the highest is its home. A node that goes moves its own accounts
// and no other's; one that comes takes its share from each. Nodes of weight zero
// are nobody's home; it is empty when there is no other.
func Home(id persistence.AccountID, nodes []Weighted) (home string) {
	best := 0.0
	for _, n := range nodes {
		if n.Weight <= 0 {
			continue
		}
		// -w/ln(u) of a uniform u in (0,1) is highest with a probability of
		// w/(sum of all w).
		if score := -float64(n.Weight) / math.Log(draw(n.Name, id)); home == "" || score > best || score == best && n.Name < home {
			home, best = n.Name, score
		}
	}
	return home
}

// Weighted is a node and its share.
type Weighted struct {
	Name   string
	Weight int
}

// draw returns a number between 0 and 1, neither of them, the same on every node
// and in every version: it must not be changed.
func draw(node string, id persistence.AccountID) float64 {
	b := make([]byte, 0, 160)
	b = append(b, "mtfleet placement\x00"...)
	b = append(b, node...)
	b = append(b, 0)
	b = append(b, id...)
	sum := sha256.Sum256(b)
	return (float64(binary.LittleEndian.Uint64(sum[:])>>11) + 0.5) / (1 << 53)
}

// SettleAfter is how long a node has to be there before accounts move to it: one that
// starts and ends again moves none.
const SettleAfter = 5 * time.Second

// View is what a node knows when it decides.
type View struct {
	Me    persistence.Owner
	Nodes []persistence.Node
	Free  []persistence.FreeAccount
	Mine  []persistence.AccountID // it keeps, and has not begun to hand over
	// Leaving is set when this node is about to end.
	Leaving bool
	// Reach is whether this node reaches the DCs, and Gives whether it gives its
	// accounts away because it does not. What others say of themselves is in Nodes.
	Reach ReachState
	Gives bool
	// Known is since when each node has been seen by this one, live and not cut off,
	// without a break.
	Known map[string]time.Duration
	// Stray is how long an account may be free before any node takes it that
	// would: its home has not, for whatever reason.
	Stray time.Duration
	// Settle is how long a node has to be there before accounts move to it.
	Settle time.Duration
}

// Plan is what a node is to do: accounts to take now, and those to hand over, one
// after the other as the pace allows.
type Plan struct {
	Take     []persistence.AccountID
	HandOver []persistence.AccountID
	// Rests is set when each of Mine belongs to this node, so that there is nothing to
	// decide of them until other nodes serve, or an account comes.
	Rests bool
}

// Decide returns the plan.
func Decide(v View) (p Plan) {
	me := persistence.Node{Wish: persistence.WishCordon} // where the store does not know it: then it takes nothing
	nodes := slices.Clone(v.Nodes)
	for i := range nodes {
		if n := &nodes[i]; n.Owner() == v.Me {
			n.CutOff, n.Departs = v.Reach.Says(), n.Departs || v.Leaving // as it knows better
			me = *n
		}
	}
	serving, blind := Serving(nodes)
	alone := !slices.ContainsFunc(serving, func(w Weighted) bool { return w.Name != v.Me.Node })
	if me.Wish == persistence.WishServe && !v.Leaving && (v.Reach == Reaches || blind || alone) {
		for _, f := range v.Free {
			if Home(f.ID, serving) == v.Me.Node || f.For >= v.Stray {
				p.Take = append(p.Take, f.ID)
			}
		}
	}
	switch {
	case v.Leaving:
		p.HandOver = v.Mine
	case me.Wish == persistence.WishDrain && len(serving) > 0: // else there is nobody who would take them
		p.HandOver = v.Mine
	case blind: // it is the DCs that are away
	case v.Gives, me.Wish == persistence.WishServe && v.Reach == Reaches:
		p.Rests = true
		for _, id := range v.Mine {
			home := Home(id, serving)
			if home == v.Me.Node {
				continue
			}
			p.Rests = false
			if v.Known[home] >= v.Settle {
				p.HandOver = append(p.HandOver, id)
			}
		}
	}
	return p
}

// Serving are the nodes that accounts belong to: those that live, are to serve and
// reach the DCs. When none of them does they are all, and blind is set: then nothing
// moves but what has to.
func Serving(nodes []persistence.Node) (list []Weighted, blind bool) {
	var cut []Weighted
	for _, n := range nodes {
		switch w := (Weighted{n.Name, n.Capacity}); {
		case !n.Live() || n.Wish != persistence.WishServe || n.Departs:
		case n.CutOff:
			cut = append(cut, w)
		default:
			list = append(list, w)
		}
	}
	if list == nil && cut != nil {
		return cut, true
	}
	return list, false
}

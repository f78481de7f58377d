package placement

import (
	"fmt"
	"testing"
	"time"

	"github.com/mtfleet/mtfleet/persistence"
)

// The counts are what the nodes would do: Decide of each, when all have been there
// for a while.
func TestABalanceCountsWhatTheNodesWouldDo(t *testing.T) {
	const serve, cordon, drain = persistence.WishServe, persistence.WishCordon, persistence.WishDrain
	all := ids(300)
	owned := map[string][]persistence.AccountID{"a": all[:150], "b": all[150:250], "": all[250:]}
	for _, c := range []struct {
		name  string
		nodes []persistence.Node
		blind bool
	}{
		{"all serve", []persistence.Node{node("a", 1, true, serve), node("b", 2, true, serve), node("c", 3, true, serve)}, false},
		{"one is drained", []persistence.Node{node("a", 1, true, drain), node("b", 2, true, serve), node("c", 3, true, serve)}, false},
		{"one is cordoned", []persistence.Node{node("a", 1, true, cordon), node("b", 2, true, serve), node("c", 3, true, serve)}, false},
		{"one is cut off", cut([]persistence.Node{node("a", 1, true, serve), node("b", 2, true, serve), node("c", 3, true, serve)}, "a"), false},
		{"one is cut off and cordoned", cut([]persistence.Node{node("a", 1, true, cordon), node("b", 2, true, serve), node("c", 3, true, serve)}, "a"), false},
		{"all are cut off", cut([]persistence.Node{node("a", 1, true, serve), node("b", 2, true, serve), node("c", 3, true, serve)}, "a", "b", "c"), true},
		{"all are cut off and one is drained", cut([]persistence.Node{node("a", 1, true, drain), node("b", 2, true, serve), node("c", 3, true, serve)}, "a", "b", "c"), true},
		{"all are drained", []persistence.Node{node("a", 1, true, drain), node("b", 2, true, drain)}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := NewBalance(c.nodes)
			for _, at := range []string{"a", "b", ""} {
				b.Count(at, owned[at])
			}
			if b.Blind != c.blind || b.Free != 50 {
				t.Errorf("blind %v, %d are free", b.Blind, b.Free)
			}
			known := map[string]time.Duration{"a": time.Minute, "b": time.Minute, "c": time.Minute}
			sum, belong, taken := 0, 0, 0
			for _, n := range b.Nodes {
				v := View{Me: n.Owner(), Nodes: c.nodes, Mine: owned[n.Name], Known: known, Stray: time.Hour, Settle: SettleAfter}
				for _, id := range owned[""] {
					v.Free = append(v.Free, persistence.FreeAccount{ID: id})
				}
				if n.CutOff {
					v.Reach, v.Gives = CutOff, true
				}
				p := Decide(v)
				if n.Owned != len(owned[n.Name]) || n.ToMove != len(p.HandOver) || n.ToMove+n.Stay > n.Owned {
					t.Errorf("%s: %+v, and it hands %d over", n.Name, n, len(p.HandOver))
				}
				sum, belong, taken = sum+n.ToMove, belong+n.Belong, taken+len(p.Take)
			}
			if b.ToMove() != sum+taken || belong != 300 && taken > 0 {
				t.Errorf("%d are to move: %d are handed over and %d taken, and %d belong somewhere", b.ToMove(), sum, taken, belong)
			}
		})
	}
}

// Of one whose lease is over the others take what it has.
func TestABalanceOfANodeThatDied(t *testing.T) {
	b := NewBalance([]persistence.Node{node("a", 1, false, persistence.WishServe), node("b", 2, true, persistence.WishServe)})
	all := ids(10)
	b.Count("a", all)
	if n := b.Nodes; n[0].ToMove != 10 || n[0].Belong != 0 || n[1].Belong != 10 || b.ToMove() != 10 {
		t.Errorf("%+v", n)
	}
	b = NewBalance([]persistence.Node{node("a", 1, false, persistence.WishServe)})
	b.Count("a", all)
	b.Count("", []persistence.AccountID{"free"})
	if n := b.Nodes; n[0].Stay != 10 || b.ToMove() != 0 {
		t.Errorf("without another: %+v, %d to move", n, b.ToMove())
	}
}

func BenchmarkBalance(b *testing.B) {
	var nodes []persistence.Node
	for i := range 10 {
		nodes = append(nodes, node(fmt.Sprintf("node-%d", i), uint64(i+1), true, persistence.WishServe))
	}
	all := ids(100_000)
	for b.Loop() {
		NewBalance(nodes).Count("node-1", all)
	}
}

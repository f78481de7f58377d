package placement

import (
	"fmt"
	"math"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/mtfleet/mtfleet/persistence"
)

func ids(n int) (all []persistence.AccountID) {
	for i := range n {
		all = append(all, persistence.AccountID(fmt.Sprintf("acc-%05d", i)))
	}
	return all
}

// What is stored on many machines is decided by these numbers.
func TestHomesAreTheSameEverywhere(t *testing.T) {
	three := []Weighted{{"a", 100}, {"b", 100}, {"c", 100}}
	var got []string
	for _, id := range []persistence.AccountID{"alice", "bob", "carol", "dave", "eve", "x"} {
		got = append(got, Home(id, three))
		slices.Reverse(three)
	}
	if diff := cmp.Diff([]string{"c", "b", "c", "a", "a", "b"}, got); diff != "" {
		t.Fatal(diff)
	}
}

func TestSharesFollowTheWeights(t *testing.T) {
	const n = 30000
	nodes := []Weighted{{"a", 100}, {"b", 200}, {"c", 300}, {"none", 0}}
	count := map[string]int{}
	for _, id := range ids(n) {
		count[Home(id, nodes)]++
	}
	for _, node := range nodes {
		p := float64(node.Weight) / 600
		want, bound := p*n, 5*math.Sqrt(n*p*(1-p))
		if got := float64(count[node.Name]); math.Abs(got-want) > bound {
			t.Errorf("%s has %v of %d accounts, want %v within %.0f", node.Name, got, n, want, bound)
		}
	}
}

func TestANodeThatGoesMovesItsOwnAccountsAndNoOther(t *testing.T) {
	all := []Weighted{{"a", 100}, {"b", 100}, {"c", 50}}
	for _, id := range ids(2000) {
		before, after := Home(id, all), Home(id, all[:2])
		if before != "c" && before != after {
			t.Fatalf("%s moved from %s to %s", id, before, after)
		}
	}
	if got := Home("alice", nil); got != "" {
		t.Fatalf("the home without nodes is %q", got)
	}
}

func node(name string, epoch uint64, live bool, wish persistence.Wish) persistence.Node {
	n := persistence.Node{NodeInfo: persistence.NodeInfo{Name: name, Capacity: 100}, Epoch: epoch, Wish: wish, Left: time.Second}
	if !live {
		n.Left = -time.Second
	}
	return n
}

// cut makes nodes of that name say that they reach no DC.
func cut(nodes []persistence.Node, names ...string) []persistence.Node {
	for i := range nodes {
		nodes[i].CutOff = slices.Contains(names, nodes[i].Name)
	}
	return nodes
}

func departs(nodes []persistence.Node) []persistence.Node {
	nodes[1].Departs = true
	return nodes
}

func TestWhatANodeDoes(t *testing.T) {
	all := ids(40)
	nodes := func(wishA, wishB persistence.Wish, liveB bool) []persistence.Node {
		return []persistence.Node{node("a", 1, true, wishA), node("b", 2, liveB, wishB)}
	}
	of := func(name string) (mine []persistence.AccountID) {
		for _, id := range all {
			if Home(id, []Weighted{{"a", 100}, {"b", 100}}) == name {
				mine = append(mine, id)
			}
		}
		return mine
	}
	var free, stray []persistence.FreeAccount
	for _, id := range all {
		free = append(free, persistence.FreeAccount{ID: id})
		stray = append(stray, persistence.FreeAccount{ID: id, For: time.Minute})
	}
	const serve, cordon, drain = persistence.WishServe, persistence.WishCordon, persistence.WishDrain
	known := map[string]time.Duration{"a": time.Minute, "b": time.Minute}
	for _, c := range []struct {
		name string
		view View
		want Plan
	}{
		{"it takes of the free what is its own", View{Nodes: nodes(serve, serve, true), Free: free}, Plan{Take: of("a")}},
		{"alone it takes all", View{Nodes: nodes(serve, serve, false), Free: free}, Plan{Take: all}},
		{"what nobody has taken for long it takes", View{Nodes: nodes(serve, serve, true), Free: stray}, Plan{Take: all}},
		{"cordoned it takes nothing", View{Nodes: nodes(cordon, serve, true), Free: stray}, Plan{}},
		{"another is cordoned: it takes all", View{Nodes: nodes(serve, cordon, true), Free: free}, Plan{Take: all}},
		{"it hands over what is another's", View{Nodes: nodes(serve, serve, true), Mine: all}, Plan{HandOver: of("b")}},
		{"not to a node that has just come", View{Nodes: nodes(serve, serve, true), Mine: all, Known: map[string]time.Duration{"b": time.Second}}, Plan{}},
		{"not to one that is gone", View{Nodes: nodes(serve, serve, false), Mine: all}, Plan{}},
		{"another departs: it takes all", View{Nodes: departs(nodes(serve, serve, true)), Free: free, Mine: all}, Plan{Take: all}},
		{"not to one that drains", View{Nodes: nodes(serve, drain, true), Mine: all}, Plan{}},
		{"cordoned it keeps what it has", View{Nodes: nodes(cordon, serve, true), Mine: all}, Plan{}},
		{"draining it hands all over", View{Nodes: nodes(drain, serve, true), Mine: all, Free: free}, Plan{HandOver: all}},
		{"draining without another it keeps all", View{Nodes: nodes(drain, serve, false), Mine: all}, Plan{}},
		{"leaving it hands all over, whoever is there", View{Nodes: nodes(serve, serve, false), Mine: all, Free: free, Leaving: true}, Plan{HandOver: all}},
		{"another is cut off: it takes all", View{Nodes: cut(nodes(serve, serve, true), "b"), Free: free}, Plan{Take: all}},
		{"it gives nothing to one that is cut off", View{Nodes: cut(nodes(serve, serve, true), "b"), Mine: all}, Plan{}},
		{"cut off it takes nothing, however long nobody does", View{Nodes: nodes(serve, serve, true), Free: stray, Reach: CutOff}, Plan{}},
		{"cut off it keeps what it has for a while", View{Nodes: nodes(serve, serve, true), Mine: all, Reach: CutOff}, Plan{}},
		{"and then gives all away", View{Nodes: nodes(serve, serve, true), Mine: all, Free: free, Reach: CutOff, Gives: true}, Plan{HandOver: all}},
		{"cordoned too", View{Nodes: nodes(cordon, serve, true), Mine: all, Reach: CutOff, Gives: true}, Plan{HandOver: all}},
		{"not to a node that has just come, or reaches them again", View{Nodes: nodes(serve, serve, true), Mine: all, Reach: CutOff, Gives: true, Known: map[string]time.Duration{"b": time.Second}}, Plan{}},
		{"not when there is no other", View{Nodes: nodes(serve, serve, false), Mine: all, Reach: CutOff, Gives: true}, Plan{}},
		{"all are cut off: nothing moves", View{Nodes: cut(nodes(serve, serve, true), "a", "b"), Mine: all, Reach: CutOff, Gives: true}, Plan{}},
		{"all are cut off: what is free goes home", View{Nodes: cut(nodes(serve, serve, true), "a", "b"), Free: free, Reach: CutOff, Gives: true}, Plan{Take: of("a")}},
		{"all are cut off, and it drains", View{Nodes: cut(nodes(drain, serve, true), "a", "b"), Mine: all, Reach: CutOff}, Plan{HandOver: all}},
		{"the store says that it is cut off, which is no more so", View{Nodes: cut(nodes(serve, serve, true), "a"), Free: free, Mine: all}, Plan{Take: of("a"), HandOver: of("b")}},
		{"in doubt it takes and gives nothing", View{Nodes: nodes(serve, serve, true), Free: stray, Mine: all, Reach: Doubted}, Plan{}},
		{"in doubt and alone it takes all", View{Nodes: nodes(serve, serve, false), Free: free, Reach: Doubted}, Plan{Take: all}},
		{"not back yet it takes and gives nothing", View{Nodes: cut(nodes(serve, serve, true), "a"), Free: stray, Mine: all, Reach: Returning}, Plan{}},
		{"of which the store knows nothing it takes nothing", View{Me: persistence.Owner{Node: "a", Epoch: 9}, Nodes: nodes(serve, serve, true), Free: stray, Mine: all}, Plan{}},
	} {
		t.Run(c.name, func(t *testing.T) {
			v := c.view
			if v.Me == (persistence.Owner{}) {
				v.Me = persistence.Owner{Node: "a", Epoch: 1}
			}
			if v.Known == nil {
				v.Known = known
			}
			v.Stray, v.Settle = 30*time.Second, 10*time.Second
			if diff := cmp.Diff(c.want, Decide(v), cmpopts.IgnoreFields(Plan{}, "Rests")); diff != "" {
				t.Fatal(diff)
			}
		})
	}
}

// Three nodes end and come back one after the other, as a new version is rolled
// out. Nobody but the one that ends loses an account, and each comes home.
func TestARollingRestartMovesEachAccountTwiceAtMost(t *testing.T) {
	names := []string{"a", "b", "c"}
	full := []Weighted{{"a", 100}, {"b", 100}, {"c", 100}}
	at, moves := map[persistence.AccountID]string{}, map[persistence.AccountID]int{}
	settle := func(nodes []Weighted) {
		for _, id := range ids(3000) {
			if home := Home(id, nodes); at[id] != home {
				at[id] = home
				moves[id]++
			}
		}
	}
	settle(full)
	clear(moves)
	for i := range names {
		settle(slices.Delete(slices.Clone(full), i, i+1))
		settle(full)
	}
	for id, n := range moves {
		if n > 2 {
			t.Fatalf("%s moved %d times", id, n)
		}
	}
}

func BenchmarkHome(b *testing.B) {
	nodes := []Weighted{{"a", 100}, {"b", 100}, {"c", 100}}
	for b.Loop() {
		Home("account-12345", nodes)
	}
}

func TestAccountsRestThatBelongWhereTheyAre(t *testing.T) {
	nodes := []persistence.Node{node("a", 1, true, persistence.WishServe), node("b", 2, true, persistence.WishServe)}
	var here, there []persistence.AccountID
	for _, id := range ids(40) {
		if Home(id, []Weighted{{"a", 100}, {"b", 100}}) == "a" {
			here = append(here, id)
		} else {
			there = append(there, id)
		}
	}
	settled := map[string]time.Duration{"a": time.Minute, "b": time.Minute}
	for _, c := range []struct {
		name string
		view View
		want bool
	}{
		{"each is at home", View{Nodes: nodes, Mine: here, Known: settled}, true},
		{"one is not", View{Nodes: nodes, Mine: append(here[:1:1], there[0]), Known: settled}, false},
		{"one is not, and its home has just come", View{Nodes: nodes, Mine: append(here[:1:1], there[0])}, false},
		{"this node leaves", View{Nodes: nodes, Mine: here, Known: settled, Leaving: true}, false},
		{"this node doubts that it reaches the DCs", View{Nodes: nodes, Mine: here, Known: settled, Reach: Doubted}, false},
	} {
		c.view.Me, c.view.Settle = persistence.Owner{Node: "a", Epoch: 1}, SettleAfter
		if got := Decide(c.view).Rests; got != c.want {
			t.Errorf("%s: they rest: %v", c.name, got)
		}
	}
}

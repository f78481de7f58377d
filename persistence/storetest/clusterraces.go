package storetest

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mtfleet/mtfleet/persistence"
)

func testTakeRace(t *testing.T, k *cluster) {
	const accounts, nodes = 60, 4
	first := k.join("first")
	var ids []persistence.AccountID
	for i := range accounts {
		ids = append(ids, persistence.AccountID(fmt.Sprintf("acc-%02d", i)))
		first.put(meta(ids[i], "1", "x"))
	}
	k.ok(first.Leave(t.Context(), first.owner))
	all := make([]*node, nodes)
	for i := range all {
		all[i] = k.join(fmt.Sprint("n", i))
	}
	var wg sync.WaitGroup
	got := make([][]persistence.AccountID, nodes)
	for i, n := range all {
		wg.Go(func() {
			for from := 0; from < accounts; from += 7 {
				taken, err := n.Take(t.Context(), n.owner, ids[from:min(from+7, accounts)])
				if err != nil {
					t.Error(err)
					return
				}
				got[i] = append(got[i], taken...)
			}
		})
	}
	wg.Wait()
	sum := 0
	for i, n := range all {
		slices.Sort(got[i])
		n.owns(got[i]...)
		sum += len(got[i])
	}
	if sum != accounts {
		t.Fatalf("%d accounts were taken %d times", accounts, sum)
	}
}

// Two nodes hand one account to and fro while both write it all the time: what was
// accepted of an owner is in the store as long as it is the owner.
func testCommitRace(t *testing.T, k *cluster) {
	a, b := k.join("a"), k.join("b")
	a.put(meta("alice", "1", "start"), meta("alice", "2", "start"))
	var stop atomic.Bool
	var wg sync.WaitGroup
	for _, n := range []*node{a, b} {
		wg.Go(func() {
			for round := 0; !stop.Load(); round++ {
				err := n.commit(meta("alice", "1", fmt.Sprint(n.owner.Node, round)), meta("alice", "2", fmt.Sprint(n.owner.Node, round)))
				if err != nil && !errors.As(err, new(*persistence.StaleOwnerError)) {
					t.Error(err)
					return
				}
			}
		})
	}
	owner, other := a, b
	for range 10 {
		owner.release("alice")
		if got := other.take("alice"); len(got) != 1 {
			t.Errorf("took %v", got)
			break
		}
		owner, other = other, owner
		// From here on nothing of the one before is accepted.
		before, err := owner.Load("alice")
		k.ok(err)
		owner.put(meta("alice", "3", owner.owner.Node))
		after, err := owner.Load("alice")
		k.ok(err)
		for _, list := range [][]persistence.Record{before, after} {
			if one, two := string(list[0].Data), string(list[1].Data); one != two {
				t.Errorf("half of a commit: %q and %q", one, two)
			}
		}
	}
	stop.Store(true)
	wg.Wait()
	rec, err := owner.Load("alice")
	k.ok(err)
	if last := string(rec[2].Data); last != owner.owner.Node {
		t.Fatalf("the owner is %v, and the last word is %q", owner.owner, last)
	}
}

func testRandomOwners(t *testing.T, k *cluster) {
	rnd := rand.New(rand.NewPCG(3, 4))
	names := []string{"a", "b", "c"}
	ids := []persistence.AccountID{"v", "w", "x", "y", "z"}
	nodes := map[string]*node{}
	left := map[string]time.Duration{} // of the lease and the grace of each node that is known
	owner := map[persistence.AccountID]string{}
	there := map[persistence.AccountID]bool{}
	runs := func(name string) bool { return nodes[name] != nil }
	for step := range 200 {
		name, id := names[rnd.IntN(len(names))], ids[rnd.IntN(len(ids))]
		n := nodes[name]
		switch what := rnd.IntN(8); {
		case what == 0:
			pass := time.Duration(rnd.IntN(4)) * time.Second
			k.db.Pass(pass)
			for name := range left {
				left[name] -= pass
			}
		case !runs(name) && left[name] < -500*time.Millisecond || !runs(name) && left[name] == 0:
			for id, o := range owner {
				if o == name {
					owner[id] = ""
				}
			}
			nodes[name], left[name] = k.join(name), term+grace
		case !runs(name):
		case what == 1 && step%5 == 0:
			k.ok(n.Leave(t.Context(), n.owner))
			delete(nodes, name)
			delete(left, name)
			for id, o := range owner {
				if o == name {
					owner[id] = ""
				}
			}
		case what <= 2 && left[name] > 500*time.Millisecond:
			k.ok(n.Renew(t.Context(), n.owner))
			left[name] = term + grace
		case what == 3:
			n.release(id)
			if owner[id] == name {
				owner[id] = ""
			}
		case what <= 5:
			took := len(n.take(id)) == 1
			o := owner[id]
			free := there[id] && (o == "" || left[o] < 0)
			if sure := o == "" || left[o] < -500*time.Millisecond || left[o] > 500*time.Millisecond; sure && took != free {
				t.Fatalf("step %d: %s took %s: %v, though it is of %q with %v left", step, name, id, took, o, left[o])
			}
			if took {
				owner[id] = name
			}
		default:
			err := n.commit(meta(id, "1", fmt.Sprint(step)))
			may := !there[id] || owner[id] == name
			if may != (err == nil) {
				t.Fatalf("step %d: %s commits %s, of %q: %v", step, name, id, owner[id], err)
			}
			if err == nil {
				owner[id], there[id] = name, true
			} else {
				k.stale("another's", err)
			}
		}
	}
}

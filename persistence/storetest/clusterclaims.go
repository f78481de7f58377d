package storetest

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/mtfleet/mtfleet/persistence"
)

func testClaimAll(t *testing.T, k *cluster) {
	a := k.join("a")
	a.put(meta("alice", "1", "a"))
	tool := k.handle()
	var running *persistence.NodesRunError
	if _, err := tool.Claim("tool"); !errors.As(err, &running) || !slices.Equal(running.Nodes, []string{"a"}) {
		t.Fatalf("claimed beside a node: %v", err)
	}
	k.db.Pass(term + grace/2)
	if _, err := tool.Claim("tool"); !errors.As(err, &running) {
		t.Fatalf("claimed in the grace of a node: %v", err)
	}
	k.db.Pass(grace)
	all, err := tool.Claim("tool")
	k.ok(err)
	k.stale("the node renews", a.Renew(t.Context(), a.owner))
	k.stale("the node writes", a.commit(meta("alice", "1", "late")))
	k.ok(tool.Commit(persistence.Commit{Owner: all, Put: []persistence.Record{meta("alice", "1", "tool"), meta("bob", "1", "tool")}}))
	if _, err := a.Join(t.Context(), info("b")); !errors.As(err, new(*persistence.ClaimedError)) {
		t.Fatalf("a node joined what is claimed: %v", err)
	}
	k.ok(tool.Close())
	b := k.join("b")
	b.free("alice", "bob")
	if got := b.take("alice", "bob"); len(got) != 2 {
		t.Fatalf("took %v", got)
	}
	b.holds("bob", "tool")
}

func testClaimTwice(t *testing.T, k *cluster) {
	first, second := k.handle(), k.handle()
	one, err := first.Claim("tool")
	k.ok(err)
	two, err := first.Claim("tool") // it has it already
	k.ok(err)
	if two.Epoch <= one.Epoch {
		t.Fatalf("claimed as %v and %v", one, two)
	}
	k.stale("an earlier claim of its own", first.Commit(persistence.Commit{Owner: one, Put: []persistence.Record{meta("alice", "1", "x")}}))
	k.ok(first.Commit(persistence.Commit{Owner: two, Put: []persistence.Record{meta("alice", "1", "first")}}))
	if _, err := second.Claim("tool"); !errors.As(err, new(*persistence.ClaimedError)) {
		t.Fatalf("claimed twice: %v", err)
	}
	k.ok(first.Commit(persistence.Commit{Owner: two, Put: []persistence.Record{meta("bob", "1", "first")}}))
	k.ok(first.Close())
	three, err := second.Claim("tool")
	k.ok(err)
	k.ok(second.Commit(persistence.Commit{Owner: three, Put: []persistence.Record{meta("alice", "1", "second")}}))

	// Who joins lets go of it itself.
	b := &node{Cluster: second, k: k}
	b.owner, err = second.Join(t.Context(), info("b"))
	k.ok(err)
	k.stale("it has joined", second.Commit(persistence.Commit{Owner: three, Put: []persistence.Record{meta("carol", "1", "x")}}))
	if got := b.take("alice", "bob"); len(got) != 2 {
		t.Fatalf("took %v", got)
	}
	b.holds("alice", "second")
}

func testLongEnded(t *testing.T, k *cluster) {
	names := map[string]*node{}
	for _, name := range []string{"bare", "owns", "wished"} {
		names[name] = k.join(name)
	}
	last := names["wished"].owner.Epoch
	names["owns"].put(meta("alice", "1", "x"))
	k.ok(names["owns"].Wish(t.Context(), "wished", persistence.WishDrain))
	for _, pass := range []time.Duration{term + grace, persistence.NodeKept} {
		k.db.Pass(pass)
		n := k.join("new")
		if n.owner.Epoch <= last {
			t.Fatalf("epoch %d after %d", n.owner.Epoch, last)
		}
		last = n.owner.Epoch
		k.ok(n.Leave(t.Context(), n.owner))
		if pass < persistence.NodeKept {
			k.ok(names["bare"].Renew(t.Context(), names["bare"].owner))
			k.db.Pass(term + grace)
		}
	}
	k.stale("a node that is forgotten renews", names["bare"].Renew(t.Context(), names["bare"].owner))
	for _, name := range []string{"owns", "wished"} {
		k.ok(names[name].Renew(t.Context(), names[name].owner))
	}
	names["owns"].owns("alice")
	again := k.join("bare")
	if again.owner.Epoch <= last {
		t.Fatalf("a name that was forgotten has epoch %d after %d", again.owner.Epoch, last)
	}
	again.put(meta("bob", "1", "x"))
	k.stale("the one before writes", names["bare"].commit(meta("bob", "1", "late")))
}

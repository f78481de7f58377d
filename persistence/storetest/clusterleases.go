package storetest

import (
	"fmt"
	"testing"
	"time"

	"github.com/mtfleet/mtfleet/persistence"
)

// This file is about nodes whose lease ends, that leave, and that are cut off.

func testExpiry(t *testing.T, k *cluster) {
	a, b := k.join("a"), k.join("b")
	a.put(meta("alice", "1", "a"))
	k.db.Pass(term - 3*time.Second)
	k.ok(b.Renew(t.Context(), b.owner))
	k.db.Pass(4 * time.Second) // a's lease is over, and not the grace
	b.free()
	if got := b.take("alice"); got != nil {
		t.Fatalf("took %v in the grace", got)
	}
	if n := b.nodes(); n[0].Live() || n[0].Accounts != 1 {
		t.Fatalf("node: %+v", n[0])
	}
	if n, err := b.Nodes(t.Context(), false); err != nil || len(n) != 2 {
		t.Fatalf("one that ended and owns something: %+v, %v", n, err)
	}
	a.put(meta("alice", "1", "nobody took it"))
	k.db.Pass(2 * time.Second)
	b.free("alice")
	if got := b.take("alice"); len(got) != 1 {
		t.Fatalf("took %v", got)
	}
	k.stale("it is another's", a.commit(meta("alice", "1", "late")))
	b.holds("alice", "nobody took it")
	if n := b.nodes(); len(n) != 1 {
		t.Fatalf("one that ended and has nothing is none: %+v", n)
	}
	k.ok(a.Renew(t.Context(), a.owner)) // and can be one again
	if n := b.nodes(); len(n) != 2 || !n[0].Live() || n[0].Accounts != 0 {
		t.Fatalf("nodes: %+v", n)
	}
}

func testLateRenewal(t *testing.T, k *cluster) {
	a, b := k.join("a"), k.join("b")
	a.put(meta("alice", "1", "a"), meta("bob", "1", "a"))
	k.db.Pass(term + grace + time.Second)
	k.ok(b.Renew(t.Context(), b.owner))
	if got := b.take("bob"); len(got) != 1 {
		t.Fatalf("took %v", got)
	}
	k.ok(a.Renew(t.Context(), a.owner))
	a.owns("alice")
	if got := b.take("alice"); got != nil {
		t.Fatalf("took %v after it was renewed", got)
	}
	a.put(meta("alice", "1", "again"))
	k.stale("it was taken meanwhile", a.commit(meta("bob", "1", "late")))
}

func testLeave(t *testing.T, k *cluster) {
	a, b := k.join("a"), k.join("b")
	a.put(meta("alice", "1", "a"))
	k.ok(a.Leave(t.Context(), a.owner))
	b.free("alice")
	k.stale("writing", a.commit(meta("alice", "1", "late")))
	k.stale("writing a new account", a.commit(meta("bob", "1", "late")))
	k.stale("renewing", a.Renew(t.Context(), a.owner))
	k.stale("leaving twice", a.Leave(t.Context(), a.owner))
	if got := b.take("alice"); len(got) != 1 {
		t.Fatalf("took %v", got)
	}
	// The name can be had at once.
	again, err := a.Join(t.Context(), info("a"))
	k.ok(err)
	if again.Epoch <= b.owner.Epoch {
		t.Fatalf("joined again as %v after %v", again, b.owner)
	}
}

func testDepart(t *testing.T, k *cluster) {
	a, b := k.join("a"), k.join("b")
	a.put(meta("alice", "1", "a"))
	k.ok(a.Depart(t.Context(), a.owner))
	if n := b.nodes(); !n[0].Departs || n[1].Departs || !n[0].Live() {
		t.Fatalf("nodes: %+v", n)
	}
	k.ok(a.Renew(t.Context(), a.owner)) // which does not change it
	a.put(meta("alice", "1", "still"))
	if n := b.nodes(); !n[0].Departs {
		t.Fatalf("nodes: %+v", n)
	}
	k.ok(a.Leave(t.Context(), a.owner))
	again := k.join("a")
	if n := again.nodes(); n[0].Departs {
		t.Fatalf("nodes: %+v", n)
	}
}

func testCutOff(t *testing.T, k *cluster) {
	a, b := k.join("a"), k.join("b")
	k.ok(a.CutOff(t.Context(), a.owner, true))
	k.ok(a.Renew(t.Context(), a.owner)) // which does not change it
	if n := b.nodes(); !n[0].CutOff || n[1].CutOff || !n[0].Live() {
		t.Fatalf("nodes: %+v", n)
	}
	k.ok(a.CutOff(t.Context(), a.owner, false))
	if n := b.nodes(); n[0].CutOff {
		t.Fatalf("nodes: %+v", n)
	}
	k.ok(a.CutOff(t.Context(), a.owner, true))
	k.ok(a.Leave(t.Context(), a.owner))
	if n := k.join("a").nodes(); n[0].CutOff {
		t.Fatalf("nodes: %+v", n)
	}
}

func testNobody(t *testing.T, k *cluster) {
	a := k.join("a")
	a.put(meta("alice", "1", "a"))
	a.release("alice")
	for _, o := range []persistence.Owner{{}, {Node: "b", Epoch: 1}, {Node: "a", Epoch: a.owner.Epoch + 1}} {
		_, take := a.Take(t.Context(), o, []persistence.AccountID{"alice"})
		_, owned := a.Owned(t.Context(), o)
		for what, err := range map[string]error{
			"take": take, "owned": owned, "renew": a.Renew(t.Context(), o), "leave": a.Leave(t.Context(), o), "depart": a.Depart(t.Context(), o), "cut off": a.CutOff(t.Context(), o, true),
			"release": a.Release(t.Context(), o, []persistence.AccountID{"alice"}),
			"commit":  a.Commit(persistence.Commit{Owner: o, Put: []persistence.Record{meta("bob", "1", "x")}}),
		} {
			k.stale(fmt.Sprint(what, " of ", o), err)
		}
	}
	a.free("alice")
}

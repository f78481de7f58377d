package storetest

import (
	"testing"
	"time"

	"github.com/mtfleet/mtfleet/persistence"
)

// Servers is a place for a store whose server can fail over.
type Servers struct {
	Database
	// Copy copies the server as it is, once.
	Copy func()
	// TakeOver ends the server and puts the copy in its place: what was changed since is
	// lost. It is another server, or the same one restored, which nobody can tell.
	TakeOver func(restored bool)
}

// RunFailover tests what becomes of a cluster when the server that keeps its store fails
// over, and may have forgotten who owns what. place is as for RunCluster.
func RunFailover(t *testing.T, place func(t *testing.T) Servers) {
	renews := func(_, b *node) error { return b.Renew(b.k.t.Context(), b.owner) }
	for _, c := range []struct {
		name     string
		restored bool
		mask     bool // as many changes are made after it as were forgotten
		who      func(a, b *node) error
	}{
		{"a restored server, and the new owner renews", true, false, renews},
		{"a restored server, and the new owner commits", true, false, func(_, b *node) error { return b.commit(meta("alice", "1", "late")) }},
		{"a restored server, and the old owner takes", true, false, func(a, _ *node) error {
			_, err := a.Take(a.k.t.Context(), a.owner, []persistence.AccountID{"alice"})
			return err
		}},
		{"a restored server, and the new owner asks after others have made changes", true, true, func(_, b *node) error {
			_, err := b.Owned(b.k.t.Context(), b.owner)
			return err
		}},
		{"a standby without the last transactions, and the new owner renews", false, false, renews},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := place(t)
			k := &cluster{t: t, db: f.Database}
			defer k.close()
			testForgotten(t, k, f, c.restored, c.mask, c.who)
		})
	}
	t.Run("a standby that has everything", func(t *testing.T) {
		f := place(t)
		k := &cluster{t: t, db: f.Database}
		defer k.close()
		testNothingForgotten(t, k, f)
	})
}

// testForgotten has the server forget that alice was handed over: the first who asks
// makes everybody begin anew, no epoch comes again, and nobody has alice before every
// lease of before is over.
func testForgotten(t *testing.T, k *cluster, f Servers, restored, mask bool, who func(a, b *node) error) {
	a, b := k.join("a"), k.join("b")
	a.put(meta("alice", "1", "a"))
	f.Copy()
	a.release("alice")
	if got := b.take("alice"); len(got) != 1 {
		t.Fatalf("took %v", got)
	}
	b.put(meta("alice", "1", "b"))
	f.TakeOver(restored)
	if mask {
		for range 2 {
			c := k.join("c")
			k.ok(c.Leave(t.Context(), c.owner))
		}
	}
	k.stale("the first who asks", who(a, b))
	for _, n := range []*node{a, b} {
		k.stale(n.owner.Node+" renews", n.Renew(t.Context(), n.owner))
		k.stale(n.owner.Node+" commits", n.commit(meta("alice", "1", "late")))
	}
	again := k.join("d")
	if again.owner.Epoch <= max(a.owner.Epoch, b.owner.Epoch) {
		t.Errorf("epoch %d comes again", again.owner.Epoch)
	}
	held(t, k, again)
	again.holds("alice", "a") // what b wrote is lost
}

// testNothingForgotten has a standby take over that lacks nothing, which nobody can
// know: nodes keep what they have, and what is free waits all the same.
func testNothingForgotten(t *testing.T, k *cluster, f Servers) {
	a := k.join("a")
	a.put(meta("alice", "1", "a"))
	f.Copy()
	f.TakeOver(false)
	k.ok(a.Renew(t.Context(), a.owner))
	a.put(meta("alice", "1", "on"))
	k.ok(a.Leave(t.Context(), a.owner))
	b := k.join("b")
	if b.owner.Epoch < a.owner.Epoch+persistence.EpochLeap {
		t.Errorf("epoch %d after %d", b.owner.Epoch, a.owner.Epoch)
	}
	held(t, k, b)
	b.holds("alice", "on")
}

// held wants alice to be free after the longest lease and its grace, and not before.
func held(t *testing.T, k *cluster, n *node) {
	t.Helper()
	n.free()
	if got := n.take("alice"); got != nil {
		t.Errorf("took %v at once", got)
	}
	k.db.Pass(term / 2)
	if got := n.take("alice"); got != nil {
		t.Errorf("took %v within the longest lease", got)
	}
	k.db.Pass(term/2 + grace + time.Second)
	k.ok(n.Renew(t.Context(), n.owner))
	n.free("alice")
	if got := n.take("alice"); len(got) != 1 {
		t.Errorf("took %v in the end", got)
	}
}

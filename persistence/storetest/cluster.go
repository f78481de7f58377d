package storetest

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/mtfleet/mtfleet/persistence"
)

// Database is one place for a cluster's store.
type Database struct {
	// Open opens it once more, as another process would.
	Open func() (persistence.Cluster, error)
	// Pass lets the store's clock go on.
	Pass func(time.Duration)
}

// RunCluster tests a kind of store that several nodes write at once. place returns
// a new, empty place for one. Run is for what it has in common with others.
func RunCluster(t *testing.T, place func(t *testing.T) Database) {
	for _, c := range []struct {
		name string
		test func(*testing.T, *cluster)
	}{
		{"a node joins, renews and leaves", testJoin},
		{"no two nodes have one name", testOneName},
		{"an account is that of the node which wrote its first record", testFirstRecord},
		{"an account that was removed is not begun again by who writes late", testRemoved},
		{"a node writes its own accounts and no other's", testOwnAccounts},
		{"a commit of two accounts needs both", testBoth},
		{"what is shared is written by every node", testSharedIDs},
		{"a released account is taken by another, once", testRelease},
		{"accounts of a node are free a grace after its lease", testExpiry},
		{"a lease that ended is renewed as long as nobody took the name", testLateRenewal},
		{"a node that left has nothing and writes nothing", testLeave},
		{"a node that departs says so until it joins again", testDepart},
		{"a node that is cut off says so until it says otherwise, or joins again", testCutOff},
		{"who is none asks for nothing", testNobody},
		{"all at once is claimed only while no node runs", testClaimAll},
		{"of two that claim everything one is the second", testClaimTwice},
		{"a node that ended long ago is forgotten", testLongEnded},
		{"epochs never come twice", testEpochs},
		{"wishes outlive the node", testWishes},
		{"another node hears of what became free", testHints},
		{"the longest free come first", testFreeOrder},
		{"what a node may not be called and want", testRefusedNodes},
		{"many nodes take the same accounts, and each account has one owner", testTakeRace},
		{"commits of an owner and takeovers, all at once", testCommitRace},
		{"random histories agree with a plain model", testRandomOwners},
	} {
		t.Run(c.name, func(t *testing.T) {
			k := &cluster{t: t, db: place(t)}
			defer k.close()
			c.test(t, k)
		})
	}
}

const (
	term  = 10 * time.Second
	grace = 2 * time.Second
)

type cluster struct {
	t    *testing.T
	db   Database
	open []persistence.Cluster
}

func (k *cluster) close() {
	for _, s := range k.open {
		k.ok(s.Close())
	}
}

func (k *cluster) ok(err error) {
	k.t.Helper()
	if err != nil {
		k.t.Fatal(err)
	}
}

// handle opens the store once more.
func (k *cluster) handle() persistence.Cluster {
	k.t.Helper()
	s, err := k.db.Open()
	k.ok(err)
	k.open = append(k.open, s)
	return s
}

func info(name string) persistence.NodeInfo {
	return persistence.NodeInfo{Name: name, Address: name + ":1", Capacity: 100, Version: "v1", Term: term, Grace: grace}
}

// node is a handle that has joined.
type node struct {
	persistence.Cluster
	k     *cluster
	owner persistence.Owner
}

func (k *cluster) join(name string) *node {
	k.t.Helper()
	n := &node{Cluster: k.handle(), k: k}
	var err error
	n.owner, err = n.Join(k.t.Context(), info(name))
	k.ok(err)
	return n
}

// commit writes records, and says of an account without any that it begins.
func (n *node) commit(put ...persistence.Record) error {
	c := persistence.Commit{Owner: n.owner, Put: put}
	for _, r := range put {
		if has, err := n.Load(r.Account); err == nil && len(has) == 0 && !r.Account.Shared() {
			c.Absent = append(c.Absent, r.Key)
		}
	}
	return n.Commit(c)
}

func (n *node) put(put ...persistence.Record) {
	n.k.t.Helper()
	n.k.ok(n.commit(put...))
}

func (n *node) take(ids ...persistence.AccountID) []persistence.AccountID {
	n.k.t.Helper()
	got, err := n.Take(n.k.t.Context(), n.owner, ids)
	n.k.ok(err)
	slices.Sort(got)
	return got
}

func (n *node) release(ids ...persistence.AccountID) {
	n.k.t.Helper()
	n.k.ok(n.Release(n.k.t.Context(), n.owner, ids))
}

func (n *node) owns(want ...persistence.AccountID) {
	n.k.t.Helper()
	got, err := n.Owned(n.k.t.Context(), n.owner)
	n.k.ok(err)
	if !slices.Equal(got, want) {
		n.k.t.Fatalf("%v owns %v, want %v", n.owner, got, want)
	}
}

func (n *node) free(want ...persistence.AccountID) {
	n.k.t.Helper()
	list, err := n.Free(n.k.t.Context(), 100)
	n.k.ok(err)
	var got []persistence.AccountID
	for _, f := range list {
		got = append(got, f.ID)
	}
	slices.Sort(got)
	if !slices.Equal(got, want) {
		n.k.t.Fatalf("free are %v, want %v", got, want)
	}
}

func (n *node) holds(id persistence.AccountID, want string) {
	n.k.t.Helper()
	got, err := n.Load(id)
	n.k.ok(err)
	if len(got) != 1 || string(got[0].Data) != want {
		n.k.t.Fatalf("%s is %v, want %q", id, got, want)
	}
}

// stale fails the test unless the error says that somebody else owns it.
func (k *cluster) stale(what string, err error) *persistence.StaleOwnerError {
	k.t.Helper()
	var stale *persistence.StaleOwnerError
	if !errors.As(err, &stale) {
		k.t.Fatalf("%s: %v, want a StaleOwnerError", what, err)
	}
	return stale
}

func (n *node) nodes() []persistence.Node {
	n.k.t.Helper()
	list, err := n.Nodes(n.k.t.Context(), true)
	n.k.ok(err)
	return list
}

func (n *node) ownerOf(id persistence.AccountID) persistence.Owner {
	n.k.t.Helper()
	o, err := n.OwnerOf(n.k.t.Context(), id)
	n.k.ok(err)
	return o
}

func testJoin(t *testing.T, k *cluster) {
	a, b := k.join("a"), k.join("b")
	if a.owner.Node != "a" || b.owner.Node != "b" || b.owner.Epoch <= a.owner.Epoch {
		t.Fatalf("joined as %v and %v", a.owner, b.owner)
	}
	list := a.nodes()
	if len(list) != 2 || list[0].NodeInfo != info("a") || list[0].Owner() != a.owner || list[1].Owner() != b.owner {
		t.Fatalf("the nodes are %+v", list)
	}
	if n := list[0]; !n.Live() || n.Left > term || n.Left < term-5*time.Second || n.Joined.IsZero() || n.Accounts != 0 || n.Wish != persistence.WishServe {
		t.Fatalf("the node is %+v", n)
	}
	k.db.Pass(6 * time.Second)
	k.ok(a.Renew(t.Context(), a.owner))
	if list = b.nodes(); list[0].Left < term-time.Second || list[1].Left > 5*time.Second {
		t.Fatalf("after one renewed: %+v", list)
	}
	k.ok(b.Leave(t.Context(), b.owner))
	if list = a.nodes(); len(list) != 1 || list[0].Name != "a" {
		t.Fatalf("after one left: %+v", list)
	}
}

func testOneName(t *testing.T, k *cluster) {
	a, second := k.join("a"), k.handle()
	taken := func(when string, min, most time.Duration) {
		t.Helper()
		var e *persistence.NodeTakenError
		if _, err := second.Join(t.Context(), info("a")); !errors.As(err, &e) || e.Name != "a" || e.Address != "a:1" || e.Left < min || e.Left > most {
			t.Fatalf("%s: %v %+v", when, err, e)
		}
	}
	taken("while it runs", term, term+grace)
	k.db.Pass(term + grace/2)
	taken("in the grace", 0, grace)
	k.db.Pass(grace)
	o, err := second.Join(t.Context(), info("a"))
	k.ok(err)
	if got := k.stale("the first renews", a.Renew(t.Context(), a.owner)); got.Current != o || got.Owner != a.owner {
		t.Fatalf("the error says %+v", got)
	}
	k.stale("the first writes", a.commit(meta("alice", "1", "x")))
	k.ok(second.Renew(t.Context(), o))
}

func testFirstRecord(t *testing.T, k *cluster) {
	a, b := k.join("a"), k.join("b")
	a.put(meta("alice", "1", "a"))
	b.put(meta("bob", "1", "b"))
	a.owns("alice")
	b.owns("bob")
	if a.ownerOf("bob") != b.owner || a.ownerOf("carol") != (persistence.Owner{}) {
		t.Fatalf("bob is of %v, carol of %v", a.ownerOf("bob"), a.ownerOf("carol"))
	}
	if n := b.nodes(); n[0].Accounts != 1 || n[1].Accounts != 1 {
		t.Fatalf("nodes: %+v", n)
	}
	if n, err := b.Nodes(t.Context(), false); err != nil || len(n) != 2 || n[0].Accounts != 0 || n[0].Owner() != a.owner {
		t.Fatalf("without counting: %+v, %v", n, err)
	}
	k.ok(a.Commit(persistence.Commit{Owner: a.owner, Delete: []persistence.Key{meta("alice", "1", "").Key}}))
	a.owns()
	b.put(meta("alice", "1", "b")) // it is anybody's again
	b.owns("alice", "bob")
	ids, err := a.Accounts()
	k.ok(err)
	if !slices.Equal(ids, []persistence.AccountID{"alice", "bob"}) {
		t.Fatalf("accounts: %v", ids)
	}
}

// A node that was away writes of an account which another has removed meanwhile.
func testRemoved(t *testing.T, k *cluster) {
	a, b := k.join("a"), k.join("b")
	a.put(meta("alice", "1", "a"))
	a.release("alice")
	b.take("alice")
	k.ok(b.Commit(persistence.Commit{Owner: b.owner, Delete: []persistence.Key{meta("alice", "1", "").Key}}))
	for _, n := range []*node{a, b} { // who removed it and was not told, too
		late := persistence.Commit{Owner: n.owner, Put: []persistence.Record{meta("alice", "2", "late")}}
		if e := k.stale("of an account that was removed", n.Commit(late)); e.Account != "alice" || e.Current != (persistence.Owner{}) {
			t.Fatalf("the error says %+v", e)
		}
	}
	k.ok(a.Commit(persistence.Commit{Owner: a.owner, Delete: []persistence.Key{meta("alice", "2", "").Key}})) // of nothing
	ids, err := a.Accounts()
	k.ok(err)
	if len(ids) != 0 {
		t.Fatalf("accounts: %v", ids)
	}
}

func testOwnAccounts(t *testing.T, k *cluster) {
	a, b := k.join("a"), k.join("b")
	a.put(meta("alice", "1", "a"))
	if e := k.stale("another's account", b.commit(meta("alice", "1", "b"))); e.Account != "alice" || e.Current != a.owner || e.Owner != b.owner {
		t.Fatalf("the error says %+v", e)
	}
	k.stale("deleting in it", b.Commit(persistence.Commit{Owner: b.owner, Delete: []persistence.Key{meta("alice", "1", "").Key}}))
	k.stale("another's name", b.Commit(persistence.Commit{Owner: persistence.Owner{Node: "b", Epoch: a.owner.Epoch}, Put: []persistence.Record{meta("bob", "1", "x")}}))
	// Who says only that something of it is not there is told that it is another's, also
	// where something is.
	for _, sub := range []string{"1", "2"} {
		c := persistence.Commit{Owner: b.owner, Put: []persistence.Record{meta(persistence.FleetID, "1", "b")}, Absent: []persistence.Key{meta("alice", sub, "").Key}}
		if e := k.stale("what is not in it", b.Commit(c)); e.Account != "alice" || e.Current != a.owner {
			t.Fatalf("the error says %+v", e)
		}
		c.Owner = a.owner
		if err := a.Commit(c); (err == nil) != (sub == "2") {
			t.Fatalf("its owner is told %v", err)
		}
		c.Owner, c.Absent = b.owner, []persistence.Key{meta("bob", sub, "").Key} // an account that is none
		k.ok(b.Commit(c))
	}
	b.owns()
	a.holds("alice", "a")
	b.holds("alice", "a") // reading is everybody's
}

func testBoth(t *testing.T, k *cluster) {
	a, b := k.join("a"), k.join("b")
	a.put(meta("alice", "1", "a"))
	b.put(meta("bob", "1", "b"))
	k.stale("one of two is another's", b.commit(meta("alice", "1", "x"), meta("bob", "1", "x")))
	b.holds("bob", "b")
	a.holds("alice", "a")
	b.put(meta("bob", "1", "2"), meta("carol", "1", "2"))
	b.owns("bob", "carol")
}

func testSharedIDs(t *testing.T, k *cluster) {
	a, b := k.join("a"), k.join("b")
	for _, id := range persistence.SharedIDs() {
		a.put(meta(id, "1", "a"))
		b.put(meta(id, "1", "b"))
		a.holds(id, "b")
		// Of what must have one writer the first is it.
		rec := meta(id, "2", "x")
		first := persistence.Commit{Owner: a.owner, Put: []persistence.Record{rec}, Absent: []persistence.Key{rec.Key}}
		k.ok(a.Commit(first))
		first.Owner = b.owner
		if err := b.Commit(first); !errors.As(err, new(*persistence.PresentError)) {
			t.Fatalf("the second is told %v", err)
		}
	}
	a.owns()
	a.free()
	k.ok(a.Leave(t.Context(), a.owner))
	k.stale("who left writes what is shared", a.commit(meta(persistence.FleetID, "1", "c")))
}

func testRelease(t *testing.T, k *cluster) {
	a, b := k.join("a"), k.join("b")
	a.put(meta("alice", "1", "a"), meta("bob", "1", "a"))
	if got := b.take("alice", "bob", "carol"); got != nil {
		t.Fatalf("took %v of a node that runs", got)
	}
	b.release("alice") // it is not its own
	a.owns("alice", "bob")
	a.release("alice")
	a.free("alice")
	k.stale("it was released", a.commit(meta("alice", "1", "late")))
	if got := b.take("alice", "bob"); !slices.Equal(got, []persistence.AccountID{"alice"}) {
		t.Fatalf("took %v", got)
	}
	if got := a.take("alice"); got != nil {
		t.Fatalf("took %v of its new owner", got)
	}
	b.put(meta("alice", "1", "b"))
	k.stale("it is another's", a.commit(meta("alice", "1", "late")))
	a.put(meta("bob", "1", "still"))
	a.free()
}

func testEpochs(t *testing.T, k *cluster) {
	seen := map[uint64]bool{}
	var last uint64
	for i := range 5 {
		n := k.join("a")
		if seen[n.owner.Epoch] || n.owner.Epoch <= last {
			t.Fatalf("epoch %d after %d", n.owner.Epoch, last)
		}
		last, seen[n.owner.Epoch] = n.owner.Epoch, true
		if i%2 == 0 {
			k.ok(n.Leave(t.Context(), n.owner))
		} else {
			k.db.Pass(term + grace + time.Second)
		}
	}
}

func testWishes(t *testing.T, k *cluster) {
	a := k.join("a")
	k.ok(a.Wish(t.Context(), "a", persistence.WishDrain))
	if n := a.nodes(); n[0].Wish != persistence.WishDrain {
		t.Fatalf("nodes: %+v", n)
	}
	k.ok(a.Leave(t.Context(), a.owner))
	again := k.join("a")
	if n := again.nodes(); n[0].Wish != persistence.WishDrain {
		t.Fatalf("after it joined again: %+v", n)
	}
	k.ok(again.Wish(t.Context(), "a", persistence.WishServe))
	k.ok(again.Wish(t.Context(), "elsewhere", persistence.WishCordon))
	if n := again.nodes(); len(n) != 1 || n[0].Wish != persistence.WishServe {
		t.Fatalf("in the end: %+v", n)
	}
}

func testHints(t *testing.T, k *cluster) {
	a, b := k.join("a"), k.join("b")
	a.put(meta("alice", "1", "a"))
	// Any number may have come for what was before; after it there is one more.
	for _, change := range []func(){
		func() { a.release("alice") },
		func() { k.ok(a.Wish(t.Context(), "b", persistence.WishCordon)) },
		func() { k.ok(a.CutOff(t.Context(), a.owner, true)) },
		func() { k.ok(a.Nudge(t.Context())) },
		func() { k.ok(a.Leave(t.Context(), a.owner)) },
	} {
		for drained := false; !drained; {
			select {
			case <-b.Hints():
			case <-t.Context().Done():
				t.Fatal(t.Context().Err())
			default:
				drained = true
			}
		}
		change()
		if _, open := <-b.Hints(); !open {
			t.Fatal("the hints ended")
		}
	}
	k.ok(b.Close())
	for range b.Hints() { // until it is closed
	}
}

func testFreeOrder(t *testing.T, k *cluster) {
	a := k.join("a")
	for _, id := range []persistence.AccountID{"c", "a", "b"} {
		a.put(meta(id, "1", "x"))
	}
	for _, id := range []persistence.AccountID{"b", "c", "a"} {
		a.release(id)
		k.db.Pass(time.Second)
	}
	list, err := a.Free(t.Context(), 2)
	k.ok(err)
	if len(list) != 2 || list[0].ID != "b" || list[1].ID != "c" || list[0].For < 3*time.Second || list[1].For < 2*time.Second || list[0].For > 8*time.Second {
		t.Fatalf("free are %v", list)
	}
}

func testRefusedNodes(t *testing.T, k *cluster) {
	s := k.handle()
	for name, change := range map[string]func(*persistence.NodeInfo){
		"no name":          func(n *persistence.NodeInfo) { n.Name = "" },
		"a name in two":    func(n *persistence.NodeInfo) { n.Name = "a b" },
		"no capacity":      func(n *persistence.NodeInfo) { n.Capacity = 0 },
		"much capacity":    func(n *persistence.NodeInfo) { n.Capacity = persistence.MaxCapacity + 1 },
		"a short lease":    func(n *persistence.NodeInfo) { n.Term = persistence.MinTerm - 1 },
		"a long lease":     func(n *persistence.NodeInfo) { n.Term = persistence.MaxTerm + 1 },
		"a negative grace": func(n *persistence.NodeInfo) { n.Grace = -1 },
	} {
		n := info("a")
		change(&n)
		if _, err := s.Join(t.Context(), n); !errors.As(err, new(*persistence.InvalidError)) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := s.Wish(t.Context(), "a", 7); !errors.As(err, new(*persistence.InvalidError)) {
		t.Errorf("a wish that is none: %v", err)
	}
	if err := s.Wish(t.Context(), "", persistence.WishDrain); !errors.As(err, new(*persistence.InvalidError)) {
		t.Errorf("a wish for a node without a name: %v", err)
	}
}

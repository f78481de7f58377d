package storetest

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mtfleet/mtfleet/persistence"
)

// Open opens the store at one place. Called again after Close, it opens the same
// store, as a restarted process would.
type Open func() (persistence.Store, error)

// Run tests a kind of store. place returns a new, empty place for one.
func Run(t *testing.T, place func(t *testing.T) Open) {
	for _, c := range []struct {
		name string
		test func(*testing.T, *env)
	}{
		{"an empty store has nothing", testEmpty},
		{"what is committed is loaded", testCommitted},
		{"accounts do not see each other's records", testSeparate},
		{"what belongs to no account is kept, and is no account", testFleet},
		{"later commits replace and delete", testReplace},
		{"a commit is all or nothing", testAllOrNothing},
		{"everything is still there after reopening", testReopen},
		{"only the latest claim may write", testOwner},
		{"records of a newer format are not overwritten", testVersion},
		{"what must be the first record is refused when it is not", testAbsent},
		{"what cannot be stored is refused", testRefused},
		{"large commits fit up to the limit", testLarge},
		{"a closed store says so", testClosed},
		{"the caller keeps its buffers", testBuffers},
		{"many writers at once", testConcurrent},
		{"random histories agree with a map", testRandom},
	} {
		t.Run(c.name, func(t *testing.T) {
			e := &env{t: t, open: place(t)}
			e.reopen()
			defer func() { e.ok(e.store.Close()) }()
			c.test(t, e)
		})
	}
}

// env is a store under test and its place.
type env struct {
	t     *testing.T
	open  Open
	store persistence.Store
	owner persistence.Owner
}

func (e *env) ok(err error) {
	e.t.Helper()
	if err != nil {
		e.t.Fatal(err)
	}
}

// reopen closes the store, opens it again and claims it.
func (e *env) reopen() {
	e.t.Helper()
	if e.store != nil {
		e.ok(e.store.Close())
	}
	var err error
	e.store, err = e.open()
	e.ok(err)
	e.owner, err = e.store.Claim("node-1")
	e.ok(err)
}

func (e *env) commit(put []persistence.Record, del ...persistence.Key) error {
	return e.store.Commit(persistence.Commit{Owner: e.owner, Put: put, Delete: del})
}

func (e *env) put(records ...persistence.Record) {
	e.t.Helper()
	e.ok(e.commit(records))
}

func (e *env) want(id persistence.AccountID, want ...persistence.Record) {
	e.t.Helper()
	got, err := e.store.Load(id)
	e.ok(err)
	if diff := cmp.Diff(want, got); diff != "" {
		e.t.Fatalf("records of %s (-want +got):\n%s", id, diff)
	}
}

func (e *env) wantAccounts(want ...persistence.AccountID) {
	e.t.Helper()
	got, err := e.store.Accounts()
	e.ok(err)
	if !slices.Equal(got, want) {
		e.t.Fatalf("accounts are %v, want %v", got, want)
	}
}

func meta(id persistence.AccountID, sub, data string) persistence.Record {
	return persistence.Record{
		Key:     persistence.Key{Account: id, Kind: persistence.KindMeta, Sub: sub},
		Version: 1, Data: persistence.Secret(data),
	}
}

func testEmpty(t *testing.T, e *env) {
	e.wantAccounts()
	e.want("alice")
	e.ok(e.commit(nil))
	e.ok(e.commit(nil, persistence.LoginKey("alice")))
	e.wantAccounts()
}

func testCommitted(t *testing.T, e *env) {
	account := persistence.Account{ID: "alice", PFS: true}.Record()
	key2, key4 := persistence.PermKey{DC: 2}.Record("alice"), persistence.PermKey{DC: 4}.Record("alice")
	empty := meta("alice", "", "")
	empty.Data = nil
	e.put(empty, key4, key2, account)
	got, err := e.store.Load("alice")
	e.ok(err)
	if len(got) != 4 || len(got[3].Data) != 0 {
		t.Fatalf("loaded %v", got)
	}
	got[3].Data = nil
	if diff := cmp.Diff([]persistence.Record{account, key2, key4, empty}, got); diff != "" {
		t.Fatal(diff)
	}
	e.wantAccounts("alice")
}

func testSeparate(t *testing.T, e *env) {
	// Ids that are prefixes of each other, and in every order of the separators.
	ids := []persistence.AccountID{"a", "a-b", "a.b", "a0", "a_b", "ab", "b"}
	for _, id := range ids {
		e.put(meta(id, "x", string(id)), meta(id, "y", "2"))
	}
	e.wantAccounts(ids...)
	for _, id := range ids {
		e.want(id, meta(id, "x", string(id)), meta(id, "y", "2"))
	}
	e.want("a1")
}

func testFleet(t *testing.T, e *env) {
	one := meta("alice", "a", "2")
	e.put(one)
	for _, id := range persistence.SharedIDs() {
		e.put(meta(id, "a", "1"))
	}
	e.reopen()
	for _, id := range persistence.SharedIDs() {
		e.want(id, meta(id, "a", "1"))
	}
	e.want("alice", one)
	e.wantAccounts("alice")
}

func testReplace(t *testing.T, e *env) {
	e.put(meta("alice", "1", "old"), meta("alice", "2", "stays"), meta("alice", "3", "goes"))
	e.ok(e.commit([]persistence.Record{meta("alice", "1", "new")}, meta("alice", "3", "").Key))
	e.want("alice", meta("alice", "1", "new"), meta("alice", "2", "stays"))
	e.ok(e.commit(nil, meta("alice", "1", "").Key, meta("alice", "2", "").Key))
	e.wantAccounts()
	e.put(meta("alice", "1", "again"))
	e.want("alice", meta("alice", "1", "again"))
}

func testAllOrNothing(t *testing.T, e *env) {
	future := meta("alice", "f", "from the future")
	future.Version = 9
	e.put(future, meta("alice", "1", "old"))
	// The last record of the commit is refused, so nothing of it happens.
	err := e.commit([]persistence.Record{meta("alice", "0", "new"), meta("bob", "0", "new"), meta("alice", "f", "old")}, meta("alice", "1", "").Key)
	if err == nil {
		t.Fatal("the commit was accepted")
	}
	e.want("alice", meta("alice", "1", "old"), future)
	e.wantAccounts("alice")
}

func testReopen(t *testing.T, e *env) {
	e.put(meta("alice", "1", "one"), meta("bob", "1", "two"))
	e.ok(e.commit(nil, meta("bob", "1", "").Key))
	before := e.owner
	e.reopen()
	e.want("alice", meta("alice", "1", "one"))
	e.wantAccounts("alice")
	if e.owner.Epoch != before.Epoch+1 {
		t.Fatalf("the epoch went from %d to %d", before.Epoch, e.owner.Epoch)
	}
}

func testOwner(t *testing.T, e *env) {
	first := e.owner
	e.put(meta("alice", "1", "first"))
	second, err := e.store.Claim("node-2")
	e.ok(err)
	if second.Node != "node-2" || second.Epoch != first.Epoch+1 {
		t.Fatalf("second claim is %v after %v", second, first)
	}
	for _, stale := range []persistence.Owner{
		first, {}, {Node: "node-2", Epoch: first.Epoch}, {Node: "node-1", Epoch: second.Epoch}, {Node: "node-2", Epoch: second.Epoch + 1},
	} {
		var so *persistence.StaleOwnerError
		err := e.store.Commit(persistence.Commit{Owner: stale, Put: []persistence.Record{meta("alice", "1", "stale")}})
		if !errors.As(err, &so) || so.Owner != stale || so.Current != second {
			t.Fatalf("commit of %v: %v", stale, err)
		}
	}
	e.want("alice", meta("alice", "1", "first"))
	e.ok(e.store.Close())
	e.store, err = e.open()
	e.ok(err)
	// Reopening is not a claim; one of a store that several have ends with Close.
	if _, several := e.store.(persistence.Cluster); several {
		if err := e.store.Commit(persistence.Commit{Owner: second}); !errors.As(err, new(*persistence.StaleOwnerError)) {
			t.Fatalf("commit of %v, which is closed: %v", second, err)
		}
		second, err = e.store.Claim("node-2")
		e.ok(err)
	}
	e.ok(e.store.Commit(persistence.Commit{Owner: second, Put: []persistence.Record{meta("alice", "1", "second")}}))
	e.want("alice", meta("alice", "1", "second"))
	for _, bad := range []string{"", "a b", "é", strings.Repeat("n", 65)} {
		var ie *persistence.InvalidError
		if _, err := e.store.Claim(bad); !errors.As(err, &ie) {
			t.Fatalf("claim of %q: %v", bad, err)
		}
	}
}

func testVersion(t *testing.T, e *env) {
	future := persistence.PermKey{DC: 2}.Record("alice")
	future.Version = 7
	future.Data = persistence.Secret("unknown")
	e.put(future)
	e.reopen()
	e.want("alice", future) // the store hands it out; decoding refuses it
	if _, err := persistence.DecodePermKey(future); !isVersion(err) {
		t.Fatalf("decode: %v", err)
	}
	err := e.commit([]persistence.Record{persistence.PermKey{DC: 2}.Record("alice")})
	var ve *persistence.VersionError
	if !errors.As(err, &ve) || ve.Version != 7 || ve.Known != 1 || ve.Key != future.Key {
		t.Fatalf("commit over it: %v", err)
	}
	e.want("alice", future)
	future.Data = persistence.Secret("still")
	e.put(future) // the same version may
	e.ok(e.commit(nil, future.Key))
	e.want("alice")
}

func testAbsent(t *testing.T, e *env) {
	one, other := meta("alice", "1", "one"), meta("alice", "2", "two")
	first := func(put ...persistence.Record) error {
		return e.store.Commit(persistence.Commit{Owner: e.owner, Put: put, Absent: []persistence.Key{one.Key}})
	}
	e.ok(first(one))
	var present *persistence.PresentError
	if err := first(meta("alice", "1", "again"), other); !errors.As(err, &present) || present.Key != one.Key {
		t.Fatalf("the second first: %v", err)
	}
	if err := first(other); !errors.As(err, &present) {
		t.Fatalf("another record beside it: %v", err)
	}
	e.want("alice", one)
	e.ok(e.commit(nil, one.Key))
	e.ok(first(other)) // a key may be absent and not put
	e.ok(first(one))
	e.want("alice", one, other)
	var invalid *persistence.InvalidError
	if err := e.store.Commit(persistence.Commit{Owner: e.owner, Absent: []persistence.Key{{Account: "alice"}}}); !errors.As(err, &invalid) {
		t.Fatalf("no such kind: %v", err)
	}
	// Of many at once one is the first.
	var wg sync.WaitGroup
	var won atomic.Int32
	for range 16 {
		wg.Go(func() {
			rec := meta("bob", "1", "x")
			switch err := e.store.Commit(persistence.Commit{Owner: e.owner, Put: []persistence.Record{rec}, Absent: []persistence.Key{rec.Key}}); {
			case err == nil:
				won.Add(1)
			case !errors.As(err, new(*persistence.PresentError)):
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if n := won.Load(); n != 1 {
		t.Fatalf("%d of 16 were the first", n)
	}
}

func isVersion(err error) bool {
	var ve *persistence.VersionError
	return errors.As(err, &ve)
}

func testRefused(t *testing.T, e *env) {
	good := meta("alice", "1", "x")
	noVersion := good
	noVersion.Version = 0
	for name, c := range map[string]persistence.Commit{
		"no account":        {Put: []persistence.Record{meta("", "1", "x")}},
		"upper case":        {Put: []persistence.Record{meta("Alice", "1", "x")}},
		"slash":             {Delete: []persistence.Key{meta("a/b", "1", "x").Key}},
		"long id":           {Put: []persistence.Record{meta(persistence.AccountID(strings.Repeat("a", 65)), "1", "x")}},
		"phone number":      {Put: []persistence.Record{meta("491701234567", "1", "x")}},
		"slash in sub":      {Put: []persistence.Record{meta("alice", "a/b", "x")}},
		"long sub":          {Put: []persistence.Record{meta("alice", strings.Repeat("a", 65), "x")}},
		"unknown kind":      {Put: []persistence.Record{{Key: persistence.Key{Account: "alice", Kind: 200}, Version: 1}}},
		"no version":        {Put: []persistence.Record{noVersion}},
		"twice":             {Put: []persistence.Record{good, good}},
		"put and delete":    {Put: []persistence.Record{good}, Delete: []persistence.Key{good.Key}},
		"kind zero, delete": {Delete: []persistence.Key{{Account: "alice"}}},
	} {
		c.Owner = e.owner
		var ie *persistence.InvalidError
		if err := e.store.Commit(c); !errors.As(err, &ie) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := e.store.Load("../etc"); err == nil {
		t.Error("loaded an account that cannot be")
	}
	e.wantAccounts()
}

func testLarge(t *testing.T, e *env) {
	big := meta("alice", "1", strings.Repeat("x", persistence.MaxRecordSize))
	tooBig := meta("alice", "2", strings.Repeat("x", persistence.MaxRecordSize+1))
	var many, tooMany []persistence.Record
	for i := range persistence.MaxCommitItems + 1 {
		tooMany = append(tooMany, meta("bob", fmt.Sprint(i), "x"))
	}
	many = tooMany[:persistence.MaxCommitItems]
	var heavy []persistence.Record
	for i := range persistence.MaxCommitSize/persistence.MaxRecordSize + 1 {
		r := big
		r.Sub = fmt.Sprint(i)
		heavy = append(heavy, r)
	}
	for _, c := range [][]persistence.Record{{tooBig}, tooMany, heavy} {
		var tl *persistence.TooLargeError
		if err := e.commit(c); !errors.As(err, &tl) {
			t.Fatalf("%d records: %v", len(c), err)
		}
	}
	e.wantAccounts()
	e.put(big)
	e.put(many...)
	e.put(heavy[:len(heavy)-2]...)
	e.reopen()
	got, err := e.store.Load("bob")
	e.ok(err)
	if len(got) != len(many) {
		t.Fatalf("%d of %d records", len(got), len(many))
	}
}

func testClosed(t *testing.T, e *env) {
	e.put(meta("alice", "1", "x"))
	e.ok(e.store.Close())
	_, err1 := e.store.Accounts()
	_, err2 := e.store.Load("alice")
	err3 := e.commit([]persistence.Record{meta("alice", "1", "y")})
	_, err4 := e.store.Claim("node")
	for _, err := range []error{err1, err2, err3, err4} {
		if !errors.Is(err, persistence.ErrClosed) {
			t.Fatalf("after Close: %v", err)
		}
	}
	e.ok(e.store.Close())
}

func testBuffers(t *testing.T, e *env) {
	data := []byte("AAAA")
	r := meta("alice", "1", "")
	r.Data = data
	e.put(r)
	copy(data, "BBBB")
	e.want("alice", meta("alice", "1", "AAAA"))
	got, err := e.store.Load("alice")
	e.ok(err)
	copy(got[0].Data, "CCCC")
	e.want("alice", meta("alice", "1", "AAAA"))
}

func testConcurrent(t *testing.T, e *env) {
	const writers, rounds = 16, 20
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			id := persistence.AccountID(fmt.Sprintf("w%d", w))
			for n := range rounds {
				data := fmt.Sprint(n)
				err := e.commit([]persistence.Record{meta(id, "1", data), meta(id, "2", data)})
				if err != nil {
					t.Errorf("writer %d: %v", w, err)
					return
				}
				got, err := e.store.Load(id)
				if err != nil || len(got) != 2 || string(got[0].Data) != data || string(got[1].Data) != data {
					t.Errorf("writer %d reads %v, %v after writing %s", w, got, err, data)
					return
				}
			}
		})
	}
	wg.Wait()
}

func testRandom(t *testing.T, e *env) {
	rnd := rand.New(rand.NewPCG(1, 2))
	model := map[persistence.Key]persistence.Record{}
	ids := []persistence.AccountID{"a", "b", "a.b"}
	for step := range 300 {
		var put []persistence.Record
		var del []persistence.Key
		used := map[persistence.Key]bool{}
		for range rnd.IntN(5) {
			r := meta(ids[rnd.IntN(len(ids))], fmt.Sprint(rnd.IntN(6)), fmt.Sprint(step))
			if used[r.Key] {
				continue
			}
			used[r.Key] = true
			if rnd.IntN(3) == 0 {
				del = append(del, r.Key)
				delete(model, r.Key)
			} else {
				put = append(put, r)
				model[r.Key] = r
			}
		}
		e.ok(e.commit(put, del...))
		if step == 150 {
			e.reopen()
		}
	}
	for _, id := range ids {
		var want []persistence.Record
		for sub := range 6 {
			if r, ok := model[meta(id, fmt.Sprint(sub), "").Key]; ok {
				want = append(want, r)
			}
		}
		e.want(id, want...)
	}
}

package actors_test

import (
	"context"
	"errors"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mtfleet/mtfleet/actors"
	"github.com/mtfleet/mtfleet/persistence"
	"github.com/mtfleet/mtfleet/persistence/foreign"
	"github.com/mtfleet/mtfleet/persistence/storetest"
)

// balky is a way to the store on which some questions fail.
type balky struct {
	*storetest.Cut
	loads   atomic.Int32 // that fail yet
	untold  atomic.Bool  // commits are made, and said not to be
	renewal atomic.Bool  // renewals fail, but the last before the lease is over comes late
	renewed atomic.Int64 // the last, in nanoseconds since 1970
}

var errBalky = &persistence.UnreachableError{Err: errors.New("as planned")}

func (b *balky) Load(id persistence.AccountID) ([]persistence.Record, error) {
	if !id.Shared() && b.loads.Add(-1) >= 0 {
		return nil, errBalky
	}
	return b.Cut.Load(id)
}

func (b *balky) Commit(c persistence.Commit) error {
	if err := b.Cut.Commit(c); err != nil || !b.untold.Load() {
		return err
	}
	return errBalky
}

func (b *balky) Renew(ctx context.Context, o persistence.Owner) error {
	if b.renewal.Load() {
		if time.Since(time.Unix(0, b.renewed.Load())) < 10500*time.Millisecond { // of the lease's 12 s
			return errBalky
		}
		time.Sleep(2 * time.Second)
		b.renewal.Store(false)
	}
	b.renewed.Store(time.Now().UnixNano())
	return b.Cut.Renew(ctx, o)
}

func (k *several) balky(name string) (*on, *balky) {
	k.t.Helper()
	store := &balky{Cut: &storetest.Cut{Cluster: k.store.Node()}}
	o := k.options(name, store.Cut)
	o.Store = store
	return &on{open(k.t, o), name, store.Cut}, store
}

func TestAnAccountThatCannotBeReadIsReadWhenTheStoreAnswers(t *testing.T) {
	bubble(t, func(t *testing.T) {
		k := openSeveral(t, 3)
		a := k.node("a")
		k.fill(a)
		for _, acc := range a.Accounts() {
			if _, err := acc.Label(soon(t), map[string]string{"team": "red"}); err != nil {
				t.Fatal(err)
			}
		}
		b, store := k.balky("b")
		k.home(a, b)
		store.loads.Store(8)
		if err := a.Drain(soon(t)); err != nil {
			t.Fatal(err)
		}
		k.settle(b)
		if n := store.loads.Load(); n > 0 {
			t.Errorf("%d reads did not fail", n)
		}
		for _, acc := range b.Accounts() {
			if team, _ := acc.Labels().Get("team"); team != "red" {
				t.Errorf("%s lost its labels to a store that did not answer: %v", acc.ID(), acc.Labels())
			}
		}
		verdict(t, k.s, k.store.Node())
	})
}

// What a node could not write of an account is void when another has taken it: the
// node may be given it back much later.
func TestANodeForgetsWhatItOwedOfAnAccountThatWasTaken(t *testing.T) {
	bubble(t, func(t *testing.T) {
		k := openSeveral(t, 8)
		a, b := k.node("a"), k.node("b")
		k.fill(a)
		k.home(a, b)
		a.cut.Set(storetest.Unasked)
		for _, acc := range a.Accounts() {
			if err := acc.Pause(soon(t)); err == nil {
				t.Errorf("%s is paused, it says", acc.ID())
			}
		}
		time.Sleep(time.Minute)
		if has := len(b.Accounts()); has != k.bots {
			t.Fatalf("the other node has %d accounts", has)
		}
		a.cut.Set(storetest.Whole)
		k.home(a, b) // online
	})
}

// A renewal that is under way when the lease ends, and is granted, does not tell what
// is owned: nobody is given up for that.
func TestALateRenewalGivesNobodyUp(t *testing.T) {
	bubble(t, func(t *testing.T) {
		k := openSeveral(t, 3)
		a, store := k.balky("a")
		k.fill(a)
		before := a.Accounts()
		time.Sleep(6 * time.Second) // it was renewed once
		store.renewal.Store(true)
		silent := false
		for range 300 {
			time.Sleep(100 * time.Millisecond)
			for _, acc := range a.Accounts() {
				silent = silent || acc.Status().State != actors.Online
			}
		}
		k.settle(a)
		if after := a.Accounts(); !silent || !slices.Equal(before, after) {
			t.Errorf("silent %v, and the accounts are others: %v", silent, !slices.Equal(before, after))
		}
	})
}

func TestAnAccountThatANodeOwnsUnknowinglyIsNotAddedAgain(t *testing.T) {
	bubble(t, func(t *testing.T) {
		k := openSeveral(t, 1)
		a := k.node("a")
		nodes, err := a.Nodes(soon(t))
		if err != nil || len(nodes) != 1 {
			t.Fatal(nodes, err)
		}
		rec := persistence.Account{ID: "alice", Created: time.Now()}.Record()
		c := persistence.Commit{Owner: nodes[0].Owner(), Put: []persistence.Record{rec}, Absent: []persistence.Key{rec.Key}}
		if err := k.store.Node().Commit(c); err != nil {
			t.Fatal(err)
		}
		var exists *actors.ExistsError
		if _, err := a.Add(soon(t), "alice", actors.AccountOptions{}); !errors.As(err, &exists) {
			t.Errorf("it is added: %v", err)
		}
	})
}

// An account was removed, and its node was not told.
func TestAnAccountWithoutRecordsIsNone(t *testing.T) {
	bubble(t, func(t *testing.T) {
		k := openSeveral(t, 1)
		a, store := k.balky("a")
		k.fill(a)
		acc := a.Accounts()[0]
		if err := acc.LogOut(soon(t)); err != nil {
			t.Fatal(err)
		}
		store.untold.Store(true)
		if err := acc.Remove(soon(t), false); err == nil {
			t.Error("the removal is told")
		}
		store.untold.Store(false)
		time.Sleep(time.Minute)
		if n := len(a.Accounts()); n != 0 {
			t.Errorf("there is %v", a.Accounts()[0].Status())
		}
	})
}

// Who takes an account back while the store does not answer is not told that it is
// done, not even by the account itself: another node begins with what the store has.
func TestAnAccountIsTakenBackWhenTheStoreKnows(t *testing.T) {
	bubble(t, func(t *testing.T) {
		k := openSeveral(t, 4)
		cut := &storetest.Cut{Cluster: k.store.Node()}
		o := k.options("a", cut)
		o.AllowExport = true
		a, b := &on{open(t, o), "a", cut}, k.node("b")
		k.fill(a)
		k.home(a, b)
		acc := a.Accounts()[0]
		if _, err := acc.Export(soon(t), foreign.Telethon); err != nil {
			t.Fatal(err)
		}
		a.cut.Set(storetest.Unasked)
		for range 3 {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			if err := acc.TakeBack(ctx); err == nil {
				t.Error("it is taken back, the caller is told")
			}
			cancel()
			if st := acc.Status(); st.State != actors.Exported {
				t.Errorf("the store does not know, and it is %v (%s)", st.State, st.Why)
			}
			time.Sleep(10 * time.Second)
		}
		if err := func() error { _, err := b.Account(acc.ID()); return err }(); err != nil {
			t.Fatalf("the other node has not taken it: %v", err)
		}
		a.cut.Set(storetest.Whole)
		time.Sleep(time.Minute)
		for _, n := range []*on{a, b} {
			if acc, err := n.Account(acc.ID()); err == nil {
				if st := acc.Status(); st.State != actors.Exported {
					t.Fatalf("afterwards it is %v (%s)", st.State, st.Why)
				}
				if err := acc.TakeBack(soon(t)); err != nil {
					t.Fatal(err)
				}
			}
		}
		k.home(a, b)
	})
}

// A standby takes over that does not know of a hand-over: every node is told that it is
// none, and processes that start anew take each account once, with its keys.
func TestTheStoreForgetsWhoOwnsWhat(t *testing.T) {
	bubble(t, func(t *testing.T) {
		k := openSeveral(t, 6)
		a := k.node("a")
		k.fill(a)
		time.Sleep(5 * time.Second) // what is gathered is written
		before, standby := k.keys(), k.store.Standby()
		b := k.node("b")
		k.home(a, b)
		k.store.TakeOver(standby)
		begun := time.Now()
		for _, n := range []*on{a, b} {
			<-n.Lost()
			if took := time.Since(begun); took > 6*time.Second { // a third of the lease, and the way
				t.Errorf("%s is told after %v", n.name, took)
			}
			synctest.Wait() // its accounts hear of it after it does
			if err := n.Ready(); !errors.As(err, new(*persistence.StaleOwnerError)) {
				t.Errorf("%s is ready: %v", n.name, err)
			}
			for _, acc := range n.Accounts() {
				if st := acc.Status(); st.State == actors.Online || st.Advice == "" {
					t.Errorf("%s is %+v on %s", acc.ID(), st, n.name)
				}
			}
			if err := n.Close(soon(t)); err != nil {
				t.Error(err)
			}
		}
		c, d := k.node("a"), k.node("b")
		k.settle(c, d)
		if took := time.Since(begun); took < 15*time.Second {
			t.Errorf("accounts were taken %v after leases that may last", took)
		}
		k.same(before)
		verdict(t, k.s, k.store.Node())
	})
}

package actors_test

import (
	"context"
	"errors"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mtfleet/mtfleet/actors"
	"github.com/mtfleet/mtfleet/mtproto/dctest/api"
	"github.com/mtfleet/mtfleet/persistence"
)

// This file is about what happens while the records of an account are deleted:
// nothing of it may write them again.

// slowDisk takes a second to read an account, and to delete its record, while that
// is wanted.
type slowDisk struct {
	persistence.Store
	slow atomic.Bool
}

func (d *slowDisk) Load(id persistence.AccountID) ([]persistence.Record, error) {
	if id != persistence.FleetID && d.slow.Load() {
		time.Sleep(time.Second)
	}
	return d.Store.Load(id)
}

func (d *slowDisk) Commit(c persistence.Commit) error {
	if d.slow.Load() && slices.ContainsFunc(c.Delete, func(k persistence.Key) bool { return k.Kind == persistence.KindAccount }) {
		time.Sleep(time.Second)
	}
	return d.Store.Commit(c)
}

// nothingLeft checks that a removal left no record, then or in a while.
func nothingLeft(t *testing.T, store persistence.Store, removed <-chan error) {
	t.Helper()
	if err := ended(t, "the removal", removed, time.Minute); err != nil {
		t.Fatal(err)
	}
	time.Sleep(time.Minute)
	if ids, err := store.Accounts(); err != nil || len(ids) > 0 {
		t.Errorf("records of %v are left, %v", ids, err)
	}
}

func TestALabelWritesNoRecordOfARemovedAccount(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s, store := cluster(t, small), &slowDisk{Store: persistence.NewMemory()}
		m := open(t, options(s, store))
		a := add(t, m, "alice")
		store.slow.Store(true)
		removed := later(func() error { return a.Remove(context.Background(), false) })
		time.Sleep(500 * time.Millisecond)
		var state *actors.StateError
		if labels, err := a.Label(soon(t), map[string]string{"env": "prod"}); !errors.As(err, &state) {
			t.Errorf("it has the labels %v, %v", labels, err)
		}
		nothingLeft(t, store, removed)
	})
}

func TestWhoWroteLeavesNoRecordOfARemovedAccount(t *testing.T) {
	bubble(t, func(t *testing.T) {
		sc, store := newScene(t, 0), &slowDisk{Store: persistence.NewMemory()}
		m := open(t, options(sc.s, store))
		a := signInBot(t, m, "robot", sc.bot, actors.AccountOptions{})
		wait(t, a, actors.Online)
		time.Sleep(10 * time.Minute) // whom it has met is not in memory
		store.slow.Store(true)
		sc.say(t, -1, api.Delivery{})
		time.Sleep(500 * time.Millisecond)
		nothingLeft(t, store, later(func() error { return a.Remove(context.Background(), true) }))
	})
}

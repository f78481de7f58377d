package actors_test

import (
	"testing"
	"time"

	"github.com/mtfleet/mtfleet/persistence"
	"github.com/mtfleet/mtfleet/persistence/storetest"
)

func TestTheLastBackupIsKnownAfterARestart(t *testing.T) {
	bubble(t, func(t *testing.T) {
		store := persistence.NewMemory()
		o := options(cluster(t, small), store)
		m := open(t, o)
		if b, err := m.LastBackup(); err != nil || b != (persistence.LastBackup{}) {
			t.Errorf("before the first: %+v, %v", b, err)
		}
		made := persistence.LastBackup{At: time.Now(), Commit: 7, File: "/fleet.age", Bytes: 9}
		if err := m.BackupMade(made); err != nil {
			t.Fatal(err)
		}
		closeManager(t, m)
		o.Store = store.Reopen()
		m = open(t, o)
		if b, err := m.LastBackup(); err != nil || !b.At.Equal(made.At) || b.Commit != 7 || b.File != made.File || b.Bytes != 9 {
			t.Errorf("after a restart: %+v, %v", b, err)
		}
	})
}

func TestOfAStoreThatCannotBeShownNothingIsShown(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m := open(t, options(cluster(t, small), storetest.NewFailing(persistence.NewMemory(), nil)))
		err := m.Snapshot(t.Context(), func(persistence.Moment) error { return nil }, func(persistence.Record, error) error { return nil })
		if err == nil {
			t.Error("it was shown")
		}
		if s := m.Space(); s.Used != -1 || s.Room.Free != -1 || s.Refuses != nil {
			t.Errorf("%+v", s)
		}
	})
}

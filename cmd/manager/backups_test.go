package main

import (
	"testing"
	"time"

	"github.com/mtfleet/mtfleet/actors"
	"github.com/mtfleet/mtfleet/actors/actorstest"
	"github.com/mtfleet/mtfleet/cmd/manager/control"
	"github.com/mtfleet/mtfleet/config"
	"github.com/mtfleet/mtfleet/persistence"
)

// Which node makes the next backup, and what the others know of the last.
func TestTheNodeThatJoinedFirstMakesTheBackups(t *testing.T) {
	actorstest.Bubble(t, func(t *testing.T) {
		store := persistence.NewMemoryCluster(time.Now)
		dcs := actorstest.Cluster(t, actorstest.Small())
		open := func(name string) *control.Local {
			o := actorstest.Options(dcs, store.Node())
			if err := asNode(&o, config.Cluster{Node: name, Address: "192.0.2.8:9466", Capacity: 1, Lease: 15 * time.Second}); err != nil {
				t.Fatal(err)
			}
			m, err := actors.Open(o)
			if err != nil {
				t.Fatal(err)
			}
			return &control.Local{Manager: m, Cluster: o.Store.(persistence.Cluster)}
		}
		turns := func(l *control.Local) (time.Time, int) {
			t.Helper()
			last, before, err := backupTurn(t.Context(), l)
			if err != nil {
				t.Fatal(err)
			}
			return last, before
		}
		first, second, third := open("c"), open("a"), open("b")
		for i, l := range []*control.Local{first, second, third} {
			if last, before := turns(l); !last.IsZero() || before != i {
				t.Errorf("%d: %d are before it, the last was made at %v", i, before, last)
			}
		}
		made := persistence.LastBackup{At: time.Now().Add(-time.Minute), Commit: 7, File: "/fleet.age", Node: "c"}
		if err := first.Manager.BackupMade(made); err != nil {
			t.Fatal(err)
		}
		if last, _ := turns(second); !last.IsZero() {
			t.Error("one by hand puts off the schedule")
		}
		if err := first.Manager.ScheduledBackupMade(made); err != nil {
			t.Fatal(err)
		}
		if last, before := turns(third); !last.Equal(made.At) || before != 2 {
			t.Errorf("the last was made at %v, %d are before", last, before)
		}
		if err := first.Manager.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		if _, before := turns(third); before != 1 {
			t.Errorf("when the first is gone %d are before", before)
		}
		for _, l := range []*control.Local{second, third} {
			if err := l.Manager.Close(t.Context()); err != nil {
				t.Error(err)
			}
		}
	})
}

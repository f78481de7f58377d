package storetest_test

import (
	"sync/atomic"
	"testing"
	"time"

	"github.com/mtfleet/mtfleet/persistence"
	"github.com/mtfleet/mtfleet/persistence/storetest"
)

func TestMemoryCluster(t *testing.T) {
	storetest.RunCluster(t, func(*testing.T) storetest.Database {
		db, _ := memory()
		return db
	})
}

func memory() (storetest.Database, *persistence.MemoryCluster) {
	var passed atomic.Int64
	begun := time.Unix(1_800_000_000, 0)
	first := persistence.NewMemoryCluster(func() time.Time { return begun.Add(time.Duration(passed.Load())) })
	return storetest.Database{
		Open: func() (persistence.Cluster, error) { return first.Node(), nil },
		Pass: func(d time.Duration) { passed.Add(int64(d)) },
	}, first
}

func TestMemoryClusterFailsOver(t *testing.T) {
	storetest.RunFailover(t, func(*testing.T) storetest.Servers {
		db, first := memory()
		var copied *persistence.Standby
		return storetest.Servers{
			Database: db,
			Copy:     func() { copied = first.Standby() },
			TakeOver: func(restored bool) {
				if restored {
					first.Restore(copied)
				} else {
					first.TakeOver(copied)
				}
			},
		}
	})
}

func TestMemoryClusterIsAStore(t *testing.T) {
	storetest.Run(t, func(*testing.T) storetest.Open {
		first := persistence.NewMemoryCluster(time.Now)
		return func() (persistence.Store, error) { return first.Node(), nil }
	})
}

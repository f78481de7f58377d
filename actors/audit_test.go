package actors_test

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/mtfleet/mtfleet/actors"
	"github.com/mtfleet/mtfleet/persistence"
	"github.com/mtfleet/mtfleet/persistence/storetest"
)

func audit(t *testing.T, m *actors.Manager, account string) {
	t.Helper()
	if err := m.Audit(t.Context(), actors.AuditEntry{Who: "uid 0", What: "AccountService/Pause", Account: account, Outcome: "ok"}); err != nil {
		t.Fatal(err)
	}
}

// logged is the log, which must be whole.
func logged(t *testing.T, m *actors.Manager) []persistence.AuditEntry {
	t.Helper()
	all, err := m.AuditLog()
	if err == nil {
		err = persistence.CheckAudit(all)
	}
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func TestTheAuditLogGoesOnAfterARestart(t *testing.T) {
	bubble(t, func(t *testing.T) {
		store := persistence.NewMemory()
		o := options(cluster(t, small), store)
		m := open(t, o)
		for i := range persistence.AuditPageSize {
			audit(t, m, fmt.Sprint("a", i))
		}
		closeManager(t, m)
		store = store.Reopen()
		o.Store = store
		m = open(t, o) // where a page is full
		audit(t, m, "b")
		closeManager(t, m)
		o.Store = store.Reopen()
		m = open(t, o) // where one has begun
		audit(t, m, "c")
		all := logged(t, m)
		if n := len(all); n != persistence.AuditPageSize+2 || all[n-1].Account != "c" || all[n-1].Seq != uint64(n) || all[0].At.IsZero() {
			t.Errorf("%d entries, the last %+v", n, all[n-1])
		}
		if got := m.Accounts(); len(got) != 0 {
			t.Errorf("the log is an account: %v", got)
		}
	})
}

// Who writes at once is written together, in one chain.
func TestTheAuditLogOfManyAtOnce(t *testing.T) {
	bubble(t, func(t *testing.T) {
		store := storetest.NewFailing(persistence.NewMemory(), nil)
		m := open(t, options(cluster(t, small), store))
		commits := 0
		free := make(chan struct{})
		store.SetFail(func(int, persistence.Commit) error {
			if commits++; commits == 1 {
				<-free
			}
			return nil
		})
		var all sync.WaitGroup
		for i := range 200 {
			all.Go(func() { audit(t, m, fmt.Sprint("a", i)) })
		}
		synctest.Wait() // the first writes, and all others wait for it
		close(free)
		all.Wait()
		if got := logged(t, m); len(got) != 200 {
			t.Errorf("%d entries", len(got))
		}
		if commits > 10 {
			t.Errorf("%d commits for 200 at once", commits)
		}
	})
}

// An entry that the store refuses is told to have failed; the log goes on behind what is there.
func TestTheAuditLogAfterARefusal(t *testing.T) {
	bubble(t, func(t *testing.T) {
		store := storetest.NewFailing(persistence.NewMemory(), nil)
		m := open(t, options(cluster(t, small), store))
		audit(t, m, "a")
		store.SetFail(fullDisk)
		if err := m.Audit(t.Context(), actors.AuditEntry{Account: "b"}); err == nil {
			t.Error("it is written on a full disk")
		}
		store.SetFail(nil)
		audit(t, m, "c")
		if all := logged(t, m); len(all) != 2 || all[1].Account != "c" || all[1].Seq != 2 {
			t.Errorf("%+v", all)
		}
		closeManager(t, m)
		if err := m.Audit(t.Context(), actors.AuditEntry{Account: "d"}); err != nil && !errors.Is(err, persistence.ErrClosed) {
			t.Error(err)
		}
	})
}

// The oldest pages go, and what is left is still a chain.
func TestTheAuditLogIsBounded(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m := open(t, options(cluster(t, small), persistence.NewMemory()))
		const most = persistence.AuditPages * persistence.AuditPageSize
		for range most + 10 {
			audit(t, m, "a")
		}
		all := logged(t, m)
		if n := len(all); n > most || n < most-persistence.AuditPageSize || all[n-1].Seq != most+10 || all[0].Seq != persistence.AuditPageSize+1 {
			t.Errorf("%d entries, from %d to %d", n, all[0].Seq, all[n-1].Seq)
		}
	})
}

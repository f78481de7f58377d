package storetest_test

import (
	"errors"
	"testing"

	"github.com/mtfleet/mtfleet/persistence"
	"github.com/mtfleet/mtfleet/persistence/storetest"
)

func TestMemoryConforms(t *testing.T) {
	storetest.Run(t, func(*testing.T) storetest.Open {
		m := persistence.NewMemory()
		return func() (persistence.Store, error) {
			m = m.Reopen()
			return m, nil
		}
	})
}

func TestCrashingConformsWhileItLives(t *testing.T) {
	storetest.Run(t, func(*testing.T) storetest.Open {
		c := storetest.NewCrashing()
		return func() (persistence.Store, error) {
			c = c.Restart()
			return c, nil
		}
	})
}

func claim(t *testing.T, s persistence.Store) persistence.Owner {
	t.Helper()
	owner, err := s.Claim("node")
	if err != nil {
		t.Fatal(err)
	}
	return owner
}

func put(owner persistence.Owner, pts int32) persistence.Commit {
	return persistence.Commit{Owner: owner, Put: []persistence.Record{persistence.Updates{Pts: pts}.Record("alice")}}
}

func wantPts(t *testing.T, s persistence.Store, want int32) {
	t.Helper()
	records, err := s.Load("alice")
	if err != nil {
		t.Fatal(err)
	}
	state, err := persistence.DecodeState(records)
	if err != nil || state.Updates == nil || state.Updates.Pts != want {
		t.Fatalf("pts is %+v, %v, want %d", state.Updates, err, want)
	}
}

func TestFailingFailsAtTheCommitItWasTold(t *testing.T) {
	s := storetest.NewFailing(persistence.NewMemory(), storetest.FailNth(2))
	owner := claim(t, s)
	for i, want := range []error{nil, storetest.ErrInjected, nil} {
		if err := s.Commit(put(owner, int32(i+1))); !errors.Is(err, want) {
			t.Errorf("commit %d: %v, want %v", i+1, err, want)
		}
	}
	wantPts(t, s, 3)
	s.SetFail(storetest.FailFrom(4))
	for range 2 {
		if err := s.Commit(put(owner, 9)); err != storetest.ErrInjected {
			t.Errorf("a broken disk accepted a commit: %v", err)
		}
	}
	s.SetFail(nil)
	if err := s.Commit(put(owner, 10)); err != nil || s.Commits() != 6 {
		t.Errorf("healed: %v after %d commits", err, s.Commits())
	}
	wantPts(t, s, 10)
}

func TestCrashingKeepsWhatWasDurable(t *testing.T) {
	for _, durable := range []bool{false, true} {
		s := storetest.NewCrashing()
		owner := claim(t, s)
		s.CrashAt(2, durable)
		if err := s.Commit(put(owner, 1)); err != nil {
			t.Fatal(err)
		}
		if err := s.Commit(put(owner, 2)); err != storetest.ErrCrashed || !s.Crashed() {
			t.Fatalf("at the crash: %v", err)
		}
		if err := s.Commit(put(owner, 3)); err != storetest.ErrCrashed {
			t.Fatalf("after the crash: %v", err)
		}
		next := s.Restart()
		if durable {
			wantPts(t, next, 2)
		} else {
			wantPts(t, next, 1)
		}
		if got := claim(t, next); got.Epoch != owner.Epoch+1 {
			t.Errorf("the next claim is %v", got)
		}
	}
	s := storetest.NewCrashing()
	s.Crash()
	if _, err := s.Load("alice"); err != storetest.ErrCrashed {
		t.Error(err)
	}
	if _, err := s.Accounts(); err != storetest.ErrCrashed {
		t.Error(err)
	}
	if _, err := s.Claim("node"); err != storetest.ErrCrashed {
		t.Error(err)
	}
}

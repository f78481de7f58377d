//go:build unix

package pgstore

import (
	"errors"
	"testing"
	"time"

	"github.com/mtfleet/mtfleet/persistence"
)

func fill(t *testing.T, s *Store, owner persistence.Owner, records ...persistence.Record) {
	t.Helper()
	if err := s.Commit(persistence.Commit{Owner: owner, Put: records}); err != nil {
		t.Fatal(err)
	}
}

// wantRefused wants that nobody can have the store.
func wantRefused(t *testing.T, s *Store, partial bool) {
	t.Helper()
	var claimed, joined *persistence.MovedError
	_, err := s.Claim("a")
	_, joinErr := s.Join(t.Context(), info("a", time.Minute, time.Second))
	if !errors.As(err, &claimed) || !errors.As(joinErr, &joined) || claimed.Move.Partial != partial || claimed.Place != s.Place() {
		t.Fatalf("claimed: %v; joined: %v", err, joinErr)
	}
}

func testMove(t *testing.T, p place) {
	s := p.open(t)
	owner, err := s.Claim("a")
	if err != nil {
		t.Fatal(err)
	}
	fill(t, s, owner, meta("alice", "a", "1"))
	move := persistence.Move{Other: "/data", At: time.Now().UTC().Truncate(time.Second)}

	// Whoever has started since keeps it from being moved.
	node, err := s.Join(t.Context(), info("n", time.Minute, time.Second))
	if err != nil {
		t.Fatal(err)
	}
	if err := s.SetMove(t.Context(), owner, &move); !errors.As(err, new(*persistence.StaleOwnerError)) {
		t.Fatalf("moved with a node: %v", err)
	}
	if _, err := s.ClaimMoved(t.Context(), "c", "/data"); !errors.As(err, new(*persistence.NodesRunError)) {
		t.Fatalf("claimed with a node: %v", err)
	}
	if err := s.Leave(t.Context(), node); err != nil {
		t.Fatal(err)
	}
	if owner, err = s.ClaimMoved(t.Context(), "c", "/data"); err != nil {
		t.Fatal(err)
	}
	if err := s.SetMove(t.Context(), owner, &move); err != nil {
		t.Fatal(err)
	}
	wantRefused(t, s, false)
	if m, err := s.Moved(t.Context()); err != nil || m == nil || m.Other != move.Other || !m.At.Equal(move.At) || m.Partial {
		t.Errorf("it says %+v, %v", m, err)
	}
	if _, err := s.ClaimMoved(t.Context(), "c", "/other"); !errors.As(err, new(*persistence.MovedError)) {
		t.Errorf("it goes elsewhere too: %v", err)
	}
	if _, err := s.ClaimMoved(t.Context(), "c", "/data"); err != nil {
		t.Errorf("the same copy does not go on: %v", err)
	}
	if _, err := s.BeginCopy(t.Context(), "c", persistence.Move{Partial: true, Store: "x", At: time.Now()}, 0); !errors.As(err, new(*persistence.MovedError)) {
		t.Errorf("a copy was made over it: %v", err)
	}
	for _, want := range []bool{true, false} {
		if moved, err := s.Adopt(t.Context()); err != nil || moved != want {
			t.Errorf("adopted %v, %v", moved, err)
		}
	}
	if _, err := s.Claim("a"); err != nil {
		t.Error(err)
	}
}

func testCopy(t *testing.T, p place) {
	s := p.open(t)
	begun := persistence.Move{Partial: true, Other: "/data", Store: "x", At: time.Now()}
	begin := func() persistence.Owner {
		t.Helper()
		owner, err := s.BeginCopy(t.Context(), "c", begun, 40)
		if err != nil || owner.Epoch <= 40 {
			t.Fatalf("%v, %v", owner, err)
		}
		return owner
	}
	fill(t, s, begin(), meta("alice", "a", "1"), meta(persistence.FleetID, "f", "1"))
	wantRefused(t, s, true)
	if _, err := s.Adopt(t.Context()); !errors.As(err, new(*persistence.MovedError)) {
		t.Errorf("half a copy was adopted: %v", err)
	}
	other := begun
	other.Store = "y"
	if _, err := s.BeginCopy(t.Context(), "c", other, 0); !errors.As(err, new(*persistence.MovedError)) {
		t.Errorf("a copy of another store was made over it: %v", err)
	}
	owner := begin() // anew
	if ids, err := s.Accounts(); err != nil || len(ids) != 0 {
		t.Errorf("left of the first is %v, %v", ids, err)
	}
	if records, err := s.Load(persistence.FleetID); err != nil || len(records) != 0 {
		t.Errorf("left of the first is %v, %v", records, err)
	}
	fill(t, s, owner, meta("bob", "a", "1"))
	if err := s.SetMove(t.Context(), owner, nil); err != nil {
		t.Fatal(err)
	}
	node, err := s.Join(t.Context(), info("n", time.Minute, time.Second))
	if err != nil {
		t.Fatal(err)
	}
	if taken, err := s.Take(t.Context(), node, []persistence.AccountID{"bob"}); err != nil || len(taken) != 1 {
		t.Errorf("taken was %v, %v", taken, err)
	}
	if _, err := s.BeginCopy(t.Context(), "c", begun, 0); !errors.As(err, new(*persistence.NotEmptyError)) {
		t.Errorf("a copy was made over a fleet: %v", err)
	}
}

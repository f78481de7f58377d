package badgerstore

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"github.com/dgraph-io/badger/v4"

	"github.com/mtfleet/mtfleet/persistence"
)

// pairs reads a snapshot of what crashPair put, and says for each writer which of
// its commits is in it. It calls during after the first record.
func pairs(t *testing.T, s *Store, during func()) (persistence.Moment, map[persistence.AccountID]int) {
	t.Helper()
	var m persistence.Moment
	found, order := map[persistence.AccountID]int{}, []string{}
	err := s.Snapshot(t.Context(), func(at persistence.Moment) error { m = at; return nil }, func(rec persistence.Record, bad error) error {
		if len(order) == 0 && during != nil {
			during()
		}
		order = append(order, string(recordName(rec.Key)))
		state, err := persistence.DecodeState([]persistence.Record{rec})
		if err = errors.Join(bad, err); err != nil {
			return err
		}
		n := 0
		switch {
		case state.Updates != nil:
			n = int(state.Updates.Pts)
		case len(state.Sessions) == 1:
			n = int(state.Sessions[0].KeyID)
		}
		if before, twice := found[rec.Account]; twice && before != n {
			t.Errorf("%s: half a commit: %d and %d", rec.Account, before, n)
		}
		found[rec.Account] = n
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if !slices.IsSorted(order) || len(order) != m.Holds.Records {
		t.Errorf("%d records, sorted %v, and the store said %v", len(order), slices.IsSorted(order), m.Holds)
	}
	return m, found
}

func TestASnapshotIsOneCommitWhileOthersAreMade(t *testing.T) {
	const writers = 8
	s := mustOpen(t, t.TempDir())
	owner := claim(t, s)
	commit := func(w, n int) {
		if err := s.Commit(persistence.Commit{Owner: owner, Put: crashPair(w, n)}); err != nil {
			t.Error(err)
		}
	}
	for w := range writers {
		commit(w, 1)
	}
	// What is committed in the midst of a snapshot is not in it.
	m, found := pairs(t, s, func() {
		for w := range writers {
			commit(w, 2)
		}
	})
	for w := range writers {
		if n := found[persistence.AccountID(fmt.Sprintf("w%d", w))]; n != 1 {
			t.Errorf("writer %d: commit %d is in a snapshot that was begun before it", w, n)
		}
	}
	// Under load each is whole, of a later commit than the one before, and has all
	// that was answered before it began.
	var wg sync.WaitGroup
	var mu sync.Mutex
	acked, stop := map[int]int{}, make(chan struct{})
	for w := range writers {
		wg.Go(func() {
			for n := 3; ; n++ {
				select {
				case <-stop:
					return
				default:
				}
				commit(w, n)
				mu.Lock()
				acked[w] = n
				mu.Unlock()
			}
		})
	}
	for range 20 {
		mu.Lock()
		before := fmt.Sprint(acked)
		floor := map[int]int{}
		for w, n := range acked {
			floor[w] = n
		}
		mu.Unlock()
		next, found := pairs(t, s, nil)
		for w, n := range floor {
			if got := found[persistence.AccountID(fmt.Sprintf("w%d", w))]; got < n {
				t.Errorf("writer %d: commit %d was answered (%s), and the snapshot has %d", w, n, before, got)
			}
		}
		if next.Commit < m.Commit {
			t.Errorf("a snapshot of commit %d after one of %d", next.Commit, m.Commit)
		}
		m = next
	}
	close(stop)
	wg.Wait()
}

func TestASnapshotNamesWhatItCannotRead(t *testing.T) {
	s := mustOpen(t, t.TempDir())
	owner := claim(t, s)
	bad, good := persistence.PermKey{DC: 2}.Record("alice"), persistence.PermKey{DC: 4}.Record("alice")
	put(t, s, owner, bad, good)
	raw(t, s, recordName(bad.Key), func(b []byte) []byte { b[len(b)-20] ^= 1; return b })
	var said []string
	err := s.Snapshot(t.Context(), func(persistence.Moment) error { return nil }, func(r persistence.Record, err error) error {
		said = append(said, fmt.Sprint(r.Key, " ", err))
		return nil
	})
	want := []string{
		`account "alice", perm key "2" ` + (&persistence.CorruptError{Key: bad.Key, Why: "its seal does not open"}).Error(),
		`account "alice", perm key "4" <nil>`,
	}
	if err != nil || !slices.Equal(said, want) {
		t.Errorf("%v\ngot  %q\nwant %q", err, said, want)
	}
}

func TestASnapshotFindsWhatTheOpenStoreLost(t *testing.T) {
	s := mustOpen(t, t.TempDir())
	put(t, s, claim(t, s), signedIn("alice")...)
	lost := recordName(persistence.AccountKey("alice"))
	if err := s.db.Update(func(txn *badger.Txn) error { return txn.Delete(lost) }); err != nil {
		t.Fatal(err)
	}
	err := s.Snapshot(t.Context(), func(persistence.Moment) error { return nil }, func(persistence.Record, error) error { return nil })
	if !errors.Is(err, errLost) {
		t.Errorf("a record is gone, and the snapshot says %v", err)
	}
}

func TestWhatEndsASnapshot(t *testing.T) {
	dir := t.TempDir()
	s := mustOpen(t, dir)
	owner := claim(t, s)
	for _, id := range []persistence.AccountID{"a1", "a2", "a3"} {
		put(t, s, owner, signedIn(id)...)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	sorry := errors.New("sorry")
	nothing := func(persistence.Moment) error { return nil }
	for _, c := range []struct {
		name  string
		ctx   context.Context
		begin func(persistence.Moment) error
		each  func(persistence.Record, error) error
		want  error
	}{
		{"an error at the beginning", t.Context(), func(persistence.Moment) error { return sorry }, nil, sorry},
		{"an error at a record", t.Context(), nothing, func(persistence.Record, error) error { return sorry }, sorry},
		{"the end of its caller's ctx", ctx, nothing, func(persistence.Record, error) error { cancel(); return nil }, context.Canceled},
		{"a store that is being closed", t.Context(), nothing, func(persistence.Record, error) error { s.endReads(); return nil }, persistence.ErrClosed},
	} {
		n := 0
		err := s.Snapshot(c.ctx, c.begin, func(r persistence.Record, err error) error { n++; return c.each(r, err) })
		if !errors.Is(err, c.want) || n > 1 {
			t.Errorf("%s: after %d records %v, want %v", c.name, n, err, c.want)
		}
	}
}

func TestAStoreKnowsWhatItTakesOfTheDisk(t *testing.T) {
	dir := t.TempDir()
	s, err := Open(Options{Dir: dir, Key: testKey})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if n, err := s.DiskUse(); err != nil || n <= 0 {
		t.Errorf("%d bytes, %v", n, err)
	}
	gone := &Store{space: &space{dir: filepath.Join(dir, "gone")}}
	if _, err := gone.DiskUse(); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a directory that is not there: %v", err)
	}
}

package badgerstore

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/mtfleet/mtfleet/persistence"
)

var moveDay = time.Date(2026, 11, 27, 12, 0, 0, 0, time.UTC)

// moved returns the files of a store that says that it was moved.
func moved(t *testing.T) string {
	t.Helper()
	dir := closed(t, 2)
	s, err := Open(Options{Dir: dir, Key: testKey})
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(s.MarkMoved("a database", moveDay), s.Close()); err != nil {
		t.Fatal(err)
	}
	return dir
}

func wantMoved(t *testing.T, dir string) {
	t.Helper()
	_, err := Open(Options{Dir: dir, Key: testKey})
	const end = " was moved to a database at 2026-11-27T12:00:00Z: two managers with the same keys lose their accounts, so nothing was started; if that one is gone for good, run `manager store adopt`"
	if me := (*persistence.MovedError)(nil); !errors.As(err, &me) || err.Error() != "persistence: the store in "+dir+end {
		t.Fatalf("a store that was moved: %v", err)
	}
}

func TestAStoreThatWasMovedIsNotOpenedBeforeItIsAdopted(t *testing.T) {
	dir := moved(t)
	before := files(t, dir)
	wantMoved(t, dir)
	for name, b := range files(t, dir) {
		if before[name] != b {
			t.Errorf("%s was changed", name)
		}
	}
	if r, err := Check(CheckOptions{Dir: dir, Key: testKey}); err != nil || !r.Copied || r.Holds.Accounts != 2 {
		t.Errorf("a check says %+v, %v", r, err)
	}
	if p, err := Peek(PeekOptions{Dir: dir, Key: testKey}); err != nil || !errors.As(p.Refusal, new(*persistence.MovedError)) || len(p.Accounts) != 2 {
		t.Errorf("a peek says %+v, %v", p, err)
	}
	s, err := Open(Options{Dir: dir, Key: testKey, Moved: true})
	if err != nil {
		t.Fatal(err)
	}
	if m := s.Moved(); m == nil || m.Other != "a database" || !m.At.Equal(moveDay) || s.Adopted() {
		t.Errorf("it says %+v", m)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	wantMoved(t, dir)
	adopted, _ := logOf(t, Options{Dir: dir, Adopt: true})
	if !adopted.Adopted() || adopted.Moved() != nil {
		t.Error("it was not adopted")
	}
	if err := adopted.Close(); err != nil {
		t.Fatal(err)
	}
	if s := mustOpen(t, dir); s.Adopted() || s.Moved() != nil {
		t.Error("the next start knows of a move")
	}
}

func TestAMarkThatCannotBeReadStillCounts(t *testing.T) {
	dir := moved(t)
	if err := os.WriteFile(filepath.Join(dir, moveFileName), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	var me *persistence.MovedError
	if _, err := Open(Options{Dir: dir, Key: testKey}); !errors.As(err, &me) || !strings.Contains(me.Move.Other, "MOVED") {
		t.Errorf("got %v", err)
	}
}

func TestASalvagedStoreStaysMoved(t *testing.T) {
	dir := moved(t)
	remove(t, filepath.Join(dir, "MANIFEST"))
	mustSalvage(t, dir)
	wantMoved(t, dir)
}

func TestAStoreOfAnotherOneThatWasStoppedNeedNoAdoption(t *testing.T) {
	records := func(put func(persistence.Record) error) error {
		for _, rec := range signedIn("alice") {
			if err := put(rec); err != nil {
				return err
			}
		}
		return nil
	}
	dir := filepath.Join(t.TempDir(), "badger")
	stop := errors.New("somebody started there")
	o := RestoreOptions{Dir: dir, Key: testKey, Epoch: 7, Records: records, Whole: func(*Store) error { return stop }}
	if _, err := Restore(o); !errors.Is(err, stop) {
		t.Fatalf("got %v", err)
	}
	if list, err := os.ReadDir(filepath.Dir(dir)); err != nil || len(list) != 0 {
		t.Errorf("left are %v, %v", list, err)
	}
	o.Whole = func(s *Store) error {
		if _, err := os.Lstat(dir); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("it has its name already: %v", err)
		}
		ids, err := s.Accounts()
		if len(ids) != 1 {
			t.Errorf("it has %v", ids)
		}
		return err
	}
	if _, err := Restore(o); err != nil {
		t.Fatal(err)
	}
	s := mustOpen(t, dir)
	if owner := claim(t, s); s.Adopted() || owner.Epoch <= 7 {
		t.Errorf("adopted %v, %v", s.Adopted(), owner)
	}
	// A copy of it is one, from the first moment.
	to := filepath.Join(t.TempDir(), "copy")
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if p, err := placeOf(dir); err != nil || p.known == 0 {
		t.Skipf("nothing is known of directories here: %v", err)
	}
	copyStore(t, dir, to)
	if _, err := Open(Options{Dir: to, Key: testKey}); !errors.As(err, new(*persistence.CopiedError)) {
		t.Errorf("a copy of it: %v", err)
	}
}

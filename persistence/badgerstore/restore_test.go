package badgerstore

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/mtfleet/mtfleet/persistence"
	"github.com/mtfleet/mtfleet/persistence/seal"
)

var restoredAt = time.Date(2026, 11, 27, 7, 0, 0, 0, time.UTC)

func restoreOf(dir string, records ...persistence.Record) RestoreOptions {
	return RestoreOptions{Dir: dir, Key: seal.MasterKey{7}, Now: restoredAt, Records: func(put func(persistence.Record) error) error {
		for _, r := range records {
			if err := put(r); err != nil {
				return err
			}
		}
		return nil
	}}
}

func TestARestoredStoreIsWholeAndOpensWhenAdopted(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "badger")
	records := append(signedIn("alice"), signedIn("bob")...)
	for i := range 30 { // more than a commit may hold
		records = append(records, note("carol", fmt.Sprint(i), 200<<10))
	}
	got, err := Restore(restoreOf(dir, records...))
	if want := (persistence.Tally{Accounts: 2, PermKeys: 2, Records: len(records)}); err != nil || got != want {
		t.Fatalf("restored %v, %v; want %v", got, err, want)
	}
	for range 2 {
		if _, err := Open(Options{Dir: dir, Key: seal.MasterKey{7}}); !errors.As(err, new(*persistence.CopiedError)) {
			t.Fatalf("before it is adopted: %v", err)
		}
	}
	s, err := Open(Options{Dir: dir, Key: seal.MasterKey{7}, Adopt: true})
	if err != nil || !s.Adopted() {
		t.Fatal(err)
	}
	if owner := claim(t, s); owner.Epoch <= uint64(restoredAt.Unix()) {
		t.Errorf("the first owner is %v", owner)
	}
	for _, id := range []persistence.AccountID{"alice", "bob", "carol"} {
		loaded, err := s.Load(id)
		if err != nil {
			t.Fatal(err)
		}
		for _, l := range loaded {
			found := false
			for _, r := range records {
				found = found || r.Key == l.Key && r.Version == l.Version && bytes.Equal(r.Data, l.Data)
			}
			if !found {
				t.Errorf("%v is not what it was", l)
			}
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if s, err = Open(Options{Dir: dir, Key: seal.MasterKey{7}}); err != nil || s.Adopted() {
		t.Fatalf("the start after that: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestARestoredStoreIsNoPlacesOwnWhereNothingIsKnownOfDirectories(t *testing.T) {
	for name, here := range map[string]place{
		"nothing is known":                 {},
		"an overlay without a birth time":  {known: placeInode, inode: 5, fstype: overlayFSType},
		"an inode alone":                   {known: placeInode, inode: 5},
		"a directory like nowhere's zeros": {known: placeInode | placeBirth},
	} {
		if nowhere.same(here) || here.same(nowhere) {
			t.Errorf("%s: a restored store would start", name)
		}
	}
	if readPlace(nowhere.append(nil)) != nowhere {
		t.Error("it does not come back")
	}
}

func TestEpochsOfARestoredStoreAreAboveThoseOfTheOneBefore(t *testing.T) {
	for name, c := range map[string]struct {
		epoch uint64
		now   time.Time
		above uint64
	}{
		"a clock that is right":             {12, restoredAt, uint64(restoredAt.Unix())},
		"a store that was restored before":  {uint64(restoredAt.Unix()) + 5, restoredAt, uint64(restoredAt.Unix()) + 5},
		"a clock that stands before 1970":   {12, time.Unix(-100, 0), 12},
		"a clock that lost its battery now": {uint64(restoredAt.Unix()), time.Unix(100, 0), uint64(restoredAt.Unix())},
	} {
		o := restoreOf(filepath.Join(t.TempDir(), "badger"), signedIn("alice")...)
		o.Epoch, o.Now = c.epoch, c.now
		if _, err := Restore(o); err != nil {
			t.Fatal(err)
		}
		s, err := Open(Options{Dir: o.Dir, Key: o.Key, Adopt: true})
		if err != nil {
			t.Fatal(err)
		}
		if owner := claim(t, s); owner.Epoch <= c.above {
			t.Errorf("%s: %v is not above %d", name, owner, c.above)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestWhatStandsInTheWayOfARestore(t *testing.T) {
	t.Run("a store that is there", func(t *testing.T) {
		dir := closed(t, 1)
		before := files(t, dir)
		_, err := Restore(restoreOf(dir, signedIn("alice")...))
		if !errors.As(err, new(*persistence.ExistsError)) {
			t.Errorf("got %v", err)
		}
		for name, b := range files(t, dir) {
			if before[name] != b {
				t.Errorf("%s was changed", name)
			}
		}
	})
	t.Run("records that end with an error leave nothing", func(t *testing.T) {
		parent := t.TempDir()
		o := restoreOf(filepath.Join(parent, "badger"))
		sorry := errors.New("cut")
		o.Records = func(put func(persistence.Record) error) error {
			return errors.Join(put(signedIn("alice")[0]), sorry)
		}
		if _, err := Restore(o); !errors.Is(err, sorry) {
			t.Errorf("got %v", err)
		}
		if list, _ := os.ReadDir(parent); len(list) != 0 {
			t.Errorf("%v is left", list)
		}
	})
	t.Run("what a killed restore left is cleared away", func(t *testing.T) {
		dir := filepath.Join(t.TempDir(), "badger")
		if err := os.CopyFS(restoring(dir), without{os.DirFS(closed(t, 3))}); err != nil {
			t.Fatal(err)
		}
		got, err := Restore(restoreOf(dir, signedIn("alice")...))
		if err != nil || got.Accounts != 1 {
			t.Errorf("%v, %v", got, err)
		}
	})
	t.Run("another restore that is under way", func(t *testing.T) {
		dir := filepath.Join(t.TempDir(), "badger")
		mustOpen(t, restoring(dir))
		if _, err := Restore(restoreOf(dir, signedIn("alice")...)); !errors.As(err, new(*persistence.LockedError)) {
			t.Errorf("got %v", err)
		}
	})
}

func TestCheckOpensEveryRecordAndChangesNothing(t *testing.T) {
	key := persistence.PermKeyKey("alice", 2)
	for _, c := range []struct {
		name    string
		harm    func(t *testing.T, dir string)
		damage  string
		broken  []string
		copied  bool
		badCopy bool
	}{
		{name: "a whole store"},
		{name: "a copy of one", copied: true, harm: func(*testing.T, string) {}},
		{name: "a record that does not open", broken: []string{`account "alice", perm key "2"`}, harm: func(t *testing.T, dir string) {
			s := mustOpen(t, dir)
			raw(t, s, recordName(key), func(b []byte) []byte { b[len(b)-1] ^= 1; return b })
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
		}},
		{name: "a record that cannot be decoded", broken: []string{`account "alice", updates`}, harm: func(t *testing.T, dir string) {
			s := mustOpen(t, dir)
			put(t, s, claim(t, s), persistence.Record{Key: persistence.UpdatesKey("alice"), Version: 1, Data: []byte{0xff}})
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
		}},
		{name: "a store that lost its tables", damage: "is missing", harm: func(t *testing.T, dir string) {
			tables, err := filepath.Glob(filepath.Join(dir, "*.sst"))
			if err != nil || len(tables) == 0 {
				t.Fatal(tables, err)
			}
			for _, path := range tables {
				remove(t, path)
			}
		}},
		{name: "a sealed copy that is cut", badCopy: true, harm: func(t *testing.T, dir string) {
			path := filepath.Join(dir, copyFileName)
			b, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			b[len(copyMagic)+20] ^= 1
			if err := os.WriteFile(path, b, 0o600); err != nil {
				t.Fatal(err)
			}
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			s := mustOpen(t, dir)
			put(t, s, claim(t, s), append(signedIn("alice"), signedIn("bob")...)...)
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			if c.copied {
				to := filepath.Join(t.TempDir(), "copy")
				copyStore(t, dir, to)
				dir = to
			}
			if c.harm != nil {
				c.harm(t, dir)
			}
			before := files(t, dir)
			r, err := Check(CheckOptions{Dir: dir, Key: testKey})
			if err != nil {
				t.Fatal(err)
			}
			if (r.Damage != nil) != (c.damage != "") || r.Damage != nil && !strings.Contains(r.Damage.Error(), c.damage) {
				t.Errorf("the damage is %v", r.Damage)
			}
			if len(r.Broken) != len(c.broken) {
				t.Fatalf("broken are %v", r.Broken)
			}
			for i, want := range c.broken {
				if !strings.Contains(r.Broken[i].Error(), want) {
					t.Errorf("broken is %v, want %s", r.Broken[i], want)
				}
			}
			if r.Copied != c.copied || r.CopyWhole == c.badCopy {
				t.Errorf("%+v", r)
			}
			after := files(t, dir)
			if len(after) != len(before) {
				t.Errorf("there were %d files and are %d", len(before), len(after))
			}
			for name, b := range before {
				if after[name] != b {
					t.Errorf("%s was changed", name)
				}
			}
		})
	}
	if _, err := Check(CheckOptions{Dir: closed(t, 1), Key: seal.MasterKey{9}}); !errors.As(err, new(*persistence.MasterKeyError)) {
		t.Errorf("with another key: %v", err)
	}
	if _, err := Check(CheckOptions{Dir: t.TempDir(), Key: testKey}); !errors.As(err, new(*persistence.InvalidError)) {
		t.Errorf("where there is none: %v", err)
	}
}

package badgerstore

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/mtfleet/mtfleet/persistence"
	"github.com/mtfleet/mtfleet/persistence/seal"
)

// everything is each file of a directory with its size and when it was written.
func everything(t *testing.T, dir string) string {
	t.Helper()
	var all string
	list, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range list {
		info, err := e.Info()
		if err != nil {
			t.Fatal(err)
		}
		all += fmt.Sprintln(e.Name(), info.Size(), info.Mode(), info.ModTime().UnixNano())
	}
	return all
}

func TestPeekTellsWhatOpenWouldSayAndChangesNothing(t *testing.T) {
	ids := func(p Peeked) (ids []persistence.AccountID) {
		for _, a := range p.Accounts {
			ids = append(ids, a.ID)
		}
		return ids
	}
	for _, c := range []struct {
		name string
		dir  func(t *testing.T) string
		key  seal.MasterKey
		want any // the type of the refusal
		ids  string
	}{
		{"a store that is whole", func(t *testing.T) string { return closed(t, 2) }, testKey, nil, "[a0 a1]"},
		{"one that a kill left", func(t *testing.T) string { return killed(t, 2, true) }, testKey, nil, "[a0 a1]"},
		{"another key", func(t *testing.T) string { return closed(t, 2) }, seal.MasterKey{9}, new(*persistence.MasterKeyError), "[]"},
		{"a copy", func(t *testing.T) string {
			if p, err := placeOf(t.TempDir()); err != nil || p.known == 0 {
				t.Skipf("nothing is known of directories here: %v", err)
			}
			to := filepath.Join(t.TempDir(), "copy")
			copyStore(t, closed(t, 2), to)
			return to
		}, testKey, new(*persistence.CopiedError), "[a0 a1]"},
		{"a damaged one", func(t *testing.T) string {
			dir := closed(t, 2)
			remove(t, filepath.Join(dir, "MANIFEST"))
			return dir
		}, testKey, new(*persistence.DamagedError), "[]"},
		{"one that is in use", func(t *testing.T) string {
			dir := closed(t, 2)
			lock, err := lockDir(dir)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = lock.release() })
			if !ownLock {
				t.Skip("the lock is Badger's here")
			}
			return dir
		}, testKey, new(*persistence.LockedError), "[]"},
		{"a lock whose file was left behind", func(t *testing.T) string {
			dir := closed(t, 1)
			if err := os.WriteFile(filepath.Join(dir, lockName), []byte("1\n"), 0o600); err != nil {
				t.Fatal(err)
			}
			return dir
		}, testKey, nil, "[a0]"},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := c.dir(t)
			before := everything(t, dir)
			p, err := Peek(PeekOptions{Dir: dir, Key: c.key})
			switch {
			case err != nil:
				t.Fatal(err)
			case c.want == nil && p.Refusal != nil, c.want != nil && !errors.As(p.Refusal, c.want):
				t.Errorf("it would be refused for %v, want %T", p.Refusal, c.want)
			case fmt.Sprint(ids(p)) != c.ids:
				t.Errorf("accounts %v, want %s", ids(p), c.ids)
			}
			if after := everything(t, dir); after != before {
				t.Errorf("it was\n%sand is\n%s", before, after)
			}
		})
	}
}

func TestPeekWhereThereIsNoStore(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "none")
	if _, err := Peek(PeekOptions{Dir: dir, Key: testKey}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no directory: %v", err)
	}
	if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("it was made: %v", err)
	}
}

func TestRoomIsToldOfADirectoryThatIsYetToBeMade(t *testing.T) {
	dir := t.TempDir()
	for _, c := range []struct {
		name string
		dir  string
	}{
		{"one that is there", dir},
		{"one that is not", filepath.Join(dir, "a", "b")},
	} {
		room, err := RoomFor(c.dir, false)
		if err != nil || room.Free == 0 || room.Needed < 2*logSize {
			t.Errorf("%s: %+v, %v", c.name, room, err)
		}
		if open, err := RoomFor(c.dir, true); err != nil || open.Needed >= room.Needed {
			t.Errorf("%s, open already: %+v, %v", c.name, open, err)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "a")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("it was made: %v", err)
	}
	if err := os.WriteFile(filepath.Join(dir, "file"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := RoomFor(filepath.Join(dir, "file", "below"), false); !errors.As(err, new(*persistence.DiskError)) {
		t.Errorf("below a file: %v", err)
	}
}

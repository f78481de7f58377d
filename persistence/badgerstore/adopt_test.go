package badgerstore

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mtfleet/mtfleet/persistence"
)

func TestACopiedStoreIsNotOpenedBeforeItIsAdopted(t *testing.T) {
	if p, err := placeOf(t.TempDir()); err != nil || p.known == 0 {
		t.Skipf("nothing is known of directories here: %v", err)
	}
	for _, headless := range []bool{false, true} {
		dir, to := closed(t, 2), filepath.Join(t.TempDir(), "copy")
		copyStore(t, dir, to)
		if headless {
			remove(t, filepath.Join(to, headFileName))
		}
		before := files(t, to)
		var ce *persistence.CopiedError
		for range 2 {
			_, err := Open(Options{Dir: to, Key: testKey})
			if !errors.As(err, &ce) {
				t.Fatalf("a copy: %v", err)
			}
			want := "persistence: the store in " + to + " (id " + ce.ID + ") is a copy, or was moved or restored: two managers with the same keys lose their accounts, so nothing was started; if no other one uses it, run `manager store adopt`"
			if len(ce.ID) != 8 || err.Error() != want {
				t.Errorf("got  %v\nwant %s", err, want)
			}
		}
		after := files(t, to)
		for name, b := range before {
			if after[name] != b {
				t.Errorf("%s was changed", name)
			}
		}
		s, log := logOf(t, Options{Dir: to, Adopt: true})
		if !s.Adopted() || !strings.Contains(log, "adopted") {
			t.Errorf("it was adopted, and the log says %q", log)
		}
		put(t, s, claim(t, s), signedIn("more")...)
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		if s, log := logOf(t, Options{Dir: to}); s.Adopted() || log != "" {
			t.Errorf("the next start says %q", log)
		}
		// The first one is where it was.
		mustOpen(t, dir)
	}
}

func TestARenamedDirectoryIsTheSame(t *testing.T) {
	parent := t.TempDir()
	dir, to := filepath.Join(parent, "a"), filepath.Join(parent, "b")
	if err := mustOpen(t, dir).Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(dir, to); err != nil {
		t.Fatal(err)
	}
	mustOpen(t, to)
}

func TestASalvagedCopyIsStillACopy(t *testing.T) {
	dir, to := closed(t, 2), filepath.Join(t.TempDir(), "copy")
	copyStore(t, dir, to)
	remove(t, filepath.Join(to, "MANIFEST"))
	mustSalvage(t, to)
	var ce *persistence.CopiedError
	if _, err := Open(Options{Dir: to, Key: testKey}); !errors.As(err, &ce) {
		t.Errorf("a salvaged copy: %v", err)
	}
}

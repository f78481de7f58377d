package badgerstore

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mtfleet/mtfleet/persistence"
)

// copyStore copies a store's files, but for value logs, which are large and empty.
func copyStore(t testing.TB, from, to string) {
	t.Helper()
	if err := os.CopyFS(to, without{os.DirFS(from)}); err != nil {
		t.Fatal(err)
	}
}

// moment is a store's files as a SIGKILL would have left them at a step.
type moment struct {
	name string
	dir  string
	// has is how many commits Badger has of those that the test made, and done
	// whether the last was marked.
	has  int
	done bool
}

// moments stops a commit at each of its steps. Before it, one commit was answered.
func moments(t *testing.T) []moment {
	dir, parent := t.TempDir(), t.TempDir()
	names := []string{"the intent is written", "Badger has committed", "both are synced", "the commit is marked"}
	var out []moment
	armed := false
	s, err := Open(Options{Dir: dir, Key: testKey, copyDelay: -1, reached: func(at step) {
		if !armed {
			return
		}
		to := filepath.Join(parent, fmt.Sprint(at))
		copyStore(t, dir, to)
		m := moment{names[at], to, 2, at == stepDone}
		if at == stepIntent {
			m.has = 1
		}
		out = append(out, m)
	}})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	owner := claim(t, s)
	put(t, s, owner, note("a1", "1", 10))
	before := filepath.Join(parent, "before")
	copyStore(t, dir, before)
	armed = true
	put(t, s, owner, note("a2", "1", 10))
	if len(out) != int(stepsNumber) {
		t.Fatalf("the commit passed %d steps, not %d", len(out), stepsNumber)
	}
	return append([]moment{{"the commit before was answered", before, 1, true}}, out...)
}

func TestAKillAtAnyStepOfACommitLeavesAStoreThatIsWhole(t *testing.T) {
	for _, m := range moments(t) {
		t.Run(m.name, func(t *testing.T) {
			s, err := Open(Options{Dir: m.dir, Key: testKey, Adopt: true})
			if err != nil {
				t.Fatal(err)
			}
			ids, err := s.Accounts()
			if err != nil || len(ids) != m.has {
				t.Errorf("%d accounts, %v; want %d", len(ids), err, m.has)
			}
			// It goes on, and is whole again.
			put(t, s, claim(t, s), note("next", "1", 10))
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			mustOpen(t, m.dir)
		})
	}
}

// TestPowerCutsAndLosses takes Badger's files of one moment and the HEAD of
// another: what a power cut leaves when the one reached the disk and not the
// other, and what a damage leaves that took Badger's last commit.
func TestPowerCutsAndLosses(t *testing.T) {
	all := moments(t)
	for _, badger := range all {
		for _, head := range all {
			t.Run("files when "+badger.name+", HEAD when "+head.name, func(t *testing.T) {
				dir := filepath.Join(t.TempDir(), "store")
				copyStore(t, badger.dir, dir)
				b, err := os.ReadFile(filepath.Join(head.dir, headFileName))
				if err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(filepath.Join(dir, headFileName), b, 0o600); err != nil {
					t.Fatal(err)
				}
				s, err := Open(Options{Dir: dir, Key: testKey, Adopt: true})
				if err == nil {
					defer s.Close()
				}
				// Only a commit that was marked, and so may have been answered, is missed.
				answered := head.name == all[len(all)-1].name
				if lost := answered && badger.has < 2; lost != errors.As(err, new(*persistence.DamagedError)) || !lost && err != nil {
					t.Errorf("lost %v, and Open says %v", lost, err)
				}
			})
		}
	}
}

func TestAFailedHeadIsAFailedCommitAndTheNextGoesOn(t *testing.T) {
	dir := t.TempDir()
	s := mustOpen(t, dir)
	owner := claim(t, s)
	put(t, s, owner, note("a1", "1", 10))
	good := s.opened.chain.file.f
	closed, err := os.Open(filepath.Join(dir, headFileName)) // not for writing
	if err != nil {
		t.Fatal(err)
	}
	defer closed.Close()
	s.opened.chain.file.f = closed
	err = s.Commit(persistence.Commit{Owner: owner, Put: []persistence.Record{note("a2", "1", 10)}})
	var we *persistence.WriteError
	if !errors.As(err, &we) || !strings.Contains(err.Error(), "write the store's head") {
		t.Fatalf("a HEAD that cannot be written: %v", err)
	}
	s.opened.chain.file.f = good
	put(t, s, owner, note("a3", "1", 10))
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	ids, err := mustOpen(t, dir).Accounts()
	if err != nil || fmt.Sprint(ids) != "[a1 a3]" {
		t.Errorf("accounts are %v, %v", ids, err)
	}
}

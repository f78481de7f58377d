package badgerstore

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/dgraph-io/badger/v4"

	"github.com/mtfleet/mtfleet/persistence"
)

// signedIn is an account with its perm key on DC 2.
func signedIn(id persistence.AccountID) []persistence.Record {
	return []persistence.Record{
		persistence.Account{ID: id, SignedIn: true, HomeDC: 2, State: "online"}.Record(),
		persistence.PermKey{DC: 2, KeyID: 1}.Record(id), persistence.TempKey{DC: 2, KeyID: 3}.Record(id),
	}
}

// killed returns the files of a store with accounts a0 to a(n-1) as a kill leaves
// them: all in the log. Without copied, the copy is of the first half of them.
func killed(t *testing.T, n int, copied bool) string {
	t.Helper()
	dir, aside := t.TempDir(), filepath.Join(t.TempDir(), "aside")
	s, err := Open(Options{Dir: dir, Key: testKey, copyDelay: -1})
	if err != nil {
		t.Fatal(err)
	}
	owner := claim(t, s)
	for i := range n {
		put(t, s, owner, signedIn(persistence.AccountID(fmt.Sprintf("a%d", i)))...)
		if copied && i == n-1 || !copied && i == n/2-1 {
			if err := writeCopy(dir, s.db, s.sealer, s.opened.chain.digest); err != nil {
				t.Fatal(err)
			}
		}
	}
	copyStore(t, dir, aside)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	list, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range list {
		remove(t, filepath.Join(dir, e.Name()))
	}
	copyStore(t, aside, dir) // into the same directory: its place is part of the store
	return dir
}

// closed returns a store with n accounts that was closed: all in a table.
func closed(t *testing.T, n int) string {
	t.Helper()
	dir := t.TempDir()
	s, err := Open(Options{Dir: dir, Key: testKey, copyDelay: -1})
	if err != nil {
		t.Fatal(err)
	}
	owner := claim(t, s)
	for i := range n {
		put(t, s, owner, signedIn(persistence.AccountID(fmt.Sprintf("a%d", i)))...)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	return dir
}

// tableName is what Badger calls its tables.
var tableName = regexp.MustCompile(`\b[0-9]{6}\.sst\b`)

// newestTable is the path of the table that was written last. What number it has
// depends on whether Badger has merged older ones.
func newestTable(t *testing.T, dir string) string {
	t.Helper()
	tables, err := filepath.Glob(filepath.Join(dir, "*.sst"))
	if err != nil || len(tables) == 0 {
		t.Fatalf("there are no tables: %v", err)
	}
	return slices.Max(tables)
}

func edit(t *testing.T, path string, change func([]byte) []byte) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, change(b), 0o600); err != nil {
		t.Fatal(err)
	}
}

func remove(t *testing.T, path string) {
	t.Helper()
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
}

// flipAt turns a bit of the log's entry for that name.
func flipAt(t *testing.T, dir, name string) {
	edit(t, filepath.Join(dir, "00001.mem"), func(b []byte) []byte {
		i := bytes.Index(b, []byte(name))
		if i < 0 {
			t.Fatalf("%q is not in the log", name)
		}
		b[i+len(name)+60] ^= 4
		return b
	})
}

// files reads a directory whole, to see whether something touched it.
func files(t *testing.T, dir string) map[string]string {
	t.Helper()
	out := map[string]string{}
	list, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range list {
		if e.IsDir() || e.Name() == "LOCK" || strings.HasSuffix(e.Name(), ".vlog") {
			continue
		}
		b, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		out[e.Name()] = string(b)
	}
	return out
}

func TestDamagesAreNamedAndChangeNothing(t *testing.T) {
	const todo = ": nothing was changed; run `manager store salvage`, which keeps the damaged files and says what it could save"
	copied := "; its sealed copy of commit 12 has 10 accounts and 10 perm keys"
	should := func(at uint64, found string) string {
		return fmt.Sprintf("; it should be at commit 12 with 10 accounts, 10 perm keys and 30 records in all, and at commit %d %s can be read", at, found)
	}
	all := "10 accounts, 10 perm keys and 30 records in all"
	for _, c := range []struct {
		name string
		dir  func(*testing.T) string
		harm func(*testing.T, string)
		want string
	}{
		{"a bit in the log", func(t *testing.T) string { return killed(t, 10, true) },
			func(t *testing.T, dir string) { flipAt(t, dir, "r/a4/\x03") },
			"its latest commits are missing" + should(6, "4 accounts, 4 perm keys and 12 records in all") + copied},
		{"a log that is gone", func(t *testing.T) string { return killed(t, 10, true) },
			func(t *testing.T, dir string) { remove(t, filepath.Join(dir, "00001.mem")) },
			"the record of what it holds is missing" + should(0, "0 accounts, 0 perm keys and 0 records in all") + copied},
		{"a log cut short", func(t *testing.T) string { return killed(t, 10, true) },
			func(t *testing.T, dir string) {
				edit(t, filepath.Join(dir, "00001.mem"), func(b []byte) []byte {
					return b[:bytes.Index(b, []byte("r/a9/"))]
				})
			}, "its latest commits are missing" + should(11, "9 accounts, 9 perm keys and 27 records in all") + copied},
		{"a manifest one byte shorter", func(t *testing.T) string { return closed(t, 10) },
			func(t *testing.T, dir string) {
				edit(t, filepath.Join(dir, "MANIFEST"), func(b []byte) []byte { return b[:len(b)-1] })
			}, "the record of what it holds is missing" + should(0, "0 accounts, 0 perm keys and 0 records in all") + copied},
		{"no manifest", func(t *testing.T) string { return closed(t, 10) },
			func(t *testing.T, dir string) { remove(t, filepath.Join(dir, "MANIFEST")) },
			"MANIFEST is missing" + should(0, "0 accounts, 0 perm keys and 0 records in all") + copied},
		{"a bit in the manifest", func(t *testing.T) string { return closed(t, 10) },
			func(t *testing.T, dir string) {
				edit(t, filepath.Join(dir, "MANIFEST"), func(b []byte) []byte { b[len(b)-1] ^= 1; return b })
			}, "MANIFEST cannot be read: manifest has checksum mismatch" + should(0, "0 accounts, 0 perm keys and 0 records in all") + copied},
		{"a table that is gone", func(t *testing.T) string { return closed(t, 10) },
			func(t *testing.T, dir string) { remove(t, newestTable(t, dir)) },
			"a table is missing" + should(0, "0 accounts, 0 perm keys and 0 records in all") + copied},
		{"a bit at the end of a table", func(t *testing.T) string { return closed(t, 10) },
			func(t *testing.T, dir string) {
				edit(t, newestTable(t, dir), func(b []byte) []byte { b[len(b)-2] ^= 1; return b })
			}, "a table is damaged" + should(0, "0 accounts, 0 perm keys and 0 records in all") + copied},
		{"nothing left but the HEAD", func(t *testing.T) string { return closed(t, 10) },
			func(t *testing.T, dir string) {
				for name := range files(t, dir) {
					if name != headFileName {
						remove(t, filepath.Join(dir, name))
					}
				}
			}, "MANIFEST is missing" + should(0, "0 accounts, 0 perm keys and 0 records in all")},
		{"an older log, and no HEAD but the copy", func(t *testing.T) string { return killed(t, 10, true) },
			func(t *testing.T, dir string) {
				flipAt(t, dir, "r/a9/\x03")
				remove(t, filepath.Join(dir, headFileName))
			}, "its latest commits are missing" + should(11, "9 accounts, 9 perm keys and 27 records in all") + copied},
		{"the HEAD of another store", func(t *testing.T) string { return closed(t, 10) },
			func(t *testing.T, dir string) {
				s := testSealer(t)
				h, _ := readHeadFile(dir, s)
				top, _ := h.top()
				top.id[0] ^= 1
				f, err := createHeadFile(dir, s, top)
				if err != nil {
					t.Fatal(err)
				}
				if err := f.close(); err != nil {
					t.Fatal(err)
				}
			}, "its files and its HEAD are of two stores" + should(12, all) + copied},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := c.dir(t)
			want := c.want
			if c.name == "a manifest one byte shorter" && filepath.Base(newestTable(t, dir)) != "000001.sst" {
				// A busy machine gives Badger the time to merge. Then the last of the manifest,
				// which is lost, is that there is another table instead of the first.
				want = "a table is missing" + should(0, "0 accounts, 0 perm keys and 0 records in all") + copied
			}
			c.harm(t, dir)
			before := files(t, dir)
			for range 2 {
				_, err := Open(Options{Dir: dir, Key: testKey})
				var d *persistence.DamagedError
				if !errors.As(err, &d) {
					t.Fatalf("it opened, or: %v", err)
				}
				// A table's number depends on whether Badger has merged older ones.
				got := tableName.ReplaceAllString(err.Error(), "a table")
				if want := "persistence: the store in " + dir + " is damaged: " + want + todo; got != want {
					t.Errorf("got  %v\nwant %s", err, want)
				}
			}
			after := files(t, dir)
			for name, b := range before {
				if after[name] != b {
					t.Errorf("%s was changed", name)
				}
			}
		})
	}
}

// logOf opens a store and returns what it said.
func logOf(t *testing.T, o Options) (*Store, string) {
	t.Helper()
	var log strings.Builder
	o.Key, o.copyDelay, o.Logger = testKey, -1, slog.New(slog.NewTextHandler(&log, nil))
	s, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	text := log.String()
	t.Cleanup(func() { _ = s.Close() })
	return s, text
}

func TestWhatHoldsNothingIsMendedAndTold(t *testing.T) {
	for _, c := range []struct {
		name string
		harm func(*testing.T, string)
		want string // in the log; empty for silence
	}{
		{"nothing", func(*testing.T, string) {}, ""},
		{"no HEAD", func(t *testing.T, dir string) { remove(t, filepath.Join(dir, headFileName)) }, "its HEAD was missing"},
		{"a HEAD of zeros", func(t *testing.T, dir string) {
			edit(t, filepath.Join(dir, headFileName), func(b []byte) []byte { return make([]byte, len(b)) })
		}, "its HEAD could not be read"},
		{"a HEAD of one byte", func(t *testing.T, dir string) {
			edit(t, filepath.Join(dir, headFileName), func(b []byte) []byte { return b[:1] })
		}, "its HEAD could not be read"},
		{"the newer half of the HEAD", func(t *testing.T, dir string) {
			edit(t, filepath.Join(dir, headFileName), func(b []byte) []byte { b[slotOffset(12)+90] ^= 1; return b })
		}, "a half of its HEAD could not be read"},
		{"the older half of the HEAD", func(t *testing.T, dir string) {
			edit(t, filepath.Join(dir, headFileName), func(b []byte) []byte { b[slotOffset(11)+90] ^= 1; return b })
		}, "a half of its HEAD could not be read"},
		{"no copy", func(t *testing.T, dir string) { remove(t, filepath.Join(dir, copyFileName)) }, ""},
		{"a bit in the key registry", func(t *testing.T, dir string) {
			edit(t, filepath.Join(dir, "KEYREGISTRY"), func(b []byte) []byte { b[20] ^= 1; return b })
		}, "KEYREGISTRY"},
		{"no key registry", func(t *testing.T, dir string) { remove(t, filepath.Join(dir, "KEYREGISTRY")) }, ""},
		{"a bit in the head of a value log", func(t *testing.T, dir string) {
			edit(t, filepath.Join(dir, "000001.vlog"), func(b []byte) []byte { b[3] ^= 1; return b })
		}, "000001.vlog"},
		{"an empty value log", func(t *testing.T, dir string) {
			edit(t, filepath.Join(dir, "000001.vlog"), func(b []byte) []byte { return nil })
		}, "000001.vlog"},
		{"no value log", func(t *testing.T, dir string) { remove(t, filepath.Join(dir, "000001.vlog")) }, ""},
		{"a log that lies ready for the last process", func(t *testing.T, dir string) {
			if err := os.WriteFile(filepath.Join(dir, "00007.mem"), nil, 0o600); err != nil {
				t.Fatal(err)
			}
		}, ""},
		{"a table that was not finished", func(t *testing.T, dir string) {
			if err := os.WriteFile(filepath.Join(dir, "000099.sst"), []byte("half"), 0o600); err != nil {
				t.Fatal(err)
			}
		}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			s, _ := logOf(t, Options{Dir: dir})
			owner := claim(t, s)
			for i := range 10 {
				put(t, s, owner, signedIn(persistence.AccountID(fmt.Sprintf("a%d", i)))...)
			}
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			c.harm(t, dir)
			s, log := logOf(t, Options{Dir: dir})
			if c.want == "" && log != "" || !strings.Contains(log, c.want) {
				t.Errorf("the log says %q, want %q", log, c.want)
			}
			if ids, err := s.Accounts(); err != nil || len(ids) != 10 {
				t.Errorf("accounts are %v, %v", ids, err)
			}
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			if _, log = logOf(t, Options{Dir: dir}); log != "" {
				t.Errorf("the next start says %q", log)
			}
		})
	}
}

func TestAStoreOfAnEarlierVersionIsTakenOverOnce(t *testing.T) {
	dir := t.TempDir()
	s, err := Open(Options{Dir: dir, Key: testKey, noHead: true})
	if err != nil {
		t.Fatal(err)
	}
	put(t, s, claim(t, s), signedIn("alice")...)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s, log := logOf(t, Options{Dir: dir})
	if !strings.Contains(log, "taken over") || !strings.Contains(log, "1 account, 1 perm key and 3 records in all") {
		t.Errorf("the log says %q", log)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if _, log := logOf(t, Options{Dir: dir}); log != "" {
		t.Errorf("the second time it says %q", log)
	}
}

// told sends the messages of a log.
type told chan string

func (t told) Write(b []byte) (int, error) { t <- string(b); return len(b), nil }

func TestTheCopyFollowsTheStore(t *testing.T) {
	dir, log := t.TempDir(), make(told, 1000)
	s, err := Open(Options{Dir: dir, Key: testKey, copyDelay: time.Millisecond,
		Logger: slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug}))})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	put(t, s, claim(t, s), signedIn("alice")...)
	for line := range log {
		if !strings.Contains(line, "sealed copy was written") {
			continue
		}
		if c := readCopy(dir, s.sealer); len(c.newest) == 2 && c.proven {
			return // the account and its perm key; not its temp key
		}
	}
}

func TestARecordThatIsBrokenHurtsItsAccountAloneAndCanBeReplaced(t *testing.T) {
	dir := closed(t, 3)
	s := mustOpen(t, dir)
	raw(t, s, recordName(persistence.PermKeyKey("a1", 2)), func(b []byte) []byte { b[len(b)-1] ^= 1; return b })
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s, log := logOf(t, Options{Dir: dir})
	if !strings.Contains(log, "records cannot be read: their accounts say so") {
		t.Errorf("the log says %q", log)
	}
	if _, err := s.Load("a1"); !isCorrupt(err) {
		t.Errorf("a1: %v", err)
	}
	// A copy that is written now still has the good one.
	put(t, s, claim(t, s), persistence.Updates{Pts: 1}.Record("a2"))
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if c := readCopy(dir, s.sealer); !c.proven || c.tally().PermKeys != 3 {
		t.Errorf("the copy has %v", c.tally())
	}
	s, _ = logOf(t, Options{Dir: dir})
	put(t, s, claim(t, s), signedIn("a1")...)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s, log = logOf(t, Options{Dir: dir})
	if log != "" {
		t.Errorf("when it was replaced the log says %q", log)
	}
	if _, err := s.Load("a1"); err != nil {
		t.Error(err)
	}
}

func TestACopyIsNotWrittenOfAStoreThatLostSomething(t *testing.T) {
	dir := closed(t, 3)
	s := mustOpen(t, dir)
	err := s.db.Update(func(txn *badger.Txn) error { return txn.Delete(recordName(persistence.AccountKey("a1"))) })
	if err != nil {
		t.Fatal(err)
	}
	if err := writeCopy(dir, s.db, s.sealer, s.opened.chain.digest); !errors.Is(err, errLost) {
		t.Errorf("a copy of less than there was: %v", err)
	}
	if c := readCopy(dir, s.sealer); !c.proven || c.tally().Accounts != 3 {
		t.Errorf("the copy has %v", c.tally())
	}
}

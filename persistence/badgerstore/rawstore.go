package badgerstore

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"

	"github.com/dgraph-io/badger/v4"
	"github.com/dgraph-io/badger/v4/table"
)

// rawStore is what Badger's files hold: the newest version of each name. Values
// lie in the mapped files; close releases them.
type rawStore struct {
	newest   map[string]rawEntry
	releases []func()
}

func newRawStore() *rawStore { return &rawStore{newest: map[string]rawEntry{}} }

func (r *rawStore) close() {
	for _, release := range r.releases {
		release()
	}
	r.releases = nil
}

func (r *rawStore) add(e rawEntry) {
	if old, ok := r.newest[e.name]; !ok || e.ts >= old.ts {
		r.newest[e.name] = e
	}
}

// value returns what is stored under a name; nil when nothing is.
func (r *rawStore) value(name string) []byte {
	if e, ok := r.newest[name]; ok && !e.deleted {
		return e.value
	}
	return nil
}

// head returns Badger's own head; ok is false when there is none.
func (r *rawStore) head(s *sealer) (h head, ok bool, err error) {
	b := r.value(headName)
	if b == nil {
		return h, false, nil
	}
	h, err = s.openHead(headKey, b)
	return h, true, err
}

func (r *rawStore) sums(d *digester) (s sums) {
	for name, e := range r.newest {
		if !e.deleted {
			d.change(&s, []byte(name), term{}, d.term([]byte(name), e.value))
		}
	}
	return s
}

// brokenSeals counts the records whose seal does not open.
func (r *rawStore) brokenSeals(s *sealer) (n int) {
	for name, e := range r.newest {
		if k, ok := parseName([]byte(name)); ok && !e.deleted {
			if _, err := s.Open(k, e.value); isCorrupt(err) {
				n++
			}
		}
	}
	return n
}

// read maps a file and calls f with it. A disk that cannot read the file's
// pages is an error like any other.
func (r *rawStore) read(path string, f func([]byte) error) (err error) {
	b, release, err := mapFile(path)
	if err != nil {
		return err
	}
	r.releases = append(r.releases, release)
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%s cannot be read: %v", filepath.Base(path), p)
		}
	}()
	return f(b)
}

// dirFiles is what is in a store's directory, by kind.
type dirFiles struct {
	tables   []uint64 // ids
	logs     []string // .mem, in the order in which they were written
	vlogs    []string
	manifest bool
}

func listFiles(dir string) (f dirFiles, err error) {
	list, err := os.ReadDir(dir) // sorted by name
	if err != nil {
		return f, err
	}
	for _, e := range list {
		name := e.Name()
		switch id, isTable := table.ParseFileID(name); {
		case e.IsDir():
		case name == "MANIFEST":
			f.manifest = true
		case isTable:
			f.tables = append(f.tables, id)
		case strings.HasSuffix(name, ".mem"):
			f.logs = append(f.logs, name)
		case strings.HasSuffix(name, ".vlog"):
			f.vlogs = append(f.vlogs, name)
		}
	}
	slices.SortFunc(f.logs, func(a, b string) int { return logID(a) - logID(b) })
	return f, nil
}

func logID(name string) int {
	id, _ := strconv.Atoi(strings.TrimSuffix(name, ".mem"))
	return id
}

// readManifest returns the tables that make up the database.
func readManifest(dir string) (ids []uint64, err error) {
	f, err := os.Open(filepath.Join(dir, "MANIFEST"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, errors.New("MANIFEST is missing")
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	m, _, err := badger.ReplayManifestFile(f, 0, badger.Options{})
	if err != nil {
		return nil, fmt.Errorf("MANIFEST cannot be read: %w", err)
	}
	for id := range m.Tables {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	return ids, nil
}

// readStrictly reads what Badger would, and refuses what Badger would stumble
// over. The error is the damage in one clause.
func readStrictly(dir string) (*rawStore, error) {
	r := newRawStore()
	files, err := listFiles(dir)
	if err != nil {
		return r, err
	}
	ids, err := readManifest(dir)
	if err != nil {
		return r, err
	}
	var damage error
	for _, id := range ids {
		name := table.IDToFilename(id)
		err := r.read(filepath.Join(dir, name), func(b []byte) error { return readTable(b, r.add) })
		switch {
		case errors.Is(err, fs.ErrNotExist):
			err = fmt.Errorf("%s is missing", name)
		case errors.Is(err, errTable):
			err = fmt.Errorf("%s is damaged", name)
		}
		if err != nil && damage == nil {
			damage = err
		}
	}
	for _, name := range files.logs {
		err := r.read(filepath.Join(dir, name), func(b []byte) error { readLog(b, r.add); return nil })
		if err != nil && damage == nil {
			damage = err
		}
	}
	return r, damage
}

// loose says what readLoosely takes besides what lies behind damage.
type loose struct {
	strays bool // tables that the manifest does not name
	open   bool // the last transaction, though its end is not there
}

// readLoosely reads everything that is whole by itself. A last transaction that
// was never ended is left out, but for open: nobody was told that it is there.
func readLoosely(dir string, o loose) (*rawStore, error) {
	r := newRawStore()
	files, err := listFiles(dir)
	if err != nil {
		return r, err
	}
	if ids, err := readManifest(dir); err == nil && !o.strays {
		files.tables = ids
	}
	for _, id := range files.tables {
		_ = r.read(filepath.Join(dir, table.IDToFilename(id)), func(b []byte) error { readTableLoosely(b, r.add); return nil })
	}
	txns := map[uint64]*looseTxn{}
	for _, name := range files.logs {
		_ = r.read(filepath.Join(dir, name), func(b []byte) error { readLogLoosely(b, txns); return nil })
	}
	var last uint64
	for ts := range txns {
		last = max(last, ts)
	}
	for ts, t := range txns {
		if ts == last && !t.ended && !o.open {
			continue
		}
		for _, e := range t.entries {
			r.add(e)
		}
	}
	return r, nil
}

package badgerstore

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/mtfleet/mtfleet/persistence"
	"github.com/mtfleet/mtfleet/persistence/seal"
)

// inspection is a store that was looked at and is to be opened.
type inspection struct {
	evidence
	finding
	place place // where it lies
	moved bool  // and not where it was used last
}

// inspect looks at a store's files and changes nothing. The error is one that
// keeps the store from being opened.
func inspect(o Options, s *sealer, d *digester) (in inspection, err error) {
	if _, err := os.Stat(filepath.Join(o.Dir, salvageMarker)); err == nil {
		return in, &persistence.DamagedError{Dir: o.Dir, Why: "a salvage was begun and not ended"}
	}
	if in.slots, err = readHeadFile(o.Dir, s); err != nil {
		return in, err
	}
	_, hasTop := in.slots.top()
	if in.slots.newer != nil && !hasTop {
		return in, fmt.Errorf("the store in %s: %w", o.Dir, in.slots.newer)
	}
	if in.slots.foreign > 0 && !hasTop && in.slots.bad == 0 {
		return in, wrongKey(o)
	}
	if in.place, err = placeOf(o.Dir); err != nil {
		return in, fmt.Errorf("persistence: open store: %w", err)
	}
	in.copied, in.hasCopy = readCopyTail(o.Dir, s)
	raw, err := in.gather(o.Dir, s, d)
	defer raw.close()
	if err != nil {
		return in, fmt.Errorf("persistence: open store in %s: %w", o.Dir, err)
	}
	if b := raw.value(checkName); b != nil && s.OfAnotherKey(b) {
		return in, wrongKey(o)
	}
	if b := raw.value(headName); b != nil && s.OfAnotherKey(b) && !hasTop {
		return in, wrongKey(o)
	}
	if err := in.where(o); err != nil {
		return in, err
	}
	if in.finding = in.judge(); in.verdict == isDamaged {
		return in, in.describe(o.Dir, in.evidence, readCopy(o.Dir, s))
	}
	return in, nil
}

// gather reads Badger's files. The error is one that says nothing of the store:
// a file may not be read, say.
func (e *evidence) gather(dir string, s *sealer, d *digester) (*rawStore, error) {
	files, err := listFiles(dir)
	if err != nil {
		return newRawStore(), err
	}
	e.tables = len(files.tables)
	if !files.manifest && len(files.tables)+len(files.logs) == 0 {
		e.empty, e.damage = true, errors.New("MANIFEST is missing")
		return newRawStore(), nil
	}
	raw, damage := readStrictly(dir)
	if damage != nil && !ofTheFiles(damage) {
		return raw, damage
	}
	e.damage = damage
	e.stored, e.hasStored, e.storedErr = raw.head(s)
	e.found, e.hasCheck = raw.sums(d), raw.value(checkName) != nil
	if e.hasStored && e.found != e.stored.after {
		e.broken = raw.brokenSeals(s)
	}
	return raw, nil
}

// ofTheFiles tells whether an error is about what is in the files, and not about
// whether this process gets to read them.
func ofTheFiles(err error) bool {
	var no syscall.Errno
	if errors.As(err, &no) {
		return no == syscall.EIO || no == syscall.ENOENT
	}
	return !errors.Is(err, fs.ErrPermission)
}

// where tells whether the store lies where it was used last.
func (in *inspection) where(o Options) error {
	last, ok := in.slots.top()
	if !ok && in.hasStored && in.storedErr == nil {
		last, ok = in.stored, true
	}
	in.moved = ok && !last.place.same(in.place)
	if in.moved && !o.Adopt {
		return &persistence.CopiedError{Dir: o.Dir, ID: last.id.String()}
	}
	return nil
}

func wrongKey(o Options) error {
	return &persistence.MasterKeyError{Source: o.KeySource.String(), Reason: "it is not the key that the store in " + o.Dir + " was sealed with: nothing was changed; give the right key by store.key_file or " + seal.KeyEnv}
}

// tidy takes away what holds nothing of the store's and would keep Badger from
// opening: it removes logs that a crash left empty, and puts a value log or a key
// registry aside that cannot be read. It returns the names.
func tidy(dir string) (done []string, err error) {
	files, err := listFiles(dir)
	if err != nil {
		return nil, err
	}
	aside := func(name string) error {
		done = append(done, name)
		return os.Rename(filepath.Join(dir, name), filepath.Join(dir, "unused-"+name+".bad"))
	}
	for _, name := range slices.Concat(files.logs, files.vlogs) {
		b, err := readStart(filepath.Join(dir, name), logHeaderLen)
		if err != nil {
			return done, err
		}
		switch unread := len(b) == logHeaderLen && binary.BigEndian.Uint64(b) != 0; {
		case len(b) == 0:
			done, err = append(done, name), os.Remove(filepath.Join(dir, name))
		case unread && strings.HasSuffix(name, ".vlog"):
			err = aside(name)
		}
		if err != nil {
			return done, err
		}
	}
	const registry, sanity = "KEYREGISTRY", "Hello Badger"
	b, err := readStart(filepath.Join(dir, registry), 16+len(sanity))
	if errors.Is(err, fs.ErrNotExist) {
		return done, nil
	}
	if err == nil && (len(b) < 16+len(sanity) || string(b[16:]) != sanity) {
		err = aside(registry)
	}
	return done, err
}

// readStart reads up to n bytes of a file.
func readStart(path string, n int) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b := make([]byte, n)
	n, err = f.ReadAt(b, 0)
	if n > 0 || err == nil {
		return b[:n], nil
	}
	if info, statErr := f.Stat(); statErr == nil && info.Size() == 0 {
		return nil, nil
	}
	return nil, err
}

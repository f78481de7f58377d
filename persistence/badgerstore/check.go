package badgerstore

import (
	"errors"
	"maps"
	"slices"

	"github.com/mtfleet/mtfleet/persistence"
	"github.com/mtfleet/mtfleet/persistence/seal"
)

// CheckOptions says what store to check.
type CheckOptions struct {
	// Dir, Key and KeySource are those of Options.
	Dir       string
	Key       seal.MasterKey
	KeySource seal.KeySource
}

// CheckReport says what is whole in a store and what is not.
type CheckReport struct {
	Dir string
	// Damage is what Open would refuse the store for, a *persistence.DamagedError;
	// nil when it would open it.
	Damage error
	// Copied says that the store must be adopted before it is opened.
	Copied bool
	Store  string // the store's id; empty when nothing tells it
	Commit uint64 // the commit that it is at
	Holds  persistence.Tally
	// Broken has an error for each record that does not open or cannot be
	// decoded, in the order of the records: *persistence.CorruptError or
	// *persistence.VersionError.
	Broken []error
	// CopyCommit is the commit of the sealed copy, and CopyWhole says that every
	// byte of it is as it was written; without a copy they are zero.
	CopyCommit uint64
	CopyWhole  bool
}

// Check opens every record of a store that nobody has open, and changes nothing.
// It blocks until it has read everything, about a second for 10,000 accounts. The
// error is one that says nothing of the records: a *persistence.LockedError, a
// *persistence.MasterKeyError, a *persistence.VersionError, or the disk's.
func Check(o CheckOptions) (*CheckReport, error) {
	s, err := newSealer(o.Key)
	if err != nil {
		return nil, err
	}
	d, err := newDigester(o.Key)
	if err != nil {
		return nil, err
	}
	lock, err := lockDir(o.Dir)
	if err != nil {
		return nil, err
	}
	r, err := check(Options{Dir: o.Dir, Key: o.Key, KeySource: o.KeySource, Adopt: true}, s, d)
	return r, errors.Join(err, lock.release())
}

func check(o Options, s *sealer, d *digester) (*CheckReport, error) {
	if rewriteBegun(o.Dir) {
		return nil, rewriteError(o.Dir)
	}
	in, err := inspect(o, s, d)
	r := &CheckReport{Dir: o.Dir, Copied: in.moved, Commit: in.stored.commit, Holds: in.found.tally()}
	switch {
	case errors.As(err, new(*persistence.DamagedError)):
		r.Damage = err
	case err != nil:
		return nil, err
	case in.verdict == isNew:
		return nil, &persistence.InvalidError{Reason: "there is no store in " + o.Dir}
	}
	if in.hasStored && in.storedErr == nil {
		r.Store = in.stored.id.String()
	}
	if t, ok := readCopyTail(o.Dir, s); ok {
		r.CopyCommit, r.CopyWhole = t.commit, copyIsWhole(o.Dir, s, t.commit)
	}
	m, err := readMove(o.Dir)
	if err != nil {
		return nil, err
	}
	r.Copied = r.Copied || m != nil
	raw, err := readStrictly(o.Dir) // its error is the damage
	defer raw.close()
	if err != nil && r.Damage == nil {
		return nil, err
	}
	for _, name := range slices.Sorted(maps.Keys(raw.newest)) {
		k, ok := parseName([]byte(name))
		e := raw.newest[name]
		if !ok || e.deleted {
			continue
		}
		rec, err := s.Open(k, e.value)
		if err == nil {
			_, err = persistence.DecodeState([]persistence.Record{rec})
		}
		if err != nil {
			r.Broken = append(r.Broken, unreadable(k, err))
		}
	}
	return r, nil
}

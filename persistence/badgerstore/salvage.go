package badgerstore

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/mtfleet/mtfleet/persistence"
	"github.com/mtfleet/mtfleet/persistence/seal"
)

// SalvageOptions says what to salvage.
type SalvageOptions struct {
	// Dir, Key and KeySource are those of Options.
	Dir       string
	Key       seal.MasterKey
	KeySource seal.KeySource
	// DryRun reports what could be saved, and changes nothing.
	DryRun bool
	// Now names the directory that keeps the damaged files.
	Now time.Time
}

// SalvageReport says what a salvage did, or would do.
type SalvageReport struct {
	Dir string
	// Whole says that the store holds what it should: nothing was done.
	Whole bool
	// Why is the damage in one clause.
	Why string
	// Kept is the directory with the damaged files; empty for a dry run.
	Kept string
	// Commit is the commit that the store should be at, and Should what it held
	// then; zero when nothing says so.
	Commit uint64
	Should persistence.Tally
	// Saved is what the new store holds. Complete says that the head proves it
	// to be everything; without it, something may be missing or be older.
	Saved    persistence.Tally
	Complete bool
	// CopyCommit is the commit of the sealed copy; zero without one.
	CopyCommit uint64
	// Accounts are all accounts of the new store, sorted by id.
	Accounts []SalvagedAccount
}

// SalvagedAccount says where the records of one account came from.
type SalvagedAccount struct {
	ID persistence.AccountID
	// FromStore counts records that the database would still have read, Behind
	// those that lay behind a damage, and FromCopy those of the sealed copy.
	FromStore, Behind, FromCopy int
	// Missing names what is not there, or cannot be read, and is known to have
	// been: "perm key of DC 2".
	Missing []string
}

// Unnamed returns how many accounts and perm keys are missing, beyond those that
// Missing names: nothing that is left knows their names.
func (r *SalvageReport) Unnamed() (accounts, permKeys int) {
	if r.Commit == 0 || r.Complete {
		return 0, 0
	}
	return max(r.Should.Accounts-r.Saved.Accounts, 0), max(r.Should.PermKeys-r.Saved.PermKeys, 0)
}

// Salvage makes a good store of a damaged one, from everything that is left of
// it: what Badger would read, what lies behind the damage, and the sealed copy.
// The newer version of a record wins, and what was deleted stays deleted as far
// as the copy knows. The damaged files are moved into a directory of their own
// beside the new ones and never deleted. It blocks for as long as the store takes
// to be read and written, about a second for 10,000 accounts; when it is ended
// half-way, the next call goes on. The error is a *persistence.LockedError, a
// *persistence.MasterKeyError, a *persistence.VersionError or the disk's.
func Salvage(o SalvageOptions) (*SalvageReport, error) {
	if o.Dir == "" {
		return nil, &persistence.InvalidError{Reason: "the store has no directory"}
	}
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
	r, err := salvage(o, s, d)
	return r, errors.Join(err, lock.release())
}

func salvage(o SalvageOptions, s *sealer, d *digester) (*SalvageReport, error) {
	if !o.DryRun {
		if err := finishRewrite(o.Dir); err != nil {
			return nil, err
		}
	} else if rewriteBegun(o.Dir) {
		return nil, rewriteError(o.Dir)
	}
	if kept, err := salvaging.finish(o.Dir, o.DryRun); err != nil || kept != "" {
		return &SalvageReport{Dir: o.Dir, Why: "a salvage was begun and not ended", Kept: kept}, err
	}
	w := &wreck{dir: o.Dir, sealer: s, digest: d}
	defer w.close()
	if err := w.look(Options{Dir: o.Dir, Key: o.Key, KeySource: o.KeySource}); err != nil {
		return nil, err
	}
	if w.f.verdict == isNew {
		return nil, &persistence.InvalidError{Reason: "there is no store in " + o.Dir}
	}
	if w.whole {
		return &SalvageReport{Dir: o.Dir, Whole: true, Commit: w.e.stored.commit, Should: w.e.found.tally(), Saved: w.e.found.tally(), Complete: true}, nil
	}
	content, complete, err := w.best()
	if err != nil {
		return nil, err
	}
	r := w.report(content, complete)
	if o.DryRun {
		return r, nil
	}
	temporary := filepath.Join(o.Dir, salvagedDir)
	if err := os.RemoveAll(temporary); err != nil {
		return nil, fmt.Errorf("persistence: salvage: %w", err)
	}
	if err := w.build(temporary, content); err != nil {
		return nil, errors.Join(fmt.Errorf("persistence: salvage: %w", err), os.RemoveAll(temporary))
	}
	if r.Kept, err = salvaging.begin(o.Dir, o.Now); err != nil {
		return nil, fmt.Errorf("persistence: salvage: %w", err)
	}
	return r, nil
}

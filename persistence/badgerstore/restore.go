package badgerstore

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/mtfleet/mtfleet/persistence"
	"github.com/mtfleet/mtfleet/persistence/seal"
)

// RestoreOptions says what store to make of records that come from elsewhere.
type RestoreOptions struct {
	// Dir must not exist. Key is the new store's master key, whatever the records
	// were sealed with before.
	Dir string
	Key seal.MasterKey
	// Epoch is the highest that is known of the store before, and Now the time. The
	// epochs of the new one begin above both, taken as seconds since 1970: the store
	// before was claimed more often after its backup, yet not once a second, and a
	// cursor in its events must not be taken for one in those of the new one.
	Epoch uint64
	Now   time.Time
	// Records calls put for each record, in any order and each once. What it
	// returns ends the restore; nil says that these were all.
	Records func(put func(persistence.Record) error) error
	// Whole, where it is not nil, gets the store that was made, before the directory
	// has its name, and sees to it that the store before does not start any more: so
	// the new one need not be adopted. What it returns ends the restore.
	Whole  func(*Store) error
	Logger *slog.Logger // as in Options
}

// restoring is the directory in which a store is made, beside the one that it
// becomes.
func restoring(dir string) string { return filepath.Clean(dir) + ".restoring" }

// Restore makes a store. It lies nowhere, without RestoreOptions.Whole: Open gives a
// *persistence.CopiedError before it is adopted. The directory has its name when everything is in it and
// durable, so a restore that was killed left none; the next one begins anew. It
// holds a batch of records in memory. The error is Records' own, a
// *persistence.ExistsError, a *persistence.LockedError, or the disk's.
func Restore(o RestoreOptions) (t persistence.Tally, err error) {
	if o.Dir == "" {
		return t, &persistence.InvalidError{Reason: "the store has no directory"}
	}
	switch _, err := os.Lstat(o.Dir); {
	case err == nil:
		return t, &persistence.ExistsError{Dir: o.Dir}
	case !errors.Is(err, fs.ErrNotExist):
		return t, fmt.Errorf("persistence: restore: %w", err)
	}
	temporary := restoring(o.Dir)
	if err := clearAway(temporary); err != nil {
		return t, err
	}
	lies := nowhere
	if o.Whole != nil {
		lies = place{} // where it is found first
	}
	h := head{commit: 1, epoch: max(o.Epoch, uint64(max(o.Now.Unix(), 0))), place: lies}
	if _, err := rand.Read(h.id[:]); err != nil {
		return t, err
	}
	t, err = makeStore(Options{Dir: temporary, Key: o.Key, Logger: o.Logger, first: &h}, "restore", o.Records)
	if err == nil && o.Whole != nil {
		var s *Store
		if s, err = Open(Options{Dir: temporary, Key: o.Key, Logger: o.Logger}); err == nil {
			err = errors.Join(o.Whole(s), s.Close())
		}
	}
	if err != nil {
		return t, errors.Join(err, os.RemoveAll(temporary))
	}
	if err := os.Rename(temporary, o.Dir); err != nil {
		return t, fmt.Errorf("persistence: restore: %w", err)
	}
	return t, syncDir(filepath.Dir(filepath.Clean(o.Dir)))
}

// clearAway removes what an earlier attempt left, unless another process is at it.
func clearAway(dir string) error {
	if _, err := os.Lstat(dir); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	lock, err := lockDir(dir)
	if err != nil {
		return err
	}
	return errors.Join(os.RemoveAll(dir), lock.release())
}

// makeStore makes a new store of records and closes it. What is in it then was read
// again, as at a start.
func makeStore(o Options, node string, records func(put func(persistence.Record) error) error) (t persistence.Tally, err error) {
	s, err := Open(o)
	if err != nil {
		return t, err
	}
	b := persistence.Batch{Store: s}
	if b.Owner, err = s.Claim(node); err == nil {
		if err = records(b.Put); err == nil {
			err = b.Flush()
		}
	}
	if err = errors.Join(err, s.Close()); err != nil {
		return t, err
	}
	r, err := Check(CheckOptions{Dir: o.Dir, Key: o.Key})
	if err != nil {
		return t, err
	}
	if r.Holds.Records != b.Records || r.Damage != nil {
		return t, errors.Join(fmt.Errorf("persistence: the new store in %s does not hold the %d records that were put into it, but %v", o.Dir, b.Records, r.Holds), r.Damage)
	}
	return r.Holds, nil
}

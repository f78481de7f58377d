package badgerstore

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"strings"
	"time"

	"github.com/mtfleet/mtfleet/persistence"
	"github.com/mtfleet/mtfleet/persistence/seal"
)

// RewriteOptions says which store is written anew, and how.
type RewriteOptions struct {
	// Dir, Key and KeySource are those of Options.
	Dir       string
	Key       seal.MasterKey
	KeySource seal.KeySource
	// To is the master key of the new store; Key where it stays the same.
	To  seal.MasterKey
	Now time.Time
	// Logger is as in Options.
	Logger *slog.Logger

	reached func() // for tests; see swapping
}

// RewriteReport says what a rewrite did.
type RewriteReport struct {
	Dir   string
	Holds persistence.Tally
	// Dropped is how many temp keys and sessions could not be read. They were left
	// out: they are made anew.
	Dropped int
	// Before and After are the bytes of disk that the store took and takes.
	Before, After int64
}

// Names in the store's directory.
const (
	rewrittenDir  = "rewritten" // the new store while it is made
	rewriteMarker = "REWRITE"   // says how far files were moved
	beforePrefix  = "before-"   // a directory with the files of before
)

func rewriting(reached func()) swapping {
	return swapping{marker: rewriteMarker, fresh: rewrittenDir, kept: beforePrefix, drop: true, what: "rewrite", reached: reached}
}

// Rewrite writes all records of a store into a new one beside it, under To, which
// then takes its place, and deletes the files of before: nothing is left that was
// sealed with another key, nor of records that were changed or deleted. While it
// writes, the store is the one of before, and when the process is killed then it
// stays so, and the next rewrite begins anew. Once the new one is whole and durable
// the files change places, which Open, or the next rewrite, ends when this process
// is killed in it. So the store opens with Key before that moment, with To after
// it, and with both never. It needs the disk that the live records take, and 36 MB;
// where they are not there it ends with nothing changed.
//
// It blocks until that is done, about four seconds for 10,000 accounts on two busy
// cores, or until ctx ends; what has begun to change places is ended. The error is
// that of ctx, one of Open's, or a *persistence.RecordsError,
// *persistence.CorruptError or *persistence.VersionError for records that cannot be
// read: then nothing was done, and Salvage looks for them in the sealed copy.
func Rewrite(ctx context.Context, o RewriteOptions) (*RewriteReport, error) {
	r := &RewriteReport{Dir: o.Dir}
	s, err := Open(Options{Dir: o.Dir, Key: o.Key, KeySource: o.KeySource, Logger: o.Logger})
	if err != nil {
		return nil, err
	}
	fail := func(err error) (*RewriteReport, error) {
		return nil, errors.Join(err, s.Close(), os.RemoveAll(join(o.Dir, rewrittenDir)))
	}
	if r.Before, err = diskUse(o.Dir); err != nil {
		return fail(fmt.Errorf("persistence: rewrite: %w", err))
	}
	swap := rewriting(o.reached)
	swap.reach()
	if r.Holds, r.Dropped, err = s.rewrite(ctx, o); err != nil {
		return fail(err)
	}
	swap.reach()
	// The lock outlives the database that is closed now: nobody may have the store
	// before the files have changed places.
	lock := s.opened.lock
	s.opened.lock = nil
	if err := s.Close(); err != nil {
		// The database was left as it is: the lock is kept until this process ends.
		return nil, errors.Join(err, os.RemoveAll(join(o.Dir, rewrittenDir)))
	}
	_, err = swap.begin(o.Dir, o.Now)
	if err == nil {
		r.After, err = diskUse(o.Dir)
	}
	if err = errors.Join(err, lock.release()); err != nil {
		return nil, fmt.Errorf("persistence: rewrite: %w", err)
	}
	return r, nil
}

// rewrite makes the new store.
func (s *Store) rewrite(ctx context.Context, o RewriteOptions) (t persistence.Tally, dropped int, err error) {
	at := s.opened.chain.at
	first := head{id: at.id, commit: at.commit + 1, epoch: max(at.epoch, s.opened.owner.Epoch), place: at.place}
	var bad []error
	t, err = makeStore(Options{Dir: join(o.Dir, rewrittenDir), Key: o.To, Logger: o.Logger, first: &first}, "rewrite", func(put func(persistence.Record) error) error {
		err := s.Snapshot(ctx, func(persistence.Moment) error { return nil }, func(rec persistence.Record, err error) error {
			switch {
			case err == nil:
				return put(rec)
			case inCopy(rec.Kind):
				bad = append(bad, err)
			default:
				dropped++
			}
			return nil
		})
		if err == nil {
			err = persistence.JoinRecords(bad...)
		}
		return err
	})
	should := at.after.tally()
	should.Records -= dropped
	if err == nil && t != should {
		err = fmt.Errorf("persistence: the new store holds %v, and not %v: nothing was changed", t, should)
	}
	return t, dropped, err
}

func rewriteBegun(dir string) bool {
	_, err := os.Lstat(join(dir, rewriteMarker))
	return err == nil
}

func rewriteError(dir string) error {
	return &persistence.InvalidError{Reason: "a rewrite of the store in " + dir + " was begun and not ended: the next start ends it, and so does the command that began it"}
}

// finishRewrite ends a rewrite whose process was killed while files changed places,
// and clears away what one left that was killed earlier. The directory is locked.
func finishRewrite(dir string) error {
	_, err := rewriting(nil).finish(dir, false)
	if err == nil {
		err = os.RemoveAll(join(dir, rewrittenDir))
	}
	if err != nil {
		return fmt.Errorf("persistence: end a rewrite of the store in %s: %w", dir, err)
	}
	list, err := os.ReadDir(dir)
	for _, e := range list {
		if e.IsDir() && strings.HasPrefix(e.Name(), beforePrefix) {
			_ = os.Remove(join(dir, e.Name())) // takes only an empty one, of before the marker
		}
	}
	return err
}

// DiskUse implements persistence.Sizer.
func (s *Store) DiskUse() (int64, error) {
	n, err := diskUse(s.space.dir)
	if err != nil {
		return 0, fmt.Errorf("persistence: measure the store: %w", err)
	}
	return n, nil
}

// diskUse is what the files of a store take of the disk.
func diskUse(dir string) (n int64, err error) {
	list, err := os.ReadDir(dir)
	if err != nil {
		return 0, err
	}
	for _, e := range list {
		info, err := e.Info()
		switch {
		case errors.Is(err, fs.ErrNotExist): // Badger deletes a table when it likes
		case err != nil:
			return 0, err
		case info.Mode().IsRegular():
			n += allocated(info)
		}
	}
	return n, nil
}

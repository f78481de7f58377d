package badgerstore

import (
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"strings"

	"github.com/dgraph-io/badger/v4"

	"github.com/mtfleet/mtfleet/persistence"
)

// opened is a store's database with its head.
type opened struct {
	lock  *dirLock
	space *space
	db    *badger.DB
	owner persistence.Owner
	chain *chain
	moved bool              // it was adopted
	move  *persistence.Move // that it has
}

// close keeps the lock where the database was left as it is: this process still
// has its files.
func (o *opened) close() error {
	var err error
	if o.chain != nil && o.chain.file != nil {
		err = o.chain.file.close()
	}
	if o.db != nil {
		err = errors.Join(err, closeDB(o.db, o.space))
	} else if o.space != nil {
		o.space.end()
	}
	if o.lock != nil && !errors.As(err, new(*persistence.CloseError)) {
		err = errors.Join(err, o.lock.release())
	}
	return err
}

// openChecked opens the database of a store that holds what it should. The
// directory exists. log is not nil.
func openChecked(o Options, s *sealer, log *slog.Logger, sp *space) (to *opened, err error) {
	to = &opened{space: sp}
	defer func() {
		if err != nil {
			err = errors.Join(err, to.close())
		}
	}()
	d, err := newDigester(o.Key)
	if err != nil {
		return to, err
	}
	if to.lock, err = lockDir(o.Dir); err != nil {
		return to, err
	}
	if err = finishRewrite(o.Dir); err != nil {
		return to, err
	}
	if to.move, err = readMove(o.Dir); err != nil {
		return to, err
	}
	if !o.Moved && !o.Adopt {
		if err = movedError(o.Dir, to.move); err != nil {
			return to, err
		}
	}
	if err = sp.prepare(); err != nil {
		return to, err
	}
	tellModes(o.Dir, log)
	var in inspection
	if !o.noHead {
		if in, err = inspect(o, s, d); err != nil {
			return to, err
		}
	}
	to.moved = in.moved
	unused, err := tidy(o.Dir)
	if err != nil {
		return to, fmt.Errorf("persistence: open store: %w", err)
	}
	if len(unused) > 0 {
		log.Warn("files without anything of the store were put aside", "store", o.Dir, "files", unused)
	}
	if to.db, err = openBadger(o, sp); err != nil {
		return to, in.openError(o.Dir, s, err)
	}
	_ = sp.wait() // for old logs to become tables; what is missing then, commits are told
	if to.owner, err = prepare(to.db, s, o); err != nil {
		return to, err
	}
	if o.first != nil && in.verdict == isNew {
		to.owner.Epoch = o.first.epoch // the next claim writes it
	}
	if o.noHead {
		return to, nil
	}
	to.chain = &chain{digest: d}
	if to.chain.at, err = in.begin(to.db, s, log, o); err != nil {
		return to, err
	}
	if to.chain.file, err = in.headFile(o.Dir, s, to.chain.at); err != nil {
		return to, err
	}
	if o.Adopt && to.move != nil { // at the end: a start that failed adopted nothing
		to.move, to.moved = nil, true
		err = adoptMoved(o.Dir)
	}
	return to, err
}

// openBadger opens the database. Badger is given files that were read before, so
// a panic of its own is as unlikely as an error; it is made one.
func openBadger(o Options, sp *space) (db *badger.DB, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%v", p)
		}
	}()
	return badger.Open(badgerOptions(o).WithBypassLockGuard(ownLock).WithLogger(badgerLogger{o.Logger, sp}))
}

// openError tells a store that Badger does not take from a machine that does not
// let it be opened.
func (in inspection) openError(dir string, s *sealer, err error) error {
	text := err.Error()
	for _, machine := range []string{"no space left", "permission denied", "read-only file system", "too many open files", "cannot allocate memory", "directory lock", "quota exceeded"} {
		if strings.Contains(text, machine) {
			return openError(dir, err)
		}
	}
	top, _ := in.slots.top()
	f := finding{verdict: isDamaged, why: "the database does not open: " + text, should: top}
	return f.describe(dir, in.evidence, readCopy(dir, s))
}

// begin returns the head to go on from, and makes one where there was none. What
// was mended is told in the log.
func (in inspection) begin(db *badger.DB, s *sealer, log *slog.Logger, o Options) (head, error) {
	dir := o.Dir
	if in.verdict == isNew && o.first != nil {
		return *o.first, putHead(db, s, *o.first)
	}
	if in.verdict == isNew || in.verdict == isOlder {
		h := head{after: in.found, place: in.place}
		if _, err := rand.Read(h.id[:]); err != nil {
			return h, err
		}
		if in.verdict == isOlder {
			log.Info("the store of an earlier version was taken over: from now on it is known what it should hold", "store", dir, "holds", in.found.tally().String())
		}
		h.commit = 1
		return h, putHead(db, s, h)
	}
	h, err := storedHead(db, s)
	if err != nil {
		return h, err
	}
	if h.commit != in.stored.commit || h.after != in.stored.after {
		return h, &persistence.DamagedError{Dir: dir, Why: "the database opened at another commit than its files have",
			Commit: in.stored.commit, Should: in.stored.after.tally(), FoundCommit: h.commit, Found: h.after.tally()}
	}
	h.place = in.place
	if in.verdict == isHeadless {
		log.Warn("the store is whole; its HEAD was written anew", "store", dir, "why", in.why, "commit", h.commit, "holds", h.after.tally().String())
	}
	if in.found != h.after {
		// Records that say by themselves that they are broken. The head counts
		// them as they are from now on, or their repair would look like damage.
		log.Warn("records cannot be read: their accounts say so", "store", dir, "records", in.broken)
		h.commit, h.before, h.after = h.commit+1, h.after, in.found
		if err := putHead(db, s, h); err != nil {
			return h, err
		}
	}
	if in.moved {
		log.Warn("the store was adopted: it lies elsewhere than before", "store", dir, "id", h.id.String())
	}
	return h, nil
}

// headFile opens the HEAD file. Where the newest slot is not the store's head, by
// a kill between two writes, it is written in place, which needs no room; where
// the file is gone, damaged, or says another place, it is made anew.
func (in inspection) headFile(dir string, s *sealer, at head) (*headFile, error) {
	fail := func(err error) error { return fmt.Errorf("persistence: write the store's head: %w", err) }
	at.state = headDone
	if in.verdict != isWhole || in.moved {
		f, err := createHeadFile(dir, s, at)
		if err != nil {
			return nil, fail(err)
		}
		return f, nil
	}
	f, err := openHeadFile(dir, s)
	if err != nil {
		return nil, fail(err)
	}
	if top, _ := in.slots.top(); top != at {
		if err := errors.Join(f.write(at), f.sync()); err != nil {
			return nil, fail(errors.Join(err, f.f.Close()))
		}
	}
	return f, nil
}

func storedHead(db *badger.DB, s *sealer) (h head, err error) {
	err = db.View(func(txn *badger.Txn) error { h, err = headOf(txn, s); return err })
	return h, err
}

func headOf(txn *badger.Txn, s *sealer) (h head, err error) {
	item, err := txn.Get([]byte(headName))
	if err != nil {
		return h, fmt.Errorf("persistence: read the store's head: %w", err)
	}
	err = item.Value(func(b []byte) (err error) { h, err = s.openHead(headKey, b); return err })
	return h, err
}

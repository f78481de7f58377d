package badgerstore

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/dgraph-io/badger/v4"
	"github.com/dgraph-io/badger/v4/options"

	"github.com/mtfleet/mtfleet/persistence"
	"github.com/mtfleet/mtfleet/persistence/seal"
)

// Options says what to open.
type Options struct {
	// Dir is the store's directory. It is made, with mode 0700, when it does
	// not exist.
	Dir string
	// Key is the master key, and KeySource where it came from, for the error
	// when it is the wrong one; see LoadMasterKey.
	Key       seal.MasterKey
	KeySource seal.KeySource
	// Adopt takes a store that lies elsewhere than it was used last: a copy, a
	// restored backup, a directory that was moved. Only who knows that no other
	// process uses the same store may set it; without it, opening such a store
	// is a *persistence.CopiedError.
	Adopt bool
	// Moved opens a store that was copied to another one, for who goes on with the
	// copy; see Store.Moved. Without it, and without Adopt, which takes it back, that
	// is a *persistence.MovedError.
	Moved bool
	// Logger is told what was mended when the store was opened, and gets Badger's
	// own messages, at one level below their own. Nil discards them.
	Logger *slog.Logger

	// first is the head that a new store begins with, in place of one with a new
	// id; see Restore and Rewrite.
	first *head

	// For tests and benchmarks.
	noHead    bool          // leave the head and the copy out
	copyDelay time.Duration // instead of copyDelay; negative for never but at the end
	reached   func(step)    // see chain
	disk      disk          // zero is the real one
}

// Store is a persistence.Store on a local disk.
type Store struct {
	db     *badger.DB
	sealer *sealer
	opened *opened
	keeper *keeper // nil without a head
	space  *space
	// How long callers and Close wait for the disk.
	commitWait, closeWait time.Duration

	// mu makes Close wait for those who are about to post a request or to
	// read; the committer does not take it.
	mu     sync.RWMutex
	closed bool // guarded by mu

	requests chan *request
	done     chan struct{} // closed when the committer has ended
	ended    chan struct{} // closed when everything has, or was left as it is

	closing  <-chan struct{} // closed by endReads when Close begins, for who reads for long
	endReads func()
}

var _ persistence.Store = (*Store)(nil)

// maxQueue is how many commits wait for the committer before further callers
// block: enough to fill several transactions, and at about 300 bytes each plus
// their records (2.5 KB for a sign-in) about 3 MB.
const maxQueue = 1024

// Open opens the store, or makes it. It blocks while Badger replays its log,
// about a second after a crash. The error is a *persistence.LockedError, a
// *persistence.MasterKeyError, a *persistence.VersionError for a store of a
// newer program, a *persistence.DamagedError for one that does not hold what it
// should, a *persistence.CopiedError for one that lies elsewhere than before, a
// *persistence.MovedError for one that was copied to another store, or Badger's own.
func Open(o Options) (*Store, error) {
	if o.Dir == "" {
		return nil, &persistence.InvalidError{Reason: "the store has no directory"}
	}
	sealer, err := newSealer(o.Key)
	if err != nil {
		return nil, fmt.Errorf("persistence: open store: %w", err)
	}
	log := o.Logger
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	if o.disk.usage == nil {
		o.disk = realDisk()
	}
	space := newSpace(o.Dir, o.disk, log)
	if err := os.MkdirAll(o.Dir, 0o700); err != nil {
		return nil, space.refused("to make the store's directory", logSize+reserveSize, usage{}, err)
	}
	to, err := openChecked(o, sealer, log, space)
	if err != nil {
		return nil, err
	}
	s := &Store{
		db: to.db, sealer: sealer, opened: to, space: space, commitWait: commitWait, closeWait: closeWait,
		requests: make(chan *request, maxQueue), done: make(chan struct{}), ended: make(chan struct{}),
	}
	reads, endReads := context.WithCancel(context.Background())
	s.closing, s.endReads = reads.Done(), endReads
	c := &committer{db: to.db, sealer: sealer, owner: to.owner, chain: to.chain, room: space.room}
	if to.chain != nil {
		s.keeper = startKeeper(&keeper{
			dir: o.Dir, db: to.db, sealer: sealer, digest: to.chain.digest, head: to.chain.file, log: log, delay: o.copyDelay,
			from: to.chain.at.commit, room: space.spare,
		})
		to.chain.told, to.chain.reached = s.keeper.committed, o.reached
	}
	go func() {
		defer close(s.done)
		c.run(s.requests)
	}()
	return s, nil
}

// badgerOptions trades throughput we do not need for memory.
func badgerOptions(o Options) badger.Options {
	return badger.DefaultOptions(o.Dir).
		WithSyncWrites(true).
		WithDetectConflicts(false).             // one writer
		WithLogger(badgerLogger{to: o.Logger}). // Badger's own writes to stderr
		WithMemTableSize(8 << 20).WithNumMemtables(2).
		WithBaseTableSize(4 << 20).WithBaseLevelSize(16 << 20).
		WithNumLevelZeroTables(1). // a small disk has no room for two of the same records
		WithNumLevelZeroTablesStall(6).WithNumCompactors(2).
		WithBlockCacheSize(16 << 20).WithIndexCacheSize(16 << 20).
		WithCompression(options.None). // sealed data does not compress
		WithValueLogFileSize(1 << 20). // the least: no value is so long that it goes there
		WithMetricsEnabled(false)
}

func openError(dir string, err error) error {
	// Badger's lock error has no type of its own.
	if strings.Contains(err.Error(), "Cannot acquire directory lock") {
		return lockedError(dir)
	}
	return fmt.Errorf("persistence: open store in %s: %w", dir, err)
}

func lockedError(dir string) error {
	e := &persistence.LockedError{Dir: dir}
	if b, err := os.ReadFile(filepath.Join(dir, "LOCK")); err == nil {
		e.PID, _ = strconv.Atoi(strings.TrimSpace(string(b)))
	}
	return e
}

// prepare checks the master key and reads the owner. A store without a check
// record is new, or was not finished making: then it has no records either, and
// inspect found nothing beside it that says otherwise.
func prepare(db *badger.DB, s *sealer, o Options) (owner persistence.Owner, err error) {
	dir, fresh := o.Dir, false
	err = db.View(func(txn *badger.Txn) error {
		_, err := readOwn(txn, s, checkKey)
		switch {
		case errors.Is(err, badger.ErrKeyNotFound) && !anyRecord(txn):
			fresh = true
			return nil
		case errors.Is(err, badger.ErrKeyNotFound):
			return &persistence.DamagedError{Dir: dir, Why: "it has records but no check record"}
		case isCorrupt(err):
			return wrongKey(o)
		case err != nil:
			return fmt.Errorf("the store in %s: %w", dir, err)
		}
		rec, err := readOwn(txn, s, ownerKey)
		if errors.Is(err, badger.ErrKeyNotFound) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("the store in %s: %w", dir, err)
		}
		owner, err = decodeOwner(rec)
		return err
	})
	if err != nil || !fresh {
		return owner, err
	}
	value, err := s.Seal(checkRecord())
	if err != nil {
		return owner, err
	}
	return owner, db.Update(func(txn *badger.Txn) error { return txn.Set([]byte(checkName), value) })
}

func checkRecord() persistence.Record {
	return persistence.Record{Key: checkKey, Version: 1, Data: []byte("mtfleet")}
}

// Adopted tells whether the store was taken from elsewhere when it was opened, or
// back after a move, by Options.Adopt.
func (s *Store) Adopted() bool { return s.opened.moved }

// readOwn reads one of the store's own values; its name is the key's sub.
func readOwn(txn *badger.Txn, s *sealer, k persistence.Key) (persistence.Record, error) {
	item, err := txn.Get([]byte(k.Sub))
	if err != nil {
		return persistence.Record{}, err
	}
	var r persistence.Record
	err = item.Value(func(b []byte) (err error) {
		r, err = s.Open(k, b)
		return err
	})
	return r, err
}

func anyRecord(txn *badger.Txn) bool {
	it := txn.NewIterator(badger.IteratorOptions{Prefix: []byte(recordPrefix)})
	defer it.Close()
	it.Rewind()
	return it.Valid()
}

func isCorrupt(err error) bool {
	var ce *persistence.CorruptError
	return errors.As(err, &ce)
}

func encodeOwner(o persistence.Owner) persistence.Record {
	data := binary.LittleEndian.AppendUint64(nil, o.Epoch)
	return persistence.Record{Key: ownerKey, Version: 1, Data: append(data, o.Node...)}
}

func decodeOwner(r persistence.Record) (persistence.Owner, error) {
	if len(r.Data) < 8 {
		return persistence.Owner{}, &persistence.CorruptError{Key: ownerKey, Why: "it is too short"}
	}
	return persistence.Owner{Epoch: binary.LittleEndian.Uint64(r.Data), Node: string(r.Data[8:])}, nil
}

// view runs f in a read-only transaction unless the store is closed.
func (s *Store) view(f func(*badger.Txn) error) error {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.closed {
		return persistence.ErrClosed
	}
	return reading(s.space.dir, func() error { return s.db.View(f) })
}

// Accounts implements persistence.Store. It reads key names only, about 0.4 s
// for 100,000 accounts, and skips from one account to the next.
func (s *Store) Accounts() (ids []persistence.AccountID, err error) {
	err = s.view(func(txn *badger.Txn) error {
		prefix := []byte(recordPrefix)
		it := txn.NewIterator(badger.IteratorOptions{Prefix: prefix})
		defer it.Close()
		for it.Seek(prefix); it.Valid(); {
			k, ok := parseName(it.Item().Key())
			if !ok {
				it.Next()
				continue
			}
			if !k.Account.Shared() {
				ids = append(ids, k.Account)
			}
			// Behind everything that begins with "r/<account>/".
			next := accountPrefix(k.Account)
			next[len(next)-1]++
			it.Seek(next)
		}
		return nil
	})
	slices.Sort(ids) // '-' and '.' come before the '/' that ends a name
	return ids, err
}

// Load implements persistence.Store.
func (s *Store) Load(id persistence.AccountID) (records []persistence.Record, err error) {
	if err := persistence.CheckOwnerID(id); err != nil {
		return nil, err
	}
	var bad []error
	err = s.view(func(txn *badger.Txn) error {
		prefix := accountPrefix(id)
		it := txn.NewIterator(badger.IteratorOptions{Prefix: prefix}) // values lie beside their keys; a prefetch would read them on other goroutines
		defer it.Close()
		for it.Seek(prefix); it.Valid(); it.Next() {
			k, ok := parseName(it.Item().Key())
			if !ok {
				continue
			}
			var r persistence.Record
			err := it.Item().Value(func(b []byte) (err error) {
				r, err = s.sealer.Open(k, b)
				return err
			})
			if err == nil {
				records = append(records, r)
			} else {
				bad = append(bad, unreadable(k, err))
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return records, persistence.JoinRecords(bad...)
}

// Commit implements persistence.Store. Sealing happens on the caller's
// goroutine, writing on the committer's.
func (s *Store) Commit(c persistence.Commit) error {
	if err := c.Check(); err != nil {
		return err
	}
	r := &request{commit: c, entries: make([]*badger.Entry, len(c.Put)), done: make(chan error, 1)}
	for i, rec := range c.Put {
		value, err := s.sealer.Seal(rec)
		if err != nil {
			return err
		}
		r.entries[i] = badger.NewEntry(recordName(rec.Key), value)
	}
	return s.post(r)
}

// Claim implements persistence.Store.
func (s *Store) Claim(node string) (persistence.Owner, error) {
	if err := persistence.CheckNode(node); err != nil {
		return persistence.Owner{}, err
	}
	r := &request{claim: node, done: make(chan error, 1)}
	if err := s.post(r); err != nil {
		return persistence.Owner{}, err
	}
	return r.owner, nil
}

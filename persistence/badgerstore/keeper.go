package badgerstore

import (
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/dgraph-io/badger/v4"
)

// When the copy is written: a second after a change, so that the commits of one
// sign-in are one copy, then not for five seconds, or for twenty times as long as
// the last one took where that is longer. So it lags six seconds behind a store
// of up to 12,000 accounts and costs a twentieth of one core at most.
const (
	copyDelay = time.Second
	copyGap   = 5 * time.Second
	copyShare = 20
)

// keeper writes the copy, and makes the last mark of the HEAD file durable when
// no later commit does. It is one goroutine, from start to stop.
type keeper struct {
	dir    string
	db     *badger.DB
	sealer *sealer
	digest *digester
	head   *headFile
	log    *slog.Logger
	delay  time.Duration
	from   uint64 // the commit at which the store was opened
	// room tells whether the disk has room for a copy of about that many bytes,
	// which must not take what a commit needs. Nil is yes.
	room func(bytes int64) error

	told   string        // the failure that was logged last
	wanted atomic.Bool   // a record of the copy changed
	any    atomic.Bool   // any record changed
	wake   chan struct{} // buffered, one
	quit   chan struct{}
	done   chan struct{}
}

func startKeeper(k *keeper) *keeper {
	if k.delay == 0 {
		k.delay = copyDelay
	}
	k.wake, k.quit, k.done = make(chan struct{}, 1), make(chan struct{}), make(chan struct{})
	go func() { defer close(k.done); k.run() }()
	return k
}

// committed tells the keeper of a commit; it does not block.
func (k *keeper) committed(copyWanted bool) {
	k.any.Store(true)
	if copyWanted {
		k.wanted.Store(true)
	}
	select {
	case k.wake <- struct{}{}:
	default:
	}
}

func (k *keeper) run() {
	if !k.sleep(k.delay) {
		return
	}
	// A copy that was damaged, or that a kill left behind, is written anew.
	if !copyIsWhole(k.dir, k.sealer, k.from) {
		k.wanted.Store(true)
	}
	for {
		if err := k.head.sync(); err != nil {
			k.log.Warn("the store's head could not be synced", "store", k.dir, "error", err)
		}
		if k.wanted.Swap(false) {
			begun := time.Now()
			k.write()
			if !k.sleep(max(copyGap, copyShare*time.Since(begun))) {
				return
			}
		}
		select {
		case <-k.wake:
		case <-k.quit:
			return
		}
		if !k.sleep(k.delay) {
			return
		}
	}
}

// write writes the copy. It is a second line of defence: where it fails, on a
// full disk say, the store goes on, and the next change tries again.
func (k *keeper) write() {
	k.any.Store(false)
	err := k.mayWrite()
	if err == nil {
		err = writeCopy(k.dir, k.db, k.sealer, k.digest)
	}
	if err != nil {
		k.any.Store(true)
		k.wanted.Store(true)
		k.tell(err)
		return
	}
	k.told = ""
	k.log.Debug("the store's sealed copy was written")
}

// tell logs a failure once, until it changes or ends.
func (k *keeper) tell(err error) {
	switch text := err.Error(); {
	case text == k.told:
	case errors.Is(err, errLost):
		k.told = text
		k.log.Error("the store's files were harmed while it was open", "store", k.dir, "error", err)
	default:
		k.told = text
		k.log.Warn("the store's sealed copy was not written", "store", k.dir, "error", err)
	}
}

// mayWrite asks for the room of the copy there is, and an eighth more.
func (k *keeper) mayWrite() error {
	if k.room == nil {
		return nil
	}
	var size int64
	if info, err := os.Stat(filepath.Join(k.dir, copyFileName)); err == nil {
		size = info.Size()
	}
	return k.room(size + size/8)
}

func (k *keeper) sleep(d time.Duration) bool {
	if d < 0 {
		<-k.quit
		return false
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-k.quit:
		return false
	}
}

// stop ends the keeper after a last copy, if anything changed since the one
// before. Nothing may be committed any more.
func (k *keeper) stop() {
	close(k.quit)
	<-k.done
	if k.any.Load() {
		k.write()
	}
}

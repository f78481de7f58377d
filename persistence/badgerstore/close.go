package badgerstore

import (
	"fmt"
	"time"

	"github.com/dgraph-io/badger/v4"

	"github.com/mtfleet/mtfleet/persistence"
)

const (
	// commitWait is how long a caller waits for the disk: a rotational one under
	// load takes a second. Beyond it the disk hangs; the commit may still be
	// written when it comes back.
	commitWait = 30 * time.Second
	// closeWait bounds Close: commits under way, and a table of at most 9.7 MB.
	closeWait = 5 * time.Second
)

func hangs(d time.Duration) error { return fmt.Errorf("the disk has not answered for %v", d) }

// closeDB closes the database, which turns its log into a table. Where there is
// no room for that, or no directory, Badger would be killed or try for ever: then
// it is left as it is, and the log stays what the next start reads.
func closeDB(db *badger.DB, sp *space) error {
	if db.IsClosed() {
		sp.end()
		return nil
	}
	if err := sp.wait(); err != nil && !sp.nothingToFlush(err) {
		sp.leave()
		return &persistence.CloseError{Dir: sp.dir, Err: err}
	}
	defer sp.end()
	if err := db.Close(); err != nil {
		return fmt.Errorf("persistence: close store: %w", err)
	}
	return sp.deleteEmptyLogs()
}

// post hands a request to the committer and waits for its answer.
func (s *Store) post(r *request) error {
	late := time.NewTimer(s.commitWait)
	defer late.Stop()
	if err := s.enqueue(r, late.C); err != nil {
		return err
	}
	select {
	case err := <-r.done:
		return err
	case <-late.C:
		return &persistence.WriteError{Err: hangs(s.commitWait)}
	}
}

func (s *Store) enqueue(r *request, late <-chan time.Time) error {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.closed {
		return persistence.ErrClosed
	}
	select {
	case s.requests <- r:
		return nil
	case <-late:
		return &persistence.DiskError{Dir: s.space.dir, Doing: "waiting for earlier commits", Err: hangs(s.commitWait)}
	}
}

// Probe implements persistence.Prober: it looks at the disk as the committer does
// before each transaction, and writes a few bytes.
func (s *Store) Probe() (persistence.Room, error) { return s.space.look() }

// Close implements persistence.Store: commits that were accepted are written and
// answered before it returns. It returns a *persistence.CloseError, within five
// seconds, where the disk is full, gone or hangs.
func (s *Store) Close() error {
	result := make(chan error, 1)
	go func() { result <- s.close() }()
	late := time.NewTimer(s.closeWait)
	defer late.Stop()
	select {
	case err := <-result:
		return err
	case <-late.C:
		return &persistence.CloseError{Dir: s.space.dir, Err: hangs(s.closeWait)}
	}
}

func (s *Store) close() error {
	s.endReads()
	s.mu.Lock()
	again := s.closed
	if !again {
		s.closed = true
		close(s.requests)
	}
	s.mu.Unlock()
	if again {
		<-s.ended
		return nil
	}
	defer close(s.ended)
	<-s.done
	if s.keeper != nil {
		s.keeper.stop()
	}
	return s.opened.close()
}

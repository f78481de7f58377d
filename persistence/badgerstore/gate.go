package badgerstore

import (
	"errors"
	"os"
	"path/filepath"
	"time"

	"github.com/mtfleet/mtfleet/persistence"
)

// gate stops a compaction before it makes a table, until a file can be made at
// all: Badger takes a table that it could not make for an empty one, and forgets
// the records that should be in it. Commits are refused meanwhile. Blocks are
// waited for when the file is there (mapping).
func (s *space) gate() {
	for s.mayMerge() != nil {
		s.pause()
	}
}

func (s *space) mayMerge() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.waits = s.fileCanBeMade(); s.waits == nil {
		s.merged = time.Now()
	}
	return s.waits
}

func (s *space) fileCanBeMade() error {
	const doing = "to merge its tables"
	u, err := s.disk.usage(s.dir)
	if err != nil {
		return s.failed("looking at the disk", err)
	}
	if u.inodes >= 0 && u.inodes < inodesLeast {
		return &persistence.FullError{Dir: s.dir, Free: u.inodes, Needed: inodesLeast, Inodes: true, Doing: doing}
	}
	probe := filepath.Join(s.dir, "probe.tmp")
	f, err := os.OpenFile(probe, os.O_RDWR|os.O_CREATE, fileMode)
	if err == nil {
		err = errors.Join(f.Close(), os.Remove(probe))
	}
	if err != nil {
		return s.refused(doing, floor(u), u, err)
	}
	return nil
}

// flushFailed remembers that a log could not be turned into a table. The first
// failure of a row is to be logged.
func (s *space) flushFailed(err error) (first bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	first = s.flushErr == nil || time.Since(s.flushAt) > flushRetry
	s.flushErr, s.flushAt = err, time.Now()
	return first
}

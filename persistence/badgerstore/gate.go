package badgerstore

import (
	"errors"
	"os"
	"path/filepath"
	"time"

	"github.com/mtfleet/mtfleet/persistence"
)

// gate stops a merge before it makes a table, until there is room for it, and
// until a file can be made at all: Badger takes a table that it could not make for
// an empty one, and forgets the records that should be in it. It runs on the
// goroutine of the merge, which holds no lock there. Commits are refused meanwhile.
func (s *space) gate() {
	for s.mayMerge() != nil {
		s.pause()
	}
}

func (s *space) mayMerge() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	if now.Sub(s.merged) > settleWait {
		s.merging = 0
	}
	if s.waits = s.roomToMerge(); s.waits == nil {
		s.merging++
		s.merged = now
	}
	return s.waits
}

// roomToMerge: several tables are made at once, and what was let through within
// the last second counts as not there yet. All of them are no more than there are.
func (s *space) roomToMerge() error {
	const doing = "to merge its tables"
	u, err := s.disk.usage(s.dir)
	if err != nil {
		return s.failed("looking at the disk", err)
	}
	need := min((s.merging+1)*mergeSize, s.tables+s.tables/8) + floorLeast
	switch {
	case u.free < 0 || u.free >= need:
	case u.free+s.held >= need:
		s.giveUp()
	default:
		return &persistence.FullError{Dir: s.dir, Free: u.free, Needed: need, Doing: doing}
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
		return s.refused(doing, need, u, err)
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

package badgerstore

import (
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/mtfleet/mtfleet/persistence"
)

// Badger writes through memory maps of sparse files: where the disk has no block
// for a page, the process is killed by SIGBUS, which no Go code can catch. So
// what is mapped gets its blocks as early as can be, and nothing is begun that
// may need more than there is:
//
//   - the next log (NNNNN.mem) lies ready, empty and with all its blocks, before a
//     transaction is written: Badger takes an empty file for a new one. So a
//     commit needs no block that is not there already. An empty log is no log to
//     Badger's Open, so Open and Close delete it.
//   - a table (NNNNNN.sst) is made by Badger without a step between its making and
//     its first page. Before a transaction that may change logs, and before a merge
//     makes a table, there must be room for it above the floor. A watcher gives
//     it its blocks some tens of microseconds after it was made, those of a reserve
//     file where there are no others.
//   - MANIFEST has some beyond its end: half an entry in it makes a store that does
//     not open.
//
// What is left: others write the floor and a table, 14 to 74 MB, in the time from
// our look to the end of a flush, which is 50 to 100 ms for each 8 MB of commits,
// and only while the watcher is late for the pages. At 1 GB/s into the page cache
// that is possible with a disk of 64 MB, and hardly with one of 4 GB.
const (
	// logSize is how much of a log is written at most: Badger changes it at
	// 8 MB (MemTableSize), looks before each transaction, and one has 15 % of that
	// at most, and 26 bytes for each of its 13,000 entries: 9.7 MB.
	logSize = 10 << 20
	// reserveSize: the table of a whole log.
	reserveSize = logSize
	// manifestAhead: an entry has about 30 bytes, a change of tables a few.
	manifestAhead = 64 << 10
	// changeAt is what must be in a log before Badger may change it (MemTableSize);
	// entryCost is what an entry takes at most in it beside key and value, in the
	// file or in the index in memory.
	changeAt  = 8 << 20
	entryCost = 140
	// mergeSize is a table that a merge makes: 4 MB, 8 on a level below the first.
	mergeSize = 8 << 20
	// headSize is what a new log has when Badger opens the store; it gets the rest
	// before the first commit, when the old logs are gone.
	headSize = 1 << 20

	floorLeast, floorMost = 4 << 20, 64 << 20
	floorShare            = 64 // of the file system: a disk of 4 GB has the whole floor

	// inodesLeast: a change of logs makes two files, a compaction about a dozen.
	inodesLeast = 64

	// settleWait is how long a commit waits for room while a flush is about to
	// give some back.
	settleWait = time.Second
	// roomRetry is how often who waits for room looks again.
	roomRetry = 100 * time.Millisecond
	// settleEvery is how long a directory is not read again whose last change is
	// where it was: what that does not show, how long files are and a second change
	// in the grain of the clock, may be known so much later.
	settleEvery = time.Second
	// writeEvery is how often the reserve is written: it costs a sync as much as a
	// small commit.
	writeEvery = time.Second
	// flushRetry is how long a failed flush is remembered; Badger repeats it each
	// second.
	flushRetry = 3 * time.Second
)

// reserveName is a file of zeros in the store's directory; it may be deleted
// while no process has the store.
const reserveName = "RESERVE"

// usage is how full a file system is.
type usage struct {
	free, total int64 // bytes; free -1 when it is not known
	inodes      int64 // files that can still be made; -1 when there is no limit
	readOnly    bool
}

// disk is what the store asks of the operating system; tests put their own.
type disk struct {
	usage    func(dir string) (usage, error)
	allocate func(fd int, size int64) error // blocks for the first size bytes; the file's length stays
	write    func(f *os.File, b []byte, at int64) (int, error)
}

func realDisk() disk {
	return disk{usage: diskUsage, allocate: allocate, write: (*os.File).WriteAt}
}

// space looks after the room below one store.
type space struct {
	dir  string
	disk disk
	log  *slog.Logger

	stop    chan struct{} // closed at the end
	stopped sync.Once
	watched func() // ends the watcher and waits for it

	mu       sync.Mutex             // guards what follows
	made     fs.FileInfo            // the directory, as it was at Open
	old      map[string]fs.FileInfo // files that were there at Open: their mode is the operator's business
	reserve  *os.File               // nil until the store is open
	held     int64                  // of the reserve
	known    map[string]fs.FileInfo // files that have their mode and blocks
	sparse   bool                   // the file system cannot allocate
	logs     int                    // that hold something
	settled  time.Time              // when the directory was last read and all was well
	changed  time.Time              // when it had changed last, as of then
	wrote    bool                   // a transaction, into the present log or an earlier one
	tables   int64                  // bytes of all tables
	newest   int                    // number of the present log
	used     int64                  // of the present log, at most
	last     int64                  // what the last transaction took of it, at most
	merging  int64                  // tables let through by the gate a moment ago
	waits    error                  // what a merge waits for
	merged   time.Time              // when a compaction last made one
	writeErr error                  // of the last write into the reserve
	written  time.Time              // when that was
	flushErr error
	flushAt  time.Time
}

func newSpace(dir string, d disk, log *slog.Logger) *space {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return &space{dir: dir, disk: d, log: log, stop: make(chan struct{}), watched: func() {}, known: map[string]fs.FileInfo{}}
}

// prepare looks at the disk before Badger opens the store, and begins to watch.
func (s *space) prepare() error {
	info, err := os.Stat(s.dir)
	if err != nil {
		return s.failed("looking at the directory", err)
	}
	u, err := s.disk.usage(s.dir)
	if err != nil {
		return s.failed("looking at the disk", err)
	}
	entries, err := os.ReadDir(s.dir)
	if err != nil {
		return s.failed("reading the directory", err)
	}
	need := needToOpen(u, entries)
	switch {
	case u.readOnly:
		return s.failed("opening it", syscall.EROFS)
	case u.free >= 0 && u.free < need:
		return &persistence.FullError{Dir: s.dir, Free: u.free, Needed: need, Doing: "for the store to open"}
	case u.inodes >= 0 && u.inodes < inodesLeast:
		return &persistence.FullError{Dir: s.dir, Free: u.inodes, Needed: inodesLeast, Inodes: true, Doing: "for the store to open"}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.made, s.old = info, make(map[string]fs.FileInfo, len(entries))
	for _, e := range entries {
		f, err := e.Info()
		if err != nil {
			continue
		}
		s.old[e.Name()] = f
	}
	s.wrote = s.old[manifest] == nil // a new store begins with a record
	s.watched = watch(s.dir, s.appeared)
	if err := s.openReserve(os.O_RDWR); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return s.failed("opening its reserve", err)
	}
	return s.deleteEmptyLogs()
}

// needToOpen is what must be free: a new log, and a table of each old one, which
// is freed when its table is there, so one at a time; the reserve serves for that,
// and the empty log that is deleted. What is needed beyond that to take commits is
// looked at when the old logs are gone. A new store has two logs, the reserve and
// less than a megabyte else: 36 MB on a small file system, with the floor.
func needToOpen(u usage, entries []fs.DirEntry) int64 {
	var logs, empty, reserve int64
	fresh := true
	for _, e := range entries {
		f, err := e.Info()
		switch {
		case err != nil:
		case e.Name() == manifest:
			fresh = false
		case filepath.Ext(e.Name()) == ".mem" && f.Size() == 0:
			empty += allocated(f)
		case filepath.Ext(e.Name()) == ".mem":
			logs += min(f.Size(), logSize)
		case e.Name() == reserveName:
			reserve = min(allocated(f), reserveSize)
		}
	}
	if fresh {
		return 2*logSize + reserveSize + 1<<20 + floor(u)
	}
	return max(headSize+1<<20+max(0, min(logs, logSize)-reserve)-empty, 0) + floor(u)
}

// floor is how much must be free before anything is written.
func floor(u usage) int64 {
	return min(max(u.total/floorShare, floorLeast), floorMost)
}

// look tells whether a commit may be written now.
func (s *space) look() (persistence.Room, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.lookLocked()
}

func (s *space) lookLocked() (persistence.Room, error) {
	room := persistence.Room{Free: -1}
	now, err := os.Stat(s.dir)
	if err != nil {
		return room, s.failed("looking at the directory", err)
	}
	if !os.SameFile(now, s.made) {
		return room, s.failed("looking at the directory", errors.New("it is another one than at the start"))
	}
	u, err := s.disk.usage(s.dir)
	if err != nil {
		return room, s.failed("looking at the disk", err)
	}
	room = persistence.Room{Free: u.free, Needed: floor(u)}
	if u.readOnly {
		return room, s.failed("looking at the disk", syscall.EROFS)
	}
	if u.inodes >= 0 && u.inodes < inodesLeast {
		return room, &persistence.FullError{Dir: s.dir, Free: u.inodes, Needed: inodesLeast, Inodes: true}
	}
	if u.free >= 0 && u.free < room.Needed {
		return room, &persistence.FullError{Dir: s.dir, Free: u.free, Needed: room.Needed + reserveSize - s.held}
	}
	if s.stale(now) {
		if err := s.settle(u); err != nil {
			return room, err
		}
		s.settled, s.changed = time.Now(), now.ModTime()
	}
	if err := s.keepReserve(u); err != nil {
		return room, err
	}
	if s.waits != nil {
		return room, s.waits
	}
	if need := logSize + room.Needed; s.used >= changeAt && u.free >= 0 && u.free < need {
		return room, &persistence.FullError{Dir: s.dir, Free: u.free, Needed: need, Doing: "to change its log"}
	}
	if s.flushErr != nil && time.Since(s.flushAt) < flushRetry {
		return room, s.failed("writing a table", s.flushErr)
	}
	return room, nil
}

// stale tells whether the directory is to be read again: a file was made or
// deleted, or it is time. That Badger took the empty log for its next changes no
// directory, but it does not before the present one may be full.
func (s *space) stale(dir fs.FileInfo) bool {
	return s.used >= changeAt || s.flushErr != nil || s.waits != nil ||
		!dir.ModTime().Equal(s.changed) || time.Since(s.settled) > settleEvery
}

// wait is look, and where something is about to give room back, that is waited
// for.
func (s *space) wait() error {
	for end := time.Now().Add(settleWait); ; {
		_, err := s.look()
		var full *persistence.FullError
		if err == nil || !errors.As(err, &full) || !s.busy() || time.Now().After(end) {
			return err
		}
		select {
		case <-s.stop:
			return err
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// room is wait for the committer, which writes so many entries and bytes when
// there is some.
func (s *space) room(entries, size int64) error {
	err := s.wait()
	if err == nil {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.wrote = true
		s.last = size + entries*entryCost
		s.used += s.last
	}
	return err
}

// spare tells whether n bytes may be written that no commit needs.
func (s *space) spare(n int64) error {
	u, err := s.disk.usage(s.dir)
	if err != nil {
		return s.failed("looking at the disk", err)
	}
	if need := n + logSize + floor(u); u.free >= 0 && u.free < need {
		return &persistence.FullError{Dir: s.dir, Free: u.free, Needed: need, Doing: "for the sealed copy"}
	}
	return nil
}

// nothingToFlush tells whether Badger can be closed without making a table.
func (s *space) nothingToFlush(err error) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return errors.As(err, new(*persistence.FullError)) && !s.wrote && s.logs == 1 && s.waits == nil
}

// busy tells whether a log is being turned into a table, or tables were being
// merged a moment ago.
func (s *space) busy() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.waits == nil && (s.logs > 1 || time.Since(s.merged) < settleWait)
}

// isFull tells the errors of a full disk from those of a failing one.
func isFull(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT)
}

// refused is the error for what the system refused.
func (s *space) refused(doing string, need int64, u usage, err error) error {
	if !isFull(err) {
		return s.failed("writing "+strings.TrimPrefix(doing, "for "), err)
	}
	return &persistence.FullError{Dir: s.dir, Free: u.free, Needed: need, Doing: doing, Err: bare(err)}
}

func (s *space) failed(doing string, err error) error {
	return &persistence.DiskError{Dir: s.dir, Doing: strings.TrimSpace(doing), Err: bare(err)}
}

// bare is the system's own error, without a path that is named already.
func bare(err error) error {
	var pe *fs.PathError
	if errors.As(err, &pe) {
		return pe.Err
	}
	return err
}

// leave ends the waiting for room, by never going on: Badger is not closed.
func (s *space) leave() { s.stopped.Do(func() { close(s.stop) }) }

// end is for when Badger is closed.
func (s *space) end() {
	s.leave()
	s.watched()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.reserve != nil {
		_ = s.reserve.Close()
	}
}

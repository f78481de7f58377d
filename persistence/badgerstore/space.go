package badgerstore

import (
	"errors"
	"fmt"
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
// each mapped file gets its blocks before it is written, and nothing is begun
// that may need more than there is:
//
//   - a log (NNNNN.mem) when it is made, by the watcher and again by the
//     committer before its next transaction. Until the log is changed for the
//     next one no commit needs a further block.
//   - a table (NNNNNN.sst) when it is made, by the watcher, while Badger copies
//     into it. What a flush needs is kept in a reserve file, which is given up
//     where the disk has nothing else.
//   - MANIFEST beyond its end: half an entry in it makes a store that does not open.
//
// Below a floor of free space commits are refused. The floor is what others may
// write between our look at the disk and the watcher's allocation.
const (
	// logSize is how much of a log is written at most: Badger changes it at
	// 8 MB (MemTableSize), looks before each transaction, and one has 15 % of that
	// at most, and 26 bytes for each of its 13,000 entries: 9.7 MB.
	logSize = 10 << 20
	// reserveSize is what one change of logs needs: a table of a whole log, and of
	// the next log what the transaction that made it writes (1.6 MB).
	reserveSize = logSize + 2<<20
	// manifestAhead: an entry has about 30 bytes, a change of tables a few.
	manifestAhead = 64 << 10
	// compactionMost bounds what one compaction has written and not yet
	// exchanged for what it read: 13 tables of 4 MB at once.
	compactionMost = 64 << 20

	floorLeast, floorMost = 4 << 20, 64 << 20
	floorShare            = 64 // of the file system: a disk of 4 GB has the whole floor

	// inodesLeast: a change of logs makes two files, a compaction about a dozen.
	inodesLeast = 64

	// settleWait is how long a commit waits for room while a flush or a
	// compaction is about to give some back.
	settleWait = time.Second
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
	allocate func(f *os.File, size int64) error // blocks for the first size bytes; the file's length stays
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

	mu         sync.Mutex             // guards what follows
	made       fs.FileInfo            // the directory, as it was at Open
	old        map[string]fs.FileInfo // files that were there at Open: their mode is the operator's business
	reserve    *os.File               // nil until the store is open
	held       int64                  // of the reserve
	known      map[string]fs.FileInfo // files that have mode and blocks
	sparse     bool                   // the file system cannot allocate
	tables     int64                  // bytes of all tables
	logs       int
	compaction *persistence.FullError // what a compaction waits for
	flushErr   error
	flushAt    time.Time
}

func newSpace(dir string, d disk, log *slog.Logger) *space {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return &space{dir: dir, disk: d, log: log, stop: make(chan struct{}), watched: func() {}, known: map[string]fs.FileInfo{}}
}

// prepare looks at the disk before Badger opens the store: what its log holds
// becomes a table, there is a new log and the reserve, and the rest of a new
// store takes less than a megabyte.
func (s *space) prepare() error {
	info, err := os.Stat(s.dir)
	if err != nil {
		return s.failed("looking at the directory", err)
	}
	u, err := s.disk.usage(s.dir)
	if err != nil {
		return s.failed("looking at the disk", err)
	}
	need := int64(logSize+1<<20) + floor(u)
	entries, err := os.ReadDir(s.dir)
	if err != nil {
		return s.failed("reading the directory", err)
	}
	reserve := int64(reserveSize)
	for _, e := range entries {
		f, err := e.Info()
		if err != nil {
			continue
		}
		switch {
		case filepath.Ext(e.Name()) == ".mem":
			need += min(f.Size(), logSize)
		case e.Name() == reserveName:
			reserve -= min(f.Size(), reserve)
		}
	}
	need += reserve
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
		if filepath.Ext(e.Name()) == ".sst" {
			s.known[e.Name()] = f // was written whole
		}
	}
	return nil
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
	if err := s.settle(u); err != nil {
		return room, err
	}
	if err := s.keepReserve(u); err != nil {
		return room, err
	}
	if s.compaction != nil {
		return room, s.compaction
	}
	if s.flushErr != nil && time.Since(s.flushAt) < flushRetry {
		return room, s.failed("writing a table", s.flushErr)
	}
	return room, nil
}

// wait is look, for the committer: where something is about to give room back,
// that is waited for.
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

// busy tells whether a log is being turned into a table.
func (s *space) busy() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.logs > 1 && s.compaction == nil
}

// settle gives new files their mode and their blocks.
func (s *space) settle(u usage) error {
	entries, err := os.ReadDir(s.dir)
	if err != nil {
		return s.failed("reading the directory", err)
	}
	seen := make(map[string]fs.FileInfo, len(entries))
	s.tables, s.logs = 0, 0
	for _, e := range entries {
		name := e.Name()
		info, err := e.Info()
		if err != nil || !info.Mode().IsRegular() {
			continue // gone meanwhile, or not the store's
		}
		switch filepath.Ext(name) {
		case ".sst":
			s.tables += info.Size()
		case ".mem":
			s.logs++
		}
		if old := s.known[name]; old != nil && os.SameFile(old, info) && (name != manifest || info.Size() == old.Size()) {
			seen[name] = old
			continue
		}
		if err := s.adopt(name); err != nil {
			if errors.Is(err, fs.ErrNotExist) {
				continue
			}
			return s.refused("", manifestAhead+logSize, u, err)
		}
		seen[name] = info
	}
	if s.logs == 0 {
		return s.failed("looking for its log", errors.New("it is gone"))
	}
	s.known = seen
	return nil
}

const manifest = "MANIFEST"

// adopt gives one file its mode, and blocks for what Badger writes into it by a
// map. Where there are none left it takes the reserve's.
func (s *space) adopt(name string) error {
	f, err := os.OpenFile(filepath.Join(s.dir, name), os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if old := s.old[name]; info.Mode().Perm()&0o077 != 0 && (old == nil || !os.SameFile(old, info)) {
		_ = f.Chmod(fileMode) // Badger asks for 0666
	}
	size := info.Size()
	switch {
	case name == manifest:
		size += manifestAhead
	case filepath.Ext(name) == ".mem":
		size = min(size, logSize)
	case filepath.Ext(name) == ".sst":
	default:
		return nil
	}
	if size == 0 || s.sparse {
		return nil
	}
	err = s.disk.allocate(f, size)
	if isFull(err) && s.held > 0 {
		s.giveUp()
		err = s.disk.allocate(f, size)
	}
	if errors.Is(err, errors.ErrUnsupported) {
		s.sparse = true
		s.log.Warn("the file system cannot set room aside: if it fills up while the store writes, the process may be killed", "dir", s.dir)
		return nil
	}
	return err
}

const fileMode = 0o600

// giveUp frees the reserve for what Badger is about to write.
func (s *space) giveUp() {
	if s.reserve != nil && s.reserve.Truncate(0) == nil {
		s.held = 0
	}
}

// keepReserve fills the reserve up and writes a few bytes into it: a disk that
// takes none, because it fails or was made read-only, is found out here.
func (s *space) keepReserve(u usage) error {
	if s.reserve == nil {
		f, err := os.OpenFile(filepath.Join(s.dir, reserveName), os.O_RDWR|os.O_CREATE, fileMode)
		if err != nil {
			return s.refused("for its reserve", reserveSize, u, err)
		}
		s.reserve, s.held = f, 0
		_ = f.Chmod(fileMode)
	}
	if s.held < reserveSize {
		if u.free >= 0 && u.free < reserveSize-s.held+floor(u) {
			return &persistence.FullError{Dir: s.dir, Free: u.free, Needed: reserveSize - s.held + floor(u)}
		}
		if err := s.fillReserve(); err != nil {
			return s.refused("for its reserve", reserveSize, u, err)
		}
	}
	if _, err := s.disk.write(s.reserve, []byte("mtfleet\n"), 0); err != nil {
		return s.refused("", floor(u), u, err)
	}
	return nil
}

func (s *space) fillReserve() error {
	err := s.disk.allocate(s.reserve, reserveSize)
	if errors.Is(err, errors.ErrUnsupported) {
		zeros := make([]byte, 1<<20)
		for at := int64(0); at < reserveSize && err != nil; at += int64(len(zeros)) {
			if _, failed := s.reserve.WriteAt(zeros, at); failed != nil {
				return errors.Join(failed, s.reserve.Truncate(0))
			}
		}
		err = s.reserve.Sync()
	}
	if err == nil {
		err = s.reserve.Truncate(reserveSize)
	}
	if err != nil {
		_ = s.reserve.Truncate(0)
		return err
	}
	s.held = reserveSize
	return nil
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

// appeared is called by the watcher with the name of each new file. A table has
// its length some microseconds after its name.
func (s *space) appeared(name string) {
	switch filepath.Ext(name) {
	case ".sst", ".mem":
	default:
		return
	}
	for range 1000 {
		if info, err := os.Stat(filepath.Join(s.dir, name)); err != nil || info.Size() > 0 {
			break
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.adopt(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		s.log.Warn("a file of the store has not all of its room", "file", name, "err", err)
	}
}

// gate stops a compaction before it makes a table, until there is room for it,
// and until a file can be made at all: Badger takes a table that it could not
// make for an empty one, and forgets the records that should be in it. Commits
// are refused meanwhile.
func (s *space) gate() {
	for {
		err := s.mayCompact()
		if err == nil {
			return
		}
		select {
		case <-s.stop: // the process is about to end
			select {}
		case <-time.After(200 * time.Millisecond):
		}
	}
}

func (s *space) mayCompact() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	full := func(have, need int64, inodes bool, err error) error {
		s.compaction = &persistence.FullError{Dir: s.dir, Free: have, Needed: need, Inodes: inodes, Doing: "to merge its tables", Err: bare(err)}
		return s.compaction
	}
	u, err := s.disk.usage(s.dir)
	if err != nil {
		return full(-1, compactionMost, false, err)
	}
	need := min(s.tables+s.tables/8, compactionMost) + 1<<20
	if u.free >= 0 && u.free < need && u.free+s.held >= need {
		s.giveUp()
	} else if u.free >= 0 && u.free < need {
		return full(u.free, need, false, nil)
	}
	if u.inodes >= 0 && u.inodes < inodesLeast {
		return full(u.inodes, inodesLeast, true, nil)
	}
	probe := filepath.Join(s.dir, "probe.tmp")
	f, err := os.OpenFile(probe, os.O_RDWR|os.O_CREATE, fileMode)
	if err == nil {
		err = errors.Join(f.Close(), os.Remove(probe))
	}
	if err != nil {
		return full(u.free, need, false, err)
	}
	s.compaction = nil
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

// end stops what waits here.
func (s *space) end() {
	s.stopped.Do(func() {
		close(s.stop)
		s.watched()
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.reserve != nil {
			_ = s.reserve.Close()
		}
	})
}

// tellModes warns of files that other users can reach; they are left as they are.
func tellModes(dir string, log *slog.Logger) {
	if log == nil {
		return
	}
	var first string
	loose := 0
	check := func(path string, info fs.FileInfo) {
		if m := info.Mode().Perm(); m&0o077 != 0 {
			if loose++; first == "" {
				first = fmt.Sprintf("%s (mode %04o)", path, m)
			}
		}
	}
	if info, err := os.Stat(dir); err == nil {
		check(dir, info)
	}
	entries, _ := os.ReadDir(dir)
	for _, e := range entries {
		if info, err := e.Info(); err == nil && info.Mode().IsRegular() {
			check(filepath.Join(dir, e.Name()), info)
		}
	}
	if loose > 0 {
		log.Warn("other users can reach files of the store", "first", first, "files", loose, "advice", "run chmod -R go= "+dir)
	}
}

package badgerstore

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/mtfleet/mtfleet/persistence"
)

// Badger writes through memory maps of sparse files: where the disk has no block
// for a page, the process is killed by SIGBUS, which no Go code can catch. So
// each mapped file has its blocks before it is mapped, and nothing is begun that
// may need more than there is:
//
//   - the next log (NNNNN.mem) lies ready, empty and with all its blocks, before a
//     transaction is written: Badger takes an empty file for a new one. So a
//     commit needs no block that is not there already. An empty log is no log to
//     Badger's Open, so Open and Close delete it.
//   - a table (NNNNNN.sst) gets its blocks while it is mapped (mapping). Where there
//     are none it gets those of a reserve file, which is what a flush needs; else
//     whoever makes it waits there until there are.
//   - MANIFEST has some beyond its end: half an entry in it makes a store that does
//     not open.
//
// Below a floor of free space commits are refused, so that what is left serves
// to go on: flush, merge, close.
const (
	// logSize is how much of a log is written at most: Badger changes it at
	// 8 MB (MemTableSize), looks before each transaction, and one has 15 % of that
	// at most, and 26 bytes for each of its 13,000 entries: 9.7 MB.
	logSize = 10 << 20
	// reserveSize: the table of a whole log.
	reserveSize = logSize
	// manifestAhead: an entry has about 30 bytes, a change of tables a few.
	manifestAhead = 64 << 10
	// otherSize is what is written of the files that hold no records of ours, the
	// value log and DISCARD: their heads.
	otherSize = 4 << 10
	// compactionMost bounds what one compaction has written and not yet
	// exchanged for what it read: 13 tables of 4 MB at once.
	compactionMost = 64 << 20

	floorLeast, floorMost = 4 << 20, 64 << 20
	floorShare            = 64 // of the file system: a disk of 4 GB has the whole floor

	// inodesLeast: a change of logs makes two files, a compaction about a dozen.
	inodesLeast = 64

	// settleWait is how long a commit waits for room while a flush is about to
	// give some back.
	settleWait = time.Second
	// roomRetry is how often who waits for room looks again.
	roomRetry = 100 * time.Millisecond
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

	stop       chan struct{} // closed at the end
	stopped    sync.Once
	unregister func() // ends the calls of mapping

	mu       sync.Mutex             // guards what follows
	made     fs.FileInfo            // the directory, as it was at Open
	old      map[string]fs.FileInfo // files that were there at Open: their mode is the operator's business
	reserve  *os.File               // nil until the store is open
	held     int64                  // of the reserve
	known    map[string]fs.FileInfo // files that have their mode and blocks
	sparse   bool                   // the file system cannot allocate
	tables   int64                  // bytes of all tables
	logs     int                    // that hold something
	waits    error                  // what a table waits for
	merged   time.Time              // when a compaction last made one
	flushErr error
	flushAt  time.Time
}

func newSpace(dir string, d disk, log *slog.Logger) *space {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return &space{dir: dir, disk: d, log: log, stop: make(chan struct{}), unregister: func() {}, known: map[string]fs.FileInfo{}}
}

// prepare looks at the disk before Badger opens the store, and has what is
// mapped from then on come to mapping.
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
	var ok bool
	if s.unregister, ok = register(s); !ok {
		s.log.Debug("room cannot be set aside here: if the disk fills up while the store writes, the process may be killed", "dir", s.dir)
	}
	if err := s.openReserve(os.O_RDWR); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return s.failed("opening its reserve", err)
	}
	return s.deleteEmptyLogs()
}

// needToOpen is what must be free: a new log, and a table of each old one, which
// is freed when its table is there, so one at a time; the reserve serves for that.
// The rest of a new store takes less than a megabyte. What is needed beyond that
// to take commits is looked at when the old logs are gone.
func needToOpen(u usage, entries []fs.DirEntry) int64 {
	var logs, empty, reserve int64
	for _, e := range entries {
		f, err := e.Info()
		switch {
		case err != nil:
		case filepath.Ext(e.Name()) == ".mem" && f.Size() == 0:
			empty += allocated(f)
		case filepath.Ext(e.Name()) == ".mem":
			logs += min(f.Size(), logSize)
		case e.Name() == reserveName:
			reserve = min(allocated(f), reserveSize)
		}
	}
	return logSize + max(0, min(logs, logSize)-reserve) - empty + 1<<20 + floor(u)
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
	if s.waits != nil {
		return room, s.waits
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

// busy tells whether a log is being turned into a table, or tables were being
// merged a moment ago.
func (s *space) busy() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.waits == nil && (s.logs > 1 || time.Since(s.merged) < settleWait)
}

// settle gives new files their mode and their blocks.
func (s *space) settle(u usage) error {
	entries, err := os.ReadDir(s.dir)
	if err != nil {
		return s.failed("reading the directory", err)
	}
	seen := make(map[string]fs.FileInfo, len(entries))
	s.tables, s.logs = 0, 0
	newest, next := 0, false
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
			if info.Size() == 0 {
				next = true // or an old one that is being deleted: looked at again
				break
			}
			s.logs++
			n, _ := strconv.Atoi(strings.TrimSuffix(name, ".mem"))
			newest = max(newest, n)
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
	if _, err := os.Stat(s.logPath(newest + 1)); next && err == nil {
		return nil
	}
	if u.free >= 0 && u.free < logSize+floor(u) {
		return &persistence.FullError{Dir: s.dir, Free: u.free, Needed: logSize + floor(u)}
	}
	if err := s.readyLog(newest + 1); err != nil {
		return s.refused("", logSize+floor(u), u, err)
	}
	return nil
}

const manifest = "MANIFEST"

func (s *space) logPath(n int) string { return filepath.Join(s.dir, fmt.Sprintf("%05d.mem", n)) }

// readyLog makes the empty log that Badger takes next.
func (s *space) readyLog(n int) error {
	f, err := os.OpenFile(s.logPath(n), os.O_RDWR|os.O_CREATE, fileMode)
	if err != nil {
		return err
	}
	defer f.Close()
	chmod(int(f.Fd()))
	if err := s.blocks(int(f.Fd()), logSize, false); err != nil {
		_ = os.Remove(f.Name())
		return err
	}
	return nil
}

// deleteEmptyLogs deletes what readyLog made; Badger's Open fails with it.
func (s *space) deleteEmptyLogs() error {
	paths, _ := filepath.Glob(filepath.Join(s.dir, "*.mem"))
	for _, path := range paths {
		if info, err := os.Stat(path); err != nil || info.Size() > 0 {
			continue
		}
		if err := os.Remove(path); err != nil {
			return s.failed("deleting an empty log", err)
		}
	}
	return nil
}

// adopt gives a file that Badger made its mode, and MANIFEST some blocks.
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
		chmod(int(f.Fd())) // Badger asks for 0666
	}
	if name == manifest {
		return s.blocks(int(f.Fd()), info.Size()+manifestAhead, true)
	}
	return nil
}

// mapping is called before a file is mapped for writing, on the goroutine that
// does it. What is written by the map has its blocks when it returns. A table is
// waited for as long as it takes: Badger must not be told that it cannot be
// made, for a compaction would then forget the records in it.
func (s *space) mapping(fd int, name string, length int64) error {
	s.mu.Lock()
	old := s.old[name] != nil
	s.mu.Unlock()
	ext, need := filepath.Ext(name), int64(otherSize)
	switch {
	case ext == ".sst":
		need = length
	case old:
		return nil // is read, and cut where it ends
	case ext == ".mem":
		need = min(length, logSize)
	}
	if !old {
		chmod(fd)
	}
	for first := true; ; first = false {
		err := s.tableBlocks(fd, need, ext == ".sst")
		if err == nil || ext != ".sst" {
			return err
		}
		if first {
			s.log.Warn("a table of the store waits for room", "file", name, "bytes", need, "err", err)
		}
		s.pause()
	}
}

func (s *space) tableBlocks(fd int, need int64, table bool) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	err := s.blocks(fd, need, true)
	switch {
	case !table:
	case err == nil:
		s.waits = nil
	default:
		u, _ := s.disk.usage(s.dir)
		s.waits = s.refused("for a table", need+reserveSize+floor(u), u, err)
	}
	return err
}

// pause is what who waits for room does. At the end it does not return: what the
// process has not written then, it will not.
func (s *space) pause() {
	select {
	case <-s.stop:
		select {}
	case <-time.After(roomRetry):
	}
}

// blocks allocates the first size bytes of a file, from the reserve where there
// is nothing else.
func (s *space) blocks(fd int, size int64, reserved bool) error {
	if size == 0 || s.sparse {
		return nil
	}
	err := s.disk.allocate(fd, size)
	if reserved && isFull(err) && s.held > 0 {
		s.giveUp()
		err = s.disk.allocate(fd, size)
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
		if err := s.openReserve(os.O_RDWR | os.O_CREATE); err != nil {
			return s.refused("for its reserve", reserveSize, u, err)
		}
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

func (s *space) openReserve(flags int) error {
	f, err := os.OpenFile(filepath.Join(s.dir, reserveName), flags, fileMode)
	if err != nil {
		return err
	}
	info, err := f.Stat()
	if err != nil {
		return errors.Join(err, f.Close())
	}
	s.reserve, s.held = f, min(allocated(info), reserveSize) // a copy may have holes
	return nil
}

func (s *space) fillReserve() error {
	err := s.disk.allocate(int(s.reserve.Fd()), reserveSize)
	if errors.Is(err, errors.ErrUnsupported) { // by writing
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

// gate stops a compaction before it makes a table, until there is room for it,
// and until a file can be made at all: Badger takes a table that it could not
// make for an empty one, and forgets the records that should be in it. Commits
// are refused meanwhile.
func (s *space) gate() {
	for s.mayCompact() != nil {
		s.pause()
	}
}

func (s *space) mayCompact() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.waits = s.compactionRoom(); s.waits == nil {
		s.merged = time.Now()
	}
	return s.waits
}

func (s *space) compactionRoom() error {
	const doing = "to merge its tables"
	u, err := s.disk.usage(s.dir)
	if err != nil {
		return s.failed("looking at the disk", err)
	}
	need := min(s.tables+s.tables/8, compactionMost) + 1<<20
	if u.free >= 0 && u.free+s.held < need {
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

// end stops what waits here.
func (s *space) end() {
	s.stopped.Do(func() {
		close(s.stop)
		s.unregister()
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

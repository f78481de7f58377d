package badgerstore

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/mtfleet/mtfleet/persistence"
)

// settle gives new files their mode and their blocks.
func (s *space) settle(u usage) error {
	entries, err := os.ReadDir(s.dir)
	if err != nil {
		return s.failed("reading the directory", err)
	}
	seen := make(map[string]fs.FileInfo, len(entries))
	s.logs, s.tables = 0, 0
	newest, next := 0, false
	for _, e := range entries {
		name := e.Name()
		info, err := e.Info()
		if err != nil || !info.Mode().IsRegular() {
			continue // gone meanwhile, or not the store's
		}
		if filepath.Ext(name) == ".sst" {
			s.tables += info.Size()
		}
		if filepath.Ext(name) == ".mem" {
			if info.Size() == 0 {
				next = true // or an old one that is being deleted: looked at again
				continue
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
	if newest != s.newest { // the last transaction went into the new one
		s.newest, s.used = newest, s.last
	}
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

// adopt gives a file that Badger made its mode, and its blocks.
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
	switch {
	case name == manifest:
		return s.blocks(int(f.Fd()), info.Size()+manifestAhead, true)
	case filepath.Ext(name) == ".mem":
		return s.blocks(int(f.Fd()), min(info.Size(), logSize), false)
	}
	return nil
}

// appeared is called by the watcher with the name of each new file. A table gets
// its blocks while Badger begins to copy into it; where the disk has none, those
// of the reserve.
func (s *space) appeared(name string) {
	if filepath.Ext(name) != ".sst" {
		return // the committer looks after the others
	}
	f, err := os.OpenFile(filepath.Join(s.dir, name), os.O_RDWR, 0)
	if err != nil {
		return // gone
	}
	defer f.Close()
	chmod(int(f.Fd()))
	for range 1000 { // it has its length some microseconds after its name
		if info, err := f.Stat(); err == nil && info.Size() > 0 {
			s.tableBlocks(f, info.Size())
			return
		}
	}
}

func (s *space) tableBlocks(f *os.File, size int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if u, err := s.disk.usage(s.dir); err == nil && u.free >= 0 && u.free < size {
		s.giveUp() // first: to be refused takes milliseconds
	}
	if err := s.blocks(int(f.Fd()), size, true); err != nil {
		s.log.Warn("a table of the store has not all of its room", "file", f.Name(), "err", err)
	}
}

// pause is what a merge does that waits for room. At the end it does not return:
// what the process has not written then, it will not.
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
		s.log.Info("the file system cannot set room aside: if it fills up while the store writes, the process may be killed", "dir", s.dir)
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

// keepReserve fills the reserve up and writes a few bytes into it now and then: a
// disk that takes none, because it fails or was made read-only, is found out here.
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
	if s.writeErr == nil && time.Since(s.written) < writeEvery {
		return nil
	}
	_, s.writeErr = s.disk.write(s.reserve, []byte("mtfleet\n"), 0)
	s.written = time.Now()
	if s.writeErr != nil {
		return s.refused("", floor(u), u, s.writeErr)
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

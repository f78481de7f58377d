package badgerstore

import (
	"bytes"
	"errors"
	"math"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/mtfleet/mtfleet/persistence"
)

// smallDisk is a disk of 64 MB as far as the store asks.
type smallDisk struct {
	free, inodes atomic.Int64
	readOnly     atomic.Bool
	refusal      atomic.Value // of a write; an errno
}

func newSmallDisk() *smallDisk {
	d := &smallDisk{}
	d.free.Store(50 << 20)
	d.inodes.Store(1000)
	d.refusal.Store(syscall.Errno(0))
	return d
}

func (d *smallDisk) disk() disk {
	real := realDisk()
	real.usage = func(string) (usage, error) {
		return usage{free: d.free.Load(), total: 64 << 20, inodes: d.inodes.Load(), readOnly: d.readOnly.Load()}, nil
	}
	write := real.write
	real.write = func(f *os.File, b []byte, at int64) (int, error) {
		if e := d.refusal.Load().(syscall.Errno); e != 0 {
			return 0, e
		}
		return write(f, b, at)
	}
	return real
}

func oneRecord(id persistence.AccountID) persistence.Record {
	return persistence.Updates{Pts: 1}.Record(id)
}

func TestACommitIsRefusedWhileTheDiskHasNoRoomAndTakenAfterwards(t *testing.T) {
	tests := []struct {
		name     string
		bad, fix func(d *smallDisk)
		full     bool
		text     string
	}{
		{"full", func(d *smallDisk) { d.free.Store(1 << 20) }, func(d *smallDisk) { d.free.Store(50 << 20) }, true, "is full: 1.0 MB free, 4.2 MB needed: make room"},
		{"no inode", func(d *smallDisk) { d.inodes.Store(3) }, func(d *smallDisk) { d.inodes.Store(1000) }, true, "3 more files can be made"},
		{"read-only", func(d *smallDisk) { d.readOnly.Store(true) }, func(d *smallDisk) { d.readOnly.Store(false) }, false, "read-only"},
		{"quota", func(d *smallDisk) { d.refusal.Store(syscall.EDQUOT) }, func(d *smallDisk) { d.refusal.Store(syscall.Errno(0)) }, true, "quota"},
		{"failing", func(d *smallDisk) { d.refusal.Store(syscall.EIO) }, func(d *smallDisk) { d.refusal.Store(syscall.Errno(0)) }, false, "input/output error"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d := newSmallDisk()
			s, err := Open(Options{Dir: t.TempDir(), Key: testKey, disk: d.disk()})
			if err != nil {
				t.Fatal(err)
			}
			owner := claim(t, s)
			tt.bad(d)
			s.space.mu.Lock()
			s.space.written = time.Time{} // it is time to write again
			s.space.mu.Unlock()
			err = s.Commit(persistence.Commit{Owner: owner, Put: []persistence.Record{oneRecord("alice")}})
			var full *persistence.FullError
			var disk *persistence.DiskError
			if errors.As(err, &full) != tt.full || errors.As(err, &disk) == tt.full || !strings.Contains(err.Error(), tt.text) {
				t.Errorf("refused with %v", err)
			}
			if _, probed := s.Probe(); probed == nil || probed.Error() != err.Error() {
				t.Errorf("a commit is refused with %v, and Probe says %v", err, probed)
			}
			if ids, err := s.Accounts(); err != nil || len(ids) != 0 {
				t.Errorf("the accounts are %v, %v", ids, err)
			}
			tt.fix(d)
			put(t, s, owner, oneRecord("alice"))
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestAStoreDoesNotOpenWithoutRoom(t *testing.T) {
	d := newSmallDisk()
	d.free.Store(10 << 20)
	dir := t.TempDir()
	_, err := Open(Options{Dir: dir, Key: testKey, disk: d.disk()})
	var full *persistence.FullError
	if !errors.As(err, &full) || full.Free != 10<<20 || full.Needed <= full.Free {
		t.Fatalf("opened with %v", err)
	}
	if files, _ := os.ReadDir(dir); len(files) != 0 {
		t.Errorf("it left %v", files)
	}
}

func TestADirectoryThatIsGoneEndsCommitsAndClose(t *testing.T) {
	for name, remove := range map[string]func(dir string) error{
		"the directory": os.RemoveAll,
		"its files": func(dir string) error {
			files, err := filepath.Glob(filepath.Join(dir, "*"))
			for _, f := range files {
				err = errors.Join(err, os.Remove(f))
			}
			return err
		},
		"another in its place": func(dir string) error { return errors.Join(os.Rename(dir, dir+".old"), os.Mkdir(dir, 0o700)) },
	} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "store")
			s, err := Open(Options{Dir: dir, Key: testKey})
			if err != nil {
				t.Fatal(err)
			}
			owner := claim(t, s)
			put(t, s, owner, oneRecord("alice"))
			// What is left open is closed at the end: goroutines are counted.
			t.Cleanup(func() { _ = os.RemoveAll(dir); _ = os.Mkdir(dir, 0o700); _ = s.db.Close(); s.space.end() })
			if err := remove(dir); err != nil {
				t.Fatal(err)
			}
			var disk *persistence.DiskError
			if err := s.Commit(persistence.Commit{Owner: owner, Put: []persistence.Record{oneRecord("bob")}}); !errors.As(err, &disk) {
				t.Errorf("a commit into nothing: %v", err)
			}
			var left *persistence.CloseError
			if err := s.Close(); !errors.As(err, &left) {
				t.Errorf("Close: %v", err)
			}
			if err := s.Commit(persistence.Commit{Owner: owner}); !errors.Is(err, persistence.ErrClosed) {
				t.Errorf("after Close: %v", err)
			}
		})
	}
}

func TestAFullDiskAtCloseLosesNothing(t *testing.T) {
	d := newSmallDisk()
	dir := t.TempDir()
	s, err := Open(Options{Dir: dir, Key: testKey, disk: d.disk()})
	if err != nil {
		t.Fatal(err)
	}
	owner := claim(t, s)
	put(t, s, owner, oneRecord("alice"))
	d.free.Store(0)
	var left *persistence.CloseError
	if err := s.Close(); !errors.As(err, &left) || !strings.Contains(err.Error(), "in its log") {
		t.Fatalf("Close: %v", err)
	}
	// What the next process finds.
	copied := t.TempDir()
	if err := os.CopyFS(copied, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	if err := s.db.Close(); err != nil {
		t.Fatal(err)
	}
	s.space.end()
	again, err := Open(Options{Dir: copied, Key: testKey, Adopt: true})
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	if records, err := again.Load("alice"); err != nil || len(records) != 1 {
		t.Errorf("alice has %v, %v", records, err)
	}
}

func TestALogIsChangedOnlyWithRoomForItsTable(t *testing.T) {
	d := newSmallDisk()
	s, err := Open(Options{Dir: t.TempDir(), Key: testKey, disk: d.disk()})
	if err != nil {
		t.Fatal(err)
	}
	owner := claim(t, s)
	d.free.Store(10 << 20) // above the floor
	pad := bytes.Repeat([]byte{1}, 200<<10)
	commit := func() error {
		return s.Commit(persistence.Commit{Owner: owner, Put: []persistence.Record{{Key: persistence.Key{Account: "a", Kind: persistence.KindMeta, Sub: "pad"}, Version: 1, Data: pad}}})
	}
	n := 0
	for ; n < 100 && err == nil; n++ {
		err = commit()
	}
	var full *persistence.FullError
	if !errors.As(err, &full) || !strings.Contains(err.Error(), "to change its log") || n < 40 {
		t.Errorf("after %d commits of 200 KB: %v", n, err)
	}
	s.space.mu.Lock()
	if s.space.logs != 1 {
		t.Errorf("there are %d logs", s.space.logs)
	}
	s.space.mu.Unlock()
	d.free.Store(50 << 20)
	for range 10 {
		if err := commit(); err != nil {
			t.Error(err)
		}
	}
	s.space.mu.Lock()
	if s.space.used > 4<<20 {
		t.Errorf("the new log has %d bytes already", s.space.used)
	}
	s.space.mu.Unlock()
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

func TestTheFloorIsAShareOfTheDisk(t *testing.T) {
	for total, want := range map[int64]int64{32 << 20: 4 << 20, 1 << 30: 16 << 20, 4 << 30: 64 << 20, math.MaxInt64: 64 << 20} {
		if got := floor(usage{total: total}); got != want {
			t.Errorf("of %d it is %d, want %d", total, got, want)
		}
	}
}

// A compaction and a failed flush are known by what Badger logs: a new Badger
// that says it otherwise is found out here.
func TestACompactionPassesTheGate(t *testing.T) {
	s := mustOpen(t, t.TempDir())
	owner := claim(t, s)
	pad := bytes.Repeat([]byte{1}, 200<<10)
	for n := range 150 { // three logs
		id := persistence.AccountID([]string{"a", "b", "c"}[n%3])
		put(t, s, owner, persistence.Record{Key: persistence.Key{Account: id, Kind: persistence.KindMeta, Sub: "pad"}, Version: 1, Data: pad})
	}
	if err := s.db.Flatten(1); err != nil {
		t.Fatal(err)
	}
	s.space.mu.Lock()
	defer s.space.mu.Unlock()
	if s.space.merged.IsZero() {
		t.Error("a compaction made a table and nobody asked whether there is room")
	}
}

func TestADiskThatHangsEndsCommitsAndClose(t *testing.T) {
	answer, real := make(chan struct{}), realDisk()
	var hung atomic.Bool
	d := real
	d.usage = func(dir string) (usage, error) {
		if hung.Load() {
			<-answer
		}
		return real.usage(dir)
	}
	s, err := Open(Options{Dir: t.TempDir(), Key: testKey, disk: d})
	if err != nil {
		t.Fatal(err)
	}
	owner := claim(t, s)
	s.commitWait, s.closeWait = 20*time.Millisecond, 20*time.Millisecond
	hung.Store(true)
	var unknown *persistence.WriteError
	if err := s.Commit(persistence.Commit{Owner: owner, Put: []persistence.Record{oneRecord("alice")}}); !errors.As(err, &unknown) {
		t.Errorf("a commit that the disk does not answer: %v", err)
	}
	var left *persistence.CloseError
	if err := s.Close(); !errors.As(err, &left) {
		t.Errorf("Close: %v", err)
	}
	close(answer)
	<-s.ended
}

func TestTheDirectoryIsReadAgainWhenItsFilesMayHaveChanged(t *testing.T) {
	s, err := Open(Options{Dir: t.TempDir(), Key: testKey, disk: newSmallDisk().disk()})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	owner := claim(t, s)
	if err := s.Commit(persistence.Commit{Owner: owner, Put: []persistence.Record{oneRecord("alice")}}); err != nil {
		t.Fatal(err)
	}
	sp := s.space
	long := time.Now().Add(-time.Hour)
	// settled has the directory read, and be one that has not changed for long.
	settled := func() {
		sp.mu.Lock()
		sp.settled = time.Time{}
		sp.mu.Unlock()
		if err := os.Chtimes(sp.dir, long, long); err != nil {
			t.Fatal(err)
		}
		if _, err := sp.look(); err != nil {
			t.Fatal(err)
		}
	}
	// read tells whether a look reads it: then a file that it does not know is known.
	read := func() bool {
		sp.mu.Lock()
		delete(sp.known, manifest)
		sp.mu.Unlock()
		if _, err := sp.look(); err != nil {
			t.Fatal(err)
		}
		sp.mu.Lock()
		defer sp.mu.Unlock()
		return sp.known[manifest] != nil
	}
	settled()
	if read() {
		t.Error("it was read again though nothing had changed")
	}
	for _, tt := range []struct {
		name   string
		change func()
	}{
		{"the next log is gone", func() { _ = os.Remove(sp.logPath(sp.newest + 1)) }},
		{"a file was made", func() { _ = os.WriteFile(sp.logPath(0)+".tmp", nil, fileMode) }},
		{"the present log may be full", func() { sp.used = changeAt }},
		{"a second has gone by", func() { sp.settled = sp.settled.Add(-2 * settleEvery) }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			settled()
			sp.mu.Lock()
			tt.change()
			sp.mu.Unlock()
			if !read() {
				t.Error("it was not read again")
			}
			sp.mu.Lock()
			sp.used = 0
			sp.mu.Unlock()
		})
	}
	if _, err := os.Stat(sp.logPath(sp.newest + 1)); err != nil {
		t.Errorf("the next log does not lie ready: %v", err)
	}
}

//go:build unix

package badgerstore

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/mtfleet/mtfleet/persistence"
)

// dirLock keeps other processes from the store: a lock on the directory, as
// Badger's own. It is taken before anything is read, and so before Badger, which
// is told to leave its lock alone.
type dirLock struct {
	dir *os.File
	pid string
}

const ownLock = true

func lockDir(dir string) (*dirLock, error) {
	f, err := flock(dir, unix.LOCK_EX)
	if err != nil {
		return nil, err
	}
	l := &dirLock{f, filepath.Join(dir, lockName)}
	// For LockedError of others alone, so a full disk is no reason not to start.
	_ = os.WriteFile(l.pid, []byte(strconv.Itoa(os.Getpid())+"\n"), 0o600)
	return l, nil
}

func (l *dirLock) release() error {
	_ = os.Remove(l.pid)
	return l.dir.Close()
}

// shareDir keeps others from taking a store while it is looked at, and writes
// nothing. Several may look at once.
func shareDir(dir string) (release func() error, err error) {
	f, err := flock(dir, unix.LOCK_SH)
	if err != nil {
		return nil, err
	}
	return f.Close, nil
}

// flock locks a directory; the error is a *persistence.LockedError where another
// process has it.
func flock(dir string, how int) (*os.File, error) {
	f, err := os.Open(dir)
	if err != nil {
		return nil, fmt.Errorf("persistence: open store: %w", err)
	}
	if err := unix.Flock(int(f.Fd()), how|unix.LOCK_NB); err != nil {
		_ = f.Close()
		if !errors.Is(err, unix.EWOULDBLOCK) {
			return nil, fmt.Errorf("persistence: lock the store in %s: %w", dir, err)
		}
		e := &persistence.LockedError{Dir: dir}
		if b, err := os.ReadFile(filepath.Join(dir, lockName)); err == nil {
			e.PID, _ = strconv.Atoi(strings.TrimSpace(string(b)))
		}
		return nil, e
	}
	return f, nil
}

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
	f, err := os.Open(dir)
	if err != nil {
		return nil, fmt.Errorf("persistence: open store: %w", err)
	}
	l := &dirLock{f, filepath.Join(dir, "LOCK")}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		_ = f.Close()
		if !errors.Is(err, unix.EWOULDBLOCK) {
			return nil, fmt.Errorf("persistence: lock the store in %s: %w", dir, err)
		}
		e := &persistence.LockedError{Dir: dir}
		if b, err := os.ReadFile(l.pid); err == nil {
			e.PID, _ = strconv.Atoi(strings.TrimSpace(string(b)))
		}
		return nil, e
	}
	// For LockedError of others alone, so a full disk is no reason not to start.
	_ = os.WriteFile(l.pid, []byte(strconv.Itoa(os.Getpid())+"\n"), 0o600)
	return l, nil
}

func (l *dirLock) release() error {
	_ = os.Remove(l.pid)
	return l.dir.Close()
}

package badgerstore

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"time"
)

// The new store takes the place of the damaged one file by file, within the
// directory: it may be a mount point, and its name must never be missing, or a
// start in that moment would make a new, empty store. A marker says how far this
// is: "out DIR" while the damaged files are moved into DIR, "in DIR" while the
// new ones are moved up. A store with a marker is not opened, and each half can
// be done again from any point.

func swap(dir string, now time.Time) (kept string, err error) {
	kept = damagedPrefix + now.UTC().Format("20060102-150405")
	for n := 2; ; n++ {
		err := os.Mkdir(join(dir, kept), 0o700)
		if err == nil {
			break
		}
		if !errors.Is(err, fs.ErrExist) {
			return "", err
		}
		kept = fmt.Sprintf("%s%s-%d", damagedPrefix, now.UTC().Format("20060102-150405"), n)
	}
	if err := writeFile(join(dir, salvageMarker), []byte("out "+kept)); err != nil {
		return "", err
	}
	return finishSwap(dir, false)
}

// finishSwap does what a marker says is still to do, and returns the directory
// with the damaged files; empty when there is no marker.
func finishSwap(dir string, dryRun bool) (kept string, err error) {
	b, err := os.ReadFile(join(dir, salvageMarker))
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	half, kept, ok := strings.Cut(string(b), " ")
	if !ok || !strings.HasPrefix(kept, damagedPrefix) || strings.ContainsAny(kept, "/\\") || half != "out" && half != "in" {
		return "", fmt.Errorf("persistence: %s is not what a salvage wrote: move it away and run the salvage again", join(dir, salvageMarker))
	}
	if dryRun {
		return join(dir, kept), nil
	}
	if half == "out" {
		if err := moveFiles(dir, join(dir, kept)); err != nil {
			return "", err
		}
		if err := writeFile(join(dir, salvageMarker), []byte("in "+kept)); err != nil {
			return "", err
		}
	}
	if err := moveFiles(join(dir, salvagedDir), dir); err != nil {
		return "", err
	}
	if err := os.RemoveAll(join(dir, salvagedDir)); err != nil {
		return "", err
	}
	if err := os.Remove(join(dir, salvageMarker)); err != nil {
		return "", err
	}
	return join(dir, kept), syncDir(dir)
}

// moveFiles moves the files of a directory, but for the marker and the lock.
func moveFiles(from, to string) error {
	list, err := os.ReadDir(from)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, e := range list {
		if e.IsDir() || e.Name() == salvageMarker || e.Name() == "LOCK" {
			continue
		}
		if err := os.Rename(join(from, e.Name()), join(to, e.Name())); err != nil {
			return err
		}
	}
	return errors.Join(syncDir(to), syncDir(from))
}

package badgerstore

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"time"
)

// A new store takes the place of the one before file by file, within the
// directory: it may be a mount point, and its name must never be missing, or a
// start in that moment would make a new, empty store. A marker says how far this
// is: "out DIR" while the files of before are moved into DIR, "in DIR" while the
// new ones are moved up. Each half can be done again from any point. A store with
// the marker of a salvage is not opened; what a rewrite left half-way, Open ends.
type swapping struct {
	marker string // the file that says how far it is
	fresh  string // the directory with the new store
	kept   string // how the names of directories with the files of before begin
	drop   bool   // the files of before are deleted at the end
	what   string // for errors
	// reached is for tests that end the process between two steps; nil otherwise.
	reached func()
}

var salvaging = swapping{marker: salvageMarker, fresh: salvagedDir, kept: damagedPrefix, what: "salvage"}

func (s swapping) reach() {
	if s.reached != nil {
		s.reached()
	}
}

// begin moves the new store into its place, and returns the directory with the
// files of before.
func (s swapping) begin(dir string, now time.Time) (kept string, err error) {
	kept = s.kept + now.UTC().Format("20060102-150405")
	for n := 2; ; n++ {
		err := os.Mkdir(join(dir, kept), 0o700)
		if err == nil {
			break
		}
		if !errors.Is(err, fs.ErrExist) {
			return "", err
		}
		kept = fmt.Sprintf("%s%s-%d", s.kept, now.UTC().Format("20060102-150405"), n)
	}
	s.reach()
	if err := writeFile(join(dir, s.marker), []byte("out "+kept)); err != nil {
		return "", err
	}
	s.reach()
	return s.finish(dir, false)
}

// finish does what a marker says is still to do, and returns the directory with
// the files of before; empty when there is no marker.
func (s swapping) finish(dir string, dryRun bool) (kept string, err error) {
	b, err := os.ReadFile(join(dir, s.marker))
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	half, kept, ok := strings.Cut(string(b), " ")
	if !ok || !strings.HasPrefix(kept, s.kept) || strings.ContainsAny(kept, "/\\") || half != "out" && half != "in" {
		return "", fmt.Errorf("persistence: %s is not what a %s wrote: move it away and run the %s again", join(dir, s.marker), s.what, s.what)
	}
	if dryRun {
		return join(dir, kept), nil
	}
	if half == "out" {
		if err := s.move(dir, join(dir, kept)); err != nil {
			return "", err
		}
		if err := writeFile(join(dir, s.marker), []byte("in "+kept)); err != nil {
			return "", err
		}
		s.reach()
	}
	if err := s.move(join(dir, s.fresh), dir); err != nil {
		return "", err
	}
	if err := os.RemoveAll(join(dir, s.fresh)); err != nil {
		return "", err
	}
	if s.drop {
		if err := os.RemoveAll(join(dir, kept)); err != nil {
			return "", err
		}
	}
	s.reach()
	if err := os.Remove(join(dir, s.marker)); err != nil {
		return "", err
	}
	return join(dir, kept), syncDir(dir)
}

// move moves the files of a directory, but for the markers and the lock. That a
// store was moved is said of the new one too.
func (s swapping) move(from, to string) error {
	list, err := os.ReadDir(from)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, e := range list {
		if e.IsDir() || e.Name() == s.marker || e.Name() == "LOCK" || e.Name() == moveFileName {
			continue
		}
		if err := os.Rename(join(from, e.Name()), join(to, e.Name())); err != nil {
			return err
		}
		s.reach()
	}
	return errors.Join(syncDir(to), syncDir(from))
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

package backup

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

const (
	filePrefix = "mtfleet-"
	fileSuffix = ".age"
	fileTime   = "20060102T150405Z"

	// retryAfter is how long a backup that failed is waited with, at most.
	retryAfter = 10 * time.Minute
)

// FileName is what a schedule calls the backup of a time.
func FileName(at time.Time) string { return filePrefix + at.UTC().Format(fileTime) + fileSuffix }

// fileMade is the reverse of FileName.
func fileMade(name string) (at time.Time, ok bool) {
	text, began := strings.CutPrefix(name, filePrefix)
	text, ended := strings.CutSuffix(text, fileSuffix)
	at, err := time.Parse(fileTime, text)
	return at, began && ended && err == nil
}

// Schedule has backups made into a directory again and again.
type Schedule struct {
	Dir   string
	Every time.Duration // one minute at least
	Keep  int           // so many of the newest are left, one at least
	// Make writes a backup into the file. Whole is false for one that lacks records
	// which the store could not read.
	Make func(ctx context.Context, path string) (whole bool, err error)
	Log  *slog.Logger
}

// Run blocks until ctx ends. The first backup is due when the newest one in the
// directory is as old as they come, also when that was made before this process
// began; at once where there is none. One that failed is logged and tried again
// after ten minutes, or when the next one is due.
func (s Schedule) Run(ctx context.Context) {
	if ctx.Err() != nil {
		return
	}
	timer := time.NewTimer(s.first(time.Now()))
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		}
		next := s.Every
		if err := s.one(ctx); err != nil {
			if ctx.Err() != nil {
				return
			}
			next = min(s.Every, retryAfter)
			s.Log.Error("the store was not backed up: mend this, or run `manager store backup` with another file", "dir", s.Dir, "again_in", next, "err", err)
		}
		timer.Reset(next)
	}
}

// first is how long it is until the first one is due. A newest one from the future,
// of a clock that was wrong, puts it off by one turn at most.
func (s Schedule) first(now time.Time) time.Duration {
	made := s.made()
	if len(made) == 0 {
		return 0
	}
	return min(max(made[0].Add(s.Every).Sub(now), 0), s.Every)
}

// made are the times of the backups in the directory, newest first.
func (s Schedule) made() (times []time.Time) {
	list, err := os.ReadDir(s.Dir)
	if err != nil {
		return nil // making one will tell
	}
	for _, e := range list {
		if at, ok := fileMade(e.Name()); ok && e.Type().IsRegular() {
			times = append(times, at)
		}
	}
	slices.SortFunc(times, func(a, b time.Time) int { return b.Compare(a) })
	return times
}

func (s Schedule) one(ctx context.Context) error {
	if err := os.MkdirAll(s.Dir, 0o700); err != nil {
		return &FileError{"make " + s.Dir, bare(err)}
	}
	path := filepath.Join(s.Dir, FileName(time.Now()))
	whole, err := s.Make(ctx, path)
	switch {
	case err != nil:
		return err
	case !whole: // older ones may have what it lacks
		s.Log.Error("the store was backed up but for records that cannot be read: run `manager store verify`; until that is mended no backup is deleted", "file", path)
		return nil
	}
	s.Log.Info("the store is backed up", "file", path)
	s.prune()
	return nil
}

// prune deletes all but the newest.
func (s Schedule) prune() {
	made := s.made()
	for _, at := range made[min(max(s.Keep, 1), len(made)):] {
		path := filepath.Join(s.Dir, FileName(at))
		if err := os.Remove(path); err != nil {
			s.Log.Error("an old backup could not be deleted", "file", path, "err", bare(err))
		}
	}
}

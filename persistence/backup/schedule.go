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

	// turnAfter is how long one who is next in turn waits for the one before, at most:
	// two tries of that one, and more than a backup of some millions of accounts takes.
	turnAfter = 2 * retryAfter
	// turnLook is how often it is looked whose turn it is: two questions to the store.
	turnLook = time.Minute
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
	// Others is for several that have a schedule of one store: when any of them last
	// made a backup, zero for never, and how many are to make the next before this one
	// does. Each of those is waited for, twenty minutes or Every at most, so who is gone
	// or cannot make one keeps nobody else from it. Nil: this is the only one.
	Others func(ctx context.Context) (last time.Time, before int, err error)
}

// Run blocks until ctx ends. The first backup is due when the newest one in the
// directory is as old as they come, also when that was made before this process
// began; at once where there is none. One that failed is logged and tried again
// after ten minutes, or when the next one is due. With Others, what they say counts in
// place of the directory.
func (s Schedule) Run(ctx context.Context) {
	if ctx.Err() != nil {
		return
	}
	begun := time.Now()
	timer := time.NewTimer(s.first(begun))
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		}
		if wait := s.early(ctx, begun); wait > 0 {
			timer.Reset(min(wait, turnLook))
			continue
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
	if s.Others != nil {
		return 0
	}
	made := s.made()
	if len(made) == 0 {
		return 0
	}
	return min(max(made[0].Add(s.Every).Sub(now), 0), s.Every)
}

// early is how long it is until a backup is this one's to make, of several. What they
// made is counted from begun at most: clocks of machines differ.
func (s Schedule) early(ctx context.Context, begun time.Time) time.Duration {
	if s.Others == nil {
		return 0
	}
	last, before, err := s.Others(ctx)
	if err != nil {
		s.Log.Warn("whether a backup of the store is due is not known: it is asked again", "again_in", turnLook, "err", err)
		return turnLook
	}
	now := time.Now()
	due := begun
	if !last.IsZero() {
		if last.After(now) {
			last = begun
		}
		due = last.Add(s.Every)
	}
	return due.Add(time.Duration(before) * min(turnAfter, s.Every)).Sub(now)
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

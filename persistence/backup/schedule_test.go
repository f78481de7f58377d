package backup

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// scheduled is a schedule in a bubble, where it is midnight of 2000-01-01.
type scheduled struct {
	Schedule
	t    *testing.T
	log  bytes.Buffer
	fail atomic.Pointer[error] // of the next backups
	half atomic.Bool           // the next ones lack records
	end  func()
}

// play begins a schedule every hour with two kept, over files that are there.
func play(t *testing.T, fail error, there ...string) *scheduled {
	t.Helper()
	s := &scheduled{t: t}
	s.fail.Store(&fail)
	s.Schedule = Schedule{
		Dir: filepath.Join(t.TempDir(), "backups"), Every: time.Hour, Keep: 2, Log: slog.New(slog.NewTextHandler(&s.log, nil)),
		Make: func(_ context.Context, path string) (bool, error) {
			if err := *s.fail.Load(); err != nil {
				return false, err
			}
			return !s.half.Load(), os.WriteFile(path, nil, 0o600)
		},
	}
	for _, name := range there {
		if err := errors.Join(os.MkdirAll(s.Dir, 0o700), os.WriteFile(filepath.Join(s.Dir, name), nil, 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { s.Run(ctx); close(done) }()
	s.end = func() { cancel(); <-done }
	return s
}

// after looks into the directory when some time has passed.
func (s *scheduled) after(d time.Duration, want ...string) {
	s.t.Helper()
	time.Sleep(d)
	synctest.Wait()
	list, err := os.ReadDir(s.Dir)
	if err != nil && len(want) > 0 {
		s.t.Fatal(err)
	}
	var names []string
	for _, e := range list {
		names = append(names, e.Name())
	}
	if !slices.Equal(names, want) {
		s.t.Errorf("at %v there are %q, want %q", time.Now().UTC(), names, want)
	}
}

func at(clock string) string { return "mtfleet-20000101T" + clock + "Z.age" }

func TestASchedule(t *testing.T) {
	for name, test := range map[string]func(*testing.T){
		"makes one at once and one an hour, and keeps the newest two": func(t *testing.T) {
			s := play(t, nil)
			defer s.end()
			s.after(time.Second, at("000000"))
			s.after(time.Hour, at("000000"), at("010000"))
			s.after(time.Hour, at("010000"), at("020000"))
		},
		"goes on where the process before ended": func(t *testing.T) {
			s := play(t, nil, "mtfleet-19991231T233000Z.age")
			defer s.end()
			s.after(29*time.Minute, "mtfleet-19991231T233000Z.age")
			s.after(2*time.Minute, "mtfleet-19991231T233000Z.age", at("003000"))
		},
		"makes one at once where the newest is too old": func(t *testing.T) {
			s := play(t, nil, "mtfleet-19991231T200000Z.age")
			defer s.end()
			s.after(time.Second, "mtfleet-19991231T200000Z.age", at("000000"))
		},
		"is not stopped by a file from the future": func(t *testing.T) {
			s := play(t, nil, "mtfleet-20300101T000000Z.age")
			defer s.end()
			s.after(time.Hour+time.Second, at("010000"), "mtfleet-20300101T000000Z.age")
		},
		"leaves what others put there": func(t *testing.T) {
			others := []string{"fleet.age", "mtfleet-.age", "mtfleet-20000101T000000Z.age.txt"}
			s := play(t, nil, others...)
			defer s.end()
			s.after(3*time.Hour+time.Second, "fleet.age", "mtfleet-.age", "mtfleet-20000101T000000Z.age.txt", at("020000"), at("030000"))
		},
		"tries again ten minutes after a failure, and says so": func(t *testing.T) {
			s := play(t, errors.New("no room"))
			defer s.end()
			s.after(time.Second)
			if said := s.log.String(); strings.Count(said, "level=ERROR") != 1 || !strings.Contains(said, "no room") || !strings.Contains(said, "again_in=10m0s") {
				t.Error(said)
			}
			s.fail.Store(new(error))
			s.after(10*time.Minute, at("001000"))
			s.after(time.Hour, at("001000"), at("011000"))
		},
		"deletes none for one that lacks records": func(t *testing.T) {
			s := play(t, nil)
			defer s.end()
			s.after(time.Hour+time.Second, at("000000"), at("010000"))
			s.half.Store(true)
			s.after(time.Hour, at("000000"), at("010000"), at("020000"))
			if !strings.Contains(s.log.String(), "cannot be read: run `manager store verify`") {
				t.Error(s.log.String())
			}
			s.half.Store(false)
			s.after(time.Hour, at("020000"), at("030000"))
		},
	} {
		t.Run(name, func(t *testing.T) { synctest.Test(t, test) })
	}
}

// TestAScheduleWhoseDirectoryCannotBeMade says so and makes no backup.
func TestAScheduleWhoseDirectoryCannotBeMade(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		file := filepath.Join(t.TempDir(), "file")
		if err := os.WriteFile(file, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		var log bytes.Buffer
		s := Schedule{Dir: filepath.Join(file, "backups"), Every: time.Hour, Keep: 1, Log: slog.New(slog.NewTextHandler(&log, nil)),
			Make: func(context.Context, string) (bool, error) { t.Error("a backup was made"); return true, nil }}
		ctx, cancel := context.WithCancel(t.Context())
		go s.Run(ctx)
		synctest.Wait()
		cancel()
		synctest.Wait()
		if !strings.Contains(log.String(), "not a directory") {
			t.Error(log.String())
		}
	})
}

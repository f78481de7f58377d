//go:build unix

package sdnotify

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// systemd is the other end: the socket that a service manager reads.
type systemd struct {
	t  *testing.T
	fd int
}

func newSystemd(t *testing.T, path string) *systemd {
	t.Helper()
	fd, err := syscall.Socket(syscall.AF_UNIX, syscall.SOCK_DGRAM, 0)
	if err == nil {
		err = syscall.Bind(fd, &syscall.SockaddrUnix{Name: path})
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = syscall.Close(fd) })
	return &systemd{t, fd}
}

// heard are the messages since it was asked last. It does not wait.
func (s *systemd) heard() (all []string) {
	s.t.Helper()
	for b := make([]byte, 4096); ; {
		n, _, err := syscall.Recvfrom(s.fd, b, syscall.MSG_DONTWAIT)
		if errors.Is(err, syscall.EAGAIN) {
			return all
		}
		if err != nil {
			s.t.Fatal(err)
		}
		all = append(all, string(b[:n]))
	}
}

func (s *systemd) want(sentence string, want ...string) {
	s.t.Helper()
	synctest.Wait()
	if got := s.heard(); !slices.Equal(got, want) {
		s.t.Errorf("%s: systemd heard %q, want %q", sentence, got, want)
	}
}

// service is one that a test's systemd started, with that watchdog.
func service(t *testing.T, watchdog time.Duration) (*Service, *systemd, *bytes.Buffer) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "notify")
	other := newSystemd(t, path)
	env := []string{"NOTIFY_SOCKET=" + path}
	if watchdog > 0 {
		env = append(env, "WATCHDOG_USEC="+strconv.FormatInt(watchdog.Microseconds(), 10), "WATCHDOG_PID="+strconv.Itoa(os.Getpid()))
	}
	var log bytes.Buffer
	s, err := New(env, os.Getpid(), slog.New(slog.NewTextHandler(&log, nil)))
	if err != nil || s == nil {
		t.Fatal(s, err)
	}
	return s, other, &log
}

func fine(context.Context) error { return nil }

func TestAServiceIsReadyWhenItIsUpAndNotBefore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, systemd, _ := service(t, 0)
		defer s.Close()
		var up atomic.Bool
		s.Ready(Health{
			Up: func(context.Context) error {
				if !up.Load() {
					return errors.New("not yet")
				}
				return nil
			},
			Status: func() string { return "serves" },
		})
		time.Sleep(time.Minute)
		systemd.want("while it starts")
		up.Store(true)
		time.Sleep(againEvery)
		systemd.want("when it is up", "READY=1\nSTATUS=serves")
	})
}

func TestAStatusIsSentWhenItHasChanged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, systemd, _ := service(t, 0)
		defer s.Close()
		var text atomic.Value
		text.Store("0 of 2 accounts are online")
		s.Ready(Health{Up: fine, Status: func() string { return text.Load().(string) }})
		systemd.want("at first", "READY=1\nSTATUS=0 of 2 accounts are online")
		time.Sleep(10 * statusEvery)
		systemd.want("while nothing changes")
		text.Store("1 of 2 accounts is online")
		time.Sleep(statusEvery / 2)
		text.Store("2 of 2 accounts\nare online")
		time.Sleep(statusEvery)
		systemd.want("after two changes within its time", "STATUS=2 of 2 accounts are online")
	})
}

func TestTheWatchdogHearsOfAServiceThatAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const watchdog = 20 * time.Second
		s, systemd, log := service(t, watchdog)
		defer s.Close()
		back := make(chan struct{})
		var hangs atomic.Bool
		s.Ready(Health{
			Up: fine, Status: func() string { return "serves" },
			Alive: func(ctx context.Context) error {
				if !hangs.Load() {
					return nil
				}
				select {
				case <-ctx.Done():
					return ctx.Err()
				case <-back:
					return nil
				}
			},
		})
		systemd.want("at first", "READY=1\nSTATUS=serves")
		time.Sleep(watchdog/2 - time.Nanosecond)
		systemd.want("before half of its time")
		time.Sleep(time.Nanosecond)
		systemd.want("at half of its time", "WATCHDOG=1")
		time.Sleep(watchdog)
		systemd.want("in its whole time", "WATCHDOG=1", "WATCHDOG=1")

		hangs.Store(true)
		time.Sleep(5 * watchdog)
		systemd.want("while it hangs")
		if n := strings.Count(log.String(), "does not answer itself"); n != 1 {
			t.Errorf("it was said %d times that it hangs:\n%s", n, log)
		}
		close(back)
		time.Sleep(watchdog)
		if got := systemd.heard(); len(got) < 2 {
			t.Errorf("after it has come back systemd heard %q", got)
		}
	})
}

func TestALateAnswerComesInTimeForTheWatchdog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const watchdog = 20 * time.Second
		s, systemd, _ := service(t, watchdog)
		defer s.Close()
		begun := time.Now()
		s.Ready(Health{Up: fine, Status: func() string { return "serves" }, Alive: func(context.Context) error {
			time.Sleep(watchdog/2 - time.Second)
			return nil
		}})
		last := begun
		for range 600 {
			time.Sleep(time.Second)
			synctest.Wait()
			if slices.Contains(systemd.heard(), "WATCHDOG=1") {
				last = time.Now()
			}
			if silent := time.Since(last); silent > watchdog {
				t.Fatalf("silent for %v at %v", silent, time.Since(begun))
			}
		}
	})
}

func TestABadAnswerIsNotTheLastOneInTheWatchdogsTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const watchdog = 20 * time.Second
		s, systemd, log := service(t, watchdog)
		defer s.Close()
		begun := time.Now()
		s.Ready(Health{Up: fine, Status: func() string { return "serves" }, Alive: func(context.Context) error {
			if time.Since(begun) < watchdog-time.Second {
				return errors.New("busy")
			}
			return nil
		}})
		systemd.want("at first", "READY=1\nSTATUS=serves")
		time.Sleep(watchdog - 2*time.Second)
		systemd.want("while it is busy")
		time.Sleep(time.Second + againEvery)
		systemd.want("when it answers, just in time", "WATCHDOG=1")
		if log.Len() > 0 {
			t.Errorf("it said %s", log)
		}
	})
}

func TestAReloadIsToldFromItsBeginningToItsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, systemd, _ := service(t, 0)
		defer s.Close()
		var up atomic.Bool
		did := 0
		reload := func(at string, want ...string) {
			t.Helper()
			s.Reload(func() {
				did++
				if len(want) > 0 {
					systemd.want(at+", when it begins", want[0])
					want = want[1:]
				}
			})
			systemd.want(at+", when it is done", want...)
		}
		s.Ready(Health{
			Up: func(context.Context) error {
				if !up.Load() {
					return errors.New("not yet")
				}
				return nil
			},
			Status: func() string { return "serves" },
		})
		reload("while it starts")
		up.Store(true)
		time.Sleep(againEvery)
		systemd.want("when it is up", "READY=1\nSTATUS=serves")
		reload("when it is up", "RELOADING=1", "READY=1")
		s.Reload(func() {
			did++
			systemd.want("when it begins", "RELOADING=1")
			s.Stopping("closes")
			synctest.Wait()
			systemd.heard()
		})
		systemd.want("when it stops meanwhile")
		reload("while it stops")
		if did != 4 {
			t.Errorf("it was done %d times", did)
		}
	})
	var nobody *Service
	did := false
	if nobody.Reload(func() { did = true }); !did {
		t.Error("without systemd it is not done")
	}
}

func TestAServiceThatStopsIsWaitedForWithinLimits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, systemd, _ := service(t, time.Minute)
		s.Ready(Health{Up: fine, Alive: fine, Status: func() string { return "serves" }})
		systemd.want("at first", "READY=1\nSTATUS=serves")
		extend := "EXTEND_TIMEOUT_USEC=30000000\nWATCHDOG=1"
		s.Stopping("closes")
		systemd.want("when it stops", "STOPPING=1\nSTATUS=closes", extend)
		time.Sleep(extendEvery)
		systemd.want("ten seconds later", extend)
		asked := 2
		for range 60 { // ten minutes; a socket holds ten messages
			time.Sleep(extendEvery)
			synctest.Wait()
			asked += len(systemd.heard())
		}
		if want := int(extendMost / extendEvery); asked != want {
			t.Errorf("it asked %d times for more, want %d: no longer than five minutes", asked, want)
		}
		s.Close()
	})
}

func TestAServiceThatWaitsSaysForWhatAndHasMoreTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, systemd, _ := service(t, 0)
		s.Waiting("another has the name")
		systemd.want("while it waits", "EXTEND_TIMEOUT_USEC=30000000\nSTATUS=another has the name")
		(*Service)(nil).Waiting("nothing")
		s.Close()
	})
}

func TestASocketThatWasReplacedIsFoundAgain(t *testing.T) {
	path := filepath.Join(t.TempDir(), "notify")
	first := newSystemd(t, path)
	var log bytes.Buffer
	s, err := New([]string{"NOTIFY_SOCKET=" + path}, os.Getpid(), slog.New(slog.NewTextHandler(&log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	s.send("A=1", "B=2")
	if got := first.heard(); !slices.Equal(got, []string{"A=1\nB=2"}) {
		t.Errorf("the first heard %q", got)
	}

	_ = syscall.Close(first.fd)
	first.fd, _ = syscall.Dup(0) // for its cleanup
	_ = os.Remove(path)
	s.send("C=3")
	s.send("C=3")
	if strings.Count(log.String(), "cannot be told") != 1 {
		t.Errorf("nobody heard it, and the log says: %s", &log)
	}
	second := newSystemd(t, path)
	s.send("D=4")
	if got := second.heard(); !slices.Equal(got, []string{"D=4"}) {
		t.Errorf("the second heard %q", got)
	}
}

func TestAnAbstractSocketIsHeardToo(t *testing.T) {
	name := "@mtfleet-sdnotify-" + strconv.Itoa(os.Getpid())
	l, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: name, Net: "unixgram"})
	if err != nil {
		t.Skip("this system has no abstract sockets: ", err)
	}
	defer l.Close()
	s, err := New([]string{"NOTIFY_SOCKET=" + name}, 1, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	s.send("READY=1")
	b := make([]byte, 100)
	if n, err := l.Read(b); err != nil || string(b[:n]) != "READY=1" {
		t.Errorf("%q, %v", b[:n], err)
	}
}

func TestWithoutSystemdNobodyIsTold(t *testing.T) {
	s, err := New([]string{"WATCHDOG_USEC=1000000"}, 1, nil)
	if s != nil || err != nil {
		t.Fatal(s, err)
	}
	s.Ready(Health{})
	s.Stopping("closes")
	s.Close()
}

func TestVariablesThatCannotBeUsedAreNamed(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "notify")
	newSystemd(t, path)
	for name, c := range map[string]struct {
		env  []string
		want string
	}{
		"a relative path":          {[]string{"NOTIFY_SOCKET=notify"}, `NOTIFY_SOCKET is "notify": it is neither`},
		"a socket of a vm":         {[]string{"NOTIFY_SOCKET=vsock:2:1234"}, `NOTIFY_SOCKET is "vsock:2:1234"`},
		"nobody listens":           {[]string{"NOTIFY_SOCKET=" + dir + "/none"}, "no such file"},
		"a watchdog without sense": {[]string{"NOTIFY_SOCKET=" + path, "WATCHDOG_USEC=soon"}, `WATCHDOG_USEC is "soon"`},
		"a watchdog of 0":          {[]string{"NOTIFY_SOCKET=" + path, "WATCHDOG_USEC=0"}, "microseconds"},
		"a watchdog of centuries":  {[]string{"NOTIFY_SOCKET=" + path, "WATCHDOG_USEC=9223372036854775807"}, "microseconds"},
	} {
		s, err := New(c.env, 1, slog.New(slog.DiscardHandler))
		var bad *EnvError
		if s != nil || !errors.As(err, &bad) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, %v", name, s, err)
		}
	}
}

func TestTheWatchdogOfAnotherProcessIsNotOurs(t *testing.T) {
	path := filepath.Join(t.TempDir(), "notify")
	newSystemd(t, path)
	s, err := New([]string{"NOTIFY_SOCKET=" + path, "WATCHDOG_USEC=1000000", "WATCHDOG_PID=1"}, 2, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if s.watchdog != 0 {
		t.Errorf("a watchdog of %v", s.watchdog)
	}
}

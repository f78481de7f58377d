package runtime

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// napping is a clock whose timers are late, as those of a stopped process.
type napping struct {
	Clock
	by atomic.Int64
}

func (c *napping) AfterFunc(d time.Duration, f func()) Timer {
	return c.Clock.AfterFunc(d+time.Duration(c.by.Load()), f)
}

// TestAProcessThatDidNotRunIsToldSo: and no actor is blamed for the time.
func TestAProcessThatDidNotRunIsToldSo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const night = 10 * time.Hour
		clock, woken, wedged := &napping{Clock: RealClock()}, make(chan time.Duration, 10), make(chan Wedged, 10)
		s := NewSystem(Options{
			Clock: clock, OnWoken: func(d time.Duration) { woken <- d }, OnWedged: func(w Wedged) { wedged <- w },
		})
		stuck := make(chan struct{})
		r := SpawnRoot(s, &script[int]{receive: func(*Context[int], int) { <-stuck }})
		time.Sleep(5 * time.Second)
		r.Send(1)
		clock.by.Store(int64(night)) // from the second look on, at which it is busy
		time.Sleep(10 * time.Second)
		clock.by.Store(0)
		time.Sleep(night + 6*time.Second)
		if len(woken) != 1 || len(wedged) != 0 {
			t.Fatalf("woken %d times, wedged %d times", len(woken), len(wedged))
		}
		if slept := <-woken; slept != night {
			t.Errorf("it slept for %v", slept)
		}
		time.Sleep(time.Minute)
		if len(woken) != 0 || len(wedged) != 1 {
			t.Errorf("a minute later: woken %d times, wedged %d times", len(woken), len(wedged))
		}
		close(stuck)
		if err := s.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
}

// TestAClockSetAheadMayBeASleep: the timers stood still, and the clock on the wall
// did not. One that is set back, or by little, is none.
func TestAClockSetAheadMayBeASleep(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		clock, woken := &setClock{Clock: RealClock(), bare: true}, make(chan time.Duration, 10)
		s := NewSystem(Options{Clock: clock, OnWoken: func(d time.Duration) { woken <- d }})
		s.Clock().Now()
		for _, step := range []struct {
			by   time.Duration
			want bool
		}{{0, false}, {20 * time.Second, false}, {10 * time.Hour, true}, {0, false}, {0, false}, {time.Hour, true}} {
			clock.by.Store(int64(step.by))
			time.Sleep(time.Minute)
			if got := len(woken) > 0; got != step.want {
				t.Errorf("set to %v off: woken %v", step.by, got)
			}
			for len(woken) > 0 {
				<-woken
			}
		}
		if err := s.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
}

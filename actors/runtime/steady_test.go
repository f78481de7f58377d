package runtime

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// setClock is a clock that is set while it runs: by is what it is off.
type setClock struct {
	Clock
	by   atomic.Int64
	bare bool // its readings carry no monotonic clock
}

func (c *setClock) Now() time.Time {
	now := c.Clock.Now().Add(time.Duration(c.by.Load()))
	if c.bare {
		now = now.Round(0)
	}
	return now
}

// TestAClockThatIsSetGoesOn: what an actor sees of time is how much of it passed.
func TestAClockThatIsSetGoesOn(t *testing.T) {
	const day = 24 * time.Hour
	for _, tc := range []struct {
		name string
		sets []time.Duration // how far it is off, one after the other
		bare bool
	}{
		{"right from the start", []time.Duration{0, 0}, false},
		{"wrong from the start", []time.Duration{day, day}, false},
		{"back a day", []time.Duration{0, -day}, false},
		{"back a day, without a monotonic clock", []time.Duration{0, -day}, true},
		{"ahead a day", []time.Duration{0, day}, true},
		{"back and ahead again", []time.Duration{0, -day, 0, day, 0}, true},
		{"a minute, which is enough", []time.Duration{0, -time.Minute, time.Minute}, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				clock := &setClock{Clock: RealClock(), bare: tc.bare}
				clock.by.Store(int64(tc.sets[0]))
				s := NewSystem(Options{Clock: clock})
				first := s.Clock().Now()
				if !first.Equal(time.Now().Add(tc.sets[0])) {
					t.Errorf("it begins at %v", first)
				}
				passed := time.Duration(0)
				for _, by := range tc.sets {
					clock.by.Store(int64(by))
					time.Sleep(time.Hour)
					passed += time.Hour
					if got := s.Clock().Now().Sub(first); got != passed {
						t.Errorf("after it was set to %v off, %v seem to have passed since the beginning and not %v", by, got, passed)
					}
				}
				if err := s.Close(context.Background()); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

func TestASlowClockIsFollowed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		clock := &setClock{Clock: RealClock()}
		s := NewSystem(Options{Clock: clock})
		first := s.Clock().Now()
		for range 100 {
			time.Sleep(time.Minute)
			clock.by.Add(int64(-100 * time.Millisecond))
			s.Clock().Now()
		}
		if got, want := s.Clock().Now().Sub(first), 100*time.Minute-10*time.Second; got != want {
			t.Errorf("%v passed by a clock that is slewed, want %v", got, want)
		}
		if err := s.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
}

package runtime

import (
	"sync"
	"time"
)

// jumpLimit is what a clock may gain or lose between two readings without being
// taken for one that was set: slewing moves it by a thousandth at most.
const jumpLimit = time.Second

// steadyClock is a clock that cannot be set. Everything in actors that is due is
// compared with Now, and a clock that is set back by a day would keep all of it
// waiting for a day, one that is set forward would end every wait at once.
//
// The time package's own readings need none of this: they carry the monotonic
// clock, by which they are compared. Another [Clock] may carry none, or one that
// was set with it, so its leaps are found out by the time package's.
type steadyClock struct {
	Clock
	mu   sync.Mutex // guards the following fields
	ref  time.Time  // of the time package, at the last reading
	last time.Time  // what the reading was
	off  time.Duration
}

// steady returns a clock that is not set when c is.
func steady(c Clock) Clock {
	if _, real := c.(realClock); real {
		return c
	}
	return &steadyClock{Clock: c}
}

// Now returns the time that c shows, less its leaps.
func (s *steadyClock) Now() time.Time {
	now, ref := s.Clock.Now(), time.Now() // outside the lock: a clock that does not return holds its caller alone
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.last.IsZero() {
		if leap := now.Sub(s.last) - ref.Sub(s.ref); leap.Abs() > jumpLimit {
			s.off += leap
		}
	}
	s.ref, s.last = ref, now
	return now.Add(-s.off)
}

// leap is by how much the clock on the wall has been set since the system was made:
// what it shows, less the time that passed.
func (s *System) leap() time.Duration {
	if c, ok := s.opts.Clock.(*steadyClock); ok {
		c.mu.Lock()
		defer c.mu.Unlock()
		return c.off
	}
	now := time.Now()
	return now.Round(0).Sub(s.made.Round(0)) - now.Sub(s.made)
}

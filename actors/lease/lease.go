// Package lease says for how long this process may speak.
//
// A node of a cluster may send under the keys of its accounts while it has a lease
// of the store. The store counts that by its own clock from when it saw a renewal;
// a node counts from before it asked, and stops a margin earlier, so that it is
// silent before the store calls the lease over, whatever the network did to the
// question and its answer. [Lease.Check] is asked before every dial and every
// write: nothing needs to run for a lease to end, and a process that was stopped
// finds it over with its first byte.
package lease

import (
	"fmt"
	"sync/atomic"
	"time"
)

// A Reading is what the clocks of a machine say at one moment.
type Reading struct {
	// Now has the wall clock and the monotonic one, as time.Now gives them. The
	// monotonic one of Linux stands still while a machine is suspended, and the wall
	// clock can be set.
	Now time.Time
	// Boot is the time since the machine started, suspended or not; zero where the
	// system does not tell.
	Boot time.Duration
}

// since returns how long ago the reading was: the longest that any clock says. A
// wall clock that is set ahead ends a lease early, until it is renewed; none that is
// set back makes it longer.
func (r Reading) since(now Reading) time.Duration {
	return max(now.Now.Sub(r.Now), now.Now.Round(0).Sub(r.Now.Round(0)), now.Boot-r.Boot)
}

// A Lease is safe for concurrent use. It has ended until it is extended.
type Lease struct {
	read func() Reading
	span atomic.Pointer[span]
}

type span struct {
	asked Reading
	lasts time.Duration
}

// New returns a lease that has ended. read tells the time and is safe for
// concurrent use: System, or a clock of a test.
func New(read func() Reading) *Lease { return &Lease{read: read} }

// Ask returns the moment before the store is asked for a renewal.
func (l *Lease) Ask() Reading { return l.read() }

// Extend makes the lease last for a time from when the store was asked. One that
// lasts longer already stays as it is.
func (l *Lease) Extend(asked Reading, lasts time.Duration) {
	for {
		old := l.span.Load()
		if old != nil && old.asked.since(asked) < old.lasts-lasts {
			return
		}
		if l.span.CompareAndSwap(old, &span{asked, lasts}) {
			return
		}
	}
}

// End ends the lease at once.
func (l *Lease) End() { l.span.Store(nil) }

// Left is how long the lease lasts yet; zero and less when it has ended.
func (l *Lease) Left() time.Duration {
	s := l.span.Load()
	if s == nil {
		return 0
	}
	return s.lasts - s.asked.since(l.read())
}

// Check returns an *EndedError unless the lease lasts. It takes less than a
// microsecond.
func (l *Lease) Check() error {
	if left := l.Left(); left <= 0 {
		return &EndedError{For: -left}
	}
	return nil
}

// EndedError says that this process must be silent.
type EndedError struct{ For time.Duration }

func (e *EndedError) Error() string {
	return fmt.Sprintf("this node's lease ended %v ago: it is silent until the store has renewed it", e.For.Round(time.Millisecond))
}

// BlamesNobody says that no DC was asked.
func (e *EndedError) BlamesNobody() {}

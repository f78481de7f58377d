package governor

import (
	"sync"
	"sync/atomic"
	"time"
)

// A Pulse is when a DC was last heard by a route, by whichever connection of the
// process, how long its answers take and how many connections it lost. Everybody
// writes to it and the governor alone reads, so that a packet costs one store and no
// message, and a connection keeps nothing. It is safe for concurrent use; nil is
// nobody's.
type Pulse struct {
	since time.Time    // what at counts from
	at    atomic.Int64 // nanoseconds

	mu    sync.Mutex // guards trips
	trips [2]Trips   // by family: IPv4, IPv6
}

// Trips is how the way to a DC is by one family of addresses.
type Trips struct {
	// Latest is how long the last ping was out, Smoothed the same of all of them, each
	// new one counting for an eighth. At is when the last was answered; zero: none was.
	Latest, Smoothed time.Duration
	At               time.Time
	// Lost are the connections that ended since the start, and not by us.
	Lost uint64
}

// Trip notes how long a ping by a family was out.
func (p *Pulse) Trip(now time.Time, by Families, took time.Duration) {
	p.note(by, func(t *Trips) {
		if t.At.IsZero() {
			t.Smoothed = took
		}
		t.Latest, t.At = took, now
		t.Smoothed += (took - t.Smoothed) / 8
	})
}

// Lose notes that a connection by a family has ended, and not by us.
func (p *Pulse) Lose(by Families) { p.note(by, func(t *Trips) { t.Lost++ }) }

// note changes what is known of a family; of none, and of both, nothing is.
func (p *Pulse) note(by Families, f func(*Trips)) {
	if p == nil || by != 1 && by != 2 {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	f(&p.trips[by-1])
}

// forget forgets round trips and losses.
func (p *Pulse) forget() {
	if p != nil {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.trips = [2]Trips{}
	}
}

// now is what is known of both families.
func (p *Pulse) now() [2]Trips {
	if p == nil {
		return [2]Trips{}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.trips
}

// Beat notes that a packet of the DC has come.
func (p *Pulse) Beat(now time.Time) {
	if p != nil {
		p.at.Store(int64(now.Sub(p.since)))
	}
}

// heard is when a packet came last; zero: none has.
func (p *Pulse) heard() time.Time {
	if p.at.Load() == 0 {
		return time.Time{}
	}
	return p.last()
}

func (p *Pulse) last() time.Time { return p.since.Add(time.Duration(p.at.Load())) }

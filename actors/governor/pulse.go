package governor

import (
	"sync/atomic"
	"time"
)

// A Pulse is when a DC was last heard, by whichever connection of the process.
// Everybody writes to it and the governor alone reads, so that a packet costs
// one store and no message. It is safe for concurrent use; nil is nobody's.
type Pulse struct {
	since time.Time    // what at counts from
	at    atomic.Int64 // nanoseconds
}

// Beat notes that a packet of the DC has come.
func (p *Pulse) Beat(now time.Time) {
	if p != nil {
		p.at.Store(int64(now.Sub(p.since)))
	}
}

func (p *Pulse) last() time.Time { return p.since.Add(time.Duration(p.at.Load())) }

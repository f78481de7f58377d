package governor

import (
	"cmp"
	"maps"
	"slices"
	"time"
)

// books are what outlives a governor that failed. Only the one that runs writes
// to them, and there is one at a time.
type books struct {
	limits Limits             // those that count now
	open   map[*Ticket]uint64 // tickets that wait or are held, numbered as they came
	last   uint64
	dcs    []*record // in order of their places
	opened bool      // by a governor before
}

// record is what is known of one DC by one route.
type record struct {
	place
	granted [kinds]uint64

	// Down: probes only. delay is the time between them, doubling.
	down    bool
	flood   bool
	since   time.Time
	delay   time.Duration
	nextTry time.Time

	tried Tried // how the last dial by each family ended

	lastFlood  time.Time
	floodDelay time.Duration

	unknown  witnesses // accounts that got -404 under their perm key, and when
	answered witnesses // accounts that got an answer under a key, and when its socket was made

	silent    witnesses // accounts whose connection had no answer, and when
	suspected time.Time // when it was said last

	pulse *Pulse // nil before the first permit
	vigil vigil
}

// enter notes a ticket that waits. There are as many as connections, bindings
// that make a key and sign-ins: each has one at most.
func (b *books) enter(t *Ticket) {
	if b.open == nil {
		b.open = map[*Ticket]uint64{}
	}
	b.last++
	b.open[t] = b.last
	t.state = ticketWaiting
}

// strike takes a ticket out.
func (b *books) strike(t *Ticket) {
	t.state = ticketDone
	delete(b.open, t)
}

// tickets returns those that wait or are held, in the order they came.
func (b *books) tickets() []*Ticket {
	return slices.SortedFunc(maps.Keys(b.open), func(x, y *Ticket) int { return cmp.Compare(b.open[x], b.open[y]) })
}

// at returns the record of a DC by a route.
func (b *books) at(p place) *record {
	i, ok := slices.BinarySearchFunc(b.dcs, p, func(r *record, p place) int { return r.compare(p) })
	if !ok {
		b.dcs = slices.Insert(b.dcs, i, &record{place: p})
	}
	return b.dcs[i]
}

package actors

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/mtfleet/mtfleet/actors/account"
	"github.com/mtfleet/mtfleet/actors/runtime"
	"github.com/mtfleet/mtfleet/persistence"
)

// A Consumer is a durable reader of updates: the server is its log. While one is
// registered, the place of the updates of each account it selects is stored only
// when it has acknowledged what led there, so that what was not acknowledged when
// either side died comes again, at least once and in order for each box. It is
// registered in the store, by name, until RemoveConsumer. Its methods are safe for
// concurrent use.
//
// What counts in no box, somebody typing for example, is not asked of the server
// again: it comes, but not after a crash. States are not durable either: a reader
// is told the present one of each account first.
type Consumer struct {
	m       *Manager
	h       *hub
	clock   runtime.Clock
	done    <-chan struct{} // closed when the manager closes
	present func(*Filter) []Event
	relieve func() // after what was owed is less
	name    string
	created time.Time

	mu      sync.Mutex // guards the following fields
	filter  Filter
	removed bool
	stopped *ConsumerStop   // what it points to is never changed
	reader  *consumerReader // nil while nobody reads
	since   time.Time       // of having that reader, or none

	handed   []owed // given to the reader, not acknowledged
	queue    []owed // not given yet
	passing  []owed // not given yet, and nobody waits for the acknowledgement
	bytes    int    // of all three
	missed   uint64 // of passing, dropped
	handedTo uint64 // number of the newest event that was given
	acked    Cursor
}

// owed is an event that a consumer was not given or has not acknowledged. Lists of
// them are in the order of their numbers.
type owed struct {
	*told
	weight int
}

// consumerReader is one call of Events.
type consumerReader struct {
	ready chan struct{} // capacity 1: something to read
	taken chan struct{} // closed when another begins to read, or the consumer is removed
}

// passingMost bounds what waits for a consumer's reader and is not durable: states
// and what counts nowhere. At the bound the oldest is dropped and counted by
// EventMissed: 4,096 events of 500 bytes take 2 MiB.
const passingMost = 4096

// Errors of consumers.
var (
	// ErrConsumerTaken ends the events of a consumer that somebody else began to
	// read.
	ErrConsumerTaken = errors.New("another reader of this consumer has begun: it has one at a time")
	// ErrConsumerRemoved ends the events of a consumer that was removed.
	ErrConsumerRemoved = errors.New("the consumer was removed")
)

// CursorError refuses to acknowledge a cursor.
type CursorError struct {
	Cursor Cursor
	// Restarted: it is of another run of the manager. What was not acknowledged
	// in that one has come again, or will.
	Restarted bool
}

func (e *CursorError) Error() string {
	if e.Restarted {
		return fmt.Sprintf("the cursor %v is of another run of the manager: what was not acknowledged comes again, with cursors of this run", e.Cursor)
	}
	return fmt.Sprintf("no event up to the cursor %v was handed out to this consumer: acknowledge the cursor of an event it was given", e.Cursor)
}

// Name returns the consumer's name.
func (c *Consumer) Name() string { return c.name }

// Filter returns which events are wanted.
func (c *Consumer) Filter() Filter {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.filter
}

// holds reports whether the consumer acknowledges the updates of an account.
func (c *Consumer) holds(id string, labels persistence.Labels) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return !c.removed && c.filter.wants(EventUpdate) && c.filter.Selects(id, labels)
}

// offer queues events of one account, and is owed an acknowledgement for those of
// a delivery.
func (c *Consumer) offer(events []*told) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.removed || !events[0].selected(&c.filter) {
		return
	}
	for _, ev := range events {
		if !c.filter.wants(ev.Kind) {
			continue
		}
		switch {
		case ev.delivery != nil && c.filter.wants(EventUpdate):
			ev.delivery.owed.Add(1)
			c.push(&c.queue, ev)
		case c.reader == nil: // the present state is told to who comes
		default:
			if ev.Kind == EventState {
				c.overtake(ev)
			}
			if c.push(&c.passing, ev); len(c.passing) > passingMost {
				c.release(shift(&c.passing))
				c.missed++
				c.h.lost(1)
			}
		}
	}
	c.wake()
}

func (c *Consumer) push(list *[]owed, ev *told) {
	var last *told
	if n := len(*list); n > 0 {
		last = (*list)[n-1].told
	}
	w := weight(ev, last)
	*list = append(*list, owed{ev, w})
	c.bytes += w
	c.h.hold(w)
}

// overtake takes out the state of an account that nobody has read yet.
func (c *Consumer) overtake(ev *told) {
	i := slices.IndexFunc(c.passing, func(old owed) bool { return old.Kind == EventState && old.account == ev.account })
	if i >= 0 {
		c.release(c.passing[i])
		c.passing = slices.Delete(c.passing, i, i+1)
	}
}

func (c *Consumer) release(e owed) {
	c.bytes -= e.weight
	c.h.hold(-e.weight)
}

func (c *Consumer) wake() {
	if c.reader != nil {
		select {
		case c.reader.ready <- struct{}{}:
		default:
		}
	}
}

// Events returns what was not acknowledged, then what comes, until ctx ends or
// the manager is closed; then without an error. Before anything else the present
// state of each account is told, by events without a cursor. Whoever calls it last
// is the one reader, from the call on: an earlier one's events end with
// ErrConsumerTaken, and all with ErrConsumerRemoved. Where ctx is over already it
// takes nothing from anybody. Ranging blocks between events; range over it once.
func (c *Consumer) Events(ctx context.Context) iter.Seq2[Event, error] {
	if ctx.Err() != nil {
		return func(func(Event, error) bool) {}
	}
	r, err := c.attach()
	if err != nil {
		return func(yield func(Event, error) bool) { yield(Event{}, err) }
	}
	leave := func() { c.detach(r) }
	stop := context.AfterFunc(ctx, leave)
	return func(yield func(Event, error) bool) {
		defer func() { stop(); leave() }()
		f := c.Filter()
		for _, ev := range c.present(&f) {
			if !yield(ev, nil) {
				return
			}
		}
		for c.hand(ctx, r, yield) {
			select {
			case <-r.ready:
			case <-r.taken:
				err := ErrConsumerTaken
				if c.gone() {
					err = ErrConsumerRemoved
				}
				yield(Event{}, err)
				return
			case <-ctx.Done():
				return
			case <-c.done:
				return // what is not read comes again
			}
		}
	}
}

// hand gives a reader what there is. It reports whether the reader wants more.
func (c *Consumer) hand(ctx context.Context, r *consumerReader, yield func(Event, error) bool) bool {
	for {
		batch := c.next(r)
		if len(batch) == 0 {
			return true
		}
		for _, ev := range batch {
			if ctx.Err() != nil || !yield(ev, nil) {
				return false
			}
		}
	}
}

func (c *Consumer) gone() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.removed
}

// attach makes a reader the one, who begins with what is not acknowledged.
func (c *Consumer) attach() (*consumerReader, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.removed {
		return nil, ErrConsumerRemoved
	}
	if c.reader != nil {
		close(c.reader.taken)
	}
	c.reader = &consumerReader{ready: make(chan struct{}, 1), taken: make(chan struct{})}
	c.since = c.clock.Now()
	for _, e := range c.passing {
		c.release(e)
	}
	c.handed, c.queue, c.passing, c.missed = nil, append(c.handed, c.queue...), nil, 0
	return c.reader, nil
}

func (c *Consumer) detach(r *consumerReader) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.reader == r {
		c.reader, c.since = nil, c.clock.Now()
	}
}

// batchMost bounds what a reader takes at once, so that what it has not begun is
// still counted as not handed out.
const batchMost = 64

// next hands the reader what comes next.
func (c *Consumer) next(r *consumerReader) []Event {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.reader != r {
		return nil
	}
	n := min(len(c.queue)+len(c.passing), batchMost)
	events := make([]Event, 0, n+1)
	for range n {
		var e owed
		if len(c.passing) == 0 || len(c.queue) > 0 && c.queue[0].Cursor.N < c.passing[0].Cursor.N {
			e = shift(&c.queue)
			c.handed = append(c.handed, e)
		} else {
			e = shift(&c.passing)
			c.release(e)
		}
		if c.missed > 0 {
			events = append(events, Event{Kind: EventMissed, At: e.At, Missed: c.missed})
			c.missed = 0
		}
		events = append(events, e.Event)
		c.handedTo = max(c.handedTo, e.Cursor.N)
	}
	return events
}

// shift takes the first out of a list.
func shift(list *[]owed) owed {
	e := (*list)[0]
	(*list)[0] = owed{}
	if *list = (*list)[1:]; len(*list) == 0 {
		*list = nil
	}
	return e
}

// Ack says that the consumer is done with every event up to a cursor, in this run
// of the manager: on its own disk, say. It does not block: the places are written
// within two seconds, and what a crash before that brings again was acknowledged.
// The error is a *CursorError, or ErrConsumerRemoved.
func (c *Consumer) Ack(cursor Cursor) error {
	c.mu.Lock()
	switch {
	case c.removed:
		c.mu.Unlock()
		return ErrConsumerRemoved
	case cursor.IsZero(): // of a present state: there is nothing before it
		c.mu.Unlock()
		return nil
	case cursor.Run != c.h.run:
		c.mu.Unlock()
		return &CursorError{Cursor: cursor, Restarted: true}
	case cursor.N > c.handedTo:
		c.mu.Unlock()
		return &CursorError{Cursor: cursor}
	}
	if cursor.N > c.acked.N {
		c.acked = cursor
	}
	var over settled
	c.handed = c.pop(c.handed, cursor.N, &over)
	c.queue = c.pop(c.queue, cursor.N, &over) // handed out to an earlier reader
	c.mu.Unlock()
	c.h.settle(over)
	c.relieve()
	return nil
}

// pop releases what is acknowledged of a list.
func (c *Consumer) pop(list []owed, n uint64, over *settled) []owed {
	for len(list) > 0 && list[0].Cursor.N <= n {
		e := shift(&list)
		c.release(e)
		over.add(e.delivery)
	}
	return list
}

// drop takes out what will not be acknowledged: it comes again, or its account is
// gone. Who waited for it waits no more.
func (c *Consumer) drop(which func(*told) bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, list := range []*[]owed{&c.handed, &c.queue, &c.passing} {
		*list = slices.DeleteFunc(*list, func(e owed) bool {
			gone := which(e.told)
			if gone {
				c.release(e)
			}
			return gone
		})
	}
}

// close ends the consumer for good: what it owes is as good as acknowledged.
func (c *Consumer) close() {
	c.mu.Lock()
	c.removed = true
	if c.reader != nil {
		close(c.reader.taken)
		c.reader = nil
	}
	var over settled
	for _, e := range slices.Concat(c.handed, c.queue) {
		c.release(e)
		over.add(e.delivery)
	}
	for _, e := range c.passing {
		c.release(e)
	}
	c.handed, c.queue, c.passing = nil, nil, nil
	c.mu.Unlock()
	c.h.settle(over)
	c.relieve()
}

// delivery is what an engine handed out at once, and how many acknowledgements are
// owed for it: one by each consumer for each of its events, and one by who
// publishes it until all have been told.
type delivery struct {
	account *Account
	mark    account.Mark
	owed    atomic.Int32
}

// settled gathers deliveries that nobody owes anything for any more. Consumers
// acknowledge in order, so the last of an account says it for those before it.
type settled []*delivery

func (e *settled) add(d *delivery) {
	if d.owed.Add(-1) > 0 {
		return
	}
	for i, old := range *e {
		if old.account == d.account {
			(*e)[i] = d
			return
		}
	}
	*e = append(*e, d)
}

// inform tells the account's actor something, if one runs.
func (a *Account) inform(m account.Message) {
	if ref := a.current(); !ref.IsZero() {
		ref.Send(m)
	}
}

package actors

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"sync"
	"sync/atomic"
	"time"

	"github.com/mtfleet/mtfleet/actors/account"
	"github.com/mtfleet/mtfleet/actors/runtime"
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
	present func(*Filter) []account.Event
	relieve func() // after what was owed is less
	name    string
	created time.Time

	mu      sync.Mutex // guards the following fields
	filter  Filter
	removed bool
	reader  *consumerReader // nil while nobody reads
	since   time.Time       // of having that reader, or none

	handed   []owed // given to the reader, not acknowledged
	queue    []owed // not given yet
	bytes    int    // of both
	passing  int    // of the queue, what no mark is asked for
	missed   uint64 // of those, dropped
	handedTo uint64 // number of the newest event that was given
	acked    Cursor
}

// owed is an event that a consumer has not acknowledged.
type owed struct {
	*told
	weight  int
	durable bool // somebody waits for the acknowledgement
}

// consumerReader is one range over Events.
type consumerReader struct {
	ready chan struct{} // capacity 1: something to read
	taken chan struct{} // closed when another begins to read, or the consumer is removed
}

// passingMost bounds what waits in a consumer's queue and is not durable: states
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
func (c *Consumer) holds(id string, labels Labels) bool {
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
		durable := ev.delivery != nil && c.filter.wants(EventUpdate)
		switch {
		case durable:
			ev.delivery.owed.Add(1)
			c.push(ev, true)
		case c.reader == nil: // the present state is told to who comes
		default:
			if ev.Kind == EventState {
				c.overtake(ev)
			}
			c.push(ev, false)
			c.passing++
			c.trim()
		}
	}
	c.wake()
}

func (c *Consumer) push(ev *told, durable bool) {
	var last *told
	if n := len(c.queue); n > 0 {
		last = c.queue[n-1].told
	}
	w := weight(ev, last)
	c.queue = append(c.queue, owed{ev, w, durable})
	c.bytes += w
	c.h.hold(w)
}

// overtake takes out the state of an account that nobody has read yet.
func (c *Consumer) overtake(ev *told) {
	for i, old := range c.queue {
		if old.Kind == EventState && old.account == ev.account {
			c.take(i)
			return
		}
	}
}

// take takes an event that is not durable out of the queue.
func (c *Consumer) take(i int) {
	c.release(c.queue[i])
	c.queue = append(c.queue[:i], c.queue[i+1:]...)
	c.passing--
}

// trim keeps what is not durable within its bound.
func (c *Consumer) trim() {
	for i := 0; c.passing > passingMost && i < len(c.queue); i++ {
		if !c.queue[i].durable {
			c.take(i)
			c.missed++
			return
		}
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
// state of each account is told, by events without a cursor. Whoever reads last is
// the one reader: an earlier range ends with ErrConsumerTaken, and all with
// ErrConsumerRemoved. It blocks between events.
func (c *Consumer) Events(ctx context.Context) iter.Seq2[Event, error] {
	return func(yield func(Event, error) bool) {
		r, err := c.attach()
		if err != nil {
			yield(Event{}, err)
			return
		}
		defer c.detach(r)
		f := c.Filter()
		for _, ev := range c.present(&f) {
			if !yield(ev, nil) {
				return
			}
		}
		for {
			for {
				batch := c.next(r)
				if len(batch) == 0 {
					break
				}
				for _, ev := range batch {
					if ctx.Err() != nil || !yield(ev, nil) {
						return
					}
				}
			}
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
	kept := c.handed
	for _, e := range c.queue {
		if e.durable {
			kept = append(kept, e)
		} else {
			c.release(e)
		}
	}
	c.handed, c.queue, c.passing, c.missed = nil, kept, 0, 0
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
	n := min(len(c.queue), batchMost)
	events := make([]Event, 0, n+1)
	if c.missed > 0 && n > 0 {
		events = append(events, Event{Kind: EventMissed, At: c.queue[0].At, Missed: c.missed})
		c.missed = 0
	}
	for i, e := range c.queue[:n] {
		events = append(events, e.Event)
		c.handedTo = max(c.handedTo, e.Cursor.N)
		if e.durable {
			c.handed = append(c.handed, e)
		} else {
			c.release(e)
			c.passing--
		}
		c.queue[i] = owed{}
	}
	if c.queue = c.queue[n:]; len(c.queue) == 0 {
		c.queue = nil
	}
	return events
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

// pop releases what is acknowledged of a list. What is not durable has no
// acknowledgement, and is in the queue behind what was handed out.
func (c *Consumer) pop(list []owed, n uint64, over *settled) []owed {
	for len(list) > 0 && list[0].Cursor.N <= n && list[0].durable {
		c.release(list[0])
		over.add(list[0].delivery)
		list[0] = owed{}
		list = list[1:]
	}
	if len(list) == 0 {
		return nil
	}
	return list
}

// drop takes out what will not be acknowledged: it comes again, or its account is
// gone. Who waited for it waits no more.
func (c *Consumer) drop(which func(*told) bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, list := range []*[]owed{&c.handed, &c.queue} {
		kept := (*list)[:0]
		for _, e := range *list {
			if !which(e.told) {
				kept = append(kept, e)
				continue
			}
			c.release(e)
			if !e.durable {
				c.passing--
			}
		}
		clear((*list)[len(kept):])
		*list = kept
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
	for _, list := range [][]owed{c.handed, c.queue} {
		for _, e := range list {
			c.release(e)
			if e.durable {
				over.add(e.delivery)
			}
		}
	}
	c.handed, c.queue, c.passing = nil, nil, 0
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

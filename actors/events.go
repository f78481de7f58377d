package actors

import (
	"context"
	"iter"
	"sync"
	"sync/atomic"

	"github.com/mtfleet/mtfleet/actors/account"
	"github.com/mtfleet/mtfleet/persistence"
)

// StreamOption says what a stream of events begins with, and what it brings.
// Without one a stream begins now and brings everything.
type StreamOption interface{ apply(*streamOptions) }

type streamOptions struct {
	back   bool   // begin with what is kept
	kept   bool   // and end with it
	after  Cursor // of it
	filter Filter
}

type replay uint8

// Replay begins a stream with what happened since the manager was opened, as
// far as the journal reaches (16,384 events of all accounts, or 32 MiB), so
// that a service that subscribes after Open loses none of the first updates.
const Replay replay = 1

func (replay) apply(o *streamOptions) { o.back = true }

type kept uint8

// Kept ends a stream with what the journal keeps: it begins as with Replay, or
// After a cursor, and waits for nothing.
const Kept kept = 1

func (kept) apply(o *streamOptions) { o.back, o.kept = true, true }

type after Cursor

// After begins a stream with what came after a cursor, for a reader who went
// away and comes back. What of it the journal has no more is counted by one
// EventMissed; a cursor of another run of the manager is told by EventRestarted,
// and the stream begins as with Replay. The zero Cursor is Replay.
func After(c Cursor) StreamOption { return after(c) }

func (a after) apply(o *streamOptions) { o.back, o.after = true, Cursor(a) }

type matching Filter

// Matching brings what a filter wants alone.
func Matching(f Filter) StreamOption { return matching(f) }

func (f matching) apply(o *streamOptions) { o.filter = Filter(f) }

// hub keeps the journal of events and hands them to streams. Publishing never
// blocks: an account must not feel how slowly somebody reads.
type hub struct {
	run     uint64
	onEvent func(Event) // nil: nobody
	inform  func(*Account, account.Message)
	lost    func(n int) // told when a reader that is too slow loses events; it does not block

	mu      sync.Mutex // guards the following fields, and keeps all in order
	last    uint64     // number of the newest event
	journal backlog
	dropped map[string]*told // by account, the newest event that had to go from the journal
	streams map[*stream]struct{}
	of      map[string]map[*stream]struct{} // those of one account, which are not in streams

	consumers []*Consumer // by name

	owed    atomic.Int64 // bytes that consumers have not acknowledged
	turning sync.Mutex   // guards changes of full: accounts hear of each in turn
	full    atomic.Bool  // accounts take no more updates for what is owed
}

func newHub(run uint64, onEvent func(Event)) *hub {
	return &hub{
		run: run, onEvent: onEvent, inform: (*Account).inform, lost: func(int) {},
		dropped: map[string]*told{}, streams: map[*stream]struct{}{}, of: map[string]map[*stream]struct{}{},
	}
}

// publish numbers events of an account and queues them for every reader that
// wants them.
func (h *hub) publish(a *Account, events ...*told) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, ev := range events {
		h.last++
		ev.Cursor, ev.account = Cursor{Run: h.run, N: h.last}, a
		h.journal.push(ev)
		for old, over := h.journal.trim(); over; old, over = h.journal.trim() {
			h.dropped[old.Account] = old
		}
		for s := range h.streams {
			s.offer(ev)
		}
		for s := range h.of[ev.Account] {
			s.offer(ev)
		}
		if h.onEvent != nil {
			h.onEvent(ev.Event)
		}
	}
	if len(h.consumers) > 0 {
		h.deliver(a, events)
	}
}

// deliver hands events of one account to the durable consumers, with what is to
// be told when all of them have acknowledged.
func (h *hub) deliver(a *Account, events []*told) {
	var all []*delivery
	for _, ev := range events {
		if a == nil || !a.durable.Load() || ev.mark == (account.Mark{}) {
			continue
		}
		if ev.mark.Life != a.life {
			// The engine began anew from what was acknowledged: what was not comes
			// again.
			a.life = ev.mark.Life
			for _, c := range h.consumers {
				c.drop(func(old *told) bool { return old.account == a && old.delivery != nil })
			}
		}
		if n := len(all); n == 0 || all[n-1].mark != ev.mark {
			all = append(all, &delivery{account: a, mark: ev.mark})
			all[n].owed.Store(1)
		}
		ev.delivery = all[len(all)-1]
	}
	for _, c := range h.consumers {
		c.offer(events)
	}
	var over settled
	for _, d := range all {
		over.add(d)
	}
	h.settle(over)
}

// forget drops what is kept of an account that was removed. Another of its
// name numbers its events anew.
func (h *hub) forget(a *Account) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.dropped, a.ID())
	for _, c := range h.consumers {
		c.drop(func(old *told) bool { return old.account == a })
	}
}

// rewind queues what the journal has after a cursor for a new stream.
func (h *hub) rewind(s *stream, from Cursor) {
	if !from.IsZero() && from.Run != h.run {
		s.words = append(s.words, &told{Event: Event{Kind: EventRestarted, Cursor: Cursor{Run: h.run}}})
		from = Cursor{}
	}
	s.missed, s.missedTo = h.gone(s, from.N)
	kept := h.journal.events
	if len(kept) > 0 && from.N >= kept[0].Cursor.N {
		kept = kept[min(from.N-kept[0].Cursor.N+1, uint64(len(kept))):]
	}
	for _, ev := range kept {
		if s.of == "" || s.of == ev.Account {
			s.offer(ev)
		}
	}
}

// gone counts what a stream would have had after a number and the journal has no
// more: exactly when it begins at the beginning and names its accounts or wants
// all, else at most so many.
func (h *hub) gone(s *stream, after uint64) (n uint64, to Cursor) {
	if len(s.filter.Accounts) == 0 {
		first := h.last - uint64(len(h.journal.events)) + 1
		if after+1 < first {
			return first - 1 - after, Cursor{Run: h.run, N: first - 1}
		}
		return 0, Cursor{}
	}
	for _, id := range s.filter.Accounts {
		if old := h.dropped[id]; old != nil && old.Cursor.N > after {
			n += min(old.Seq, old.Cursor.N-after)
			to = Cursor{Run: h.run, N: max(to.N, old.Cursor.N)}
		}
	}
	return n, to
}

// subscribe opens a stream now, so that nothing published after it returns is
// missed, and hands out what the range over it reads. The stream ends with
// ctx, with the range, or with done.
func (h *hub) subscribe(ctx context.Context, id string, done <-chan struct{}, opts []StreamOption) iter.Seq[Event] {
	var o streamOptions
	for _, opt := range opts {
		opt.apply(&o)
	}
	if id != "" {
		o.filter.Accounts = []string{id}
	}
	s := &stream{filter: o.filter, lost: h.lost, ready: make(chan struct{}, 1)}
	if len(o.filter.Accounts) == 1 {
		s.of = o.filter.Accounts[0]
	}
	h.mu.Lock()
	s.queue.bounds = h.journal.bounds
	h.add(s)
	if o.back {
		h.rewind(s, o.after)
	}
	h.mu.Unlock()
	leave := func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.remove(s)
	}
	stop := context.AfterFunc(ctx, leave)
	return func(yield func(Event) bool) {
		defer func() { stop(); leave() }()
		for {
			if !s.drain(yield) || o.kept {
				return
			}
			select {
			case <-s.ready:
			case <-ctx.Done():
				return
			case <-done:
				s.drain(yield) // what was published before the end is still read
				return
			}
		}
	}
}

func (h *hub) add(s *stream) {
	if s.of == "" {
		h.streams[s] = struct{}{}
		return
	}
	if h.of[s.of] == nil {
		h.of[s.of] = map[*stream]struct{}{}
	}
	h.of[s.of][s] = struct{}{}
}

func (h *hub) remove(s *stream) {
	delete(h.streams, s)
	if all := h.of[s.of]; all != nil {
		if delete(all, s); len(all) == 0 {
			delete(h.of, s.of)
		}
	}
}

// stream is one reader's queue, within the bounds of a backlog. At a bound the
// oldest event is dropped and the reader is told by EventMissed; nobody who
// publishes ever waits.
type stream struct {
	filter Filter
	of     string // the one account, if the filter names one
	lost   func(n int)

	mu       sync.Mutex // guards the following fields
	words    []*told    // what is said of the stream before anything else
	queue    backlog
	missed   uint64        // events dropped before the first of the queue
	missedTo Cursor        // the last of them
	ready    chan struct{} // capacity 1: something to read
}

func (s *stream) offer(ev *told) {
	if s.filter.wants(ev.Kind) && ev.selected(&s.filter) {
		s.push(ev)
	}
}

// selected reports whether the filter wants the event's account, by the labels
// that it has now.
func (ev *told) selected(f *Filter) bool {
	var labels persistence.Labels
	if ev.account != nil {
		labels = ev.account.Labels()
	}
	return f.Selects(ev.Account, labels)
}

func (s *stream) push(ev *told) {
	s.mu.Lock()
	s.queue.push(ev)
	for old, over := s.queue.trim(); over; old, over = s.queue.trim() {
		s.missed++
		s.lost(1)
		s.missedTo = old.Cursor
	}
	s.mu.Unlock()
	select {
	case s.ready <- struct{}{}:
	default:
	}
}

// take returns what is queued, with a word about what was dropped before it.
func (s *stream) take() []*told {
	s.mu.Lock()
	defer s.mu.Unlock()
	got, words := s.queue.events, s.words
	s.queue, s.words = backlog{bounds: s.queue.bounds}, nil
	if s.missed > 0 {
		word := &told{Event: Event{Kind: EventMissed, Account: s.of, Cursor: s.missedTo, Missed: s.missed}}
		if len(got) > 0 {
			word.At = got[0].At
		}
		words, s.missed = append(words, word), 0
	}
	if len(words) == 0 {
		return got
	}
	return append(words, got...)
}

// drain hands out what is queued; false when the reader wants no more.
func (s *stream) drain(yield func(Event) bool) bool {
	for _, ev := range s.take() {
		if !yield(ev.Event) {
			return false
		}
	}
	return true
}

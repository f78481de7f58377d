package actors

import (
	"context"
	"iter"
	"slices"
	"sync"

	"github.com/mtfleet/mtfleet/actors/account"
)

// StreamOption changes what a stream of events begins with.
type StreamOption uint8

// Replay begins a stream with what happened since the manager was opened, as
// far as the backlog reaches (16,384 events of all accounts, or 32 MiB), so
// that a service that subscribes after Open loses none of the first updates.
const Replay StreamOption = 1

// hub hands events to streams. Publishing never blocks: an account must not
// feel how slowly somebody reads.
type hub struct {
	onEvent func(account.Event) // nil: nobody

	mu      sync.Mutex // guards the following fields, and keeps onEvent in order
	streams map[*stream]struct{}
	backlog Backlog           // for streams that ask for a replay
	dropped map[string]uint64 // by account, the newest event that had to go from the backlog
}

// stream is one reader's queue, within the bounds of a Backlog. At a bound the
// oldest event is dropped and the reader is told by EventMissed; nobody who
// publishes ever waits.
type stream struct {
	account string // "" for every account

	mu     sync.Mutex // guards the following fields
	queue  Backlog
	missed map[string]uint64 // events dropped since the last one delivered, by account
	ready  chan struct{}     // capacity 1: something to read
}

func newHub(onEvent func(account.Event)) *hub {
	return &hub{onEvent: onEvent, streams: map[*stream]struct{}{}, dropped: map[string]uint64{}}
}

// publish queues ev for every stream that wants it.
func (h *hub) publish(ev account.Event) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.backlog.Push(ev)
	for old, over := h.backlog.Trim(); over; old, over = h.backlog.Trim() {
		h.dropped[old.Account] = old.Seq
	}
	for s := range h.streams {
		s.offer(ev)
	}
	if h.onEvent != nil {
		h.onEvent(ev)
	}
}

// replay queues the backlog for a new stream; what had to go from it before is
// counted as missed.
func (h *hub) replay(s *stream) {
	for id, seq := range h.dropped {
		if s.account == "" || s.account == id {
			s.missed[id] = seq
		}
	}
	for _, ev := range h.backlog.Events() {
		s.offer(ev)
	}
}

// forget drops what is kept of an account that was removed. Another of its
// name numbers its events anew.
func (h *hub) forget(id string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.dropped, id)
}

func (s *stream) offer(ev account.Event) {
	if s.account == "" || s.account == ev.Account {
		s.push(ev)
	}
}

func (s *stream) push(ev account.Event) {
	s.mu.Lock()
	s.queue.Push(ev)
	for old, over := s.queue.Trim(); over; old, over = s.queue.Trim() {
		s.missed[old.Account]++
	}
	s.mu.Unlock()
	select {
	case s.ready <- struct{}{}:
	default:
	}
}

// take returns what is queued, with a word about what was dropped before it.
func (s *stream) take() []account.Event {
	s.mu.Lock()
	defer s.mu.Unlock()
	got := s.queue.Events()
	s.queue = Backlog{}
	if len(s.missed) == 0 {
		return got
	}
	out := make([]account.Event, 0, len(got)+len(s.missed))
	for _, ev := range got {
		if n := s.missed[ev.Account]; n > 0 {
			delete(s.missed, ev.Account)
			out = append(out, account.Event{Account: ev.Account, Seq: ev.Seq - 1, At: ev.At, Kind: account.EventMissed, Missed: n})
		}
		out = append(out, ev)
	}
	return out
}

// subscribe opens a stream now, so that nothing published after it returns is
// missed, and hands out what the range over it reads. The stream ends with
// ctx, with the range, or with done.
func (h *hub) subscribe(ctx context.Context, id string, done <-chan struct{}, opts []StreamOption) iter.Seq[account.Event] {
	s := &stream{account: id, ready: make(chan struct{}, 1), missed: map[string]uint64{}}
	h.mu.Lock()
	h.streams[s] = struct{}{}
	if slices.Contains(opts, Replay) {
		h.replay(s)
	}
	h.mu.Unlock()
	leave := func() {
		h.mu.Lock()
		delete(h.streams, s)
		h.mu.Unlock()
	}
	stop := context.AfterFunc(ctx, leave)
	return func(yield func(account.Event) bool) {
		defer func() { stop(); leave() }()
		for {
			for _, ev := range s.take() {
				if !yield(ev) {
					return
				}
			}
			select {
			case <-s.ready:
			case <-ctx.Done():
				return
			case <-done:
				// What was published before the end is still read.
				for _, ev := range s.take() {
					if !yield(ev) {
						return
					}
				}
				return
			}
		}
	}
}

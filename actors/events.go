package actors

import (
	"context"
	"iter"
	"sync"

	"github.com/mtfleet/mtfleet/actors/account"
)

// maxQueuedEvents bounds what one stream of events holds for a slow reader:
// 4,096 events of at most a few hundred bytes, about 1 MB a stream. At the
// bound the oldest event is dropped and the reader is told by EventMissed;
// nobody who publishes ever waits.
const maxQueuedEvents = 4096

// hub hands events to streams. Publishing never blocks: an account must not
// feel how slowly somebody reads.
type hub struct {
	mu      sync.Mutex // guards streams
	streams map[*stream]struct{}
}

// stream is one reader's queue.
type stream struct {
	account string // "" for every account

	mu     sync.Mutex // guards the following fields
	queue  []account.Event
	missed map[string]uint64 // events dropped since the last one delivered, by account
	ready  chan struct{}     // capacity 1: something to read
}

func newHub() *hub { return &hub{streams: map[*stream]struct{}{}} }

// publish queues ev for every stream that wants it.
func (h *hub) publish(ev account.Event) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for s := range h.streams {
		if s.account == "" || s.account == ev.Account {
			s.push(ev)
		}
	}
}

func (s *stream) push(ev account.Event) {
	s.mu.Lock()
	if len(s.queue) == maxQueuedEvents {
		if s.missed == nil {
			s.missed = map[string]uint64{}
		}
		s.missed[s.queue[0].Account]++
		s.queue = append(s.queue[:0], s.queue[1:]...)
	}
	s.queue = append(s.queue, ev)
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
	got := s.queue
	s.queue = nil
	if s.missed == nil {
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
	s.missed = nil
	return out
}

// subscribe opens a stream now, so that nothing published after it returns is
// missed, and hands out what the range over it reads. The stream ends with
// ctx, with the range, or with done.
func (h *hub) subscribe(ctx context.Context, id string, done <-chan struct{}) iter.Seq[account.Event] {
	s := &stream{account: id, ready: make(chan struct{}, 1)}
	h.mu.Lock()
	h.streams[s] = struct{}{}
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

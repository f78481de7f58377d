package control

import (
	"context"
	"iter"
	"sync"

	"github.com/mtfleet/mtfleet/actors"
)

// Journal keeps the last events of a manager, numbered, so that a reader who
// connects late or anew misses nothing. At the bounds of an actors.Backlog the
// oldest go, and a reader who wanted them is told how many.
type Journal struct {
	mu    sync.Mutex // guards the following fields
	kept  actors.Backlog
	last  uint64 // cursor of the newest event
	ended bool
	news  chan struct{} // closed and replaced with every event
}

// NewJournal returns an empty journal; Follow fills it.
func NewJournal() *Journal { return &Journal{news: make(chan struct{})} }

// Follow writes down events until their stream ends, and wakes its readers for
// the last time. It blocks; the stream is that of actors.Manager.Events.
func (j *Journal) Follow(events iter.Seq[actors.Event]) {
	for ev := range events {
		j.add(ev)
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	j.ended = true
	close(j.news)
	j.news = make(chan struct{})
}

func (j *Journal) add(ev actors.Event) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.last++
	j.kept.Push(ev)
	for _, over := j.kept.Trim(); over; _, over = j.kept.Trim() {
	}
	close(j.news)
	j.news = make(chan struct{})
}

// after returns what comes after a cursor, and a channel that is closed when
// there is more; nil when there never will be.
func (j *Journal) after(cursor uint64) (events []Event, more <-chan struct{}) {
	const most = 512 // at once, so that writers do not wait for a long copy
	j.mu.Lock()
	defer j.mu.Unlock()
	kept := j.kept.Events()
	oldest := j.last - uint64(len(kept)) + 1
	if cursor+1 < oldest {
		// The events of this number are gone; say so in their place.
		lost := oldest - 1 - cursor
		events = append(events, Event{Cursor: oldest - 1, Event: actors.Event{Kind: actors.EventMissed, Missed: lost}})
		cursor = oldest - 1
	}
	for ; cursor < j.last && len(events) < most; cursor++ {
		events = append(events, Event{Cursor: cursor + 1, Event: kept[cursor+1-oldest]})
	}
	if j.ended && cursor >= j.last {
		return events, nil
	}
	return events, j.news
}

// Read returns the events after a cursor as they come, until ctx or the journal
// ends.
func (j *Journal) Read(ctx context.Context, cursor uint64) iter.Seq2[Event, error] {
	return func(yield func(Event, error) bool) {
		for {
			events, more := j.after(cursor)
			for _, ev := range events {
				if !yield(ev, nil) {
					return
				}
				cursor = ev.Cursor
			}
			if len(events) > 0 {
				continue
			}
			if more == nil {
				return
			}
			select {
			case <-more:
			case <-ctx.Done():
				return
			}
		}
	}
}

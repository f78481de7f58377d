package control

import (
	"context"
	"iter"

	"github.com/mtfleet/mtfleet/actors"
)

// EventsRequest says which events are wanted, and from where on.
type EventsRequest struct {
	// After is the cursor of the last event already seen, in a cluster of each node.
	// Without one, the stream begins at the beginning of what a node keeps. What of it
	// is gone is told by one event of kind "missed", and a cursor of a run that is over
	// by one of kind "restarted".
	After Cursors `json:"after,omitempty"`
	// Now begins the stream now, and Kept ends it with what the manager keeps.
	Now  bool `json:"now,omitempty"`
	Kept bool `json:"kept,omitempty"`
	// Raw has updates, users and chats as base64 of their bytes.
	Raw bool `json:"raw,omitempty"`
	actors.Filter
}

// ConsumeRequest names a durable consumer and says what it is told.
type ConsumeRequest struct {
	Name string `json:"name"`
	// Filter, if given, is what it is told from now on; without one it is as
	// registered before, or everything.
	Filter *actors.Filter `json:"filter,omitempty"`
	// Raw has updates, users and chats as base64 of their bytes.
	Raw bool `json:"raw,omitempty"`
}

// AckRequest acknowledges what a consumer was told.
type AckRequest struct {
	Name   string        `json:"name"`
	Cursor actors.Cursor `json:"cursor"`
}

// ConsumerRequest names a durable consumer.
type ConsumerRequest struct {
	Name string `json:"name"`
}

// ConsumerList is all durable consumers by name.
type ConsumerList struct {
	Consumers []actors.ConsumerStatus `json:"consumers"`
}

// check refuses a beginning that is two.
func (r EventsRequest) check() error {
	if r.Now && (r.Kept || len(r.After) > 0) {
		return &Error{Kind: KindInvalid, Message: "a stream begins now, or has what is kept or came after a cursor: give one of them"}
	}
	return nil
}

// options are the request's, to the manager of a run.
func (r *EventsRequest) options(run uint64) []actors.StreamOption {
	opts := []actors.StreamOption{actors.Matching(r.Filter)}
	if !r.Now {
		after := r.After.of(run)
		if after.IsZero() && len(r.After) > 0 {
			after = r.After[0] // of a run that is over, which is told
		}
		opts = append(opts, actors.After(after))
	}
	if r.Kept {
		opts = append(opts, actors.Kept)
	}
	return opts
}

// Event is one event with its place in the manager's journal.
type Event = actors.EventJSON

// Events carries out [Events].
func (l *Local) Events(ctx context.Context, r EventsRequest) (iter.Seq2[Event, error], error) {
	if l.Manager == nil {
		return nil, errNoEvents
	}
	if err := r.Filter.Check(); err != nil {
		return nil, Wrap(err)
	}
	events := l.Manager.Events(ctx, r.options(l.Manager.Owner().Epoch)...)
	return func(yield func(Event, error) bool) {
		for ev := range events {
			if !yield(actors.NewEventJSON(ev, r.Raw), nil) {
				return
			}
		}
	}, nil
}

// Consume carries out [Consume].
func (l *Local) Consume(ctx context.Context, r ConsumeRequest) (iter.Seq2[Event, error], error) {
	c, err := l.Manager.Consumer(ctx, actors.ConsumerOptions{Name: r.Name, Filter: r.Filter})
	if err != nil {
		return nil, Wrap(err)
	}
	events := c.Events(ctx) // who asked is the one reader before it is said that the stream is open
	return func(yield func(Event, error) bool) {
		for ev, err := range events {
			if !yield(actors.NewEventJSON(ev, r.Raw), Wrap(err)) {
				return
			}
		}
	}, nil
}

// Ack carries out [Ack].
func (l *Local) Ack(_ context.Context, r AckRequest) (Empty, error) {
	return Empty{}, Wrap(l.Manager.AckConsumer(r.Name, r.Cursor))
}

// Consumers carries out [Consumers].
func (l *Local) Consumers(context.Context, Empty) (ConsumerList, error) {
	return ConsumerList{l.Manager.Consumers()}, nil
}

// RemoveConsumer carries out [RemoveConsumer].
func (l *Local) RemoveConsumer(ctx context.Context, r ConsumerRequest) (Empty, error) {
	return Empty{}, Wrap(l.Manager.RemoveConsumer(ctx, r.Name))
}

var errNoEvents = &Error{Kind: KindState, Message: "there are no events: no manager runs; start one with `manager run`"}

// noAccount is a name that no account has: a manager that is opened for it has the
// store and starts nobody.
const noAccount = "_nobody"

// noEvents is for streams of a store that no manager runs.
func noEvents[Req any](*Direct, context.Context, Req) (iter.Seq2[Event, error], error) {
	return nil, errNoEvents
}

package control

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"iter"
	"net/http"

	"github.com/mtfleet/mtfleet/actors"
)

// Streams are the events of accounts.
type Streams interface {
	// Events returns events as they come, until ctx ends or the manager stops. It
	// returns when the stream is open.
	Events(context.Context, EventsRequest) (iter.Seq2[Event, error], error)
	// Consume returns the events of a durable consumer, which it registers if there
	// is none of that name. Whoever consumes last is the one who does.
	Consume(context.Context, ConsumeRequest) (iter.Seq2[Event, error], error)
	// Ack says that a consumer is done with every event up to a cursor.
	Ack(context.Context, AckRequest) (Empty, error)
	// Consumers lists the durable consumers.
	Consumers(context.Context, Empty) (ConsumerList, error)
	// RemoveConsumer ends one: no update waits for it any more, and its dead letters
	// are deleted.
	RemoveConsumer(context.Context, ConsumerRequest) (Empty, error)
}

// EventsRequest says which events are wanted, and from where on.
type EventsRequest struct {
	// After is the cursor of the last event already seen. Without one, the stream
	// begins at the beginning of what the manager keeps. What of it is gone
	// is told by one event of kind "missed", and a cursor of another run of the
	// manager by one of kind "restarted".
	After actors.Cursor `json:"after,omitzero"`
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

func (r *EventsRequest) options() []actors.StreamOption {
	opts := []actors.StreamOption{actors.Matching(r.Filter)}
	if !r.Now {
		opts = append(opts, actors.After(r.After))
	}
	if r.Kept {
		opts = append(opts, actors.Kept)
	}
	return opts
}

// Event is one event with its place in the manager's journal.
type Event = actors.EventJSON

// Events implements Streams.
func (l *Local) Events(ctx context.Context, r EventsRequest) (iter.Seq2[Event, error], error) {
	if l.Manager == nil {
		return nil, errNoEvents
	}
	if err := r.Filter.Check(); err != nil {
		return nil, Wrap(err)
	}
	if r.Now && (r.Kept || !r.After.IsZero()) {
		return nil, &Error{Kind: KindInvalid, Message: "a stream begins now, or has what is kept or came after a cursor: give one of them"}
	}
	events := l.Manager.Events(ctx, r.options()...)
	return func(yield func(Event, error) bool) {
		for ev := range events {
			if !yield(actors.NewEventJSON(ev, r.Raw), nil) {
				return
			}
		}
	}, nil
}

// Consume implements Streams.
func (l *Local) Consume(ctx context.Context, r ConsumeRequest) (iter.Seq2[Event, error], error) {
	c, err := l.Manager.Consumer(ctx, actors.ConsumerOptions{Name: r.Name, Filter: r.Filter})
	if err != nil {
		return nil, Wrap(err)
	}
	return func(yield func(Event, error) bool) {
		for ev, err := range c.Events(ctx) {
			if !yield(actors.NewEventJSON(ev, r.Raw), Wrap(err)) {
				return
			}
		}
	}, nil
}

// Ack implements Streams.
func (l *Local) Ack(_ context.Context, r AckRequest) (Empty, error) {
	return Empty{}, Wrap(l.Manager.AckConsumer(r.Name, r.Cursor))
}

// Consumers implements Streams.
func (l *Local) Consumers(context.Context, Empty) (ConsumerList, error) {
	return ConsumerList{l.Manager.Consumers()}, nil
}

// RemoveConsumer implements Streams.
func (l *Local) RemoveConsumer(ctx context.Context, r ConsumerRequest) (Empty, error) {
	return Empty{}, Wrap(l.Manager.RemoveConsumer(ctx, r.Name))
}

var errNoEvents = &Error{Kind: KindState, Message: "there are no events: no manager runs; start one with `manager run`"}

// Events implements Streams: there are none.
func (d *Direct) Events(context.Context, EventsRequest) (iter.Seq2[Event, error], error) {
	return nil, errNoEvents
}

// Consume implements Streams: there are no events.
func (d *Direct) Consume(context.Context, ConsumeRequest) (iter.Seq2[Event, error], error) {
	return nil, errNoEvents
}

// Ack implements Streams: nothing was told that could be acknowledged.
func (d *Direct) Ack(context.Context, AckRequest) (Empty, error) { return Empty{}, errNoEvents }

// noAccount is a name that no account has: a manager that is opened for it has the
// store and starts nobody.
const noAccount = "_nobody"

// Consumers implements Streams.
func (d *Direct) Consumers(ctx context.Context, r Empty) (ConsumerList, error) {
	l, done, err := d.open(ctx, noAccount, false)
	if err != nil {
		return ConsumerList{}, err
	}
	defer done()
	return l.Consumers(ctx, r)
}

// RemoveConsumer implements Streams.
func (d *Direct) RemoveConsumer(ctx context.Context, r ConsumerRequest) (Empty, error) {
	l, done, err := d.open(ctx, noAccount, false)
	if err != nil {
		return Empty{}, err
	}
	defer done()
	return l.RemoveConsumer(ctx, r)
}

func handleStreams(mux *http.ServeMux, s Streams) {
	streaming(mux, "Events", s.Events)
	streaming(mux, "Consume", s.Consume)
	unary(mux, "Ack", s.Ack)
	unary(mux, "Consumers", s.Consumers)
	unary(mux, "RemoveConsumer", s.RemoveConsumer)
}

// brokenLine is the last line of a stream that ends with an error.
type brokenLine struct {
	Error *wireError `json:"error,omitempty"`
}

// streaming serves a method whose answer is one JSON object a line.
func streaming[Req, Line any](mux *http.ServeMux, name string, method func(context.Context, Req) (iter.Seq2[Line, error], error)) {
	mux.HandleFunc("POST "+servicePath+name, func(w http.ResponseWriter, r *http.Request) {
		request, err := readRequest[Req](w, r)
		if err != nil {
			writeError(w, err)
			return
		}
		lines, err := method(r.Context(), request)
		if err != nil {
			writeError(w, err)
			return
		}
		w.Header().Set("Content-Type", "application/x-ndjson")
		w.WriteHeader(http.StatusOK)
		out := http.NewResponseController(w)
		_ = out.Flush() // the stream is open
		encode := json.NewEncoder(w)
		for line, err := range lines {
			if err != nil {
				_ = encode.Encode(brokenLine{wireOf(err)})
				return
			}
			if encode.Encode(line) != nil || out.Flush() != nil {
				return
			}
		}
	})
}

// maxEventLine bounds one event: an update of 16 MiB in base64 and the rest.
const maxEventLine = 24 << 20

// stream is one method whose answer is one JSON object a line. It ends without an
// error when the manager ended it; when it broke off the last element is one.
func stream[Line any](ctx context.Context, r *Remote, method string, request any) (iter.Seq2[Line, error], error) {
	resp, cancel, err := r.post(ctx, method, request)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusOK {
		defer cancel()
		defer resp.Body.Close()
		return nil, readError(resp)
	}
	return func(yield func(Line, error) bool) {
		defer cancel()
		defer resp.Body.Close()
		lines := bufio.NewScanner(resp.Body)
		lines.Buffer(nil, maxEventLine)
		for lines.Scan() {
			var line, none Line
			var broken brokenLine
			if err := errors.Join(json.Unmarshal(lines.Bytes(), &line), json.Unmarshal(lines.Bytes(), &broken)); err != nil {
				// Half a line: the manager was killed while writing it.
				yield(none, r.lost(ctx, err))
				return
			}
			if e := broken.Error; e != nil {
				yield(none, &Error{Kind: e.Kind, Message: e.Message, Until: e.Until})
				return
			}
			if !yield(line, nil) {
				return
			}
		}
		if err := lines.Err(); err != nil {
			var none Line
			yield(none, r.lost(ctx, err))
		}
	}, nil
}

// Events implements Streams.
func (r *Remote) Events(ctx context.Context, q EventsRequest) (iter.Seq2[Event, error], error) {
	return stream[Event](ctx, r, "Events", q)
}

// Consume implements Streams.
func (r *Remote) Consume(ctx context.Context, q ConsumeRequest) (iter.Seq2[Event, error], error) {
	return stream[Event](ctx, r, "Consume", q)
}

// Ack implements Streams.
func (r *Remote) Ack(ctx context.Context, q AckRequest) (Empty, error) {
	return call[AckRequest, Empty](ctx, r, "Ack", q)
}

// Consumers implements Streams.
func (r *Remote) Consumers(ctx context.Context, q Empty) (ConsumerList, error) {
	return call[Empty, ConsumerList](ctx, r, "Consumers", q)
}

// RemoveConsumer implements Streams.
func (r *Remote) RemoveConsumer(ctx context.Context, q ConsumerRequest) (Empty, error) {
	return call[ConsumerRequest, Empty](ctx, r, "RemoveConsumer", q)
}

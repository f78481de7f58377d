package control

import (
	"bufio"
	"context"
	"encoding/json"
	"iter"
	"net/http"

	"github.com/mtfleet/mtfleet/actors"
)

// Streams are the events of accounts.
type Streams interface {
	// Events returns events as they come, until ctx ends or the manager stops. It
	// returns when the stream is open.
	Events(context.Context, EventsRequest) (iter.Seq2[Event, error], error)
}

// EventsRequest says which events are wanted, and from where on.
type EventsRequest struct {
	// After is the cursor of the last event already seen. Without one, the stream
	// begins at the beginning of what the manager keeps. What of it is gone
	// is told by one event of kind "missed", and a cursor of another run of the
	// manager by one of kind "restarted".
	After actors.Cursor `json:"after,omitzero"`
	// Now begins the stream now.
	Now bool `json:"now,omitempty"`
	actors.Filter
}

func (r *EventsRequest) options() []actors.StreamOption {
	opts := []actors.StreamOption{actors.Matching(r.Filter)}
	if !r.Now {
		opts = append(opts, actors.After(r.After))
	}
	return opts
}

// Event is one event with its place in the manager's journal.
type Event struct {
	actors.Event
}

// Events implements Streams.
func (l *Local) Events(ctx context.Context, r EventsRequest) (iter.Seq2[Event, error], error) {
	if l.Manager == nil {
		return nil, errNoEvents
	}
	if err := r.Filter.Check(); err != nil {
		return nil, Wrap(err)
	}
	if r.Now && !r.After.IsZero() {
		return nil, &Error{Kind: KindInvalid, Message: "a stream begins now or after a cursor: give one of them"}
	}
	events := l.Manager.Events(ctx, r.options()...)
	return func(yield func(Event, error) bool) {
		for ev := range events {
			if !yield(Event{ev}, nil) {
				return
			}
		}
	}, nil
}

var errNoEvents = &Error{Kind: KindState, Message: "there are no events: no manager runs; start one with `manager run`"}

// Events implements Streams: there are none.
func (d *Direct) Events(context.Context, EventsRequest) (iter.Seq2[Event, error], error) {
	return nil, errNoEvents
}

func handleStreams(mux *http.ServeMux, s Streams) {
	streaming(mux, "Events", s.Events)
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
			if err != nil || encode.Encode(line) != nil || out.Flush() != nil {
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
			if err := json.Unmarshal(lines.Bytes(), &line); err != nil {
				// Half a line: the manager was killed while writing it.
				yield(none, r.lost(ctx, err))
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

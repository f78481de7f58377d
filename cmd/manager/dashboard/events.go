package dashboard

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"

	"github.com/mtfleet/mtfleet/actors"
	"github.com/mtfleet/mtfleet/cmd/manager/control"
)

// eventsMost are shown; of more that come within a second the last are.
const eventsMost = 200

// eventKinds are those that can be asked for.
var eventKinds = []actors.EventKind{actors.EventState, actors.EventUpdate, actors.EventHole, actors.EventNotice}

// filterOf reads the filter of an address: kinds, accounts and labels, the last two
// separated by spaces or commas.
func filterOf(r *http.Request) (f actors.Filter, err error) {
	q := r.URL.Query()
	for _, word := range q["kind"] {
		var kind actors.EventKind
		if kind.UnmarshalText([]byte(word)) != nil {
			return f, invalid("there is no kind of events %q", word)
		}
		f.Kinds = append(f.Kinds, kind)
	}
	words := func(name string) []string {
		return strings.FieldsFunc(q.Get(name), func(c rune) bool { return c == ' ' || c == ',' })
	}
	f.Accounts, f.Labels = words("accounts"), words("labels")
	return f, control.Wrap(f.Check())
}

func (s *Server) eventsPage(w http.ResponseWriter, r *http.Request) {
	f, err := filterOf(r)
	v := view{scripts: []string{"events.js"}}
	wrong := ""
	if err != nil {
		wrong = sentence(err)
	} else {
		v.live = "/live/events?" + r.URL.RawQuery
	}
	s.show(w, r, http.StatusOK, "Events", v, eventsBody(f, r.URL.Query().Get("accounts"), r.URL.Query().Get("labels"), wrong))
}

// eventsLive streams what the manager keeps and what happens, a batch at a time.
func (s *Server) eventsLive(w http.ResponseWriter, r *http.Request) {
	f, err := filterOf(r)
	if err != nil {
		s.failed(w, r, err)
		return
	}
	ctx, cancel := context.WithCancel(r.Context())
	var heard sync.WaitGroup
	defer heard.Wait()
	defer cancel()
	events, err := control.Events.Call(ctx, s.o.Service, control.EventsRequest{Raw: true, Filter: f})
	if err != nil {
		s.failed(w, r, err)
		return
	}
	var b batch
	heard.Go(func() {
		for ev, err := range events {
			if err != nil {
				return
			}
			b.add(ev)
		}
	})
	s.stream(w, r, func(ctx context.Context, t *stream) error {
		list, left := b.take()
		if len(list) == 0 {
			return nil
		}
		slices.Reverse(list) // the newest stands first
		var html bytes.Buffer
		if err := eventRows(list, left).Render(ctx, &html); err != nil {
			return err
		}
		return t.send("events", map[string]any{"html": html.String(), "most": eventsMost})
	})
}

// batch is what came since a page was told last.
type batch struct {
	mu   sync.Mutex // guards the following fields
	list []control.Event
	left int // that were dropped, for others that came after them
}

func (b *batch) add(ev control.Event) {
	ev.Update, ev.Users, ev.Chats = nil, nil, nil // which are not shown
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.list) == eventsMost {
		b.list = slices.Delete(b.list, 0, 1)
		b.left++
	}
	b.list = append(b.list, ev)
}

func (b *batch) take() (list []control.Event, left int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	list, left = b.list, b.left
	b.list, b.left = nil, 0
	return list, left
}

// eventWords says what an event is, beside its kind. The contents of updates are their
// readers'.
func eventWords(ev control.Event) string {
	switch {
	case ev.Kind == actors.EventState && ev.Status != nil:
		words := ev.Status.State.String()
		if ev.Status.Why != "" {
			words += ": " + actors.Plain(ev.Status.Why)
		}
		return words
	case ev.Kind == actors.EventUpdate:
		return fmt.Sprintf("in %s, pts %d", boxWords(ev.Box), ev.Pts)
	case ev.Kind == actors.EventHole:
		return fmt.Sprintf("updates of %s will not come, from pts %d to %d: read anew what they changed", boxWords(ev.Box), ev.From.Pts, ev.To.Pts)
	case ev.Kind == actors.EventNotice && ev.Notice != nil:
		return ev.Notice.String()
	case ev.Kind == actors.EventMissed:
		return count(int(ev.Missed), "event") + " are gone before this one"
	case ev.Kind == actors.EventRestarted:
		return "the manager was started again"
	}
	return ""
}

func boxWords(b actors.Box) string {
	if b.IsZero() {
		return "no sequence"
	}
	return b.String()
}

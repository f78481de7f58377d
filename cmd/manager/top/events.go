package top

import (
	"context"
	"iter"
	"sync"
	"time"

	tea "charm.land/bubbletea/v2"

	"github.com/mtfleet/mtfleet/actors"
	"github.com/mtfleet/mtfleet/cmd/manager/control"
	"github.com/mtfleet/mtfleet/cmd/manager/wording"
)

// keptLines are how many events are kept to look back at.
const keptLines = 1000

// events are what happens, as it happens: of all accounts or of one.
type events struct {
	id      string // empty: of all
	updates bool   // also updates, by their names
	scroll  scroll
	room    int

	lines  []string
	tail   *tail
	cancel context.CancelFunc
	err    error
}

// eventsRead are lines that came, or the end.
type eventsRead struct {
	from  *tail
	lines []string
	err   error
	ended bool
}

func openEvents(m *Model, id string) tea.Cmd {
	e := &events{id: id, scroll: scroll{follow: true}}
	m.push(e)
	return e.open(m)
}

// open begins with what the manager keeps.
func (e *events) open(m *Model) tea.Cmd {
	e.close()
	e.lines, e.err = nil, nil
	if m.service == nil {
		return nil
	}
	r := control.EventsRequest{Filter: actors.Filter{Kinds: []actors.EventKind{actors.EventState, actors.EventNotice, actors.EventHole}}}
	if e.updates {
		r.Kinds = append(r.Kinds, actors.EventUpdate)
	}
	if e.id != "" {
		r.Accounts = []string{e.id}
	}
	var ctx context.Context
	ctx, e.cancel = context.WithCancel(m.ctx)
	e.tail = &tail{ctx: ctx, service: m.service, request: r, news: make(chan struct{}, 1)}
	return e.tail.begin
}

func (e *events) close() {
	if e.cancel != nil {
		e.cancel()
		e.cancel, e.tail = nil, nil
	}
}

func (e *events) update(m *Model, msg tea.Msg) tea.Cmd {
	switch msg := msg.(type) {
	case eventsRead:
		if msg.from != e.tail {
			return nil
		}
		e.lines = append(e.lines, msg.lines...)
		e.lines = e.lines[max(len(e.lines)-keptLines, 0):]
		if msg.ended {
			e.err = msg.err
			return nil
		}
		return e.tail.next
	case connected:
		return e.open(m)
	}
	return nil
}

func (e *events) key(m *Model, k tea.KeyPressMsg) (tea.Cmd, bool) {
	name := k.String()
	switch name {
	case "u":
		e.updates = !e.updates
		return e.open(m), true
	case "esc":
		e.close()
		m.leave()
		return nil, true
	}
	return nil, e.scroll.key(name, e.room)
}

func (e *events) keys(*Model) string {
	if e.updates {
		return "↑↓ look back  end newest  u without updates  esc back  q quit"
	}
	return "↑↓ look back  end newest  u with updates  esc back  q quit"
}

func (e *events) title(m *Model) []string {
	text := "events of all accounts"
	if e.id != "" {
		text = "events of account " + plain(e.id)
	}
	if !e.scroll.follow {
		text += " (looking back: end goes to the newest)"
	}
	return []string{m.styles.bold(fit(text, m.width))}
}

func (e *events) body(m *Model, room int) []string {
	e.room = room
	var lines []string
	for _, line := range e.lines {
		lines = append(lines, wrapped(line, m.width, eventIndent)...)
	}
	if e.err != nil {
		lines = append(lines, wrapped(sentence(e.err.Error()), m.width, "")...)
	}
	return e.scroll.seen(lines, room)
}

// tail reads a stream of events, and hands them on gathered.
type tail struct {
	ctx     context.Context
	service control.Service
	request control.EventsRequest
	news    chan struct{}

	mu    sync.Mutex
	lines []string
	err   error
	ended bool
}

// begin opens the stream, and waits for what comes.
func (t *tail) begin() tea.Msg {
	stream, err := control.Events.Call(t.ctx, t.service, t.request)
	if err != nil {
		return eventsRead{from: t, err: err, ended: true}
	}
	go t.read(stream)
	return t.next()
}

func (t *tail) read(stream iter.Seq2[control.Event, error]) {
	for ev, err := range stream {
		if err != nil {
			t.add("", err, true)
			return
		}
		t.add(eventLine(&ev), nil, false)
	}
	t.add("", nil, true)
}

func (t *tail) add(line string, err error, ended bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !ended {
		t.lines = append(t.lines, line)
		if len(t.lines) > 2*keptLines {
			t.lines = append([]string{}, t.lines[keptLines:]...)
		}
	}
	t.err, t.ended = err, ended
	select {
	case t.news <- struct{}{}:
	default:
	}
}

// next waits for lines; nil when nobody wants them any more.
func (t *tail) next() tea.Msg {
	select {
	case <-t.news:
	case <-t.ctx.Done():
		return nil
	}
	sleep(t.ctx, gatherFor)
	t.mu.Lock()
	defer t.mu.Unlock()
	m := eventsRead{from: t, lines: t.lines, err: t.err, ended: t.ended}
	t.lines = nil
	return m
}

// eventIndent is below the account of an event.
const eventIndent = "          "

// eventLine is an event on one line. Of an update the name alone: what it says may be a
// login code.
func eventLine(ev *control.Event) string {
	at := "        "
	if !ev.At.IsZero() {
		at = ev.At.Local().Format(time.TimeOnly)
	}
	text := wording.Event(ev)
	if ev.Kind == actors.EventUpdate {
		text = wording.UpdateName(ev)
	}
	return plain(at + "  " + fit(ev.Account, max(len(ev.Account), 16)) + "  " + text)
}

package top

import (
	"context"
	"iter"
	"sync"
	"time"

	tea "charm.land/bubbletea/v2"

	"github.com/mtfleet/mtfleet/actors"
	"github.com/mtfleet/mtfleet/cmd/manager/control"
)

// How often what is asked again.
const (
	gatherFor    = 200 * time.Millisecond // changes become one message: five a second at most
	paceEvery    = 2 * time.Second        // what waits for permits, which no event tells
	missedFor    = time.Second            // more than can be told happens: the list, once it is over or so often
	listEvery    = time.Minute            // what no event tells: an account that was removed
	redialEvery  = time.Second
	questionTime = 10 * time.Second // for the manager to answer what it knows itself
)

// What the feed tells the model.
type (
	// connected: a manager answers, and this is all of it.
	connected struct {
		service control.Service
		about   control.About
	}
	// listed: the whole list.
	listed struct{ list control.AccountList }
	// changed: some accounts stand elsewhere, each as it is now.
	changed struct{ statuses map[string]actors.Status }
	// paced: what waits for permits.
	paced struct{ pacing control.Pacing }
	// lost: no manager answers.
	lost struct{ err error }
)

// feed keeps a connection to the manager that runs, and tells what it says.
type feed struct {
	dial func(context.Context) (control.Service, error)
	out  chan tea.Msg
}

// next waits for what the feed tells; nil at the end.
func (f *feed) next(ctx context.Context) tea.Cmd {
	return func() tea.Msg {
		select {
		case m := <-f.out:
			return told{m}
		case <-ctx.Done():
			return nil
		}
	}
}

// told is a message of the feed, after which the next one is waited for.
type told struct{ tea.Msg }

// run connects, again and again, until ctx ends.
func (f *feed) run(ctx context.Context) {
	for ctx.Err() == nil {
		if err := f.follow(ctx); err != nil && f.send(ctx, lost{err}) {
			sleep(ctx, redialEvery)
		}
	}
}

func sleep(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

func (f *feed) send(ctx context.Context, m tea.Msg) bool {
	select {
	case f.out <- m:
		return true
	case <-ctx.Done():
		return false
	}
}

// errStopped is of a stream of events that ended: the manager stops.
var errStopped = &control.Error{Kind: control.KindStopped, Message: "the manager has stopped: start it again with `manager run`"}

// follow tells of one connection until it is lost.
func (f *feed) follow(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	s, err := f.dial(ctx)
	if err != nil {
		return err
	}
	defer s.Close()
	about, err := ask(ctx, s, control.Info, control.Empty{})
	if err != nil {
		return err
	}
	if err := runs(about); err != nil {
		return err
	}
	// The events first: what happens while the list is read is told twice, and not never.
	events, err := control.Events.Call(ctx, s, control.EventsRequest{Now: true, Filter: actors.Filter{Kinds: []actors.EventKind{actors.EventState}}})
	if err != nil {
		return err
	}
	g := gathering{news: make(chan struct{}, 1)}
	ended := make(chan error, 1)
	go func() { ended <- g.read(events) }()
	defer func() { cancel(); <-ended }()
	if !f.send(ctx, connected{s, about}) {
		return ctx.Err()
	}
	return f.tell(ctx, s, &g, ended)
}

// runs refuses a service that no manager runs behind.
func runs(about control.About) error {
	if about.Running {
		return nil
	}
	return &control.Error{Kind: control.KindState, Message: "no manager runs: `" + about.Command + "` has the store meanwhile. Finish that, then start `manager run`"}
}

func (f *feed) tell(ctx context.Context, s control.Service, g *gathering, ended chan error) error {
	pace, list := time.NewTicker(paceEvery), time.NewTicker(listEvery)
	defer pace.Stop()
	defer list.Stop()
	if err := f.tellList(ctx, s); err != nil {
		return err
	}
	if err := f.tellPace(ctx, s); err != nil {
		return err
	}
	for {
		var err error
		select {
		case <-ctx.Done():
			return ctx.Err()
		case err = <-ended:
			ended <- err // for who waits for the reader
			if err == nil {
				err = errStopped
			}
		case <-pace.C:
			err = f.tellPace(ctx, s)
		case <-list.C:
			err = f.tellList(ctx, s)
		case <-g.news:
			sleep(ctx, gatherFor)
			statuses, missed := g.take()
			if missed {
				sleep(ctx, missedFor)
				err = f.tellList(ctx, s)
			} else if !f.send(ctx, changed{statuses}) {
				err = ctx.Err()
			}
		}
		if err != nil {
			return err
		}
	}
}

func (f *feed) tellList(ctx context.Context, s control.Service) error {
	list, err := ask(ctx, s, control.List, control.ListRequest{})
	if err == nil && !f.send(ctx, listed{list}) {
		err = ctx.Err()
	}
	return err
}

func (f *feed) tellPace(ctx context.Context, s control.Service) error {
	pacing, err := ask(ctx, s, control.Governor, control.Empty{})
	if err == nil && !f.send(ctx, paced{pacing}) {
		err = ctx.Err()
	}
	return err
}

// ask asks for what the manager knows itself.
func ask[Req, Resp any](ctx context.Context, s control.Service, m control.Method[Req, Resp], r Req) (Resp, error) {
	ctx, cancel := context.WithTimeout(ctx, questionTime)
	defer cancel()
	return m.Call(ctx, s, r)
}

// gathering is what changed since it was taken last: of each account what it is now.
type gathering struct {
	news chan struct{} // there is something

	mu       sync.Mutex
	statuses map[string]actors.Status
	missed   bool // events are gone: only the list has it all
}

// read gathers until the stream ends.
func (g *gathering) read(events iter.Seq2[control.Event, error]) error {
	for ev, err := range events {
		if err != nil {
			return err
		}
		g.add(&ev)
	}
	return nil
}

func (g *gathering) add(ev *control.Event) {
	g.mu.Lock()
	defer g.mu.Unlock()
	switch {
	case ev.Kind == actors.EventState && ev.Status != nil:
		if g.statuses == nil {
			g.statuses = map[string]actors.Status{}
		}
		g.statuses[ev.Account] = *ev.Status
	case ev.Kind == actors.EventMissed:
		g.missed = true
	}
	select {
	case g.news <- struct{}{}:
	default:
	}
}

func (g *gathering) take() (statuses map[string]actors.Status, missed bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	statuses, missed = g.statuses, g.missed
	g.statuses, g.missed = nil, false
	return statuses, missed
}

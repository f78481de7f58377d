package control

import (
	"context"
	"errors"
	"iter"
	"slices"
	"sync"
	"time"

	"github.com/mtfleet/mtfleet/actors"
	"github.com/mtfleet/mtfleet/persistence"
)

// This file makes one stream of those of all nodes of a cluster: nodes come, go and come back, and accounts move between them,
// while somebody reads.

// flowLook is how often it is looked whether there are other nodes.
const flowLook = time.Second

// A source says how the stream of one node is opened.
type source[Req any] struct {
	// request is what a node is asked: one that was there when the stream began, where first is, or one that is met later, with
	// the last cursor that came from it, if any did.
	request func(r Req, epoch uint64, first bool, last actors.Cursor) Req
	// begins is what the stream begins with: what the request says of nodes that are none of those there are.
	begins func(r Req, nodes []persistence.Node) []Event
	// ends says that the stream ends with what there is.
	ends func(Req) bool
}

// merged makes one stream of those of all nodes. It breaks off where one of them does for a reason of its own; a node that
// cannot be reached is asked again until the stream ends.
func merged[Req any](m Stream[Req, Event], from source[Req]) Stream[Req, Event] {
	m.method.fleet = func(ctx context.Context, f *Fleet, r any) (any, error) {
		ctx, cancel := context.WithCancel(ctx)
		fl := &flow[Req]{f: f, m: m.method, r: r.(Req), from: from, ctx: ctx, cancel: cancel, items: make(chan arrival), runs: map[uint64]*run{}}
		if err := fl.begin(); err != nil {
			fl.end()
			return nil, err
		}
		return iter.Seq2[Event, error](fl.all), nil
	}
	return m
}

// flow is one such stream.
type flow[Req any] struct {
	f    *Fleet
	m    *method
	r    Req
	from source[Req]

	ctx    context.Context
	cancel context.CancelFunc
	words  []Event // that it begins with
	items  chan arrival
	pumps  sync.WaitGroup

	mu   sync.Mutex // guards what follows
	runs map[uint64]*run
}

// run is what is known of the stream of one node, by its epoch.
type run struct {
	open  bool
	first bool // it was there when the stream began
	last  actors.Cursor
}

// arrival is what came of one node. Where over is its stream has ended.
type arrival struct {
	item Event
	err  error
	self bool
	over bool
}

// begin opens the streams of the nodes that there are. It returns when all are open that answer.
func (fl *flow[Req]) begin() error {
	list, err := fl.f.list(fl.ctx, true)
	if err != nil {
		return err
	}
	fl.words = fl.from.begins(fl.r, list)
	return fl.attach(list, true)
}

// attach opens the streams of nodes that have none. The error is one that a node has of the request; of this node any, and of
// all nodes where the stream is to end with what there is.
func (fl *flow[Req]) attach(list []persistence.Node, first bool) error {
	var wg sync.WaitGroup
	var mu sync.Mutex
	var failed error
	for _, n := range list {
		self := n.Owner() == fl.f.self
		if !n.Live() && !self {
			continue
		}
		fl.mu.Lock()
		at := fl.runs[n.Epoch]
		if at == nil {
			at = &run{first: first}
			fl.runs[n.Epoch] = at
		}
		opens := !at.open
		at.open = true
		q := fl.from.request(fl.r, n.Epoch, at.first, at.last)
		fl.mu.Unlock()
		if !opens {
			continue
		}
		wg.Go(func() {
			got, err := fl.open(n, self, q)
			if err == nil {
				fl.pumps.Go(func() { fl.pump(got, n.Epoch, self) })
				return
			}
			fl.closed(n.Epoch)
			if self || !passing(err) || fl.from.ends(fl.r) {
				mu.Lock()
				defer mu.Unlock()
				failed = err
			}
		})
	}
	wg.Wait()
	return failed
}

// open asks a node for its stream; one that does not open it in a while is asked again.
func (fl *flow[Req]) open(n persistence.Node, self bool, q Req) (iter.Seq2[Event, error], error) {
	var got any
	var err error
	if self {
		got, err = fl.f.local.carry(fl.ctx, fl.m, q)
	} else {
		ctx, cancel := context.WithCancel(fl.ctx) // which ends with the stream
		late := time.AfterFunc(movePatience, cancel)
		got, err = fl.m.remote(ctx, fl.f.way(n), q)
		if !late.Stop() && err == nil {
			err = linkFailed(n.Name, context.DeadlineExceeded)
		}
		if err != nil {
			cancel()
		}
	}
	items, _ := got.(iter.Seq2[Event, error])
	return items, err
}

// passing reports whether an error is one of the way to a node, or of a node that goes.
func passing(err error) bool {
	k := KindOf(err)
	return errors.As(err, new(*linkError)) || k == KindStopped || k == KindCanceled || k == KindRefused
}

func (fl *flow[Req]) closed(epoch uint64) {
	fl.mu.Lock()
	defer fl.mu.Unlock()
	fl.runs[epoch].open = false
}

// pump hands on what comes of one node.
func (fl *flow[Req]) pump(got iter.Seq2[Event, error], epoch uint64, self bool) {
	defer fl.closed(epoch)
	for item, err := range got {
		if err != nil && !self && passing(err) {
			break
		}
		if !fl.send(arrival{item: item, err: err, self: self}) || err != nil {
			return
		}
		if !item.Cursor.IsZero() && item.Cursor.Run == epoch {
			fl.mu.Lock()
			fl.runs[epoch].last = item.Cursor
			fl.mu.Unlock()
		}
	}
	fl.send(arrival{self: self, over: true})
}

func (fl *flow[Req]) send(a arrival) bool {
	select {
	case fl.items <- a:
		return true
	case <-fl.ctx.Done():
		return false
	}
}

// all is the stream.
func (fl *flow[Req]) all(yield func(Event, error) bool) {
	defer fl.end()
	for _, word := range fl.words {
		if !yield(word, nil) {
			return
		}
	}
	kept := fl.from.ends(fl.r)
	if kept {
		go func() { fl.pumps.Wait(); fl.cancel() }() // each hands on what there is, and ends
	} else {
		fl.pumps.Go(fl.watch)
	}
	for {
		select {
		case a := <-fl.items:
			switch {
			case a.over && a.self && !kept:
				return // this process ends
			case a.over:
			case !yield(a.item, a.err) || a.err != nil:
				return
			}
		case <-fl.ctx.Done():
			return
		}
	}
}

// watch attaches to nodes that come, and to those that come back.
func (fl *flow[Req]) watch() {
	tick := time.NewTicker(flowLook)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-fl.ctx.Done():
			return
		}
		list, err := fl.f.list(fl.ctx, false)
		if err == nil {
			err = fl.attach(list, false)
		}
		if err != nil && !passing(err) && fl.ctx.Err() == nil {
			fl.send(arrival{err: err})
			return
		}
	}
}

// end ends every part of it.
func (fl *flow[Req]) end() {
	fl.cancel()
	fl.pumps.Wait()
}

// eventsFrom are the events of all nodes: each goes on after its cursor, and one without a cursor tells what it keeps. A cursor
// of a node that is no more is told by an event that has it.
var eventsFrom = source[EventsRequest]{
	ends: func(r EventsRequest) bool { return r.Kept },
	begins: func(r EventsRequest, nodes []persistence.Node) (words []Event) {
		for _, c := range r.After {
			if !slices.ContainsFunc(nodes, func(n persistence.Node) bool { return n.Epoch == c.Run }) {
				words = append(words, actors.NewEventJSON(actors.Event{Kind: actors.EventRestarted, Cursor: c}, false))
			}
		}
		return words
	},
	request: func(r EventsRequest, epoch uint64, first bool, last actors.Cursor) EventsRequest {
		r.After = r.After.only(epoch)
		if !last.IsZero() {
			r.After = Cursors{last}
		}
		r.Now = r.Now && first && last.IsZero() // all that one keeps which came later happened since
		return r
	},
}

// consumeFrom are what a durable consumer is told by all nodes, each of its own accounts: what it has not acknowledged of an
// account that moved comes again from the node that has it now.
var consumeFrom = source[ConsumeRequest]{
	ends:    func(ConsumeRequest) bool { return false },
	begins:  func(ConsumeRequest, []persistence.Node) []Event { return nil },
	request: func(r ConsumeRequest, _ uint64, _ bool, _ actors.Cursor) ConsumeRequest { return r },
}

// atRunOf is the node whose events are acknowledged.
func atRunOf(r AckRequest) uint64 { return r.Cursor.Run }

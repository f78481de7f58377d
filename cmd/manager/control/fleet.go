package control

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/mtfleet/mtfleet/actors"
	"github.com/mtfleet/mtfleet/persistence"
)

// Fleet is a Service over the accounts of all nodes of a cluster, whichever of them is asked. What names an account is carried
// out by the node that keeps it; what concerns all is asked of every node and put together, see the table of methods. It is
// safe for concurrent use.
type Fleet struct {
	local *Local
	self  persistence.Owner
	links *links
	log   *slog.Logger

	mu    sync.Mutex // guards what follows
	ways  map[string]*way
	nodes []persistence.Node // as they were last seen
	seen  time.Time
}

// way leads to one node.
type way struct {
	*Remote
	address string
}

const (
	// movePatience is how long a request waits for an account that moves: a hand-over takes a second or two. One whose node died
	// is not waited for.
	movePatience = 5 * time.Second
	moveLook     = 50 * time.Millisecond // between two looks, at first
	moveLookMost = 500 * time.Millisecond
	// nodesFresh is how long the list of nodes is good: it is asked for by every request that is handed over.
	nodesFresh = time.Second
)

// NewFleet makes a Service of a local one over a node of a cluster, which reaches the others by c. The error is of a file that
// cannot be used.
func NewFleet(l *Local, c NodeTLS, log *slog.Logger) (*Fleet, error) {
	links, err := openLinks(c)
	if err != nil {
		return nil, &Error{Kind: KindConfig, Err: err, Message: err.Error()}
	}
	f := &Fleet{local: l, self: l.Manager.Owner(), links: links, log: log, ways: map[string]*way{}}
	l.Manager.AskOthers(f.elsewhere)
	return f, nil
}

var _ Service = (*Fleet)(nil)

// Close is of a [Service]: it lets go of the connections to other nodes.
func (f *Fleet) Close() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, w := range f.ways {
		_ = w.Remote.Close()
	}
	clear(f.ways)
	return nil
}

func (f *Fleet) carry(ctx context.Context, m *method, r any) (any, error) {
	if m.fleet != nil {
		return m.fleet(ctx, f, r)
	}
	if n, ok := r.(named); ok {
		return f.atOwner(ctx, m, n.account(), r)
	}
	return f.local.carry(ctx, m, r)
}

// denied is told by the guard of what a role did not permit.
func (f *Fleet) denied(ctx context.Context, m *method, request any) { f.local.denied(ctx, m, request) }

// atOwner has the node that keeps an account carry a method out. It is tried again, for a while, as long as nothing was done:
// the account moves, or the way to its node could not be gone.
func (f *Fleet) atOwner(ctx context.Context, m *method, id string, r any) (any, error) {
	until := time.Now().Add(movePatience)
	for look := moveLook; ; look = min(2*look, moveLookMost) {
		got, err, again := f.tryAtOwner(ctx, m, id, r)
		if !again || time.Now().Add(look).After(until) {
			return got, err
		}
		timer := time.NewTimer(look)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return nil, err
		}
	}
}

// tryAtOwner tries it once. It says whether nothing was done, and it may go better in a moment.
func (f *Fleet) tryAtOwner(ctx context.Context, m *method, id string, r any) (got any, err error, again bool) {
	if f.local.keeps(id) {
		got, err = f.local.carry(ctx, m, r)
		return got, err, KindOf(err) == KindMoved || KindOf(err) == KindNoAccount // that moved, or was removed, just then
	}
	moves := Wrap(&actors.ElsewhereError{ID: id})
	owner, err := f.local.Cluster.OwnerOf(ctx, persistence.AccountID(id))
	switch {
	case err != nil:
		return nil, Wrap(err), false
	case owner == persistence.Owner{}:
		records, err := f.local.Cluster.Load(persistence.AccountID(id))
		if err == nil && len(records) == 0 { // there is none, or it is made here
			got, err = f.local.carry(ctx, m, r)
			return got, err, false
		}
		return nil, moves, true
	case owner == f.self:
		return nil, moves, true // it is being read here
	}
	node, ok := f.node(ctx, owner)
	if !ok {
		return nil, moves, true
	}
	if !node.Live() {
		return nil, &Error{Kind: KindUnreachable, Message: fmt.Sprintf(
			"account %q is with node %s, whose lease ended %v ago: another node takes it soon, ask again then", id, node.Name, -node.Left.Round(time.Second))}, false
	}
	ctx, sent := watched(ctx)
	got, err = m.remote(ctx, f.way(node), r)
	switch {
	case err == nil:
		return got, nil, false
	case KindOf(err) == KindMoved:
		return nil, err, true
	case !errors.As(err, new(*linkError)):
		return nil, err, false
	case !sent() || m.reads():
		return nil, err, true
	}
	e := *err.(*Error)
	e.Kind, e.Call = KindMayHaveRun, &CallError{MayHaveRun: true}
	e.Message += ": whether it did what was asked is not known; look before you ask again"
	return nil, &e, false
}

// list returns the nodes, as the store knows them, or knew them a moment ago; while the store does not answer as it last did.
func (f *Fleet) list(ctx context.Context, fresh bool) ([]persistence.Node, error) {
	f.mu.Lock()
	nodes, seen := f.nodes, f.seen
	f.mu.Unlock()
	if !fresh && time.Since(seen) < nodesFresh {
		return nodes, nil
	}
	asked, cancel := context.WithTimeout(ctx, linkPatience)
	defer cancel()
	now, err := f.local.Cluster.Nodes(asked, false)
	if err != nil {
		if nodes == nil || ctx.Err() != nil {
			return nil, Wrap(err)
		}
		f.log.Debug("the nodes are as they last were: the store does not tell", "err", err)
		return nodes, nil
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.nodes, f.seen = now, time.Now()
	return now, nil
}

// node finds one, with another look at the store where it is not among those that were seen last.
func (f *Fleet) node(ctx context.Context, owner persistence.Owner) (n persistence.Node, ok bool) {
	for _, fresh := range []bool{false, true} {
		list, _ := f.list(ctx, fresh)
		if i := slices.IndexFunc(list, func(n persistence.Node) bool { return n.Owner() == owner }); i >= 0 {
			return list[i], true
		}
	}
	return n, false
}

// knows reports whether there is a node of that name.
func (f *Fleet) knows(ctx context.Context, name string) bool {
	for _, fresh := range []bool{false, true} {
		list, _ := f.list(ctx, fresh)
		if slices.ContainsFunc(list, func(n persistence.Node) bool { return n.Name == name }) {
			return true
		}
	}
	return false
}

// way returns how a node is reached.
func (f *Fleet) way(n persistence.Node) *Remote {
	f.mu.Lock()
	defer f.mu.Unlock()
	w := f.ways[n.Name]
	if w == nil || w.address != n.Address {
		if w != nil {
			_ = w.Remote.Close()
		}
		w = &way{f.links.to(n.Name, n.Address), n.Address}
		f.ways[n.Name] = w
	}
	return w.Remote
}

// part is what one node answered.
type part[Resp any] struct {
	node string
	self bool
	got  Resp
	err  error
}

// everywhere has every live node carry a method out, this one first in the list.
func everywhere[Req, Resp any](ctx context.Context, f *Fleet, m *method, r Req) ([]part[Resp], error) {
	list, err := f.list(ctx, false)
	if err != nil {
		return nil, err
	}
	parts := []part[Resp]{{node: f.self.Node, self: true}}
	var others []persistence.Node
	for _, n := range list {
		if n.Owner() != f.self && n.Live() {
			others = append(others, n)
			parts = append(parts, part[Resp]{node: n.Name})
		}
	}
	var wg sync.WaitGroup
	for i, n := range others {
		wg.Go(func() {
			ctx, cancel := context.WithTimeout(ctx, movePatience)
			defer cancel()
			p := &parts[i+1]
			got, err := m.remote(ctx, f.way(n), r)
			p.got, _ = got.(Resp)
			if p.err = err; err != nil {
				f.log.Debug("a node did not answer for its accounts", "node", n.Name, "method", m.procedure, "err", err)
			}
		})
	}
	got, err := f.local.carry(ctx, m, r)
	parts[0].got, _ = got.(Resp)
	parts[0].err = err
	wg.Wait()
	return parts, nil
}

// gathered has every node carry a method out, and puts together what they say.
func gathered[Req, Resp any](m Method[Req, Resp], join func([]part[Resp]) (Resp, error)) Method[Req, Resp] {
	m.method.fleet = func(ctx context.Context, f *Fleet, r any) (any, error) {
		parts, err := everywhere[Req, Resp](ctx, f, m.method, r.(Req))
		if err != nil {
			return nil, err
		}
		return join(parts)
	}
	return m
}

// routed has the node carry a method out that joined at an epoch which the request names; one that is there no more is spoken
// for by this one.
func routed[Req, Resp any](m Method[Req, Resp], epoch func(Req) uint64) Method[Req, Resp] {
	m.method.fleet = func(ctx context.Context, f *Fleet, r any) (any, error) {
		at := epoch(r.(Req))
		list, err := f.list(ctx, false)
		if err != nil {
			return nil, err
		}
		for _, n := range list {
			if n.Epoch == at && n.Owner() != f.self && n.Live() {
				return m.method.remote(ctx, f.way(n), r)
			}
		}
		return f.local.carry(ctx, m.method, r)
	}
	return m
}

// silent names the nodes that did not answer; the error is the first of them where this one did not.
func silent[Resp any](parts []part[Resp]) (names []string, err error) {
	for _, p := range parts {
		if p.err == nil {
			continue
		}
		if p.self {
			return nil, p.err
		}
		names = append(names, p.node)
	}
	return names, nil
}

// mustAll is for what is not done unless every node did it.
func mustAll[Resp any](parts []part[Resp], what string) error {
	for _, p := range parts {
		switch {
		case p.err == nil || p.self:
		case errors.As(p.err, new(*linkError)):
			return &Error{Kind: KindUnreachable, Err: p.err, Message: fmt.Sprintf("%s node %s, which does not answer: ask again when it does (%v)", what, p.node, p.err)}
		default:
			return &Error{Kind: KindOf(p.err), Err: p.err, Message: fmt.Sprintf("%s node %s: %v", what, p.node, p.err)}
		}
	}
	return parts[0].err
}

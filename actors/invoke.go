package actors

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"github.com/mtfleet/mtfleet/actors/account"
	"github.com/mtfleet/mtfleet/actors/runtime"
	"github.com/mtfleet/mtfleet/mtproto/dc"
	"github.com/mtfleet/mtfleet/tl"
)

// Policy says what may happen to a call when it is not known whether the
// server executed it.
type Policy uint8

const (
	// ByMethod is the default: Repeatable for the methods that only read
	// (tg.Repeatable) and for a query that says so of itself by a method
	// Repeatable() bool, Once for all others.
	ByMethod Policy = iota
	// Once: the call is sent again only when the server says that it did not
	// process it. Otherwise it ends with ErrMayHaveRun.
	Once
	// Repeatable: the call is sent again whenever its answer cannot come.
	Repeatable
)

// CallOption changes how one call is made.
type CallOption func(*callOptions)

type callOptions struct {
	policy Policy
	at     dc.ID
	media  bool
}

// WithPolicy overrides the policy of a call.
func WithPolicy(p Policy) CallOption { return func(o *callOptions) { o.policy = p } }

// OnDC sends a call to another DC than the account's home. The authorization
// is carried there first, if it was not yet.
func OnDC(id dc.ID) CallOption { return func(o *callOptions) { o.at = id } }

// Media says that a call moves files: upload.getFile, upload.saveFilePart,
// upload.saveBigFilePart and the like, which would stand in the way of others. It
// goes by a connection of its own, under a temp key of its own, to the addresses
// that the DC has for media alone; OnDC says which DC. The connection is opened by
// the first such call and closed after five idle minutes. A DC without such
// addresses, or one that would cut off the main key for it, has these calls beside
// all others, and so has one where that connection is not there yet or is lost.
func Media() CallOption { return func(o *callOptions) { o.media = true } }

// Invoke calls one API method as the account and waits for its typed result.
// It may be called from any goroutine, and only reads query, which may be used
// again. It returns the server's error as a
// *tgerr.Error; every local error says by errors.Is whether the server did not
// execute the call (ErrNotSent) or may have (ErrMayHaveRun). When ctx ends
// first, the server is told to drop the answer and the error is ctx's, with
// ErrMayHaveRun.
//
// A call waits for as long as ctx lets it: through reconnects, rotations and a
// DC that is down, and for a server that has lost the answer.
//
// What is the manager's own to send (logging in and out, keys, the header of a
// connection) is refused with a *ReservedError that says what to do instead. A
// wrapper that may be used (invokeWithTakeout) is looked into: the method inside is
// what waits, and has the policy.
//
// At most MaxCallsPerAccount calls of an account are under way, and 64 MiB of
// them; Invoke waits for its turn.
func Invoke[R any](ctx context.Context, a *Account, query tl.Query[R], opts ...CallOption) (R, error) {
	var none R
	body, err := a.InvokeRaw(ctx, query, opts...)
	if err != nil {
		return none, err
	}
	r := tl.NewReader(body)
	result := query.ParseResult(r)
	if err := r.End(); err != nil {
		// The server did execute it; what it answered cannot be read.
		return none, &ResultError{Method: query.TypeName(), Err: err}
	}
	return result, nil
}

// InvokeRaw is Invoke without the type: the result is one boxed value.
func (a *Account) InvokeRaw(ctx context.Context, query tl.Object, opts ...CallOption) (tl.Raw, error) {
	o := optionsOf(opts)
	q, err := encode(query, o.policy)
	ctx, seen := a.observe(ctx, q, o.at)
	var body tl.Raw
	if err == nil {
		body, err = a.invoke(ctx, q, o)
	} else {
		err = notSent(err)
	}
	seen.ended(a, err)
	return body, err
}

// Start is InvokeRaw for who may not wait, an actor for example. It returns at
// once; done is called exactly once with what InvokeRaw would return, from an
// actor's goroutine, so it must not wait either. At the bounds
// that Invoke names the call ends with a *BusyError and ErrNotSent. cancel
// says that nobody waits any more: the call then ends soon, if it has not yet,
// and the server is told to drop the answer. Of a result beyond 16 KiB nobody is
// met, see Peer.
func (a *Account) Start(query tl.Object, done func(tl.Raw, error), opts ...CallOption) (cancel func()) {
	o := optionsOf(opts)
	q, err := encode(query, o.policy)
	_, seen := a.observe(context.Background(), q, o.at)
	finish := func(got answered) {
		seen.ended(a, got.err)
		done(got.body, got.err)
	}
	if err == nil {
		if !a.admission.try(len(q.body)) {
			err = a.admission.busy()
		}
	}
	if err == nil {
		call, to, refused := a.send(q, o, nil, finish)
		if refused == nil {
			return func() { to.Send(account.CancelCall{Call: call}) }
		}
		err = refused
	}
	a.m.fleet.Send(endCall{func() { finish(answered{err: notSent(err)}) }})
	return func() {}
}

func optionsOf(opts []CallOption) (o callOptions) {
	for _, opt := range opts {
		opt(&o)
	}
	return o
}

// observed is a call as telemetry sees it.
type observed struct {
	begun time.Time
	span  trace.Span
	at    dc.ID
	class string
}

// observe begins the span of a call.
func (a *Account) observe(ctx context.Context, q request, at dc.ID) (context.Context, observed) {
	begun := a.m.sys.Clock().Now()
	ctx, span := a.m.tracer.Start(ctx, "mtfleet.invoke")
	if span.IsRecording() {
		span.SetAttributes(attribute.String("rpc.method", q.method))
	}
	class := classOnce
	if q.policy == account.Repeatable {
		class = classRepeatable
	}
	return ctx, observed{begun, span, at, class}
}

// ended ends the span of a call and counts the call.
func (o observed) ended(a *Account, err error) {
	// The error's family, not its text: a text may name an account.
	family := errorFamily(err)
	if err != nil {
		o.span.SetStatus(codes.Error, family)
	}
	if x := a.m.meters; x.calls.series != nil {
		at := o.at
		if at == 0 {
			at = dc.ID(a.status.Load().HomeDC)
		}
		x.calls.count(1, values{o.class, family, x.at(at)})
		x.callSeconds.measure(a.m.sys.Clock().Now().Sub(o.begun).Seconds(), values{})
	}
	o.span.End()
}

// answered is how a call ended.
type answered struct {
	body []byte
	err  error
}

func (a *Account) invoke(ctx context.Context, q request, o callOptions) (tl.Raw, error) {
	if err := a.admit(ctx, len(q.body)); err != nil {
		return nil, notSent(err)
	}
	answer := make(chan answered, 1)
	call, to, err := a.send(q, o, answer, nil)
	if err != nil {
		return nil, notSent(err)
	}
	if sim := a.m.opts.Sim; sim != nil {
		ok := sim.Wait(func() bool { return len(answer) > 0 || ctx.Err() != nil || a.m.sys.Crashed() })
		switch {
		case len(answer) > 0:
		case a.m.sys.Crashed():
			return nil, mayHaveRun(runtime.ErrCrashed)
		case !ok:
			return nil, mayHaveRun(runtime.ErrStuck)
		}
	}
	select {
	case got := <-answer:
		if got.err == nil {
			a.meet(call, got.body)
		}
		return got.body, got.err
	case <-ctx.Done():
		to.Send(account.CancelCall{Call: call})
		return nil, mayHaveRun(ctx.Err())
	}
}

// admit waits until one more call, of n bytes, may be under way.
func (a *Account) admit(ctx context.Context, n int) error {
	turn := a.admission.queue(n)
	if turn == nil {
		return nil
	}
	if sim := a.m.opts.Sim; sim != nil {
		ok := sim.Wait(func() bool {
			return isDone(turn.come) || ctx.Err() != nil || a.m.closed() || a.m.sys.Crashed()
		})
		switch {
		case a.m.sys.Crashed():
			return runtime.ErrCrashed
		case !ok:
			a.admission.giveUp(turn)
			return runtime.ErrStuck
		}
	}
	var err error
	select {
	case <-turn.come:
		return nil
	case <-ctx.Done():
		err = ctx.Err()
	case <-a.m.done:
		err = cmp.Or(a.leaves(), ErrClosed)
	}
	a.admission.giveUp(turn)
	return err
}

// send hands an admitted call to the account's actor. Its end goes to answer,
// which has room for it, or else to done, once; unless send refuses: then nothing
// was sent.
func (a *Account) send(q request, o callOptions, answer chan<- answered, done func(answered)) (*account.Call, runtime.Ref[account.Message], error) {
	call := account.NewCall(q.method, q.body, q.policy, o.at)
	call.Media = o.media
	call.Done = func(body []byte, err error) {
		a.underWay.remove(call)
		a.admission.release(len(q.body))
		got := answered{body, ended(a.moved(err))}
		if answer != nil {
			answer <- got
			return
		}
		if err == nil {
			a.meetInActor(call, body)
		}
		done(got)
	}
	a.underWay.add(call) // before it is asked whether the actor is lost: see abandon
	to := a.current()
	err := a.leaves() // looked at after the call was added: who waits for the last one sees it
	switch {
	case err != nil:
	case to.IsZero() || a.lost.Err() != nil:
		err = a.stateError()
	case isDone(to.Done()): // gone, and its successor is not there yet
		err = ErrStopped
		if a.m.node != nil {
			err = a.elsewhere()
		}
	default:
		to.Send(call)
		return call, to, nil
	}
	if !a.underWay.remove(call) { // abandoned meanwhile: done was called
		return call, to, nil
	}
	a.admission.release(len(q.body))
	return nil, to, err
}

func isDone(done <-chan struct{}) bool {
	select {
	case <-done:
		return true
	default:
		return false
	}
}

// underWay are the calls of one account that have not ended. Its actor ends
// each of them; this list is for an actor that is gone, or lost, and did not.
type underWay struct {
	mu    sync.Mutex // guards the following fields
	calls map[*account.Call]uint64
	last  uint64
	most  int // under way at once since calls was made
}

// underWayKeep is the size up to which an empty map is kept for the next call.
const underWayKeep = 8

func (u *underWay) add(c *account.Call) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.calls == nil {
		u.calls = map[*account.Call]uint64{}
	}
	u.last++
	u.calls[c] = u.last
	u.most = max(u.most, len(u.calls))
}

// empty reports whether no call is under way.
func (u *underWay) empty() bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	return len(u.calls) == 0
}

// remove reports whether the call was there.
func (u *underWay) remove(c *account.Call) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	_, there := u.calls[c]
	if delete(u.calls, c); len(u.calls) == 0 && u.most > underWayKeep {
		u.calls, u.most = nil, 0
	}
	return there
}

// abandon ends every call under way, in the order they began.
func (u *underWay) abandon() {
	u.mu.Lock()
	left := slices.SortedFunc(maps.Keys(u.calls), func(a, b *account.Call) int { return cmp.Compare(u.calls[a], u.calls[b]) })
	u.mu.Unlock()
	for _, c := range left {
		c.Abandon(mayHaveRun(ErrStopped))
	}
}

// policyFor picks the policy of a query that calls a method.
func policyFor(method string, query tl.Object, p Policy) account.Policy {
	switch p {
	case Once:
		return account.Once
	case Repeatable:
		return account.Repeatable
	}
	return account.PolicyOf(method, query)
}

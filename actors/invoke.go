package actors

import (
	"context"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"

	"github.com/mtfleet/mtfleet/actors/account"
	"github.com/mtfleet/mtfleet/mtproto/dc"
	"github.com/mtfleet/mtfleet/tl"
	"github.com/mtfleet/mtfleet/tl/tg"
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
}

// WithPolicy overrides the policy of a call.
func WithPolicy(p Policy) CallOption { return func(o *callOptions) { o.policy = p } }

// OnDC sends a call to another DC than the account's home. The authorization
// is carried there first, if it was not yet.
func OnDC(id dc.ID) CallOption { return func(o *callOptions) { o.at = id } }

// Invoke calls one API method as the account and waits for its typed result.
// It may be called from any goroutine. It returns the server's error as a
// *tgerr.Error; every local error says by errors.Is whether the server did not
// execute the call (ErrNotSent) or may have (ErrMayHaveRun). When ctx ends
// first, the server is told to drop the answer and the error is ctx's, with
// ErrMayHaveRun.
//
// A call waits for as long as ctx lets it: through reconnects, rotations and a
// DC that is down, and for a server that has lost the answer.
//
// At most MaxCallsPerAccount calls of an account are under way; Invoke waits
// for its turn.
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
	o := callOptions{}
	for _, opt := range opts {
		opt(&o)
	}
	method, begun := query.TypeName(), a.m.sys.Clock().Now()
	ctx, span := a.m.tracer.Start(ctx, "mtfleet.invoke")
	defer span.End()
	span.SetAttributes(attribute.String("rpc.method", method))

	body, err := a.invoke(ctx, method, query, o)
	// The error's family, not its text: a text may name an account.
	family := errorFamily(err)
	if err != nil {
		span.SetStatus(codes.Error, family)
	}
	at := o.at
	if at == 0 {
		at = dc.ID(a.Status().HomeDC)
	}
	a.m.env.Observe.CallEnded(at, family, a.m.sys.Clock().Now().Sub(begun))
	return body, err
}

func (a *Account) invoke(ctx context.Context, method string, query tl.Object, o callOptions) (tl.Raw, error) {
	body, err := tl.Marshal(nil, query)
	if err != nil {
		return nil, notSent(err)
	}
	select {
	case a.admission <- struct{}{}:
	case <-ctx.Done():
		return nil, notSent(ctx.Err())
	case <-a.m.done:
		return nil, notSent(ErrClosed)
	}
	defer func() { <-a.admission }()
	call := account.NewCall(method, body, policyFor(query, o.policy), o.at)
	return a.await(ctx, call)
}

// await sends a call and waits for its end.
func (a *Account) await(ctx context.Context, call *account.Call) (tl.Raw, error) {
	if a.m.closed() {
		return nil, notSent(ErrClosed)
	}
	ref := a.current()
	if ref.IsZero() || a.lost.Err() != nil {
		return nil, notSent(a.stateError())
	}
	select {
	case <-ref.Done():
		// Gone, and its successor is not there yet.
		return nil, notSent(ErrStopped)
	default:
	}
	ref.Send(call)
	select {
	case got := <-call.Answer():
		return got.Body, ended(got.Err)
	case <-ref.Done():
		// The actor answered what it owed before it was done.
		select {
		case got := <-call.Answer():
			return got.Body, ended(got.Err)
		default:
			return nil, mayHaveRun(ErrStopped)
		}
	case <-a.lost.Done():
		return nil, mayHaveRun(ErrStopped)
	case <-ctx.Done():
		ref.Send(account.CancelCall{Call: call})
		return nil, mayHaveRun(ctx.Err())
	}
}

// policyFor picks the policy of a query.
func policyFor(query tl.Object, p Policy) account.Policy {
	switch p {
	case Once:
		return account.Once
	case Repeatable:
		return account.Repeatable
	}
	repeatable := tg.Repeatable(query.TypeName())
	if own, ok := query.(interface{ Repeatable() bool }); ok {
		repeatable = own.Repeatable() // of a schema that is not the API's
	}
	if repeatable {
		return account.Repeatable
	}
	return account.Once
}

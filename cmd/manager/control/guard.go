package control

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"connectrpc.com/connect"
	"golang.org/x/time/rate"

	mtfleetv1 "github.com/mtfleet/mtfleet/cmd/manager/api/mtfleet/v1"
)

// A Caller is whoever asks: its name for the operator's eyes, and what it may do.
type Caller struct {
	Name string
	Role mtfleetv1.Role
}

type callerKey struct{}

// WithCaller has requests of a context come from a caller.
func WithCaller(ctx context.Context, c Caller) context.Context {
	return context.WithValue(ctx, callerKey{}, c)
}

// callerOf is who asks; nobody may do nothing.
func callerOf(ctx context.Context) (c Caller) {
	c, _ = ctx.Value(callerKey{}).(Caller)
	return c
}

const (
	// callsPerSecond of all callers together, callsAtOnce after a pause: a fleet of 10,000 accounts is acted upon one by one
	// in ten seconds, and a client that asks in a loop takes no more than a fifth of a core (some 200 us a call).
	callsPerSecond = 1000
	callsAtOnce    = 2000
	// maxStreams are open at a time: each holds a goroutine, and what it has not read yet of 1,024 events (see actors).
	maxStreams = 256
)

// guard is asked before any method: whether its caller may, and whether there are too many.
type guard struct {
	// roles are the least that may call a procedure. One that is none of ours shows the schema, or that the manager is there:
	// who may read may see that.
	roles   map[string]mtfleetv1.Role
	calls   *rate.Limiter
	streams chan struct{} // a place for each that is open
	// denied is told of what a role did not permit; nil: nobody is.
	denied func(ctx context.Context, procedure string)
}

// witness is a service that keeps an audit log.
type witness interface {
	denied(ctx context.Context, m *method, request any)
}

func newGuard(all []*method, s Service) *guard {
	g := &guard{roles: map[string]mtfleetv1.Role{}, calls: rate.NewLimiter(callsPerSecond, callsAtOnce), streams: make(chan struct{}, maxStreams)}
	byName := map[string]*method{}
	for _, m := range all {
		g.roles[m.procedure], byName[m.procedure] = m.role(), m
	}
	if w, ok := s.(witness); ok {
		g.denied = func(ctx context.Context, procedure string) {
			if m := byName[procedure]; m != nil {
				w.denied(ctx, m, nil)
			}
		}
	}
	return g
}

var errTooManyCalls = connect.NewError(connect.CodeResourceExhausted, fmt.Errorf("more than %d requests a second: ask less often, or for all accounts at once", callsPerSecond))

// admit tells whether a caller may ask for a procedure now.
func (g *guard) admit(ctx context.Context, procedure string) error {
	caller, need := callerOf(ctx), mtfleetv1.Role_ROLE_READ
	if role, ours := g.roles[procedure]; ours {
		need = role
	}
	switch {
	case caller.Role == mtfleetv1.Role_ROLE_UNSPECIFIED:
		return connect.NewError(connect.CodeUnauthenticated, errors.New("who asks is not known: give a token, or a certificate of a client"))
	case caller.Role < need:
		if g.denied != nil && g.calls.Allow() {
			g.denied(ctx, procedure)
		}
		return connect.NewError(connect.CodePermissionDenied, fmt.Errorf("%s has the role %s, and %s needs %s", caller.Name, roleName(caller.Role), procedure, roleName(need)))
	case !g.calls.Allow():
		return errTooManyCalls
	}
	return nil
}

// allowed tells whether a caller may ask for this, where the role of the method is not all.
func allowed(ctx context.Context, request any) error {
	r, ok := request.(interface{ role() mtfleetv1.Role })
	if !ok {
		return nil
	}
	if caller := callerOf(ctx); caller.Role < r.role() {
		return connect.NewError(connect.CodePermissionDenied, fmt.Errorf("%s has the role %s, and this needs %s", caller.Name, roleName(caller.Role), roleName(r.role())))
	}
	return nil
}

func roleName(r mtfleetv1.Role) string {
	return strings.ToLower(strings.TrimPrefix(r.String(), "ROLE_"))
}

// WrapUnary implements connect.Interceptor.
func (g *guard) WrapUnary(next connect.UnaryFunc) connect.UnaryFunc {
	return func(ctx context.Context, q connect.AnyRequest) (connect.AnyResponse, error) {
		if err := g.admit(ctx, q.Spec().Procedure); err != nil {
			return nil, err
		}
		return next(ctx, q)
	}
}

// WrapStreamingClient implements connect.Interceptor: there is none here.
func (g *guard) WrapStreamingClient(next connect.StreamingClientFunc) connect.StreamingClientFunc {
	return next
}

// WrapStreamingHandler implements connect.Interceptor.
func (g *guard) WrapStreamingHandler(next connect.StreamingHandlerFunc) connect.StreamingHandlerFunc {
	return func(ctx context.Context, conn connect.StreamingHandlerConn) error {
		release, err := g.admitStream(ctx, conn.Spec().Procedure)
		if err != nil {
			return err
		}
		defer release()
		return next(ctx, conn)
	}
}

// admitStream is admit for what stays open until release.
func (g *guard) admitStream(ctx context.Context, procedure string) (release func(), err error) {
	if err := g.admit(ctx, procedure); err != nil {
		return nil, err
	}
	select {
	case g.streams <- struct{}{}:
		return func() { <-g.streams }, nil
	default:
		return nil, connect.NewError(connect.CodeResourceExhausted, fmt.Errorf("%d streams are open, as many as may be: close one", maxStreams))
	}
}

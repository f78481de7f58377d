package control

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/mtfleet/mtfleet/actors"
	mtfleetv1 "github.com/mtfleet/mtfleet/cmd/manager/api/mtfleet/v1"
	"github.com/mtfleet/mtfleet/mtproto/dc"
	"github.com/mtfleet/mtfleet/mtproto/tgerr"
	"github.com/mtfleet/mtfleet/tl/tg"
	"github.com/mtfleet/mtfleet/tl/tljson"
)

// CallRequest is one call of a method of the API.
type CallRequest struct {
	ID string `json:"id"`
	// Method is its name in the schema, "messages.sendMessage".
	Method string `json:"method"`
	// Params are its fields; package tljson says how values are written.
	Params json.RawMessage `json:"params,omitempty"`
	// DC is where it is called; 0 is the account's home.
	DC int `json:"dc,omitempty"`
	// Media is whether it moves a file, and goes by the DC's connection for media.
	Media bool `json:"media,omitempty"`
	// Policy is "once", "repeatable", or empty for that of the method.
	Policy string `json:"policy,omitempty"`
}

// String names the account and the method.
func (r CallRequest) String() string { return fmt.Sprintf("call of %q by %s", r.Method, r.ID) }

// GoString is String.
func (r CallRequest) GoString() string { return r.String() }

// CallResult is what a method answered. It prints as nothing.
type CallResult struct {
	Result json.RawMessage `json:"result"`
}

// String says nothing of it.
func (CallResult) String() string { return "result of a call" }

// GoString is String.
func (r CallResult) GoString() string { return r.String() }

// CallError is how a call failed, for programs.
type CallError struct {
	// Code, Type and Argument are the server's error: 420, "FLOOD_WAIT" and 30; or
	// 0 and nothing for one of this side.
	Code     int    `json:"code,omitempty"`
	Type     string `json:"type,omitempty"`
	Argument int    `json:"argument,omitempty"`
	// Path leads to what is wrong in the parameters, "peer.user_id".
	Path string `json:"path,omitempty"`
	// RetryAt is until when the method is not sent.
	RetryAt time.Time `json:"retry_at,omitzero"`
	// MayHaveRun is whether the server may have executed the call.
	MayHaveRun bool `json:"may_have_run"`
}

// options are the request's, for a call.
func (r CallRequest) options() (opts []actors.CallOption, once bool, err error) {
	opts, once, err = callOptions(r.Policy, r.DC, !tg.Repeatable(r.Method))
	if r.Media {
		opts = append(opts, actors.Media())
	}
	return opts, once, err
}

// role is the least that may call the method: what changes who has an account is for an admin.
func (r CallRequest) role() mtfleetv1.Role {
	if strings.HasPrefix(r.Method, "auth.") || strings.HasPrefix(r.Method, "account.") {
		return mtfleetv1.Role_ROLE_ADMIN
	}
	return mtfleetv1.Role_ROLE_OPERATE
}

// check refuses a policy and a DC that are none.
func (r CallRequest) check() error {
	_, _, err := callOptions(r.Policy, r.DC, false)
	return WrapCall(err)
}

// callOptions are those of a policy and a DC as requests name them; once is the
// method's own policy.
func callOptions(policy string, onDC int, once bool) (opts []actors.CallOption, _ bool, err error) {
	switch policy {
	case "":
	case "once":
		opts, once = append(opts, actors.WithPolicy(actors.Once)), true
	case "repeatable":
		opts, once = append(opts, actors.WithPolicy(actors.Repeatable)), false
	default:
		return nil, false, &Error{Kind: KindInvalid, Message: `the policy of a call is "once" or "repeatable", or is left out`}
	}
	switch {
	case onDC < 0:
		return nil, false, &Error{Kind: KindInvalid, Message: "the DC of a call is a number from 1 on, or is left out"}
	case onDC > 0:
		opts = append(opts, actors.OnDC(dc.ID(onDC)))
	}
	return opts, once, nil
}

// Call carries out [Call].
func (l *Local) Call(ctx context.Context, r CallRequest) (CallResult, error) {
	opts, once, err := r.options()
	if err != nil {
		return CallResult{}, WrapCall(err)
	}
	result, err := called(ctx, l, r.ID, once, func(a *actors.Account) (json.RawMessage, error) {
		return a.InvokeJSON(ctx, r.Method, r.Params, opts...)
	})
	return CallResult{Result: result}, err
}

// called makes a call as an account. Its error has Error.Call.
func called[R any](ctx context.Context, l *Local, id string, once bool, f func(*actors.Account) (R, error)) (R, error) {
	var failed CallError
	do := asked[R]
	if once {
		do = changed[R]
	}
	result, err := do(ctx, l, id, func(a *actors.Account) (R, error) {
		result, err := f(a)
		if err != nil {
			failed = callError(err)
		}
		return result, err
	})
	var e *Error
	if errors.As(err, &e) {
		told := *e
		failed.RetryAt = told.Until
		told.Call = &failed
		return result, &told
	}
	return result, err
}

// callError is an error of InvokeJSON for programs.
func callError(err error) (e CallError) {
	e.MayHaveRun = errors.Is(err, actors.ErrMayHaveRun)
	if server, ok := tgerr.As(err); ok {
		e.Code, e.Type, e.Argument = server.Code, server.Type, server.Argument
	}
	var params *tljson.Error
	if errors.As(err, &params) {
		e.Path = params.Path
	}
	return e
}

// classifyCall sorts what was wrong with a call before it was made.
func classifyCall(err error) (Kind, bool) {
	if errors.As(err, new(*tljson.Error)) || errors.As(err, new(*tljson.UnknownMethodError)) || errors.As(err, new(*actors.ReservedError)) {
		return KindInvalid, true
	}
	return "", false
}

// Call carries out [Call].
func (d *Direct) Call(ctx context.Context, r CallRequest) (CallResult, error) {
	// What makes no sense needs no connection to say so.
	if err := actors.CheckJSON(r.Method, r.Params); err != nil {
		return CallResult{}, WrapCall(err)
	}
	l, done, err := d.open(ctx, r.ID, true)
	if err != nil {
		return CallResult{}, err
	}
	defer done()
	return l.Call(ctx, r)
}

// WrapCall is Wrap for an error of a call that was not begun.
func WrapCall(err error) error {
	if err == nil {
		return nil
	}
	var e *Error
	if errors.As(Wrap(err), &e) {
		told, failed := *e, callError(err)
		told.Call = &failed
		return &told
	}
	return nil
}

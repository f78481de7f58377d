package actors

import (
	"context"
	"encoding/json"
	"iter"
	"slices"
	"sync"

	"github.com/mtfleet/mtfleet/actors/account"
	"github.com/mtfleet/mtfleet/mtproto/standing"
	"github.com/mtfleet/mtfleet/tl"
	"github.com/mtfleet/mtfleet/tl/tg"
	"github.com/mtfleet/mtfleet/tl/tljson"
)

// InvokeJSON is Invoke by a method's name and JSON, for any method of the API;
// package tljson says how values are written. params is an object of the
// method's fields, in which "_" may be left out; empty is {}. The result is one
// line of JSON: an object, an array where the method returns a Vector, true or
// false where it returns a Bool.
//
// Everything that Invoke promises of a call holds: admission, waits, the policy
// of the method, the errors. What is wrong with params is a *tljson.Error that
// says where, an unknown method a *tljson.UnknownMethodError, a method that is
// the manager's own a *ReservedError, each with ErrNotSent. A result that the
// schema does not know is a *ResultError.
//
// Neither params nor the result is logged, and no error quotes a value of them.
func (a *Account) InvokeJSON(ctx context.Context, method string, params json.RawMessage, opts ...CallOption) (json.RawMessage, error) {
	body, called, err := parseCall(a.m.json.get(), method, params)
	if err != nil {
		return nil, notSent(err)
	}
	result, err := a.InvokeRaw(ctx, &encoded{called.Name(), body}, opts...)
	if err != nil {
		return nil, err
	}
	text, err := called.AppendResult(make([]byte, 0, 4*len(result)), result)
	if err != nil {
		return nil, &ResultError{Method: called.Name(), Err: err}
	}
	return text, nil
}

// CheckJSON says what is wrong with a call before it is made, as InvokeJSON
// would: nil, or an error with ErrNotSent.
func CheckJSON(method string, params json.RawMessage) error {
	body, _, err := parseCall(newCodec(), method, params)
	if err != nil {
		return notSent(err)
	}
	if err := own(standing.Reserved(body)); err != nil {
		return notSent(err)
	}
	return nil
}

// parseCall is a call as it is sent, and the method that it calls: inside wrappers
// (invokeWithTakeout) it is that of the query in them which waits, may be repeated
// or not, and has the result.
func parseCall(c *tljson.Codec, method string, params json.RawMessage) (tl.Raw, tljson.Method, error) {
	called, err := c.Method(method)
	if err != nil {
		return nil, called, err
	}
	body, err := called.ParseCall(params)
	if err != nil {
		return nil, called, &paramsError{method, err}
	}
	called, err = c.Method(standing.Called(method, body))
	return body, called, err
}

// Methods gives the names of the methods that InvokeJSON takes, sorted.
func Methods() iter.Seq[string] {
	return func(yield func(string) bool) {
		for index, name := range tg.Names.All() {
			id, typ, _ := tg.Schema.At(index)
			if typ != tl.TypeFunction || standing.Reserved(tl.AppendUint32(nil, id)) != nil {
				continue
			}
			if !yield(name) {
				return
			}
		}
	}
}

// lazyCodec is made when it is first asked for: most programs call nothing by JSON.
type lazyCodec struct {
	once  sync.Once
	codec *tljson.Codec
}

func (l *lazyCodec) get() *tljson.Codec {
	l.once.Do(func() { l.codec = newCodec() })
	return l.codec
}

func newCodec() *tljson.Codec { return tljson.New(tg.Schema, tg.Names) }

// paramsError names the method whose parameters are wrong.
type paramsError struct {
	method string
	err    error
}

func (e *paramsError) Error() string { return e.method + ": " + e.err.Error() }
func (e *paramsError) Unwrap() error { return e.err }

// encoded is a query that was encoded before.
type encoded struct {
	method string
	body   tl.Raw
}

var _ tl.Object = (*encoded)(nil)

func (e *encoded) TypeID() uint32         { return e.body.ID() }
func (e *encoded) TypeName() string       { return e.method }
func (e *encoded) Append(b []byte) []byte { return append(b, e.body...) }
func (e *encoded) Parse(r *tl.Reader)     { e.body = slices.Clone(tl.Raw(r.Rest())) }

// request is a caller's query as an account takes it.
type request struct {
	method string // that it calls, inside wrappers too
	body   []byte
	policy account.Policy
}

// encode is a caller's query, which is not the manager's own.
func encode(query tl.Object, p Policy) (q request, err error) {
	q.method = query.TypeName()
	if e, ok := query.(*encoded); ok {
		q.body = e.body
	} else if q.body, err = tl.Marshal(nil, query); err != nil {
		return q, err
	}
	q.method = standing.Called(q.method, q.body)
	q.policy = policyFor(q.method, query, p)
	return q, own(standing.Reserved(q.body))
}

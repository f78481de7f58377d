package gotd

import (
	"context"
	"fmt"
	"strings"
	"sync"

	"github.com/gotd/td/bin"
	"github.com/gotd/td/tg"

	"github.com/mtfleet/mtfleet/actors"
	"github.com/mtfleet/mtfleet/mtproto/standing"
	"github.com/mtfleet/mtfleet/tl"
	mttg "github.com/mtfleet/mtfleet/tl/tg"
)

// Invoker makes gotd's typed API call an account:
//
//	api := tg.NewClient(gotd.Invoker(account))
//
// The options are those of actors.Invoke and go with every call; [With] gives
// one call others. Without any, a call runs on the home DC, or where a
// FILE_MIGRATE of the server sends it, and its method decides whether it may run
// twice. It waits for as long as its ctx lets it: while the account connects,
// through reconnects and key rotations.
//
// Calls may be made from any goroutine; at most 1024 of an account are under
// way, and the next ones wait. Errors are those of actors.Invoke, and in the
// tree of each is the one that gotd's own helpers look for; see [Error]. Methods
// that sign in or out, or are about keys and connections, end with an
// *actors.ReservedError that says what to do instead.
func Invoker(account *actors.Account, opts ...actors.CallOption) tg.Invoker {
	return &invoker{account, opts}
}

type invoker struct {
	account *actors.Account
	opts    []actors.CallOption
}

type optionsKey struct{}

// With returns a context whose calls have options of their own, after those of
// the Invoker: for one call on another DC, or one that may run twice.
//
//	file, err := api.UploadGetFile(gotd.With(ctx, actors.OnDC(4)), request)
func With(ctx context.Context, opts ...actors.CallOption) context.Context {
	return context.WithValue(ctx, optionsKey{}, append(optionsOf(ctx), opts...))
}

func optionsOf(ctx context.Context) []actors.CallOption {
	opts, _ := ctx.Value(optionsKey{}).([]actors.CallOption)
	return opts[:len(opts):len(opts)] // so that two contexts do not share what is appended
}

// Invoke implements tg.Invoker.
func (i *invoker) Invoke(ctx context.Context, input bin.Encoder, output bin.Decoder) error {
	q, err := newQuery(input)
	if err != nil {
		return err
	}
	opts := i.opts
	if own := optionsOf(ctx); len(own) > 0 {
		opts = append(opts[:len(opts):len(opts)], own...)
	}
	body, err := i.account.InvokeRaw(ctx, q, opts...)
	if err != nil {
		return mapped(err)
	}
	if output == nil {
		return nil // as gotd does for who does not want to know
	}
	if err := output.Decode(&bin.Buffer{Buf: body}); err != nil {
		return &actors.ResultError{Method: q.method, Err: err}
	}
	return nil
}

// EncodeError ends a call whose query gotd cannot put into bytes: most often a
// required field is nil. errors.Is finds [actors.ErrNotSent].
type EncodeError struct{ Err error }

func (e *EncodeError) Error() string {
	return "the query has no TL form, and was not sent: " + e.Err.Error()
}

// Unwrap returns gotd's error and actors.ErrNotSent.
func (e *EncodeError) Unwrap() []error { return []error{e.Err, actors.ErrNotSent} }

// query is a gotd query as the account takes it: its bytes, and the method that
// decides how long it waits after a flood wait and whether it may run twice, which is
// the one inside wrappers.
type query struct {
	method string
	body   []byte
}

func newQuery(input bin.Encoder) (*query, error) {
	var b bin.Buffer
	if err := input.Encode(&b); err != nil {
		return nil, &EncodeError{err}
	}
	q := &query{body: b.Buf}
	if named, ok := input.(interface{ TypeName() string }); ok {
		q.method = named.TypeName()
	} else {
		q.method = nameOf(tl.Raw(b.Buf).ID())
	}
	inner := tl.Raw(standing.Inside(b.Buf))
	switch {
	case len(inner) == len(b.Buf):
	case len(inner) < 4:
		return nil, &EncodeError{fmt.Errorf("%s has no query inside", q.method)}
	default: // an account finds it too, unless gotd is of another layer
		q.method = nameOf(inner.ID())
	}
	return q, nil
}

// names are gotd's names of constructors and methods, made when the first query comes that cannot say
// its own.
var names = sync.OnceValue(tg.TypesMap)

// nameOf is the name of a method in gotd's schema, or its id in hex: such a one
// runs once, and waits by itself.
func nameOf(id uint32) string {
	if name, _, ok := strings.Cut(names()[id], "#"); ok {
		return name
	}
	return fmt.Sprintf("%08x", id)
}

// TypeID implements tl.Object.
func (q *query) TypeID() uint32 { return tl.Raw(q.body).ID() }

// TypeName implements tl.Object.
func (q *query) TypeName() string { return q.method }

// Append implements tl.Object. Without a buffer to append to, the query's own
// is handed over: a query is used once.
func (q *query) Append(b []byte) []byte {
	if b == nil {
		return q.body
	}
	return append(b, q.body...)
}

// Parse implements tl.Object. Nobody reads a query back.
func (q *query) Parse(r *tl.Reader) { q.body = r.Rest() }

// Repeatable tells the account whether the method only reads.
func (q *query) Repeatable() bool { return mttg.Repeatable(q.method) }

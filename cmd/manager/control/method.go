package control

import (
	"context"
	"fmt"
	"iter"
	"net/http"
	"reflect"
	"sync"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	"github.com/mtfleet/mtfleet/cmd/manager/api/protomap"
)

// A Service is where the accounts of a store are reached: a [Local], a [Direct] or a [Remote]. What can be asked of it are
// the methods, each a variable of this package: Pause.Call(ctx, service, request). Every error is an *Error. Methods that
// talk to a DC end with ctx: give it a deadline.
type Service interface {
	// carry carries out a method: the request is of its type, and so is what is returned without an error.
	carry(ctx context.Context, m *method, request any) (any, error)
	// Close lets go of what the service holds; not of a manager that runs.
	Close() error
}

// A Method is one method of the API, by whatever service it is carried out.
type Method[Req, Resp any] struct{ *method }

// Call asks a service to carry the method out.
func (m Method[Req, Resp]) Call(ctx context.Context, s Service, r Req) (resp Resp, err error) {
	if c, ok := any(r).(checked); ok {
		if err := c.check(); err != nil {
			return resp, err
		}
	}
	got, err := s.carry(ctx, m.method, r)
	resp, _ = got.(Resp)
	return resp, err
}

// checked is a request that makes no sense with every value: whoever carries it out, it is refused in the same words.
type checked interface{ check() error }

// A Stream is a method that answers with one thing after the other, without end unless something else is said. When it
// broke off the last element is an error.
type Stream[Req, Item any] = Method[Req, iter.Seq2[Item, error]]

// method is what all of them have in common.
type method struct {
	procedure string // "/mtfleet.v1.AccountService/Pause"
	schema    protoreflect.MethodDescriptor
	request   reflect.Type
	local     func(context.Context, *Local, any) (any, error)
	direct    func(context.Context, *Direct, any) (any, error)
	remote    func(context.Context, *Remote, any) (any, error)
	// fleet is how the nodes of a cluster carry it out together; nil: as the one does that keeps the account which is named,
	// or else any.
	fleet func(context.Context, *Fleet, any) (any, error)
	serve func(Service, *guard, ...connect.HandlerOption) http.Handler
	// maps are between the Go types and the messages; the error says where they differ, which a test looks for.
	maps func() (in, out *protomap.Map, err error)
}

func (l *Local) carry(ctx context.Context, m *method, r any) (any, error) {
	got, err := m.local(ctx, l, r)
	if KindOf(err) != KindMoved { // else nothing was done here
		l.audit(ctx, m, r, outcomeOf(err))
	}
	return got, err
}

func (d *Direct) carry(ctx context.Context, m *method, r any) (any, error) {
	got, err := m.direct(ctx, d, r)
	d.audit(ctx, m, r, err)
	return got, err
}

func (r *Remote) carry(ctx context.Context, m *method, q any) (any, error) {
	return m.remote(ctx, r, q)
}

// declare begins a method of the schema, whose messages Req and Item are carried by.
func declare[Req, Item any](name string) *method {
	d, err := protoregistry.GlobalFiles.FindDescriptorByName(protoreflect.FullName("mtfleet.v1." + name))
	if err != nil {
		panic(fmt.Sprintf("control: the schema has no method %s: %v", name, err)) // of a table that a test goes through
	}
	schema := d.(protoreflect.MethodDescriptor)
	return &method{
		procedure: fmt.Sprintf("/%s/%s", schema.Parent().FullName(), schema.Name()),
		schema:    schema,
		request:   reflect.TypeFor[Req](),
		maps: func() func() (in, out *protomap.Map, err error) {
			var (
				once    sync.Once
				in, out *protomap.Map
				failed  error
			)
			return func() (*protomap.Map, *protomap.Map, error) {
				once.Do(func() {
					if in, failed = protomap.New(reflect.TypeFor[Req](), schema.Input()); failed == nil {
						out, failed = protomap.New(reflect.TypeFor[Item](), schema.Output())
					}
				})
				return in, out, failed
			}
		}(),
	}
}

// put makes a message of a value, and take a value of a message. A value that has no form there is a mistake of the one
// who made it.
func put[Message any](m *protomap.Map, v any) (*Message, error) {
	msg := new(Message)
	if err := m.Put(v, any(msg).(proto.Message).ProtoReflect()); err != nil {
		return nil, &Error{Kind: KindInvalid, Message: "what was asked or answered has no form on the wire: " + err.Error()}
	}
	return msg, nil
}

func take[T, Message any](m *protomap.Map, msg *Message) (v T, err error) {
	if err := m.Take(any(msg).(proto.Message).ProtoReflect(), &v); err != nil {
		return v, &Error{Kind: KindInvalid, Message: "the request has a value that is none: " + err.Error()}
	}
	return v, nil
}

// unary makes a method of one answer, carried by the messages In and Out.
func unary[In, Out, Req, Resp any](
	name string, local func(*Local, context.Context, Req) (Resp, error), direct func(*Direct, context.Context, Req) (Resp, error),
) Method[Req, Resp] {
	m := declare[Req, Resp](name)
	m.local = func(ctx context.Context, l *Local, r any) (any, error) { return local(l, ctx, r.(Req)) }
	m.direct = func(ctx context.Context, d *Direct, r any) (any, error) { return direct(d, ctx, r.(Req)) }
	m.serve = func(s Service, _ *guard, opts ...connect.HandlerOption) http.Handler {
		answer := func(ctx context.Context, q *connect.Request[In]) (*connect.Response[Out], error) {
			msg, err := answerOne[In, Out, Req, Resp](ctx, m, s, q.Msg)
			if err != nil {
				return nil, wireError(err)
			}
			return connect.NewResponse(msg), nil
		}
		return connect.NewUnaryHandler(m.procedure, answer, append(opts, connect.WithSchema(m.schema), m.idempotency())...)
	}
	m.remote = func(ctx context.Context, r *Remote, q any) (any, error) {
		in, out, err := m.maps()
		if err != nil {
			return nil, Wrap(err)
		}
		msg, err := put[In](in, q)
		if err != nil {
			return nil, err
		}
		ctx, cancel := graceful(ctx)
		defer cancel()
		got, err := connect.NewClient[In, Out](r.http, r.base+m.procedure).CallUnary(ctx, connect.NewRequest(msg))
		if err != nil {
			return nil, r.failed(ctx, err)
		}
		return take[Resp](out, got.Msg)
	}
	return Method[Req, Resp]{m}
}

func answerOne[In, Out, Req, Resp any](ctx context.Context, m *method, s Service, msg *In) (*Out, error) {
	in, out, err := m.maps()
	if err != nil {
		return nil, err
	}
	r, err := take[Req](in, msg)
	if err != nil {
		return nil, err
	}
	if err := allowed(ctx, r); err != nil {
		if w, ok := s.(witness); ok {
			w.denied(ctx, m, r)
		}
		return nil, err
	}
	got, err := Method[Req, Resp]{m}.Call(ctx, s, r)
	if err != nil {
		return nil, err
	}
	return put[Out](out, got)
}

// streaming makes a method of many answers, carried by the messages In and Out.
func streaming[In, Out, Req, Item any](
	name string, local func(*Local, context.Context, Req) (iter.Seq2[Item, error], error), direct func(*Direct, context.Context, Req) (iter.Seq2[Item, error], error),
) Stream[Req, Item] {
	m := declare[Req, Item](name)
	m.local = func(ctx context.Context, l *Local, r any) (any, error) { return local(l, ctx, r.(Req)) }
	m.direct = func(ctx context.Context, d *Direct, r any) (any, error) { return direct(d, ctx, r.(Req)) }
	m.serve = func(s Service, g *guard, opts ...connect.HandlerOption) http.Handler {
		answer := func(ctx context.Context, msg *In, send func(*Out) error) error {
			return answerAll[In, Out, Req, Item](ctx, m, s, msg, send)
		}
		framed := func(ctx context.Context, q *connect.Request[In], to *connect.ServerStream[Out]) error {
			return wireError(answer(ctx, q.Msg, to.Send))
		}
		opts = append(opts, connect.WithSchema(m.schema), m.idempotency())
		return linesHandler(m, g, connect.NewServerStreamHandler(m.procedure, framed, opts...), answer)
	}
	m.remote = func(ctx context.Context, r *Remote, q any) (any, error) {
		in, out, err := m.maps()
		if err != nil {
			return nil, Wrap(err)
		}
		msg, err := put[In](in, q)
		if err != nil {
			return nil, err
		}
		got, err := connect.NewClient[In, Out](r.http, r.base+m.procedure).CallServerStream(ctx, connect.NewRequest(msg))
		if err != nil {
			return nil, r.failed(ctx, err)
		}
		return items[Item](ctx, r, out, got)
	}
	return Stream[Req, Item]{m}
}

func answerAll[In, Out, Req, Item any](ctx context.Context, m *method, s Service, msg *In, send func(*Out) error) error {
	in, out, err := m.maps()
	if err != nil {
		return err
	}
	r, err := take[Req](in, msg)
	if err != nil {
		return err
	}
	got, err := Stream[Req, Item]{m}.Call(ctx, s, r)
	if err != nil {
		return err
	}
	if send(new(Out)) != nil { // which says that the stream is open
		return nil // nobody reads
	}
	for item, err := range got {
		if err != nil {
			return err
		}
		msg, err := put[Out](out, item)
		if err != nil {
			return err
		}
		if send(msg) != nil {
			return nil
		}
	}
	return nil
}

// items are those of a stream over the wire. It returns when the stream is open, or has failed.
func items[Item, Out any](ctx context.Context, r *Remote, out *protomap.Map, got *connect.ServerStreamForClient[Out]) (iter.Seq2[Item, error], error) {
	if !got.Receive() {
		err := got.Err()
		_ = got.Close()
		if err == nil {
			err = errEnded
		}
		return nil, r.failed(ctx, err)
	}
	return func(yield func(Item, error) bool) {
		defer got.Close()
		for got.Receive() {
			item, err := take[Item](out, got.Msg())
			if !yield(item, err) || err != nil {
				return
			}
		}
		if err := got.Err(); err != nil {
			var none Item
			yield(none, r.failed(ctx, err))
		}
	}, nil
}

// idempotency is what the schema says of it, so that methods that only read can be asked by GET.
func (m *method) idempotency() connect.HandlerOption {
	if m.reads() {
		return connect.WithIdempotency(connect.IdempotencyNoSideEffects)
	}
	return connect.WithIdempotency(connect.IdempotencyUnknown)
}

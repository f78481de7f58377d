package actors

import (
	"context"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"github.com/mtfleet/mtfleet/actors/account"
	"github.com/mtfleet/mtfleet/mtproto/dc"
	"github.com/mtfleet/mtfleet/mtproto/login"
	"github.com/mtfleet/mtfleet/persistence"
)

// This file is about the spans of what outlives the call that began it. Their names
// and attributes hold no account, and no text of an error: it may name one.

// causes are the spans of an account's callers, under which something may begin
// that a span of its own is made for: that is linked to them.
type causes struct{ signIn, rotation cause }

// cause is the span of one caller.
type cause struct{ span trace.SpanContext }

// link notes the caller's span for as long as the caller waits. undo forgets it.
func (a *Account) link(ctx context.Context, to *cause) (undo func()) {
	span := trace.SpanContextFromContext(ctx)
	if !span.IsValid() {
		return func() {}
	}
	a.causing.Lock()
	defer a.causing.Unlock()
	to.span = span
	return func() {
		a.causing.Lock()
		defer a.causing.Unlock()
		if to.span.Equal(span) {
			to.span = trace.SpanContext{}
		}
	}
}

// begin begins a span with a link to what caused it, if somebody waits for it.
func (a *Account) begin(name string, by *cause, attrs ...attribute.KeyValue) trace.Span {
	opts := []trace.SpanStartOption{trace.WithNewRoot(), trace.WithAttributes(attrs...)}
	a.causing.Lock()
	if by.span.IsValid() {
		opts = append(opts, trace.WithLinks(trace.Link{SpanContext: by.span}))
	}
	a.causing.Unlock()
	_, span := a.m.tracer.Start(context.Background(), name, opts...)
	return span
}

// rotationWatch counts one rotation and has its span.
type rotationWatch struct {
	m    *Manager
	span trace.Span
}

// rotating begins the span of a rotation.
func (m *Manager) rotating(id persistence.AccountID, at dc.ID) account.Rotation {
	w := &rotationWatch{m: m, span: trace.SpanFromContext(context.Background())}
	if a := m.here(id); a != nil {
		w.span = a.begin("mtfleet.rotation", &a.causes.rotation, attribute.Int("mtfleet.dc", int(at)))
	}
	return w
}

func (w *rotationWatch) Did(step string) { w.span.AddEvent(step) }

func (w *rotationWatch) Ended(how account.RotationEnd, err error) {
	result := "ok"
	switch how {
	case account.RotationFailed:
		result = "failed"
	case account.RotationAborted:
		result = "aborted"
	}
	w.m.meters.rotations.count(1, values{result})
	end(w.span, result, err)
}

// signInWatch counts the steps of one sign-in and has its span.
type signInWatch struct {
	m    *Manager
	flow string
	span trace.Span
}

// signInBegan begins the span of a sign-in.
func (m *Manager) signInBegan(id persistence.AccountID, flow login.Flow) account.SignInWatch {
	w := &signInWatch{m: m, flow: string(flow), span: trace.SpanFromContext(context.Background())}
	if a := m.here(id); a != nil {
		w.span = a.begin("mtfleet.sign_in", &a.causes.signIn, attribute.String("mtfleet.flow", string(flow)))
	}
	return w
}

func (w *signInWatch) Asked(kind login.StepKind, again bool) {
	result := "asked"
	if again {
		result = "again"
	}
	w.m.meters.signInSteps.count(1, values{w.flow, string(kind), result})
	w.span.AddEvent(result, trace.WithAttributes(attribute.String("mtfleet.step", string(kind))))
}

func (w *signInWatch) Ended(how account.SignInEnd, err error) {
	result := "ok"
	switch how {
	case account.SignInFailed:
		result = "failed"
	case account.SignInCanceled:
		result = "canceled"
	case account.SignInLeft:
		result = "left"
	}
	w.m.meters.signInSteps.count(1, values{w.flow, stepEnd, result})
	end(w.span, result, err)
}

// end ends a span with its result, and the family of an error.
func end(span trace.Span, result string, err error) {
	span.SetAttributes(attribute.String("mtfleet.result", result))
	if result != "ok" {
		family := result
		if err != nil {
			family = errorFamily(err)
		}
		span.SetStatus(codes.Error, family)
	}
	span.End()
}

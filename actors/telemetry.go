package actors

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	metricnoop "go.opentelemetry.io/otel/metric/noop"
	tracenoop "go.opentelemetry.io/otel/trace/noop"

	"github.com/mtfleet/mtfleet/actors/account"
	"github.com/mtfleet/mtfleet/mtproto/dc"
	"github.com/mtfleet/mtfleet/mtproto/tgerr"
	"github.com/mtfleet/mtfleet/persistence"
)

const scope = "github.com/mtfleet/mtfleet/actors"

// meters are the metrics of one Manager. No series carries an account: ten
// thousand of them would overflow any backend, and Status tells better.
type meters struct {
	calls           metric.Int64Counter
	callSeconds     metric.Float64Histogram
	keys            metric.Int64Counter
	binds           metric.Int64Counter
	signIns         metric.Int64Counter
	connectionsLost metric.Int64Counter
	storeFailures   metric.Int64Counter
	stop            func()
}

// openTelemetry makes tracer and meters; without providers they cost nothing.
func (m *Manager) openTelemetry(o Options) error {
	tracers, provider := o.TracerProvider, o.MeterProvider
	if tracers == nil {
		tracers = tracenoop.NewTracerProvider()
	}
	if provider == nil {
		provider = metricnoop.NewMeterProvider()
	}
	m.tracer = tracers.Tracer(scope)
	meter := provider.Meter(scope)
	x := &meters{}
	var errs [10]error
	x.calls, errs[0] = meter.Int64Counter("mtfleet.calls", metric.WithDescription("API calls ended, by DC and result"))
	x.callSeconds, errs[1] = meter.Float64Histogram("mtfleet.call.duration", metric.WithUnit("s"), metric.WithDescription("time from Invoke to its end"))
	x.keys, errs[2] = meter.Int64Counter("mtfleet.keys", metric.WithDescription("auth keys made, by DC and kind"))
	x.binds, errs[3] = meter.Int64Counter("mtfleet.binds", metric.WithDescription("temp keys bound, by DC"))
	x.signIns, errs[4] = meter.Int64Counter("mtfleet.sign_ins", metric.WithDescription("sign-ins that succeeded, by method"))
	x.connectionsLost, errs[5] = meter.Int64Counter("mtfleet.connections.lost", metric.WithDescription("established connections that ended, by DC"))
	x.storeFailures, errs[6] = meter.Int64Counter("mtfleet.store.failures", metric.WithDescription("commits the store refused"))
	accounts, err := meter.Int64ObservableGauge("mtfleet.accounts", metric.WithDescription("accounts by state"))
	errs[7] = err
	refuses, err := meter.Int64ObservableGauge("mtfleet.store.refuses", metric.WithDescription("1 while the store refuses commits"))
	errs[8] = err
	free, err := meter.Int64ObservableGauge("mtfleet.store.free", metric.WithUnit("By"), metric.WithDescription("room on the store's file system, where it is known"))
	errs[9] = err
	if err := errors.Join(errs[:]...); err != nil {
		return fmt.Errorf("making metrics: %w", err)
	}
	reg, err := meter.RegisterCallback(func(_ context.Context, obs metric.Observer) error {
		m.observeAccounts(obs, accounts)
		m.observeStore(obs, refuses, free)
		return nil
	}, accounts, refuses, free)
	if err != nil {
		return fmt.Errorf("making metrics: %w", err)
	}
	x.stop = func() { _ = reg.Unregister() }
	m.meters = x
	return nil
}

// observeAccounts counts accounts by state from what they last published.
func (m *Manager) observeAccounts(obs metric.Observer, gauge metric.Int64Observable) {
	counts := map[State]int64{}
	for _, a := range m.Accounts() {
		counts[a.Status().State]++
	}
	for state, n := range counts {
		obs.ObserveInt64(gauge, n, metric.WithAttributes(attribute.String("state", state.String())))
	}
}

func (m *Manager) observeStore(obs metric.Observer, refuses, free metric.Int64Observable) {
	var bad int64
	if m.store.view().state != storeWrites {
		bad = 1
	}
	obs.ObserveInt64(refuses, bad)
	if p, ok := m.opts.Store.(persistence.Prober); ok {
		if room, _ := p.Probe(); room.Free >= 0 {
			obs.ObserveInt64(free, room.Free)
		}
	}
}

func atDC(id dc.ID) attribute.KeyValue { return attribute.String("dc", strconv.Itoa(int(id))) }

// observer feeds what accounts tell into the metrics.
func (x *meters) observer() account.Observer {
	ctx := context.Background()
	var endings endings
	return account.Observer{
		CallEnded: func(at dc.ID, result string, took time.Duration) {
			if !x.calls.Enabled(ctx) && !x.callSeconds.Enabled(ctx) {
				return
			}
			e := endings.of(at, result)
			x.calls.Add(ctx, 1, e.add...)
			x.callSeconds.Record(ctx, took.Seconds(), e.record...)
		},
		KeyMade: func(at dc.ID, temp bool) {
			kind := "perm"
			if temp {
				kind = "temp"
			}
			x.keys.Add(ctx, 1, metric.WithAttributes(atDC(at), attribute.String("kind", kind)))
		},
		Bound:          func(at dc.ID) { x.binds.Add(ctx, 1, metric.WithAttributes(atDC(at))) },
		SignedIn:       func(method string) { x.signIns.Add(ctx, 1, metric.WithAttributes(attribute.String("method", method))) },
		ConnectionLost: func(at dc.ID) { x.connectionsLost.Add(ctx, 1, metric.WithAttributes(atDC(at))) },
	}
}

// endings keeps the attributes of how calls end: to make them anew for every
// call is as dear as to count it.
type endings struct {
	mu    sync.RWMutex
	known map[endingKey]*ending // guarded by mu
}

type endingKey struct {
	at     dc.ID
	result string
}

type ending struct {
	add    []metric.AddOption
	record []metric.RecordOption
}

// endingsMost is how many are kept: five DCs and some ten results. Who calls
// DCs that do not exist pays for each call.
const endingsMost = 256

func (s *endings) of(at dc.ID, result string) *ending {
	key := endingKey{at, result}
	s.mu.RLock()
	e := s.known[key]
	s.mu.RUnlock()
	if e != nil {
		return e
	}
	set := metric.WithAttributeSet(attribute.NewSet(atDC(at), attribute.String("result", result)))
	e = &ending{[]metric.AddOption{set}, []metric.RecordOption{set}}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.known == nil {
		s.known = map[endingKey]*ending{}
	}
	if len(s.known) < endingsMost {
		s.known[key] = e
	}
	return e
}

// errorFamily sorts the end of a call into few words, fit for a label.
func errorFamily(err error) string {
	if err == nil {
		return "ok"
	}
	if e, ok := tgerr.As(err); ok {
		return e.Class().String()
	}
	switch {
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return "canceled"
	case errors.Is(err, ErrNotSent):
		return "not sent"
	case errors.Is(err, ErrMayHaveRun):
		return "may have run"
	}
	return "other"
}

// ResultError says that the server executed a call and answered something
// that cannot be read: most often a constructor of a newer layer.
type ResultError struct {
	Method string
	Err    error
}

func (e *ResultError) Error() string {
	return fmt.Sprintf("the call ran, and the result of %s cannot be read: %s", e.Method, Words(e.Err))
}

// Unwrap returns the cause, and ErrMayHaveRun: the server did execute the call.
func (e *ResultError) Unwrap() []error { return []error{e.Err, ErrMayHaveRun} }

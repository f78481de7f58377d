package actors

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"
	"time"

	"go.opentelemetry.io/otel/metric"
	tracenoop "go.opentelemetry.io/otel/trace/noop"

	"github.com/mtfleet/mtfleet/actors/account"
	"github.com/mtfleet/mtfleet/actors/governor"
	"github.com/mtfleet/mtfleet/mtproto/dc"
	"github.com/mtfleet/mtfleet/mtproto/standing"
	"github.com/mtfleet/mtfleet/mtproto/tgerr"
	"github.com/mtfleet/mtfleet/persistence"
)

const scope = "github.com/mtfleet/mtfleet/actors"

// meters are the metrics of one Manager; see seriesOf. No series carries an
// account: ten thousand of them would overflow any backend, and Status tells
// better. Where nobody wants metrics they are zero, and do nothing.
type meters struct {
	dcs map[dc.ID]string

	stateChanges, connections, connects, connectionsLost meter
	handshakes, binds, rotations, tempKeyAge, tempDrops  meter
	calls, callSeconds                                   meter
	updateLag, updateHoles, eventsDropped, clockOffset   meter
	storeCommit, storeFailures                           meter
	restarts, signInSteps                                meter
	nodeMoves, nodeSilences                              meter

	accounts, signInOldest, dcUp, waits, waitLongest, governorQueue looked
	storeFree, storeNeeded, storeRefuses, storeBackup               looked
	nodeLease, nodeCutOff                                           looked

	stop func()
}

// openTelemetry makes tracer and meters; without providers they cost nothing.
func (m *Manager) openTelemetry(o Options) error {
	tracers := o.TracerProvider
	if tracers == nil {
		tracers = tracenoop.NewTracerProvider()
	}
	m.tracer = tracers.Tracer(scope)
	m.meters = &meters{stop: func() {}}
	if o.MeterProvider == nil {
		return nil
	}
	if err := m.meters.open(m, o.MeterProvider.Meter(scope), o.DCs); err != nil {
		return fmt.Errorf("making metrics: %w", err)
	}
	return nil
}

// open makes every series.
func (x *meters) open(m *Manager, provider metric.Meter, table dc.Table) error {
	x.dcs = map[dc.ID]string{}
	for _, id := range table.DCs() {
		x.dcs[id] = dcText(id)
	}
	all := seriesOf(table)
	var errs []error
	for _, of := range []struct {
		to   *meter
		from *series
		make func(metric.Meter, *series) (meter, error)
	}{
		{&x.stateChanges, &all.stateChanges, makeCounter},
		{&x.connections, &all.connections, makeUpDown},
		{&x.connects, &all.connects, makeCounter},
		{&x.connectionsLost, &all.connectionsLost, makeCounter},
		{&x.handshakes, &all.handshakes, makeCounter},
		{&x.binds, &all.binds, makeCounter},
		{&x.rotations, &all.rotations, makeCounter},
		{&x.tempKeyAge, &all.tempKeyAge, makeHistogram},
		{&x.tempDrops, &all.tempDrops, makeCounter},
		{&x.calls, &all.calls, makeCounter},
		{&x.callSeconds, &all.callSeconds, makeHistogram},
		{&x.updateLag, &all.updateLag, makeHistogram},
		{&x.updateHoles, &all.updateHoles, makeCounter},
		{&x.eventsDropped, &all.eventsDropped, makeCounter},
		{&x.clockOffset, &all.clockOffset, makeGauge},
		{&x.storeCommit, &all.storeCommit, makeHistogram},
		{&x.storeFailures, &all.storeFailures, makeCounter},
		{&x.restarts, &all.restarts, makeCounter},
		{&x.signInSteps, &all.signInSteps, makeCounter},
		{&x.nodeMoves, &all.nodeMoves, makeCounter},
		{&x.nodeSilences, &all.nodeSilences, makeCounter},
	} {
		made, err := of.make(provider, of.from)
		*of.to, errs = made, append(errs, err)
		made.begin()
	}
	var instruments []metric.Observable
	for _, of := range []struct {
		to   *looked
		from *series
	}{
		{&x.accounts, &all.accounts}, {&x.signInOldest, &all.signInOldest}, {&x.dcUp, &all.dcUp}, {&x.waits, &all.waits}, {&x.waitLongest, &all.waitLongest},
		{&x.governorQueue, &all.governorQueue}, {&x.storeFree, &all.storeFree}, {&x.storeNeeded, &all.storeNeeded}, {&x.storeRefuses, &all.storeRefuses},
		{&x.storeBackup, &all.storeBackup}, {&x.nodeLease, &all.nodeLease}, {&x.nodeCutOff, &all.nodeCutOff},
	} {
		made, err := makeLooked(provider, of.from)
		*of.to, errs = made, append(errs, err)
		instruments = append(instruments, made.instrument())
	}
	if err := errors.Join(errs...); err != nil {
		return err
	}
	reg, err := provider.RegisterCallback(func(ctx context.Context, obs metric.Observer) error {
		x.lookAccounts(m, obs)
		x.lookGovernor(ctx, m, obs)
		x.lookStore(m, obs)
		x.nodeLease.tell(obs, map[values]float64{{}: m.leaseLeft().Seconds()})
		x.nodeCutOff.tell(obs, map[values]float64{{}: m.cutOff()})
		return nil
	}, instruments...)
	if err == nil {
		x.stop = func() { _ = reg.Unregister() }
	}
	return err
}

// lookAccounts counts accounts by state, and waits, and looks for the oldest
// sign-in, in what accounts last published.
func (x *meters) lookAccounts(m *Manager, obs metric.Observer) {
	now := m.sys.Clock().Now()
	states, waits := map[values]float64{}, map[values]float64{}
	var longest, oldest time.Duration
	for state, n := range m.States() {
		states[values{state.String()}] = float64(n)
	}
	for _, w := range m.Waits() {
		waits[values{w.Scope}] = float64(w.Count)
		longest = max(longest, w.Last.Sub(now))
	}
	m.mu.RLock()
	for _, a := range m.accounts {
		if s := a.status.Load(); s.State == SigningIn {
			oldest = max(oldest, now.Sub(s.Since))
		}
	}
	m.mu.RUnlock()
	x.accounts.tell(obs, states)
	x.waits.tell(obs, waits)
	x.waitLongest.tell(obs, map[values]float64{{}: longest.Seconds()})
	x.signInOldest.tell(obs, map[values]float64{{}: oldest.Seconds()})
}

func scopeText(s standing.Scope) string {
	switch s {
	case standing.ScopeAccount:
		return "account"
	case standing.ScopeSubject:
		return "subject"
	}
	return "method"
}

// governorPatience is how long a reader waits for the governor, which answers in
// microseconds, or not at all while it is being started again: what it knows is
// missing then.
const governorPatience = time.Second

// lookGovernor tells what the governor knows of the DCs, over all routes.
func (x *meters) lookGovernor(ctx context.Context, m *Manager, obs metric.Observer) {
	ctx, cancel := context.WithTimeout(ctx, governorPatience)
	defer cancel()
	list, err := m.Governor(ctx)
	if err != nil {
		return
	}
	up, queue := map[values]float64{}, map[values]float64{}
	for id, at := range x.dcs {
		for i, family := range familyValues {
			if isUp(list, id, governor.Families(1<<i)) {
				up[values{at, family}] = 1
			}
		}
	}
	for _, d := range list {
		at := x.at(dc.ID(d.DC))
		for kind, n := range d.Waiting {
			queue[values{at, queueValues[kind]}] += float64(n)
		}
	}
	x.dcUp.tell(obs, up)
	x.governorQueue.tell(obs, queue)
}

// isUp reports whether nothing says that a DC is down by a family of addresses.
// The routes by which that family was tried decide; where it was not tried, all do.
func isUp(list []governor.DCStatus, id dc.ID, family governor.Families) bool {
	var tried, byFamily, known, byAny bool
	for _, d := range list {
		if d.DC != int(id) {
			continue
		}
		known, byAny = true, byAny || d.Up
		if (d.Tried.Reached|d.Tried.Missed)&family != 0 {
			tried, byFamily = true, byFamily || d.Up && d.Tried.Reached&family != 0
		}
	}
	if tried {
		return byFamily
	}
	return byAny || !known
}

func (x *meters) lookStore(m *Manager, obs metric.Observer) {
	refuses := 0.0
	if m.store.view().state != storeWrites {
		refuses = 1
	}
	x.storeRefuses.tell(obs, map[values]float64{{}: refuses})
	x.storeBackup.tell(obs, map[values]float64{{}: m.backedUp()})
	if p, ok := m.opts.Store.(persistence.Prober); ok {
		if room, _ := p.Probe(); room.Free >= 0 {
			x.storeFree.tell(obs, map[values]float64{{}: float64(room.Free)})
			x.storeNeeded.tell(obs, map[values]float64{{}: float64(room.Needed)})
		}
	}
}

// at is what a DC is called: other, if the table did not have it.
func (x *meters) at(id dc.ID) string {
	if text, ok := x.dcs[id]; ok {
		return text
	}
	return other
}

// observer feeds what accounts tell into the metrics and spans.
func (m *Manager) observer() account.Observer {
	x := m.meters
	return account.Observer{
		Bindings: account.BindingObserver{
			Connected:      func(at dc.ID, n int) { x.connections.count(n, values{x.at(at)}) },
			Dialed:         func(at dc.ID, err error) { x.connects.count(1, values{x.at(at), connectResult(err)}) },
			ConnectionLost: func(at dc.ID) { x.connectionsLost.count(1, values{x.at(at)}) },
			KeyMade: func(at dc.ID, temp bool, err error) {
				kind := "perm"
				if temp {
					kind = "temp"
				}
				x.handshakes.count(1, values{x.at(at), kind, okOrFailed(err)})
			},
			Bound:           func(at dc.ID, err error) { x.binds.count(1, values{x.at(at), okOrFailed(err)}) },
			Rotating:        m.rotating,
			TempKeyLost:     func(dc.ID) { x.rotations.count(1, values{"lost"}) },
			TempKeyEnded:    func(age time.Duration) { x.tempKeyAge.measure(age.Seconds(), values{}) },
			TempKeysDropped: func(n int) { x.tempDrops.count(n, values{}) },
			Clock:           func(at dc.ID, offset time.Duration) { x.clockOffset.measure(offset.Seconds(), values{x.at(at)}) },
		},
		SignInBegan: m.signInBegan,
		Waits: func(id persistence.AccountID, all []account.Wait) {
			if a := m.here(id); a != nil {
				a.waits.Store(&all)
			}
		},
	}
}

func okOrFailed(err error) string {
	if err != nil {
		return "failed"
	}
	return "ok"
}

// connectResult sorts how a dial ended into few words.
func connectResult(err error) string {
	var (
		coded   interface{ TransportCode() int32 }
		ours    interface{ BlamesNobody() }
		timeout interface{ Timeout() bool }
	)
	switch {
	case err == nil:
		return "ok"
	case errors.As(err, &ours), errors.Is(err, context.Canceled):
		return "local"
	case errors.As(err, &coded) && coded.TransportCode() == codeFlood:
		return "flood"
	case errors.Is(err, syscall.ECONNREFUSED):
		return "refused"
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		return "timeout"
	}
	return other
}

// codeFlood is the transport's own error for too many connections:
// https://core.telegram.org/mtproto/mtproto-transports#transport-errors.
const codeFlood = -429

// lag notes how late updates are, those that say when they were made.
func (x *meters) lag(now time.Time, list []account.Update) {
	if x.updateLag.series == nil {
		return
	}
	for i := range list {
		if date := list[i].Date; date != 0 {
			x.updateLag.measure(max(now.Sub(time.Unix(int64(date), 0)).Seconds(), 0), values{})
		}
	}
}

// actorKinds names actors as the series of their failures does.
var actorKinds = map[string]string{
	"*dcconn.conn": "connection", "*binding.binding": "binding", "*account.account": "account",
	"*actors.fleet": "fleet", "*governor.Governor": "governor",
}

// failed counts an actor that panicked.
func (x *meters) failed(actor string) { x.restarts.count(1, values{actorKinds[actor]}) }

// timedStore measures commits.
type timedStore struct {
	persistence.Store
	m *Manager
}

func (s timedStore) Commit(c persistence.Commit) error {
	clock := s.m.sys.Clock()
	begun := clock.Now()
	err := s.Store.Commit(c)
	s.m.meters.storeCommit.measure(clock.Now().Sub(begun).Seconds(), values{})
	return err
}

// accountStore is the store as accounts use it.
func (m *Manager) accountStore() persistence.Store {
	if m.meters.storeCommit.series == nil {
		return m.opts.Store
	}
	return timedStore{m.opts.Store, m}
}

// word makes one word of two.
func word(s string) string { return strings.ReplaceAll(s, " ", "_") }

// errorFamily sorts the end of a call into few words, fit for a label.
func errorFamily(err error) string {
	if err == nil {
		return "ok"
	}
	if e, ok := tgerr.As(err); ok {
		return word(e.Class().String())
	}
	switch {
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return "canceled"
	case errors.Is(err, ErrNotSent):
		return "not_sent"
	case errors.Is(err, ErrMayHaveRun):
		return "may_have_run"
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

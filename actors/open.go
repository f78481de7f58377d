package actors

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/trace"

	"github.com/mtfleet/mtfleet/actors/account"
	"github.com/mtfleet/mtfleet/actors/digest"
	"github.com/mtfleet/mtfleet/actors/governor"
	"github.com/mtfleet/mtfleet/actors/runtime"
	"github.com/mtfleet/mtfleet/actors/wire"
	"github.com/mtfleet/mtfleet/persistence"
)

// Manager keeps the accounts of one store. Its methods are safe for concurrent
// use.
type Manager struct {
	opts   Options
	env    *account.Env
	log    *slog.Logger
	logs   bool // somebody reads it
	tracer trace.Tracer
	meters *meters

	sys   *runtime.System
	net   *wire.Network
	fleet runtime.Ref[fleetMsg]
	hub   *hub
	done  chan struct{} // closed when Close begins

	closing sync.Once
	store   storeWatch
	users   users

	silences silences
	json     lazyCodec
	backup   atomic.Pointer[time.Time] // when the last was made; nil: never
	audit    auditLog
	node     *node                                                       // nil without a cluster
	others   atomic.Pointer[func(context.Context, Claim, string) string] // nil before AskOthers

	registering sync.Mutex  // one change of the consumers at a time
	importing   sync.Locker // of two imports of one key the second finds the first's

	mu       sync.RWMutex // guards the following fields
	accounts map[persistence.AccountID]*Account
	arrived  uint64                           // how many came since Open
	phones   map[string]persistence.AccountID // numbers with a sign-in under way
}

// Errors of the front door.
var (
	// ErrClosed is returned after Close began.
	ErrClosed = errors.New("the manager is closed")
	// ErrStopped ends a call whose account stopped: with ErrMayHaveRun while
	// it was under way, with ErrNotSent before.
	ErrStopped = errors.New("the account stopped")
	// ErrNotSent and ErrMayHaveRun: what every local error of a call says of
	// the server, see Invoke.
	ErrNotSent    = account.ErrNotSent
	ErrMayHaveRun = account.ErrMayHaveRun
	// ErrSignedIn refuses to remove an account that is signed in: see Remove.
	ErrSignedIn = account.ErrSignedIn
)

// NoAccountError says that the store has no such account.
type NoAccountError struct{ ID string }

func (e *NoAccountError) Error() string {
	return fmt.Sprintf("there is no account %q: add it first", e.ID)
}

// ExistsError says that the store has such an account already.
type ExistsError struct{ ID string }

func (e *ExistsError) Error() string {
	return fmt.Sprintf("there is an account %q already: choose another name, or remove it first", e.ID)
}

// StoreError refuses new sign-ins while the store refuses commits.
type StoreError struct{ Err error }

func (e *StoreError) Error() string {
	return "the store refuses commits, so nothing new is begun; connections are kept: " + Words(e.Err)
}

// Unwrap returns the store's error.
func (e *StoreError) Unwrap() error { return e.Err }

// Open claims the store and brings every account in it to where it was. It
// blocks while the store is read, and not for any server: calls made right after
// it wait for their account.
//
// With Options.Cluster it joins the store's nodes instead, and begins without
// accounts: those that are its own it takes by and by. A *persistence.NodeTakenError
// says that a node of that name has a lease, perhaps the process that was here
// before: try again when that is over.
func Open(o Options) (*Manager, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	o.fill()
	if o.Cluster != nil {
		n, err := join(&o)
		if err != nil {
			return nil, err
		}
		m, err := openAs(o, n.owner, nil, n)
		if err != nil {
			ctx, cancel := n.asking()
			defer cancel()
			return nil, errors.Join(err, n.leave(ctx))
		}
		return m, nil
	}
	owner, err := o.Store.Claim(o.Node)
	if err != nil {
		return nil, fmt.Errorf("claiming the store: %w", err)
	}
	ids, err := o.Store.Accounts()
	if err != nil {
		return nil, fmt.Errorf("reading the store: %w", err)
	}
	return openAs(o, owner, ids, nil)
}

// openAs opens a Manager that owns accounts of the store, and as a node of a
// cluster will own others.
func openAs(o Options, owner persistence.Owner, ids []persistence.AccountID, n *node) (*Manager, error) {
	m := &Manager{
		node: n,
		opts: o, log: o.Logger, logs: o.Logger.Enabled(context.Background(), slog.LevelWarn), hub: newHub(owner.Epoch, o.OnEvent), done: make(chan struct{}), store: storeWatch{lost: make(chan struct{})},
		accounts: map[persistence.AccountID]*Account{}, phones: map[string]persistence.AccountID{}, importing: o.lock(),
	}
	labels, _, _ := m.users.read(o.Store, ids) // of the unread each account says so itself, and nobody else takes it
	if o.Only != "" {
		ids = slices.DeleteFunc(ids, func(id persistence.AccountID) bool { return string(id) != o.Only })
	}
	if err := m.openTelemetry(o); err != nil {
		return nil, err
	}
	wireCfg := o.Wire
	wireCfg.Rand = o.Rand
	if n != nil {
		n.m = m
		wireCfg.Fence = n.fence(wireCfg.Fence)
	}
	if wireCfg.OnShortage == nil {
		wireCfg.OnShortage = func(e *wire.DescriptorError) {
			o.Logger.Error("accounts stay offline for want of file descriptors", "err", e)
		}
	}
	m.hub.lost = func(n int) { m.meters.eventsDropped.count(n, values{}) }
	m.net = wire.New(wireCfg)
	ready := make(chan struct{}) // m.fleet is set
	m.sys = runtime.NewSystem(runtime.Options{
		Clock: o.Clock, Rand: o.Rand, Logger: o.Logger, Sim: o.Sim,
		OnPanic: func(p *runtime.PanicError) {
			m.meters.failed(p.Actor)
			o.Logger.Error("panic in an actor", "actor", p.Actor, "during", p.During, "value", p.Value, "stack", string(p.Stack))
		},
		OnWedged: func(w runtime.Wedged) {
			<-ready
			m.wedged(w)
		},
		OnWoken: func(slept time.Duration) {
			<-ready
			m.woken(slept)
		},
	})
	m.audit.store, m.audit.owner, m.audit.shared, m.audit.now = o.Store, owner, n != nil, m.sys.Clock().Now
	gov := runtime.SpawnRoot(m.sys, governor.New(o.Limits, func(w governor.Word) {
		<-ready
		m.silences.hear(w)
		m.fleet.Send(dcWord{w})
	}))
	salt, err := fleetRecords(o.Store, owner, m.sys.Clock().Now(), o.Rand)
	if err == nil {
		m.env, err = account.NewEnv(m.envConfig(owner, gov, salt))
	}
	if err == nil && n != nil {
		n.way, err = m.env.OwnWay()
	}
	if err == nil {
		err = m.readConsumers()
	}
	if err != nil {
		m.meters.stop()
		_ = m.sys.Close(context.Background())
		return nil, err
	}
	m.fleet = runtime.SpawnRoot(m.sys, keepFleet(m))
	close(ready)
	for _, id := range ids { // all before the first starts and publishes
		m.accounts[id] = m.newAccount(id, labels[id])
	}
	m.redecide(m.Accounts()...)
	// Who calls or looks right after Open finds every account where it stands.
	_, err = runtime.Ask(context.Background(), m.fleet, func(r runtime.Reply[struct{}]) fleetMsg { return startAll{m.Accounts(), r} })
	if err != nil {
		m.meters.stop()
		_ = m.sys.Close(context.Background())
		return nil, err
	}
	if n != nil {
		n.ref = runtime.SpawnRoot(m.sys, keepNode(n))
	}
	return m, nil
}

func (m *Manager) envConfig(owner persistence.Owner, gov runtime.Ref[governor.Message], salt []byte) account.EnvConfig {
	return account.EnvConfig{
		App: account.App(m.opts.App), Store: m.accountStore(), Owner: owner, Governor: gov,
		Wait: m.opts.wait(), Network: m.network(), Proxy: m.opts.server(), DCs: m.opts.DCs, DefaultDC: m.opts.DefaultDC, TempKeyLife: m.opts.TempKeyLife, TempInMemory: m.opts.TempKeysInMemory,
		Logger: m.log, Rand: m.opts.Rand,
		Stands: m.stands, Delivered: m.delivered, Missing: m.missing, Durable: m.durable, Labelled: m.labelled, HoldPhone: m.holdPhone, HoldUser: m.users.hold, TakeUser: m.users.take, OtherUsers: m.users.others,
		SubjectSalt: salt, Restored: m.restored, Removed: m.removed, StoreFailed: m.storeFailed, Timeline: m.timelineOf, Observe: m.observer(), Trace: m.opts.script,
	}
}

// network is what connections are made with.
func (m *Manager) network() account.Network {
	switch {
	case m.opts.Network == nil:
		return m.net
	case m.node != nil:
		return &fencedNetwork{m.opts.Network, m.node.lease.Check, m.soon}
	}
	return m.opts.Network
}

// stands, delivered and missing hear from the accounts.
func (m *Manager) stands(id persistence.AccountID, at time.Time, s account.Status) {
	if a := m.here(id); a != nil {
		a.publish(stateOf(a, at, statusOf(&s)))
	}
}

func (m *Manager) delivered(id persistence.AccountID, at time.Time, life uint64, list []account.Update) {
	if a := m.here(id); a != nil {
		m.meters.lag(at, list)
		a.publish(deliveredOf(id, at, life, list)...)
	}
}

func (m *Manager) missing(id persistence.AccountID, at time.Time, life uint64, h account.Hole) {
	if a := m.here(id); a != nil {
		m.meters.updateHoles.count(1, values{})
		a.publish(holeOf(id, at, life, h))
	}
}

// put makes an account one of the manager's. The lock is held.
func (m *Manager) put(a *Account) {
	m.accounts[a.id] = a
	m.arrived++
}

// arrivals counts the accounts that have come since Open.
func (m *Manager) arrivals() uint64 {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return m.arrived
}

// here is the account of an id, nil when it was removed.
func (m *Manager) here(id persistence.AccountID) *Account {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return m.accounts[id]
}

// stateOf makes an event of a status, which is the event's from now on.
func stateOf(a *Account, at time.Time, s *Status) *told {
	return &told{Event: Event{Account: string(a.id), At: at, Kind: EventState, Status: s}}
}

// publish numbers events of one account and hands them to who listens.
func (a *Account) publish(events ...*told) {
	a.publishing.Lock()
	defer a.publishing.Unlock()
	var last *Status
	entered := false // somebody was signed in
	for _, ev := range events {
		if a.lost.Err() != nil && ev.Status != nil && ev.Status.State != Quarantined {
			return // the last word was said of it
		}
		a.seq++
		ev.Seq = a.seq
		if s := ev.Status; s != nil {
			s.Why = Plain(s.Why) // it quotes errors of every room below
			s.Labels = a.Labels()
			was := a.status.Load()
			entered = entered || was.State == SigningIn && s.State != SigningIn && s.SignedIn
			a.noteStatus(ev.At, was, s)
			a.status.Store(s)
			if was.State != s.State {
				a.m.meters.stateChanges.count(1, values{s.State.String(), string(reasonOf(was.State, s.State))})
			}
			last = s
		}
	}
	a.m.hub.publish(a, events...)
	a.m.weigh()
	if last != nil && a.m.logs {
		a.m.fleet.Send(statusTold{a, last})
	}
	if entered && a.m.others.Load() != nil {
		a.m.fleet.Send(signedIn{a, last.UserID})
	}
}

// PhoneBusyError refuses a sign-in because another account has a code pending
// for the same phone number.
type PhoneBusyError struct{ Holder persistence.AccountID }

func (e *PhoneBusyError) Error() string {
	return "a code for this phone number is already pending for account " + string(e.Holder) +
		": finish or cancel that sign-in first"
}

// holdPhone reserves a phone number for a sign-in, in place of another.
func (m *Manager) holdPhone(id persistence.AccountID, had, wants string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if holder, taken := m.phones[wants]; taken && holder != id {
		return &PhoneBusyError{Holder: holder}
	}
	if m.phones[had] == id {
		delete(m.phones, had)
	}
	if wants != "" {
		m.phones[wants] = id
	}
	return nil
}

// closed reports whether Close has begun.
func (m *Manager) closed() bool {
	select {
	case <-m.done:
		return true
	default:
		return false
	}
}

// ended reports whether what waits may give up: Close has begun, or the process of a
// simulation is gone.
func (m *Manager) ended() bool { return m.closed() || m.sys.Crashed() }

// AccountOptions is how an account is kept.
type AccountOptions struct {
	// NoPFS makes calls travel under the perm key itself. PFS is the default.
	NoPFS bool
	// Labels are the operator's own words for it.
	Labels persistence.Labels
	// Proxy is how it connects, as SetProxy takes it; empty: as Options.Proxy says.
	Proxy string
}

// Add makes an account in the store; sign it in next. The id is a name the
// operator chooses: 1 to 64 characters of [a-z0-9._-], never a phone number.
// It blocks until the account is on disk.
func (m *Manager) Add(ctx context.Context, id string, o AccountOptions) (*Account, error) {
	proxy, err := m.opts.proxy(o.Proxy)
	if err != nil {
		return nil, err
	}
	a, err := m.add(id, o.Labels, func() ([]persistence.Record, error) {
		rec := persistence.Account{ID: persistence.AccountID(id), Created: m.sys.Clock().Now(), PFS: !o.NoPFS, Labels: o.Labels, Proxy: proxy}
		return []persistence.Record{rec.Record()}, nil
	})
	if err != nil {
		return nil, err
	}
	_, err = runtime.Ask(ctx, m.fleet, func(r runtime.Reply[struct{}]) fleetMsg { return startAccount{a: a, reply: r} })
	if m.node != nil && a.leaves() != nil {
		err = nil // it is on disk, and another node starts it
	}
	return a, err
}

// add puts a new account on disk, with the records that it begins with.
func (m *Manager) add(id string, labels persistence.Labels, records func() ([]persistence.Record, error)) (*Account, error) {
	if err := persistence.CheckAccountID(persistence.AccountID(id)); err != nil {
		return nil, err
	}
	if only := m.opts.Only; only != "" && id != only { // it may be in the store
		return nil, fmt.Errorf("this manager keeps account %q alone", only)
	}
	a := m.newAccount(persistence.AccountID(id), labels)
	if err := cmp.Or(a.leaves(), m.storeWorks()); err != nil {
		return nil, err
	}
	m.mu.Lock()
	_, exists := m.accounts[a.id]
	if !exists {
		m.put(a)
	}
	m.mu.Unlock()
	if exists {
		return nil, &ExistsError{id}
	}
	put, err := records()
	if err != nil {
		m.forget(a)
		return nil, err
	}
	// In a cluster the account may be there without being kept here.
	err = m.opts.Store.Commit(persistence.Commit{Owner: m.env.Owner, Put: put, Absent: []persistence.Key{put[0].Key}})
	if err != nil {
		m.forget(a)
		if errors.As(err, new(*persistence.PresentError)) {
			return nil, &ExistsError{id}
		}
		m.storeFailed(a.id, err)
		return nil, fmt.Errorf("adding account %q: %w", id, err)
	}
	m.redecide(a)
	return a, nil
}

// removed forgets an account whose records are gone, whoever still waits for
// that.
func (m *Manager) restored(id persistence.AccountID) {
	if a, err := m.Account(string(id)); err == nil {
		m.fleet.Send(accountRestored{a})
	}
}

func (m *Manager) removed(id persistence.AccountID) {
	if a, err := m.Account(string(id)); err == nil {
		m.forget(a)
	}
}

func (m *Manager) forget(a *Account) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.accounts[a.id] == a {
		delete(m.accounts, a.id)
		close(a.parted)
		m.users.hold(a.id, 0, false)
		m.hub.forget(a)
		if m.logs {
			m.fleet.Send(accountForgotten{a.id})
		}
	}
}

// Account returns an account by its id, or a *NoAccountError.
func (m *Manager) Account(id string) (*Account, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	a := m.accounts[persistence.AccountID(id)]
	if a == nil {
		return nil, &NoAccountError{id}
	}
	return a, nil
}

// Accounts returns every account, sorted by id.
func (m *Manager) Accounts() []*Account {
	m.mu.RLock()
	all := make([]*Account, 0, len(m.accounts))
	for _, a := range m.accounts {
		all = append(all, a)
	}
	m.mu.RUnlock()
	slices.SortFunc(all, func(a, b *Account) int { return strings.Compare(string(a.id), string(b.id)) })
	return all
}

// Events returns the events of every account, or those that options select, from
// now on or, with Replay or After, from what the journal keeps; until ctx ends or
// the manager is closed. A reader that is 16,384 events or 32 MiB behind loses the
// oldest ones, and is told how many by an event of kind EventMissed: a Consumer
// loses none. Range over it once.
func (m *Manager) Events(ctx context.Context, opts ...StreamOption) iter.Seq[Event] {
	return m.hub.subscribe(ctx, "", m.done, opts)
}

// Governor returns what is known of each DC by each route to it: up or down, what
// waits for it.
func (m *Manager) Governor(ctx context.Context) ([]governor.DCStatus, error) {
	list, err := runtime.Ask(ctx, m.env.Governor, func(r runtime.Reply[[]governor.DCStatus]) governor.Message {
		return governor.Census{Reply: r}
	})
	for i := range list {
		list[i].Via = m.env.RouteName(list[i].Route)
	}
	return list, err
}

// SetLimits paces connects, key creations and sign-ins by other limits from now on,
// as Options.Limits says of them. It does not block.
func (m *Manager) SetLimits(l governor.Limits) { m.env.Governor.Send(governor.Adjust{Limits: l}) }

// Outages returns the DCs that more than five accounts are without, now. Of a DC that
// answers nobody those count who are online there: that is known within two
// seconds, and their own states follow within five more.
func (m *Manager) Outages() []Outage {
	all := m.Accounts()
	standings := make([]digest.Account, len(all))
	for i, a := range all {
		s := a.Status()
		standings[i] = digested(&s)
	}
	m.silences.apply(m.sys.Clock().Now(), standings)
	found := digest.Outages(standings)
	out := make([]Outage, len(found))
	for i, o := range found {
		out[i] = Outage(o)
	}
	return out
}

// Close stops every account, answers every call that is owed an answer, writes
// what is worth keeping, and returns when every goroutine is gone, or with
// ctx's error when that ends first; call it again to go on waiting. The store
// stays open.
func (m *Manager) Close(ctx context.Context) error {
	m.closing.Do(func() {
		close(m.done)
		if m.node != nil {
			m.node.end()
		}
	})
	m.heard(ctx)
	if err := m.sys.Close(ctx); err != nil {
		return err
	}
	for _, a := range m.Accounts() {
		a.gone() // the fleet may have ended before it heard of it
	}
	m.sayUnwritten()
	m.meters.stop()
	if err := m.net.Wait(ctx); err != nil || m.node == nil {
		return err
	}
	return m.node.leave(ctx) // nothing of it has a socket any more
}

// heardMost bounds how long Close waits for accounts to hear what was acknowledged:
// that is for handlers that do not return, anybody else takes microseconds.
const heardMost = time.Second

// heard has the accounts hear what their consumers have acknowledged, so that it
// is written with their end and not delivered again.
func (m *Manager) heard(ctx context.Context) {
	if m.hub.countConsumers() == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, heardMost)
	defer cancel()
	for _, a := range m.Accounts() {
		m.hear(ctx, a)
	}
}

// Crash ends a manager under Options.Sim as SIGKILL ends its process: nothing
// is answered, written or closed. Who crashes it cuts off what it was doing to
// store and network at that moment.
func (m *Manager) Crash() {
	m.sys.Crash()
	m.meters.stop()
}

// Freeze stops a manager under Options.Sim as SIGSTOP stops its process, until Thaw.
func (m *Manager) Freeze() { m.sys.Freeze() }

// Thaw lets a manager go on that was frozen.
func (m *Manager) Thaw() { m.sys.Thaw() }

// closeGrace bounds how long Close is waited for by the examples and the
// command: stopping takes milliseconds, a wedged actor for ever.
const closeGrace = 10 * time.Second

// CloseGrace is a sensible limit for Close.
func CloseGrace() (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.Background(), closeGrace)
}

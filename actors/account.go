package actors

import (
	"context"
	"errors"
	"iter"
	"sync"
	"sync/atomic"

	"github.com/mtfleet/mtfleet/actors/account"
	"github.com/mtfleet/mtfleet/actors/runtime"
	"github.com/mtfleet/mtfleet/actors/timeline"
	"github.com/mtfleet/mtfleet/persistence"
)

// Account is the handle on one account. It stays valid for as long as the
// account exists, whatever becomes of its actor. Methods are safe for
// concurrent use.
type Account struct {
	m         *Manager
	id        persistence.AccountID
	ref       atomic.Pointer[runtime.Ref[account.Message]] // the zero Ref while no actor runs
	status    atomic.Pointer[Status]
	labels    atomic.Pointer[persistence.Labels]
	admission *admission
	underWay  underWay
	line      *timeline.Recorder
	meeting   atomic.Int64 // peers that results named, on their way to the actor

	parted     chan struct{}   // closed when it is none of the manager's any more
	lost       context.Context // ends when the actor is given up for good: it may never answer
	giveUp     context.CancelFunc
	publishing sync.Mutex // guards seq, and keeps events in its order
	seq        uint64

	waits   atomic.Pointer[[]account.Wait] // as metrics tell them; nil: there were none
	causing sync.Mutex                     // guards causes
	causes  causes

	durable atomic.Bool  // a consumer acknowledges its updates
	parting atomic.Bool  // another node is about to have it: no call begins any more
	asked   atomic.Int64 // of its actor, and not answered yet, what changes something
	life    uint64       // of the engine whose deliveries came last; guarded by the hub
}

func (m *Manager) newAccount(id persistence.AccountID, labels persistence.Labels) *Account {
	a := &Account{m: m, id: id, admission: newAdmission(m.opts.MaxCallsPerAccount), line: timeline.New(id), parted: make(chan struct{})}
	a.lost, a.giveUp = context.WithCancel(context.Background())
	a.ref.Store(&runtime.Ref[account.Message]{})
	a.status.Store(&Status{Labels: labels})
	a.labels.Store(&labels)
	return a
}

// ID returns the account's name.
func (a *Account) ID() string { return string(a.id) }

// Status returns what is known of the account now. It does not block.
func (a *Account) Status() Status { return *a.status.Load() }

// Parted is closed when the account is none of this manager's any more: it was removed,
// or is another node's.
func (a *Account) Parted() <-chan struct{} { return a.parted }

// Events returns the account's events from now on, or as options say; see
// Manager.Events. When it is none of this manager's any more no more come: see Parted.
func (a *Account) Events(ctx context.Context, opts ...StreamOption) iter.Seq[Event] {
	return a.m.hub.subscribe(ctx, string(a.id), a.m.done, opts)
}

// current returns the account's actor, the zero Ref while none runs.
func (a *Account) current() runtime.Ref[account.Message] { return *a.ref.Load() }

// gone notes that the account has no actor, which may have failed at calls.
func (a *Account) gone() {
	a.ref.Store(&runtime.Ref[account.Message]{})
	a.waits.Store(nil)
	a.underWay.abandon()
}

// LogOut ends the authorization at the server and forgets the keys. It waits
// until both are done; the account itself stays in the store.
func (a *Account) LogOut(ctx context.Context) error {
	return a.wish(ctx, account.Wish{Kind: account.LogOut})
}

// Pause closes the account's connections and keeps its keys.
func (a *Account) Pause(ctx context.Context) error {
	return a.wish(ctx, account.Wish{Kind: account.Pause})
}

// Resume ends a pause, and gives a quarantined account another try.
func (a *Account) Resume(ctx context.Context) error {
	if a.current().IsZero() && a.leaves() == nil {
		// Quarantined after too many panics: there is no actor to ask.
		_, err := runtime.Ask(ctx, a.m.fleet, func(r runtime.Reply[struct{}]) fleetMsg { return startAccount{a: a, resumes: true, reply: r} })
		return err
	}
	return a.wish(ctx, account.Wish{Kind: account.Resume})
}

// Remove deletes every record of the account, keys included. An account that
// may be signed in is refused unless force is set; the server then keeps an
// authorization that nobody can end from here. A sign-in under way is cancelled
// first. When ctx ends first the removal goes on.
func (a *Account) Remove(ctx context.Context, force bool) error {
	return a.wish(ctx, account.Wish{Kind: account.Remove, Force: force})
}

// ClearWaits forgets the waits that the server ordered for a method, or all of
// the account's when method is empty. It is for an owner who knows better, a
// wait of many years for example: who asks too early is made to wait longer.
func (a *Account) ClearWaits(ctx context.Context, method string) error {
	return a.wish(ctx, account.Wish{Kind: account.ClearWaits, Method: method})
}

// Rotate replaces the account's temp keys before their time, at home and on the
// guest DCs that are open, and waits until calls go under the new ones. Calls and
// updates go on meanwhile. A rotation under way is joined. Otherwise the error says
// why there is none: a *StateError of an account that is not in service (paused,
// for example), a *WaitError while the server lets no key be bound, or a
// *RotateError, of an account without PFS for example. What fails on the way is
// tried again, under the old key; when ctx ends first the rotation goes on.
//
// Keys are made as the governor permits: many accounts may be asked at once.
func (a *Account) Rotate(ctx context.Context) error {
	defer a.link(ctx, &a.causes.rotation)()
	return a.wish(ctx, account.Wish{Kind: account.Rotate})
}

// RestoreKey takes the perm key of a revoked login back, which is kept sealed for
// seven days, and connects with it: for an owner who knows that the proofs were
// wrong, of a DC that ran with old data for example. If the server still refuses
// it, the account is revoked again. It is refused where a newer key is in its
// place, or another account is that user by now.
func (a *Account) RestoreKey(ctx context.Context) error {
	return a.wish(ctx, account.Wish{Kind: account.RestoreKey})
}

// stateError says why an account without an actor takes nothing.
func (a *Account) stateError() *StateError {
	st := a.Status()
	return &StateError{State: st.State, Why: st.Why}
}

func (a *Account) wish(ctx context.Context, w account.Wish) error {
	_, err := ask(ctx, a, func(r runtime.Reply[struct{}]) account.Message {
		w.Reply = r
		return w
	})
	return err
}

// ask asks the account's actor for what changes something. Who hands the account over
// waits for its answer, for a while.
func ask[R any](ctx context.Context, a *Account, msg func(runtime.Reply[R]) account.Message) (R, error) {
	a.asked.Add(1) // before it is looked whether the account parts: who waits for the last one sees it
	defer a.asked.Add(-1)
	got, cut, err := question(ctx, a, msg)
	if cut {
		err = a.mayBeDone()
	}
	return got, err
}

// look is ask for what changes nothing, and may last.
func look[R any](ctx context.Context, a *Account, msg func(runtime.Reply[R]) account.Message) (R, error) {
	got, _, err := question(ctx, a, msg)
	return got, err
}

// question puts one to the account's actor. cut says that it ended in a cluster, as it
// does when the account is handed over, and what it did with the question is not known.
func question[R any](ctx context.Context, a *Account, msg func(runtime.Reply[R]) account.Message) (got R, cut bool, err error) {
	ref := a.current()
	if err := a.leaves(); err != nil {
		return got, false, err
	}
	if ref.IsZero() || a.lost.Err() != nil {
		return got, false, a.failed(a.stateError())
	}
	got, err = runtime.AskUntil(ctx, ref, a.lost.Done(), msg)
	switch {
	case err == nil:
		return got, false, nil
	case ctx.Err() == nil && a.lost.Err() != nil:
		err = errors.Join(ErrStopped, a.stateError())
	case a.m.node != nil && (errors.Is(err, runtime.ErrStopped) || errors.Is(err, account.ErrStopped)):
		return got, !errors.Is(err, account.ErrUnheard), a.elsewhere()
	case a.m.closed() && errors.Is(err, runtime.ErrStopped):
		err = ErrClosed
	}
	return got, false, a.failed(err)
}

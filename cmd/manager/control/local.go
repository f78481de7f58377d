package control

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/mtfleet/mtfleet/actors"
	"github.com/mtfleet/mtfleet/actors/governor"
	"github.com/mtfleet/mtfleet/actors/webhook"
	mtfleetv1 "github.com/mtfleet/mtfleet/cmd/manager/api/mtfleet/v1"
	"github.com/mtfleet/mtfleet/mtproto/dctest/echo"
	"github.com/mtfleet/mtfleet/persistence"
)

// Local is a Service over a manager of this process.
type Local struct {
	// Manager is the manager. Close does not close it.
	Manager *actors.Manager
	// Hooks are the webhooks that are sent to.
	Hooks []*webhook.Hook
	// About is what Info answers.
	About About
	// MaxAccounts bounds what Add and Import make: the accounts of the store, in a cluster those of all nodes; 0 is no bound.
	MaxAccounts int
	// Budget is what the manager was opened with, for Governor.
	Budget governor.Budget
	// Cluster is the manager's store where that is one of several nodes; nil for one that keeps its store alone.
	Cluster persistence.Cluster
	// Dashboard makes a link to the dashboard; nil where none is served.
	Dashboard func() string

	adjusted atomic.Pointer[allowance] // nil before Adjust

	counting  sync.Mutex // guards what follows
	counted   int        // accounts of the cluster, with those that were to be made here since
	countedAt time.Time
}

// allowance is what an operator may change while a manager runs.
type allowance struct {
	maxAccounts int
	budget      governor.Budget
}

// Adjust has another bound for Add and tells another budget from now on. It is safe
// for concurrent use.
func (l *Local) Adjust(maxAccounts int, b governor.Budget) {
	l.adjusted.Store(&allowance{maxAccounts, b})
}

func (l *Local) allowed() allowance {
	if a := l.adjusted.Load(); a != nil {
		return *a
	}
	return allowance{l.MaxAccounts, l.Budget}
}

var _ Service = (*Local)(nil)

// Info carries out [Info].
func (l *Local) Info(context.Context, Empty) (About, error) { return l.About, nil }

// Close is of a [Service].
func (l *Local) Close() error { return nil }

// account finds an account and waits until it was read from the store.
func (l *Local) account(ctx context.Context, id string) (*actors.Account, error) {
	a, err := l.Manager.Account(id)
	if err != nil {
		return nil, Wrap(err)
	}
	_, err = l.until(ctx, a, standsSomewhere)
	return a, err
}

// standsSomewhere reports whether an account was read from the store.
func standsSomewhere(s actors.Status) bool { return !s.Since.IsZero() }

// until waits for a status.
func (l *Local) until(ctx context.Context, a *actors.Account, ok func(actors.Status) bool) (actors.Status, error) {
	if s := a.Status(); ok(s) {
		return s, nil
	}
	watch, stop := context.WithCancel(ctx)
	defer stop()
	events := a.Events(watch)
	if s := a.Status(); ok(s) { // it came before the stream was open
		return s, nil
	}
	go func() {
		select {
		case <-a.Parted():
			stop()
		case <-watch.Done():
		}
	}()
	for range events {
		if s := a.Status(); ok(s) {
			return s, nil
		}
	}
	if err := ctx.Err(); err != nil {
		return a.Status(), l.late(a, err)
	}
	_, gone := l.Manager.Account(a.ID())
	switch {
	case l.Cluster != nil: // it was handed over, or removed, which who keeps it says
		return a.Status(), Wrap(&actors.ElsewhereError{ID: a.ID()})
	case gone != nil:
		return a.Status(), Wrap(gone)
	}
	return a.Status(), Wrap(actors.ErrClosed)
}

// late says what an operation waited for when its time was over.
func (l *Local) late(a *actors.Account, err error) error {
	if !errors.Is(err, context.DeadlineExceeded) {
		return Wrap(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	var down []string
	if census, err := l.Manager.Governor(ctx); err == nil {
		for _, dc := range census {
			if dc.Via != a.Status().Proxy {
				continue
			}
			switch {
			case dc.Flood:
				down = append(down, DCName(dc)+" wants fewer connections")
			case !dc.Up:
				down = append(down, DCName(dc)+" cannot be reached")
			}
		}
	}
	s := a.Status()
	switch {
	case len(down) > 0:
		return &Error{Kind: KindUnreachable, Err: err, Message: fmt.Sprintf("account %s: %s: check the network and the addresses of the DCs, then try again (nothing is lost)",
			a.ID(), strings.Join(down, ", "))}
	case s.State == actors.Waiting || !s.Until.IsZero():
		return &Error{Kind: KindWait, Err: err, Until: s.Until, Message: fmt.Sprintf("account %s: the server wants us to wait: try again later", a.ID())}
	}
	return &Error{Kind: KindUnreachable, Err: err, Message: fmt.Sprintf("account %s: no answer in time (it is %s): check the network and the DCs, then try again (nothing is lost)",
		a.ID(), s.State)}
}

// DCName names a DC, and the proxy through which it is reached.
func DCName(s governor.DCStatus) string { return wayName(max(s.DC, -s.DC), s.DC < 0, s.Via) }

func wayName(dc int, media bool, via string) string {
	name := fmt.Sprintf("DC %d", dc)
	if media {
		name += " for media"
	}
	if via != "" {
		name += " through " + via
	}
	return name
}

// fail turns an error of an operation on an account into an *Error.
func (l *Local) fail(ctx context.Context, a *actors.Account, err error) error {
	if err != nil && errors.Is(ctx.Err(), context.DeadlineExceeded) && errors.Is(err, context.DeadlineExceeded) {
		return l.late(a, err)
	}
	return Wrap(err)
}

// keeps reports whether the manager has an account.
func (l *Local) keeps(id string) bool {
	_, err := l.Manager.Account(id)
	return err == nil
}

func show(a *actors.Account) Account {
	s := a.Status()
	s.Why = actors.Plain(s.Why)
	if s.Since.IsZero() { // or it would be listed as one that nobody has signed in
		s.State, s.Why = actors.Connecting, "it is being read from the store"
	}
	return Account{ID: a.ID(), State: s.State.String(), Status: s}
}

// seenBy is an account as whoever asks may see it: who scans the code of a QR sign-in decides which user the account is, and
// that is not for who may only look.
func seenBy(ctx context.Context, acc Account) Account {
	if s := acc.Step; s != nil && s.Kind == actors.StepQR && callerOf(ctx).Role == mtfleetv1.Role_ROLE_READ {
		seen := *s
		seen.URL = ""
		acc.Step = &seen
	}
	return acc
}

// tooMany refuses an account beyond the limit.
func tooMany(n int) error {
	return &Error{Kind: KindState, Message: fmt.Sprintf("there are %d accounts, as many as limits.accounts allows: remove one, or raise the limit", n)}
}

// full refuses one account more where there are as many as are allowed.
func (l *Local) full() error {
	most := l.allowed().maxAccounts
	if most == 0 {
		return nil
	}
	n, err := l.count(most)
	if err != nil {
		return Wrap(err)
	}
	if n >= most {
		return tooMany(n)
	}
	return nil
}

// countFresh is how long a count of the fleet's accounts is good, for it looks at all of them: nodes that add at once may go
// past the limit by what the others add in that time.
const countFresh = time.Second

// count is how many accounts there are: in a cluster on all nodes. It is exact where it reaches most.
func (l *Local) count(most int) (int, error) {
	if l.Cluster == nil {
		return len(l.Manager.Accounts()), nil
	}
	l.counting.Lock()
	defer l.counting.Unlock()
	if time.Since(l.countedAt) < countFresh && l.counted < most {
		l.counted++ // the one that is about to be made
		return l.counted - 1, nil
	}
	ids, err := l.Cluster.Accounts()
	if err != nil {
		return 0, err
	}
	l.counted, l.countedAt = len(ids)+1, time.Now()
	return len(ids), nil
}

// Add carries out [Add].
func (l *Local) Add(ctx context.Context, r AddRequest) (Account, error) {
	if err := l.full(); err != nil {
		return Account{}, err
	}
	a, err := l.Manager.Add(ctx, r.ID, actors.AccountOptions{NoPFS: r.NoPFS, Labels: r.Labels, Proxy: r.Proxy})
	if err != nil {
		return Account{}, Wrap(err)
	}
	if _, err = l.until(ctx, a, standsSomewhere); err != nil && KindOf(err) != KindMoved { // there it is, wherever it went since
		return Account{}, err
	}
	return show(a), nil
}

// List carries out [List].
func (l *Local) List(ctx context.Context, r ListRequest) (AccountList, error) {
	all := l.Manager.Accounts()
	list := AccountList{Accounts: make([]Account, 0, len(all)), Outages: l.Manager.Outages()}
	for _, a := range all {
		if acc := show(a); r.Selects(&acc) {
			list.Accounts = append(list.Accounts, seenBy(ctx, acc))
		}
	}
	return list, nil
}

// Show carries out [Show].
func (l *Local) Show(ctx context.Context, r AccountRequest) (Account, error) {
	a, err := l.account(ctx, r.ID)
	if err != nil {
		return Account{}, err
	}
	return seenBy(ctx, show(a)), nil
}

// SignIn carries out [SignIn].
func (l *Local) SignIn(ctx context.Context, r SignInRequest) (Progress, error) {
	credentials, err := r.credentials()
	if err != nil {
		return Progress{}, err
	}
	a, err := l.account(ctx, r.ID)
	if err != nil {
		return Progress{}, err
	}
	step, err := a.SignIn(ctx, credentials)
	return l.progress(ctx, a, step, err)
}

// Answer carries out [Answer].
func (l *Local) Answer(ctx context.Context, r AnswerRequest) (Progress, error) {
	a, err := l.account(ctx, r.ID)
	if err != nil {
		return Progress{}, err
	}
	step, err := a.Answer(ctx, r.Answer)
	return l.progress(ctx, a, step, err)
}

func (l *Local) progress(ctx context.Context, a *actors.Account, step *actors.Step, err error) (Progress, error) {
	if err != nil {
		return Progress{}, l.fail(ctx, a, err)
	}
	return Progress{Step: step, Account: show(a)}, nil
}

// Step carries out [Step].
func (l *Local) Step(ctx context.Context, r StepRequest) (Progress, error) {
	a, err := l.account(ctx, r.ID)
	if err != nil {
		return Progress{}, err
	}
	if a.Status().State == actors.SigningIn {
		// Whoever waits for the end hears its reason; a status has its words alone.
		step, err := a.NextStep(ctx, &actors.Step{ID: r.After})
		var ended *actors.SignInError
		if err == nil || errors.As(err, &ended) || KindOf(Wrap(err)) == KindMoved || ctx.Err() != nil {
			return l.progress(ctx, a, step, err)
		}
	}
	s, err := l.until(ctx, a, func(s actors.Status) bool {
		return s.State != actors.SigningIn || s.Step != nil && s.Step.ID != r.After
	})
	switch {
	case err != nil:
		return Progress{}, err
	case s.Step != nil, s.SignedIn:
		return Progress{Step: s.Step, Account: show(a)}, nil
	case s.State == actors.New && s.Why != "":
		return Progress{}, &Error{Kind: KindRefused, Message: actors.Plain(s.Why)}
	}
	return Progress{}, &Error{Kind: KindState, Message: fmt.Sprintf("account %s: no sign-in is under way: begin one", r.ID)}
}

// change runs an operation on an account and shows it afterwards.
func (l *Local) change(ctx context.Context, id string, f func(a *actors.Account) error) (Account, error) {
	a, err := l.account(ctx, id)
	if err != nil {
		return Account{}, err
	}
	if err := f(a); err != nil {
		return Account{}, l.fail(ctx, a, err)
	}
	return show(a), nil
}

// LogOut carries out [LogOut].
func (l *Local) LogOut(ctx context.Context, r AccountRequest) (Account, error) {
	acc, err := l.change(ctx, r.ID, func(a *actors.Account) error { return a.LogOut(ctx) })
	var e *Error
	if errors.As(err, &e) && e.Kind == KindUnreachable {
		e.Message += "; the logout is stored, and goes on as soon as a manager reaches the DC"
	}
	return acc, err
}

// Remove carries out [Remove].
func (l *Local) Remove(ctx context.Context, r RemoveRequest) (Empty, error) {
	_, err := l.change(ctx, r.ID, func(a *actors.Account) error { return a.Remove(ctx, r.Force) })
	return Empty{}, err
}

// Pause carries out [Pause].
func (l *Local) Pause(ctx context.Context, r AccountRequest) (Account, error) {
	return l.change(ctx, r.ID, func(a *actors.Account) error { return a.Pause(ctx) })
}

// Resume carries out [Resume].
func (l *Local) Resume(ctx context.Context, r AccountRequest) (Account, error) {
	return l.change(ctx, r.ID, func(a *actors.Account) error { return a.Resume(ctx) })
}

// RestoreKey carries out [RestoreKey].
func (l *Local) RestoreKey(ctx context.Context, r AccountRequest) (Account, error) {
	return l.change(ctx, r.ID, func(a *actors.Account) error { return a.RestoreKey(ctx) })
}

// Rotate carries out [Rotate].
func (l *Local) Rotate(ctx context.Context, r AccountRequest) (Account, error) {
	acc, err := l.change(ctx, r.ID, func(a *actors.Account) error { return a.Rotate(ctx) })
	var e *Error
	if errors.As(err, &e) && e.Kind == KindUnreachable {
		e.Message += "; the rotation goes on as soon as the DC answers, and the old key serves meanwhile"
	}
	return acc, err
}

// ClearWait carries out [ClearWait].
func (l *Local) ClearWait(ctx context.Context, r ClearWaitRequest) (Account, error) {
	return l.change(ctx, r.ID, func(a *actors.Account) error { return a.ClearWaits(ctx, r.Method) })
}

// Label carries out [Label].
func (l *Local) Label(ctx context.Context, r LabelRequest) (Account, error) {
	return l.change(ctx, r.ID, func(a *actors.Account) error {
		_, err := a.Label(ctx, r.Put, r.Remove...)
		return err
	})
}

// Proxy carries out [Proxy].
func (l *Local) Proxy(ctx context.Context, r ProxyRequest) (Account, error) {
	return l.change(ctx, r.ID, func(a *actors.Account) error { return a.SetProxy(ctx, r.Proxy) })
}

// Echo carries out [Echo].
func (l *Local) Echo(ctx context.Context, r EchoRequest) (EchoResult, error) {
	opts, once, err := callOptions(r.Policy, r.DC, false)
	if err != nil {
		return EchoResult{}, WrapCall(err)
	}
	if r.Media {
		opts = append(opts, actors.Media())
	}
	got, err := called(ctx, l, r.ID, once, func(a *actors.Account) (*echo.Echoed, error) {
		return actors.Invoke(ctx, a, &echo.EchoRequest{ID: r.EchoID, DelayMs: r.DelayMs, Payload: r.Payload}, opts...)
	})
	if err != nil {
		return EchoResult{}, err
	}
	return EchoResult{EchoID: got.ID, UserID: got.UserID, DC: got.DC, Payload: got.Payload}, nil
}

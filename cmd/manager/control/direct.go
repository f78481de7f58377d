package control

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/mtfleet/mtfleet/actors"
	"github.com/mtfleet/mtfleet/actors/governor"
	"github.com/mtfleet/mtfleet/mtproto/login"
	"github.com/mtfleet/mtfleet/persistence"
)

// Direct is a Service over a store that no manager runs. It reads what can be
// read; for anything else it opens a manager with the one account that is meant,
// so that nothing happens to the others, and keeps it until another account is
// meant or Close. It is safe for concurrent use; for several accounts at once it
// is not made, see Keep.
type Direct struct {
	// Budget is what a manager would have, for Governor. Set it before use.
	Budget governor.Budget

	options     actors.Options
	about       About
	maxAccounts int

	mu      sync.RWMutex    // held for reading while the manager is used
	manager *actors.Manager // nil until needed
	opened  string          // the account it has
	dialing bool            // it may dial
	kept    string          // the only account it may have; empty for any
}

var _ Service = (*Direct)(nil)

// NewDirect makes a Service of a store and the options a manager would have. It
// closes the store when it is closed.
func NewDirect(o actors.Options, about About, maxAccounts int) *Direct {
	about.Running, about.PID, about.Since = false, os.Getpid(), time.Now()
	return &Direct{options: o, about: about, maxAccounts: maxAccounts}
}

// Keep makes it refuse what concerns any other account, but for reading: a
// sign-in is under way that must not be put away for it. command is what Info
// says holds the store.
func (d *Direct) Keep(id, command string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.kept, d.about.Command = id, command
}

// open returns a service over a manager with the one account, to be used until
// done is called. Without dial no connection is made.
func (d *Direct) open(ctx context.Context, id string, dial bool) (l *Local, done func(), err error) {
	for {
		d.mu.RLock()
		if d.fits(id, dial) {
			return &Local{Manager: d.manager, About: d.about}, d.mu.RUnlock, nil
		}
		about, elsewhere := d.about, d.kept != "" && d.kept != id
		d.mu.RUnlock()
		if elsewhere {
			return nil, nil, &Error{Kind: KindInUse, Message: fmt.Sprintf(
				"`%s`, process %d, holds the store for its own account: finish or leave that first (nothing is lost), or sign several accounts in through one `manager run`", about.Command, about.PID)}
		}
		if err := d.change(ctx, id, dial); err != nil {
			return nil, nil, err
		}
	}
}

// fits tells whether the open manager will do.
func (d *Direct) fits(id string, dial bool) bool {
	return d.manager != nil && d.opened == id && (d.dialing || !dial)
}

// change opens another manager in place of the one that is open, when nobody uses
// that any more.
func (d *Direct) change(ctx context.Context, id string, dial bool) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.fits(id, dial) {
		return nil
	}
	if err := d.stop(ctx); err != nil {
		return err
	}
	o := d.options
	o.Only = id
	if !dial {
		o.Wire.Fence = func() error { return errNoDial }
	}
	m, err := actors.Open(o)
	if err != nil {
		return Wrap(err)
	}
	d.manager, d.opened, d.dialing = m, id, dial
	return nil
}

// errNoDial keeps an account that is only being edited off the network.
var errNoDial = errors.New("control: this command does not connect")

func (d *Direct) stop(ctx context.Context) error {
	if d.manager == nil {
		return nil
	}
	m := d.manager
	d.manager = nil
	return Wrap(m.Close(ctx))
}

// Close is of a [Service]: it closes the manager and the store.
func (d *Direct) Close() error {
	ctx, cancel := actors.CloseGrace()
	defer cancel()
	d.mu.Lock()
	defer d.mu.Unlock()
	return errors.Join(d.stop(ctx), Wrap(d.options.Store.Close()))
}

// Info carries out [Info].
func (d *Direct) Info(context.Context, Empty) (About, error) {
	d.mu.RLock()
	defer d.mu.RUnlock()
	return d.about, nil
}

// read makes an account of its records.
func (d *Direct) read(id persistence.AccountID) Account {
	records, err := d.options.Store.Load(id)
	state, decodeErr := persistence.DecodeState(records)
	a := Account{ID: string(id)}
	s := &a.Status
	if rec := state.Account; rec != nil {
		s.Since, s.Why = rec.StateSince, actors.Plain(rec.StateWhy)
		if s.Since.IsZero() {
			s.Since = rec.Created
		}
		s.UserID, s.Bot, s.HomeDC, s.PFS, s.SignedIn, s.Labels = rec.UserID, rec.Bot, rec.HomeDC, rec.PFS, rec.SignedIn, rec.Labels
		s.Origin = actors.OriginOf(state.Meta)
		s.Proxy = actors.ProxyName(rec.Proxy, d.options.Proxy)
		if s.State.UnmarshalText([]byte(rec.State)) != nil {
			s.State = actors.New
			a.State = rec.State // of an earlier version, between two states: logging out
		}
	}
	err = persistence.JoinRecords(err, decodeErr)
	switch {
	case state.Account == nil, err != nil:
		s.State, s.Why = actors.Quarantined, "its record is not in the store"
		if err != nil {
			s.Why = actors.Words(err)
		}
		s.Advice = "restore the store from a backup, or remove the account and add it again"
	case s.State == actors.Exported:
		s.Advice = "use it where its session is now; take it back when that copy is destroyed: `manager session take-back " + string(id) + "`"
	case state.Account.Paused:
		s.State, s.Advice = actors.Paused, "resume it when it should connect again"
	case state.Login != nil:
		s.State, s.Since = actors.SigningIn, state.Login.Updated
		if snap, err := login.DecodeSnapshot(state.Login.State); err == nil {
			s.SignIn = snap.Attempt
		}
		s.Advice = "go on with `manager account login " + string(id) + "`"
		if state.Login.Flow == string(login.FlowImport) {
			s.Why, s.Advice = "a session of another program is taken in", "it goes on when a manager runs: start one with `manager run`, or remove it"
		}
	case a.State != "", s.State == actors.SigningOut:
		s.State, s.Why, s.Advice = actors.Connecting, "it was under way when the manager stopped", "it goes on when a manager runs: start one with `manager run`"
	case s.SignedIn:
		a.State, s.State = StateOffline, actors.Connecting
		s.Why, s.Advice = "no manager runs", "start one with `manager run`"
	}
	if a.State == "" {
		a.State = s.State.String()
	}
	return a
}

// List carries out [List].
func (d *Direct) List(ctx context.Context, r ListRequest) (AccountList, error) {
	ids, err := d.options.Store.Accounts()
	if err != nil {
		return AccountList{}, Wrap(err)
	}
	list := AccountList{Accounts: []Account{}}
	for _, id := range ids {
		acc, err := d.show(ctx, id)
		switch {
		case KindOf(err) == KindNoAccount: // removed meanwhile
			continue
		case err != nil:
			return AccountList{}, err
		case r.Selects(&acc):
			list.Accounts = append(list.Accounts, acc)
		}
	}
	return list, nil
}

// has tells whether the store has an account.
func (d *Direct) has(id string) (bool, int, error) {
	ids, err := d.options.Store.Accounts()
	if err != nil {
		return false, 0, Wrap(err)
	}
	return slices.Contains(ids, persistence.AccountID(id)), len(ids), nil
}

// Show carries out [Show].
func (d *Direct) Show(ctx context.Context, r AccountRequest) (Account, error) {
	ok, _, err := d.has(r.ID)
	switch {
	case err != nil:
		return Account{}, err
	case !ok:
		return Account{}, Wrap(&actors.NoAccountError{ID: r.ID})
	}
	return d.show(ctx, persistence.AccountID(r.ID))
}

// show asks the manager about the account that it has connected, and the store
// about any other.
func (d *Direct) show(ctx context.Context, id persistence.AccountID) (Account, error) {
	d.mu.RLock()
	defer d.mu.RUnlock()
	if d.fits(string(id), true) {
		return (&Local{Manager: d.manager}).Show(ctx, AccountRequest{string(id)})
	}
	return d.read(id), nil
}

// Add carries out [Add].
func (d *Direct) Add(ctx context.Context, r AddRequest) (Account, error) {
	_, n, err := d.has(r.ID)
	if err != nil {
		return Account{}, err
	}
	if d.maxAccounts > 0 && n >= d.maxAccounts {
		return Account{}, tooMany(n)
	}
	l, done, err := d.open(ctx, r.ID, false)
	if err != nil {
		return Account{}, err
	}
	defer done()
	return l.Add(ctx, r)
}

package actors

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/mtfleet/mtfleet/actors/account"
	"github.com/mtfleet/mtfleet/actors/placement"
	"github.com/mtfleet/mtfleet/actors/runtime"
	"github.com/mtfleet/mtfleet/persistence"
)

// This file takes accounts into service and out of it, in a cluster: which, node.go
// decides.

// ElsewhereError ends what was asked of an account that another node of the cluster
// keeps, or is about to. Nothing was sent, and nothing done.
type ElsewhereError struct{ ID string }

func (e *ElsewhereError) Error() string {
	return fmt.Sprintf("account %q moves to another node: ask again", e.ID)
}

// NotSent reports that the server did not execute the call.
func (e *ElsewhereError) NotSent() bool { return true }

// leaves says why nothing begins any more for the account, nil where it does: it is
// handed to another node, or the manager closes. Nothing was done.
func (a *Account) leaves() error {
	closed := a.m.closed()
	switch {
	case a.m.node == nil && closed:
		return ErrClosed
	case a.m.node == nil || a.lost.Err() != nil || !closed && !a.parting.Load():
		return nil
	case closed:
		return &localError{a.elsewhere().Error(), []error{a.elsewhere(), ErrClosed}}
	}
	return a.elsewhere()
}

func (a *Account) elsewhere() error { return &ElsewhereError{string(a.id)} }

// moved is how a call ended that was not sent for no other reason than that its account
// is handed over.
func (a *Account) moved(err error) error {
	if a.m.node != nil && errors.Is(err, ErrNotSent) && (errors.Is(err, account.ErrStopped) || a.leaves() != nil) {
		return a.elsewhere()
	}
	return err
}

// unknown says that the account is none of this manager's any more.
func (a *Account) unknown() error {
	if a.m.node != nil {
		return a.elsewhere() // or it was removed, which who keeps it says
	}
	return &NoAccountError{string(a.id)}
}

// mayBeDone ends what the account's actor was asked for when it left this node before
// it answered.
func (a *Account) mayBeDone() error {
	return &localError{fmt.Sprintf("account %q left this node before it answered, and what was asked may be done or not: look before it is repeated", a.id), []error{ErrMayHaveRun}}
}

type (
	// hostAccounts starts accounts that this node owns since now.
	hostAccounts struct{ all []*Account }
	// partAccount stops an account for good; it is answered when nothing of it
	// runs any more.
	partAccount struct {
		a     *Account
		reply runtime.Reply[struct{}]
	}
	// silence stops every account, until speakAgain.
	silence struct{ why string }
	// speakAgain starts the accounts that are this node's still, and forgets the
	// others.
	speakAgain struct {
		owned map[persistence.AccountID]bool
	}
	// accountTaken says that another node has an account that runs here.
	accountTaken struct{ a *Account }
)

func (hostAccounts) fleetMsg() {}
func (partAccount) fleetMsg()  {}
func (silence) fleetMsg()      {}
func (speakAgain) fleetMsg()   {}
func (accountTaken) fleetMsg() {}

// host makes accounts of the store this manager's, which it owns since now. It
// blocks while they are read. Those that the store does not tell of just now are
// left out, and it reports that there are some: without their labels they would be
// another's to consumers and filters.
func (m *Manager) host(ids []persistence.AccountID) (whole bool) {
	labels, known, err := m.users.read(m.opts.Store, ids)
	if err != nil {
		m.log.Warn("accounts that this node owns cannot be read from the store: they start when they can be", "accounts", len(ids)-len(known), "err", Words(err))
	}
	var all []*Account
	m.mu.Lock()
	for _, id := range known {
		if m.accounts[id] == nil {
			a := m.newAccount(id, labels[id])
			m.put(a)
			all = append(all, a)
		}
	}
	m.mu.Unlock()
	if len(all) > 0 {
		m.meters.nodeMoves.count(len(all), values{"taken"})
		m.redecide(all...)
		m.fleet.Send(hostAccounts{all})
	}
	return err == nil
}

// part ends an account here: nothing new begins, and what is under way, calls and what
// the account was asked for, may end for as long as drain, or until this node is cut off
// from the DCs, which would answer it. When it returns without an error nothing of it
// runs, nothing is owed to the store, and nobody here knows it any more. With an error
// it may run on, and stays this node's. It blocks.
func (m *Manager) part(ctx context.Context, a *Account, drain time.Duration) error {
	a.parting.Store(true)
	m.waitFor(ctx, drain, func() bool {
		return a.underWay.empty() && a.asked.Load() == 0 || m.node.reaches() == placement.CutOff
	})
	if m.hub.countConsumers() > 0 {
		m.hear(ctx, a)
	}
	_, err := runtime.Ask(ctx, m.fleet, func(r runtime.Reply[struct{}]) fleetMsg { return partAccount{a, r} })
	if err != nil {
		return fmt.Errorf("handing account %q over: %w", a.id, err)
	}
	m.unhost(a)
	for wait := 100 * time.Millisecond; ; wait = min(2*wait, 2*time.Second) {
		err := m.env.Settle(a.id)
		if err == nil || errors.As(err, new(*persistence.StaleOwnerError)) || m.ended() {
			return nil
		}
		m.storeFailed(a.id, err)
		m.waitFor(ctx, wait, func() bool { return false })
	}
}

// unhost forgets an account that is another's.
func (m *Manager) unhost(a *Account) {
	m.forget(a)
	m.mu.Lock()
	for phone, id := range m.phones {
		if id == a.id {
			delete(m.phones, phone)
		}
	}
	m.mu.Unlock()
}

// waitFor waits until ready, for a time at most.
func (m *Manager) waitFor(ctx context.Context, most time.Duration, ready func() bool) {
	until := m.sys.Clock().Now().Add(most)
	over := func() bool {
		return ready() || ctx.Err() != nil || m.ended() || !m.sys.Clock().Now().Before(until)
	}
	if sim := m.opts.Sim; sim != nil {
		sim.AfterFunc(most, func() {}) // so that there is such a moment
		sim.Wait(over)
		return
	}
	const look = 20 * time.Millisecond
	for t := time.NewTicker(look); ; {
		if over() {
			t.Stop()
			return
		}
		<-t.C
	}
}

var errParts = errors.New("the account is given to another node already")

func (f *fleet) onPart(c *runtime.Context[fleetMsg], m partAccount) {
	switch {
	case m.a.lost.Err() != nil:
		m.reply.Send(struct{}{}, m.a.stateError()) // a goroutine of it may live on, with a socket
	case f.parted[m.a] != nil:
		m.reply.Send(struct{}{}, errParts)
	default:
		delete(f.due, m.a)
		delete(f.broken, m.a)
		delete(f.again, m.a)
		f.parted[m.a] = &m.reply
		if m.a.current().IsZero() {
			f.hasParted(m.a, nil)
			return
		}
		m.a.current().Stop()
	}
}

// hasParted answers who waits for the end of an account. It reports whether anybody
// did.
func (f *fleet) hasParted(a *Account, err error) bool {
	reply := f.parted[a]
	if reply == nil {
		return false
	}
	delete(f.parted, a)
	delete(f.kept, a)
	reply.Send(struct{}{}, err)
	return true
}

// onSilence stops every account: their sockets close, and what they have to write
// is kept for when they start again.
func (f *fleet) onSilence(c *runtime.Context[fleetMsg], why string) {
	f.silent = why
	clear(f.again)
	for _, a := range f.m.Accounts() {
		delete(f.due, a)
		if a.current().IsZero() || a.lost.Err() != nil {
			continue
		}
		s := a.Status()
		switch s.State {
		case Online, Waiting, Frozen:
			s.State, s.Since = Connecting, c.Now()
		}
		s.Why, s.Advice, s.Bound = why, "", false
		a.publish(stateOf(a, c.Now(), &s))
		a.current().Stop()
	}
}

func (f *fleet) onSpeakAgain(c *runtime.Context[fleetMsg], owned map[persistence.AccountID]bool) {
	f.silent = ""
	for _, a := range f.m.Accounts() {
		switch {
		case !owned[a.id]:
			f.takeAway(a)
		case a.parting.Load() || f.broken[a]:
		case a.current().IsZero():
			f.start(c, a)
		default:
			f.again[a] = true // its actor has not ended yet
		}
	}
}

// takeAway ends an account that is another node's.
func (f *fleet) takeAway(a *Account) {
	a.parting.Store(true)
	delete(f.due, a)
	delete(f.again, a)
	a.current().Stop()
	f.m.env.Drop(a.id)
	f.m.unhost(a)
}

// heldBack reports whether an account may not be started now.
func (f *fleet) heldBack(a *Account) bool { return f.silent != "" || a.parting.Load() }

// hear has the account hear what its consumers have acknowledged.
func (m *Manager) hear(ctx context.Context, a *Account) {
	_, _ = runtime.Ask(ctx, a.current(), func(r runtime.Reply[struct{}]) account.Message { return account.Heard{Reply: r} })
}

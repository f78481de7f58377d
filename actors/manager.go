package actors

import (
	"cmp"
	"errors"
	"slices"
	"time"

	"github.com/mtfleet/mtfleet/actors/account"
	"github.com/mtfleet/mtfleet/actors/digest"
	"github.com/mtfleet/mtfleet/actors/governor"
	"github.com/mtfleet/mtfleet/actors/runtime"
	"github.com/mtfleet/mtfleet/actors/timeline"
	"github.com/mtfleet/mtfleet/mtproto/login"
	"github.com/mtfleet/mtfleet/persistence"
)

// fleet is the actor that supervises the accounts: one that panicked is started
// again from the store after a delay, one that panics too often is quarantined,
// and the others do not notice. They are not below it, so that a fleet that
// panicked leaves them as they are; its successor goes on with them.
type fleet struct {
	m *Manager
	*roll
}

// roll is what outlives a fleet that failed. Only the one that runs uses it.
type roll struct {
	begun  bool                         // Open has had the accounts started
	kept   map[*Account]*runtime.Keeper // made at an account's first failure
	due    map[*Account]time.Time       // when a failed account starts again
	broken map[*Account]bool            // failed too often; who resumes it starts it

	// In a cluster only.
	silent string                                // why no account runs; empty: they may
	again  map[*Account]bool                     // start when what stops has ended
	parted map[*Account]*runtime.Reply[struct{}] // who waits for its end

	digest *digest.Digest // what is told an operator

	unread map[*Account]struct{}   // accounts that Open still waits for
	opened runtime.Reply[struct{}] // for Open
}

// fleetMsg is what the fleet actor handles.
type fleetMsg interface{ fleetMsg() }

type (
	// startAccount starts the account's actor unless it runs.
	startAccount struct {
		a       *Account
		resumes bool // not for now or later: it is told if it may not be started
		reply   runtime.Reply[struct{}]
	}
	// startImport starts the actor of an account whose session is taken in; the
	// reply is that of account.NextStep.
	startImport struct {
		a     *Account
		reply runtime.Reply[*login.Step]
	}
	// startAll starts the actors of accounts, before any of them is asked
	// anything. It is answered when each was read, or has failed.
	startAll struct {
		all   []*Account
		reply runtime.Reply[struct{}]
	}
	// accountRestored says that an account was read from the store.
	accountRestored struct{ a *Account }
	// accountEnded says that an account's actor is completely gone.
	accountEnded struct {
		a      *Account
		actor  runtime.ActorID
		reason error
	}
	// accountWedged says that a method of an account, or below it, has not returned.
	accountWedged struct {
		a *Account
		w runtime.Wedged
	}
	// statusTold says that a status of an account was published. It comes only
	// where somebody reads the log.
	statusTold struct {
		a      *Account
		status *Status
	}
	// accountForgotten says that an account was removed.
	accountForgotten struct{ id persistence.AccountID }
	// dcWord is what the governor says of a DC.
	dcWord struct{ governor.Word }
	// digestDue is the timer of the digest.
	digestDue struct{}
	// storeLost says that another manager has claimed the store.
	storeLost struct{}
	// respawnDue is the timer of the earliest entry of due.
	respawnDue struct{}
	// rollCall asks whether the fleet answers.
	rollCall struct{ reply runtime.Reply[struct{}] }
	// endCall ends a call that reached no account: who may not wait is answered
	// from an actor, never from within Start.
	endCall struct{ end func() }
)

func (startAccount) fleetMsg()     {}
func (startImport) fleetMsg()      {}
func (startAll) fleetMsg()         {}
func (accountRestored) fleetMsg()  {}
func (accountEnded) fleetMsg()     {}
func (accountWedged) fleetMsg()    {}
func (statusTold) fleetMsg()       {}
func (accountForgotten) fleetMsg() {}
func (dcWord) fleetMsg()           {}
func (digestDue) fleetMsg()        {}
func (storeLost) fleetMsg()        {}
func (respawnDue) fleetMsg()       {}
func (rollCall) fleetMsg()         {}
func (endCall) fleetMsg()          {}

const (
	timerRespawn = iota + 1
	timerDigest
	timerStore
)

// keepFleet returns the actor that keeps a fleet.
func keepFleet(m *Manager) runtime.Actor[fleetMsg] {
	r := &roll{kept: map[*Account]*runtime.Keeper{}, due: map[*Account]time.Time{}, broken: map[*Account]bool{}, again: map[*Account]bool{}, parted: map[*Account]*runtime.Reply[struct{}]{}, digest: digest.New()}
	return runtime.Keep(func() runtime.Actor[fleetMsg] {
		return &fleet{m: m, roll: r}
	})
}

// Started goes on where a fleet that failed ended: accounts that should run and do
// not are started.
func (f *fleet) Started(c *runtime.Context[fleetMsg]) {
	f.watchStore(c)
	if !f.begun {
		return
	}
	if f.m.store.view().state == storeTaken {
		f.onStoreLost(c)
		return
	}
	for _, a := range f.m.Accounts() {
		if _, waits := f.due[a]; !waits && !f.broken[a] {
			f.start(c, a)
		}
	}
	f.arm(c)
	f.tell(c)
}

func (f *fleet) Receive(c *runtime.Context[fleetMsg], m fleetMsg) {
	switch m := m.(type) {
	case startAccount:
		if m.a.lost.Err() != nil {
			m.reply.Send(struct{}{}, m.a.failed(m.a.stateError()))
			return
		}
		delete(f.due, m.a)
		delete(f.broken, m.a)
		if m.resumes && f.heldBack(m.a) {
			m.reply.Send(struct{}{}, cmp.Or(m.a.leaves(), m.a.failed(m.a.stateError())))
			return
		}
		f.start(c, m.a)
		m.reply.Send(struct{}{}, nil)
	case startImport:
		f.start(c, m.a)
		if m.a.current().IsZero() {
			m.reply.Send(nil, cmp.Or(m.a.leaves(), m.a.failed(m.a.stateError())))
			return
		}
		m.a.current().Send(account.NextStep{Reply: m.reply}) // before it can have ended
	case startAll:
		f.startAll(c, m)
	case accountRestored:
		f.read(m.a)
	case statusTold:
		f.digest.Status(c.Now(), string(m.a.id), digested(m.status))
		f.tell(c)
	case accountForgotten:
		f.digest.Forget(c.Now(), string(m.id))
		f.tell(c)
	case dcWord:
		f.onWord(c, m.Word)
	case digestDue:
		f.digest.Advance(c.Now())
		f.tell(c)
	case storeLost:
		f.onStoreLost(c)
	case accountEnded:
		f.onEnded(c, m)
	case accountWedged:
		f.onWedged(c, m.a, m.w)
	case hostAccounts:
		for _, a := range m.all {
			f.start(c, a)
		}
	case partAccount:
		f.onPart(c, m)
	case silence:
		f.onSilence(c, m.why)
	case speakAgain:
		f.onSpeakAgain(c, m.owned)
	case signedIn:
		f.onSignedIn(c, m)
	case secondFound:
		f.onSecondFound(m)
	case accountTaken:
		f.takeAway(m.a)
	case respawnDue:
		f.onRespawnDue(c)
	case storeRefused, storeTried:
		f.watchStore(c)
	case storeDue:
		f.onStoreDue(c)
	case endCall:
		m.end()
	case rollCall:
		m.reply.Send(struct{}{}, nil)
	}
}

func (f *fleet) Stopping(c *runtime.Context[fleetMsg]) {
	f.digest.Flush(c.Now())
	f.write()
}

// Dropped answers for the message at which the fleet failed. Its successor
// starts what was to be started.
func (f *fleet) Dropped(m fleetMsg) {
	switch m := m.(type) {
	case startAccount:
		delete(f.due, m.a)
		delete(f.broken, m.a)
		m.reply.Send(struct{}{}, nil)
	case startImport:
		m.reply.Send(nil, ErrStopped) // it goes on
	case startAll:
		f.begun = true
		m.reply.Send(struct{}{}, nil)
	case accountEnded:
		if f.ended(m.a, m.actor) && m.reason != nil {
			f.due[m.a] = f.m.sys.Clock().Now()
		}
	case partAccount:
		f.hasParted(m.a, ErrStopped)
		m.reply.Send(struct{}{}, ErrStopped)
	case endCall:
		m.end()
	}
}

// Undelivered ends calls that came after the end.
func (f *fleet) Undelivered(m fleetMsg) {
	if m, ok := m.(endCall); ok {
		m.end()
	}
}

func (f *fleet) startAll(c *runtime.Context[fleetMsg], m startAll) {
	f.begun = true
	f.unread, f.opened = make(map[*Account]struct{}, len(m.all)), m.reply
	for _, a := range m.all {
		f.unread[a] = struct{}{}
	}
	for _, a := range m.all {
		f.start(c, a)
	}
	f.read(nil) // for a store without accounts
}

// read notes that Open need not wait for an account any more.
func (f *fleet) read(a *Account) {
	if f.unread == nil {
		return
	}
	if delete(f.unread, a); len(f.unread) == 0 {
		f.unread = nil
		f.opened.Send(struct{}{}, nil)
	}
}

// start spawns the account's actor, which restores itself from the store.
func (f *fleet) start(c *runtime.Context[fleetMsg], a *Account) {
	if !a.current().IsZero() || a.lost.Err() != nil || f.heldBack(a) {
		return
	}
	a.line.Add(timeline.Entry{At: c.Now(), Kind: timeline.Started})
	ref := account.Spawn(f.m.sys, f.m.env, a.id, func(actor runtime.ActorID, reason error) {
		f.m.fleet.Send(accountEnded{a, actor, reason})
	})
	a.ref.Store(&ref)
	if k := f.kept[a]; k != nil {
		k.Started(c.Now())
	}
}

// onEnded hears of an account that is completely gone.
func (f *fleet) onEnded(c *runtime.Context[fleetMsg], m accountEnded) {
	a, reason := m.a, m.reason
	if !f.ended(a, m.actor) {
		return
	}
	defer f.read(a) // when its status says what is wrong
	if f.hasParted(a, nil) {
		return
	}
	if f.again[a] {
		delete(f.again, a)
		f.start(c, a)
		return
	}
	if reason == nil || errors.Is(reason, runtime.ErrClosed) || a.lost.Err() != nil {
		delete(f.kept, a)
		return // stopped on purpose: removed, given up, or the manager closes
	}
	k := f.kept[a]
	if k == nil {
		k = &runtime.Keeper{}
		f.kept[a] = k
	}
	delay, tooOften := k.Failed(c.Now(), c.Rand())
	if tooOften {
		f.broken[a] = true
		f.quarantine(c, a, "failed too often: "+reason.Error(),
			"this is a fault of the program; report it with the log, then resume the account")
		return
	}
	f.failed(c, a, reason)
	f.m.log.Warn("account failed and will be started again", "account", a.id, "in", delay, "err", reason)
	f.due[a] = c.Now().Add(delay)
	f.arm(c)
}

// ended notes that an account has no actor any more. It reports whether that is
// news.
func (f *fleet) ended(a *Account, actor runtime.ActorID) bool {
	if a.current().ID() != actor {
		return false
	}
	a.gone()
	return true
}

func (f *fleet) onRespawnDue(c *runtime.Context[fleetMsg]) {
	now := c.Now()
	var ready []*Account
	for a, at := range f.due {
		if !now.Before(at) {
			ready = append(ready, a)
		}
	}
	slices.SortFunc(ready, func(a, b *Account) int { return cmp.Compare(a.id, b.id) }) // the order of a map would not replay
	for _, a := range ready {
		delete(f.due, a)
		f.start(c, a)
	}
	f.arm(c)
}

// arm sets the one timer to the earliest respawn. There are as many entries as
// accounts that failed within minutes, so looking at all of them is cheap.
func (f *fleet) arm(c *runtime.Context[fleetMsg]) {
	var first time.Time
	for _, at := range f.due {
		if first.IsZero() || at.Before(first) {
			first = at
		}
	}
	c.At(timerRespawn, first, respawnDue{})
}

// onWedged takes an account out of service whose actor, or one of its
// connections, does not return. Its goroutine and its socket may live on, so
// it is not started again in this process.
func (f *fleet) onWedged(c *runtime.Context[fleetMsg], a *Account, w runtime.Wedged) {
	f.m.log.Error("account is wedged", "account", a.id, "actor", w.Actor, "for", w.For, "stack", string(w.Stack))
	f.giveUp(c, a, "wedged: "+w.Actor+" did not return for "+w.For.String(),
		"this is a fault of the program; report it with the log, then restart the process")
}

// giveUp ends an account for the life of this process. Its actor is told to
// stop and may never do so; calls that wait for it are released.
func (f *fleet) giveUp(c *runtime.Context[fleetMsg], a *Account, why, advice string) {
	a.giveUp()
	delete(f.due, a)
	f.hasParted(a, a.stateError())
	f.quarantine(c, a, why, advice)
	a.current().Stop()
	a.underWay.abandon()
	f.read(a)
}

// onStoreLost silences every account: somebody else may be using their keys,
// and the server ends an authorization that it sees in two places.
func (f *fleet) onStoreLost(c *runtime.Context[fleetMsg]) {
	why, advice := "another manager has claimed the store", "find out which, and end one of the two; then restart this process"
	if f.m.node != nil {
		why, advice = noNode, "start its process anew: then it is one again"
	}
	for _, a := range f.m.Accounts() {
		f.giveUp(c, a, why, advice)
	}
}

// failed tells that an account has no actor until it is started again.
func (f *fleet) failed(c *runtime.Context[fleetMsg], a *Account, reason error) {
	s := a.Status()
	switch s.State {
	case Online, Waiting, Frozen, Connecting:
		s.State, s.Since = Connecting, c.Now()
	}
	s.Why, s.Advice, s.Bound = "it failed and will be started again: "+reason.Error(), "", false
	a.publish(stateOf(a, c.Now(), &s))
}

// quarantine publishes the state for an actor that cannot do it any more.
func (f *fleet) quarantine(c *runtime.Context[fleetMsg], a *Account, why, advice string) {
	s := a.Status()
	s.State, s.Since, s.Why, s.Advice = Quarantined, c.Now(), why, advice
	s.Step, s.SignIn, s.Until, s.Bound = nil, "", time.Time{}, false
	a.publish(stateOf(a, c.Now(), &s))
}

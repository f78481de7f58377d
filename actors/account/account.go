package account

import (
	"time"

	"github.com/mtfleet/mtfleet/actors/journal"
	"github.com/mtfleet/mtfleet/actors/peers"
	"github.com/mtfleet/mtfleet/actors/runtime"
	"github.com/mtfleet/mtfleet/mtproto/standing"
	"github.com/mtfleet/mtfleet/mtproto/updates"
	"github.com/mtfleet/mtfleet/persistence"
)

// ctx is the account's view of itself while it runs.
type ctx = runtime.Context[Message]

// account is the actor: one Telegram user or bot. It decides nothing about what
// an answer of the server means: it drives the engines that do, and is the one
// way to its records.
type account struct {
	env     *Env
	id      persistence.AccountID
	self    runtime.Ref[Message]
	disk    *journal.Disk
	journal journal.Journal[waiter]

	loaded    bool      // the records were read
	restored  bool      // and the manager knows
	early     []Message // what came before that, bounded by the callers' admission
	reloading bool      // they are to be read again once standing has said all

	rec    persistence.Account // what standing does not know of it
	left   *persistence.State  // what was read, for the first binding; nil later
	tokens [][]byte            // future auth tokens, the newest first

	stand    *standing.Machine
	saving   bool                       // what standing said is on its way to the disk; its other outputs wait
	refusal  error                      // of the last OutSave, nil when it is on disk
	kept     map[standing.CallID]*Call  // calls that standing has; nil while there are none
	wishes   []wish                     // the owner's, under way
	lastWish standing.Request           // the number of the last one
	status   Status                     // as of the last OutStatus
	told     Status                     // what was published last
	armed    [timerConfig + 1]time.Time // when each timer is due, zero for not
	peers    *peers.Peers               // its DCs
	homeless []*Call                    // admitted calls for home, while there is none
	login    *signIn                    // nil when none is under way
	updates  *updates.Machine           // nil while nothing is asked
	place    *updates.State             // where the updates stood last, nil for not known
	config   time.Time                  // when help.getConfig is asked for again
}

// Spawn starts the account's actor below parent. It restores itself from the
// store and goes on where it was.
func Spawn[P any](parent *runtime.Context[P], env *Env, id persistence.AccountID) runtime.Ref[Message] {
	return runtime.Spawn[Message](parent, &account{
		env: env, id: id, disk: env.disks.Of(id),
	})
}

func (a *account) Started(c *ctx) {
	a.self = c.Self()
	var trace *peers.Trace
	if t := a.env.Trace; t != nil {
		trace = &t.Trace
	}
	a.peers = peers.New(a.id, host{a, c}, trace)
	a.load(c)
}

// load has the account's records read. What comes meanwhile waits.
func (a *account) load(c *ctx) {
	a.loaded, a.restored, a.reloading = false, false, false
	a.store(c, journal.Work{Kind: journal.Load, Account: a.id}, startWaits)
}

// Receive handles one message, then does what the engines decided by it.
func (a *account) Receive(c *ctx, m Message) {
	if done, is := m.(stored); is {
		a.onStored(c, done)
	} else if a.loaded || m == Message(due{timerJournal}) {
		a.handle(c, m)
	} else {
		a.early = append(a.early, m)
		return
	}
	if !a.loaded {
		return
	}
	a.pump(c)
	if a.loaded && !a.restored {
		a.restored = true
		a.env.Restored(a.id)
	}
}

func (a *account) handle(c *ctx, m Message) {
	switch m := m.(type) {
	case *Call:
		a.onCall(c, m)
	case callReturned:
		a.onReturned(c, m)
	case CancelCall:
		a.onCancel(c, m.Call)
	case bindingEvent:
		a.onBinding(c, m)
	case bindingWrite:
		a.onBindingWrite(c, m)
	case respawnDue:
		a.peers.Again(m.peer)
	case SignIn:
		a.onSignIn(c, m)
	case Answer:
		a.onAnswer(c, m)
	case loginWorked:
		a.onLoginWorked(c, m)
	case signInGranted:
		a.onSignInGranted(c, m)
	case Wish:
		a.onWish(c, m)
	case Check:
		a.peers.Check(m.DC, m.Back)
	case due:
		a.onDue(c, m.timer)
	}
}

// onDue lets what a timer was set for go on.
func (a *account) onDue(c *ctx, timer int) {
	a.armed[timer] = time.Time{}
	switch {
	case timer == timerJournal:
		a.runJournal(c)
	case timer == timerStanding:
		a.stand.Advance(c.Now())
	case timer == timerLogin && a.login != nil:
		a.login.Advance(c.Now())
	case timer == timerUpdates && a.updates != nil:
		a.updates.Advance(c.Now())
	case timer == timerConfig:
		a.fetchConfig(c)
	}
}

// pump does what the engines decided until none has more to say, and sets
// their timers.
func (a *account) pump(c *ctx) {
	for again := true; again; {
		again = a.pumpUpdates(c)
		again = a.pumpLogin(c) || again
		again = a.pumpStanding(c) || again
	}
	if !a.loaded {
		return // it is read again
	}
	a.tellStep(c)
	a.arm(c, timerStanding, a.stand.Deadline())
	var login, updates time.Time
	if a.login != nil {
		login = a.login.Deadline()
	}
	if a.updates != nil {
		updates = a.updates.Deadline()
	}
	a.arm(c, timerLogin, login)
	a.arm(c, timerUpdates, updates)
	a.arm(c, timerConfig, a.config)
}

// decided tells the trace what an engine said.
func (a *account) decided(output any) {
	if t := a.env.Trace; t != nil {
		t.Decided(a.id, output)
	}
}

// arm sets a timer, or takes it back when the time is zero.
func (a *account) arm(c *ctx, timer int, at time.Time) {
	switch {
	case at.Equal(a.armed[timer]):
		return
	case at.IsZero():
		c.Cancel(timer)
	default:
		c.After(timer, at.Sub(c.Now()), due{timer})
	}
	a.armed[timer] = at
}

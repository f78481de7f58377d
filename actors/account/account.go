package account

import (
	"slices"
	"time"

	"github.com/mtfleet/mtfleet/actors/binding"
	"github.com/mtfleet/mtfleet/actors/bindings"
	"github.com/mtfleet/mtfleet/actors/feed"
	"github.com/mtfleet/mtfleet/actors/journal"
	"github.com/mtfleet/mtfleet/actors/runtime"
	"github.com/mtfleet/mtfleet/actors/signin"
	"github.com/mtfleet/mtfleet/actors/ways"
	"github.com/mtfleet/mtfleet/mtproto/standing"
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

	loaded    bool // the records were read
	restored  bool // and the manager knows
	reloading bool // they are to be read again once standing has said all

	rec    persistence.Account // what standing does not know of it
	way    ways.Way            // how it connects
	left   *persistence.State  // what was read, for the first binding; nil later
	origin Origin              // of the session, zero for one of our own

	stand    *standing.Machine
	saving   bool                                         // what standing said is on its way to the disk; its other outputs wait
	refusal  error                                        // of the last OutSave, nil when it is on disk
	kept     standing.Kept[*Call]                         // calls that standing has
	wishes   runtime.Numbered[standing.Request, struct{}] // the owner's, under way
	hushed   []standing.Request                           // exports on disk, whose connections are closing
	status   Status                                       // as of the last OutStatus
	told     Status                                       // what was published last
	waits    []standing.InForce                           // what the observer was told last
	bindings *bindings.All                                // its DCs
	login    *signin.SignIn                               // its sign-in
	feed     *feed.Feed                                   // its updates
	config   time.Time                                    // when help.getConfig is asked for again
}

// Spawn starts the account's actor. It restores itself from the store and goes on
// where it was. ended is called when it and all below it are gone, as
// [runtime.SpawnWatched] says.
func Spawn(sys *runtime.System, env *Env, id persistence.AccountID, ended func(runtime.ActorID, error)) runtime.Ref[Message] {
	return runtime.SpawnWatched[Message](sys, &account{env: env, id: id, disk: env.disk(id)}, ended)
}

func (a *account) Started(c *ctx) {
	a.self = c.Self()
	var trace *bindings.Trace
	if t := a.env.Trace; t != nil {
		trace = &t.Trace
	}
	a.bindings = bindings.New(a.id, host{a, c}, trace)
	a.feed = feed.New(a.id, listener{a, c}, a.env.Logger)
	a.login = signin.New(a.id, applicant{a, c}, &a.env.signIn)
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
		c.PutOff(m) // bounded by the callers' admission
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
	case bindingWork:
		a.onBindingWork(c, m)
	case SignIn:
		a.login.Begin(c.Now(), m.Start, m.Reply)
	case Answer:
		a.login.Answer(c.Now(), m.Answer, m.Reply)
	case NextStep:
		a.login.NextStep(m.After, m.Reply)
	case loginWorked:
		a.login.Worked(c.Now(), m.of, m.result)
	case signInGranted:
		a.login.Granted(c.Now(), m.ticket)
	case Wish:
		a.onWish(c, m)
	case rotated:
		a.stand.Rotated(c.Now(), m.round, m.err)
	case Label:
		a.onLabel(c, m)
	case SetProxy:
		a.onSetProxy(c, m)
	case Second:
		a.stand.BecomeSecond(c.Now(), m.Other)
	case Durable:
		a.feed.Durable(c.Now(), m.On)
	case Acked:
		a.feed.Acked(c.Now(), m.Mark.Life, m.Mark.N)
	case Heard:
		m.Reply.Send(struct{}{}, nil)
	case Held:
		a.feed.Hold(c.Now(), m.On)
	case Peers:
		a.feed.Peers(c.Now(), m.Query, m.Reply.Send)
	case Met:
		a.feed.Met(c.Now(), m.Call.era, m.List)
		m.Taken()
	case Check:
		if m.Route != a.way.Route {
			return
		}
		a.bindings.Tell(a.bindings.Numbered(m.DC), binding.Check{Back: m.Back})
	case Woken:
		a.bindings.TellAll(binding.Check{})
	case due:
		a.onDue(c, m.timer)
	}
}

// onDue lets what a timer was set for go on.
func (a *account) onDue(c *ctx, timer int) {
	switch timer {
	case timerJournal:
		a.runJournal(c)
	case timerStanding:
		a.stand.Advance(c.Now())
	case timerLogin:
		a.login.Advance(c.Now())
	case timerUpdates:
		a.feed.Advance(c.Now())
	case timerConfig:
		a.fetchConfig(c)
	}
}

// pump does what the engines decided until none has more to say, and sets
// their timers.
func (a *account) pump(c *ctx) {
	for again := true; again; {
		again = a.feed.Pump(c.Now())
		again = a.login.Pump(c.Now()) || again
		again = a.pumpStanding(c) || again
	}
	if !a.loaded {
		return // it is read again
	}
	a.tellWaits()
	if !a.saving {
		a.login.Tell()
	}
	c.At(timerStanding, a.stand.Deadline(), due{timerStanding})
	c.At(timerLogin, a.login.Deadline(), due{timerLogin})
	c.At(timerUpdates, a.feed.Deadline(), due{timerUpdates})
	c.At(timerConfig, a.config, due{timerConfig})
}

// decided tells the trace what an engine said.
func (a *account) decided(output any) {
	if t := a.env.Trace; t != nil {
		t.Decided(a.id, output)
	}
}

// tellWaits tells the observer what waits there are, if they have changed.
func (a *account) tellWaits() {
	tell := a.env.Observe.Waits
	if tell == nil || len(a.waits) == 0 && !a.stand.Waits() {
		return
	}
	all := a.stand.AppendWaits(nil)
	if !slices.Equal(all, a.waits) {
		a.waits = all
		tell(a.id, all)
	}
}

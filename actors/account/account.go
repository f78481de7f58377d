package account

import (
	"time"

	"github.com/mtfleet/mtfleet/actors/binding"
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
	disk    *disk
	journal journal

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
	requests []runtime.Reply[struct{}]  // the owner's wishes under way
	numbers  []standing.Request         // and what standing calls them
	lastWish standing.Request           // the last number given
	status   Status                     // as of the last OutStatus
	told     Status                     // what was published last
	armed    [timerConfig + 1]time.Time // when each timer is due, zero for not
	peers    []*peer                    // bindings, in the order they were opened
	home     *peer                      // one of them, nil while there is none
	homeless []*Call                    // admitted calls for home, while there is none
	login    *signIn                    // nil when none is under way
	updates  *updates.Machine           // nil while nothing is asked
	place    *updates.State             // where the updates stood last, nil for not known
	config   time.Time                  // when help.getConfig is asked for again
	configs  int                        // how often it failed in a row
}

// Spawn starts the account's actor below parent. It restores itself from the
// store and goes on where it was.
func Spawn[P any](parent *runtime.Context[P], env *Env, id persistence.AccountID) runtime.Ref[Message] {
	return runtime.Spawn[Message](parent, &account{
		env: env, id: id, disk: &disk{store: env.Store, owner: env.Owner},
	})
}

func (a *account) Started(c *ctx) {
	a.self = c.Self()
	a.load(c)
}

// load has the account's records read. What comes meanwhile waits.
func (a *account) load(c *ctx) {
	a.loaded, a.restored, a.reloading = false, false, false
	a.store(c, job{kind: jobLoad, account: a.id, waits: startWaits})
}

// Receive handles one message, then does what the engines decided by it.
func (a *account) Receive(c *ctx, m Message) {
	switch m := m.(type) {
	case stored:
		a.onStored(c, m)
	case journalDue:
		a.armed[timerJournal] = time.Time{}
		a.runJournal(c)
	default:
		if !a.loaded {
			a.early = append(a.early, m)
			return
		}
		a.handle(c, m)
	}
	if a.loaded {
		a.pump(c)
	}
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
		a.onRespawnDue(c, m.peer)
	case SignIn:
		a.onSignIn(c, m)
	case Answer:
		a.onAnswer(c, m)
	case loginWorked:
		a.onLoginWorked(c, m)
	case signInGranted:
		a.onSignInGranted(c, m)
	case LogOut:
		a.flushUpdates(c)
		a.stand.LogOut(c.Now(), a.wish(m.Reply))
	case Pause:
		a.flushUpdates(c)
		a.stand.Pause(c.Now(), a.wish(m.Reply))
	case Resume:
		a.stand.Resume(c.Now(), a.wish(m.Reply))
	case Remove:
		a.stand.Remove(c.Now(), a.wish(m.Reply), m.Force)
	case ClearWaits:
		a.stand.ClearWaits(c.Now(), a.wish(m.Reply), m.Method)
		for _, p := range a.peers {
			if !p.home {
				a.tell(p, binding.WaitCleared{})
			}
		}
	case standingDue:
		a.armed[timerStanding] = time.Time{}
		a.stand.Advance(c.Now())
	case loginDue:
		a.armed[timerLogin] = time.Time{}
		if a.login != nil {
			a.login.machine.Advance(c.Now())
		}
	case updatesDue:
		a.armed[timerUpdates] = time.Time{}
		if a.updates != nil {
			a.updates.Advance(c.Now())
		}
	case configDue:
		a.armed[timerConfig] = time.Time{}
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
	a.arm(c, timerStanding, a.stand.Deadline(), standingDue{})
	var login, updates time.Time
	if a.login != nil && a.login.phase == signInRuns {
		login = a.login.machine.Deadline()
	}
	if a.updates != nil {
		updates = a.updates.Deadline()
	}
	a.arm(c, timerLogin, login, loginDue{})
	a.arm(c, timerUpdates, updates, updatesDue{})
	a.arm(c, timerConfig, a.config, configDue{})
}

// arm sets a timer, or takes it back when the time is zero.
func (a *account) arm(c *ctx, timer int, at time.Time, m Message) {
	switch {
	case at.Equal(a.armed[timer]):
		return
	case at.IsZero():
		c.Cancel(timer)
	default:
		c.After(timer, at.Sub(c.Now()), m)
	}
	a.armed[timer] = at
}

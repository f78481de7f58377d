package account

import (
	"github.com/mtfleet/mtfleet/actors/binding"
	"github.com/mtfleet/mtfleet/actors/governor"
	"github.com/mtfleet/mtfleet/actors/runtime"
	"github.com/mtfleet/mtfleet/mtproto/dc"
	"github.com/mtfleet/mtfleet/mtproto/login"
	"github.com/mtfleet/mtfleet/persistence"
)

// Message is what an account's actor receives; the types of this package only.
type Message interface{ accountMessage() }

// What others send; a *Call is one too.
type (
	// CancelCall says that nobody waits for the call any more.
	CancelCall struct{ Call *Call }
	// SignIn starts a login; the reply is its first step that needs somebody,
	// or the last one: nil.
	SignIn struct {
		// Phone or BotToken; exactly one.
		Phone, BotToken string
		Reply           runtime.Reply[*login.Step]
	}
	// Answer answers the step a sign-in waits for.
	Answer struct {
		Answer login.Answer
		Reply  runtime.Reply[*login.Step]
	}
	// LogOut ends the authorization and forgets the keys.
	LogOut struct{ Reply runtime.Reply[struct{}] }
	// Pause closes the account's connections and keeps its keys.
	Pause struct{ Reply runtime.Reply[struct{}] }
	// Resume ends a pause, and gives a quarantined account another try.
	Resume struct{ Reply runtime.Reply[struct{}] }
	// Remove deletes every record of the account and ends the actor. An account
	// that may be signed in is refused unless Force is set.
	Remove struct {
		Force bool
		Reply runtime.Reply[struct{}]
	}
	// Check asks a DC, which others had no answer from, for a sign of life.
	Check struct{ DC dc.ID }
	// ClearWaits forgets the waits that the server ordered for a method, or all
	// of the account's when Method is empty.
	ClearWaits struct {
		Method string
		Reply  runtime.Reply[struct{}]
	}
)

// What the actor's own parts post to it.
type (
	// callReturned brings back a call whose end is more than its caller's
	// business, or any end of a query of the account's own.
	callReturned struct {
		call *Call
		body []byte
		err  error
		on   binding.Where
	}
	bindingEvent struct {
		peer  *peer
		fence *fence
		event binding.Event
	}
	// bindingWrite is a commit of a binding on its way through the journal.
	bindingWrite struct {
		fence  *fence
		commit persistence.Commit
		done   func(error)
	}
	// stored is how the journal's job under way went.
	stored struct {
		records []persistence.Record
		err     error
	}
	signInGranted struct{ ticket *governor.Ticket }
	respawnDue    struct{ peer *peer }
	journalDue    struct{}
	standingDue   struct{}
	loginDue      struct{}
	updatesDue    struct{}
	configDue     struct{}
)

func (*Call) accountMessage()         {}
func (CancelCall) accountMessage()    {}
func (SignIn) accountMessage()        {}
func (Answer) accountMessage()        {}
func (LogOut) accountMessage()        {}
func (Pause) accountMessage()         {}
func (Resume) accountMessage()        {}
func (Remove) accountMessage()        {}
func (Check) accountMessage()         {}
func (ClearWaits) accountMessage()    {}
func (callReturned) accountMessage()  {}
func (bindingEvent) accountMessage()  {}
func (bindingWrite) accountMessage()  {}
func (stored) accountMessage()        {}
func (signInGranted) accountMessage() {}
func (respawnDue) accountMessage()    {}
func (journalDue) accountMessage()    {}
func (standingDue) accountMessage()   {}
func (loginDue) accountMessage()      {}
func (updatesDue) accountMessage()    {}
func (configDue) accountMessage()     {}

// Timers: one of each kind at a time.
const (
	timerJournal = iota + 1
	timerStanding
	timerLogin
	timerUpdates
	timerConfig

	// One for each DC: the number of the DC is added.
	timerRespawn = 1 << 16
)

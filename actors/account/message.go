package account

import (
	"github.com/mtfleet/mtfleet/actors/binding"
	"github.com/mtfleet/mtfleet/actors/bindings"
	"github.com/mtfleet/mtfleet/actors/governor"
	"github.com/mtfleet/mtfleet/actors/journal"
	"github.com/mtfleet/mtfleet/actors/runtime"
	"github.com/mtfleet/mtfleet/actors/signin"
	"github.com/mtfleet/mtfleet/mtproto/dc"
	"github.com/mtfleet/mtfleet/mtproto/login"
	"github.com/mtfleet/mtfleet/mtproto/peers"
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
		Start login.Start
		Reply runtime.Reply[*login.Step]
	}
	// Answer answers the step a sign-in waits for.
	Answer struct {
		Answer login.Answer
		Reply  runtime.Reply[*login.Step]
	}
	// NextStep asks for the step that a sign-in waits for when that is another
	// than After, by its id; nil when it has ended.
	NextStep struct {
		After string
		Reply runtime.Reply[*login.Step]
	}
	// Label puts labels on the account and takes others away; the reply has all of
	// them, when they are on disk.
	Label struct {
		Put    map[string]string
		Remove []string
		Reply  runtime.Reply[persistence.Labels]
	}
	// SetProxy changes how the account connects, to what [persistence.Account] has;
	// answered when that is on disk and its connections were told.
	SetProxy struct {
		Proxy persistence.SecretText
		Reply runtime.Reply[struct{}]
	}
	// Peers asks whom the account has met.
	Peers struct {
		Query peers.Query
		Reply runtime.Reply[[]peers.Peer]
	}
	// Met tells whom the result of a call names. Taken is called once, when they
	// are remembered or are not to be.
	Met struct {
		Call  *Call
		List  []peers.Peer
		Taken func()
	}
	// Second says that another account, on another node, is the account's user.
	Second struct{ Other string }
	// Durable says whether somebody acknowledges the account's updates from now
	// on, and Acked that everything up to a mark was.
	Durable struct{ On bool }
	Acked   struct{ Mark Mark }
	// Heard is answered when all that was sent before it has been handled: the end
	// of an account overtakes what waits for its turn.
	Heard struct{ Reply runtime.Reply[struct{}] }
	// Held says that nothing more is to be taken of updates that somebody
	// acknowledges, for there is too much of it everywhere.
	Held struct{ On bool }
	// Woken says that the process did not run for a while: every DC is asked for a
	// sign of life, by whatever route.
	Woken struct{}
	// Check asks a DC, which others had no answer from, for a sign of life. Back:
	// others have one again, and connections to it need not pause.
	Check struct {
		DC    dc.ID
		Route governor.Route // by which nobody had one
		Back  bool
	}
	// Wish is what the account's owner wants of it as a whole.
	Wish struct {
		Kind   WishKind
		Force  bool   // of Remove: also an account that may be signed in
		Method string // of ClearWaits; empty for all of the account's
		How    string // of Export: in which form
		Reply  runtime.Reply[struct{}]
	}
)

// WishKind says what is wished.
type WishKind uint8

const (
	LogOut     WishKind = iota // end the authorization and forget the keys
	Pause                      // close the account's connections and keep its keys
	Resume                     // end a pause, or give a quarantined account another try
	Remove                     // delete every record of the account and end the actor
	ClearWaits                 // forget the waits that the server ordered
	RestoreKey                 // take the key of a revoked login back
	Export                     // fall silent, for the session is handed out; answered when every connection is closed
	TakeBack                   // the session that was handed out is nobody's any more
	Rotate                     // replace the temp keys before their time; answered when the new ones serve
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
	// loginWorked is what a sign-in had computed.
	loginWorked struct {
		of     signin.Question
		result login.WorkResult
	}
	bindingEvent struct {
		binding *bindings.Binding
		from    *journal.Fence
		event   binding.Event
	}
	// bindingWork is what a binding reads or writes, on its way through the journal.
	bindingWork struct {
		from *journal.Fence
		work journal.Work
		done func([]persistence.Record, error)
	}
	// stored is how the journal's job under way went.
	stored        journal.Done
	signInGranted struct{ ticket *governor.Ticket }
	// rotated says how a round of rotation ended.
	rotated struct {
		round uint32
		err   error
	}
	due struct{ timer int }
)

func (*Call) accountMessage()         {}
func (CancelCall) accountMessage()    {}
func (SignIn) accountMessage()        {}
func (Answer) accountMessage()        {}
func (NextStep) accountMessage()      {}
func (Wish) accountMessage()          {}
func (Label) accountMessage()         {}
func (SetProxy) accountMessage()      {}
func (Peers) accountMessage()         {}
func (Met) accountMessage()           {}
func (Second) accountMessage()        {}
func (Durable) accountMessage()       {}
func (Acked) accountMessage()         {}
func (Heard) accountMessage()         {}
func (Held) accountMessage()          {}
func (Woken) accountMessage()         {}
func (Check) accountMessage()         {}
func (callReturned) accountMessage()  {}
func (loginWorked) accountMessage()   {}
func (bindingEvent) accountMessage()  {}
func (bindingWork) accountMessage()   {}
func (stored) accountMessage()        {}
func (signInGranted) accountMessage() {}
func (rotated) accountMessage()       {}
func (due) accountMessage()           {}

// question is a message that is owed an answer, also by an account that stopped before
// it heard of it.
type question interface{ unheard() }

func (m SignIn) unheard()   { m.Reply.Send(nil, ErrUnheard) }
func (m Answer) unheard()   { m.Reply.Send(nil, ErrUnheard) }
func (m NextStep) unheard() { m.Reply.Send(nil, ErrUnheard) }
func (m Wish) unheard()     { m.Reply.Send(struct{}{}, ErrUnheard) }
func (m Peers) unheard()    { m.Reply.Send(nil, ErrUnheard) }
func (m Label) unheard()    { m.Reply.Send(persistence.Labels{}, ErrUnheard) }
func (m SetProxy) unheard() { m.Reply.Send(struct{}{}, ErrUnheard) }

// Timers: one of each kind at a time.
const (
	timerJournal = iota + 1
	timerStanding
	timerLogin
	timerUpdates
	timerConfig
)

package binding

import (
	"time"

	"github.com/mtfleet/mtfleet/mtproto/crypt"
	"github.com/mtfleet/mtfleet/persistence"
	"github.com/mtfleet/mtfleet/tl"
)

// Event is what a binding tells its account; the types of this package only.
type Event interface{ bindingEvent() }

type (
	// EventRoute: calls may go there from now on. It replaces the last one, and
	// what was held is on its way there. Updates may have been missed since the
	// route before it, unless it is Again the one that the account gave up, for
	// a word that was about another key.
	// Perm is the perm key behind it.
	EventRoute struct {
		Route Route
		Perm  crypt.KeyID
		Again bool
	}
	// EventHeld: a rotation begins. There is no route for the moment and calls
	// are held; nothing is wrong. It is said before the connection of the last
	// route is told, which gives back what reaches it later.
	EventHeld struct{}
	// EventLost: there is no route; calls are held until there is.
	EventLost struct{ Why string }
	// EventUnreachable: the DC cannot be reached, or not be used for now. The same
	// words are told once: a DC may be down for hours.
	EventUnreachable struct{ Why string }

	// EventUpdates: Raw is one boxed value the server sent unasked, on the home
	// session. The receiver owns it, and tells Pushes when it has taken it.
	EventUpdates struct {
		Raw    tl.Raw
		Pushes *Pushes
	}
	// EventGap: updates may have been missed on the home session.
	EventGap struct{}
	// EventClock: Offset is server time minus local time, as just measured.
	EventClock struct{ Offset time.Duration }
	// EventSession: what the next session of this DC begins with. Losing it
	// costs a round trip.
	EventSession struct{ Session persistence.Session }

	// EventCall asks to run Query: Export at home, the others on this DC by a
	// Call to this binding with Own set. The answer is Answered.
	EventCall struct {
		ID    ErrandID
		For   Errand
		Query tl.Object
	}
	// EventRefused: the server refused a query that the binding sends by itself
	// with Err, its *tgerr.Error: auth.bindTempAuthKey in any way, or
	// auth.dropTempAuthKeys with a wait or a 401. The binding obeys a wait for as long as
	// it lives, and after that by Config.BindAfter and DropAfter.
	EventRefused struct {
		Method string
		Err    error
	}

	// EventKeyGone: the server does not know the home's perm key any more, which
	// is proved. Forget begins anew.
	EventKeyGone struct{ Err error }
	// EventUnusable: the records of this DC cannot be used, and the binding does
	// nothing. The account closes it.
	EventUnusable struct{ Err error }
	// EventForeign: no RSA key of the table made the home's perm key: it is of
	// another environment. Nothing was sent under it, and no connection is made.
	EventForeign struct{ Err error }
	// EventHomeLost: home refused the export to this guest DC with Err, a 401.
	// The account finds out; HomeAlive if it was not so.
	EventHomeLost struct{ Err error }
	// EventGuest: whether this guest DC has the authorization, when that is on disk.
	EventGuest struct{ Authorized bool }
	// EventIdle: nothing was asked of this guest DC for five minutes, and
	// nothing is held or pending. The account closes it, unless a call is on
	// its way there.
	EventIdle struct{}
	// EventSwept: the server has forgotten every temp key of the perm key that is not
	// in use; see Sweep.
	EventSwept struct{}
	// EventFailed: this DC cannot be a guest. What was held has ended with Err.
	// The account closes it.
	EventFailed struct{ Err error }
	// EventBroken: a connection failed too often, by a fault of this program.
	// No connection is left; the account is quarantined and closes the binding.
	EventBroken struct{ Err error }
	// EventStoreFailed: a commit was refused with Err. It is tried again, and
	// nothing that depends on it happens before it is on disk.
	EventStoreFailed struct{ Err error }
)

func (EventRoute) bindingEvent()       {}
func (EventHeld) bindingEvent()        {}
func (EventLost) bindingEvent()        {}
func (EventUnreachable) bindingEvent() {}
func (EventUpdates) bindingEvent()     {}
func (EventGap) bindingEvent()         {}
func (EventClock) bindingEvent()       {}
func (EventSession) bindingEvent()     {}
func (EventCall) bindingEvent()        {}
func (EventRefused) bindingEvent()     {}
func (EventKeyGone) bindingEvent()     {}
func (EventUnusable) bindingEvent()    {}
func (EventForeign) bindingEvent()     {}
func (EventHomeLost) bindingEvent()    {}
func (EventGuest) bindingEvent()       {}
func (EventIdle) bindingEvent()        {}
func (EventSwept) bindingEvent()       {}
func (EventFailed) bindingEvent()      {}
func (EventBroken) bindingEvent()      {}
func (EventStoreFailed) bindingEvent() {}

package binding

import (
	"fmt"

	"github.com/mtfleet/mtfleet/actors/dcconn"
	"github.com/mtfleet/mtfleet/actors/runtime"
	"github.com/mtfleet/mtfleet/mtproto/crypt"
	"github.com/mtfleet/mtfleet/mtproto/dc"
	"github.com/mtfleet/mtfleet/mtproto/pfs"
)

// What an account needs of calls, under names of this package, so that it need
// not know the connections below it.
type (
	// QueryID names a call, uniquely in the process; see mtproto.QueryID.
	QueryID = dcconn.QueryID
	// Pushes are the updates of one connection that are on their way.
	Pushes = dcconn.Pushes
	// Policy says whether a call may run twice; see mtproto.Policy.
	Policy = dcconn.Policy
	// QueryError ends a call without the server's answer; see
	// mtproto.QueryError.
	QueryError = dcconn.QueryError
)

// The policies of a call.
const (
	Once       = dcconn.Once
	Repeatable = dcconn.Repeatable
)

// What every error of a call that is not the server's says of it.
var (
	ErrNotSent    = dcconn.ErrNotSent
	ErrMayHaveRun = dcconn.ErrMayHaveRun
)

// Handle is what an account holds of a binding: it sends it messages, and stops
// it. What a stopped binding held comes back as a call given back.
type Handle struct{ runtime.Ref[Message] }

// Message is what a binding receives; the types of this package only.
type Message interface{ bindingMessage() }

// What an account sends.
type (
	// Call is one query on its way. Sent to the binding, it waits there until
	// there is a route; where the account has a [Route], it sends it there.
	Call struct {
		ID     QueryID
		Method string // TL name, for Recall
		Body   []byte // the boxed query without wrappers; nobody changes it any more
		Policy Policy
		// Own marks a query of the account's own engines. It goes before the
		// calls held for others, on a guest DC also while that is not authorized
		// (the import is such a call), and does not count against the limit of
		// what is held: engines ask for one thing at a time.
		Own bool
		// Reply is called exactly once, from an actor, and must not wait: with
		// the boxed result; with the server's *tgerr.Error; with a [*QueryError]
		// that says what the server may have done; with a [*BusyError] or a
		// [*GuestError]. on is what the call was answered on; its key is zero when
		// nothing was sent, and what the server said then, it said of something
		// else.
		Reply func(body []byte, err error, on Where)
	}

	// Cancel ends a call whose caller has left, wherever it is; its Reply is
	// called.
	Cancel struct{ ID QueryID }

	// Check makes the serving connection ask its DC for a sign of life, and give
	// its socket up when none comes: the DC is suspected to be silent. With Back it
	// is another message: the DC answers again, and connections that pause before
	// they dial want their permit at once.
	Check struct{ Back bool }

	// Through changes the way to the DC. Sockets of another way are closed at once,
	// and their sessions go on by the new one.
	Through struct{ Way Way }

	// Recall gives back the calls of a method, or of all when it is empty, that
	// were not sent: here, on the connection of the route, and what Confirm asks.
	Recall struct{ Method string }

	// Unbound says that a call under the key was answered AUTH_KEY_PERM_EMPTY.
	// The account forgets its route when it sends this, and sends the call here:
	// EventRoute follows, at once when the key is not the one in use any more.
	Unbound struct{ Key crypt.KeyID }

	// Unauthorized says that a call on the guest DC was answered 401. As with
	// Unbound, the route is forgotten and EventRoute follows.
	Unauthorized struct{ Err error }

	// KeyWaits are the waits that the server has ordered for the queries about keys,
	// of this DC or another: they hold on all.
	KeyWaits pfs.Waits

	// WaitCleared says that the account's owner has cleared waits: Left are those
	// about keys that are not. One on the export or the import is cleared too.
	WaitCleared struct{ Left KeyWaits }

	// HomeAlive takes EventHomeLost back: home was found authorized after all.
	HomeAlive struct{}

	// Answered says how the query of an EventCall went.
	Answered struct {
		ID   ErrandID
		Body []byte
		Err  error
	}

	// Confirm asks Call on a connection of its own, under the key in use. It
	// waits for one; from then on it ends within 30 s, reconnects included.
	Confirm struct{ Call Call }

	// Forget throws every key away and begins anew: nobody is authorized under
	// them.
	Forget struct{}
)

func (Call) bindingMessage()         {}
func (Cancel) bindingMessage()       {}
func (Check) bindingMessage()        {}
func (Through) bindingMessage()      {}
func (Recall) bindingMessage()       {}
func (Unbound) bindingMessage()      {}
func (Unauthorized) bindingMessage() {}
func (KeyWaits) bindingMessage()     {}
func (WaitCleared) bindingMessage()  {}
func (HomeAlive) bindingMessage()    {}
func (Answered) bindingMessage()     {}
func (Confirm) bindingMessage()      {}
func (Forget) bindingMessage()       {}

// giveBack ends a call that was not sent: whoever has it sends it again.
func (c *Call) giveBack() { c.end(&QueryError{Reason: dcconn.ErrClosed, Fate: ErrNotSent}) }

// end ends a call that was not sent with an error.
func (c *Call) end(err error) { c.Reply(nil, err, Where{}) }

// BusyError ends a call that found Limit calls held for a DC that is not ready.
type BusyError struct {
	// Limit is how many calls there are.
	Limit int
	// Bytes is how large they may be together, when that is what is in the way.
	Bytes int
}

func (e *BusyError) Error() string {
	if e.Bytes > 0 {
		return fmt.Sprintf("%d calls under way are as large as those of an account may be, %d MiB: the call was not sent", e.Limit, e.Bytes>>20)
	}
	return fmt.Sprintf("%d calls already wait for this DC: the call was not sent", e.Limit)
}

// NotSent says that the server did not execute the call.
func (*BusyError) NotSent() bool { return true }

// GuestError ends a call for a guest DC to which the authorization cannot be
// carried for now. Err says why: the server's words or a wait are in its tree,
// but they are about the carrying, and not about this call.
type GuestError struct {
	DC  dc.ID
	Err error
}

func (e *GuestError) Error() string { return e.Err.Error() }

// Unwrap returns the reason.
func (e *GuestError) Unwrap() error { return e.Err }

// NotSent says that the server did not execute the call.
func (*GuestError) NotSent() bool { return true }

// An ErrandID tells the answers of a binding's queries apart.
type ErrandID uint32

// Errand is what a binding asks its account to run for it.
type Errand uint8

const (
	// Export: auth.exportAuthorization at home. It may be repeated.
	Export Errand = iota
	// Import: auth.importAuthorization, on the guest DC itself, at most once.
	Import
	// GuestLogOut: auth.logOut on the guest DC, whose key is thrown away then
	// whatever the answer. It may be repeated.
	GuestLogOut
)

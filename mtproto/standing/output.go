package standing

import (
	"time"

	"github.com/mtfleet/mtfleet/mtproto/dc"
	"github.com/mtfleet/mtfleet/tl"
)

// An OutputKind says what an [Output] asks for.
type OutputKind uint8

const (
	// OutSave carries Changes. Durable: nothing after it is done before it is
	// on disk. When Must is false, one refused attempt is enough to go on; the
	// driver then writes it as soon as it can.
	OutSave OutputKind = iota + 1

	// OutStatus says that the Status has changed and is to be told.
	OutStatus

	// OutOpen asks for the binding of the home DC, Output.DC. It may be open.
	OutOpen
	// OutClose asks to close every binding and to end what they held with Err
	// (nothing of it was sent). Calls under way end by themselves.
	OutClose

	// OutSync asks where the updates stand.
	OutSync

	// OutSend asks to admit and send Call again, on Call.DC.
	OutSend
	// OutEnd says how Call ended: with Err, nil for its result.
	OutEnd
	// OutRecall asks to take back what is held or queued of Method (and not
	// sent): each comes back to Admit.
	OutRecall

	// OutCall asks to run Query for Call: for ForConfirm on a second connection
	// under the home key, for ForLogOut at home. Answer: Ended.
	OutCall

	// OutUnbound tells the binding of Where.DC that the key Where.Key is not
	// bound at the server.
	OutUnbound
	// OutUnauthorized tells the guest binding of DC of a 401, Err.
	OutUnauthorized
	// OutHomeAlive tells the guests that home was found authorized after all.
	OutHomeAlive
	// OutForget tells the home binding to begin anew with its keys: nobody is
	// authorized under them.
	OutForget
	// OutMove asks to carry the authorization to DC, as to a guest, and to call
	// Moved when it is there.
	OutMove
	// OutMoved says that DC is the home now (it is saved): open it as that.
	OutMoved

	// OutCancelSignIn asks to cancel the login under way: it undoes what may
	// be authorized. SignInFailed follows.
	OutCancelSignIn

	// OutErase asks to delete the account's records, all of them when All is
	// set, otherwise all but the account's own, its waits and what is kept
	// across logins. Must. Answer: Erased.
	OutErase
	// OutRetire asks to move the home perm key aside, kept sealed, and to
	// delete what hangs on it. Must.
	OutRetire
	// OutGone says that the account is deleted: the actor ends.
	OutGone

	// OutReply answers the owner's Request with Err.
	OutReply
)

// An Output is one thing the driver should do. Which fields are set is said
// at each kind.
type Output struct {
	Kind    OutputKind
	Changes Changes   // OutSave
	Must    bool      // OutSave
	DC      dc.ID     // OutOpen, OutUnauthorized, OutMove, OutMoved
	Where   Where     // OutUnbound
	Call    Call      // OutSend, OutEnd, OutCall
	Query   tl.Object // OutCall
	Method  string    // OutRecall
	All     bool      // OutErase
	Request Request   // OutReply
	Err     error     // OutClose, OutEnd, OutUnauthorized, OutReply
}

// A Request names what the owner asked for, between the machine and its
// driver. The driver chooses it.
type Request uint64

// Changes are what an OutSave wants on disk, in one commit.
type Changes struct {
	// Account: the account's own record has changed (Machine.Snapshot).
	Account bool
	// Put and Delete are waits.
	Put, Delete []Wait
	// LoginOver: the login's record is deleted in the same commit.
	LoginOver bool
	// Fresh: a new login begins with nothing of an earlier one: the place of
	// updates and the standing of guests are deleted in the same commit.
	Fresh bool
}

// A Scope is what a wait holds.
type Scope uint8

const (
	// ScopeMethod: one method of the account.
	ScopeMethod Scope = iota
	// ScopeAccount: every query as the account.
	ScopeAccount
	// ScopeSubject: one method about one phone number or bot token, whichever
	// account asks. It is kept for the whole store and outlives the account.
	ScopeSubject
)

// A Wait is an order of the server not to ask again before a time. Start and
// Length are what is stored: a wrong clock can then neither stretch nor
// shorten it.
type Wait struct {
	Scope   Scope
	Method  string // empty for ScopeAccount
	Subject string // of ScopeSubject
	// Start is when the order came, in the server's time where Server is set,
	// otherwise in local time.
	Start  time.Time
	Server bool
	Length time.Duration
	Why    string // the server's words
}

// Status is what is known of an account at one moment.
type Status struct {
	State State
	Since time.Time
	// Why the account is in this state, newest words: the server's and ours.
	Why string
	// Advice is what the operator can do about it; empty when nothing is asked.
	Advice string
	// Until is the end of a wait, in local time.
	Until time.Time
}

// A Snapshot is all that Restore needs.
type Snapshot struct {
	State State
	// Back is where Quarantined and SigningOut lead back to.
	Back   State
	Since  time.Time
	Why    string
	UserID int64
	Bot    bool
	HomeDC dc.ID
	Waits  []Wait
}

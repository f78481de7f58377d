package standing

import (
	"fmt"
	"strings"
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
	// (nothing of it was sent), and to drop the engines of the login and the
	// updates. Calls under way end by themselves.
	OutClose

	// OutSync asks where the updates stand.
	OutSync

	// OutSend asks to admit and send Call again, on Call.DC.
	OutSend
	// OutEnd says how Call ended: with Err, nil for its result.
	OutEnd
	// OutRecall asks to take back what is held or queued of Method (and not
	// sent), of any method when it is empty: each comes back to Admit.
	OutRecall

	// OutCall asks to run Query for Call: for ForConfirm on a second connection
	// under the home key, for the others at home. It is admitted already; the
	// driver gives it an ID. Answer: Ended, whatever became of it.
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
	// OutMove asks to carry the authorization to DC, as to a guest, and to ask
	// there ForMove what only a user's home answers. Answer: Moved when that was
	// answered, or MoveFailed.
	OutMove
	// OutMoved says that DC is the home now (it is saved): close the bindings of
	// the old home and of DC, and open DC as home.
	OutMoved

	// OutRotate asks every binding for another temp key. Answer: Rotated with its
	// Round, unless OutClose comes first.
	OutRotate

	// OutCancelSignIn asks to cancel the login under way: it undoes what may
	// be authorized. SignInFailed follows.
	OutCancelSignIn

	// OutErase asks to delete the account's records: all of them when All is
	// set; otherwise all but its waits and what is kept across logins, and the
	// account's own record becomes what Snapshot says, in the same commit. Must,
	// but where the driver tells the owner that a removal was refused: it
	// answers the Requests itself then, and reloads. With Unasked it is Must in any
	// case. Answer: Erased.
	OutErase
	// OutRetire asks to move the perm key of DC aside, kept sealed, and to
	// delete what hangs on it. Must.
	OutRetire
	// OutRestore asks to put the retired perm key of DC back, if it is kept and no
	// other is in its place, and to make the account's own record what Snapshot
	// says in the same commit; otherwise nothing is changed. Durable.
	OutRestore
	// OutReload asks to read the account's records again and to go on with a
	// machine restored from them: what was wrong there may be right now.
	OutReload
	// OutGone says that the account is deleted: the actor ends.
	OutGone

	// OutReply answers the owner's Request with Err. When Saved is set and the
	// OutSave or OutRestore before it was refused, the answer is that error.
	OutReply
)

var outputNames = [...]string{
	OutSave: "Save", OutStatus: "Status", OutOpen: "Open", OutClose: "Close", OutSync: "Sync", OutSend: "Send", OutEnd: "End",
	OutRecall: "Recall", OutCall: "Call", OutUnbound: "Unbound", OutUnauthorized: "Unauthorized", OutHomeAlive: "HomeAlive",
	OutForget: "Forget", OutMove: "Move", OutMoved: "Moved", OutRotate: "Rotate", OutCancelSignIn: "CancelSignIn", OutErase: "Erase",
	OutRetire: "Retire", OutRestore: "Restore", OutReload: "Reload", OutGone: "Gone", OutReply: "Reply",
}

// String is the kind in a word.
func (k OutputKind) String() string {
	if int(k) < len(outputNames) && outputNames[k] != "" {
		return outputNames[k]
	}
	return fmt.Sprintf("output %d", uint8(k))
}

// An Output is one thing the driver should do. Which fields are set is said
// at each kind.
type Output struct {
	Kind     OutputKind
	Changes  Changes   // OutSave
	Must     bool      // OutSave, OutErase, OutRetire: tried until it is on disk
	DC       dc.ID     // OutOpen, OutUnauthorized, OutMove, OutMoved, OutRetire, OutRestore
	Where    Where     // OutUnbound
	Call     Call      // OutSend, OutEnd, OutCall
	Query    tl.Object // OutCall
	Method   string    // OutRecall
	All      bool      // OutErase
	Unasked  bool      // OutErase of all that nobody asked for: tried until it is done
	Snapshot Snapshot  // OutErase, OutRestore
	Round    uint32    // OutRotate
	Request  Request   // OutReply
	Saved    bool      // OutReply
	Err      error     // OutClose, OutEnd, OutUnauthorized, OutReply
}

// Durable reports whether the output must be on disk before the next is
// taken.
func (o Output) Durable() bool {
	switch o.Kind {
	case OutSave, OutErase, OutRetire, OutRestore:
		return true
	}
	return false
}

// String tells the output in a line. Nothing of it is secret.
func (o Output) String() string {
	var parts []string
	add := func(format string, args ...any) { parts = append(parts, fmt.Sprintf(format, args...)) }
	switch o.Kind {
	case OutSave:
		add("%v", o.Changes)
	case OutOpen, OutMove, OutMoved, OutRetire, OutRestore:
		add("%v", o.DC)
	case OutUnauthorized:
		add("%v, %v", o.DC, o.Err)
	case OutUnbound:
		add("%v, key %x", o.Where.DC, o.Where.Key)
	case OutSend:
		add("call %d, %s", o.Call.ID, o.Call.Method)
		if o.Call.DC != 0 {
			add("%v", o.Call.DC)
		}
	case OutEnd:
		add("call %d, %s: %v", o.Call.ID, o.Call.Method, o.Err)
	case OutCall:
		add("%s for %v", o.Call.Method, o.Call.Purpose)
	case OutRecall:
		if add("%s", o.Method); o.Method == "" {
			parts[0] = "every method"
		}
	case OutErase:
		if add("all but the account"); o.All {
			parts[0] = "all"
		}
		if o.Unasked {
			add("unasked")
		}
	case OutRotate:
		add("round %d", o.Round)
	case OutReply:
		add("%d: %v", o.Request, o.Err)
	case OutClose:
		add("%v", o.Err)
	}
	if o.Must {
		add("must")
	}
	if len(parts) == 0 {
		return o.Kind.String()
	}
	return fmt.Sprintf("%v{%s}", o.Kind, strings.Join(parts, ", "))
}

// GoString is String.
func (o Output) GoString() string { return o.String() }

// A Request names what the owner asked for, between the machine and its
// driver. The driver chooses it.
type Request uint64

// Changes are what an OutSave wants on disk, in one commit.
type Changes struct {
	// Account: the account's own record has changed (Machine.Snapshot).
	Account bool
	// Put and Delete are waits; none is in both.
	Put, Delete []Wait
	// LoginOver: the login's record is deleted in the same commit.
	LoginOver bool
	// Fresh: a new login begins with nothing of an earlier one: the place of
	// updates and the standing of guests are deleted in the same commit.
	Fresh bool
}

// String lists the changes.
func (c Changes) String() string {
	var parts []string
	if c.Account {
		parts = append(parts, "account")
	}
	if c.LoginOver {
		parts = append(parts, "the login is over")
	}
	if c.Fresh {
		parts = append(parts, "fresh")
	}
	for _, w := range c.Put {
		parts = append(parts, w.String())
	}
	for _, w := range c.Delete {
		parts = append(parts, "no more "+w.String())
	}
	return strings.Join(parts, ", ")
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
	// Length is how long it lasts. Zero when only the end was recorded (by
	// earlier versions): Start is the end then.
	Length time.Duration
	Why    string // the server's words
}

// String names what is held and for how long.
func (w Wait) String() string {
	what := w.Method
	switch w.Scope {
	case ScopeAccount:
		what = "the account"
	case ScopeSubject:
		what += " about a subject"
	}
	return fmt.Sprintf("wait of %v for %s", w.Length, what)
}

// same reports whether two waits hold the same: the later replaces the other.
func (w *Wait) same(o *Wait) bool {
	return w.Scope == o.Scope && w.Method == o.Method && w.Subject == o.Subject
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

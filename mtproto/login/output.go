package login

import (
	"fmt"

	"github.com/mtfleet/mtfleet/mtproto/dc"
	"github.com/mtfleet/mtfleet/tl"
)

// An OutputKind says what an [Output] asks for.
type OutputKind uint8

const (
	// OutCall asks to run Query on DC, which is the home by now (zero: nobody
	// told the machine which that is); Once says that the server must not run it
	// twice. Answer with Call: Result, Failed or Lost.
	OutCall OutputKind = iota + 1
	// OutMigrate asks to make DC the home: stop what runs on the old one, make
	// keys on the new one. Answer: Migrated.
	OutMigrate
	// OutAsk carries the Step to show. Answer: Input, some time.
	OutAsk
	// OutSave carries the Snapshot to store in place of the last one. Durable.
	OutSave
	// OutDone carries the Authorization, and the Step that says so. The account is to be stored as signed
	// in and the snapshot deleted, in one commit. Durable.
	OutDone
	// OutWork asks to run Work.Do elsewhere, off the owner's goroutine. Answer:
	// Worked. It is never owed: a process that dies asks again.
	OutWork
	// OutFailed carries the Err that ended the sign-in, and the Step that says
	// so. The snapshot is to be
	// deleted. Durable.
	OutFailed
)

var outputNames = [...]string{
	OutCall:    "Call",
	OutMigrate: "Migrate",
	OutAsk:     "Ask",
	OutSave:    "Save",
	OutDone:    "Done",
	OutWork:    "Work",
	OutFailed:  "Failed",
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
	Kind          OutputKind
	Call          CallID         // OutCall
	Query         tl.Object      // OutCall
	Once          bool           // OutCall
	DC            dc.ID          // OutMigrate, OutCall
	Work          Work           // OutWork
	Step          Step           // OutAsk, OutDone, OutFailed
	Snapshot      Snapshot       // OutSave
	Authorization *Authorization // OutDone
	Err           *Error         // OutFailed
}

// A CallID tells answers apart: one that belongs to an older call is ignored.
type CallID uint32

// Durable reports whether the output must be on disk before the next is
// taken.
func (o Output) Durable() bool {
	return o.Kind == OutSave || o.Kind == OutDone || o.Kind == OutFailed
}

// String tells the output without any secret.
func (o Output) String() string {
	switch o.Kind {
	case OutCall:
		once := ""
		if o.Once {
			once = ", once"
		}
		return fmt.Sprintf("Call{%s%s}", o.Query.TypeName(), once)
	case OutMigrate:
		return fmt.Sprintf("Migrate{%v}", o.DC)
	case OutAsk:
		return fmt.Sprintf("Ask{%s}", o.Step.Kind)
	case OutSave:
		return fmt.Sprintf("Save{%v}", o.Snapshot)
	case OutDone:
		return fmt.Sprintf("Done{%v}", o.Authorization)
	case OutFailed:
		return fmt.Sprintf("Failed{%s}", o.Err.Reason)
	}
	return o.Kind.String()
}

// GoString is String.
func (o Output) GoString() string { return o.String() }

// An Authorization is what a successful sign-in brings.
type Authorization struct {
	// UserID is the account's id.
	UserID int64
	// IsBot tells bots from people.
	IsBot bool
	// Phone is the account's number, digits only; empty when the server did not
	// say, and for bots.
	Phone string
	// Name and Username are how the account calls itself; both may be empty.
	Name, Username string
	// FutureAuthToken can stand for a code at the next sign-in; nil when the
	// server gave none. It is a secret.
	FutureAuthToken []byte
	// TmpSessions is how many main sessions the server grants, 0 for one.
	TmpSessions int
	// SetupPasswordRequired says that the server wants a two-step password to
	// be set; without, the next sign-in by SMS must wait for ReloginDays.
	SetupPasswordRequired bool
	ReloginDays           int
}

// String names the user's id and nothing secret.
func (a *Authorization) String() string {
	if a == nil {
		return "nobody"
	}
	kind := "user"
	if a.IsBot {
		kind = "bot"
	}
	return fmt.Sprintf("%s %d", kind, a.UserID)
}

// GoString is String.
func (a *Authorization) GoString() string { return a.String() }

package foreign

import (
	"fmt"
	"strings"
)

// Reason is why a foreign session was refused, for programs; Error has the words.
type Reason string

// The reasons.
const (
	ReasonUnrecognised Reason = "unrecognised" // no format that is known here
	ReasonAmbiguous    Reason = "ambiguous"    // more than one format fits; Candidates has them
	ReasonOtherDoor    Reason = "other_door"   // recognised, and to be handed in another way: the text says how
	ReasonUnreadable   Reason = "unreadable"   // recognised, and not read by this program: the text says what to do instead
	ReasonTooLarge     Reason = "too_large"    // beyond a limit of this package
	ReasonMalformed    Reason = "malformed"    // damaged, cut short, or of another version
	ReasonVersion      Reason = "version"      // a version of the format that is not known here
	ReasonDC           Reason = "dc"           // not a DC on which accounts live
	ReasonKey          Reason = "key"          // no key, a key of another size, or one of zeros
	ReasonKeyID        Reason = "key_id"       // the key is not the one whose id stands beside it
	ReasonNoAccount    Reason = "no_account"   // nobody is signed in there
	ReasonMissing      Reason = "missing"      // to be written, and the session lacks what the format needs
	ReasonNotWritten   Reason = "not_written"  // to be written, and this package only reads the format
)

// Error says why something is not a foreign session, or cannot be written as one. It is one line and has no part of the
// input in it.
type Error struct {
	Format     Format // "" where none was recognised
	Reason     Reason
	Where      string // the part that is wrong: a field, a file; "" for the whole
	What       string // what is wrong with it, and what to do
	Candidates []Format
}

// Error names the format, the place and what is wrong there.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString("foreign session")
	if e.Format != "" {
		b.WriteString(" (" + string(e.Format) + ")")
	}
	if e.Where != "" {
		b.WriteString(": " + e.Where)
	}
	b.WriteString(": " + e.What)
	return b.String()
}

// PasscodeError says that a tdata folder is locked by a passcode and was not opened.
type PasscodeError struct {
	Needed bool // no passcode was given; else the one given is wrong
}

// Error says what to do.
func (e *PasscodeError) Error() string {
	if e.Needed {
		return "foreign session (tdata): it is locked with a local passcode: give the passcode that Telegram Desktop asks for when it starts"
	}
	return "foreign session (tdata): the local passcode is wrong: it is the one that Telegram Desktop asks for when it starts, not the two-step password"
}

func bad(f Format, r Reason, where, what string, args ...any) *Error {
	return &Error{Format: f, Reason: r, Where: where, What: fmt.Sprintf(what, args...)}
}

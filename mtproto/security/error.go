package security

import (
	"time"

	"github.com/mtfleet/mtfleet/mtproto/tgerr"
)

// A Reason says why something about an account's safety was refused.
type Reason string

const (
	// ReasonInput: what was given makes no sense. Nothing was sent.
	ReasonInput Reason = "input"
	// ReasonPassword: the two-step password is wrong, or was not given.
	ReasonPassword Reason = "password"
	// ReasonNone: there is no such thing: no password, no reset under way, no
	// session or passkey of that name.
	ReasonNone Reason = "none"
	// ReasonChanged: the password was changed by somebody else meanwhile.
	ReasonChanged Reason = "changed"
	// ReasonPassport: personal documents hang on the password and would be lost.
	ReasonPassport Reason = "passport"
	// ReasonCode: the mailed code is wrong.
	ReasonCode Reason = "code"
	// ReasonExpired: the code, link or challenge is over; ask for another.
	ReasonExpired Reason = "expired"
	// ReasonUsed: the login link was accepted already.
	ReasonUsed Reason = "used"
	// ReasonLink: this is no login link, or the server does not take it.
	ReasonLink Reason = "link"
	// ReasonEmail: the server does not take this e-mail address.
	ReasonEmail Reason = "email"
	// ReasonDays: the server does not take this number of days.
	ReasonDays Reason = "days"
	// ReasonFresh: this session is too young for it; Until says when it is not.
	ReasonFresh Reason = "fresh"
	// ReasonCredential: the server does not take this passkey.
	ReasonCredential Reason = "credential"
	// ReasonDenied: the server does not let this account do it.
	ReasonDenied Reason = "denied"
	// ReasonHostile: the server offered what would give the password away.
	// Nothing was sent.
	ReasonHostile Reason = "hostile_server"
	// ReasonUnsupported: this version does not know how the password is kept.
	ReasonUnsupported Reason = "unsupported"
	// ReasonServer: the server answered what makes no sense.
	ReasonServer Reason = "server"
)

// An Error refuses something about an account's safety.
type Error struct {
	// Reason is for programs.
	Reason Reason
	// Message is for people: what is wrong and what to do about it.
	Message string
	// Until is when it can be tried again, where that is known.
	Until time.Time
	// Err is the server's own error, if there was one.
	Err error
}

// Error is one line for people, without the name of this package.
func (e *Error) Error() string { return tgerr.Sentence(e.Message, e.Until, e.Err) }

// Unwrap gives the server's own error.
func (e *Error) Unwrap() error { return e.Err }

func refuse(r Reason, message string) *Error { return &Error{Reason: r, Message: message} }

package actors

import (
	"errors"
	"time"

	"github.com/mtfleet/mtfleet/actors/account"
	"github.com/mtfleet/mtfleet/mtproto/login"
	"github.com/mtfleet/mtfleet/mtproto/security"
	"github.com/mtfleet/mtfleet/mtproto/standing"
	"github.com/mtfleet/mtfleet/mtproto/tgerr"
)

// This file is the errors of calls, wishes and sign-ins, for errors.As. The
// server's own error is a *tgerr.Error; whether a call may have run is said by
// ErrNotSent and ErrMayHaveRun.

// StateError ends a call, or refuses a wish, that an account in this state
// cannot take. Nothing was sent.
type StateError struct {
	State State
	Why   string // as Status.Why, in plain words
}

func (e *StateError) Error() string {
	return (&standing.StateError{State: standing.State(e.State), Why: e.Why}).Error()
}

// NotSent reports that the server did not execute the call.
func (e *StateError) NotSent() bool { return true }

// WaitError ends a call that the server ordered to wait. Nothing more is sent
// for this method before Until, also after a restart, unless Err is a wait of
// this call's target alone.
type WaitError struct {
	Method string
	Until  time.Time // local time
	Err    error     // the server's error, nil when the wait was remembered
}

func (e *WaitError) Error() string { return (*standing.WaitError)(e).Error() }

// Unwrap returns the server's own error.
func (e *WaitError) Unwrap() error { return e.Err }

// WaitUntil returns Until.
func (e *WaitError) WaitUntil() time.Time { return e.Until }

// NotSent reports that the server did not execute the call.
func (e *WaitError) NotSent() bool { return true }

// BusyError ends a call that found too many under way for the account, or held
// for a DC that is not ready. Nothing was sent.
type BusyError struct {
	// Limit is how many calls there are.
	Limit int
	// Bytes is how large they may be together, when that is what is in the way.
	Bytes int
}

func (e *BusyError) Error() string { return (*account.BusyError)(e).Error() }

// NotSent reports that the server did not execute the call.
func (e *BusyError) NotSent() bool { return true }

// ReservedError refuses a call that is the manager's own to make: one that
// would change a login, its keys or a connection behind its back. Nothing was
// sent.
type ReservedError struct {
	// Method is the query, or the one inside the wrapper that was given.
	Method string
	// Instead says what to do.
	Instead string
}

func (e *ReservedError) Error() string { return (*standing.ReservedError)(e).Error() }

// NotSent reports that the server did not execute the call.
func (e *ReservedError) NotSent() bool { return true }

// RotateError says why an account's temp keys were not replaced, where neither its
// state nor a wait is the reason: PFS is off, or the connections were closed.
type RotateError struct{ Err error }

func (e *RotateError) Error() string { return (*standing.RotateError)(e).Error() }

// Unwrap returns the reason.
func (e *RotateError) Unwrap() error { return e.Err }

// SignInError ends a sign-in, or refuses an answer.
type SignInError struct {
	// Reason is for programs.
	Reason SignInReason
	// Message is for people: what is wrong and what to do about it.
	Message string
	// Retry says whether the same attempt, begun anew, may succeed; not before
	// Until, if that is set.
	Retry bool
	// Until is the end of a wait, in local time.
	Until time.Time
	// Account is the other account, of SignInAlready; empty where it is not known.
	Account string
	// Err is the server's own error, if there was one.
	Err error
}

func (e *SignInError) Error() string { return tgerr.Sentence(e.Message, e.Until, e.Err) }

// Unwrap returns the server's own error.
func (e *SignInError) Unwrap() error { return e.Err }

// A SignInReason says why a sign-in failed or an answer was refused.
type SignInReason string

const (
	// SignInCanceled: somebody cancelled it.
	SignInCanceled SignInReason = "canceled"
	// SignInPhone: the phone number cannot be one.
	SignInPhone SignInReason = "phone"
	// SignInBanned: the number or the account is banned or deleted.
	SignInBanned SignInReason = "banned"
	// SignInFlood: too many attempts for this number.
	SignInFlood SignInReason = "flood"
	// SignInSignUp: the number has no account, and making one is refused.
	SignInSignUp SignInReason = "sign_up"
	// SignInConfig: the operator's api_id, api_hash or device info is wrong.
	SignInConfig SignInReason = "config"
	// SignInToken: the bot token is wrong or was revoked.
	SignInToken SignInReason = "token"
	// SignInMigrate: the server sent us from DC to DC, or to one nobody knows.
	SignInMigrate SignInReason = "migrate"
	// SignInChallenge: the server wants proof only an official app can give.
	SignInChallenge SignInReason = "challenge"
	// SignInOther: the server signed us in as somebody else.
	SignInOther SignInReason = "other_user"
	// SignInAlready: this user is signed in here, in another account.
	SignInAlready SignInReason = "already_signed_in"
	// SignInExpired: nobody came, or it took too long.
	SignInExpired SignInReason = "expired"
	// SignInCredential: the server does not take this passkey.
	SignInCredential SignInReason = "credential"
	// SignInHostile: the server offered what would give the password away.
	SignInHostile SignInReason = "hostile_server"
	// SignInSession: the session that was brought in is nobody's any more.
	SignInSession SignInReason = "session"
	// SignInServer: the server failed or answered what makes no sense.
	SignInServer SignInReason = "server"
	// SignInAnswer: this answer does not fit the step.
	SignInAnswer SignInReason = "answer"
	// SignInStale: the step that was answered is over.
	SignInStale SignInReason = "stale"
	// SignInEarly: this may be asked again later; Until says when.
	SignInEarly SignInReason = "early"
	// SignInUnsupported: this version cannot take the step.
	SignInUnsupported SignInReason = "unsupported"
)

// SecurityError says why something about an account's safety was refused.
type SecurityError struct {
	// Reason is for programs.
	Reason SecurityReason
	// Message is for people: what is wrong and what to do about it.
	Message string
	// Until is when it can be tried again, where that is known.
	Until time.Time
	// Err is the server's own error, if there was one.
	Err error
}

func (e *SecurityError) Error() string { return tgerr.Sentence(e.Message, e.Until, e.Err) }

// Unwrap returns the server's own error.
func (e *SecurityError) Unwrap() error { return e.Err }

// A SecurityReason says why something about an account's safety was refused.
type SecurityReason string

const (
	// SecurityInput: what was given makes no sense. Nothing was sent.
	SecurityInput SecurityReason = "input"
	// SecurityPassword: the two-step password is wrong, or was not given.
	SecurityPassword SecurityReason = "password"
	// SecurityNone: there is no such thing: no password, no reset under way, no
	// session or passkey of that name.
	SecurityNone SecurityReason = "none"
	// SecurityChanged: the password was changed by somebody else meanwhile.
	SecurityChanged SecurityReason = "changed"
	// SecurityPassport: personal documents hang on the password and would be lost.
	SecurityPassport SecurityReason = "passport"
	// SecurityCode: the mailed code is wrong.
	SecurityCode SecurityReason = "code"
	// SecurityExpired: the code, link or challenge is over; ask for another.
	SecurityExpired SecurityReason = "expired"
	// SecurityUsed: the login link was accepted already.
	SecurityUsed SecurityReason = "used"
	// SecurityLink: this is no login link, or the server does not take it.
	SecurityLink SecurityReason = "link"
	// SecurityEmail: the server does not take this e-mail address.
	SecurityEmail SecurityReason = "email"
	// SecurityDays: the server does not take this number of days.
	SecurityDays SecurityReason = "days"
	// SecurityFresh: this session is too young for it; Until says when it is not.
	SecurityFresh SecurityReason = "fresh"
	// SecurityCredential: the server does not take this passkey.
	SecurityCredential SecurityReason = "credential"
	// SecurityDenied: the server does not let this account do it.
	SecurityDenied SecurityReason = "denied"
	// SecurityHostile: the server offered what would give the password away.
	// Nothing was sent.
	SecurityHostile SecurityReason = "hostile_server"
	// SecurityUnsupported: this version does not know how the password is kept.
	SecurityUnsupported SecurityReason = "unsupported"
	// SecurityServer: the server answered what makes no sense.
	SecurityServer SecurityReason = "server"
)

// own puts what this package calls an error of the rooms below in its place; one
// that is deeper in the tree of another gets it as a neighbour. The text is the
// same.
func own(err error) error {
	if err == nil {
		return nil
	}
	var as []error
	itself := false
	add := func(theirs, ours error) { as, itself = append(as, ours), itself || err == theirs }
	if e := (*standing.StateError)(nil); errors.As(err, &e) {
		add(e, &StateError{State(e.State), e.Why})
	}
	if e := (*standing.WaitError)(nil); errors.As(err, &e) {
		add(e, (*WaitError)(e))
	}
	if e := (*account.BusyError)(nil); errors.As(err, &e) {
		add(e, (*BusyError)(e))
	}
	if e := (*standing.RotateError)(nil); errors.As(err, &e) {
		add(e, (*RotateError)(e))
	}
	if e := (*standing.ReservedError)(nil); errors.As(err, &e) {
		add(e, (*ReservedError)(e))
	}
	if e := (*login.Error)(nil); errors.As(err, &e) {
		add(e, &SignInError{SignInReason(e.Reason), e.Message, e.Retry, e.Until, e.Account, e.Err})
	}
	if e := (*security.Error)(nil); errors.As(err, &e) {
		add(e, &SecurityError{SecurityReason(e.Reason), e.Message, e.Until, e.Err})
	}
	switch {
	case len(as) == 0:
		return err
	case len(as) == 1 && itself:
		return as[0]
	}
	// The rooms' own is first: what it says of the call's fate goes for it.
	return &localError{err.Error(), append([]error{err}, as...)}
}

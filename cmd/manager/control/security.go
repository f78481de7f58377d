package control

import (
	"encoding/json"
	"errors"
	"strings"
	"time"

	"github.com/mtfleet/mtfleet/actors"
	"github.com/mtfleet/mtfleet/mtproto/tgerr"
)

// PasswordRequest changes an account's two-step password; actors.PasswordChange
// documents the fields.
type PasswordRequest struct {
	ID           string  `json:"id"`
	Current      string  `json:"current,omitempty"`
	New          string  `json:"new,omitempty"`
	Hint         string  `json:"hint,omitempty"`
	Remove       bool    `json:"remove,omitempty"`
	Email        *string `json:"email,omitempty"`
	LosePassport bool    `json:"lose_passport,omitempty"`
}

// String names the account alone.
func (r PasswordRequest) String() string { return "two-step password of " + r.ID }

// GoString is String.
func (r PasswordRequest) GoString() string { return r.String() }

// RecoveryEmailRequest names an account and gives its two-step password.
type RecoveryEmailRequest struct {
	ID      string `json:"id"`
	Current string `json:"current,omitempty"`
}

// String names the account alone.
func (r RecoveryEmailRequest) String() string { return "recovery e-mail of " + r.ID }

// GoString is String.
func (r RecoveryEmailRequest) GoString() string { return r.String() }

// CodeRequest gives a mailed code.
type CodeRequest struct {
	ID   string `json:"id"`
	Code string `json:"code"`
}

// String names the account alone.
func (r CodeRequest) String() string { return "mailed code of " + r.ID }

// GoString is String.
func (r CodeRequest) GoString() string { return r.String() }

// RecoverRequest replaces a forgotten password by a mailed code; without New it is
// removed.
type RecoverRequest struct {
	ID           string `json:"id"`
	Code         string `json:"code"`
	New          string `json:"new,omitempty"`
	Hint         string `json:"hint,omitempty"`
	LosePassport bool   `json:"lose_passport,omitempty"`
}

// String names the account alone.
func (r RecoverRequest) String() string { return "recovery of " + r.ID }

// GoString is String.
func (r RecoverRequest) GoString() string { return r.String() }

// Email is an e-mail address, or the pattern of one; empty when there is none.
type Email struct {
	Email string `json:"email"`
}

// SessionRequest names a session of an account.
type SessionRequest struct {
	ID      string `json:"id"`
	Session string `json:"session"`
}

// TerminateRequest names a session of an account to end, or all others.
type TerminateRequest struct {
	ID      string `json:"id"`
	Session string `json:"session,omitempty"`
	Others  bool   `json:"others,omitempty"`
}

// TTLRequest sets the lifetime of silent sessions.
type TTLRequest struct {
	ID   string `json:"id"`
	Days int    `json:"days"`
}

// AcceptRequest is a QR code's link or token.
type AcceptRequest struct {
	ID   string `json:"id"`
	Link string `json:"link"`
}

// String names the account alone.
func (r AcceptRequest) String() string { return "QR sign-in by " + r.ID }

// GoString is String.
func (r AcceptRequest) GoString() string { return r.String() }

// PasskeyRequest names a passkey of an account.
type PasskeyRequest struct {
	ID      string `json:"id"`
	Passkey string `json:"passkey"`
}

// PasskeyList is all passkeys of an account.
type PasskeyList struct {
	Passkeys []actors.PasskeyInfo `json:"passkeys"`
}

// PasskeyOptions is what navigator.credentials.create takes.
type PasskeyOptions struct {
	Options json.RawMessage `json:"options"`
}

// FinishPasskeyRequest is what navigator.credentials.create answered.
type FinishPasskeyRequest struct {
	ID         string          `json:"id"`
	Credential json.RawMessage `json:"credential"`
}

// classifySecurity sorts what was refused about an account's safety. What has no
// error of the server was refused here, before anything was sent.
func classifySecurity(err error) (Kind, time.Time, bool) {
	var e *actors.SecurityError
	if !errors.As(err, &e) {
		return "", time.Time{}, false
	}
	switch e.Reason {
	case actors.SecurityFresh:
		return KindWait, e.Until, true
	case actors.SecurityNone, actors.SecurityPassport, actors.SecurityUnsupported:
		return KindState, e.Until, true
	case actors.SecurityServer:
		return KindServer, e.Until, true
	case actors.SecurityInput:
		return KindInvalid, e.Until, true
	case actors.SecurityPassword, actors.SecurityLink, actors.SecurityDays:
		if e.Err == nil {
			return KindInvalid, e.Until, true
		}
	}
	return KindRefused, e.Until, true
}

// plainSecurity is such a refusal in words; the time is told beside it.
func plainSecurity(err error) (string, bool) {
	var e *actors.SecurityError
	if !errors.As(err, &e) {
		return "", false
	}
	if server, ok := tgerr.As(e.Err); ok && strings.Contains(server.Error(), server.Type) {
		return e.Message + " (the server said " + server.Type + ")", true
	}
	return e.Message, true
}

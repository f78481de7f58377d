package login

import (
	"time"

	"github.com/mtfleet/mtfleet/mtproto/tgerr"
)

// A Reason says why a sign-in failed or an answer was refused.
type Reason string

const (
	// ReasonCanceled: somebody cancelled it.
	ReasonCanceled Reason = "canceled"
	// ReasonPhone: the phone number cannot be one.
	ReasonPhone Reason = "phone"
	// ReasonBanned: the number or the account is banned or deleted.
	ReasonBanned Reason = "banned"
	// ReasonFlood: too many attempts for this number.
	ReasonFlood Reason = "flood"
	// ReasonSignUp: the number has no account, and making one is refused.
	ReasonSignUp Reason = "sign_up"
	// ReasonConfig: the operator's api_id, api_hash or device info is wrong.
	ReasonConfig Reason = "config"
	// ReasonToken: the bot token is wrong or was revoked.
	ReasonToken Reason = "token"
	// ReasonMigrate: the server sent us from DC to DC, or to one nobody knows.
	ReasonMigrate Reason = "migrate"
	// ReasonChallenge: the server wants proof only an official app can give.
	ReasonChallenge Reason = "challenge"
	// ReasonOther: the server signed us in as somebody else.
	ReasonOther Reason = "other_user"
	// ReasonAlready: this user is signed in here, in another account.
	ReasonAlready Reason = "already_signed_in"
	// ReasonExpired: nobody came, or it took too long.
	ReasonExpired Reason = "expired"
	// ReasonCredential: the server does not take this passkey.
	ReasonCredential Reason = "credential"
	// ReasonHostile: the server offered what would give the password away.
	ReasonHostile Reason = "hostile_server"
	// ReasonSession: the session that was brought in is nobody's any more.
	ReasonSession Reason = "session"
	// ReasonServer: the server failed or answered what makes no sense.
	ReasonServer Reason = "server"
	// ReasonAnswer: this answer does not fit the step.
	ReasonAnswer Reason = "answer"
	// ReasonStale: the step that was answered is over.
	ReasonStale Reason = "stale"
	// ReasonEarly: this may be asked again later; Until says when.
	ReasonEarly Reason = "early"
	// ReasonUnsupported: this version cannot take the step.
	ReasonUnsupported Reason = "unsupported"
)

// An Error ends a sign-in, or refuses an answer.
type Error struct {
	// Reason is for programs.
	Reason Reason
	// Message is for people: what is wrong and what to do about it.
	Message string
	// Retry says whether the same attempt, begun anew, may succeed; not before
	// Until, if that is set.
	Retry bool
	// Until is the end of a wait, in local time.
	Until time.Time
	// Account is the other account, of ReasonAlready; empty where it is not known.
	Account string
	// Err is the server's own error, if there was one.
	Err error
}

// Error is one line for people, without the name of this package.
func (e *Error) Error() string { return tgerr.Sentence(e.Message, e.Until, e.Err) }

// Unwrap gives the server's own error.
func (e *Error) Unwrap() error { return e.Err }

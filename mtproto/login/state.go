package login

import "fmt"

// A State is where a sign-in stands.
//
//	New ─► Sending ─► WaitCode ─► SigningIn ─► Done
//	         │ ▲         │ ▲        │   │
//	         │ └─WaitNewCode◄───────┤   ├─► WaitPassword
//	         ▼                      │   └─► WaitSignUp ─► SigningUp ─► Done
//	       WaitPhone                ▼
//	New ─► Importing ─► Done     Probing
//
// Any call may pass through Waiting (a wait before it is repeated), the first
// ones through Migrating; a cancel passes through Canceling or LoggingOut and
// ends in Failed.
type State uint8

const (
	// StateNew: nothing was sent. Left by Start.
	StateNew State = iota

	// StateSending: auth.sendCode or auth.resendCode is under way. Left by its
	// answer.
	StateSending

	// StateWaitPhone: the server does not take the number. Left when the human
	// gives another one.
	StateWaitPhone

	// StateWaitCode: a code is on its way to the human. Left when they type
	// it, ask for another, give another number or cancel.
	StateWaitCode

	// StateWaitNewCode: there is no valid code: it expired, or the answer to
	// the request for one was lost. Another is sent when the human asks, and
	// only then.
	StateWaitNewCode

	// StateSigningIn: auth.signIn is under way. Left by its answer; when that
	// is lost, to Probing.
	StateSigningIn

	// StateWaitSignUp: the code was right and the number has no account. Left
	// by a name, where signing up is allowed.
	StateWaitSignUp

	// StateSigningUp: auth.signUp is under way.
	StateSigningUp

	// StateWaitPassword: the code was right and the account has a two-step
	// password, which this version cannot answer. Left by cancel.
	StateWaitPassword

	// StateWaitEmail: the server wants a login e-mail or a code from one,
	// which this version cannot answer. Left by cancel or another number.
	StateWaitEmail

	// StateWaitPayment: the server wants this sign-in to be paid for, which
	// this project does not do. Left by cancel or another number.
	StateWaitPayment

	// StateImporting: auth.importBotAuthorization is under way.
	StateImporting

	// StateProbing: it is not known whether the last query signed us in;
	// users.getUsers asks. Left by its answer.
	StateProbing

	// StateMigrating: the account lives on another DC and the driver is moving
	// there. Left by Migrated.
	StateMigrating

	// StateWaiting: the last query is repeated when a wait is over: one the
	// server imposed, or a backoff. Left by Advance at the deadline.
	StateWaiting

	// StateCanceling: auth.cancelCode is under way, after a cancel or before
	// another number is tried. Its answer does not matter.
	StateCanceling

	// StateLoggingOut: the sign-in succeeded, wholly or by half, after it had
	// been cancelled, or as somebody else; auth.logOut takes it back.
	StateLoggingOut

	// StateDone: signed in. Final.
	StateDone

	// StateFailed: given up; the error says why. Final.
	StateFailed
)

var stateNames = [...]string{
	StateNew:          "new",
	StateSending:      "sending",
	StateWaitPhone:    "wait-phone",
	StateWaitCode:     "wait-code",
	StateWaitNewCode:  "wait-new-code",
	StateSigningIn:    "signing-in",
	StateWaitSignUp:   "wait-sign-up",
	StateSigningUp:    "signing-up",
	StateWaitPassword: "wait-password",
	StateWaitEmail:    "wait-email",
	StateWaitPayment:  "wait-payment",
	StateImporting:    "importing",
	StateProbing:      "probing",
	StateMigrating:    "migrating",
	StateWaiting:      "waiting",
	StateCanceling:    "canceling",
	StateLoggingOut:   "logging-out",
	StateDone:         "done",
	StateFailed:       "failed",
}

// String is the state's name; it is also how the state is stored.
func (s State) String() string {
	if int(s) < len(stateNames) {
		return stateNames[s]
	}
	return fmt.Sprintf("state %d", uint8(s))
}

// MarshalText gives the name.
func (s State) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText reads the name, and refuses one it does not know: a later
// version may have written it.
func (s *State) UnmarshalText(text []byte) error {
	for i, name := range stateNames {
		if name == string(text) {
			*s = State(i)
			return nil
		}
	}
	return fmt.Errorf("unknown state %q", text)
}

// A call is one of the queries the machine makes. The names are stored.
type call string

const (
	callNone       call = ""
	callSendCode   call = "sendCode"
	callResendCode call = "resendCode"
	callCancelCode call = "cancelCode"
	callSignIn     call = "signIn"
	callSignUp     call = "signUp"
	callImportBot  call = "importBotAuthorization"
	callProbe      call = "getUsers"
	callLogOut     call = "logOut"
)

// stateOf says which state goes with a call under way.
var stateOf = map[call]State{
	callSendCode:   StateSending,
	callResendCode: StateSending,
	callCancelCode: StateCanceling,
	callSignIn:     StateSigningIn,
	callSignUp:     StateSigningUp,
	callImportBot:  StateImporting,
	callProbe:      StateProbing,
	callLogOut:     StateLoggingOut,
}

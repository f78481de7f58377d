package login

import "fmt"

// A State is where a sign-in stands. The shell's come first, then each flow's;
// doc.go has the picture. A call under way has a state of its own, and so has
// each thing a human is asked: no state is a combination of fields.
type State uint8

// The states of the shell, which every flow passes through.
const (
	// StateNew: nothing was sent. Left by Start.
	StateNew State = iota

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
	// been cancelled, or as somebody else, or cannot be finished; auth.logOut
	// takes it back.
	StateLoggingOut

	// StateDone: signed in. Final.
	StateDone

	// StateFailed: given up; the error says why. Final.
	StateFailed
)

// The states of a sign-in by phone.
const (
	// StateSending: auth.sendCode or auth.resendCode is under way. Left by its
	// answer.
	StateSending State = iota + 20

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
	// is lost, to StateProbing.
	StateSigningIn

	// StateReporting: auth.reportMissingCode is under way. Left by its answer,
	// whatever it is, back to StateWaitCode.
	StateReporting

	// StateWaitFirebase: the text message is sent once the device has proved
	// itself to Firebase, which happens outside. Left by the proof, by asking
	// for another way, or by a code that came all the same.
	StateWaitFirebase

	// StateRequestingSMS: auth.requestFirebaseSms is under way with that proof.
	StateRequestingSMS

	// StateWaitPayment: the server wants this sign-in to be paid for, which is
	// done outside. Left when the human says that it was, by cancel or another
	// number.
	StateWaitPayment

	// StateCheckingPayment: auth.checkPaidAuth asks whether it was.
	StateCheckingPayment

	// StateWaitSignUp: the first factor was right and there is no account. Left
	// by a name, where signing up is allowed.
	StateWaitSignUp

	// StateSigningUp: auth.signUp or auth.firebasePnvSignUp is under way.
	StateSigningUp
)

// The states of the login e-mail, a tail of the sign-in by phone.
const (
	// StateWaitEmailAddress: the server wants a login e-mail to be set up
	// first. Left by an address, or by a token of Apple or Google.
	StateWaitEmailAddress State = iota + 40

	// StateMailing: account.sendVerifyEmailCode is under way.
	StateMailing

	// StateWaitEmailSetup: a code is on its way to the new address. Left when it
	// is typed, or another address is given.
	StateWaitEmailSetup

	// StateVerifying: account.verifyEmail is under way. Its answer holds what
	// comes next, as an answer of auth.sendCode does.
	StateVerifying

	// StateWaitEmailCode: the login code went to the login e-mail. Left when it
	// is typed, or its owner has no access to the mailbox any more.
	StateWaitEmailCode

	// StateResettingEmail: auth.resetLoginEmail is under way.
	StateResettingEmail
)

// The states of the two-step password, a tail of every flow but the bot's.
const (
	// StateGettingPassword: account.getPassword is under way, for the hint and
	// for what one try needs.
	StateGettingPassword State = iota + 60

	// StateWaitPassword: the first factor was right and the account has a
	// two-step password. Left by the password, by forgetting it, or by cancel.
	StateWaitPassword

	// StateProving: the proof of the password is being computed. It is never
	// stored: after a restart the password is asked for again.
	StateProving

	// StateCheckingPassword: auth.checkPassword is under way.
	StateCheckingPassword

	// StateRequestingRecovery: auth.requestPasswordRecovery is under way.
	StateRequestingRecovery

	// StateWaitRecovery: a code is on its way to the recovery e-mail. Left when
	// it is typed, or the password is remembered.
	StateWaitRecovery

	// StateCheckingRecovery: auth.checkRecoveryPassword is under way.
	StateCheckingRecovery

	// StateWaitNewPassword: that code was right. Left by a new password, or by
	// the decision to have none.
	StateWaitNewPassword

	// StateRecovering: auth.recoverPassword is under way.
	StateRecovering
)

// The states of a sign-in by QR code.
const (
	// StateExporting: auth.exportLoginToken is under way.
	StateExporting State = iota + 80

	// StateWaitScan: a QR code is shown. Left before it expires, or when the
	// server pushes updateLoginToken.
	StateWaitScan

	// StateImportingToken: auth.importLoginToken is under way, at the DC of the
	// account that scanned.
	StateImportingToken
)

// The states of the other flows.
const (
	// StateImporting: auth.importBotAuthorization is under way.
	StateImporting State = iota + 100

	// StateWaitToken: the bot token is needed again, for it is never stored.
	StateWaitToken

	// StateImportingWeb: auth.importWebTokenAuthorization is under way.
	StateImportingWeb

	// StateWaitWebToken: another link of a web client is needed: the last was
	// not stored, or has expired.
	StateWaitWebToken

	// StateGettingChallenge: auth.initPasskeyLogin is under way.
	StateGettingChallenge

	// StateWaitPasskey: the challenge is with the authenticator. Left by its
	// assertion.
	StateWaitPasskey

	// StateFinishingPasskey: auth.finishPasskeyLogin is under way.
	StateFinishingPasskey

	// StateStartingPNV: auth.initFirebasePnvLogin is under way.
	StateStartingPNV

	// StateWaitPNV: the carrier is asked for the number, which happens outside.
	// Left by the token that comes of it.
	StateWaitPNV

	// StateFinishingPNV: auth.finishFirebasePnvLogin is under way.
	StateFinishingPNV

	// StateIdentifying: users.getUsers asks whose session it is that was brought
	// in.
	StateIdentifying
)

var stateNames = map[State]string{
	StateNew:        "new",
	StateProbing:    "probing",
	StateMigrating:  "migrating",
	StateWaiting:    "waiting",
	StateCanceling:  "canceling",
	StateLoggingOut: "logging-out",
	StateDone:       "done",
	StateFailed:     "failed",

	StateSending:         "sending",
	StateWaitPhone:       "wait-phone",
	StateWaitCode:        "wait-code",
	StateWaitNewCode:     "wait-new-code",
	StateSigningIn:       "signing-in",
	StateReporting:       "reporting",
	StateWaitFirebase:    "wait-firebase",
	StateRequestingSMS:   "requesting-sms",
	StateWaitPayment:     "wait-payment",
	StateCheckingPayment: "checking-payment",
	StateWaitSignUp:      "wait-sign-up",
	StateSigningUp:       "signing-up",

	StateWaitEmailAddress: "wait-email-address",
	StateMailing:          "mailing",
	StateWaitEmailSetup:   "wait-email-setup",
	StateVerifying:        "verifying",
	StateWaitEmailCode:    "wait-email-code",
	StateResettingEmail:   "resetting-email",

	StateGettingPassword:    "getting-password",
	StateWaitPassword:       "wait-password",
	StateProving:            "proving",
	StateCheckingPassword:   "checking-password",
	StateRequestingRecovery: "requesting-recovery",
	StateWaitRecovery:       "wait-recovery",
	StateCheckingRecovery:   "checking-recovery",
	StateWaitNewPassword:    "wait-new-password",
	StateRecovering:         "recovering",

	StateExporting:      "exporting",
	StateWaitScan:       "wait-scan",
	StateImportingToken: "importing-token",

	StateImporting:        "importing",
	StateWaitToken:        "wait-token",
	StateImportingWeb:     "importing-web",
	StateWaitWebToken:     "wait-web-token",
	StateGettingChallenge: "getting-challenge",
	StateWaitPasskey:      "wait-passkey",
	StateFinishingPasskey: "finishing-passkey",
	StateStartingPNV:      "starting-pnv",
	StateWaitPNV:          "wait-pnv",
	StateFinishingPNV:     "finishing-pnv",
	StateIdentifying:      "identifying",
}

// String is the state's name; it is also how the state is stored.
func (s State) String() string {
	if name, ok := stateNames[s]; ok {
		return name
	}
	return fmt.Sprintf("state %d", uint8(s))
}

// MarshalText gives the name.
func (s State) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText reads the name, and refuses one it does not know: a later
// version may have written it.
func (s *State) UnmarshalText(text []byte) error {
	for state, name := range stateNames {
		if name == string(text) {
			*s = state
			return nil
		}
	}
	return fmt.Errorf("unknown state %q", text)
}

// over reports whether nothing follows any more.
func (s State) over() bool { return s == StateDone || s == StateFailed }

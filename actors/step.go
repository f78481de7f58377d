package actors

import (
	"fmt"
	"time"

	"github.com/mtfleet/mtfleet/mtproto/login"
)

// What a sign-in asks and is answered: the same for Go, the command line's JSON
// and the control API.

// A StepType sorts the steps by what is to be done with one, for those who show
// steps they do not know.
type StepType string

// The types of steps.
const (
	// TypeDisplay: something is to be shown, and goes on by itself.
	TypeDisplay StepType = "display"
	// TypeInput: something is to be typed.
	TypeInput StepType = "input"
	// TypeWebAuthn: the options are for an authenticator; its assertion is the
	// answer.
	TypeWebAuthn StepType = "webauthn"
	// TypeWaitUntil: nothing is to be done before Until.
	TypeWaitUntil StepType = "wait_until"
	// TypeExternal: something is to be done elsewhere, and what came of it is
	// the answer.
	TypeExternal StepType = "external"
	// TypeDone and TypeFailed: it is over.
	TypeDone   StepType = "done"
	TypeFailed StepType = "failed"
)

// A StepKind says what a human is to do.
type StepKind string

const (
	// StepPhone asks for another phone number.
	StepPhone StepKind = "phone"
	// StepCode asks for the code; How says where to look for it.
	StepCode StepKind = "code"
	// StepNewCode asks whether a new code shall be sent.
	StepNewCode StepKind = "new_code"
	// StepFirebase asks for a device's proof to Firebase.
	StepFirebase StepKind = "firebase"
	// StepPayment tells that the sign-in must be paid for.
	StepPayment StepKind = "payment"
	// StepSignUp asks for the name of a new account.
	StepSignUp StepKind = "sign_up"
	// StepEmail asks for an address that shall get the login codes.
	StepEmail StepKind = "email"
	// StepEmailSetup asks for the code that was sent to that address.
	StepEmailSetup StepKind = "email_setup"
	// StepPassword asks for the two-step password.
	StepPassword StepKind = "password"
	// StepRecovery asks for the code from the recovery e-mail.
	StepRecovery StepKind = "recovery_code"
	// StepNewPassword asks for a new two-step password, or for none.
	StepNewPassword StepKind = "new_password"
	// StepQR shows a QR code: URL is its text.
	StepQR StepKind = "qr"
	// StepToken asks for the bot token again.
	StepToken StepKind = "token"
	// StepWebToken asks for another link of a web client.
	StepWebToken StepKind = "web_token"
	// StepPasskey asks an authenticator; Options is for it.
	StepPasskey StepKind = "passkey"
	// StepPNV asks the carrier for the number. Experimental.
	StepPNV StepKind = "pnv"
	// StepWait tells that the server wants us to wait until Until. Nothing is
	// to be done.
	StepWait StepKind = "wait"
	// StepOver tells how it ended.
	StepOver StepKind = "over"
)

// How a code travels.
const (
	HowApp        = "app"         // a message from Telegram in another session
	HowSMS        = "sms"         // a text message
	HowCall       = "call"        // a voice call that speaks it
	HowFlashCall  = "flash_call"  // the number that calls, matching Pattern, is the code
	HowMissedCall = "missed_call" // the last Length digits of a number that begins with Pattern
	HowFragment   = "fragment"    // shown at URL, for anonymous numbers
	HowWord       = "sms_word"    // a word in a text message, beginning with Pattern
	HowPhrase     = "sms_phrase"  // a phrase in a text message, beginning with Pattern
	HowEmail      = "email"       // an e-mail to an address like Pattern
	HowFirebase   = "firebase"    // a text message, once the device has proved itself
)

// A Step is what the sign-in waits for. It is shown to a human or handed to a
// script. Of secrets it holds only what is there to be shown: the QR code's
// text. It is not for logs, and prints as its kind.
type Step struct {
	// ID names the step in its answer. It is new with everything that is asked,
	// and the same after a restart.
	ID string `json:"id,omitempty"`
	// Type sorts the kind.
	Type StepType `json:"type,omitempty"`
	// Kind says what to do; the other fields belong to some kinds only.
	Kind StepKind `json:"kind"`
	// How tells how the code travels.
	How string `json:"how,omitempty"`
	// Length is the number of digits of the code, 0 when it is not digits.
	Length int `json:"length,omitempty"`
	// Pattern is what is known of the calling number, the word, the phrase or
	// the e-mail address.
	Pattern string `json:"pattern,omitempty"`
	// Phone is the number that signs in, digits only; empty for a flow that names
	// none.
	Phone string `json:"phone,omitempty"`
	// Hint is the password's hint.
	Hint string `json:"hint,omitempty"`
	// Recovery says that a forgotten password can be recovered by e-mail.
	Recovery bool `json:"recovery,omitempty"`
	// URL is where the code is shown, or the text of the QR code.
	URL string `json:"url,omitempty"`
	// Options are those of the WebAuthn request, as JSON with a publicKey in it.
	Options JSONText `json:"options,omitempty"`
	// Apple and Google say that a token of theirs does in place of an address or
	// its code.
	Apple  bool `json:"apple,omitempty"`
	Google bool `json:"google,omitempty"`
	// Next tells how another code would travel; empty when there is no other
	// way.
	Next string `json:"next,omitempty"`
	// ResendAt is when another code may be asked for.
	ResendAt time.Time `json:"resend_at,omitzero"`
	// ResetAt is when the login e-mail can be, or will be, reset. Zero when it
	// cannot.
	ResetAt time.Time `json:"reset_at,omitzero"`
	// ExpiresAt is when the code is thought to expire, or when the QR code does.
	// Of codes the server does not tell; one may be tried later.
	ExpiresAt time.Time `json:"expires_at,omitzero"`
	// Until is when the wait imposed by the server is over.
	Until time.Time `json:"until,omitzero"`
	// Tries counts the wrong answers so far.
	Tries int `json:"tries,omitempty"`
	// LastError is the server's word for what was wrong with the last answer, or
	// ours: ANSWER_LOST, RESTARTED, and others that Message puts into words.
	LastError string `json:"last_error,omitempty"`
	// Terms are the terms of service that signing up accepts.
	Terms string `json:"terms,omitempty"`
	// MinAge is the age that signing up confirms, 0 for none.
	MinAge int `json:"min_age,omitempty"`
	// Payment is what is to be paid.
	Payment Payment `json:"payment,omitzero"`
	// Firebase is what the device is to sign.
	Firebase FirebaseTask `json:"firebase,omitzero"`
	// Nonce and Payload are for the device's credential manager. Experimental.
	Nonce   string `json:"nonce,omitempty"`
	Payload string `json:"payload,omitempty"`
	// Supported is false for a step that can only be shown: it can be cancelled
	// and nothing else.
	Supported bool `json:"supported"`
	// Message says in a sentence or two what to do, and what went wrong.
	Message string `json:"message"`
}

func stepOf(s *login.Step) *Step {
	if s == nil {
		return nil
	}
	return &Step{
		ID: s.ID, Type: StepType(s.Type), Kind: StepKind(s.Kind), How: s.How, Length: s.Length, Pattern: s.Pattern,
		Phone: s.Phone, Hint: s.Hint, Recovery: s.Recovery, URL: s.URL, Options: JSONText(s.Options),
		Apple: s.Apple, Google: s.Google, Next: s.Next, ResendAt: s.ResendAt, ResetAt: s.ResetAt,
		ExpiresAt: s.ExpiresAt, Until: s.Until, Tries: s.Tries, LastError: s.LastError, Terms: s.Terms, MinAge: s.MinAge,
		Payment: Payment(s.Payment), Firebase: FirebaseTask(s.Firebase), Nonce: s.Nonce, Payload: s.Payload,
		Supported: s.Supported, Message: s.Message,
	}
}

// String names the kind alone: a QR code's text is a secret.
func (s Step) String() string { return fmt.Sprintf("Step{%s}", s.Kind) }

// GoString is String.
func (s Step) GoString() string { return s.String() }

// ServerSaid is LastError where that is the server's own word, else empty.
func (s Step) ServerSaid() string { return login.Step{LastError: s.LastError}.ServerSaid() }

// Payment is what the server wants to be paid.
type Payment struct {
	Product  string `json:"product,omitempty"` // in an app store
	Days     int    `json:"days,omitempty"`    // of Premium that come with it
	Currency string `json:"currency,omitempty"`
	Amount   int64  `json:"amount,omitempty"` // in the currency's smallest unit
	// Mail and Subject reach the support.
	Mail    string `json:"mail,omitempty"`
	Subject string `json:"subject,omitempty"`
	// FormID is the form that was paid.
	FormID int64 `json:"form_id,omitempty"`
}

// A FirebaseTask is what the device is to sign, or what it is to wait for.
type FirebaseTask struct {
	// Nonce is for SafetyNet, base64.
	Nonce string `json:"nonce,omitempty"`
	// Project and PlayNonce (base64) are for Play Integrity.
	Project   int64  `json:"project,omitempty"`
	PlayNonce string `json:"play_nonce,omitempty"`
	// Receipt comes with a push, within PushTimeout seconds.
	Receipt     string `json:"receipt,omitempty"`
	PushTimeout int    `json:"push_timeout,omitempty"`
}

// A JSONText is JSON that passes through unread.
type JSONText string

// MarshalJSON gives the text itself.
func (t JSONText) MarshalJSON() ([]byte, error) { return login.JSONText(t).MarshalJSON() }

// UnmarshalJSON takes any value.
func (t *JSONText) UnmarshalJSON(b []byte) error { return (*login.JSONText)(t).UnmarshalJSON(b) }

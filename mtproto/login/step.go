package login

import (
	"fmt"
	"time"
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
	// StepSignUp asks for the name of a new account.
	StepSignUp StepKind = "sign_up"
	// StepPassword asks for the two-step password.
	StepPassword StepKind = "password"
	// StepEmail asks for a login e-mail, or a code from it.
	StepEmail StepKind = "email"
	// StepPayment tells that the sign-in must be paid for.
	StepPayment StepKind = "payment"
	// StepWait tells that the server wants us to wait until Until. Nothing is
	// to be done.
	StepWait StepKind = "wait"
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
)

// A Step is what the sign-in waits for. It is shown to a human or handed to a
// script; it holds no secret.
type Step struct {
	// Kind says what to do; the other fields belong to some kinds only.
	Kind StepKind `json:"kind"`
	// How tells how the code travels.
	How string `json:"how,omitempty"`
	// Length is the number of digits of the code, 0 when it is not digits.
	Length int `json:"length,omitempty"`
	// Pattern is what is known of the calling number, the word, the phrase or
	// the e-mail address.
	Pattern string `json:"pattern,omitempty"`
	// Hint is the password's hint.
	Hint string `json:"hint,omitempty"`
	// URL is where the code is shown.
	URL string `json:"url,omitempty"`
	// Next tells how another code would travel; empty when there is no other
	// way.
	Next string `json:"next,omitempty"`
	// ResendAt is when another code may be asked for.
	ResendAt time.Time `json:"resend_at,omitzero"`
	// ExpiresAt is when the code is thought to expire. The server does not
	// tell; a code may be tried later.
	ExpiresAt time.Time `json:"expires_at,omitzero"`
	// Until is when the wait imposed by the server is over.
	Until time.Time `json:"until,omitzero"`
	// Tries counts the wrong codes so far.
	Tries int `json:"tries,omitempty"`
	// LastError is the server's word for what was wrong with the last answer.
	LastError string `json:"last_error,omitempty"`
	// Terms are the terms of service that signing up accepts.
	Terms string `json:"terms,omitempty"`
	// MinAge is the age that signing up confirms, 0 for none.
	MinAge int `json:"min_age,omitempty"`
	// Supported is false for a step this version can only show: it can be
	// cancelled and nothing else.
	Supported bool `json:"supported"`
	// Message says in a sentence or two what to do.
	Message string `json:"message"`
}

// An AnswerKind says what an [Answer] is.
type AnswerKind string

const (
	// AnswerCode is the code, as it was received.
	AnswerCode AnswerKind = "code"
	// AnswerResend asks for another code.
	AnswerResend AnswerKind = "resend"
	// AnswerPhone is another phone number.
	AnswerPhone AnswerKind = "phone"
	// AnswerSignUp is the name of a new account; it accepts the terms.
	AnswerSignUp AnswerKind = "sign_up"
	// AnswerPassword is the two-step password.
	AnswerPassword AnswerKind = "password"
	// AnswerCancel ends the sign-in.
	AnswerCancel AnswerKind = "cancel"
)

// An Answer is what a human says to a [Step].
type Answer struct {
	// Kind says which of the other fields matter.
	Kind AnswerKind `json:"kind"`
	// Code belongs to AnswerCode, as it was received. What cannot be the code
	// that was sent is refused, and costs no try.
	Code string `json:"code,omitempty"`
	// Phone belongs to AnswerPhone, as NewPhone takes it.
	Phone string `json:"phone,omitempty"`
	// FirstName and LastName belong to AnswerSignUp; the last may be empty.
	FirstName string `json:"first_name,omitempty"`
	LastName  string `json:"last_name,omitempty"`
	// Password belongs to AnswerPassword, and is never altered: spaces are part
	// of it.
	Password string `json:"password,omitempty"`
}

// String names the kind alone; codes and passwords stay out of logs.
func (a Answer) String() string { return fmt.Sprintf("Answer{%s}", a.Kind) }

// GoString is String.
func (a Answer) GoString() string { return a.String() }

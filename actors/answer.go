package actors

import (
	"fmt"

	"github.com/mtfleet/mtfleet/mtproto/login"
)

// An AnswerKind says what an Answer is.
type AnswerKind string

const (
	// AnswerCode is the code, as it was received.
	AnswerCode AnswerKind = "code"
	// AnswerResend asks for another code, or the next way to get one.
	AnswerResend AnswerKind = "resend"
	// AnswerMissing tells that a text message did not arrive. For official apps.
	AnswerMissing AnswerKind = "missing"
	// AnswerPhone is another phone number.
	AnswerPhone AnswerKind = "phone"
	// AnswerFirebase is a device's proof. For official apps.
	AnswerFirebase AnswerKind = "firebase"
	// AnswerPaid tells that the sign-in was paid for.
	AnswerPaid AnswerKind = "paid"
	// AnswerSignUp is the name of a new account; it accepts the terms.
	AnswerSignUp AnswerKind = "sign_up"
	// AnswerEmail is an address that shall get the login codes.
	AnswerEmail AnswerKind = "email"
	// AnswerEmailToken is a token of Apple or Google in place of an address or a
	// code.
	AnswerEmailToken AnswerKind = "email_token"
	// AnswerResetEmail tells that nobody has access to the login e-mail.
	AnswerResetEmail AnswerKind = "reset_email"
	// AnswerPassword is the two-step password.
	AnswerPassword AnswerKind = "password"
	// AnswerForgot asks for a code to the recovery e-mail.
	AnswerForgot AnswerKind = "forgot"
	// AnswerBack goes back to the password, or to the address.
	AnswerBack AnswerKind = "back"
	// AnswerNewPassword is a new two-step password, with its hint.
	AnswerNewPassword AnswerKind = "new_password"
	// AnswerNoPassword removes the two-step password.
	AnswerNoPassword AnswerKind = "no_password"
	// AnswerToken is the token of the bot, or of a web client.
	AnswerToken AnswerKind = "token"
	// AnswerPasskey is the assertion of an authenticator.
	AnswerPasskey AnswerKind = "passkey"
	// AnswerPNV is the carrier's token. Experimental.
	AnswerPNV AnswerKind = "pnv"
	// AnswerCancel ends the sign-in.
	AnswerCancel AnswerKind = "cancel"
)

// An Answer is what a human says to a Step.
type Answer struct {
	// Step is the ID of the step that is answered. An answer to an older step is
	// refused; the same answer given twice counts once. Empty: whatever step is
	// shown, for somebody who sees it.
	Step string `json:"step,omitempty"`
	// Kind says which of the other fields matter.
	Kind AnswerKind `json:"kind"`
	// Code belongs to AnswerCode, as it was received. What cannot be the code
	// that was sent is refused, and costs no try.
	Code string `json:"code,omitempty"`
	// Phone belongs to AnswerPhone, as Phone takes it.
	Phone string `json:"phone,omitempty"`
	// MNC belongs to AnswerMissing: the network code of the SIM.
	MNC string `json:"mnc,omitempty"`
	// FirstName and LastName belong to AnswerSignUp; the last may be empty.
	FirstName string `json:"first_name,omitempty"`
	LastName  string `json:"last_name,omitempty"`
	// Email belongs to AnswerEmail.
	Email string `json:"email,omitempty"`
	// Provider belongs to AnswerEmailToken: "apple" or "google".
	Provider string `json:"provider,omitempty"`
	// Token belongs to AnswerEmailToken, AnswerToken and AnswerPNV.
	Token string `json:"token,omitempty"`
	// PlayIntegrity, SafetyNet and IOSPushSecret belong to AnswerFirebase, one of
	// them.
	PlayIntegrity string `json:"play_integrity,omitempty"`
	SafetyNet     string `json:"safety_net,omitempty"`
	IOSPushSecret string `json:"ios_push_secret,omitempty"`
	// FormID belongs to AnswerPaid: the id of the payment form.
	FormID int64 `json:"form_id,omitempty"`
	// Password belongs to AnswerPassword and AnswerNewPassword, and is never
	// altered: spaces are part of it.
	Password string `json:"password,omitempty"`
	// Hint belongs to AnswerNewPassword.
	Hint string `json:"hint,omitempty"`
	// Credential belongs to AnswerPasskey: the authenticator's
	// PublicKeyCredential as JSON, its binary members base64url.
	Credential JSONText `json:"credential,omitempty"`
}

func (a Answer) inner() login.Answer {
	return login.Answer{
		Step: a.Step, Kind: login.AnswerKind(a.Kind), Code: a.Code, Phone: a.Phone, MNC: a.MNC,
		FirstName: a.FirstName, LastName: a.LastName, Email: a.Email, Provider: a.Provider, Token: a.Token,
		PlayIntegrity: a.PlayIntegrity, SafetyNet: a.SafetyNet, IOSPushSecret: a.IOSPushSecret, FormID: a.FormID,
		Password: a.Password, Hint: a.Hint, Credential: login.JSONText(a.Credential),
	}
}

// String names the kind alone; codes and passwords stay out of logs.
func (a Answer) String() string { return fmt.Sprintf("Answer{%s}", a.Kind) }

// GoString is String.
func (a Answer) GoString() string { return a.String() }

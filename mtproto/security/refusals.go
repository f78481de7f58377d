package security

import (
	"time"

	"github.com/mtfleet/mtfleet/mtproto/tgerr"
)

// FreshFor is how old a session has to be to end others or to set their
// lifetime: https://core.telegram.org/method/auth.resetAuthorizations.
const FreshFor = 24 * time.Hour

// refusals are the errors of the methods about an account's safety, by type.
var refusals = map[string]Error{
	"PASSWORD_HASH_INVALID": {Reason: ReasonPassword, Message: "that is not the two-step password"},
	"PASSWORD_EMPTY":        {Reason: ReasonNone, Message: "the account has no two-step password"},
	"PASSWORD_MISSING":      {Reason: ReasonNone, Message: "the account has no two-step password: set one first"},
	"SRP_PASSWORD_CHANGED":  {Reason: ReasonChanged, Message: "the two-step password was changed elsewhere meanwhile: look at it, then try again"},
	"SRP_ID_INVALID":        {Reason: ReasonServer, Message: "the server forgot what it had asked about the password, twice: try again"},
	"SRP_A_INVALID":         {Reason: ReasonServer, Message: "the server does not take the proof of the password: try again"},
	"NEW_SALT_INVALID":      {Reason: ReasonServer, Message: "the server does not take the new password's salt: try again"},
	"NEW_SETTINGS_INVALID":  {Reason: ReasonServer, Message: "the server does not take the new password settings"},
	"NEW_SETTINGS_EMPTY":    {Reason: ReasonInput, Message: "nothing of the two-step verification would change"},

	"EMAIL_INVALID":             {Reason: ReasonEmail, Message: "the server does not take this e-mail address"},
	"EMAIL_NOT_ALLOWED":         {Reason: ReasonEmail, Message: "the server does not allow this e-mail address: give another"},
	"EMAIL_UNCONFIRMED":         {Reason: ReasonEmail, Message: "the recovery e-mail waits for the code that was mailed to it"},
	"EMAIL_HASH_EXPIRED":        {Reason: ReasonExpired, Message: "no recovery e-mail waits for a code, or its code has expired: set the e-mail again"},
	"CODE_INVALID":              {Reason: ReasonCode, Message: "that is not the code from the e-mail"},
	"CODE_EMPTY":                {Reason: ReasonCode, Message: "the code from the e-mail is missing"},
	"PASSWORD_RECOVERY_EXPIRED": {Reason: ReasonExpired, Message: "the recovery code has expired: ask for another"},
	"PASSWORD_RECOVERY_NA":      {Reason: ReasonNone, Message: "the account has no recovery e-mail; its password can only be reset, which takes a week"},
	"RESET_REQUEST_MISSING":     {Reason: ReasonNone, Message: "no reset of the password is under way"},

	"HASH_INVALID":                        {Reason: ReasonNone, Message: "there is no such session any more: list them again"},
	"TTL_DAYS_INVALID":                    {Reason: ReasonDays, Message: "the server does not take this number of days"},
	"FRESH_RESET_AUTHORISATION_FORBIDDEN": {Reason: ReasonFresh, Message: "this session is less than 24 hours old, and only an older one may end others or set their lifetime"},
	"SESSION_TOO_FRESH":                   {Reason: ReasonFresh, Message: "this session is too young for that"},
	"PASSWORD_TOO_FRESH":                  {Reason: ReasonFresh, Message: "the two-step password is too young for that"},

	"AUTH_TOKEN_INVALID":          {Reason: ReasonLink, Message: "the server knows no sign-in by this link: scan the code that is shown now"},
	"AUTH_TOKEN_INVALIDX":         {Reason: ReasonLink, Message: "the server knows no sign-in by this link: scan the code that is shown now"},
	"AUTH_TOKEN_EXPIRED":          {Reason: ReasonExpired, Message: "this login link has expired: they live for half a minute; scan the code that is shown now"},
	"AUTH_TOKEN_ALREADY_ACCEPTED": {Reason: ReasonUsed, Message: "this login link was accepted already"},
	"AUTH_TOKEN_EXCEPTION":        {Reason: ReasonLink, Message: "the server could not let that sign-in in; perhaps the app is signed in as this user already: scan a new code"},

	"ACCESS_DENIED":                {Reason: ReasonDenied, Message: "the server does not let this account make another passkey"},
	"CREDENTIAL_INVALID":           {Reason: ReasonCredential, Message: "the server does not take this passkey: begin its registration anew"},
	"PASSKEY_CREDENTIAL_NOT_FOUND": {Reason: ReasonNone, Message: "the account has no such passkey: list them again"},
	"PASSKEY_ORIGIN_MISMATCH":      {Reason: ReasonCredential, Message: "passkeys are bound to Telegram's own apps and cannot be made for this one"},
	"PASSKEY_AUTH_RESTART":         {Reason: ReasonExpired, Message: "the server forgot the challenge: begin the registration anew"},

	"BOT_METHOD_INVALID": {Reason: ReasonDenied, Message: "a bot has no two-step password, sessions or passkeys"},
	"METHOD_INVALID":     {Reason: ReasonDenied, Message: "the server does not serve this"},
}

// Explain says what a refusal of the server means; nil when it is none that
// belongs to an account's safety. now makes a date of what the server counts in
// seconds.
func Explain(now time.Time, e *tgerr.Error) *Error {
	r, ok := refusals[e.Type]
	if !ok {
		return nil
	}
	if r.Err = e; r.Reason == ReasonFresh && e.Argument > 0 {
		r.Until = now.Add(time.Duration(e.Argument) * time.Second)
	}
	return &r
}

// CodeLength tells that new settings are in force but for the recovery e-mail,
// which a mailed code of so many characters has to confirm; 0 when the server did
// not say how many. It is how the server says so, and no failure.
// https://core.telegram.org/method/account.updatePasswordSettings
func CodeLength(err error) (length int, ok bool) {
	e, answered := tgerr.As(err)
	if !answered || e.Type != "EMAIL_UNCONFIRMED" {
		return 0, false
	}
	return e.Argument, true
}

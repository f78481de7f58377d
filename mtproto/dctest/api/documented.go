package api

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/mtfleet/mtfleet/tl/schema"
)

// furtherErrors are the errors of the methods of signing in that the public list does not name but their pages, or the
// clients that handle them, do.
var furtherErrors = map[string][]Error{
	"auth.sendCode": {
		{303, "PHONE_MIGRATE_%d"}, {303, "NETWORK_MIGRATE_%d"}, {401, "SESSION_PASSWORD_NEEDED"}, {406, "UPDATE_APP_TO_LOGIN"},
		{500, "AUTH_RESTART_%d"},
	},
	"auth.resendCode":         {{400, "EMAIL_INSTALL_MISSING"}},
	"auth.signIn":             {{401, "SESSION_PASSWORD_NEEDED"}, {406, "UPDATE_APP_TO_LOGIN"}},
	"auth.requestFirebaseSms": {{400, "PHONE_CODE_EMPTY"}},
	"auth.reportMissingCode":  {{406, "PHONE_NUMBER_INVALID"}},
	"auth.resetLoginEmail":    {{400, "EMAIL_INSTALL_MISSING"}},
	"auth.checkPaidAuth":      {{400, "PHONE_CODE_EXPIRED"}, {400, "FORM_EXPIRED"}, {406, "PHONE_NUMBER_INVALID"}},
	"auth.checkPassword":      {{400, "PASSWORD_EMPTY"}, {400, "SRP_A_INVALID"}, {401, "AUTH_KEY_UNREGISTERED"}, {406, "PHONE_PASSWORD_FLOOD"}, {500, "AUTH_KEY_UNSYNCHRONIZED"}},
	"auth.checkRecoveryPassword": {
		{400, "CODE_EMPTY"}, {400, "CODE_INVALID"}, {400, "PASSWORD_EMPTY"}, {400, "PASSWORD_RECOVERY_NA"},
	},
	"auth.recoverPassword":        {{400, "CODE_INVALID"}, {400, "PASSWORD_RECOVERY_EXPIRED"}, {400, "NEW_SALT_INVALID"}},
	"auth.exportLoginToken":       {{401, "SESSION_PASSWORD_NEEDED"}, {500, "AUTH_RESTART"}},
	"auth.importLoginToken":       {{401, "SESSION_PASSWORD_NEEDED"}},
	"auth.acceptLoginToken":       {{400, "AUTH_TOKEN_INVALID"}},
	"auth.importBotAuthorization": {{303, "USER_MIGRATE_%d"}},
	"auth.importWebTokenAuthorization": {
		{400, "WEBAUTH_TOKEN_EXPIRED"}, {400, "AUTH_TOKEN_INVALID"}, {401, "SESSION_PASSWORD_NEEDED"},
	},
	"auth.initPasskeyLogin": {{400, "API_ID_INVALID"}, {500, "AUTH_RESTART"}, {500, "PASSKEY_AUTH_RESTART"}},
	"auth.finishPasskeyLogin": {
		{303, "USER_MIGRATE_%d"}, {400, "CREDENTIAL_INVALID"}, {400, "PASSKEY_CREDENTIAL_NOT_FOUND"}, {400, "PASSKEY_ORIGIN_MISMATCH"},
		{401, "SESSION_PASSWORD_NEEDED"}, {500, "AUTH_RESTART"}, {500, "PASSKEY_AUTH_RESTART"},
	},
	"auth.bindTempAuthKey":        {{400, "EXPIRES_AT_INVALID"}},
	"account.sendVerifyEmailCode": {{400, "EMAIL_NOT_ALLOWED"}, {400, "PHONE_CODE_EMPTY"}},
	"account.verifyEmail": {
		{400, "CODE_INVALID"}, {400, "EMAIL_NOT_ALLOWED"}, {400, "EMAIL_TOKEN_INVALID"}, {400, "PHONE_CODE_EXPIRED"}, {406, "PHONE_NUMBER_INVALID"},
	},
	"account.deleteAccount":           {{400, "PASSWORD_HASH_INVALID"}},
	"account.initPasskeyRegistration": {{403, "ACCESS_DENIED"}},
	"account.registerPasskey":         {{400, "CREDENTIAL_INVALID"}},
}

// errorList is the public list of errors: the code of each, and which methods answer which.
type errorList struct {
	Codes  map[string]int      `json:"codes"`
	Throws map[string][]string `json:"throws"`
}

func readErrors() (list errorList, err error) {
	text, err := schema.Files.ReadFile("errors.json")
	if err == nil {
		err = json.Unmarshal(text, &list)
	}
	if err != nil {
		err = fmt.Errorf("api: the list of errors: %w", err)
	}
	return list, err
}

// DocumentedErrors returns the errors that a method is documented to answer, by text; a number in one stands as %d.
// Errors that any method may answer (FLOOD_WAIT_%d, AUTH_KEY_UNREGISTERED, ...) are not among them. It reads the list
// anew: a few milliseconds.
func DocumentedErrors(method string) ([]Error, error) {
	list, err := readErrors()
	if err != nil {
		return nil, err
	}
	return list.of(method), nil
}

// of is DocumentedErrors of one method.
func (list *errorList) of(method string) []Error {
	out := slices.Clone(furtherErrors[method])
	for _, text := range list.Throws[method] {
		if !slices.ContainsFunc(out, func(e Error) bool { return e.Text == text }) {
			out = append(out, Error{list.Codes[text], text})
		}
	}
	slices.SortFunc(out, func(a, b Error) int { return strings.Compare(a.Text, b.Text) })
	return out
}

// FaultTextError says why a text names no error.
type FaultTextError struct{ Text string }

// Error implements error.
func (e *FaultTextError) Error() string {
	return fmt.Sprintf("api: %q is no documented error; write its code before it, as in \"400 NAME\"", e.Text)
}

// ParseError reads an error as "PHONE_CODE_INVALID", with the code of the public list, or as "406 ANYTHING". A number in
// it is written out: "FLOOD_WAIT_30". The error is a *FaultTextError.
func ParseError(text string) (*Error, error) {
	if code, name, found := strings.Cut(text, " "); found {
		if n, err := strconv.Atoi(code); err == nil && name != "" {
			return &Error{n, name}, nil
		}
		return nil, &FaultTextError{text}
	}
	list, err := readErrors()
	if err != nil {
		return nil, err
	}
	for _, pattern := range patternsOf(text) {
		if code := list.Codes[pattern]; code != 0 {
			return &Error{code, text}, nil
		}
		for _, further := range furtherErrors {
			for _, e := range further {
				if e.Text == pattern {
					return &Error{e.Code, text}, nil
				}
			}
		}
	}
	return nil, &FaultTextError{text}
}

// patternsOf is the text itself and the text with each run of digits as %d.
func patternsOf(text string) []string {
	out := []string{text}
	for i := 0; i < len(text); {
		j := i
		for j < len(text) && text[j] >= '0' && text[j] <= '9' {
			j++
		}
		if j > i {
			out = append(out, text[:i]+"%d"+text[j:])
		}
		i = max(j, i+1)
	}
	return out
}

// FailNext makes the next call of a method answer an error, whoever calls: see ParseError for how it is written. It is
// answered in place of the method, after the gates of key, person and DC.
func (b *Backend) FailNext(method, text string) error {
	e, err := ParseError(text)
	if err != nil {
		return err
	}
	return b.Inject(Fault{Method: method, Err: e})
}

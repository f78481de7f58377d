package tgerr

import (
	"strconv"
	"strings"
)

// A Class says what kind of reaction an error asks for. What is then done
// depends on who asked: a Revoked from a guest DC is not one from home.
type Class uint8

const (
	// ClassRetry is the server's own trouble: 5xx, negative codes and codes
	// nobody knows. The same query may succeed later, with backoff.
	ClassRetry Class = iota

	// ClassWait is a demand to wait; [Error.Wait] says how long. The same
	// query is not sent earlier.
	ClassWait

	// ClassFlood is a limit without a number (PEER_FLOOD, PHONE_NUMBER_FLOOD):
	// nothing says when it ends. A login stops for at least a day.
	ClassFlood

	// ClassMigrate points to another DC; [Error.Migrate] says which.
	ClassMigrate

	// ClassUnbound is AUTH_KEY_PERM_EMPTY: the temp key is not bound, or not
	// any more. The login is untouched; make and bind a temp key.
	ClassUnbound

	// ClassRevoked is any other 401: this key has no user (any more). On a
	// guest DC import again; at home ask once more before believing it.
	ClassRevoked

	// ClassDeactivated is USER_DEACTIVATED and USER_DEACTIVATED_BAN: the
	// account itself is gone. Final.
	ClassDeactivated

	// ClassDuplicated is AUTH_KEY_DUPLICATED: the key was used from two places
	// and the server has already ended it. Final; never reconnect by itself.
	ClassDuplicated

	// ClassPassword is SESSION_PASSWORD_NEEDED: the first factor was right
	// and the second is owed. Not a failure of keys.
	ClassPassword

	// ClassInit is a missing or wrong connection header
	// (CONNECTION_NOT_INITED, CONNECTION_LAYER_INVALID): send it again with
	// the query.
	ClassInit

	// ClassConfig is a fault of the operator's settings: api_id, api_hash,
	// device info, an outdated layer. Nothing helps but another setting.
	ClassConfig

	// ClassFrozen says that the account may only read.
	ClassFrozen

	// ClassChallenge asks for proof that only an official app can give.
	ClassChallenge

	// ClassForbidden is any other 403 or 406. Not to be repeated.
	ClassForbidden

	// ClassBadRequest is any other 400 or 404: the query itself is wrong.
	ClassBadRequest
)

var classNames = [...]string{
	ClassRetry:       "retry",
	ClassWait:        "wait",
	ClassFlood:       "flood",
	ClassMigrate:     "migrate",
	ClassUnbound:     "unbound",
	ClassRevoked:     "revoked",
	ClassDeactivated: "deactivated",
	ClassDuplicated:  "duplicated",
	ClassPassword:    "password",
	ClassInit:        "init",
	ClassConfig:      "config",
	ClassFrozen:      "frozen",
	ClassChallenge:   "challenge",
	ClassForbidden:   "forbidden",
	ClassBadRequest:  "bad request",
}

// String is the class in one or two words.
func (c Class) String() string {
	if int(c) < len(classNames) {
		return classNames[c]
	}
	return "class " + strconv.Itoa(int(c))
}

// classOf holds the names whose code says too little.
var classOf = map[string]Class{
	"AUTH_KEY_PERM_EMPTY":  ClassUnbound,
	"USER_DEACTIVATED":     ClassDeactivated,
	"USER_DEACTIVATED_BAN": ClassDeactivated,
	"AUTH_KEY_DUPLICATED":  ClassDuplicated,

	"SESSION_PASSWORD_NEEDED": ClassPassword,

	"CONNECTION_NOT_INITED":    ClassInit,
	"CONNECTION_LAYER_INVALID": ClassInit,

	"API_ID_INVALID":                    ClassConfig,
	"API_ID_PUBLISHED_FLOOD":            ClassConfig,
	"UPDATE_APP_TO_LOGIN":               ClassConfig,
	"CONNECTION_API_ID_INVALID":         ClassConfig,
	"CONNECTION_APP_VERSION_EMPTY":      ClassConfig,
	"CONNECTION_DEVICE_MODEL_EMPTY":     ClassConfig,
	"CONNECTION_SYSTEM_EMPTY":           ClassConfig,
	"CONNECTION_SYSTEM_LANG_CODE_EMPTY": ClassConfig,
	"CONNECTION_LANG_PACK_INVALID":      ClassConfig,
	"CONNECTION_LANG_CODE_INVALID":      ClassConfig,

	"FROZEN_METHOD_INVALID":      ClassFrozen,
	"FROZEN_PARTICIPANT_MISSING": ClassFrozen,

	"PEER_FLOOD":           ClassFlood,
	"PHONE_NUMBER_FLOOD":   ClassFlood,
	"PHONE_PASSWORD_FLOOD": ClassFlood,

	"RECAPTCHA_CHECK":         ClassChallenge,
	"INTEGRITY_CHECK_CLASSIC": ClassChallenge,
	"APNS_VERIFY_CHECK":       ClassChallenge,

	// An invokeAfterMsg predecessor failed: the query itself may be sent
	// again without the dependency.
	"MSG_WAIT_FAILED":  ClassRetry,
	"MSG_WAIT_TIMEOUT": ClassRetry,
}

// Class sorts the error: by its name where the name says more than the code,
// else by its code. Unknown codes count as the server's own trouble.
func (e *Error) Class() Class {
	if e == nil {
		return ClassRetry
	}
	if c, ok := classOf[e.Type]; ok {
		return c
	}
	if _, ok := e.Migrate(); ok {
		return ClassMigrate
	}
	if _, ok := e.Wait(); ok {
		return ClassWait
	}
	switch e.Code {
	case 400, 404:
		return ClassBadRequest
	case 303:
		// A 303 without a DC leads nowhere.
		return ClassBadRequest
	case 401:
		return ClassRevoked
	case 403, 406:
		return ClassForbidden
	case 420:
		return ClassFlood
	}
	return ClassRetry
}

// adviceOf is what whoever made a call can do about its refusal.
var adviceOf = [...]string{
	ClassRetry:       "the server has trouble of its own; try again later",
	ClassWait:        "wait as long as it says",
	ClassFlood:       "it is too much for a while; leave it alone for a day",
	ClassMigrate:     "it belongs to another DC, which was tried too; try again later",
	ClassUnbound:     "the connection's key was not known to be the account's; try again",
	ClassRevoked:     "whether the login is gone is being looked at; try again when the account is online, or look at its state",
	ClassDeactivated: "the account is deleted or banned; an official app tells more",
	ClassDuplicated:  "the key was used from two places, and the login is gone; find out who else has it, then sign in again",
	ClassPassword:    "the two-step password of this login is still owed; sign in again",
	ClassInit:        "the server does not know this connection; try again",
	ClassConfig:      "the server refuses this application; check api_id, api_hash and device info in the configuration",
	ClassFrozen:      "the account is frozen and can only read; appeal in an official app",
	ClassChallenge:   "it wants a proof that only an official app can give; do it there",
	ClassForbidden:   "this account may not do that, or not from here; an official app may tell why",
	ClassBadRequest:  "the server does not take this request; look at what was given, or try a newer version",
}

// Advice says in a sentence what whoever made the call can do.
func (e *Error) Advice() string {
	if e != nil && e.Type == "RANDOM_ID_DUPLICATE" {
		return "what has this random_id was sent already, and not a second time"
	}
	return adviceOf[e.Class()]
}

// IsRetry reports whether the query failed for the server's own reasons.
func (e *Error) IsRetry() bool { return e.Class() == ClassRetry }

// IsUnauthorized reports whether the key has no living user: revoked,
// deactivated or duplicated. An unbound temp key and a missing password are
// not among them.
func (e *Error) IsUnauthorized() bool {
	switch e.Class() {
	case ClassRevoked, ClassDeactivated, ClassDuplicated:
		return true
	}
	return false
}

// IsFileMigrate reports whether a migration concerns one request and not the
// account: FILE_MIGRATE and STATS_MIGRATE never change the home DC.
func (e *Error) IsFileMigrate() bool {
	_, ok := e.Migrate()
	return ok && (strings.HasPrefix(e.Type, "FILE_") || strings.HasPrefix(e.Type, "STATS_"))
}

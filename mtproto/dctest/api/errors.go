package api

import (
	"strconv"
	"time"
)

// The errors the methods answer, each with the code the public error list gives it.
var (
	errAccessTokenInvalid   = &Error{400, "ACCESS_TOKEN_INVALID"}
	errAccessTokenExpired   = &Error{400, "ACCESS_TOKEN_EXPIRED"}
	errAccessDenied         = &Error{403, "ACCESS_DENIED"}
	errCredentialInvalid    = &Error{400, "CREDENTIAL_INVALID"}
	errPasskeyNotFound      = &Error{400, "PASSKEY_CREDENTIAL_NOT_FOUND"}
	errPasskeyOrigin        = &Error{400, "PASSKEY_ORIGIN_MISMATCH"}
	errPasskeyRestart       = &Error{500, "PASSKEY_AUTH_RESTART"}
	errWebTokenExpired      = &Error{400, "WEBAUTH_TOKEN_EXPIRED"}
	errAPIIDInvalid         = &Error{400, "API_ID_INVALID"}
	errAPIIDPublished       = &Error{400, "API_ID_PUBLISHED_FLOOD"}
	errAuthBytesInvalid     = &Error{400, "AUTH_BYTES_INVALID"}
	errAuthKeyDuplicated    = &Error{406, "AUTH_KEY_DUPLICATED"}
	errAuthKeyPermEmpty     = &Error{401, "AUTH_KEY_PERM_EMPTY"}
	errAuthKeyUnregistered  = &Error{401, "AUTH_KEY_UNREGISTERED"}
	errAuthTokenAccepted    = &Error{400, "AUTH_TOKEN_ALREADY_ACCEPTED"}
	errAuthTokenException   = &Error{400, "AUTH_TOKEN_EXCEPTION"}
	errAuthTokenExpired     = &Error{400, "AUTH_TOKEN_EXPIRED"}
	errAuthTokenInvalid     = &Error{400, "AUTH_TOKEN_INVALID"}
	errAuthRestart          = &Error{500, "AUTH_RESTART"}
	errCallFail             = &Error{500, "RPC_CALL_FAIL"}
	errCodeEmpty            = &Error{400, "CODE_EMPTY"}
	errCodeInvalid          = &Error{400, "CODE_INVALID"}
	errEmailHashExpired     = &Error{400, "EMAIL_HASH_EXPIRED"}
	errEmailInvalid         = &Error{400, "EMAIL_INVALID"}
	errEmailNotAllowed      = &Error{400, "EMAIL_NOT_ALLOWED"}
	errEmailNotInstalled    = &Error{400, "EMAIL_INSTALL_MISSING"}
	errEmailNotSetUp        = &Error{400, "EMAIL_NOT_SETUP"}
	errEmailTokenInvalid    = &Error{400, "EMAIL_TOKEN_INVALID"}
	errEmailVerifyExpired   = &Error{400, "EMAIL_VERIFY_EXPIRED"}
	errNewSaltInvalid       = &Error{400, "NEW_SALT_INVALID"}
	errNewSettingsEmpty     = &Error{400, "NEW_SETTINGS_EMPTY"}
	errNewSettingsInvalid   = &Error{400, "NEW_SETTINGS_INVALID"}
	errPasswordEmpty        = &Error{400, "PASSWORD_EMPTY"}
	errPasswordInvalid      = &Error{400, "PASSWORD_HASH_INVALID"}
	errPhoneHashExpired     = &Error{400, "PHONE_HASH_EXPIRED"}
	errRecoveryExpired      = &Error{400, "PASSWORD_RECOVERY_EXPIRED"}
	errRecoveryNone         = &Error{400, "PASSWORD_RECOVERY_NA"}
	errResetMissing         = &Error{400, "RESET_REQUEST_MISSING"}
	errSRPAInvalid          = &Error{400, "SRP_A_INVALID"}
	errSRPChanged           = &Error{400, "SRP_PASSWORD_CHANGED"}
	errSRPIDInvalid         = &Error{400, "SRP_ID_INVALID"}
	errTaskExists           = &Error{400, "TASK_ALREADY_EXISTS"}
	errTmpPasswordDisabled  = &Error{400, "TMP_PASSWORD_DISABLED"}
	errTTLDaysInvalid       = &Error{400, "TTL_DAYS_INVALID"}
	errBotMethodInvalid     = &Error{400, "BOT_METHOD_INVALID"}
	errDateEmpty            = &Error{400, "DATE_EMPTY"}
	errDCIDInvalid          = &Error{400, "DC_ID_INVALID"}
	errFirstNameInvalid     = &Error{400, "FIRSTNAME_INVALID"}
	errFreshReset           = &Error{406, "FRESH_RESET_AUTHORISATION_FORBIDDEN"}
	errFormExpired          = &Error{400, "FORM_EXPIRED"}
	errFrozen               = &Error{420, "FROZEN_METHOD_INVALID"}
	errHashInvalid          = &Error{400, "HASH_INVALID"}
	errInputConstructor     = &Error{400, "INPUT_CONSTRUCTOR_INVALID"}
	errInputFetch           = &Error{400, "INPUT_FETCH_ERROR"}
	errInputRequestTooLong  = &Error{400, "INPUT_REQUEST_TOO_LONG"}
	errLastNameInvalid      = &Error{400, "LASTNAME_INVALID"}
	errMethodInvalid        = &Error{400, "METHOD_INVALID"}
	errPhoneBanned          = &Error{400, "PHONE_NUMBER_BANNED"}
	errPhoneCodeEmpty       = &Error{400, "PHONE_CODE_EMPTY"}
	errPhoneCodeExpired     = &Error{400, "PHONE_CODE_EXPIRED"}
	errPhoneCodeHashEmpty   = &Error{400, "PHONE_CODE_HASH_EMPTY"}
	errPhoneCodeInvalid     = &Error{400, "PHONE_CODE_INVALID"}
	errPhoneFlood           = &Error{400, "PHONE_NUMBER_FLOOD"}
	errPhoneInvalid         = &Error{406, "PHONE_NUMBER_INVALID"}
	errPhoneOccupied        = &Error{400, "PHONE_NUMBER_OCCUPIED"}
	errPtsEmpty             = &Error{400, "PERSISTENT_TIMESTAMP_EMPTY"}
	errPtsInvalid           = &Error{400, "PERSISTENT_TIMESTAMP_INVALID"}
	errSendCodeUnavailable  = &Error{406, "SEND_CODE_UNAVAILABLE"}
	errSessionExpired       = &Error{401, "SESSION_EXPIRED"}
	errSessionPassword      = &Error{401, "SESSION_PASSWORD_NEEDED"}
	errSignUpForbidden      = &Error{400, "PHONE_NUMBER_APP_SIGNUP_FORBIDDEN"}
	errSMSCodeCreateFailed  = &Error{400, "SMS_CODE_CREATE_FAILED"}
	errUpdateApp            = &Error{406, "UPDATE_APP_TO_LOGIN"}
	errUserBotRequired      = &Error{400, "USER_BOT_REQUIRED"}
	errUserDeactivated      = &Error{401, "USER_DEACTIVATED"}
	errUserDeactivatedBan   = &Error{401, "USER_DEACTIVATED_BAN"}
	errUserIDInvalid        = &Error{400, "USER_ID_INVALID"}
	errConnAPIIDInvalid     = &Error{400, "CONNECTION_API_ID_INVALID"}
	errConnAppVersionEmpty  = &Error{400, "CONNECTION_APP_VERSION_EMPTY"}
	errConnDeviceModelEmpty = &Error{400, "CONNECTION_DEVICE_MODEL_EMPTY"}
	errConnLangCodeInvalid  = &Error{400, "CONNECTION_LANG_CODE_INVALID"}
	errConnLangPackInvalid  = &Error{400, "CONNECTION_LANG_PACK_INVALID"}
	errConnLayerInvalid     = &Error{400, "CONNECTION_LAYER_INVALID"}
	errConnSystemEmpty      = &Error{400, "CONNECTION_SYSTEM_EMPTY"}
	errConnSystemLangEmpty  = &Error{400, "CONNECTION_SYSTEM_LANG_CODE_EMPTY"}
)

// errMigrate is a 303: kind is PHONE, NETWORK or USER.
func errMigrate(kind string, dc int) *Error {
	return &Error{303, kind + "_MIGRATE_" + strconv.Itoa(dc)}
}

// errWait is a FLOOD_WAIT with the whole seconds that cover d, at least one.
func errWait(d time.Duration) *Error {
	return &Error{420, "FLOOD_WAIT_" + strconv.FormatInt(wholeSeconds(d), 10)}
}

// errUnknownMethod names the id the server could not read, as Telegram does.
func errUnknownMethod(id uint32) *Error {
	return &Error{400, "INPUT_METHOD_INVALID_" + strconv.FormatUint(uint64(id), 10)}
}

// wholeSeconds rounds up, so that who waits that long has waited enough.
func wholeSeconds(d time.Duration) int64 {
	return max(1, int64((d+time.Second-1)/time.Second))
}

package standing

import (
	"encoding/binary"
	"fmt"

	"github.com/mtfleet/mtfleet/tl"
	"github.com/mtfleet/mtfleet/tl/tg"
)

// ReservedError refuses a caller's query that is the manager's own to send: it would change a login, its keys or a
// connection behind the manager's back. Nothing was sent.
type ReservedError struct {
	// Method is the query, or the one inside the wrapper that was given.
	Method string
	// Instead says what to do.
	Instead string
}

func (e *ReservedError) Error() string {
	return fmt.Sprintf("%s is not for callers: %s", e.Method, e.Instead)
}

// NotSent reports that the server did not execute the call.
func (e *ReservedError) NotSent() bool { return true }

// What to do instead of a reserved query.
const (
	insteadSignIn   = "sign in with Account.SignIn or `manager account login`, which keep every step"
	insteadLogOut   = "log out with Account.LogOut or `manager account logout`, or the loss of the login would look like a theft"
	insteadCarry    = "name the DC of the call, by OnDC or --dc, and the login is carried there"
	insteadKeys     = "the manager makes, binds and drops the keys of a connection itself"
	insteadDelete   = "delete the account in an official app, for there is no way back"
	insteadHeader   = "give the query alone: the manager says layer and device on each connection"
	insteadOrder    = "give the query alone, when the call before it has ended"
	insteadUpdates  = "give the query alone: the manager decides which connection hears updates"
	insteadOfficial = "it vouches for an official app, which this is not"
	insteadPacked   = "give the query as it is: a long one is packed on its way"
)

// reserved is every query that callers may not send, by its id; a test holds it to the schema. What of auth.* is not
// here changes a password or other logins and leaves this one as it is.
var reserved = map[uint32]ReservedError{
	tg.AuthSendCodeRequestID:                    {"auth.sendCode", insteadSignIn},
	tg.AuthSignUpRequestID:                      {"auth.signUp", insteadSignIn},
	tg.AuthSignInRequestID:                      {"auth.signIn", insteadSignIn},
	tg.AuthImportBotAuthorizationRequestID:      {"auth.importBotAuthorization", insteadSignIn},
	tg.AuthCheckPasswordRequestID:               {"auth.checkPassword", insteadSignIn},
	tg.AuthResendCodeRequestID:                  {"auth.resendCode", insteadSignIn},
	tg.AuthCancelCodeRequestID:                  {"auth.cancelCode", insteadSignIn},
	tg.AuthExportLoginTokenRequestID:            {"auth.exportLoginToken", insteadSignIn},
	tg.AuthImportLoginTokenRequestID:            {"auth.importLoginToken", insteadSignIn},
	tg.AuthImportWebTokenAuthorizationRequestID: {"auth.importWebTokenAuthorization", insteadSignIn},
	tg.AuthRequestFirebaseSMSRequestID:          {"auth.requestFirebaseSms", insteadSignIn},
	tg.AuthResetLoginEmailRequestID:             {"auth.resetLoginEmail", insteadSignIn},
	tg.AuthReportMissingCodeRequestID:           {"auth.reportMissingCode", insteadSignIn},
	tg.AuthCheckPaidAuthRequestID:               {"auth.checkPaidAuth", insteadSignIn},
	tg.AuthInitPasskeyLoginRequestID:            {"auth.initPasskeyLogin", insteadSignIn},
	tg.AuthFinishPasskeyLoginRequestID:          {"auth.finishPasskeyLogin", insteadSignIn},
	tg.AuthInitFirebasePnvLoginRequestID:        {"auth.initFirebasePnvLogin", insteadSignIn},
	tg.AuthFinishFirebasePnvLoginRequestID:      {"auth.finishFirebasePnvLogin", insteadSignIn},
	tg.AuthFirebasePnvSignUpRequestID:           {"auth.firebasePnvSignUp", insteadSignIn},
	tg.AuthLogOutRequestID:                      {"auth.logOut", insteadLogOut},
	tg.AuthExportAuthorizationRequestID:         {"auth.exportAuthorization", insteadCarry},
	tg.AuthImportAuthorizationRequestID:         {"auth.importAuthorization", insteadCarry},
	tg.AuthBindTempAuthKeyRequestID:             {"auth.bindTempAuthKey", insteadKeys},
	tg.AuthDropTempAuthKeysRequestID:            {"auth.dropTempAuthKeys", insteadKeys},
	tg.AccountDeleteAccountRequestID:            {"account.deleteAccount", insteadDelete},
	tg.InvokeWithLayerRequestID:                 {"invokeWithLayer", insteadHeader},
	tg.InitConnectionRequestID:                  {"initConnection", insteadHeader},
	tg.InvokeAfterMsgRequestID:                  {"invokeAfterMsg", insteadOrder},
	tg.InvokeAfterMsgsRequestID:                 {"invokeAfterMsgs", insteadOrder},
	tg.InvokeWithoutUpdatesRequestID:            {"invokeWithoutUpdates", insteadUpdates},
	idGooglePlayIntegrity:                       {"invokeWithGooglePlayIntegrity", insteadOfficial},
	idApnsSecret:                                {"invokeWithApnsSecret", insteadOfficial},
	idGzipPacked:                                {"gzip_packed", insteadPacked},
}

// Queries for which no type is generated. The wrappers of the second group may be used around any query that may be
// sent without them.
const (
	idGooglePlayIntegrity uint32 = 0x1df92984 // invokeWithGooglePlayIntegrity
	idApnsSecret          uint32 = 0x0dae54f8 // invokeWithApnsSecret
	idGzipPacked          uint32 = 0x3072cfa1 // gzip_packed

	idMessagesRange      uint32 = 0x365275f2 // invokeWithMessagesRange
	idTakeout            uint32 = 0xaca9fd2e // invokeWithTakeout
	idBusinessConnection uint32 = 0xdd289f8e // invokeWithBusinessConnection
	idReCaptcha          uint32 = 0xadbb0f94 // invokeWithReCaptcha
)

// Reserved refuses a caller's query, a boxed value, that is the manager's own: with a *ReservedError, or nil. It looks
// into wrappers too, and allocates nothing for any other query.
func Reserved(query []byte) error {
	if query = Inside(query); len(query) < 4 {
		return nil
	}
	if e, ok := reserved[binary.LittleEndian.Uint32(query)]; ok {
		own := e
		return &own
	}
	return nil
}

// Inside is the query inside the wrappers that callers may use: the one given if there is none, nothing if a wrapper is
// cut off. What the query itself holds is not looked at.
func Inside(query []byte) []byte {
	for len(query) >= 4 {
		r := tl.NewReader(query)
		switch r.ID() {
		case idMessagesRange:
			r.Take(12) // a messageRange: its id and two numbers
		case idTakeout:
			r.Int64()
		case idBusinessConnection, idReCaptcha:
			r.BytesView()
		default:
			return query
		}
		query = r.Rest()
	}
	return query
}

// Called is the method that a query calls: own, which is its name, or that of the query inside the wrappers that callers
// may use. It is this one that waits, may be sent again or not, and has the result. A query inside that the schema does
// not have leaves own. It allocates nothing.
func Called(own string, query []byte) string {
	inner := Inside(query)
	if len(inner) == len(query) {
		return own
	}
	index, ok := tg.Schema.Index(tl.Raw(inner).ID())
	if !ok {
		return own
	}
	if _, typ, _ := tg.Schema.At(index); typ != tl.TypeFunction {
		return own
	}
	return tg.Names.Name(index)
}

package gotd

import (
	"strings"

	"github.com/gotd/td/tg"

	"github.com/mtfleet/mtfleet/actors"
)

// RefusedError ends a call that the adapter did not hand to the account,
// because the account does by itself what the method is for. errors.Is finds
// [actors.ErrNotSent].
type RefusedError struct {
	Method string // as in the schema
	Do     string // what to do instead
}

func (e *RefusedError) Error() string {
	return e.Method + " is not for a caller, and was not sent: " + e.Do
}

// Unwrap returns actors.ErrNotSent.
func (e *RefusedError) Unwrap() error { return actors.ErrNotSent }

// Why a method is refused, and what to do in its place.
const (
	doSignIn = "sign in with the account's SignIn, which keeps every step on disk"
	doLogOut = "use the account's LogOut, which also forgets the keys"
	doOnDC   = "give the call actors.OnDC, and the authorization is carried there"
	doKeys   = "the account binds and drops its temp keys by itself"
	doHeader = "the account says layer and device by itself, before the first query of each key"
	doOrder  = "message ids are the connection's, which may be another one by then; wait for the first answer"
	doListen = "the account's session is one that hears updates; leave the wrapper off"
)

// refused are the methods outside of auth.* that a caller cannot use, and those
// of auth.* for which there is more to say than doSignIn.
var refused = map[string]string{
	"auth.logOut":              doLogOut,
	"auth.exportAuthorization": doOnDC,
	"auth.importAuthorization": doOnDC,
	"auth.bindTempAuthKey":     doKeys,
	"auth.dropTempAuthKeys":    doKeys,
	"initConnection":           doHeader,
	"invokeWithLayer":          doHeader,
	"invokeAfterMsg":           doOrder,
	"invokeAfterMsgs":          doOrder,
	"invokeWithoutUpdates":     doListen,
}

// whileSignedIn are the methods of auth.* that change no authorization of this
// account's keys: they are about other sessions, a password, or the change of a
// phone number.
var whileSignedIn = map[string]bool{
	"auth.acceptLoginToken":        true,
	"auth.cancelCode":              true,
	"auth.checkRecoveryPassword":   true,
	"auth.recoverPassword":         true,
	"auth.requestPasswordRecovery": true,
	"auth.resendCode":              true,
	"auth.resetAuthorizations":     true,
}

// refusal says why a method is not for a caller; nil if it is.
func refusal(method string) error {
	if do := refused[method]; do != "" {
		return &RefusedError{Method: method, Do: do}
	}
	if strings.HasPrefix(method, "auth.") && !whileSignedIn[method] {
		return &RefusedError{Method: method, Do: doSignIn}
	}
	return nil
}

// wrapped says for each wrapper that a caller may use what stands between its
// id and the query inside: so many bytes, then so many strings.
var wrapped = map[uint32]struct{ bytes, strings int }{
	tg.InvokeWithTakeoutRequestTypeID:             {bytes: 8},  // takeout_id:long
	tg.InvokeWithMessagesRangeRequestTypeID:       {bytes: 12}, // range:MessageRange, one constructor of two ints
	tg.InvokeWithBusinessConnectionRequestTypeID:  {strings: 1},
	tg.InvokeWithReCaptchaRequestTypeID:           {strings: 1},
	tg.InvokeWithApnsSecretRequestTypeID:          {strings: 2},
	tg.InvokeWithGooglePlayIntegrityRequestTypeID: {strings: 2},
}

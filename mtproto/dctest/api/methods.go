package api

import (
	"slices"

	"github.com/mtfleet/mtfleet/tl"
	"github.com/mtfleet/mtfleet/tl/tg"
)

// who may call a method.
type who uint8

const (
	anybody who = iota
	people      // bots get BOT_METHOD_INVALID
	bots        // people get USER_BOT_REQUIRED
)

// need is the least state of the key.
type need uint8

const (
	needsNothing need = iota // the anonymous list
	needsHalf                // the first factor, or a user
	needsUser                // a user, at home or as a guest
)

// method is one line of the method matrix.
type method struct {
	name     string
	id       uint32
	who      who
	needs    need
	unbound  bool // an unbound temp key may call it
	home     bool // concerns what lives at the home DC
	movesOut bool // still works on the old home after Move
	changes  bool // refused to a frozen account

	parse func(body []byte) (tl.Object, error)
	route func(c *call) *Error // the DC gate of sign-in calls: reads the number or token, sends to the right DC
	flood func(c *call) *Error
	run   func(c *call) ([]byte, *Error) // answers the boxed result; nil: known, not served, METHOD_INVALID
}

// object is a pointer to a generated query type.
type object[Q any] interface {
	*Q
	tl.Object
}

// query is an object whose result has the Go type R.
type query[Q, R any] interface {
	*Q
	tl.Query[R]
}

// serve fills in a line: how its query is parsed and what runs it.
func serve[Q, R any, P query[Q, R]](m method, run func(c *call, q P) (R, *Error)) *method {
	p := parsed[Q, P](m)
	p.run = func(c *call) ([]byte, *Error) {
		q := c.query.(P)
		res, err := run(c, q)
		if err != nil {
			return nil, err
		}
		return q.AppendResult(nil, res), nil
	}
	return p
}

// parsed is a line whose query is read, and checked, but that is not served yet.
func parsed[Q any, P object[Q]](m method) *method {
	var q Q
	m.name, m.id = P(&q).TypeName(), P(&q).TypeID()
	m.parse = func(body []byte) (tl.Object, error) {
		q, r := P(new(Q)), tl.NewReader(body)
		r.RequireZeroPadding()
		q.Parse(r)
		return q, r.End()
	}
	return &m
}

// routed adds the DC gate of a sign-in call.
func routed[Q any, P object[Q]](m *method, route func(c *call, q P) *Error) *method {
	m.route = func(c *call) *Error { return route(c, c.query.(P)) }
	return m
}

// flooded adds flood limits of the method's own.
func flooded(m *method, flood func(c *call) *Error) *method {
	m.flood = flood
	return m
}

// limited adds a flood limit per account.
func limited(m *method, limit func(c *Config) RateLimit) *method {
	m.flood = func(c *call) *Error { return c.flood(limit(&c.b.cfg), accountScope(c.user)) }
	return m
}

// methodTable is the method matrix: every root of the schema, in the order of the reference's table.
var methodTable = [...]*method{
	// Sign-in by phone.
	flooded(routed(serve(method{who: people}, (*call).sendCode), (*call).routeSendCode), (*call).floodSendCode),
	routed(serve(method{who: people}, (*call).resendCode), (*call).routeResendCode),
	routed(serve(method{who: people}, (*call).cancelCode), (*call).routeCancelCode),
	routed(serve(method{who: people}, (*call).signIn), (*call).routeSignIn),
	routed(serve(method{who: people}, (*call).signUp), (*call).routeSignUp),
	routed(serve(method{who: people}, (*call).requestFirebaseSMS), (*call).routeRequestFirebaseSMS),
	routed(serve(method{who: people}, (*call).reportMissingCode), (*call).routeReportMissingCode),
	routed(serve(method{who: people}, (*call).resetLoginEmail), (*call).routeResetLoginEmail),
	routed(serve(method{who: people}, (*call).checkPaidAuth), (*call).routeCheckPaidAuth),
	// Two-step verification.
	serve(method{who: people}, (*call).checkPassword),
	serve(method{who: people, needs: needsHalf}, (*call).requestPasswordRecovery),
	serve(method{who: people, needs: needsHalf}, (*call).checkRecoveryPassword),
	serve(method{who: people, needs: needsHalf}, (*call).recoverPassword),
	// QR.
	flooded(serve(method{who: people}, (*call).exportLoginToken), (*call).floodExportLoginToken),
	serve(method{who: people}, (*call).importLoginToken),
	limited(serve(method{who: people, needs: needsUser, home: true, changes: true}, (*call).acceptLoginToken),
		func(c *Config) RateLimit { return c.Limits.AcceptLoginToken }),
	// Bots, web tokens, passkeys, carrier numbers.
	limited(routed(serve(method{}, (*call).importBot), (*call).routeImportBot),
		func(c *Config) RateLimit { return c.Limits.ImportBot }),
	routed(serve(method{who: people}, (*call).importWebToken), (*call).routeImportWebToken),
	serve(method{who: people}, (*call).initPasskeyLogin),
	routed(serve(method{who: people}, (*call).finishPasskeyLogin), (*call).routeFinishPasskeyLogin),
	serve(method{who: people}, (*call).initPNV),
	routed(serve(method{who: people}, (*call).finishPNV), (*call).routeFinishPNV),
	serve(method{who: people}, (*call).signUpPNV),
	// Other DCs, keys, the end.
	limited(serve(method{needs: needsUser, home: true, movesOut: true}, (*call).exportAuthorization),
		func(c *Config) RateLimit { return c.Limits.ExportAuthorization }),
	serve(method{}, (*call).importAuthorization),
	parsed[tg.AuthBindTempAuthKeyRequest](method{unbound: true}),
	parsed[tg.AuthDropTempAuthKeysRequest](method{needs: needsUser}),
	serve(method{needs: needsHalf}, (*call).logOut),
	serve(method{who: people, needs: needsUser, home: true}, (*call).resetAuthorizations),

	// Sessions of the account.
	limited(serve(method{who: people, needs: needsUser, home: true}, (*call).getAuthorizations),
		func(c *Config) RateLimit { return c.Limits.GetAuthorizations }),
	serve(method{who: people, needs: needsUser, home: true}, (*call).resetAuthorization),
	serve(method{who: people, needs: needsUser, home: true, changes: true}, (*call).setAuthorizationTTL),
	serve(method{who: people, needs: needsUser, home: true, changes: true}, (*call).changeAuthorizationSettings),
	serve(method{who: people, needs: needsUser, home: true}, (*call).invalidateSignInCodes),
	// Security of the account.
	serve(method{who: people}, (*call).getPassword),
	serve(method{who: people, needs: needsUser, home: true, changes: true}, (*call).updatePasswordSettings),
	serve(method{who: people, needs: needsUser, home: true}, (*call).getPasswordSettings),
	serve(method{who: people, needs: needsUser, home: true}, (*call).getTmpPassword),
	serve(method{who: people, needs: needsUser, home: true, changes: true}, (*call).confirmPasswordEmail),
	serve(method{who: people, needs: needsUser, home: true}, (*call).resendPasswordEmail),
	serve(method{who: people, needs: needsUser, home: true, changes: true}, (*call).cancelPasswordEmail),
	serve(method{who: people, needs: needsUser, home: true, changes: true}, (*call).resetPassword),
	serve(method{who: people, needs: needsUser, home: true, changes: true}, (*call).declinePasswordReset),
	routed(serve(method{who: people}, (*call).sendVerifyEmailCode), (*call).routeSendVerifyEmailCode),
	routed(serve(method{who: people}, (*call).verifyEmail), (*call).routeVerifyEmail),
	serve(method{who: people, needs: needsHalf, home: true}, (*call).deleteAccount),
	serve(method{who: people, needs: needsUser, home: true}, (*call).registerDevice),
	serve(method{who: people, needs: needsUser, home: true, changes: true}, (*call).initPasskeyRegistration),
	serve(method{who: people, needs: needsUser, home: true, changes: true}, (*call).registerPasskey),
	serve(method{who: people, needs: needsUser, home: true}, (*call).getPasskeys),
	serve(method{who: people, needs: needsUser, home: true, changes: true}, (*call).deletePasskey),

	// What needs no account, and what needs one.
	serve(method{unbound: true}, (*call).getConfig),
	serve(method{unbound: true}, (*call).getNearestDC),
	appConfigOf(serve(method{}, (*call).getAppConfig)),
	serve(method{needs: needsUser}, (*call).getUsers),
	serve(method{needs: needsUser, home: true}, (*call).getState),
	serve(method{needs: needsUser, home: true}, (*call).getDifference),
}

// methodByID finds a line of the table.
func methodByID(id uint32) *method { return methodIndex[id] }

// methodIndex is the table by constructor id; it is not changed after initialisation.
var methodIndex = func() map[uint32]*method {
	index := make(map[uint32]*method, len(methodTable)+len(contentTable)+len(messageTable))
	for _, m := range slices.Concat(methodTable[:], contentTable[:], messageTable[:]) {
		index[m.id] = m
	}
	return index
}()

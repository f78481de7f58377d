package main

import (
	"context"
	"time"

	"github.com/mtfleet/mtfleet/actors"
	"github.com/mtfleet/mtfleet/cmd/manager/control"
	"github.com/mtfleet/mtfleet/mtproto/dctest/api"
	"github.com/mtfleet/mtfleet/mtproto/login"
	"github.com/mtfleet/mtfleet/tl"
	"github.com/mtfleet/mtfleet/tl/tg"
)

// A road leads to a method: how far a sign-in goes before it is called, or what
// an account that is signed in does to call it.
type road struct {
	method string
	when   string // what the method is called for, as the table says it

	bot, fresh, pfs bool // a bot; a number without an account; temp keys
	options         func(o *actors.Options)
	one             bool // somebody is the same in all rows
	setUp           func(b *api.Backend, p *somebody) error
	before          func(p *somebody) error // somebody did this earlier
	begins          func(p *somebody) actors.Credentials
	home            int // DC of somebody; 0 is 2, where sign-ins begin
	says            func(p *somebody, s *login.Step) login.Answer

	// answers lead there; the last one makes the call. Without any the beginning
	// does.
	answers []login.AnswerKind
	// call is made by an account that is signed in, in place of a sign-in.
	call func(ctx context.Context, p *somebody) error
	// alone: each row has an account of its own, for the call is made once.
	alone bool
	// quiet: nobody waits for the call. It is made while call waits.
	quiet bool
	// ends: the account is not signed in afterwards.
	ends bool
}

// withPassword sets a password where there is none: the first question about a new
// one costs as much arithmetic as all else of a row.
func withPassword(b *api.Backend, p *somebody) error {
	for _, u := range b.Users() {
		if u.ID == p.user && u.Password {
			return nil
		}
	}
	return b.SetTwoStep(p.user, api.TwoStep{Password: rightPassword, Email: p.mail})
}

func withCodes(chain ...api.CodeType) func(*api.Backend, *somebody) error {
	return func(b *api.Backend, p *somebody) error { return b.SetCodes(p.phone, chain...) }
}

type answers = []login.AnswerKind

// signInRoads are the methods of a sign-in.
var signInRoads = []road{
	{method: "auth.sendCode", when: "the first code is asked for"},
	{method: "auth.resendCode", when: "another code is asked for", answers: answers{login.AnswerResend}},
	{method: "auth.cancelCode", when: "the sign-in is cancelled while a code is on its way", answers: answers{login.AnswerCancel}},
	{method: "auth.cancelCode", when: "another number is given while a code is on its way", answers: answers{login.AnswerPhone}},
	{method: "auth.signIn", when: "the code is given", answers: answers{login.AnswerCode}},
	{method: "auth.signUp", when: "a new number gives its name", fresh: true, answers: answers{login.AnswerCode, login.AnswerSignUp}},
	{method: "auth.reportMissingCode", when: "no message arrived", answers: answers{login.AnswerMissing}},
	{method: "auth.resetLoginEmail", when: "nobody can open the login e-mail",
		setUp: func(b *api.Backend, p *somebody) error { return b.SetLoginEmail(p.user, p.mail) }, says: mailedCode, answers: answers{login.AnswerResetEmail}},
	{method: "auth.checkPaidAuth", when: "the sign-in was paid for", setUp: withCodes(api.CodePaid, api.CodeSMS), answers: answers{login.AnswerPaid}},
	{method: "account.sendVerifyEmailCode", when: "a login e-mail is set up", setUp: withCodes(api.CodeSetUpEmail, api.CodeSMS),
		answers: answers{login.AnswerEmail}},
	{method: "account.verifyEmail", when: "the code of a new login e-mail is given", setUp: withCodes(api.CodeSetUpEmail, api.CodeSMS),
		answers: answers{login.AnswerEmail, login.AnswerCode}},
	{method: "account.getPassword", when: "the code was right and a password is wanted", setUp: withPassword, one: true, answers: answers{login.AnswerCode}},
	{method: "auth.checkPassword", when: "the password is given", setUp: withPassword, one: true, answers: answers{login.AnswerCode, login.AnswerPassword}},
	{method: "auth.requestPasswordRecovery", when: "the password is forgotten", setUp: withPassword, one: true, answers: answers{login.AnswerCode, login.AnswerForgot}},
	{method: "auth.checkRecoveryPassword", when: "the code of the recovery e-mail is given", setUp: withPassword, one: true,
		answers: answers{login.AnswerCode, login.AnswerForgot, login.AnswerCode}},
	{method: "auth.recoverPassword", when: "the forgotten password is replaced", setUp: withPassword, one: true,
		answers: answers{login.AnswerCode, login.AnswerForgot, login.AnswerCode, login.AnswerNoPassword}},
	{method: "auth.logOut", when: "a sign-in is cancelled at its password", setUp: withPassword, one: true, answers: answers{login.AnswerCode, login.AnswerCancel}},
	{method: "auth.importBotAuthorization", when: "a bot's token is given", bot: true},
	{method: "updates.getState", when: "a sign-in is through", answers: answers{login.AnswerCode}},
}

// mailedCode answers a step whose code went to the login e-mail.
func mailedCode(p *somebody, s *login.Step) (a login.Answer) {
	if s.Kind == login.StepCode && s.How == login.HowEmail {
		p.w.api(func(b *api.Backend, _ time.Time) error {
			a = login.Answer{Kind: login.AnswerCode, Code: b.Mail(p.mail)}
			return nil
		})
	}
	return a
}

// asks makes a call of a query.
func asks[R any](query func(p *somebody) tl.Query[R], opts ...actors.CallOption) func(context.Context, *somebody) error {
	return func(ctx context.Context, p *somebody) error {
		_, err := actors.Invoke(ctx, p.a, query(p), opts...)
		return err
	}
}

// plain is a query that is the same for everybody.
func plain[R any](q tl.Query[R]) func(context.Context, *somebody) error {
	return asks(func(*somebody) tl.Query[R] { return q })
}

// elsewhere calls the other DC.
func elsewhere(ctx context.Context, p *somebody) error {
	_, err := actors.Invoke(ctx, p.a, self(), actors.OnDC(1))
	return err
}

func self() *tg.UsersGetUsersRequest {
	return &tg.UsersGetUsersRequest{ID: []tg.AnyInputUser{&tg.InputUserSelf{}}}
}

// reconnects loses the connection and waits until calls are answered again.
func reconnects(ctx context.Context, p *somebody) error {
	if err := p.a.Pause(ctx); err != nil {
		return err
	}
	if err := p.a.Resume(ctx); err != nil {
		return err
	}
	return p.quietly(ctx)
}

// rotates waits until the temp key was replaced, or should have been.
func rotates(ctx context.Context, p *somebody) error {
	began, binds := time.Now(), p.w.s.Counts().Binds
	for p.w.s.Counts().Binds == binds && time.Since(began) < 2*time.Hour && p.a.Status().SignedIn {
		time.Sleep(time.Second)
	}
	time.Sleep(time.Minute)
	return p.quietly(ctx)
}

// quietly waits for what nobody asked for: what it comes to is where the account
// stands.
func (p *somebody) quietly(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	_ = p.untilOnline(ctx)
	return nil
}

// accountRoads are the methods of an account that is signed in.
var accountRoads = []road{
	{method: "users.getUsers", when: "any call", call: plain(self())},
	{method: "auth.exportAuthorization", when: "a call goes to another DC", alone: true, call: elsewhere},
	{method: "auth.importAuthorization", when: "a call goes to another DC", alone: true, call: elsewhere},
	{method: "auth.bindTempAuthKey", when: "the account connects", pfs: true, quiet: true, call: rotates,
		options: func(o *actors.Options) { o.TempKeyLife = time.Hour }},
	{method: "auth.dropTempAuthKeys", when: "a temp key was replaced", pfs: true, quiet: true, call: rotates,
		options: func(o *actors.Options) { o.TempKeyLife = time.Hour }},
	{method: "updates.getDifference", when: "the account connects again", quiet: true, call: reconnects},
	{method: "auth.logOut", when: "the account is logged out", ends: true, call: func(ctx context.Context, p *somebody) error {
		_, err := p.w.local.LogOut(ctx, control.AccountRequest{ID: p.id})
		return err
	}},
	{method: "auth.acceptLoginToken", when: "a QR code is accepted", call: plain(&tg.AuthAcceptLoginTokenRequest{Token: []byte("token")})},
	{method: "auth.resetAuthorizations", when: "all other sessions are ended", call: plain(&tg.AuthResetAuthorizationsRequest{})},
	{method: "account.getAuthorizations", when: "the sessions are listed", call: plain(&tg.AccountGetAuthorizationsRequest{})},
	{method: "account.resetAuthorization", when: "a session is ended", call: plain(&tg.AccountResetAuthorizationRequest{Hash: 7})},
	{method: "account.setAuthorizationTTL", when: "the life of idle sessions is set", call: plain(&tg.AccountSetAuthorizationTTLRequest{AuthorizationTTLDays: 90})},
	{method: "account.changeAuthorizationSettings", when: "a session is confirmed", call: plain(&tg.AccountChangeAuthorizationSettingsRequest{Hash: 7, Confirmed: true})},
	{method: "account.invalidateSignInCodes", when: "codes are made void", call: plain(&tg.AccountInvalidateSignInCodesRequest{Codes: []string{"12345"}})},
	{method: "account.getPassword", when: "the password is looked at", call: plain(&tg.AccountGetPasswordRequest{})},
	{method: "account.updatePasswordSettings", when: "the password is changed", call: plain(&tg.AccountUpdatePasswordSettingsRequest{Password: &tg.InputCheckPasswordEmpty{}})},
	{method: "account.confirmPasswordEmail", when: "the recovery e-mail is confirmed", call: plain(&tg.AccountConfirmPasswordEmailRequest{Code: "12345"})},
	{method: "account.resendPasswordEmail", when: "its code is sent again", call: plain(&tg.AccountResendPasswordEmailRequest{})},
	{method: "account.cancelPasswordEmail", when: "the recovery e-mail is given up", call: plain(&tg.AccountCancelPasswordEmailRequest{})},
	{method: "account.resetPassword", when: "the password is reset", call: plain(&tg.AccountResetPasswordRequest{})},
	{method: "account.declinePasswordReset", when: "that reset is refused", call: plain(&tg.AccountDeclinePasswordResetRequest{})},
	{method: "account.initPasskeyRegistration", when: "a passkey is begun", call: plain(&tg.AccountInitPasskeyRegistrationRequest{})},
	{method: "account.registerPasskey", when: "a passkey is registered", call: plain(&tg.AccountRegisterPasskeyRequest{Credential: &tg.InputPasskeyCredentialFirebasePNV{PnvToken: "x"}})},
	{method: "account.getPasskeys", when: "passkeys are listed", call: plain(&tg.AccountGetPasskeysRequest{})},
	{method: "account.deletePasskey", when: "a passkey is deleted", call: plain(&tg.AccountDeletePasskeyRequest{ID: "x"})},
}

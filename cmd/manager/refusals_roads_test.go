package main

import (
	"context"
	"encoding/json"
	"time"

	"github.com/mtfleet/mtfleet/actors"
	"github.com/mtfleet/mtfleet/cmd/manager/control"
	"github.com/mtfleet/mtfleet/mtproto/dctest/api"
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
	says            func(p *somebody, s *actors.Step) actors.Answer

	// answers lead there; the last one makes the call. Without any the beginning
	// does.
	answers []actors.AnswerKind
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

type answers = []actors.AnswerKind

// signInRoads are the methods of a sign-in.
var signInRoads = []road{
	{method: "auth.sendCode", when: "the first code is asked for"},
	{method: "auth.resendCode", when: "another code is asked for", answers: answers{actors.AnswerResend}},
	{method: "auth.cancelCode", when: "the sign-in is cancelled while a code is on its way", answers: answers{actors.AnswerCancel}},
	{method: "auth.cancelCode", when: "another number is given while a code is on its way", answers: answers{actors.AnswerPhone}},
	{method: "auth.signIn", when: "the code is given", answers: answers{actors.AnswerCode}},
	{method: "auth.signUp", when: "a new number gives its name", fresh: true, answers: answers{actors.AnswerCode, actors.AnswerSignUp}},
	{method: "auth.reportMissingCode", when: "no message arrived", answers: answers{actors.AnswerMissing}},
	{method: "auth.resetLoginEmail", when: "nobody can open the login e-mail",
		setUp: func(b *api.Backend, p *somebody) error { return b.SetLoginEmail(p.user, p.mail) }, says: mailedCode, answers: answers{actors.AnswerResetEmail}},
	{method: "auth.checkPaidAuth", when: "the sign-in was paid for", setUp: withCodes(api.CodePaid, api.CodeSMS), answers: answers{actors.AnswerPaid}},
	{method: "account.sendVerifyEmailCode", when: "a login e-mail is set up", setUp: withCodes(api.CodeSetUpEmail, api.CodeSMS),
		answers: answers{actors.AnswerEmail}},
	{method: "account.verifyEmail", when: "the code of a new login e-mail is given", setUp: withCodes(api.CodeSetUpEmail, api.CodeSMS),
		answers: answers{actors.AnswerEmail, actors.AnswerCode}},
	{method: "account.getPassword", when: "the code was right and a password is wanted", setUp: withPassword, one: true, answers: answers{actors.AnswerCode}},
	{method: "auth.checkPassword", when: "the password is given", setUp: withPassword, one: true, answers: answers{actors.AnswerCode, actors.AnswerPassword}},
	{method: "auth.requestPasswordRecovery", when: "the password is forgotten", setUp: withPassword, one: true, answers: answers{actors.AnswerCode, actors.AnswerForgot}},
	{method: "auth.checkRecoveryPassword", when: "the code of the recovery e-mail is given", setUp: withPassword, one: true,
		answers: answers{actors.AnswerCode, actors.AnswerForgot, actors.AnswerCode}},
	{method: "auth.recoverPassword", when: "the forgotten password is replaced", setUp: withPassword, one: true,
		answers: answers{actors.AnswerCode, actors.AnswerForgot, actors.AnswerCode, actors.AnswerNoPassword}},
	{method: "auth.logOut", when: "a sign-in is cancelled at its password", setUp: withPassword, one: true, answers: answers{actors.AnswerCode, actors.AnswerCancel}},
	{method: "auth.importBotAuthorization", when: "a bot's token is given", bot: true},
	{method: "updates.getState", when: "a sign-in is through", answers: answers{actors.AnswerCode}},
}

// mailedCode answers a step whose code went to the login e-mail.
func mailedCode(p *somebody, s *actors.Step) (a actors.Answer) {
	if s.Kind == actors.StepCode && s.How == actors.HowEmail {
		p.w.api(func(b *api.Backend, _ time.Time) error {
			a = actors.Answer{Kind: actors.AnswerCode, Code: b.Mail(p.mail)}
			return nil
		})
	}
	return a
}

// plain makes a call of a query that is the same for everybody.
func plain[R any](q tl.Query[R]) func(context.Context, *somebody) error {
	return func(ctx context.Context, p *somebody) error {
		_, err := actors.Invoke(ctx, p.a, q)
		return err
	}
}

// with makes a call of a method of an account that answers nothing.
func with(call func(*actors.Account, context.Context) error) func(context.Context, *somebody) error {
	return func(ctx context.Context, p *somebody) error { return call(p.a, ctx) }
}

// got is with for a method that answers something.
func got[R any](call func(*actors.Account, context.Context) (R, error)) func(context.Context, *somebody) error {
	return func(ctx context.Context, p *somebody) error {
		_, err := call(p.a, ctx)
		return err
	}
}

// changesPassword sets a password where there is none, or another.
func changesPassword(ctx context.Context, p *somebody) error {
	c := actors.PasswordChange{Current: p.password, New: p.password + "x"}
	waits, err := p.a.ChangePassword(ctx, c)
	if err == nil && !waits.Waits {
		p.password = c.New
	}
	return err
}

// registersPasskey lets a new device make a passkey.
func registersPasskey(ctx context.Context, p *somebody) (err error) {
	if p.device, err = newDevice(); err != nil {
		return err
	}
	options, err := p.a.InitPasskey(ctx)
	if err != nil {
		return err
	}
	made, err := p.device.attestation(string(options))
	if err != nil {
		return err
	}
	_, err = p.a.FinishPasskey(ctx, json.RawMessage(made))
	return err
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

// rotates waits until the error was answered and the temp key was replaced after
// it, or should have been. A bind may be under way when it begins: that one says
// nothing. Where every bind fails it waits until the temp key is over.
func rotates(ctx context.Context, p *somebody) error {
	began, left := time.Now(), p.w.s.FaultsLeft()
	waits := func(still func() bool) {
		for still() && time.Since(began) < 2*time.Hour && p.a.Status().SignedIn {
			time.Sleep(time.Second)
		}
	}
	if p.w.always {
		waits(func() bool { return p.a.Status().State == actors.Online })
	} else {
		waits(func() bool { return left > 0 && p.w.s.FaultsLeft() == left })
		binds := p.w.s.Counts().Binds
		waits(func() bool { return p.w.s.Counts().Binds == binds })
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
	{method: "auth.acceptLoginToken", when: "a QR code is accepted", call: func(ctx context.Context, p *somebody) error {
		_, err := p.a.AcceptQR(ctx, "tg://login?token=bm9ib2R5J3MgdG9rZW4")
		return err
	}},
	{method: "auth.resetAuthorizations", when: "all other sessions are ended", call: with((*actors.Account).TerminateOtherSessions)},
	{method: "account.getAuthorizations", when: "the sessions are listed", call: got((*actors.Account).Sessions)},
	{method: "account.resetAuthorization", when: "a session is ended", call: func(ctx context.Context, p *somebody) error {
		return p.a.TerminateSession(ctx, "7")
	}},
	{method: "account.setAuthorizationTTL", when: "the life of idle sessions is set", call: func(ctx context.Context, p *somebody) error {
		return p.a.SetSessionsTTL(ctx, 90)
	}},
	{method: "account.changeAuthorizationSettings", when: "a session is confirmed", call: func(ctx context.Context, p *somebody) error {
		return p.a.ChangeSession(ctx, actors.SessionSettings{ID: "7", Confirm: true})
	}},
	{method: "account.invalidateSignInCodes", when: "codes are made void", call: plain(&tg.AccountInvalidateSignInCodesRequest{Codes: []string{"12345"}})},
	{method: "account.getPassword", when: "the password is looked at", call: got((*actors.Account).TwoStep)},
	{method: "account.updatePasswordSettings", when: "the password is changed", call: changesPassword},
	{method: "account.confirmPasswordEmail", when: "the recovery e-mail is confirmed", call: func(ctx context.Context, p *somebody) error {
		return p.a.ConfirmPasswordEmail(ctx, "12345")
	}},
	{method: "account.resendPasswordEmail", when: "its code is sent again", call: with((*actors.Account).ResendPasswordEmail)},
	{method: "account.cancelPasswordEmail", when: "the recovery e-mail is given up", call: with((*actors.Account).CancelPasswordEmail)},
	{method: "account.resetPassword", when: "the password is reset", call: got((*actors.Account).ResetPassword)},
	{method: "account.declinePasswordReset", when: "that reset is refused", call: with((*actors.Account).DeclinePasswordReset)},
	{method: "account.initPasskeyRegistration", when: "a passkey is begun", call: got((*actors.Account).InitPasskey)},
	{method: "account.registerPasskey", when: "a passkey is registered", call: registersPasskey},
	{method: "account.getPasskeys", when: "passkeys are listed", call: got((*actors.Account).Passkeys)},
	{method: "account.deletePasskey", when: "a passkey is deleted", call: func(ctx context.Context, p *somebody) error {
		return p.a.DeletePasskey(ctx, "x")
	}},
}

package actors

import (
	"context"

	"github.com/mtfleet/mtfleet/mtproto/security"
	"github.com/mtfleet/mtfleet/mtproto/tgerr"
	"github.com/mtfleet/mtfleet/tl/tg"
)

// TwoStep asks what there is of a two-step verification.
func (a *Account) TwoStep(ctx context.Context) (TwoStep, error) {
	p, err := secure(ctx, a, &tg.AccountGetPasswordRequest{})
	if err != nil {
		return TwoStep{}, err
	}
	return TwoStep(security.TwoStepOf(p)), nil
}

// EmailCode says that a recovery e-mail waits for the code mailed to it.
type EmailCode struct {
	// Waits is false when nothing waits: everything is in force.
	Waits bool `json:"waits"`
	// Length is how many characters the code has; 0 where it was not said.
	Length int `json:"length,omitempty"`
}

// ChangePassword sets, changes or removes the two-step password, its hint and its
// recovery e-mail. A new e-mail is in force after ConfirmPasswordEmail; at the
// first set-up the password is too. It computes for tens of milliseconds on the
// caller's goroutine, and half a second where the server wants a group that is not
// the usual one: what the server proposes is proved first.
func (a *Account) ChangePassword(ctx context.Context, c PasswordChange) (EmailCode, error) {
	err := a.prove(ctx, func(p *tg.AccountPassword) error {
		q, err := security.Settings(p, a.m.env.Group(), a.m.opts.Rand, security.Change(c))
		if err != nil {
			return err
		}
		yes, err := Invoke(ctx, a, q)
		if err == nil && !yes {
			return &SecurityError{Reason: SecurityServer, Message: "the server did not take the change of the password, and not say why"}
		}
		return err
	})
	if length, waits := security.CodeLength(err); waits {
		return EmailCode{Waits: true, Length: length}, nil
	}
	return EmailCode{}, a.secured(err)
}

// RecoveryEmail asks for the recovery e-mail, which the server tells to who knows
// the password; "" when there is none. It computes as ChangePassword does.
func (a *Account) RecoveryEmail(ctx context.Context, password string) (string, error) {
	email := ""
	err := a.prove(ctx, func(p *tg.AccountPassword) error {
		if !p.HasPassword {
			return &SecurityError{Reason: SecurityNone, Message: "the account has no two-step password, and so no recovery e-mail"}
		}
		proof, err := security.Proof(p, a.m.env.Group(), a.m.opts.Rand, password)
		if err != nil {
			return err
		}
		s, err := Invoke(ctx, a, &tg.AccountGetPasswordSettingsRequest{Password: proof}, WithPolicy(Once))
		if err == nil {
			email = s.Email.Or("")
		}
		return err
	})
	return email, a.secured(err)
}

// prove asks for the parameters of one proof and uses them. What the server gave
// out is good for one try; when it has forgotten it, other parameters are asked
// for, once.
func (a *Account) prove(ctx context.Context, use func(*tg.AccountPassword) error) error {
	for again := false; ; again = true {
		p, err := Invoke(ctx, a, &tg.AccountGetPasswordRequest{})
		if err != nil {
			return err
		}
		if err = use(p); again || !tgerr.Is(err, "SRP_ID_INVALID") {
			return err
		}
	}
}

// ConfirmPasswordEmail puts a recovery e-mail, and what waits with it, in force by
// the code that was mailed to it.
func (a *Account) ConfirmPasswordEmail(ctx context.Context, code string) error {
	return agree(ctx, a, &tg.AccountConfirmPasswordEmailRequest{Code: code})
}

// ResendPasswordEmail has another code mailed to the recovery e-mail that waits.
func (a *Account) ResendPasswordEmail(ctx context.Context) error {
	return agree(ctx, a, &tg.AccountResendPasswordEmailRequest{})
}

// CancelPasswordEmail forgets the recovery e-mail that waits, and what waits with it.
func (a *Account) CancelPasswordEmail(ctx context.Context) error {
	return agree(ctx, a, &tg.AccountCancelPasswordEmailRequest{})
}

// ResetPassword asks to remove a password that nobody knows any more. The server
// makes its owner wait for a week first: asked once more after Until, it is done.
func (a *Account) ResetPassword(ctx context.Context) (PasswordReset, error) {
	v, err := secure(ctx, a, &tg.AccountResetPasswordRequest{})
	if err != nil {
		return PasswordReset{}, err
	}
	reset := security.ResetOf(v)
	return PasswordReset{ResetState(reset.State), reset.Until}, nil
}

// DeclinePasswordReset ends a reset that waits; the password stays.
func (a *Account) DeclinePasswordReset(ctx context.Context) error {
	return agree(ctx, a, &tg.AccountDeclinePasswordResetRequest{})
}

// RequestPasswordRecovery has a code mailed to the recovery e-mail, by which
// RecoverPassword replaces a password that nobody knows any more. It returns the
// pattern of the address.
func (a *Account) RequestPasswordRecovery(ctx context.Context) (pattern string, err error) {
	v, err := secure(ctx, a, &tg.AuthRequestPasswordRecoveryRequest{})
	if err != nil {
		return "", err
	}
	return v.EmailPattern, nil
}

// RecoverPassword replaces a forgotten password by the code that was mailed to the
// recovery e-mail: with c.New and its hint, or with none. The code is checked
// first, so that a wrong one costs nothing. It computes as ChangePassword does.
func (a *Account) RecoverPassword(ctx context.Context, code string, c PasswordChange) error {
	if err := agree(ctx, a, &tg.AuthCheckRecoveryPasswordRequest{Code: code}); err != nil {
		return err
	}
	p, err := secure(ctx, a, &tg.AccountGetPasswordRequest{})
	if err != nil {
		return err
	}
	q, err := security.Recovery(p, a.m.env.Group(), a.m.opts.Rand, code, security.Change(c))
	if err != nil {
		return own(err)
	}
	if _, err = Invoke(ctx, a, q); err != nil {
		if _, waits := security.CodeLength(err); waits {
			return nil // in force but for the e-mail, which has to be confirmed anew
		}
		return a.secured(err)
	}
	return nil
}

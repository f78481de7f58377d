package control

import (
	"context"
	"errors"
	"fmt"

	"github.com/mtfleet/mtfleet/actors"
)

// This file has the methods of SecurityService over a manager of this process.

// asked runs a query about an account's safety that changes nothing.
func asked[R any](ctx context.Context, l *Local, id string, f func(*actors.Account) (R, error)) (R, error) {
	var none R
	a, err := l.account(ctx, id)
	if err != nil {
		return none, err
	}
	got, err := f(a)
	var state *actors.StateError
	switch {
	case err == nil:
		return got, nil
	case errors.As(err, &state) && !errors.Is(err, actors.ErrMayHaveRun):
		return none, &Error{Kind: KindState, Err: err, Message: standsSo(a, state)}
	}
	return none, l.fail(ctx, a, err)
}

// standsSo says why an account in its state cannot be asked, and what to do.
func standsSo(a *actors.Account, e *actors.StateError) string {
	s := fmt.Sprintf("account %s is %s", a.ID(), e.State)
	if e.Why != "" {
		s += " (" + actors.Plain(e.Why) + ")"
	}
	if st := a.Status(); st.State == e.State && st.Advice != "" {
		s += ": " + st.Advice
	}
	return s
}

// changed runs one that changes something, and says of what has no answer that it
// may be done.
func changed[R any](ctx context.Context, l *Local, id string, f func(*actors.Account) (R, error)) (R, error) {
	var ran bool
	got, err := asked(ctx, l, id, func(a *actors.Account) (R, error) {
		got, err := f(a)
		ran = errors.Is(err, actors.ErrMayHaveRun)
		return got, err
	})
	var e *Error
	if ran && errors.As(err, &e) {
		told := *e
		told.Message += "; the server may have done it all the same: look before it is repeated"
		return got, &told
	}
	return got, err
}

// done is changed for what has no result.
func done(ctx context.Context, l *Local, id string, f func(*actors.Account) error) (Empty, error) {
	return changed(ctx, l, id, func(a *actors.Account) (Empty, error) { return Empty{}, f(a) })
}

// TwoStep carries out [TwoStep].
func (l *Local) TwoStep(ctx context.Context, r AccountRequest) (actors.TwoStep, error) {
	return asked(ctx, l, r.ID, func(a *actors.Account) (actors.TwoStep, error) { return a.TwoStep(ctx) })
}

// ChangePassword carries out [ChangePassword].
func (l *Local) ChangePassword(ctx context.Context, r PasswordRequest) (actors.EmailCode, error) {
	return changed(ctx, l, r.ID, func(a *actors.Account) (actors.EmailCode, error) {
		return a.ChangePassword(ctx, actors.PasswordChange{
			Current: r.Current, New: r.New, Hint: r.Hint, Remove: r.Remove, Email: r.Email, LosePassport: r.LosePassport,
		})
	})
}

// RecoveryEmail carries out [RecoveryEmail].
func (l *Local) RecoveryEmail(ctx context.Context, r RecoveryEmailRequest) (Email, error) {
	return asked(ctx, l, r.ID, func(a *actors.Account) (Email, error) {
		email, err := a.RecoveryEmail(ctx, r.Current)
		return Email{email}, err
	})
}

// ConfirmPasswordEmail carries out [ConfirmPasswordEmail].
func (l *Local) ConfirmPasswordEmail(ctx context.Context, r CodeRequest) (Empty, error) {
	return done(ctx, l, r.ID, func(a *actors.Account) error { return a.ConfirmPasswordEmail(ctx, r.Code) })
}

// ResendPasswordEmail carries out [ResendPasswordEmail].
func (l *Local) ResendPasswordEmail(ctx context.Context, r AccountRequest) (Empty, error) {
	return done(ctx, l, r.ID, func(a *actors.Account) error { return a.ResendPasswordEmail(ctx) })
}

// CancelPasswordEmail carries out [CancelPasswordEmail].
func (l *Local) CancelPasswordEmail(ctx context.Context, r AccountRequest) (Empty, error) {
	return done(ctx, l, r.ID, func(a *actors.Account) error { return a.CancelPasswordEmail(ctx) })
}

// ResetPassword carries out [ResetPassword].
func (l *Local) ResetPassword(ctx context.Context, r AccountRequest) (actors.PasswordReset, error) {
	return changed(ctx, l, r.ID, func(a *actors.Account) (actors.PasswordReset, error) { return a.ResetPassword(ctx) })
}

// DeclinePasswordReset carries out [DeclinePasswordReset].
func (l *Local) DeclinePasswordReset(ctx context.Context, r AccountRequest) (Empty, error) {
	return done(ctx, l, r.ID, func(a *actors.Account) error { return a.DeclinePasswordReset(ctx) })
}

// RequestPasswordRecovery carries out [RequestPasswordRecovery].
func (l *Local) RequestPasswordRecovery(ctx context.Context, r AccountRequest) (Email, error) {
	return changed(ctx, l, r.ID, func(a *actors.Account) (Email, error) {
		pattern, err := a.RequestPasswordRecovery(ctx)
		return Email{pattern}, err
	})
}

// RecoverPassword carries out [RecoverPassword].
func (l *Local) RecoverPassword(ctx context.Context, r RecoverRequest) (Empty, error) {
	return done(ctx, l, r.ID, func(a *actors.Account) error {
		return a.RecoverPassword(ctx, r.Code, actors.PasswordChange{New: r.New, Hint: r.Hint, LosePassport: r.LosePassport})
	})
}

// Sessions carries out [Sessions].
func (l *Local) Sessions(ctx context.Context, r AccountRequest) (actors.Sessions, error) {
	return asked(ctx, l, r.ID, func(a *actors.Account) (actors.Sessions, error) { return a.Sessions(ctx) })
}

// TerminateSession carries out [TerminateSession].
func (l *Local) TerminateSession(ctx context.Context, r TerminateRequest) (Empty, error) {
	if (r.Session == "") != r.Others {
		return Empty{}, &Error{Kind: KindInvalid, Message: "name one session to end, or say that it is all others"}
	}
	return done(ctx, l, r.ID, func(a *actors.Account) error {
		if r.Others {
			return a.TerminateOtherSessions(ctx)
		}
		return a.TerminateSession(ctx, r.Session)
	})
}

// ConfirmSession carries out [ConfirmSession].
func (l *Local) ConfirmSession(ctx context.Context, r SessionRequest) (Empty, error) {
	if r.Session == "" {
		return Empty{}, &Error{Kind: KindInvalid, Message: "name the session to confirm"}
	}
	return done(ctx, l, r.ID, func(a *actors.Account) error {
		return a.ChangeSession(ctx, actors.SessionSettings{ID: r.Session, Confirm: true})
	})
}

// SetSessionsTTL carries out [SetSessionsTTL].
func (l *Local) SetSessionsTTL(ctx context.Context, r TTLRequest) (Empty, error) {
	return done(ctx, l, r.ID, func(a *actors.Account) error { return a.SetSessionsTTL(ctx, r.Days) })
}

// AcceptQR carries out [AcceptQR].
func (l *Local) AcceptQR(ctx context.Context, r AcceptRequest) (actors.Session, error) {
	return changed(ctx, l, r.ID, func(a *actors.Account) (actors.Session, error) { return a.AcceptQR(ctx, r.Link) })
}

// Passkeys carries out [Passkeys].
func (l *Local) Passkeys(ctx context.Context, r AccountRequest) (PasskeyList, error) {
	return asked(ctx, l, r.ID, func(a *actors.Account) (PasskeyList, error) {
		keys, err := a.Passkeys(ctx)
		return PasskeyList{keys}, err
	})
}

// DeletePasskey carries out [DeletePasskey].
func (l *Local) DeletePasskey(ctx context.Context, r PasskeyRequest) (Empty, error) {
	return done(ctx, l, r.ID, func(a *actors.Account) error { return a.DeletePasskey(ctx, r.Passkey) })
}

// InitPasskey carries out [InitPasskey].
func (l *Local) InitPasskey(ctx context.Context, r AccountRequest) (PasskeyOptions, error) {
	return asked(ctx, l, r.ID, func(a *actors.Account) (PasskeyOptions, error) {
		options, err := a.InitPasskey(ctx)
		return PasskeyOptions{options}, err
	})
}

// FinishPasskey carries out [FinishPasskey].
func (l *Local) FinishPasskey(ctx context.Context, r FinishPasskeyRequest) (actors.PasskeyInfo, error) {
	return changed(ctx, l, r.ID, func(a *actors.Account) (actors.PasskeyInfo, error) { return a.FinishPasskey(ctx, r.Credential) })
}

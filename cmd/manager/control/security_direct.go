package control

import (
	"context"

	"github.com/mtfleet/mtfleet/actors"
)

// This file has the methods of Security over a store that no manager runs: a
// manager with the one account does each.

// TwoStep implements Security.
func (d *Direct) TwoStep(ctx context.Context, r AccountRequest) (actors.TwoStep, error) {
	l, done, err := d.open(ctx, r.ID, true)
	if err != nil {
		return actors.TwoStep{}, err
	}
	defer done()
	return l.TwoStep(ctx, r)
}

// ChangePassword implements Security.
func (d *Direct) ChangePassword(ctx context.Context, r PasswordRequest) (actors.EmailCode, error) {
	l, done, err := d.open(ctx, r.ID, true)
	if err != nil {
		return actors.EmailCode{}, err
	}
	defer done()
	return l.ChangePassword(ctx, r)
}

// RecoveryEmail implements Security.
func (d *Direct) RecoveryEmail(ctx context.Context, r PasswordRequest) (Email, error) {
	l, done, err := d.open(ctx, r.ID, true)
	if err != nil {
		return Email{}, err
	}
	defer done()
	return l.RecoveryEmail(ctx, r)
}

// ConfirmPasswordEmail implements Security.
func (d *Direct) ConfirmPasswordEmail(ctx context.Context, r CodeRequest) (Empty, error) {
	l, done, err := d.open(ctx, r.ID, true)
	if err != nil {
		return Empty{}, err
	}
	defer done()
	return l.ConfirmPasswordEmail(ctx, r)
}

// ResendPasswordEmail implements Security.
func (d *Direct) ResendPasswordEmail(ctx context.Context, r AccountRequest) (Empty, error) {
	l, done, err := d.open(ctx, r.ID, true)
	if err != nil {
		return Empty{}, err
	}
	defer done()
	return l.ResendPasswordEmail(ctx, r)
}

// CancelPasswordEmail implements Security.
func (d *Direct) CancelPasswordEmail(ctx context.Context, r AccountRequest) (Empty, error) {
	l, done, err := d.open(ctx, r.ID, true)
	if err != nil {
		return Empty{}, err
	}
	defer done()
	return l.CancelPasswordEmail(ctx, r)
}

// ResetPassword implements Security.
func (d *Direct) ResetPassword(ctx context.Context, r AccountRequest) (actors.PasswordReset, error) {
	l, done, err := d.open(ctx, r.ID, true)
	if err != nil {
		return actors.PasswordReset{}, err
	}
	defer done()
	return l.ResetPassword(ctx, r)
}

// DeclinePasswordReset implements Security.
func (d *Direct) DeclinePasswordReset(ctx context.Context, r AccountRequest) (Empty, error) {
	l, done, err := d.open(ctx, r.ID, true)
	if err != nil {
		return Empty{}, err
	}
	defer done()
	return l.DeclinePasswordReset(ctx, r)
}

// RequestPasswordRecovery implements Security.
func (d *Direct) RequestPasswordRecovery(ctx context.Context, r AccountRequest) (Email, error) {
	l, done, err := d.open(ctx, r.ID, true)
	if err != nil {
		return Email{}, err
	}
	defer done()
	return l.RequestPasswordRecovery(ctx, r)
}

// RecoverPassword implements Security.
func (d *Direct) RecoverPassword(ctx context.Context, r RecoverRequest) (Empty, error) {
	l, done, err := d.open(ctx, r.ID, true)
	if err != nil {
		return Empty{}, err
	}
	defer done()
	return l.RecoverPassword(ctx, r)
}

// Sessions implements Security.
func (d *Direct) Sessions(ctx context.Context, r AccountRequest) (actors.Sessions, error) {
	l, done, err := d.open(ctx, r.ID, true)
	if err != nil {
		return actors.Sessions{}, err
	}
	defer done()
	return l.Sessions(ctx, r)
}

// TerminateSession implements Security.
func (d *Direct) TerminateSession(ctx context.Context, r TerminateRequest) (Empty, error) {
	l, done, err := d.open(ctx, r.ID, true)
	if err != nil {
		return Empty{}, err
	}
	defer done()
	return l.TerminateSession(ctx, r)
}

// ConfirmSession implements Security.
func (d *Direct) ConfirmSession(ctx context.Context, r SessionRequest) (Empty, error) {
	l, done, err := d.open(ctx, r.ID, true)
	if err != nil {
		return Empty{}, err
	}
	defer done()
	return l.ConfirmSession(ctx, r)
}

// SetSessionsTTL implements Security.
func (d *Direct) SetSessionsTTL(ctx context.Context, r TTLRequest) (Empty, error) {
	l, done, err := d.open(ctx, r.ID, true)
	if err != nil {
		return Empty{}, err
	}
	defer done()
	return l.SetSessionsTTL(ctx, r)
}

// AcceptQR implements Security.
func (d *Direct) AcceptQR(ctx context.Context, r AcceptRequest) (actors.Session, error) {
	l, done, err := d.open(ctx, r.ID, true)
	if err != nil {
		return actors.Session{}, err
	}
	defer done()
	return l.AcceptQR(ctx, r)
}

// Passkeys implements Security.
func (d *Direct) Passkeys(ctx context.Context, r AccountRequest) (PasskeyList, error) {
	l, done, err := d.open(ctx, r.ID, true)
	if err != nil {
		return PasskeyList{}, err
	}
	defer done()
	return l.Passkeys(ctx, r)
}

// DeletePasskey implements Security.
func (d *Direct) DeletePasskey(ctx context.Context, r PasskeyRequest) (Empty, error) {
	l, done, err := d.open(ctx, r.ID, true)
	if err != nil {
		return Empty{}, err
	}
	defer done()
	return l.DeletePasskey(ctx, r)
}

// InitPasskey implements Security.
func (d *Direct) InitPasskey(ctx context.Context, r AccountRequest) (PasskeyOptions, error) {
	l, done, err := d.open(ctx, r.ID, true)
	if err != nil {
		return PasskeyOptions{}, err
	}
	defer done()
	return l.InitPasskey(ctx, r)
}

// FinishPasskey implements Security.
func (d *Direct) FinishPasskey(ctx context.Context, r FinishPasskeyRequest) (actors.PasskeyInfo, error) {
	l, done, err := d.open(ctx, r.ID, true)
	if err != nil {
		return actors.PasskeyInfo{}, err
	}
	defer done()
	return l.FinishPasskey(ctx, r)
}

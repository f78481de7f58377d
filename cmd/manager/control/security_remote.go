package control

import (
	"context"
	"net/http"

	"github.com/mtfleet/mtfleet/actors"
)

// This file takes the methods of Security over the socket.

func handleSecurity(mux *http.ServeMux, s Security) {
	unary(mux, "TwoStep", s.TwoStep)
	unary(mux, "ChangePassword", s.ChangePassword)
	unary(mux, "RecoveryEmail", s.RecoveryEmail)
	unary(mux, "ConfirmPasswordEmail", s.ConfirmPasswordEmail)
	unary(mux, "ResendPasswordEmail", s.ResendPasswordEmail)
	unary(mux, "CancelPasswordEmail", s.CancelPasswordEmail)
	unary(mux, "ResetPassword", s.ResetPassword)
	unary(mux, "DeclinePasswordReset", s.DeclinePasswordReset)
	unary(mux, "RequestPasswordRecovery", s.RequestPasswordRecovery)
	unary(mux, "RecoverPassword", s.RecoverPassword)
	unary(mux, "Sessions", s.Sessions)
	unary(mux, "TerminateSession", s.TerminateSession)
	unary(mux, "ConfirmSession", s.ConfirmSession)
	unary(mux, "SetSessionsTTL", s.SetSessionsTTL)
	unary(mux, "AcceptQR", s.AcceptQR)
	unary(mux, "Passkeys", s.Passkeys)
	unary(mux, "DeletePasskey", s.DeletePasskey)
	unary(mux, "InitPasskey", s.InitPasskey)
	unary(mux, "FinishPasskey", s.FinishPasskey)
}

// TwoStep implements Security.
func (r *Remote) TwoStep(ctx context.Context, q AccountRequest) (actors.TwoStep, error) {
	return call[AccountRequest, actors.TwoStep](ctx, r, "TwoStep", q)
}

// ChangePassword implements Security.
func (r *Remote) ChangePassword(ctx context.Context, q PasswordRequest) (actors.EmailCode, error) {
	return call[PasswordRequest, actors.EmailCode](ctx, r, "ChangePassword", q)
}

// RecoveryEmail implements Security.
func (r *Remote) RecoveryEmail(ctx context.Context, q PasswordRequest) (Email, error) {
	return call[PasswordRequest, Email](ctx, r, "RecoveryEmail", q)
}

// ConfirmPasswordEmail implements Security.
func (r *Remote) ConfirmPasswordEmail(ctx context.Context, q CodeRequest) (Empty, error) {
	return call[CodeRequest, Empty](ctx, r, "ConfirmPasswordEmail", q)
}

// ResendPasswordEmail implements Security.
func (r *Remote) ResendPasswordEmail(ctx context.Context, q AccountRequest) (Empty, error) {
	return call[AccountRequest, Empty](ctx, r, "ResendPasswordEmail", q)
}

// CancelPasswordEmail implements Security.
func (r *Remote) CancelPasswordEmail(ctx context.Context, q AccountRequest) (Empty, error) {
	return call[AccountRequest, Empty](ctx, r, "CancelPasswordEmail", q)
}

// ResetPassword implements Security.
func (r *Remote) ResetPassword(ctx context.Context, q AccountRequest) (actors.PasswordReset, error) {
	return call[AccountRequest, actors.PasswordReset](ctx, r, "ResetPassword", q)
}

// DeclinePasswordReset implements Security.
func (r *Remote) DeclinePasswordReset(ctx context.Context, q AccountRequest) (Empty, error) {
	return call[AccountRequest, Empty](ctx, r, "DeclinePasswordReset", q)
}

// RequestPasswordRecovery implements Security.
func (r *Remote) RequestPasswordRecovery(ctx context.Context, q AccountRequest) (Email, error) {
	return call[AccountRequest, Email](ctx, r, "RequestPasswordRecovery", q)
}

// RecoverPassword implements Security.
func (r *Remote) RecoverPassword(ctx context.Context, q RecoverRequest) (Empty, error) {
	return call[RecoverRequest, Empty](ctx, r, "RecoverPassword", q)
}

// Sessions implements Security.
func (r *Remote) Sessions(ctx context.Context, q AccountRequest) (actors.Sessions, error) {
	return call[AccountRequest, actors.Sessions](ctx, r, "Sessions", q)
}

// TerminateSession implements Security.
func (r *Remote) TerminateSession(ctx context.Context, q TerminateRequest) (Empty, error) {
	return call[TerminateRequest, Empty](ctx, r, "TerminateSession", q)
}

// ConfirmSession implements Security.
func (r *Remote) ConfirmSession(ctx context.Context, q SessionRequest) (Empty, error) {
	return call[SessionRequest, Empty](ctx, r, "ConfirmSession", q)
}

// SetSessionsTTL implements Security.
func (r *Remote) SetSessionsTTL(ctx context.Context, q TTLRequest) (Empty, error) {
	return call[TTLRequest, Empty](ctx, r, "SetSessionsTTL", q)
}

// AcceptQR implements Security.
func (r *Remote) AcceptQR(ctx context.Context, q AcceptRequest) (actors.Session, error) {
	return call[AcceptRequest, actors.Session](ctx, r, "AcceptQR", q)
}

// Passkeys implements Security.
func (r *Remote) Passkeys(ctx context.Context, q AccountRequest) (PasskeyList, error) {
	return call[AccountRequest, PasskeyList](ctx, r, "Passkeys", q)
}

// DeletePasskey implements Security.
func (r *Remote) DeletePasskey(ctx context.Context, q PasskeyRequest) (Empty, error) {
	return call[PasskeyRequest, Empty](ctx, r, "DeletePasskey", q)
}

// InitPasskey implements Security.
func (r *Remote) InitPasskey(ctx context.Context, q AccountRequest) (PasskeyOptions, error) {
	return call[AccountRequest, PasskeyOptions](ctx, r, "InitPasskey", q)
}

// FinishPasskey implements Security.
func (r *Remote) FinishPasskey(ctx context.Context, q FinishPasskeyRequest) (actors.PasskeyInfo, error) {
	return call[FinishPasskeyRequest, actors.PasskeyInfo](ctx, r, "FinishPasskey", q)
}

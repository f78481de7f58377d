package actors

import (
	"context"
	"errors"

	"github.com/mtfleet/mtfleet/mtproto/security"
	"github.com/mtfleet/mtfleet/mtproto/tgerr"
	"github.com/mtfleet/mtfleet/tl"
)

// This file and its neighbours are what the owner of a signed-in account can do
// about its safety. Each method is one or a few calls by Invoke and ends as those
// do: it waits for as long as ctx lets it, and what must not run twice may end
// with ErrMayHaveRun. Refusals of the server that belong to the matter are a
// *SecurityError, which holds the server's own error; what makes no sense is one
// too, and then nothing was sent.

// The types of an account's safety.
type (
	// SecurityError says why something about an account's safety was refused.
	SecurityError = security.Error
	// SecurityReason is why, for programs.
	SecurityReason = security.Reason
	// TwoStep is what the server tells of the two-step verification.
	TwoStep = security.TwoStep
	// PasswordChange is what becomes of a two-step password.
	PasswordChange = security.Change
	// PasswordReset is what the server said of removing a forgotten password.
	PasswordReset = security.Reset
	// Sessions are the authorizations of an account.
	Sessions = security.Sessions
	// Session is one of them.
	Session = security.Session
	// PasskeyInfo is one passkey of an account.
	PasskeyInfo = security.Passkey
	// Notice is what the server told about an account's safety, unasked.
	Notice = security.Notice
)

// The reasons of a SecurityError; security.Reason documents each.
const (
	SecurityInput       = security.ReasonInput
	SecurityPassword    = security.ReasonPassword
	SecurityNone        = security.ReasonNone
	SecurityChanged     = security.ReasonChanged
	SecurityPassport    = security.ReasonPassport
	SecurityCode        = security.ReasonCode
	SecurityExpired     = security.ReasonExpired
	SecurityUsed        = security.ReasonUsed
	SecurityLink        = security.ReasonLink
	SecurityEmail       = security.ReasonEmail
	SecurityDays        = security.ReasonDays
	SecurityFresh       = security.ReasonFresh
	SecurityCredential  = security.ReasonCredential
	SecurityDenied      = security.ReasonDenied
	SecurityHostile     = security.ReasonHostile
	SecurityUnsupported = security.ReasonUnsupported
	SecurityServer      = security.ReasonServer
)

// The states of a PasswordReset and the kinds of a Notice.
const (
	ResetWaits   = security.ResetWaits
	ResetRefused = security.ResetRefused
	ResetDone    = security.ResetDone

	NoticeNewSession       = security.NoticeNewSession
	NoticeSessionConfirmed = security.NoticeSessionConfirmed
	NoticeKeyDropped       = security.NoticeKeyDropped
)

// secure is Invoke for a query about the account's safety.
func secure[R any](ctx context.Context, a *Account, query tl.Query[R], opts ...CallOption) (R, error) {
	got, err := Invoke(ctx, a, query, opts...)
	return got, a.secured(err)
}

// agree is secure for a query that is answered by yes or no.
func agree(ctx context.Context, a *Account, query tl.Query[bool], opts ...CallOption) error {
	yes, err := secure(ctx, a, query, opts...)
	if err == nil && !yes {
		return &SecurityError{Reason: SecurityServer, Message: "the server said no to " + query.TypeName() + ", and not why"}
	}
	return err
}

// secured says what a refusal means, where it belongs to the matter.
func (a *Account) secured(err error) error {
	refusal, ok := tgerr.As(err)
	if !ok || errors.Is(err, ErrNotSent) || errors.Is(err, ErrMayHaveRun) {
		return err
	}
	if e := security.Explain(a.m.sys.Clock().Now(), refusal); e != nil {
		return e
	}
	return err
}

package actors

import (
	"context"
	"errors"

	"github.com/mtfleet/mtfleet/mtproto/security"
	"github.com/mtfleet/mtfleet/mtproto/tgerr"
	"github.com/mtfleet/mtfleet/tl"
	"github.com/mtfleet/mtfleet/tl/tg"
)

// Sessions lists the authorizations of the account, our own first. A list without our own is a sign that ours has ended: the
// account is asked whether that is so, and becomes Revoked if it is.
func (a *Account) Sessions(ctx context.Context) (Sessions, error) {
	v, err := secure(ctx, a, &tg.AccountGetAuthorizationsRequest{})
	if err != nil {
		return Sessions{}, err
	}
	s := sessionsOf(security.SessionsOf(v))
	if _, ours := s.Own(); !ours {
		// The answer is the account's business: a 401 is confirmed, then believed.
		if _, err := Invoke(ctx, a, &tg.UsersGetUsersRequest{ID: []tg.AnyInputUser{&tg.InputUserSelf{}}}); err != nil {
			return s, err
		}
	}
	return s, nil
}

// TerminateSession ends one other session by its Session.ID. Ours has to be a day
// old for that; the *SecurityError says when it will be.
func (a *Account) TerminateSession(ctx context.Context, id string) error {
	hash, err := security.ParseSessionID(id)
	if err != nil {
		return own(err)
	}
	return a.old(ctx, agree(ctx, a, &tg.AccountResetAuthorizationRequest{Hash: hash}))
}

// TerminateOtherSessions ends every session but ours, which has to be a day old.
func (a *Account) TerminateOtherSessions(ctx context.Context) error {
	return a.old(ctx, agree(ctx, a, &tg.AuthResetAuthorizationsRequest{}, WithPolicy(Repeatable)))
}

// SetSessionsTTL sets after how many days without a query a session ends. Ours has
// to be a day old.
func (a *Account) SetSessionsTTL(ctx context.Context, days int) error {
	if days != int(int32(days)) { // what else the server does not take, it refuses itself
		return &SecurityError{Reason: SecurityDays, Message: "that is no number of days"}
	}
	return a.old(ctx, agree(ctx, a, &tg.AccountSetAuthorizationTTLRequest{AuthorizationTTLDays: int32(days)}, WithPolicy(Repeatable)))
}

// SessionSettings changes what another session may do; nil leaves it. ID "" is our
// own session.
type SessionSettings struct {
	ID            string
	Confirm       bool // say that a new session is the owner's
	NoSecretChats *bool
	NoCalls       *bool
}

// ChangeSession confirms a session that is new, or lets it have secret chats and
// calls or not.
func (a *Account) ChangeSession(ctx context.Context, s SessionSettings) error {
	q := &tg.AccountChangeAuthorizationSettingsRequest{Confirmed: s.Confirm}
	if s.ID != "" {
		hash, err := security.ParseSessionID(s.ID)
		if err != nil {
			return own(err)
		}
		q.Hash = hash
	}
	if s.NoSecretChats != nil {
		q.EncryptedRequestsDisabled = tl.Some(*s.NoSecretChats)
	}
	if s.NoCalls != nil {
		q.CallRequestsDisabled = tl.Some(*s.NoCalls)
	}
	return agree(ctx, a, q, WithPolicy(Repeatable))
}

// old adds to a refusal for our session's youth when it is old enough.
func (a *Account) old(ctx context.Context, err error) error {
	var e *SecurityError
	if !errors.As(err, &e) || !tgerr.Is(err, "FRESH_RESET_AUTHORISATION_FORBIDDEN") || !e.Until.IsZero() {
		return err
	}
	if s, listErr := a.Sessions(ctx); listErr == nil {
		if ours, ok := s.Own(); ok && !ours.Created.IsZero() {
			e.Until = ours.Created.Add(security.FreshFor)
		}
	}
	return e
}

// AcceptQR lets the app in that shows a QR code: it will be signed in as this
// account. The argument is the code's link or its token. The session that was let
// in is returned; TerminateSession with its ID ends it. Whoever calls this gives
// the account away to who made the code: never take one out of a message.
func (a *Account) AcceptQR(ctx context.Context, linkOrToken string) (Session, error) {
	token, err := security.ParseLink(linkOrToken)
	if err != nil {
		return Session{}, own(err)
	}
	v, err := secure(ctx, a, &tg.AuthAcceptLoginTokenRequest{Token: token})
	if err != nil {
		return Session{}, err
	}
	return Session(security.SessionOf(v)), nil
}

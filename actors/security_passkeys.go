package actors

import (
	"context"
	"encoding/json"

	"github.com/mtfleet/mtfleet/mtproto/security"
	"github.com/mtfleet/mtfleet/tl/tg"
)

// Passkeys lists the passkeys of the account.
func (a *Account) Passkeys(ctx context.Context) ([]PasskeyInfo, error) {
	v, err := secure(ctx, a, &tg.AccountGetPasskeysRequest{})
	if err != nil {
		return nil, err
	}
	keys := []PasskeyInfo{}
	for i := range v.Passkeys {
		keys = append(keys, PasskeyInfo(security.PasskeyOf(&v.Passkeys[i])))
	}
	return keys, nil
}

// DeletePasskey deletes one by its ID.
func (a *Account) DeletePasskey(ctx context.Context, id string) error {
	if id == "" {
		return &SecurityError{Reason: SecurityInput, Message: "the passkey to delete is not named"}
	}
	return agree(ctx, a, &tg.AccountDeletePasskeyRequest{ID: id})
}

// InitPasskey asks for what an authenticator has to sign to become a passkey: the
// JSON that navigator.credentials.create takes. FinishPasskey takes its answer.
func (a *Account) InitPasskey(ctx context.Context) (json.RawMessage, error) {
	v, err := secure(ctx, a, &tg.AccountInitPasskeyRegistrationRequest{})
	if err != nil {
		return nil, err
	}
	options, err := security.OptionsOf(v)
	return options, own(err)
}

// FinishPasskey registers the passkey that an authenticator made: the JSON of its
// PublicKeyCredential. The challenge belongs to the account's key and to the last
// InitPasskey.
func (a *Account) FinishPasskey(ctx context.Context, credential json.RawMessage) (PasskeyInfo, error) {
	q, err := security.Registration(credential)
	if err != nil {
		return PasskeyInfo{}, own(err)
	}
	v, err := secure(ctx, a, q)
	if err != nil {
		return PasskeyInfo{}, err
	}
	return PasskeyInfo(security.PasskeyOf(v)), nil
}

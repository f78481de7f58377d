package api

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/mtfleet/mtfleet/tl"
	"github.com/mtfleet/mtfleet/tl/tg"
)

// Passkeys checks what authenticators sign. Package dctest/webauthn has one; it stays outside because what it stands on
// brings clocks and sockets along.
type Passkeys interface {
	// Register checks the attestation of a new credential and returns what is kept of it.
	Register(c PasskeyCheck, clientData string, attestation []byte) (PasskeyRecord, error)
	// Check verifies an assertion by a credential and returns its new signature counter.
	Check(c PasskeyCheck, r PasskeyRecord, a PasskeyAssertion) (counter uint32, err error)
}

// ErrPasskeyOrigin is returned by Passkeys for a signature made for somebody else's origin; any other error is a
// credential that is not good.
var ErrPasskeyOrigin = errors.New("api: the passkey was used at another origin")

// PasskeyCheck is what a signature has to fit.
type PasskeyCheck struct {
	RP        string // relying party
	Origins   []string
	Challenge []byte
	ID        []byte // of the credential
}

// PasskeyRecord is what is kept of a credential.
type PasskeyRecord struct {
	ID        []byte
	PublicKey []byte // COSE
	Counter   uint32
}

// PasskeyAssertion is an authenticator's answer at a sign-in.
type PasskeyAssertion struct {
	ClientData        string // JSON
	AuthenticatorData []byte
	Signature         []byte
	UserHandle        string
}

// passkey is one credential of a user.
type passkey struct {
	PasskeyRecord
	name          string
	created, used time.Time
}

// challenge is what an authenticator is asked to sign: once, and for the key that asked.
type challenge struct {
	value   []byte
	expires time.Time
}

// challenges holds the live challenges by the key that asked for them, one for each.
//
// Bound: maxChallenges of about 150 bytes; when it is reached, the expired ones go, and if there are none, no more are made.
type challenges struct {
	byKey map[keyRef]challenge
}

const (
	maxChallenges = 1 << 18
	maxPasskeys   = 5 // of an account
	challengeLen  = 32
	challengeTTL  = 5 * time.Minute
)

func (s *challenges) sweep(now time.Time) {
	for key, c := range s.byKey {
		if !now.Before(c.expires) {
			delete(s.byKey, key)
		}
	}
}

// newChallenge makes the calling key's challenge, or nil when there is no room.
func (c *call) newChallenge() []byte {
	s, now := &c.b.challenges, c.req.Now
	if len(s.byKey) >= maxChallenges {
		if s.sweep(now); len(s.byKey) >= maxChallenges {
			return nil
		}
	}
	if s.byKey == nil {
		s.byKey = map[keyRef]challenge{}
	}
	ch := challenge{value: c.b.random(challengeLen), expires: now.Add(challengeTTL)}
	s.byKey[c.ref] = ch
	return ch.value
}

// spendChallenge uses a key's challenge up; nil when it has none that is live.
func (c *call) spendChallenge(ref keyRef) []byte {
	ch, ok := c.b.challenges.byKey[ref]
	delete(c.b.challenges.byKey, ref)
	if !ok || !c.req.Now.Before(ch.expires) {
		return nil
	}
	return ch.value
}

func (c *call) passkeyCheck(challenge, id []byte) PasskeyCheck {
	return PasskeyCheck{RP: c.b.cfg.PasskeyRP, Origins: c.b.cfg.PasskeyOrigins, Challenge: challenge, ID: id}
}

// passkeyError is the answer to a signature that is not good.
func passkeyError(err error) *Error {
	if errors.Is(err, ErrPasskeyOrigin) {
		return errPasskeyOrigin
	}
	return errCredentialInvalid
}

// options is JSON for an authenticator: one member named publicKey, binary values in base64url.
func options(members map[string]any) tg.DataJSON {
	text, err := json.Marshal(map[string]any{"publicKey": members})
	if err != nil {
		return tg.DataJSON{Data: "{}"} // maps of strings and numbers do not fail
	}
	return tg.DataJSON{Data: string(text)}
}

func base64URL(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

// userHandle names an account and its home DC in a credential.
func userHandle(u *user) string { return fmt.Sprintf("%d:%d", u.home, u.id) }

// readUserHandle reads "dc:id".
func readUserHandle(handle string) (dc int, id int64, ok bool) {
	d, i, found := strings.Cut(handle, ":")
	n, err1 := strconv.Atoi(d)
	id, err2 := strconv.ParseInt(i, 10, 64)
	return n, id, found && err1 == nil && err2 == nil
}

// initPasskeyLogin answers auth.initPasskeyLogin.
func (c *call) initPasskeyLogin(q *tg.AuthInitPasskeyLoginRequest) (*tg.AuthPasskeyLoginOptions, *Error) {
	if err := c.checkApp(q.APIID, q.APIHash); err != nil {
		return nil, err
	}
	if c.b.cfg.Passkeys == nil {
		return nil, errMethodInvalid
	}
	ch := c.newChallenge()
	if ch == nil {
		return nil, errAuthRestart
	}
	return &tg.AuthPasskeyLoginOptions{Options: options(map[string]any{
		"challenge": base64URL(ch), "rpId": c.b.cfg.PasskeyRP, "timeout": challengeTTL.Milliseconds(),
		"userVerification": "required", "allowCredentials": []any{},
	})}, nil
}

// assertion reads the credential of auth.finishPasskeyLogin.
func assertion(q *tg.AuthFinishPasskeyLoginRequest) (id []byte, a *tg.InputPasskeyResponseLogin) {
	cred, ok := q.Credential.(*tg.InputPasskeyCredentialPublicKey)
	if !ok {
		return nil, nil
	}
	id, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(cred.ID, "="))
	if a, ok = cred.Response.(*tg.InputPasskeyResponseLogin); !ok || err != nil {
		return nil, nil
	}
	return id, a
}

// routeFinishPasskeyLogin sends the call to the home of the account that the credential names.
func (c *call) routeFinishPasskeyLogin(q *tg.AuthFinishPasskeyLoginRequest) *Error {
	_, a := assertion(q)
	if a == nil {
		return errCredentialInvalid
	}
	_, id, ok := readUserHandle(a.UserHandle)
	u := c.b.dir.byID[id]
	if !ok || u == nil || u.bot {
		return errCredentialInvalid
	}
	if c.user = u; u.home != c.ref.dc {
		return errMigrate("USER", u.home)
	}
	return nil
}

// finishPasskeyLogin answers auth.finishPasskeyLogin. The challenge is the one of the key that asked for it, which the call
// names when that was on another DC. A key that is signed in already is told again, as it must after a lost answer.
func (c *call) finishPasskeyLogin(q *tg.AuthFinishPasskeyLoginRequest) (tg.AnyAuthAuthorization, *Error) {
	if c.b.cfg.Passkeys == nil {
		return nil, errMethodInvalid
	}
	if c.key != nil && c.key.row != nil && c.key.user == c.user {
		return c.finishLogin(c.user)
	}
	from := c.ref
	if id, ok := q.FromAuthKeyID.Get(); ok {
		from = keyRef{int(q.FromDCID.Or(0)), id}
	}
	ch := c.spendChallenge(from)
	if ch == nil {
		return nil, errPasskeyRestart
	}
	id, a := assertion(q)
	p := c.user.passkeyBy(id)
	if p == nil {
		return nil, errCredentialInvalid
	}
	counter, err := c.b.cfg.Passkeys.Check(c.passkeyCheck(ch, id), p.PasskeyRecord, PasskeyAssertion{
		ClientData: a.ClientData.Data, AuthenticatorData: a.AuthenticatorData, Signature: a.Signature, UserHandle: a.UserHandle,
	})
	if err != nil {
		return nil, passkeyError(err)
	}
	if counter != 0 && counter <= p.Counter { // somebody has a copy of the authenticator
		return nil, errCredentialInvalid
	}
	p.Counter, p.used = counter, c.req.Now
	return c.finishLogin(c.user)
}

func (u *user) passkeyBy(id []byte) *passkey {
	for _, p := range u.passkeys {
		if string(p.ID) == string(id) {
			return p
		}
	}
	return nil
}

// initPasskeyRegistration answers account.initPasskeyRegistration.
func (c *call) initPasskeyRegistration(*tg.AccountInitPasskeyRegistrationRequest) (*tg.AccountPasskeyRegistrationOptions, *Error) {
	if c.b.cfg.Passkeys == nil || len(c.user.passkeys) >= maxPasskeys {
		return nil, errAccessDenied
	}
	ch := c.newChallenge()
	if ch == nil {
		return nil, errAuthRestart
	}
	exclude := []any{}
	for _, p := range c.user.passkeys {
		exclude = append(exclude, map[string]any{"type": "public-key", "id": base64URL(p.ID)})
	}
	return &tg.AccountPasskeyRegistrationOptions{Options: options(map[string]any{
		"challenge": base64URL(ch), "timeout": challengeTTL.Milliseconds(), "attestation": "none",
		"rp":                     map[string]any{"id": c.b.cfg.PasskeyRP, "name": "Test cluster"},
		"user":                   map[string]any{"id": base64URL([]byte(userHandle(c.user))), "name": c.user.phone, "displayName": c.user.first},
		"pubKeyCredParams":       []any{map[string]any{"type": "public-key", "alg": -7}, map[string]any{"type": "public-key", "alg": -257}},
		"authenticatorSelection": map[string]any{"residentKey": "required", "userVerification": "required"},
		"excludeCredentials":     exclude,
	})}, nil
}

// registerPasskey answers account.registerPasskey.
func (c *call) registerPasskey(q *tg.AccountRegisterPasskeyRequest) (*tg.Passkey, *Error) {
	cred, ok := q.Credential.(*tg.InputPasskeyCredentialPublicKey)
	if !ok || c.b.cfg.Passkeys == nil {
		return nil, errCredentialInvalid
	}
	r, ok := cred.Response.(*tg.InputPasskeyResponseRegister)
	id, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(cred.ID, "="))
	ch := c.spendChallenge(c.ref)
	if !ok || err != nil || ch == nil || len(c.user.passkeys) >= maxPasskeys || c.user.passkeyBy(id) != nil {
		return nil, errCredentialInvalid
	}
	record, err := c.b.cfg.Passkeys.Register(c.passkeyCheck(ch, id), r.ClientData.Data, r.AttestationData)
	if err != nil {
		return nil, passkeyError(err)
	}
	p := &passkey{PasskeyRecord: record, name: "Passkey " + strconv.Itoa(len(c.user.passkeys)+1), created: c.req.Now}
	c.user.passkeys = append(c.user.passkeys, p)
	shown := p.describe()
	return &shown, nil
}

func (p *passkey) describe() tg.Passkey {
	out := tg.Passkey{ID: base64URL(p.ID), Name: p.name, Date: int32(p.created.Unix())}
	if !p.used.IsZero() {
		out.LastUsageDate = tl.Some(int32(p.used.Unix()))
	}
	return out
}

// getPasskeys answers account.getPasskeys.
func (c *call) getPasskeys(*tg.AccountGetPasskeysRequest) (*tg.AccountPasskeys, *Error) {
	out := &tg.AccountPasskeys{}
	for _, p := range c.user.passkeys {
		out.Passkeys = append(out.Passkeys, p.describe())
	}
	return out, nil
}

// deletePasskey answers account.deletePasskey.
func (c *call) deletePasskey(q *tg.AccountDeletePasskeyRequest) (bool, *Error) {
	i := slices.IndexFunc(c.user.passkeys, func(p *passkey) bool { return base64URL(p.ID) == q.ID })
	if i < 0 {
		return false, errPasskeyNotFound
	}
	c.user.passkeys = slices.Delete(c.user.passkeys, i, i+1)
	return true, nil
}

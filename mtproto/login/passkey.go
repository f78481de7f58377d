package login

import (
	"encoding/base64"
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/mtfleet/mtfleet/mtproto/dc"
	"github.com/mtfleet/mtfleet/mtproto/tgerr"
	"github.com/mtfleet/mtfleet/tl"
	"github.com/mtfleet/mtfleet/tl/tg"
)

// The sign-in by passkey: a challenge from any DC, an assertion by whoever holds
// the key, and its check at the DC that the assertion's user handle names. The
// challenge belongs to the perm key it was asked for with, so another DC is told
// which. https://core.telegram.org/api/passkeys

const (
	callInitPasskey   call = "initPasskeyLogin"
	callFinishPasskey call = "finishPasskeyLogin"
)

// PasskeyPart is what is stored of a sign-in by passkey: where its challenge
// came from. The challenge and the assertion are not.
type PasskeyPart struct {
	FromDC  dc.ID `json:"from_dc,omitempty"`
	FromKey int64 `json:"from_key,omitempty"` // 0: unknown
}

func (m *Machine) passkeyMethod(c call) (method, bool) {
	switch c {
	case callInitPasskey:
		return method{
			state: StateGettingChallenge, repeatable: true, moves: true, patient: true,
			query: func(m *Machine) tl.Object {
				return &tg.AuthInitPasskeyLoginRequest{APIID: m.cfg.APIID, APIHash: m.cfg.APIHash}
			},
			answer: reads((*tg.AuthInitPasskeyLoginRequest)(nil).ParseResult, (*Machine).onChallenge),
			lost:   repeat(callInitPasskey),
		}, true
	case callFinishPasskey:
		return method{
			state: StateFinishingPasskey, signsIn: true, moves: true,
			query:   (*Machine).finishPasskeyQuery,
			answer:  reads(tg.ParseAnyAuthAuthorization, (*Machine).onAuthorization),
			refused: (*Machine).onPasskeyError,
			// A challenge is good once.
			lost:      func(m *Machine, _ time.Time) { m.passkeyAgain(answerLost) },
			forgotten: func(m *Machine) { m.passkeyAgain(restarted) },
			tired:     func(m *Machine, e *tgerr.Error) { m.passkeyAgain(e.Type) },
		}, true
	}
	return method{}, false
}

// onChallenge hands the challenge to the authenticator.
func (m *Machine) onChallenge(_ time.Time, v *tg.AuthPasskeyLoginOptions) {
	if !json.Valid([]byte(v.Options.Data)) {
		m.unreadable()
		return
	}
	m.s.Passkey = PasskeyPart{FromDC: m.s.DC}
	if m.cfg.PermKeyID != nil {
		if id, ok := m.cfg.PermKeyID(m.s.DC); ok {
			m.s.Passkey.FromKey = id
		}
	}
	m.secret.challenge, m.secret.credential = JSONText(v.Options.Data), nil
	m.wait(StateWaitPasskey)
}

// finishPasskeyQuery names where the challenge came from when that is not here.
func (m *Machine) finishPasskeyQuery() tl.Object {
	c := m.secret.credential
	if c == nil {
		return nil
	}
	q := &tg.AuthFinishPasskeyLoginRequest{Credential: &tg.InputPasskeyCredentialPublicKey{
		ID: c.id, RawID: c.rawID,
		Response: &tg.InputPasskeyResponseLogin{
			ClientData: tg.DataJSON{Data: string(c.clientData)}, AuthenticatorData: c.authenticatorData,
			Signature: c.signature, UserHandle: c.userHandle,
		},
	}}
	if from := m.s.Passkey; from.FromDC != m.s.DC {
		q.FromDCID, q.FromAuthKeyID = tl.Some(int32(from.FromDC)), tl.Some(from.FromKey)
	}
	return q
}

// passkeyAgain asks for another challenge.
func (m *Machine) passkeyAgain(why string) {
	m.secret.credential, m.s.LastError = nil, why
	m.call(callInitPasskey)
}

// onPasskeyError sorts the refusals of an assertion.
func (m *Machine) onPasskeyError(_ time.Time, e *tgerr.Error) bool {
	switch e.Type {
	case "AUTH_RESTART", "PASSKEY_AUTH_RESTART": // the challenge is lost
		if m.s.Repeats >= restartsMost {
			m.fail(&Error{Reason: ReasonServer, Err: e, Retry: true, Message: "the server keeps forgetting the challenge; try again later"})
			return true
		}
		m.s.Repeats++
		m.passkeyAgain(e.Type)
	case "CREDENTIAL_INVALID", "PASSKEY_CREDENTIAL_NOT_FOUND":
		m.fail(&Error{Reason: ReasonCredential, Err: e, Message: "the server does not take this passkey; sign in by phone or QR code"})
	case "PASSKEY_ORIGIN_MISMATCH":
		m.fail(&Error{Reason: ReasonConfig, Err: e, Message: "passkeys are bound to Telegram's own apps and do not work in this one; sign in by phone or QR code"})
	default:
		if _, moves := e.Migrate(); moves && m.s.Passkey.FromKey == 0 {
			m.fail(keyUnknown(e))
			return true
		}
		return false
	}
	return true
}

func keyUnknown(e *tgerr.Error) *Error {
	err := &Error{Reason: ReasonMigrate, Retry: true, Message: "the account lives on another DC, and the key of this one is not known to name there; begin the sign-in at that DC"}
	if e != nil {
		err.Err = e
	}
	return err
}

// credential is the part of a PublicKeyCredential that the server checks.
type credential struct {
	id, rawID                                string
	clientData, authenticatorData, signature []byte
	userHandle                               string
	dc                                       dc.ID
	user                                     int64
}

// credentialMost bounds an assertion, in bytes: some hundreds, and what an
// authenticator adds.
const credentialMost = 64 << 10

func (m *Machine) inputPasskey(a Answer) error {
	if m.s.State != StateWaitPasskey {
		return m.misfit(a)
	}
	c, problem := readCredential(string(a.Credential))
	switch {
	case problem != "":
		return &Error{Reason: ReasonAnswer, Message: "this is no assertion of a passkey: " + problem}
	case slices.Contains(m.cfg.others(), c.user):
		return &Error{Reason: ReasonAlready, Message: "the user of this passkey is signed in here already, in another account; use another passkey, or cancel"}
	case c.dc != m.s.DC && m.cfg.HasDC != nil && !m.cfg.HasDC(c.dc):
		return &Error{Reason: ReasonAnswer, Message: "the user of this passkey lives on a DC which is not in the configuration"}
	case c.dc != m.s.DC && m.s.Passkey.FromKey == 0:
		return keyUnknown(nil)
	}
	m.secret.credential, m.secret.challenge, m.s.LastError = c, "", ""
	if c.dc != m.s.DC {
		m.s.Pending = string(callFinishPasskey)
		m.migrate(c.dc, nil)
	} else {
		m.call(callFinishPasskey)
	}
	return nil
}

// readCredential reads a PublicKeyCredential as browsers and authenticators
// write it (https://www.w3.org/TR/webauthn-3/#dictdef-authenticationresponsejson).
func readCredential(text string) (*credential, string) {
	if len(text) > credentialMost {
		return nil, "it is far too long"
	}
	var v struct {
		ID       string `json:"id"`
		RawID    string `json:"rawId"`
		Response struct {
			ClientDataJSON    string `json:"clientDataJSON"`
			AuthenticatorData string `json:"authenticatorData"`
			Signature         string `json:"signature"`
			UserHandle        string `json:"userHandle"`
		} `json:"response"`
	}
	if json.Unmarshal([]byte(text), &v) != nil {
		return nil, "it is not the JSON of a PublicKeyCredential"
	}
	c := &credential{id: v.ID, rawID: v.RawID}
	if c.rawID == "" {
		c.rawID = c.id
	}
	var handle []byte
	for _, f := range []struct {
		to   *[]byte
		name string
		text string
	}{
		{&c.clientData, "clientDataJSON", v.Response.ClientDataJSON},
		{&c.authenticatorData, "authenticatorData", v.Response.AuthenticatorData},
		{&c.signature, "signature", v.Response.Signature},
		{&handle, "userHandle", v.Response.UserHandle},
	} {
		b, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(f.text, "="))
		if err != nil || len(b) == 0 {
			return nil, "its " + f.name + " is missing or not base64url"
		}
		*f.to = b
	}
	c.userHandle = string(handle)
	at, user, ok := strings.Cut(c.userHandle, ":")
	n, err1 := strconv.Atoi(at)
	id, err2 := strconv.ParseInt(user, 10, 64)
	if c.id == "" || !ok || err1 != nil || err2 != nil || !dc.ID(n).Valid() || id <= 0 {
		return nil, "its user handle names no user of Telegram"
	}
	c.dc, c.user = dc.ID(n), id
	return c, ""
}

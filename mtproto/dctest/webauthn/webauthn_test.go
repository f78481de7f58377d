package webauthn_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"testing"
	"time"

	"github.com/descope/virtualwebauthn"

	"github.com/mtfleet/mtfleet/mtproto/dctest/api"
	"github.com/mtfleet/mtfleet/mtproto/dctest/webauthn"
	"github.com/mtfleet/mtfleet/tl"
	"github.com/mtfleet/mtfleet/tl/tg"
)

// world is a cluster with one person per DC, and an authenticator that the person of DC 2 holds.
type world struct {
	t    *testing.T
	b    *api.Backend
	now  time.Time
	user api.User
	rp   virtualwebauthn.RelyingParty
	auth virtualwebauthn.Authenticator
	key  virtualwebauthn.Credential
}

const home = 2

func newWorld(t *testing.T) *world {
	t.Helper()
	b, err := api.New(api.Config{Passkeys: webauthn.Verifier{}, LoginsPerDay: -1})
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Populate(3, 0); err != nil {
		t.Fatal(err)
	}
	w := &world{
		t: t, b: b, now: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC), user: b.Users()[home-1],
		rp:   virtualwebauthn.RelyingParty{ID: "passkeys.invalid", Name: "Test cluster", Origin: "https://passkeys.invalid"},
		auth: virtualwebauthn.NewAuthenticator(), key: newKey(t),
	}
	sent := must(w, home, 1, &tg.AuthSendCodeRequest{PhoneNumber: w.user.Phone, APIID: int32(api.TestApp().ID), APIHash: api.TestApp().Hash})
	must(w, home, 1, &tg.AuthSignInRequest{
		PhoneNumber: w.user.Phone, PhoneCodeHash: sent.(*tg.AuthSentCode).PhoneCodeHash, PhoneCode: tl.Some(b.Code(w.user.Phone)),
	})
	return w
}

// newKey makes a credential. The library writes a coordinate with a leading zero a byte short, which no verifier takes (one
// key in 128): such keys are thrown away.
func newKey(t *testing.T) virtualwebauthn.Credential {
	t.Helper()
	for {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		point, err := key.PublicKey.Bytes() // 4, x, y
		if err != nil {
			t.Fatal(err)
		}
		if point[1] == 0 || point[33] == 0 {
			continue
		}
		der, err := x509.MarshalPKCS8PrivateKey(key)
		if err != nil {
			t.Fatal(err)
		}
		return virtualwebauthn.NewCredentialWithImportedKey(virtualwebauthn.KeyTypeEC2, der)
	}
}

func ask[R any](w *world, dc int, perm int64, q tl.Query[R]) (out R, err *api.Error) {
	w.t.Helper()
	r := w.handle(dc, perm, q.Append(nil))
	if r.Err != nil {
		return out, r.Err
	}
	return q.ParseResult(tl.NewReader(r.Body)), nil
}

func (w *world) handle(dc int, perm int64, body []byte) api.Reply {
	app := api.AppInfo{APIID: api.TestApp().ID, DeviceModel: "rig", SystemVersion: "1", AppVersion: "1", SystemLangCode: "en"}
	return w.b.Handle(&api.Request{
		Now: w.now, DC: dc, Perm: perm, Session: perm, Layer: tg.Layer, App: app, Inited: true, Body: body,
	})
}

func must[R any](w *world, dc int, perm int64, q tl.Query[R]) R {
	w.t.Helper()
	out, err := ask(w, dc, perm, q)
	if err != nil {
		w.t.Fatalf("%s on DC %d: %v", q.TypeName(), dc, err)
	}
	return out
}

func refused[R any](w *world, what string, dc int, perm int64, q tl.Query[R], text string) {
	w.t.Helper()
	if _, err := ask(w, dc, perm, q); err == nil || err.Text != text {
		w.t.Errorf("%s: answered %v, want %s", what, err, text)
	}
}

// fromBrowser is what a browser hands to an application.
type fromBrowser struct {
	ID       string `json:"id"`
	Response struct {
		ClientDataJSON, AttestationObject, AuthenticatorData, Signature, UserHandle string
	} `json:"response"`
}

func read(t *testing.T, text string) (v fromBrowser) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		t.Fatal(err)
	}
	return v
}

func decode(t *testing.T, s string) []byte {
	t.Helper()
	b, err := base64.RawURLEncoding.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// registration is the answer of the authenticator to fresh options.
func (w *world) registration(rp virtualwebauthn.RelyingParty) *tg.AccountRegisterPasskeyRequest {
	w.t.Helper()
	opts, err := virtualwebauthn.ParseAttestationOptions(must(w, home, 1, &tg.AccountInitPasskeyRegistrationRequest{}).Options.Data)
	if err != nil {
		w.t.Fatal(err)
	}
	w.auth.Options.UserHandle = []byte(opts.UserID)
	v := read(w.t, virtualwebauthn.CreateAttestationResponse(rp, w.auth, w.key, *opts))
	return &tg.AccountRegisterPasskeyRequest{Credential: &tg.InputPasskeyCredentialPublicKey{
		ID: v.ID, RawID: v.ID, Response: &tg.InputPasskeyResponseRegister{
			ClientData:      tg.DataJSON{Data: string(decode(w.t, v.Response.ClientDataJSON))},
			AttestationData: decode(w.t, v.Response.AttestationObject),
		},
	}}
}

func (w *world) register() *tg.Passkey {
	w.t.Helper()
	return must(w, home, 1, w.registration(w.rp))
}

func initLogin() *tg.AuthInitPasskeyLoginRequest {
	return &tg.AuthInitPasskeyLoginRequest{APIID: int32(api.TestApp().ID), APIHash: api.TestApp().Hash}
}

// assertion is the answer of the authenticator to options asked for by a key.
func (w *world) assertion(dc int, perm int64, rp virtualwebauthn.RelyingParty) *tg.AuthFinishPasskeyLoginRequest {
	w.t.Helper()
	opts, err := virtualwebauthn.ParseAssertionOptions(must(w, dc, perm, initLogin()).Options.Data)
	if err != nil {
		w.t.Fatal(err)
	}
	w.key.Counter++
	v := read(w.t, virtualwebauthn.CreateAssertionResponse(rp, w.auth, w.key, *opts))
	return &tg.AuthFinishPasskeyLoginRequest{Credential: &tg.InputPasskeyCredentialPublicKey{
		ID: v.ID, RawID: v.ID, Response: &tg.InputPasskeyResponseLogin{
			ClientData:        tg.DataJSON{Data: string(decode(w.t, v.Response.ClientDataJSON))},
			AuthenticatorData: decode(w.t, v.Response.AuthenticatorData),
			Signature:         decode(w.t, v.Response.Signature),
			UserHandle:        string(decode(w.t, v.Response.UserHandle)),
		},
	}}
}

func response(q *tg.AuthFinishPasskeyLoginRequest) *tg.InputPasskeyResponseLogin {
	return q.Credential.(*tg.InputPasskeyCredentialPublicKey).Response.(*tg.InputPasskeyResponseLogin)
}

func self() *tg.UsersGetUsersRequest {
	return &tg.UsersGetUsersRequest{ID: []tg.AnyInputUser{&tg.InputUserSelf{}}}
}

func TestAPasskeySignsInOnItsDC(t *testing.T) {
	w := newWorld(t)
	if p := w.register(); p.ID == "" || p.Name == "" || p.LastUsageDate.Set {
		t.Errorf("registered %+v", p)
	}
	q := w.assertion(home, 5, w.rp)
	auth := must(w, home, 5, q).(*tg.AuthAuthorization)
	if auth.User.(*tg.User).ID != w.user.ID {
		t.Errorf("signed in as %+v", auth.User)
	}
	must(w, home, 5, self())
	must(w, home, 5, q) // its answer was lost
	if list := must(w, home, 1, &tg.AccountGetPasskeysRequest{}).Passkeys; len(list) != 1 || !list[0].LastUsageDate.Set {
		t.Errorf("the list is %+v", list)
	}
	refused(w, "the same assertion on another key", home, 6, q, "PASSKEY_AUTH_RESTART")
}

func TestAPasskeyAskedForElsewhereNamesTheKeyThatAsked(t *testing.T) {
	w := newWorld(t)
	w.register()
	q := w.assertion(1, 5, w.rp)
	refused(w, "on the DC that was asked", 1, 5, q, "USER_MIGRATE_2")
	q.FromDCID, q.FromAuthKeyID = tl.Some(int32(1)), tl.Some(int64(5))
	refused(w, "with the key's name, still there", 1, 5, q, "USER_MIGRATE_2")
	must(w, home, 7, q)
	must(w, home, 7, self())
	refused(w, "the key that asked", 1, 5, self(), "AUTH_KEY_UNREGISTERED")

	nameless := w.assertion(1, 5, w.rp)
	refused(w, "without the key's name", home, 8, nameless, "PASSKEY_AUTH_RESTART")
}

func TestAPasskeyIsTheFirstFactorOnly(t *testing.T) {
	w := newWorld(t)
	w.register()
	if err := w.b.SetPassword(w.user.ID, "correct horse"); err != nil {
		t.Fatal(err)
	}
	q := w.assertion(home, 5, w.rp)
	refused(w, "with a password", home, 5, q, "SESSION_PASSWORD_NEEDED")
	refused(w, "any call", home, 5, self(), "SESSION_PASSWORD_NEEDED")
	if p := must(w, home, 5, &tg.AccountGetPasswordRequest{}); !p.HasPassword {
		t.Error("the key is not the account's")
	}
}

func TestAssertionsThatAreNoGoodAreRefused(t *testing.T) {
	w := newWorld(t)
	w.register()
	elsewhere := w.rp
	elsewhere.Origin = "https://example.org"
	otherParty := w.rp
	otherParty.ID = "example.org"
	for name, c := range map[string]struct {
		rp    virtualwebauthn.RelyingParty
		spoil func(q *tg.AuthFinishPasskeyLoginRequest)
		want  string
	}{
		"another origin":     {elsewhere, nil, "PASSKEY_ORIGIN_MISMATCH"},
		"another party":      {otherParty, nil, "CREDENTIAL_INVALID"},
		"a broken signature": {w.rp, func(q *tg.AuthFinishPasskeyLoginRequest) { response(q).Signature[9] ^= 1 }, "CREDENTIAL_INVALID"},
		"other data":         {w.rp, func(q *tg.AuthFinishPasskeyLoginRequest) { response(q).AuthenticatorData[33] ^= 1 }, "CREDENTIAL_INVALID"},
		"nobody's handle":    {w.rp, func(q *tg.AuthFinishPasskeyLoginRequest) { response(q).UserHandle = "2:77" }, "CREDENTIAL_INVALID"},
		"no handle":          {w.rp, func(q *tg.AuthFinishPasskeyLoginRequest) { response(q).UserHandle = "x" }, "CREDENTIAL_INVALID"},
		"a carrier's word":   {w.rp, func(q *tg.AuthFinishPasskeyLoginRequest) { q.Credential = &tg.InputPasskeyCredentialFirebasePNV{} }, "CREDENTIAL_INVALID"},
		"an unknown key": {w.rp, func(q *tg.AuthFinishPasskeyLoginRequest) {
			q.Credential.(*tg.InputPasskeyCredentialPublicKey).ID = "AAAA"
		}, "CREDENTIAL_INVALID"},
		"no client data":      {w.rp, func(q *tg.AuthFinishPasskeyLoginRequest) { response(q).ClientData.Data = "" }, "CREDENTIAL_INVALID"},
		"an old challenge":    {w.rp, func(*tg.AuthFinishPasskeyLoginRequest) { must(w, home, 5, initLogin()) }, "CREDENTIAL_INVALID"},
		"five minutes' sleep": {w.rp, func(*tg.AuthFinishPasskeyLoginRequest) { w.now = w.now.Add(5 * time.Minute) }, "PASSKEY_AUTH_RESTART"},
	} {
		q := w.assertion(home, 5, c.rp)
		if c.spoil != nil {
			c.spoil(q)
		}
		refused(w, name, home, 5, q, c.want)
	}
	w.key.Counter = 100
	must(w, home, 5, w.assertion(home, 5, w.rp))
	w.key.Counter = 50
	refused(w, "a counter that runs back", home, 6, w.assertion(home, 6, w.rp), "CREDENTIAL_INVALID")
}

func TestRegistrationRefusals(t *testing.T) {
	w := newWorld(t)
	elsewhere := w.rp
	elsewhere.Origin = "https://example.org"
	refused(w, "another origin", home, 1, w.registration(elsewhere), "PASSKEY_ORIGIN_MISMATCH")
	otherParty := w.rp
	otherParty.ID = "example.org"
	refused(w, "another party", home, 1, w.registration(otherParty), "CREDENTIAL_INVALID")
	q := w.registration(w.rp)
	must(w, home, 1, &tg.AccountInitPasskeyRegistrationRequest{})
	refused(w, "an old challenge", home, 1, q, "CREDENTIAL_INVALID")
	refused(w, "no challenge", home, 1, q, "CREDENTIAL_INVALID")
	first := w.register()
	refused(w, "the same authenticator", home, 1, w.registration(w.rp), "CREDENTIAL_INVALID")
	for range 4 {
		w.key = virtualwebauthn.NewCredential(virtualwebauthn.KeyTypeRSA)
		w.register()
	}
	refused(w, "a sixth", home, 1, &tg.AccountInitPasskeyRegistrationRequest{}, "ACCESS_DENIED")
	must(w, home, 1, &tg.AccountDeletePasskeyRequest{ID: first.ID})
	refused(w, "deleted again", home, 1, &tg.AccountDeletePasskeyRequest{ID: first.ID}, "PASSKEY_CREDENTIAL_NOT_FOUND")
	if n := len(must(w, home, 1, &tg.AccountGetPasskeysRequest{}).Passkeys); n != 4 {
		t.Errorf("%d are left of 5", n)
	}
	must(w, home, 5, w.assertion(home, 5, w.rp)) // the last one registered
}

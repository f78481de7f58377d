package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/descope/virtualwebauthn"

	"github.com/mtfleet/mtfleet/actors"
	"github.com/mtfleet/mtfleet/mtproto/dctest/api"
	"github.com/mtfleet/mtfleet/mtproto/login"
	"github.com/mtfleet/mtfleet/tl/tg"
)

// The ways to sign in that begin without a number of one's own to type.

// scan, in a road's answers, is what a phone does: nothing is said to the manager.
const scan login.AnswerKind = "scan"

func qr(*somebody) actors.Credentials { return actors.QR() }

// scans accepts the code that is shown, as another session of the person would,
// and waits for what the sign-in makes of it.
func (p *somebody) scans(s *login.Step) (*login.Step, error) {
	token, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(strings.TrimPrefix(s.URL, "tg://login?token="), "="))
	if err != nil {
		return nil, err
	}
	var refused *api.Error
	p.w.api(func(b *api.Backend, now time.Time) error {
		if err := b.Scan(now, token, p.user); err != nil && !errors.As(err, &refused) {
			return err
		}
		return nil
	})
	next, err := p.step(s)
	if err != nil && refused != nil {
		err = fmt.Errorf("%w after a scan that was refused: %w", err, refused)
	}
	return next, err
}

func webLink(p *somebody) (link string) {
	p.w.api(func(b *api.Backend, now time.Time) error {
		token, dc, err := b.WebToken(now, p.user)
		link = fmt.Sprintf("https://web.example.org/#tgWebAuthToken=%s&tgWebAuthUserId=%d&tgWebAuthDcId=%d", token, p.user, dc)
		return err
	})
	return link
}

func web(p *somebody) actors.Credentials { return actors.WebToken(webLink(p)) }

func byPasskey(p *somebody) actors.Credentials { return actors.Passkey() }

// device holds the passkey of somebody.
type device struct {
	rp   virtualwebauthn.RelyingParty
	auth virtualwebauthn.Authenticator
	key  virtualwebauthn.Credential
}

// newDevice makes a key whose coordinates have no leading zero, of which the
// library writes too few bytes.
func newDevice() (*device, error) {
	d := &device{
		rp:   virtualwebauthn.RelyingParty{ID: "passkeys.invalid", Name: "Test cluster", Origin: "https://passkeys.invalid"},
		auth: virtualwebauthn.NewAuthenticator(),
	}
	for {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			return nil, err
		}
		point, err := key.PublicKey.Bytes()
		if err != nil {
			return nil, err
		}
		if point[1] == 0 || point[33] == 0 {
			continue
		}
		der, err := x509.MarshalPKCS8PrivateKey(key)
		d.key = virtualwebauthn.NewCredentialWithImportedKey(virtualwebauthn.KeyTypeEC2, der)
		return d, err
	}
}

// registration asks for a passkey and makes it.
func (p *somebody) registration(ctx context.Context) (*tg.AccountRegisterPasskeyRequest, error) {
	begun, err := actors.Invoke(ctx, p.a, &tg.AccountInitPasskeyRegistrationRequest{})
	if err != nil {
		return nil, err
	}
	opts, err := virtualwebauthn.ParseAttestationOptions(begun.Options.Data)
	if err != nil {
		return nil, err
	}
	p.device.auth.Options.UserHandle = []byte(opts.UserID)
	var made struct {
		ID       string `json:"id"`
		Response struct{ ClientDataJSON, AttestationObject []byte }
	}
	text := virtualwebauthn.CreateAttestationResponse(p.device.rp, p.device.auth, p.device.key, *opts)
	if err := json.Unmarshal([]byte(padded(text)), &made); err != nil {
		return nil, err
	}
	return &tg.AccountRegisterPasskeyRequest{Credential: &tg.InputPasskeyCredentialPublicKey{
		ID: made.ID, RawID: made.ID,
		Response: &tg.InputPasskeyResponseRegister{ClientData: tg.DataJSON{Data: string(made.Response.ClientDataJSON)}, AttestationData: made.Response.AttestationObject},
	}}, nil
}

// padded makes the base64url of an authenticator's JSON what encoding/json reads.
func padded(text string) string {
	var v map[string]any
	if json.Unmarshal([]byte(text), &v) != nil {
		return text
	}
	response, _ := v["response"].(map[string]any)
	for name, value := range response {
		if s, ok := value.(string); ok {
			b, _ := base64.RawURLEncoding.DecodeString(s)
			response[name] = base64.StdEncoding.EncodeToString(b)
		}
	}
	b, _ := json.Marshal(v)
	return string(b)
}

// getsPasskey signs somebody in by phone to register a passkey, and out again.
func getsPasskey(p *somebody) (err error) {
	if p.device, err = newDevice(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := p.finish(p.signInWith(actors.Phone(p.phone))); err != nil {
		return err
	}
	q, err := p.registration(ctx)
	if err == nil {
		_, err = actors.Invoke(ctx, p.a, q)
	}
	if err != nil {
		return err
	}
	return p.a.LogOut(ctx)
}

// assertion signs the challenge of a step.
func (p *somebody) assertion(s *login.Step) login.Answer {
	opts, err := virtualwebauthn.ParseAssertionOptions(string(s.Options))
	if err != nil {
		p.w.t.Fatal(err)
	}
	p.device.key.Counter++
	return login.Answer{Kind: login.AnswerPasskey,
		Credential: login.JSONText(virtualwebauthn.CreateAssertionResponse(p.device.rp, p.device.auth, p.device.key, *opts))}
}

func pnv(p *somebody) actors.Credentials { return actors.PNV(p.phone) }

func carrierToken(p *somebody) (token string) {
	p.w.api(func(b *api.Backend, _ time.Time) error { token = b.PNVToken(p.phone); return nil })
	return token
}

// flowRoads are the methods of the other ways to sign in.
var flowRoads = []road{
	{method: "auth.exportLoginToken", when: "the first QR code is asked for", begins: qr},
	{method: "auth.exportLoginToken", when: "a QR code was scanned", begins: qr, answers: answers{scan}},
	{method: "auth.importLoginToken", when: "a QR code was scanned by somebody of another DC", home: 1, begins: qr, answers: answers{scan}},
	{method: "auth.importWebTokenAuthorization", when: "the link of a web client is given", begins: web},
	{method: "auth.initPasskeyLogin", when: "a passkey's challenge is asked for", before: getsPasskey, begins: byPasskey},
	{method: "auth.finishPasskeyLogin", when: "a passkey's answer is given", before: getsPasskey, begins: byPasskey, answers: answers{login.AnswerPasskey}},
	{method: "auth.initFirebasePnvLogin", when: "a carrier is asked for a number", begins: pnv},
	{method: "auth.finishFirebasePnvLogin", when: "a carrier's word is given", begins: pnv, answers: answers{login.AnswerPNV}},
	{method: "auth.firebasePnvSignUp", when: "a new number gives its name", fresh: true, begins: pnv, answers: answers{login.AnswerPNV, login.AnswerSignUp}},
}

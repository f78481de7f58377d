package main

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/mtfleet/mtfleet/actors"
	"github.com/mtfleet/mtfleet/mtproto/dctest/api"
)

// The ways to sign in that begin without a number of one's own to type.

// scan, in a road's answers, is what a phone does: nothing is said to the manager.
const scan actors.AnswerKind = "scan"

func byQR(*somebody) actors.Credentials { return actors.QR() }

// scans accepts the code that is shown, as another session of the person would,
// and waits for what the sign-in makes of it.
func (p *somebody) scans(s *actors.Step) (*actors.Step, error) {
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

func byWeb(p *somebody) actors.Credentials { return actors.WebToken(webLink(p)) }

func byPasskey(*somebody) actors.Credentials { return actors.Passkey() }

// getsPasskey signs somebody in by phone to register a passkey, and out again.
func getsPasskey(p *somebody) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := p.finish(p.signInWith(actors.Phone(p.phone))); err != nil {
		return err
	}
	if err := registersPasskey(ctx, p); err != nil {
		return err
	}
	return p.a.LogOut(ctx)
}

// assertion signs the challenge of a step.
func (p *somebody) assertion(s *actors.Step) actors.Answer {
	credential, err := p.device.assertion(string(s.Options))
	if err != nil {
		p.w.t.Fatal(err)
	}
	return actors.Answer{Kind: actors.AnswerPasskey, Credential: actors.JSONText(credential)}
}

func byPNV(p *somebody) actors.Credentials { return actors.PNV(p.phone) }

func carrierToken(p *somebody) (token string) {
	p.w.api(func(b *api.Backend, _ time.Time) error { token = b.PNVToken(p.phone); return nil })
	return token
}

// flowRoads are the methods of the other ways to sign in.
var flowRoads = []road{
	{method: "auth.exportLoginToken", when: "the first QR code is asked for", begins: byQR},
	{method: "auth.exportLoginToken", when: "a QR code was scanned", begins: byQR, answers: answers{scan}},
	{method: "auth.importLoginToken", when: "a QR code was scanned by somebody of another DC", home: 1, begins: byQR, answers: answers{scan}},
	{method: "auth.importWebTokenAuthorization", when: "the link of a web client is given", begins: byWeb},
	{method: "auth.initPasskeyLogin", when: "a passkey's challenge is asked for", before: getsPasskey, begins: byPasskey},
	{method: "auth.finishPasskeyLogin", when: "a passkey's answer is given", before: getsPasskey, begins: byPasskey, answers: answers{actors.AnswerPasskey}},
	{method: "auth.initFirebasePnvLogin", when: "a carrier is asked for a number", begins: byPNV},
	{method: "auth.finishFirebasePnvLogin", when: "a carrier's word is given", begins: byPNV, answers: answers{actors.AnswerPNV}},
	{method: "auth.firebasePnvSignUp", when: "a new number gives its name", fresh: true, begins: byPNV, answers: answers{actors.AnswerPNV, actors.AnswerSignUp}},
}

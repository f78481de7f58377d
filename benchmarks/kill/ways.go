package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/mtfleet/mtfleet/actors/actorstest"
	"github.com/mtfleet/mtfleet/cmd/manager/control"
	"github.com/mtfleet/mtfleet/mtproto/dctest/api"
	"github.com/mtfleet/mtfleet/mtproto/login"
)

// way is how somebody signs in.
type way uint8

const (
	wayCode    way = iota // by a text message
	wayMail               // a code by e-mail
	waySetUp              // a code to an address that has to be given first
	wayQR                 // another device scans a code
	wayWeb                // the address that another device made for a web client
	wayCarrier            // the carrier vouches for the number
	wayPasskey            // an authenticator signs
	wayToken              // of a bot
	ways
)

var wayNames = [ways]string{
	wayCode: "code", wayMail: "e-mail code", waySetUp: "e-mail to set up", wayQR: "QR code", wayWeb: "web token",
	wayCarrier: "carrier", wayPasskey: "passkey", wayToken: "bot token",
}

// wayOf draws how somebody signs in this time.
func (p *person) wayOf(r *rand.Rand) way {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch n := r.IntN(100); {
	case p.token != "":
		p.by = wayToken
	case n < 25 && p.passkey != "":
		p.by = wayPasskey
	default:
		p.by = way(r.IntN(int(wayPasskey)))
	}
	return p.by
}

// beginWay begins a sign-in in some way. How codes travel the DCs are told.
func (w *world) beginWay(ctx context.Context, s control.Service, p *person, r *rand.Rand) (control.Progress, error) {
	q, by := control.SignInRequest{ID: p.name}, p.wayOf(r)
	switch by {
	case wayToken:
		q.BotToken = p.token
	case wayQR:
		q.Flow = login.FlowQR
	case wayPasskey:
		q.Flow = login.FlowPasskey
	case wayCarrier:
		q.Flow, q.Phone = login.FlowPNV, "+"+p.phone
	case wayWeb:
		link, err := w.webLink(p)
		if err != nil {
			return control.Progress{}, err
		}
		q.WebToken = link
	default:
		address, chain := "", []api.CodeType(nil)
		switch by {
		case wayMail:
			address = p.mail()
		case waySetUp:
			chain = []api.CodeType{api.CodeSetUpEmail, api.CodeSMS}
		}
		err := w.script(func(b *api.Backend, _ time.Time) error {
			return errors.Join(b.SetLoginEmail(p.user, address), b.SetCodes(p.phone, chain...))
		})
		if err != nil {
			return control.Progress{}, err
		}
		q.Phone = "+" + p.phone
	}
	return control.SignIn.Call(ctx, s, q)
}

// signedIn notes that a sign-in has come to its end.
func (w *world) signedIn(p *person) {
	p.mu.Lock()
	defer p.mu.Unlock()
	w.result.by[p.by].Add(1)
}

// script does something at the DCs.
func (w *world) script(f func(b *api.Backend, now time.Time) error) (err error) {
	gone := w.cluster.API(func(b *api.Backend, now time.Time) { err = f(b, now) })
	return errors.Join(gone, err)
}

// mail is the address of a person.
func (p *person) mail() string { return p.name + "@example.org" }

// webLink is what another device of the person makes for a web client.
func (w *world) webLink(p *person) (link string, err error) {
	err = w.script(func(b *api.Backend, now time.Time) error {
		token, at, err := b.WebToken(now, p.user)
		link = fmt.Sprintf("https://web.example.org/#tgWebAuthToken=%s&tgWebAuthUserId=%d&tgWebAuthDcId=%d", token, p.user, at)
		return err
	})
	return link, err
}

// scan accepts a QR code as an app of the user does. One that is accepted already, or
// not known any more, is nobody's failure: the next step tells.
func (w *world) scan(text string, user int64) error {
	token, err := actorstest.QRToken(text)
	if err != nil {
		return err
	}
	return w.cluster.API(func(b *api.Backend, now time.Time) { _ = b.Scan(now, token, user) })
}

// assertion is what the person's authenticator makes of the challenge of a sign-in.
func (p *person) assertion(options string) (json.RawMessage, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return actorstest.SignByPasskey(p.passkey, []byte(options), p.dc, p.user)
}

// passkeysMost is how often a person tries to make a passkey at most: whether one
// was registered whose answer a kill took away, nobody knows, and a user has five.
const passkeysMost = 4

// makePasskey has an authenticator make a passkey for an account that is signed in.
func (w *world) makePasskey(ctx context.Context, s control.Service, p *person) error {
	ctx, cancel := context.WithTimeout(ctx, stepTime)
	defer cancel()
	p.tries++ // by the one goroutine of an account that comes and goes
	id := actorstest.PasskeyID(p.tries, p.name)
	asked, err := control.InitPasskey.Call(ctx, s, control.AccountRequest{ID: p.name})
	if err != nil {
		return err
	}
	credential, err := actorstest.NewPasskey(id, asked.Options)
	if err != nil {
		return err
	}
	if _, err := control.FinishPasskey.Call(ctx, s, control.FinishPasskeyRequest{ID: p.name, Credential: credential}); err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.passkey = id
	return nil
}

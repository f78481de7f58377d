package world

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/mtfleet/mtfleet/actors"
	"github.com/mtfleet/mtfleet/actors/actorstest"
	"github.com/mtfleet/mtfleet/mtproto/dctest/api"
)

// This file is how people and bots sign in.

// mode is a way to sign in.
type mode uint8

const (
	byCode    mode = iota // of a text message, or shown in another session
	byMail                // a code by e-mail
	bySetUp               // a code to an address that has to be given first
	byQR                  // another device scans a code
	byPasskey             // an authenticator signs
	byWeb                 // the address that another device made for a web client
	byCarrier             // the carrier vouches for the number
	byToken               // of a bot
	byImport              // a session that was handed out is taken in
	modes
)

var modeNames = [modes]string{
	byCode: "code", byMail: "e-mail", bySetUp: "e-mail to set up", byQR: "QR code", byPasskey: "passkey",
	byWeb: "web token", byCarrier: "carrier", byToken: "bot token", byImport: "import",
}

// What somebody makes of a sign-in.
type manner struct {
	mode   mode
	cancel bool // gives it up at a step
}

// mannerOf draws how a user signs in.
func (u *user) mannerOf(r *rand.Rand) manner {
	how := manner{mode: mode(r.IntN(int(byToken)))}
	switch {
	case u.BotToken != "":
		how.mode = byToken
	case how.mode == byPasskey && len(u.passkeys) == 0:
		how.mode = byCode
	}
	how.cancel = r.IntN(5) == 0
	return how
}

var (
	errCancelled  = errors.New("the sign-in was given up")
	errSigningOut = errors.New("the account is still being logged out")
)

// signIn signs a user in, from wherever an earlier try was left.
func (w *world) signIn(u *user, how manner) error {
	ctx, cancel := w.within(patience)
	defer cancel()
	if done, err := w.move(ctx, u); done || err != nil {
		if dead := (*actors.SignInError)(nil); u.forgotten && errors.As(err, &dead) && dead.Reason == actors.SignInSession {
			u.session = nil // of a login that had been ended, and was forgotten to be
		}
		return err
	}
	p, a, err := w.at(u)
	if missing := (*actors.NoAccountError)(nil); errors.As(err, &missing) {
		a, err = p.m.Add(ctx, u.name, actors.AccountOptions{NoPFS: !u.pfs, Proxy: u.proxy})
	}
	if err != nil {
		return err
	}
	st := a.Status()
	switch {
	case p.m.Ready() != nil: // what it says of itself was so once
		return errSilent
	case st.State == actors.SigningOut:
		return errSigningOut
	case st.SignedIn:
		return nil
	}
	step := st.Step
	if step == nil {
		w.rec.line("%s signs in by %s", u.name, modeNames[how.mode])
		net := p.net
		if step, err = a.SignIn(ctx, w.credentials(u, how.mode)); err != nil {
			return err
		}
		if !net.turn(w.sim.Now()) {
			w.judge.Complain("%d sign-ins began within %v, more often than the budget allows", net.signIns, w.sim.Now().Sub(net.begun))
		}
	}
	for step != nil {
		if how.cancel && u.BotToken == "" {
			_, err := a.Answer(ctx, actors.Answer{Kind: actors.AnswerCancel})
			return fmt.Errorf("%w at %s: %w", errCancelled, step.Kind, err)
		}
		if step, err = w.answer(ctx, a, u, step); err != nil {
			return err
		}
	}
	u.imported = false
	w.rec.count.SignIns[how.mode]++
	return nil
}

// credentials are what a sign-in begins with. How codes travel the server is told.
func (w *world) credentials(u *user, by mode) actors.Credentials {
	switch by {
	case byToken:
		return actors.BotToken(u.BotToken)
	case byQR:
		return actors.QR()
	case byPasskey:
		return actors.Passkey()
	case byWeb:
		return actors.WebToken(w.webLink(u))
	case byCarrier:
		return actors.PNV(u.Phone)
	}
	w.dcs.script(func(b *api.Backend, _ time.Time) error {
		address, chain := "", []api.CodeType(nil)
		switch by {
		case byMail:
			address = u.mail()
		case bySetUp:
			chain = []api.CodeType{api.CodeSetUpEmail, api.CodeSMS}
		}
		return errors.Join(b.SetLoginEmail(u.ID, address), b.SetCodes(u.Phone, chain...))
	})
	return actors.Phone(u.Phone)
}

// mail is the address of a person.
func (u *user) mail() string { return u.name + "@example.org" }

// webLink is what another device of the user makes for a web client.
func (w *world) webLink(u *user) (link string) {
	w.dcs.script(func(b *api.Backend, now time.Time) error {
		token, at, err := b.WebToken(now, u.ID)
		w.secrets.add(token)
		link = fmt.Sprintf("https://web.example.org/#tgWebAuthToken=%s&tgWebAuthUserId=%d&tgWebAuthDcId=%d", token, u.ID, at)
		return err
	})
	return link
}

// answer does what a step of a sign-in asks, and returns the next.
func (w *world) answer(ctx context.Context, a *actors.Account, u *user, step *actors.Step) (*actors.Step, error) {
	b := w.dcs.api
	say := actors.Answer{Kind: actors.AnswerCode, Code: b.Code(u.Phone)}
	switch step.Kind {
	case actors.StepQR:
		if err := w.scan(step.URL, u.ID); err != nil {
			return nil, err
		}
		return a.NextStep(ctx, step)
	case actors.StepWait:
		return a.NextStep(ctx, step)
	case actors.StepNewCode:
		say = actors.Answer{Kind: actors.AnswerResend}
	case actors.StepEmail:
		say = actors.Answer{Kind: actors.AnswerEmail, Email: u.mail()}
	case actors.StepEmailSetup:
		if say.Code = b.Mail(u.mail()); say.Code == "" { // the process died before it was asked for
			say = actors.Answer{Kind: actors.AnswerBack}
		}
	case actors.StepToken: // it is not stored
		say = actors.Answer{Kind: actors.AnswerToken, Token: u.BotToken}
	case actors.StepWebToken:
		say = actors.Answer{Kind: actors.AnswerToken, Token: w.webLink(u)}
	case actors.StepPasskey:
		credential, err := u.assertion(step.Options)
		if err != nil {
			return nil, err
		}
		say = actors.Answer{Kind: actors.AnswerPasskey, Credential: credential}
	case actors.StepPNV:
		say = actors.Answer{Kind: actors.AnswerPNV, Token: b.PNVToken(u.Phone)}
		w.secrets.add(say.Token)
	case actors.StepPassword:
		say = actors.Answer{Kind: actors.AnswerPassword, Password: u.password}
	}
	return a.Answer(ctx, say)
}

// scan accepts a QR code as another device of the user does. A code that has
// ended is followed by another.
func (w *world) scan(text string, user int64) error {
	token, err := actorstest.QRToken(text)
	if err != nil {
		return err
	}
	w.dcs.script(func(b *api.Backend, now time.Time) error { return b.Scan(now, token, user) })
	return nil
}

// passkeysMost is how many a person makes.
const passkeysMost = 3

// assertion is what the newest authenticator of a user makes of the challenge.
func (u *user) assertion(options actors.JSONText) (actors.JSONText, error) {
	if len(u.passkeys) == 0 {
		return "", errors.New("world: there is no passkey")
	}
	text, err := actorstest.SignByPasskey(u.passkeys[len(u.passkeys)-1], []byte(options), u.HomeDC, u.ID)
	return actors.JSONText(text), err
}

// makePasskey has an authenticator make a passkey of an account, and registers it.
func (w *world) makePasskey(u *user) error {
	id := actorstest.PasskeyID(u.tries, u.name)
	u.tries++
	return w.asked(u, func(ctx context.Context, a *actors.Account) error {
		options, err := a.InitPasskey(ctx)
		if err != nil {
			return err
		}
		credential, err := actorstest.NewPasskey(id, options)
		if err != nil {
			return err
		}
		if _, err = a.FinishPasskey(ctx, credential); err != nil {
			return err
		}
		u.passkeys = append(u.passkeys, id)
		return nil
	})
}

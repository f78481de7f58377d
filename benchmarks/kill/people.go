package main

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/url"
	"sync"
	"time"

	"github.com/mtfleet/mtfleet/actors"
	"github.com/mtfleet/mtfleet/cmd/manager/control"
	"github.com/mtfleet/mtfleet/mtproto/dctest/api"
	"github.com/mtfleet/mtfleet/mtproto/dctest/serve"
	"github.com/mtfleet/mtfleet/mtproto/login"
)

// person is who has an account: a bot, or a person with a phone.
type person struct {
	name     string // of the account
	user     int64
	dc       int // home
	token    string
	phone    string
	password string
	resident bool

	mu    sync.Mutex // guards the following fields
	in    bool       // the manager said that it is signed in, and nobody asked for an end since
	asked int        // how often an end was asked for
	began int        // sign-ins that were begun, and not gone on with
}

// invite makes an account up for everybody: half of the bots and half of the persons
// stay, the others come and go. Half of the persons have a two-step password.
func (w *world) invite(d serve.Descriptor) error {
	var failed error
	for i, b := range d.Bots {
		w.people = append(w.people, &person{name: fmt.Sprintf("bot-%02d", i), user: b.UserID, dc: b.DC, token: b.Token, resident: i%2 == 0})
	}
	for i, n := range d.Phones {
		p := &person{name: fmt.Sprintf("person-%02d", i), user: n.UserID, dc: n.DC, phone: n.Number, resident: i%2 == 0}
		if i%4 >= 2 {
			p.password = "password of " + n.Number
			err := w.cluster.API(func(b *api.Backend, _ time.Time) { failed = errors.Join(failed, b.SetPassword(p.user, p.password)) })
			failed = errors.Join(failed, err)
		}
		w.people = append(w.people, p)
	}
	return failed
}

func (p *person) isIn() bool {
	in, _ := p.standing()
	return in
}

func (p *person) standing() (in bool, began int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.in, p.began
}

// ask notes that somebody asks for the end of a login.
func (p *person) ask() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.in = false
	p.asked++
}

// see notes what the manager says of an account, and tells whether a login is lost.
func (p *person) see(signedIn bool, state actors.State) (lost bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case !signedIn && p.in:
		p.in = false // told once
		return true
	case signedIn && state != actors.SigningOut && state != actors.SigningIn:
		p.in = true
	}
	return false
}

// look asks for an account's state; there is none where ok is false.
func (w *world) look(ctx context.Context, s control.Service, p *person) (a control.Account, ok bool, err error) {
	a, err = s.Show(ctx, control.AccountRequest{ID: p.name})
	none := control.KindOf(err) == control.KindNoAccount && err != nil
	if err != nil && !none {
		return a, false, err
	}
	if p.see(!none && a.SignedIn, a.Status.State) {
		w.find(foundLost, p.name, "it was signed in, nobody asked for an end, and now it is %q (%s)", a.State, a.Why)
	}
	return a, !none, nil
}

// stepTime is how long somebody waits for a step of a sign-in, or for an end.
const stepTime = 20 * time.Second

// signIn goes on with a sign-in from wherever it is, or begins one.
func (w *world) signIn(ctx context.Context, s control.Service, p *person, state actors.State, r *rand.Rand) error {
	defer w.begin(opSignIn)()
	ctx, cancel := context.WithTimeout(ctx, stepTime)
	defer cancel()
	var at control.Progress
	var err error
	if state != actors.SigningIn {
		p.mu.Lock()
		p.began++
		p.mu.Unlock()
	}
	switch {
	case state == actors.SigningIn:
		at, err = s.Step(ctx, control.StepRequest{ID: p.name})
	case p.token != "":
		at, err = s.SignIn(ctx, control.SignInRequest{ID: p.name, BotToken: p.token})
	case r.IntN(3) == 0:
		at, err = s.SignIn(ctx, control.SignInRequest{ID: p.name, Flow: login.FlowQR})
	default:
		at, err = s.SignIn(ctx, control.SignInRequest{ID: p.name, Phone: "+" + p.phone})
	}
	for err == nil && at.Step != nil {
		_ = sleep(ctx, time.Duration(r.IntN(40))*time.Millisecond) // somebody types
		at, err = w.answer(ctx, s, p, at.Step)
	}
	if err == nil && at.Account.SignedIn {
		p.see(true, at.Account.Status.State)
	}
	return err
}

// answer does what a step asks for.
func (w *world) answer(ctx context.Context, s control.Service, p *person, step *actors.Step) (control.Progress, error) {
	a := actors.Answer{Step: step.ID}
	switch step.Kind {
	case actors.StepCode:
		a.Kind = actors.AnswerCode
		if err := w.cluster.API(func(b *api.Backend, _ time.Time) { a.Code = b.Code(p.phone) }); err != nil {
			return control.Progress{}, err
		}
	case actors.StepNewCode:
		a.Kind = actors.AnswerResend
	case actors.StepPassword:
		a.Kind, a.Password = actors.AnswerPassword, p.password
	case actors.StepToken:
		a.Kind, a.Token = actors.AnswerToken, p.token
	case actors.StepQR:
		if err := w.scan(step.URL, p.user); err != nil {
			return control.Progress{}, err
		}
		return s.Step(ctx, control.StepRequest{ID: p.name, After: step.ID})
	default:
		return s.Step(ctx, control.StepRequest{ID: p.name, After: step.ID})
	}
	return s.Answer(ctx, control.AnswerRequest{ID: p.name, Answer: a})
}

// scan accepts a QR code as an app of the user does. One that is accepted already, or
// not known any more, is nobody's failure: the next step tells.
func (w *world) scan(text string, user int64) error {
	link, err := url.Parse(text)
	if err != nil {
		return err
	}
	token, err := base64.RawURLEncoding.DecodeString(link.Query().Get("token"))
	if err != nil {
		return err
	}
	return w.cluster.API(func(b *api.Backend, now time.Time) { _ = b.Scan(now, token, user) })
}

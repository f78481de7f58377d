package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/mtfleet/mtfleet/actors"
	"github.com/mtfleet/mtfleet/cmd/manager/control"
	"github.com/mtfleet/mtfleet/mtproto/dctest/api"
	"github.com/mtfleet/mtfleet/mtproto/dctest/serve"
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
	tries    int // to make a passkey

	mu      sync.Mutex // guards the following fields
	in      bool       // the manager said that it is signed in, and nobody asked for an end since
	asked   int        // how often an end was asked for
	began   int        // sign-ins that were begun, and not gone on with
	by      way        // of the last one
	passkey string     // empty: there is none
	media   int        // the life of the manager in which a call of it went by a connection for media
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
	a, err = control.Show.Call(ctx, s, control.AccountRequest{ID: p.name})
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
	if state == actors.SigningIn {
		at, err = control.Step.Call(ctx, s, control.StepRequest{ID: p.name})
	} else {
		at, err = w.beginWay(ctx, s, p, r)
	}
	for err == nil && at.Step != nil {
		_ = sleep(ctx, time.Duration(r.IntN(40))*time.Millisecond) // somebody types
		at, err = w.answer(ctx, s, p, at.Step)
	}
	if err == nil && at.Account.SignedIn {
		p.see(true, at.Account.Status.State)
		w.signedIn(p)
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
	case actors.StepWebToken:
		link, err := w.webLink(p)
		if err != nil {
			return control.Progress{}, err
		}
		a.Kind, a.Token = actors.AnswerToken, link
	case actors.StepEmail:
		a.Kind, a.Email = actors.AnswerEmail, p.mail()
	case actors.StepEmailSetup:
		a.Kind = actors.AnswerBack // for a kill before it was sent
		err := w.script(func(b *api.Backend, _ time.Time) error {
			if code := b.Mail(p.mail()); code != "" {
				a.Kind, a.Code = actors.AnswerCode, code
			}
			return nil
		})
		if err != nil {
			return control.Progress{}, err
		}
	case actors.StepPasskey:
		credential, err := p.assertion(string(step.Options))
		if err != nil {
			return control.Progress{}, err
		}
		a.Kind, a.Credential = actors.AnswerPasskey, actors.JSONText(credential)
	case actors.StepPNV:
		a.Kind = actors.AnswerPNV
		if err := w.cluster.API(func(b *api.Backend, _ time.Time) { a.Token = b.PNVToken(p.phone) }); err != nil {
			return control.Progress{}, err
		}
	case actors.StepQR:
		if err := w.scan(step.URL, p.user); err != nil {
			return control.Progress{}, err
		}
		return control.Step.Call(ctx, s, control.StepRequest{ID: p.name, After: step.ID})
	default:
		return control.Step.Call(ctx, s, control.StepRequest{ID: p.name, After: step.ID})
	}
	return control.Answer.Call(ctx, s, control.AnswerRequest{ID: p.name, Answer: a})
}

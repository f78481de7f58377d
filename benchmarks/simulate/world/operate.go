package world

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/url"
	"time"

	"github.com/mtfleet/mtfleet/actors"
	"github.com/mtfleet/mtfleet/mtproto/dctest/api"
)

// This file is what operators do while the storm goes on: they ask for rotations,
// change proxies, log accounts out, remove them, add them and sign them in again.

type (
	operateDue struct{}
	operated   struct {
		u    *user
		what operation
		err  error
	}
)

func (operateDue) message() {}
func (operated) message()   {}

// operation is what an operator does to one account.
type operation uint8

const (
	opRotate operation = iota
	opProxy
	opLogOut
	opRemove // logs out first
)

var opNames = [...]string{opRotate: "rotate", opProxy: "change the proxy of", opLogOut: "log out", opRemove: "remove"}

// operateMost is how long it takes at most until an operator does something.
const operateMost = 40 * time.Second

// onOperateDue lets an operator do something to somebody who is signed in.
func (k *workload) onOperateDue(c *workCtx) {
	if k.resting {
		return
	}
	r := k.operators
	c.After(timerOperate, k.w.due(time.Duration(1+r.Int64N(int64(operateMost)))), operateDue{})
	u, n := k.w.users[r.IntN(len(k.w.users))], r.IntN(100)
	proxy := someProxy(r.IntN(2 * proxies))
	if !u.in || u.busy || u.comes {
		return
	}
	u.busy = true
	switch {
	case n < 50:
		c.GoIO(func() message { return operated{u, opRotate, k.w.rotate(u)} })
	case n < 75:
		c.GoIO(func() message { return operated{u, opProxy, k.w.setProxy(u, proxy)} })
	default:
		what := opLogOut
		if n >= 90 && k.w.opts.Plant != PlantForgetWait { // who forgets waits cannot remove them
			what = opRemove
		}
		k.w.leaves(u)
		c.GoIO(func() message { return operated{u, what, k.w.logOut(u, what == opRemove)} })
	}
}

// onOperated goes on: whoever was logged out signs in again, from wherever an
// operation that failed has left the account.
func (k *workload) onOperated(c *workCtx, m operated) {
	k.w.rec.line("an operator asked to %s %s: %v", opNames[m.what], m.u.name, m.err)
	m.u.busy = false
	if m.what == opLogOut || m.what == opRemove || !m.u.in {
		c.After(timerSign(m.u), time.Second+k.upTo(20*time.Second), signInDue{m.u})
	}
}

// leaves notes that an account is logged out on purpose from now on.
func (w *world) leaves(u *user) {
	u.in, u.placed = false, false
	w.judge.leaves(u.name, u.ID, w.sim.Now())
}

func (w *world) rotate(u *user) error {
	if w.opts.Plant != PlantKeepKeys {
		w.judge.asked = append(w.judge.asked, asking{u.ID, w.sim.Now()})
	}
	return w.asked(u, func(ctx context.Context, a *actors.Account) error { return a.Rotate(ctx) })
}

func (w *world) setProxy(u *user, text string) error {
	return w.asked(u, func(ctx context.Context, a *actors.Account) error { return a.SetProxy(ctx, text) })
}

func (w *world) logOut(u *user, remove bool) error {
	return w.asked(u, func(ctx context.Context, a *actors.Account) error {
		if err := a.LogOut(ctx); err != nil || !remove {
			return err
		}
		return a.Remove(ctx, false)
	})
}

// asked asks an account for something with an operator's patience.
func (w *world) asked(u *user, ask func(context.Context, *actors.Account) error) error {
	ctx, cancel := w.within(patience)
	defer cancel()
	a, err := w.account(u)
	if err != nil {
		return err
	}
	return ask(ctx, a)
}

// What somebody makes of a sign-in.
type manner struct {
	qr     bool // a person shows a code, which another device scans
	cancel bool // gives it up at a step
}

var (
	errCancelled  = errors.New("the sign-in was given up")
	errSigningOut = errors.New("the account is still being logged out")
)

// signIn signs a user in, from wherever an earlier try was left.
func (w *world) signIn(u *user, how manner) error {
	ctx, cancel := w.within(patience)
	defer cancel()
	a, err := w.account(u)
	if missing := (*actors.NoAccountError)(nil); errors.As(err, &missing) {
		a, err = w.m.Add(ctx, u.name, actors.AccountOptions{NoPFS: !u.pfs, Proxy: u.proxy})
	}
	if err != nil {
		return err
	}
	st := a.Status()
	switch {
	case st.State == actors.SigningOut:
		return errSigningOut
	case st.SignedIn:
		return nil
	}
	step := st.Step
	if step == nil {
		if step, err = a.SignIn(ctx, u.credentials(how)); err != nil {
			return err
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
	return nil
}

func (u *user) credentials(how manner) actors.Credentials {
	switch {
	case u.BotToken != "":
		return actors.BotToken(u.BotToken)
	case how.qr:
		return actors.QR()
	}
	return actors.Phone(u.Phone)
}

// answer does what a step of a sign-in asks, and returns the next.
func (w *world) answer(ctx context.Context, a *actors.Account, u *user, step *actors.Step) (*actors.Step, error) {
	switch step.Kind {
	case actors.StepQR:
		if err := w.scan(step.URL, u.ID); err != nil {
			return nil, err
		}
		return a.NextStep(ctx, step)
	case actors.StepWait:
		return a.NextStep(ctx, step)
	case actors.StepNewCode:
		return a.Answer(ctx, actors.Answer{Kind: actors.AnswerResend})
	case actors.StepToken: // it is not stored
		return a.Answer(ctx, actors.Answer{Kind: actors.AnswerToken, Token: u.BotToken})
	case actors.StepPassword:
		return a.Answer(ctx, actors.Answer{Kind: actors.AnswerPassword, Password: u.password})
	}
	return a.Answer(ctx, actors.Answer{Kind: actors.AnswerCode, Code: w.dcs.api.Code(u.Phone)})
}

// scan accepts a QR code as another device of the user does. A code that has
// ended is followed by another.
func (w *world) scan(text string, user int64) error {
	link, err := url.Parse(text)
	if err != nil {
		return err
	}
	token, err := base64.RawURLEncoding.DecodeString(link.Query().Get("token"))
	if err != nil {
		return err
	}
	w.dcs.script(func(b *api.Backend, now time.Time) error { return b.Scan(now, token, user) })
	return nil
}

package world

import (
	"context"
	"time"

	"github.com/mtfleet/mtfleet/actors"
)

// This file is what operators do while the storm goes on: they ask for rotations and
// passkeys, change proxies, log accounts out, remove them, add them and sign them in
// again, hand sessions out and take them in.

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
	opPasskey
	opHandOut
)

var opNames = [...]string{
	opRotate: "rotate", opProxy: "change the proxy of", opLogOut: "log out", opRemove: "remove", opPasskey: "make a passkey of",
	opHandOut: "hand out the session of",
}

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
	case n < 15 && u.BotToken == "" && u.tries < passkeysMost:
		c.GoIO(func() message { return operated{u, opPasskey, k.w.makePasskey(u)} })
	case n < 50:
		c.GoIO(func() message { return operated{u, opRotate, k.w.rotate(u)} })
	case n < 70:
		c.GoIO(func() message { return operated{u, opProxy, k.w.setProxy(u, proxy)} })
	case n < 78 && k.w.opts.Plant != PlantForgetWait && !k.w.judge.doomed[u.name]: // a key that no DC knows cannot be taken in
		k.w.leaves(u)
		c.GoIO(func() message { return operated{u, opHandOut, k.w.handOut(u)} })
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
	if m.err != nil && (m.what == opLogOut || m.what == opRemove) {
		k.w.judge.halfOut[m.u.name] = true
	}
	if !m.u.in {
		c.After(timerSign(m.u), time.Second+k.upTo(20*time.Second), signInDue{m.u})
	}
}

// leaves notes that an account is logged out on purpose from now on.
func (w *world) leaves(u *user) {
	u.in, u.placed = false, false
	w.judge.leaves(u.name, u.ID, w.sim.Now())
}

func (w *world) rotate(u *user) error {
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

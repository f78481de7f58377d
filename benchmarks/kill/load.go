package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/mtfleet/mtfleet/actors"
	"github.com/mtfleet/mtfleet/cmd/manager/control"
)

// settleIn signs the residents in, and waits until they are told updates.
func (w *world) settleIn(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 3*time.Minute)
	defer cancel()
	s, err := w.service(ctx)
	if err != nil {
		return err
	}
	paced, err := control.Governor.Call(ctx, s, control.Empty{})
	if err != nil {
		return err
	}
	w.result.Governor = paced.Budget
	for i, p := range w.people {
		for r := rng(w.seed, 10+i); p.resident && !p.isIn(); {
			s, err := w.service(ctx)
			if err != nil {
				return err
			}
			if err := w.comeIn(ctx, s, p, r); err != nil {
				return err
			}
		}
	}
	if err := w.openMedia(ctx); err != nil {
		return err
	}
	return w.greet(ctx)
}

// openMedia has a resident call for media until a call goes by a connection for it.
func (w *world) openMedia(ctx context.Context) error {
	for i := 0; !w.current().media.Load(); i++ {
		if err := sleep(ctx, 100*time.Millisecond); err != nil {
			return fmt.Errorf("no call has gone by a connection for media: %w", err)
		}
		if p := w.people[i%len(w.people)]; p.resident {
			w.call(ctx, p, control.EchoRequest{Policy: "repeatable", Media: true})
		}
	}
	return nil
}

// comeIn does the next thing that leads to somebody's being signed in.
func (w *world) comeIn(ctx context.Context, s control.Service, p *person, r *rand.Rand) error {
	a, there, err := w.look(ctx, s, p)
	switch {
	case err != nil:
		return err
	case !there:
		defer w.begin(opAdd)()
		_, err := control.Add.Call(ctx, s, control.AddRequest{ID: p.name})
		return err
	case a.SignedIn:
		return nil
	}
	return w.signIn(ctx, s, p, a.Status.State, r)
}

// reside is what is done as an account that stays signed in.
func (w *world) reside(ctx context.Context, p *person, r *rand.Rand) {
	for sleep(ctx, time.Duration(20+r.IntN(200))*time.Millisecond) == nil {
		switch n := r.IntN(100); {
		case n < 6:
			w.rotate(ctx, p)
		case n < 9:
			w.waits.ask(ctx, w, p)
		default:
			q := control.EchoRequest{Policy: []string{"once", "repeatable"}[r.IntN(2)], Payload: make([]byte, r.IntN(500))}
			if n < 25 {
				q.DC = 1 + r.IntN(dcs)
			}
			q.Media = r.IntN(4) == 0
			if r.IntN(3) == 0 {
				q.DelayMs = int32(r.IntN(400))
			}
			w.call(ctx, p, q)
		}
	}
}

// rotate asks for another temp key.
func (w *world) rotate(ctx context.Context, p *person) {
	m := w.current()
	if !m.answers() || m.isGone() {
		return
	}
	kind := opRotate
	if p.hasMedia(m) {
		kind = opMediaRotate
	}
	defer w.begin(kind)()
	ctx, cancel := context.WithTimeout(ctx, stepTime)
	defer cancel()
	if _, err := control.Rotate.Call(ctx, m.service, control.AccountRequest{ID: p.name}); err == nil {
		w.result.rotated.Add(1)
	}
}

// move is the life of an account that comes and goes.
func (w *world) move(ctx context.Context, p *person, r *rand.Rand) {
	for sleep(ctx, time.Duration(r.IntN(300))*time.Millisecond) == nil {
		s, err := w.service(ctx)
		if err != nil {
			return
		}
		if err := w.step(ctx, s, p, r); err != nil {
			w.result.failed(err)
		}
	}
}

// step does the next thing with an account that comes and goes.
func (w *world) step(ctx context.Context, s control.Service, p *person, r *rand.Rand) error {
	a, there, err := w.look(ctx, s, p)
	if err != nil {
		return err
	}
	n := r.IntN(100)
	if w.settling.Load() {
		n = 0
	}
	switch state := a.Status.State; {
	case !there, !a.SignedIn && n < 75:
		return w.comeIn(ctx, s, p, r)
	case !a.SignedIn:
		return w.remove(ctx, s, p)
	case n == 0 || state == actors.SigningOut: // it is there, or on its way out
		return nil
	case n < 50:
		w.call(ctx, p, control.EchoRequest{Policy: "once", DC: n % (dcs + 1), Media: n%3 == 0})
	case n < 60:
		w.rotate(ctx, p)
	case n < 65 && p.token == "" && p.tries < passkeysMost:
		return w.makePasskey(ctx, s, p)
	default:
		return w.logOut(ctx, s, p)
	}
	return nil
}

func (w *world) logOut(ctx context.Context, s control.Service, p *person) error {
	defer w.begin(opLogOut)()
	ctx, cancel := context.WithTimeout(ctx, stepTime)
	defer cancel()
	p.ask()
	_, err := control.LogOut.Call(ctx, s, control.AccountRequest{ID: p.name})
	return err
}

// remove removes an account that is not signed in; a sign-in under way is undone.
func (w *world) remove(ctx context.Context, s control.Service, p *person) error {
	defer w.begin(opRemove)()
	ctx, cancel := context.WithTimeout(ctx, stepTime)
	defer cancel()
	p.ask()
	_, err := control.Remove.Call(ctx, s, control.RemoveRequest{ID: p.name})
	return err
}

// calm waits until everybody is online and was told every update.
func (w *world) calm(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	for missing := ""; ; {
		s, err := w.service(ctx)
		if err == nil {
			if missing, err = w.offline(ctx, s); err == nil && missing == "" {
				break
			}
		}
		if sleep(ctx, 100*time.Millisecond) != nil {
			break // the judge says who is missing
		}
	}
	w.farewell(ctx)
	return w.parentErr(ctx)
}

// parentErr is the end of a context that did not end by its own deadline.
func (w *world) parentErr(ctx context.Context) error {
	if errors.Is(ctx.Err(), context.Canceled) {
		return ctx.Err()
	}
	return nil
}

// offline names somebody who is not online.
func (w *world) offline(ctx context.Context, s control.Service) (string, error) {
	list, err := control.List.Call(ctx, s, control.ListRequest{})
	if err != nil {
		return "", err
	}
	online := map[string]bool{}
	for _, a := range list.Accounts {
		online[a.ID] = a.State == actors.Online.String()
	}
	for _, p := range w.people {
		if !online[p.name] {
			return p.name, nil
		}
	}
	return "", nil
}

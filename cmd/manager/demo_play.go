package main

import (
	"context"
	"fmt"
	"time"

	"github.com/mtfleet/mtfleet/actors"
	"github.com/mtfleet/mtfleet/cmd/manager/control"
)

// The amounts of the demonstration, for each account.
const (
	callsEach   = 4 // in each round
	updatesEach = 3 // pushed at a time
)

// outage is how long a DC is away.
const outage = 1500 * time.Millisecond

// play goes through the acts in order. Its error is something that kept the
// demonstration from going on; a promise that did not hold is in the result.
func (d *demo) play(ctx context.Context) error {
	begun := time.Now()
	for _, act := range []struct {
		name string
		run  func(context.Context) error
	}{
		{"start", d.start},
		{"sign_in", d.signInAll},
		{"calls", d.callAll},
		{"updates", d.updateAll},
		{"dc_restart", d.cut},
		{"manager_restart", d.killAndRestart},
		{"temp_keys_lost", d.forgetTempKeys},
		{"verdict", d.judge},
	} {
		started := time.Now()
		if err := act.run(ctx); err != nil {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			return fmt.Errorf("demo: %s: %w", act.name, err)
		}
		d.result.phase(act.name, time.Since(started))
	}
	d.result.Seconds = seconds(time.Since(begun))
	return nil
}

// signInAll adds and signs in every account, a few dozen at a time.
func (d *demo) signInAll(ctx context.Context) error {
	d.bar.begin(fmt.Sprintf("signing in %d accounts", len(d.people)), len(d.people))
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	each(len(d.people), 32, func(i int) {
		if ctx.Err() != nil {
			return
		}
		if err := d.signInOne(ctx, d.people[i]); err != nil {
			cancel(fmt.Errorf("%s: %w", d.people[i].account, err))
			return
		}
		d.bar.add(1)
	})
	if err := context.Cause(ctx); err != nil {
		return err
	}
	d.bar.done("signed in %d accounts", len(d.people))
	return nil
}

func (d *demo) signInOne(ctx context.Context, p person) error {
	ctx, cancel := context.WithTimeout(ctx, signInTimeout)
	defer cancel()
	s, err := d.child.use(ctx)
	if err != nil {
		return err
	}
	if _, err := control.Add.Call(ctx, s, control.AddRequest{ID: p.account}); err != nil {
		return err
	}
	got, err := control.SignIn.Call(ctx, s, control.SignInRequest{ID: p.account, Phone: plus(p.phone), BotToken: p.token})
	for err == nil && got.Step != nil {
		if got.Step.Kind != actors.StepCode || got.Step.LastError != "" {
			return fmt.Errorf("the sign-in asks for %s: %s", got.Step.Kind, got.Step.Message)
		}
		got, err = control.Answer.Call(ctx, s, control.AnswerRequest{ID: p.account, Answer: actors.Answer{Kind: actors.AnswerCode, Code: p.code}})
	}
	return err
}

func plus(phone string) string {
	if phone == "" {
		return ""
	}
	return "+" + phone
}

// callAll makes the first round of calls and leaves callers behind.
func (d *demo) callAll(ctx context.Context) error {
	d.bar.begin("calling the API from every account", len(d.people))
	d.calls.round(ctx, callsEach, func() { d.bar.add(1) })
	d.bar.done("made %d calls from each account; going on in the background", callsEach)
	d.calls.keepCalling(ctx)
	return ctx.Err()
}

// updateAll pushes updates and waits for them in the event stream.
func (d *demo) updateAll(ctx context.Context) error {
	list, err := d.push(updatesEach)
	if err != nil {
		return err
	}
	d.await(ctx, list, "pushing updates to every account")
	return ctx.Err()
}

func (d *demo) await(ctx context.Context, list []pushed, what string) {
	d.bar.begin(what, len(list))
	last := 0
	d.stream.wait(ctx, list, func(n int) { d.bar.add(n - last); last = n })
	d.bar.done("%d of %d updates arrived", last, len(list))
}

// probe calls once from every account, and returns how many users the ledger has
// an execution for: who is online, in the test DC's own words.
func (d *demo) probe(ctx context.Context, what string) (online int, took time.Duration) {
	started := time.Now()
	d.bar.begin(what, len(d.people))
	ctx, cancel := context.WithTimeout(ctx, onlineTimeout)
	defer cancel()
	ids := map[int64]bool{}
	for _, id := range d.calls.round(ctx, 1, func() { d.bar.add(1) }) {
		ids[id] = true
	}
	users := map[int64]bool{}
	for _, e := range d.cluster.Ledger().Echoes {
		if ids[e.ID] && e.Count > 0 {
			users[e.UserID] = true
		}
	}
	took = time.Since(started)
	d.bar.done("%d of %d accounts are online", len(users), len(d.people))
	return len(users), took
}

// cut takes a DC down, really, and brings it back: its listener closes, its
// connections break, it forgets sessions and keeps temp keys.
func (d *demo) cut(ctx context.Context) (err error) {
	d.bar.begin(fmt.Sprintf("DC %d is down for %v while calls go on", d.cutDC, outage), 0)
	if err := d.cluster.StopDC(d.cutDC, true); err != nil {
		return err
	}
	list, err := d.push(1) // they must arrive, though half of them cannot now
	if err != nil {
		return err
	}
	if err := sleep(ctx, outage); err != nil {
		return err
	}
	if err := d.cluster.StartDC(d.cutDC); err != nil {
		return err
	}
	d.bar.done("DC %d was down for %v", d.cutDC, outage)
	var took time.Duration
	d.result.OnlineAfterDCRestart, took = d.probe(ctx, fmt.Sprintf("waiting for everybody after DC %d came back", d.cutDC))
	d.result.recovery("dc_restart", took)
	d.await(ctx, list, "waiting for updates of the outage")
	return ctx.Err()
}

// killAndRestart ends the manager with SIGKILL in the middle of its work, lets
// updates pile up, and starts it again from its store.
func (d *demo) killAndRestart(ctx context.Context) error {
	list, err := d.push(1) // some are on their way when the manager dies
	if err != nil {
		return err
	}
	d.bar.begin("the manager is killed; updates pile up", 0)
	killed := time.Now()
	d.child.kill()
	missed, err := d.push(updatesEach)
	if err != nil {
		return err
	}
	if err := sleep(ctx, 500*time.Millisecond); err != nil {
		return err
	}
	d.bar.done("killed the manager with SIGKILL; %d updates piled up", len(missed))
	d.result.killed = killed
	started := time.Now()
	if err := d.child.start(ctx); err != nil {
		return err
	}
	d.result.OnlineAfterManagerRestart, _ = d.probe(ctx, "the manager starts again from its store")
	d.result.recovery("manager_restart", time.Since(started))
	d.await(ctx, append(list, missed...), "waiting for the updates it missed")
	return ctx.Err()
}

// forgetTempKeys restarts a DC that loses its temp keys: new ones are made and
// bound, the authorizations stay.
func (d *demo) forgetTempKeys(ctx context.Context) error {
	d.bar.begin(fmt.Sprintf("DC %d restarts and forgets its temp keys", d.dropDC), 0)
	if err := d.cluster.RestartDC(d.dropDC, false, 200*time.Millisecond); err != nil {
		return err
	}
	d.bar.done("DC %d restarted and forgot its temp keys", d.dropDC)
	var took time.Duration
	d.result.OnlineAfterTempKeysLost, took = d.probe(ctx, "waiting for new temp keys to be bound")
	d.result.recovery("temp_keys_lost", took)
	return ctx.Err()
}

// judge makes the last calls and updates, stops the manager as an operator would,
// and asks the ledger.
func (d *demo) judge(ctx context.Context) error {
	d.calls.stop(false)
	list, err := d.push(1)
	if err != nil {
		return err
	}
	d.await(ctx, list, "the last updates")
	before := time.Now()
	d.bar.begin("stopping the manager, asking the ledger", 0)
	// The keys are compared while the test DC still knows them.
	ledger := d.cluster.Ledger()
	if err := d.child.stop(); err != nil {
		return err
	}
	keys, err := d.storedKeys()
	if err != nil {
		return err
	}
	d.result.judge(d, ledger, keys, before)
	d.bar.done("asked the ledger")
	return ctx.Err()
}

func sleep(ctx context.Context, t time.Duration) error {
	select {
	case <-time.After(t):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

package main

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mtfleet/mtfleet/actors"
	"github.com/mtfleet/mtfleet/cmd/manager/control"
	"github.com/mtfleet/mtfleet/mtproto/dctest/api"
)

// newTestDemo prepares the parts of a demonstration without its play.
func newTestDemo(t *testing.T, accounts, dcs int) *demo {
	t.Helper()
	exe, err := exec.LookPath("manager")
	if err != nil {
		t.Fatal(err)
	}
	d := &demo{
		app: &app{out: io.Discard, err: io.Discard, env: os.Environ()}, exe: exe, dir: t.TempDir(),
		f: demoFlags{accounts: accounts, dcs: dcs}, bar: newProgress(io.Discard),
		// Sign-ins are repeated here as nobody should.
		rules: api.Config{LoginsPerDay: -1, ResendTimeout: -1, Limits: api.Limits{
			SendCodeNumber: api.RateLimit{Calls: -1}, ImportBot: api.RateLimit{Calls: -1},
		}},
	}
	t.Cleanup(func() {
		d.end()
		if t.Failed() {
			b, _ := os.ReadFile(filepath.Join(d.dir, "manager.log"))
			t.Logf("the end of the manager's log:\n%s", b[max(0, len(b)-8000):])
		}
	})
	return d
}

// TestKillsDuringSignInsLoseNothing kills the manager again and again while
// accounts sign in. Whatever the instant, each of them gets there, and the test
// DC knows no authorized key that the store does not have.
func TestKillsDuringSignInsLoseNothing(t *testing.T) {
	t.Parallel()
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	d := newTestDemo(t, 10, 3)
	if err := d.start(ctx); err != nil {
		t.Fatal(err)
	}
	var left atomic.Int32
	left.Store(int32(len(d.people)))
	for _, p := range d.people {
		go func() {
			if err := persist(ctx, d.child, p); err != nil {
				t.Errorf("%s: %v", p.account, err)
			}
			left.Add(-1)
		}()
	}
	kills := 0
	for left.Load() > 0 {
		time.Sleep(time.Duration(5+random.IntN(250)) * time.Millisecond)
		d.child.kill()
		kills++
		if err := d.child.start(ctx); err != nil {
			t.Fatal(err)
		}
		if kills >= 25 { // enough; now they may finish
			break
		}
	}
	for left.Load() > 0 {
		time.Sleep(10 * time.Millisecond)
	}
	t.Logf("killed %d times", kills)
	if t.Failed() {
		return
	}

	// Everybody is there, by a call each.
	d.calls.round(ctx, 1, func() {})
	ledger := d.cluster.Ledger()
	if err := d.child.stop(); err != nil {
		t.Fatal(err)
	}
	keys, err := d.storedKeys()
	if err != nil {
		t.Fatal(err)
	}
	signedIn, bound := authorized(d.people, ledger)
	if signedIn != len(d.people) || bound != len(d.people) {
		t.Errorf("%d of %d accounts are signed in, %d bound", signedIn, len(d.people), bound)
	}
	v := ledger.Verdict(keys, nil, time.Time{})
	if len(v.Orphans) > 0 || len(v.Overlaps) > 0 {
		t.Errorf("orphans %+v, overlaps %+v", v.Orphans, v.Overlaps)
	}
	executed := map[int64]bool{}
	for _, e := range ledger.Echoes {
		executed[e.ID] = true
	}
	if ok, failures, _ := d.calls.totals(executed); ok != len(d.people) {
		t.Errorf("%d calls of %d: %v", ok, len(d.people), failures)
	}
}

// persist signs an account in through any number of restarts, as a patient
// script would.
func persist(ctx context.Context, c *child, p person) error {
	var last error
	for ; ctx.Err() == nil; time.Sleep(5 * time.Millisecond) {
		s, err := c.use(ctx)
		if err != nil {
			break
		}
		done, err := advance(ctx, s, p)
		switch {
		case done:
			return nil
		case err == nil:
		case control.KindOf(err) == control.KindRefused, control.KindOf(err) == control.KindInternal:
			return err
		default:
			last = err // killed, most likely
		}
	}
	return fmt.Errorf("not signed in in time: %w", last)
}

// advance does the next thing for a sign-in.
func advance(ctx context.Context, s control.Service, p person) (done bool, err error) {
	acc, err := control.Show.Call(ctx, s, control.AccountRequest{ID: p.account})
	if control.KindOf(err) == control.KindNoAccount {
		acc, err = control.Add.Call(ctx, s, control.AddRequest{ID: p.account})
	}
	if err != nil || acc.SignedIn {
		return acc.SignedIn, err
	}
	var got control.Progress
	if acc.Status.State == actors.SigningIn {
		got, err = control.Step.Call(ctx, s, control.StepRequest{ID: p.account})
	} else {
		got, err = control.SignIn.Call(ctx, s, control.SignInRequest{ID: p.account, Phone: plus(p.phone), BotToken: p.token})
	}
	for err == nil && got.Step != nil {
		answer := actors.Answer{Kind: actors.AnswerCode, Code: p.code}
		switch got.Step.Kind {
		case actors.StepCode:
		case actors.StepNewCode:
			answer = actors.Answer{Kind: actors.AnswerResend}
		case actors.StepToken: // it is not stored
			answer = actors.Answer{Kind: actors.AnswerToken, Token: p.token}
		default:
			return false, &control.Error{Kind: control.KindInternal, Message: fmt.Sprintf("the sign-in asks for %s: %s", got.Step.Kind, got.Step.Message)}
		}
		got, err = control.Answer.Call(ctx, s, control.AnswerRequest{ID: p.account, Answer: answer})
	}
	return err == nil, err
}

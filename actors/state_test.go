package actors_test

import (
	"context"
	"crypto/rand"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/mtfleet/mtfleet/actors"
	"github.com/mtfleet/mtfleet/mtproto/dctest"
	"github.com/mtfleet/mtfleet/mtproto/tgerr"
	"github.com/mtfleet/mtfleet/persistence"
	"github.com/mtfleet/mtfleet/persistence/storetest"
)

// This file is about states and words that must not outlive their causes, and
// wishes that come at a bad moment.

// TestAWishWhileABindingWaitsToStartAgain: the actor of all the keys at the home
// DC has failed, and the account has nobody to send to.
func TestAWishWhileABindingWaitsToStartAgain(t *testing.T) {
	for name, x := range map[string]struct {
		wish func(context.Context, *actors.Account) error
		want actors.State
	}{
		"pause":           {func(ctx context.Context, a *actors.Account) error { return a.Pause(ctx) }, actors.Paused},
		"log out":         {func(ctx context.Context, a *actors.Account) error { return a.LogOut(ctx) }, actors.SignedOut},
		"remove by force": {func(ctx context.Context, a *actors.Account) error { return a.Remove(ctx, true) }, actors.New},
		"a call":          {func(ctx context.Context, a *actors.Account) error { return echoed(t, a) }, actors.Online},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				s, store := cluster(t, small), persistence.NewMemory()
				o := options(s, store)
				d := &trap{Reader: rand.Reader, frame: "binding.(*binding).Receive"}
				o.Rand = d
				m := open(t, o)
				a := signInBot(t, m, "robot", s.Descriptor().Bots[0], actors.AccountOptions{})
				wait(t, a, actors.Online)
				time.Sleep(time.Minute)
				d.left.Store(2)
				inject(t, s, dctest.Fault{Kind: dctest.FaultForgetTemp})
				inject(t, s, dctest.Fault{Kind: dctest.FaultCloseConns})
				for range 10_000 {
					if d.left.Load() < 2 {
						break
					}
					time.Sleep(time.Millisecond)
				}
				if d.left.Load() == 2 {
					t.Fatal("no binding failed, so this tests nothing")
				}
				if err := x.wish(soon(t), a); err != nil {
					t.Fatal(err)
				}
				if x.want == actors.New {
					if ids, _ := store.Accounts(); len(ids) > 0 {
						t.Errorf("records of %v are left", ids)
					}
					return
				}
				wait(t, a, x.want)
				time.Sleep(time.Hour)
				if st := a.Status(); st.State != x.want {
					t.Errorf("an hour later it is %+v", st)
				}
				if n := s.ConnCount(); n != 0 && x.want != actors.Online {
					t.Errorf("%d connections are left", n)
				}
				if x.want == actors.Paused {
					if err := a.Resume(soon(t)); err != nil {
						t.Fatal(err)
					}
					wait(t, a, actors.Online)
					call(t, a)
				}
			})
		})
	}
}

// TestAnAnsweredCallMakesAnAccountOnlineWhoeverAsked: what the account asks
// itself is never answered.
func TestAnAnsweredCallMakesAnAccountOnlineWhoeverAsked(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s, store := cluster(t, small), persistence.NewMemory()
		m := open(t, options(s, store))
		a := signInBot(t, m, "robot", s.Descriptor().Bots[0], actors.AccountOptions{})
		wait(t, a, actors.Online)
		time.Sleep(time.Minute)
		inject(t, s, dctest.Fault{Kind: dctest.FaultNoReply, Method: "updates.getDifference", Count: 1000})
		if err := s.StopDC(s.Descriptor().Bots[0].DC, true); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		if st := a.Status(); st.State != actors.Connecting || !strings.Contains(st.Why, "reach") {
			t.Errorf("while the DC is down: %+v", st)
		}
		if err := s.StartDC(s.Descriptor().Bots[0].DC); err != nil {
			t.Fatal(err)
		}
		time.Sleep(20 * time.Second)
		if st := a.Status(); st.State != actors.Connecting || strings.Contains(st.Why, "reach") || st.Why == "" {
			t.Errorf("connected, and not answered: %+v", st)
		}
		call(t, a)
		wait(t, a, actors.Online)
		if st := a.Status(); st.Why != "" || st.Advice != "" {
			t.Errorf("the account is online and says %+v", st)
		}
	})
}

// TestAFreezeEndsWhenTheServerEndsIt: also for a process that did not see which
// method was refused.
func TestAFreezeEndsWhenTheServerEndsIt(t *testing.T) {
	for _, restarted := range []bool{false, true} {
		bubble(t, func(t *testing.T) {
			s, store := cluster(t, small), persistence.NewMemory()
			o := func(store persistence.Store) actors.Options { return options(s, store) }
			m, err := actors.Open(o(store))
			if err != nil {
				t.Fatal(err)
			}
			a := signInBot(t, m, "robot", s.Descriptor().Bots[0], actors.AccountOptions{})
			wait(t, a, actors.Online)
			freezes(t, s, s.Descriptor().Bots[0].UserID, 0)
			refuse(t, s, "testdc.echo", 420, "FROZEN_METHOD_INVALID")
			if err := echoed(t, a, actors.WithPolicy(actors.Once)); !tgerr.Is(err, "FROZEN_METHOD_INVALID") {
				t.Errorf("the refused call: %v", err)
			}
			wait(t, a, actors.Frozen)
			if _, err := a.InvokeRaw(soon(t), usersSelf); err != nil {
				t.Errorf("reading: %v", err)
			}
			if restarted {
				m, _ = restart(t, m, store, o)
				a, _ = m.Account("robot")
			}
			defer closeManager(t, m)
			time.Sleep(time.Hour)
			if st := a.Status(); st.State != actors.Frozen || !strings.Contains(st.Why, "FROZEN") || st.Advice == "" {
				t.Errorf("restarted %v: %+v", restarted, st)
			}
			if err := echoed(t, a, actors.WithPolicy(actors.Once)); err != nil {
				t.Error(err)
			}
			wait(t, a, actors.Online)
			if st := a.Status(); st.Why != "" || st.Advice != "" {
				t.Errorf("restarted %v: it is online and says %+v", restarted, st)
			}
		})
	}
}

// TestASignInDoesNotRepeatTheWordsOfAnEarlierOne in any of its events.
func TestASignInDoesNotRepeatTheWordsOfAnEarlierOne(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s, store := cluster(t, small), persistence.NewMemory()
		m := open(t, options(s, store))
		a := add(t, m, "robot")
		if _, err := a.SignIn(soon(t), actors.BotToken("1234567:nonsense")); err == nil {
			t.Fatal("nonsense was taken for a token")
		}
		old := a.Status().Why
		if old == "" {
			t.Fatal("the failed sign-in says nothing")
		}
		ctx, cancel := context.WithCancel(t.Context())
		events := a.Events(ctx)
		if _, err := a.SignIn(soon(t), actors.BotToken(s.Descriptor().Bots[0].Token)); err != nil {
			t.Fatal(err)
		}
		wait(t, a, actors.Online)
		time.AfterFunc(time.Second, cancel)
		for ev := range events {
			if ev.Kind == actors.EventState && (ev.Status.Why == old || strings.Contains(ev.Status.Why, "token")) {
				t.Errorf("the second sign-in says %+v", *ev.Status)
			}
		}
	})
}

// TestAMoveThatWasNoneIsTakenBack: the server sends an account elsewhere by
// mistake; where it really lives is found again.
func TestAMoveThatWasNoneIsTakenBack(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s, store := cluster(t, small), persistence.NewMemory()
		m := open(t, options(s, store))
		b := s.Descriptor().Bots[0]
		a := signInBot(t, m, "robot", b, actors.AccountOptions{})
		wait(t, a, actors.Online)
		time.Sleep(time.Minute)
		seen := collect(t, a)
		refuse(t, s, "testdc.echo", 303, "USER_MIGRATE_"+string(rune('0'+b.DC%2+1)))
		if err := echoed(t, a); err != nil {
			t.Errorf("the call that was sent elsewhere: %v", err)
		}
		time.Sleep(10 * time.Minute)
		wait(t, a, actors.Online)
		call(t, a)
		pts, err := s.PushUpdate(b.UserID)
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Minute)
		seen.want(t, []int32{pts})
		if got := a.Status().HomeDC; got != b.DC {
			t.Errorf("the home is DC %d, and the account lives on %d", got, b.DC)
		}
		if n := s.Counts().Logins; n != 2 {
			t.Errorf("%d logins, want the one and its import elsewhere", n)
		}
		v := s.Ledger().Verdict(storeKeys(t, store), nil, time.Time{})
		if len(v.Orphans) > 0 {
			t.Errorf("orphans: %+v", v.Orphans)
		}
	})
}

// TestAWishIsGrantedWhenItIsOnDisk: a pause or its end that the store refused is
// not told as done.
func TestAWishIsGrantedWhenItIsOnDisk(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s, memory := cluster(t, small), persistence.NewMemory()
		store := storetest.NewFailing(memory, nil)
		m := open(t, options(s, store))
		a := signInBot(t, m, "robot", s.Descriptor().Bots[0], actors.AccountOptions{})
		wait(t, a, actors.Online)
		time.Sleep(10 * time.Second)
		for _, wish := range []struct {
			name   string
			do     func(context.Context) error
			paused bool
		}{{"the pause", a.Pause, true}, {"the resume", a.Resume, false}} {
			store.SetFail(storetest.FailFrom(1))
			err := wish.do(soon(t))
			if on := stored(t, memory, "robot").Account.Paused == wish.paused; err == nil && !on {
				t.Errorf("%s was told as done, and is not on disk", wish.name)
			} else if err != nil && !errors.Is(err, storetest.ErrInjected) {
				t.Errorf("%s ended with %v", wish.name, err)
			}
			store.SetFail(nil)
			time.Sleep(10 * time.Second) // it is written as soon as it can be
			if stored(t, memory, "robot").Account.Paused != wish.paused {
				t.Errorf("%s never came to the disk", wish.name)
			}
		}
		wait(t, a, actors.Online)
		call(t, a)
	})
}

// TestAStatusShowsTheStepThatWasTold: who was told of a step finds it there, also
// when nothing but the number of tries is new.
func TestAStatusShowsTheStepThatWasTold(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s, store := cluster(t, small), persistence.NewMemory()
		m := open(t, options(s, store))
		p := s.Descriptor().Phones[0]
		a := add(t, m, "alice")
		asked(t, a, p.Number, actors.StepCode)
		for tries := 1; tries <= 3; tries++ {
			step, err := answerCode(t, a, wrongCode(p))
			if err != nil || step == nil || step.Tries != tries {
				t.Fatalf("wrong code %d led to %+v, %v", tries, step, err)
			}
			if st := a.Status(); st.Step == nil || st.Step.Tries != tries {
				t.Errorf("after wrong code %d the status has the step %+v", tries, st.Step)
			}
		}
	})
}

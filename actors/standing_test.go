package actors_test

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/mtfleet/mtfleet/actors"
	"github.com/mtfleet/mtfleet/mtproto/dctest"
	"github.com/mtfleet/mtfleet/mtproto/dctest/api"
	"github.com/mtfleet/mtfleet/mtproto/dctest/serve"
	"github.com/mtfleet/mtfleet/mtproto/tgerr"
	"github.com/mtfleet/mtfleet/persistence"
	"github.com/mtfleet/mtfleet/tl/tg"
)

// This file is about where an account stands, and what its owner may wish then.

// TestWhatComesRightAfterOpenWaitsForItsAccount: the records are not read yet.
func TestWhatComesRightAfterOpenWaitsForItsAccount(t *testing.T) {
	bubble(t, func(t *testing.T) {
		const bots = 6
		s, store := cluster(t, serve.Config{Core: dctest.Config{DCs: 2}, Bots: bots}), persistence.NewMemory()
		m, err := actors.Open(options(s, store))
		if err != nil {
			t.Fatal(err)
		}
		signInAll(t, m, s)
		paused, _ := m.Account("bot-0")
		if err := paused.Pause(soon(t)); err != nil {
			t.Fatal(err)
		}
		closeManager(t, m)
		time.Sleep(time.Second)
		store = store.Reopen()
		m = open(t, options(s, store))
		var calls []<-chan error
		for i := 1; i < bots; i++ {
			a, _ := m.Account(fmt.Sprint("bot-", i))
			calls = append(calls, later(func() error { return echoed(t, a) }))
		}
		paused, _ = m.Account("bot-0")
		if err := paused.Resume(soon(t)); err != nil {
			t.Error(err)
		}
		if stored(t, store, "bot-0").Account.Paused {
			t.Error("the account was resumed and is still paused on disk")
		}
		if err := echoed(t, paused); err != nil {
			t.Errorf("a call right after the resume: %v", err)
		}
		for _, done := range calls {
			if err := ended(t, "a call", done, time.Minute); err != nil {
				t.Errorf("a call right after Open: %v", err)
			}
		}
	})
}

// TestTroubleWithTheUpdatesIsNotTheAccounts: the server cannot make the
// difference for hours; calls are answered, and it is asked at a decent pace.
func TestTroubleWithTheUpdatesIsNotTheAccounts(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s, store := cluster(t, small), persistence.NewMemory()
		m := open(t, options(s, store))
		b := s.Descriptor().Bots[0]
		a := signInBot(t, m, "robot", b, actors.AccountOptions{})
		wait(t, a, actors.Online)
		time.Sleep(time.Minute)
		seen := collect(t, a)
		inject(t, s, dctest.Fault{Kind: dctest.FaultRPC, Method: "updates.getDifference", Code: 500, Text: "PERSISTENT_TIMESTAMP_OUTDATED", Count: 1_000_000})
		inject(t, s, dctest.Fault{Kind: dctest.FaultCloseConns})
		time.Sleep(10 * time.Second)
		queries := s.Counts().Queries
		pts, err := s.PushUpdate(b.UserID)
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(3 * time.Hour)
		if n := s.Counts().Queries - queries; n > 250 {
			t.Errorf("%d queries in three hours", n)
		}
		if st := a.Status(); st.State != actors.Online || st.Why != "" {
			t.Errorf("the account is %+v", st)
		}
		call(t, a)
		if err := s.ClearFaults(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * time.Minute)
		seen.want(t, []int32{pts})
	})
}

func TestAFrozenAccountIsFreeWhenItMayWriteAgain(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s, store := cluster(t, small), persistence.NewMemory()
		m := open(t, options(s, store))
		a := signInBot(t, m, "robot", s.Descriptor().Bots[0], actors.AccountOptions{})
		wait(t, a, actors.Online)
		refuse(t, s, "testdc.echo", 420, "FROZEN_METHOD_INVALID")
		if err := echoed(t, a); !tgerr.Is(err, "FROZEN_METHOD_INVALID") {
			t.Errorf("the refused call: %v", err)
		}
		wait(t, a, actors.Frozen)
		inject(t, s, dctest.Fault{Kind: dctest.FaultCloseConns})
		time.Sleep(time.Minute)
		if st := a.Status(); st.State != actors.Frozen {
			t.Errorf("a lost connection made it %+v", st)
		}
		if err := echoed(t, a); err != nil {
			t.Error(err)
		}
		wait(t, a, actors.Online)
	})
}

// TestAWishWhileAConnectionWaitsToStartAgain: what failed is respawned after a
// pause, and the account is not alone meanwhile.
func TestAWishWhileAConnectionWaitsToStartAgain(t *testing.T) {
	for name, x := range map[string]struct {
		wish func(context.Context, *actors.Account) error
		want actors.State
	}{
		"pause":   {func(ctx context.Context, a *actors.Account) error { return a.Pause(ctx) }, actors.Paused},
		"log out": {func(ctx context.Context, a *actors.Account) error { return a.LogOut(ctx) }, actors.SignedOut},
		"remove":  {func(ctx context.Context, a *actors.Account) error { return a.Remove(ctx, true) }, actors.New},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				s, store := cluster(t, small), persistence.NewMemory()
				o := options(s, store)
				d := &trap{Reader: rand.Reader}
				o.Rand = d
				m := open(t, o)
				a := signInBot(t, m, "robot", s.Descriptor().Bots[0], actors.AccountOptions{})
				wait(t, a, actors.Online)
				d.left.Store(2)
				inject(t, s, dctest.Fault{Kind: dctest.FaultCloseConns})
				time.Sleep(500 * time.Millisecond)
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
				if n := s.ConnCount(); n != 0 {
					t.Errorf("%d connections are left", n)
				}
			})
		})
	}
}

func TestARemovalWhoseCallerLeftIsDoneAllTheSame(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s, store := cluster(t, small), persistence.NewMemory()
		m := open(t, options(s, store))
		a := add(t, m, "robot")
		ctx, leave := context.WithCancel(t.Context())
		leave()
		_ = a.Remove(ctx, false)
		time.Sleep(time.Second)
		var none *actors.NoAccountError
		if _, err := m.Account("robot"); !errors.As(err, &none) {
			t.Errorf("the removed account is still there: %v", err)
		}
		b := signInBot(t, m, "robot", s.Descriptor().Bots[0], actors.AccountOptions{})
		wait(t, b, actors.Online)
		call(t, b)
		verdict(t, s, store)
	})
}

// TestRemovingDuringASignInLeavesNoOrphan: whatever the server has granted by
// then is undone first, or the removal is refused.
func TestRemovingDuringASignInLeavesNoOrphan(t *testing.T) {
	for _, after := range []time.Duration{0, time.Millisecond, 20 * time.Millisecond, time.Second, 3 * time.Second} {
		t.Run(after.String(), func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				s, store := cluster(t, small), persistence.NewMemory()
				m := open(t, options(s, store))
				a := add(t, m, "robot")
				inject(t, s, dctest.Fault{Kind: dctest.FaultSlow, Method: "auth.importBotAuthorization", Delay: dctest.Duration(2 * time.Second), Count: 1})
				signIn := later(func() error {
					_, err := a.SignIn(context.Background(), actors.BotToken(s.Descriptor().Bots[0].Token))
					return err
				})
				time.Sleep(after)
				err := a.Remove(soon(t), false)
				_ = ended(t, "the sign-in", signIn, 5*time.Minute)
				_, gone := m.Account("robot")
				if (err == nil) != (gone != nil) {
					t.Errorf("the removal ended with %v, and looking for the account with %v", err, gone)
				}
				time.Sleep(time.Minute)
				verdict(t, s, store)
			})
		})
	}
}

func TestAnAccountMovesWhereTheServerSaysItLives(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s, store := cluster(t, small), persistence.NewMemory()
		o := func(store persistence.Store) actors.Options { return options(s, store) }
		m, err := actors.Open(o(store))
		if err != nil {
			t.Fatal(err)
		}
		b := s.Descriptor().Bots[0]
		a := signInBot(t, m, "robot", b, actors.AccountOptions{})
		wait(t, a, actors.Online)
		to := b.DC%2 + 1
		if err := s.API(func(back *api.Backend, _ time.Time) { _ = back.Move(b.UserID, to) }); err != nil {
			t.Fatal(err)
		}
		// What lives at home is asked for, and goes where home is.
		if _, err := actors.Invoke(soon(t), a, &tg.UpdatesGetStateRequest{}); err != nil {
			t.Errorf("the call that was sent elsewhere: %v", err)
		}
		time.Sleep(time.Minute)
		wait(t, a, actors.Online)
		if got := a.Status().HomeDC; got != to {
			t.Errorf("the home is DC %d, want %d", got, to)
		}
		call(t, a)
		m, _ = restart(t, m, store, o)
		a, _ = m.Account("robot")
		wait(t, a, actors.Online)
		seen := collect(t, a)
		pts, err := s.PushUpdate(b.UserID)
		if err != nil {
			t.Fatal(err)
		}
		seen.want(t, []int32{pts})
		if got := a.Status().HomeDC; got != to {
			t.Errorf("after a restart the home is DC %d, want %d", got, to)
		}
		call(t, a)
		closeManager(t, m)
	})
}

// TestASecondSignInTellsNothingOfTheFirst: words outlive what they are about by
// no more than a state.
func TestASecondSignInTellsNothingOfTheFirst(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s, store := cluster(t, small), persistence.NewMemory()
		m := open(t, options(s, store))
		b := s.Descriptor().Bots[0]
		a := add(t, m, "robot")
		_, err := a.SignIn(soon(t), actors.BotToken("1234567:nonsense"))
		reason(t, err, actors.SignInToken)
		if a.Status().Why == "" {
			t.Error("the failed sign-in says nothing")
		}
		if _, err := a.SignIn(soon(t), actors.BotToken(b.Token)); err != nil {
			t.Fatal(err)
		}
		wait(t, a, actors.Online)
		if st := a.Status(); st.Why != "" || st.Advice != "" || st.Step != nil {
			t.Errorf("the account still says %+v", st)
		}
		if rec := stored(t, store, "robot").Account; rec.StateWhy != "" && rec.State == "new" {
			t.Errorf("the store still says %+v", rec)
		}
	})
}

func TestARevokedBotComesBackWithANewToken(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s, store := cluster(t, small), persistence.NewMemory()
		o := func(store persistence.Store) actors.Options { return options(s, store) }
		m, err := actors.Open(o(store))
		if err != nil {
			t.Fatal(err)
		}
		b := s.Descriptor().Bots[0]
		a := signInBot(t, m, "robot", b, actors.AccountOptions{})
		wait(t, a, actors.Online)
		time.Sleep(time.Hour)
		var token string
		if err := s.API(func(back *api.Backend, now time.Time) {
			token, _ = back.RevokeToken(b.UserID)
			_ = back.Revoke(now, b.UserID)
		}); err != nil {
			t.Fatal(err)
		}
		wait(t, a, actors.Revoked)
		m, _ = restart(t, m, store, o)
		defer closeManager(t, m)
		a, _ = m.Account("robot")
		time.Sleep(time.Second)
		if st := a.Status(); st.State != actors.Revoked || st.Advice == "" || st.Why == "" {
			t.Errorf("after a restart: %+v", st)
		}
		_, err = a.SignIn(soon(t), actors.BotToken(b.Token))
		reason(t, err, actors.SignInToken)
		if step, err := a.SignIn(soon(t), actors.BotToken(token)); err != nil || step != nil {
			t.Fatalf("the new token: %+v, %v", step, err)
		}
		wait(t, a, actors.Online)
		seen := collect(t, a)
		pts, err := s.PushUpdate(b.UserID)
		if err != nil {
			t.Fatal(err)
		}
		seen.want(t, []int32{pts})
		call(t, a, actors.OnDC(dcID(b.DC%2+1)))
	})
}

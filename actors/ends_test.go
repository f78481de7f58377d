package actors_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mtfleet/mtfleet/actors"
	"github.com/mtfleet/mtfleet/mtproto/dctest"
	"github.com/mtfleet/mtfleet/mtproto/dctest/api"
	"github.com/mtfleet/mtfleet/mtproto/dctest/echo"
	"github.com/mtfleet/mtfleet/mtproto/tgerr"
	"github.com/mtfleet/mtfleet/persistence"
	"github.com/mtfleet/mtfleet/persistence/storetest"
)

// later runs f and delivers what it returned.
func later(f func() error) <-chan error {
	done := make(chan error, 1)
	go func() { done <- f() }()
	return done
}

// ended waits for something that is promised to end.
func ended(t *testing.T, what string, done <-chan error, within time.Duration) error {
	t.Helper()
	select {
	case err := <-done:
		return err
	case <-time.After(within):
		t.Fatalf("%s did not end within %v", what, within)
		return nil
	}
}

func TestNothingIsBegunWhileALogoutIsUnderWay(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s, store := cluster(t, small), persistence.NewMemory()
		m := open(t, options(s, store))
		p := s.Descriptor().Phones[0]
		a := signInPhone(t, m, "alice", p, actors.AccountOptions{})
		wait(t, a, actors.Online)
		inject(t, s, dctest.Fault{Kind: dctest.FaultSlow, Method: "auth.logOut", Delay: dctest.Duration(10 * time.Second)})
		first := later(func() error { return a.LogOut(context.Background()) })
		time.Sleep(time.Second)
		second := later(func() error { return a.LogOut(context.Background()) })
		var state *actors.StateError
		if err := a.Pause(soon(t)); !errors.As(err, &state) {
			t.Errorf("a pause during a logout: %v", err)
		}
		if _, err := a.SignIn(soon(t), actors.Phone(p.Number)); !errors.As(err, &state) {
			t.Errorf("a sign-in during a logout: %v", err)
		}
		for _, done := range []<-chan error{first, second} {
			if err := ended(t, "the logout", done, time.Minute); err != nil {
				t.Errorf("the logout ended with %v", err)
			}
		}
		if st := a.Status(); st.State != actors.SignedOut {
			t.Errorf("after the logout: %+v", st)
		}
		if err := a.Pause(soon(t)); !errors.As(err, &state) || a.Status().State != actors.SignedOut {
			t.Errorf("pausing an account that is signed out: %v, %+v", err, a.Status())
		}
		verdict(t, s, store)
	})
}

func TestALogoutTheServerConfirmedIsWrittenDownHoweverLongTheStoreRefuses(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s, memory := cluster(t, small), persistence.NewMemory()
		store := storetest.NewFailing(memory, nil)
		m, err := actors.Open(options(s, store))
		if err != nil {
			t.Fatal(err)
		}
		a := signInPhone(t, m, "alice", s.Descriptor().Phones[0], actors.AccountOptions{})
		wait(t, a, actors.Online)
		time.Sleep(10 * time.Second)
		store.SetFail(func(_ int, c persistence.Commit) error {
			if len(c.Delete) > 0 {
				return storetest.ErrInjected
			}
			return nil
		})
		out := later(func() error { return a.LogOut(context.Background()) })
		time.Sleep(time.Minute)
		if _, err := a.SignIn(soon(t), actors.Phone("1234567")); err == nil {
			t.Error("a sign-in began in the middle of a logout")
		}
		store.SetFail(nil)
		if err := ended(t, "the logout", out, time.Minute); err != nil {
			t.Errorf("the logout ended with %v", err)
		}
		if st := a.Status(); st.State != actors.SignedOut {
			t.Errorf("after the logout: %+v", st)
		}
		closeManager(t, m)
		time.Sleep(time.Second)
		m = open(t, options(s, memory.Reopen()))
		a, _ = m.Account("alice")
		wait(t, a, actors.SignedOut)
	})
}

func TestALogoutGoesOnAfterARestart(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s, store := cluster(t, small), persistence.NewMemory()
		m, err := actors.Open(options(s, store))
		if err != nil {
			t.Fatal(err)
		}
		p := s.Descriptor().Phones[0]
		a := signInPhone(t, m, "alice", p, actors.AccountOptions{})
		wait(t, a, actors.Online)
		if err := s.StopDC(p.DC, true); err != nil {
			t.Fatal(err)
		}
		out := later(func() error { return a.LogOut(context.Background()) })
		time.Sleep(time.Second)
		closeManager(t, m)
		if err := ended(t, "the logout", out, time.Minute); err == nil {
			t.Error("a logout that never reached the server succeeded")
		}
		time.Sleep(time.Second)
		if err := s.StartDC(p.DC); err != nil {
			t.Fatal(err)
		}
		m = open(t, options(s, store.Reopen()))
		a, _ = m.Account("alice")
		wait(t, a, actors.SignedOut)
		verdict(t, s, store.Reopen())
	})
}

func TestARefusedLogoutLeavesTheAccountOnline(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s, store := cluster(t, small), persistence.NewMemory()
		m, err := actors.Open(options(s, store))
		if err != nil {
			t.Fatal(err)
		}
		b := s.Descriptor().Bots[0]
		a := signInBot(t, m, "robot", b, actors.AccountOptions{})
		wait(t, a, actors.Online)
		seen := collect(t, a)
		inject(t, s, dctest.Fault{Kind: dctest.FaultRPC, Method: "auth.logOut", Code: 400, Text: "NOT_NOW", Count: 1})
		inject(t, s, dctest.Fault{Kind: dctest.FaultSlow, Method: "auth.logOut", Delay: dctest.Duration(5 * time.Second)})
		out := later(func() error { return a.LogOut(context.Background()) })
		time.Sleep(time.Second)
		inject(t, s, dctest.Fault{Kind: dctest.FaultCloseConns})
		if err := ended(t, "the logout", out, time.Minute); !tgerr.Is(err, "NOT_NOW") {
			t.Errorf("the logout ended with %v", err)
		}
		wait(t, a, actors.Online)
		call(t, a)
		var pushed []int32
		for range 3 {
			pts, err := s.PushUpdate(b.UserID)
			if err != nil {
				t.Fatal(err)
			}
			pushed = append(pushed, pts)
		}
		seen.want(t, pushed)
		closeManager(t, m)
		time.Sleep(time.Second)
		m = open(t, options(s, store.Reopen()))
		a, _ = m.Account("robot")
		wait(t, a, actors.Online)
	})
}

func TestARemovalTheStoreRefusesLeavesTheAccountAsItWas(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s, memory := cluster(t, small), persistence.NewMemory()
		store := storetest.NewFailing(memory, nil)
		m := open(t, options(s, store))
		a := signInBot(t, m, "robot", s.Descriptor().Bots[0], actors.AccountOptions{})
		wait(t, a, actors.Online)
		time.Sleep(10 * time.Second)
		store.SetFail(storetest.FailFrom(1))
		if err := a.Remove(soon(t), true); !errors.Is(err, storetest.ErrInjected) {
			t.Errorf("the removal ended with %v", err)
		}
		store.SetFail(nil)
		time.Sleep(time.Minute)
		wait(t, a, actors.Online)
		call(t, a)
		verdict(t, s, memory)
		if err := a.Remove(soon(t), true); err != nil {
			t.Error(err)
		}
		if ids, _ := memory.Accounts(); len(ids) != 0 {
			t.Errorf("records are left of %v", ids)
		}
	})
}

func TestAnAccountRemovedInTheMiddleOfAnythingLeavesNothing(t *testing.T) {
	bubble(t, func(t *testing.T) {
		cfg := small
		none := api.RateLimit{Calls: -1}
		cfg.API.LoginsPerDay, cfg.API.Limits = -1, api.Limits{SendCodeNumber: none, ImportBot: none}
		s, store := cluster(t, cfg), persistence.NewMemory()
		m := open(t, options(s, store))
		p, b := s.Descriptor().Phones[0], s.Descriptor().Bots[0]
		for i := range 40 {
			a := add(t, m, "short")
			var wg sync.WaitGroup
			wg.Go(func() { _, _ = a.SignIn(soon(t), actors.Phone(p.Number)) })
			wg.Go(func() { _, _ = a.SignIn(soon(t), actors.BotToken(b.Token)) })
			wg.Go(func() { _, _ = actors.Invoke(soon(t), a, &echo.EchoRequest{ID: 1}, actors.OnDC(1)) })
			if i%2 == 0 {
				time.Sleep(time.Duration(i) * time.Microsecond)
			}
			wg.Go(func() {
				if err := a.Remove(soon(t), true); err != nil {
					t.Errorf("the removal ended with %v", err)
				}
			})
			wg.Go(func() { _, _ = a.SignIn(soon(t), actors.Phone(p.Number)) })
			wg.Wait()
			time.Sleep(10 * time.Second)
			if ids, _ := store.Accounts(); len(ids) != 0 {
				t.Fatalf("round %d: records are left of %v", i, ids)
			}
		}
		signInPhone(t, m, "alice", p, actors.AccountOptions{}) // the number is free
	})
}

func TestCanceledCallsMakeRoomForOthers(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s, store := cluster(t, small), persistence.NewMemory()
		o := options(s, store)
		o.MaxCallsPerAccount = 3000
		m := open(t, o)
		b := s.Descriptor().Bots[0]
		a := signInBot(t, m, "robot", b, actors.AccountOptions{})
		wait(t, a, actors.Online)
		if err := s.StopDC(b.DC, false); err != nil { // the temp key goes too: calls are held
			t.Fatal(err)
		}
		if err := s.StartDC(b.DC); err != nil {
			t.Fatal(err)
		}
		inject(t, s, dctest.Fault{Kind: dctest.FaultDrop})
		time.Sleep(time.Minute)
		inject(t, s, dctest.Fault{Kind: dctest.FaultForgetTemp})
		for range 3 {
			var ran, busy atomic.Int32
			var wg sync.WaitGroup
			for i := range 1000 {
				wg.Go(func() {
					ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
					defer cancel()
					_, err := actors.Invoke(ctx, a, &echo.EchoRequest{ID: int64(10_000 + i)})
					var full *actors.BusyError
					if errors.As(err, &full) {
						busy.Add(1)
					}
					if err == nil {
						ran.Add(1)
					}
				})
			}
			wg.Wait()
			if busy.Load() > 0 {
				t.Errorf("%d calls found no room, though everybody else had left", busy.Load())
			}
		}
		if err := s.ClearFaults(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * time.Minute)
		call(t, a)
	})
}

func TestAWaitOfTheWholeAccountIsObeyedAcrossARestart(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s, store := cluster(t, small), persistence.NewMemory()
		m, err := actors.Open(options(s, store))
		if err != nil {
			t.Fatal(err)
		}
		a := signInBot(t, m, "robot", s.Descriptor().Bots[0], actors.AccountOptions{})
		wait(t, a, actors.Online)
		time.Sleep(time.Second) // what a new account asks at first is answered
		inject(t, s, dctest.Fault{Kind: dctest.FaultRPC, Method: "updates.getDifference", Wait: dctest.Duration(20 * time.Minute), Count: 1})
		inject(t, s, dctest.Fault{Kind: dctest.FaultCloseConns})
		wait(t, a, actors.Waiting)
		obeyed := func(a *actors.Account, when string) {
			t.Helper()
			queries := s.Counts().Queries
			_, err := actors.Invoke(soon(t), a, &echo.EchoRequest{ID: 1})
			var w *actors.WaitError
			if !errors.As(err, &w) || !errors.Is(err, actors.ErrNotSent) {
				t.Errorf("%s a call ended with %v", when, err)
			}
			time.Sleep(5 * time.Minute)
			if got := s.Counts().Queries; got != queries {
				t.Errorf("%s %d queries were sent", when, got-queries)
			}
			if st := a.Status(); st.State != actors.Waiting || st.Until.IsZero() {
				t.Errorf("%s the account is %+v", when, st)
			}
		}
		obeyed(a, "during the wait")
		closeManager(t, m)
		time.Sleep(time.Second)
		m = open(t, options(s, store.Reopen()))
		a, _ = m.Account("robot")
		wait(t, a, actors.Waiting)
		obeyed(a, "after a restart")
		time.Sleep(10 * time.Minute)
		wait(t, a, actors.Online)
		call(t, a)
	})
}

func TestCallsToAGuestDCThatIsGivenUpEnd(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s, store := cluster(t, small), persistence.NewMemory()
		m := open(t, options(s, store))
		b := s.Descriptor().Bots[0]
		a := signInBot(t, m, "robot", b, actors.AccountOptions{})
		wait(t, a, actors.Online)
		other := b.DC%2 + 1
		call(t, a, actors.OnDC(dcID(other)))
		// The guest says 401, and home refuses another export for good.
		inject(t, s, dctest.Fault{Kind: dctest.FaultRPC, DC: other, Method: "testdc.echo", Code: 401, Text: "SESSION_REVOKED", Count: 5})
		inject(t, s, dctest.Fault{Kind: dctest.FaultRPC, Method: "auth.exportAuthorization", Code: 400, Text: "DC_ID_INVALID", Count: 1})
		var calls []<-chan error
		for i := range 5 {
			calls = append(calls, later(func() error {
				_, err := actors.Invoke(context.Background(), a, &echo.EchoRequest{ID: int64(20_000 + i)}, actors.OnDC(dcID(other)))
				return err
			}))
		}
		for _, done := range calls {
			if err := ended(t, "a call to the guest DC", done, 10*time.Minute); err != nil {
				if _, refused := tgerr.As(err); !refused && !errors.Is(err, actors.ErrNotSent) {
					t.Errorf("a call ended with %v", err)
				}
			}
		}
		if st := a.Status(); st.State != actors.Online {
			t.Errorf("a guest's trouble made the account %+v", st)
		}
		// How many of the refusals were used up depends on who came first.
		if err := s.ClearFaults(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		call(t, a, actors.OnDC(dcID(other)))
		verdict(t, s, store)
	})
}

// TestAGuestKeyThatIsThrownAwayLeavesNoOrphan: a guest DC's key is refused by
// mistake until it is given up, while the server still has it authorized.
func TestAGuestKeyThatIsThrownAwayLeavesNoOrphan(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s, store := cluster(t, small), persistence.NewMemory()
		m := open(t, options(s, store))
		b := s.Descriptor().Bots[0]
		a := signInBot(t, m, "robot", b, actors.AccountOptions{})
		wait(t, a, actors.Online)
		other := b.DC%2 + 1
		call(t, a, actors.OnDC(dcID(other)))
		keys := s.Counts().PermKeys
		inject(t, s, dctest.Fault{Kind: dctest.FaultRPC, DC: other, Method: "testdc.echo", Code: 401, Text: "SESSION_REVOKED", Count: 4})
		for i := range 4 {
			_, _ = actors.Invoke(soon(t), a, &echo.EchoRequest{ID: int64(30_000 + i)}, actors.OnDC(dcID(other)))
		}
		time.Sleep(time.Minute)
		call(t, a, actors.OnDC(dcID(other)))
		if s.Counts().PermKeys == keys {
			t.Error("the guest's key was not thrown away, so this tests nothing")
		}
		verdict(t, s, store)
	})
}

func TestAnotherUserMayTakeARevokedAccountsPlace(t *testing.T) {
	bubble(t, func(t *testing.T) {
		cfg := small
		cfg.Bots = 2
		s, store := cluster(t, cfg), persistence.NewMemory()
		m := open(t, options(s, store))
		first, second := s.Descriptor().Bots[0], s.Descriptor().Bots[1]
		a := signInBot(t, m, "robot", first, actors.AccountOptions{})
		wait(t, a, actors.Online)
		call(t, a, actors.OnDC(1))
		call(t, a, actors.OnDC(2))
		if _, err := s.PushUpdate(first.UserID); err != nil {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Second)
		if err := s.API(func(b *api.Backend, now time.Time) { _ = b.Revoke(now, first.UserID) }); err != nil {
			t.Fatal(err)
		}
		wait(t, a, actors.Revoked)
		if step, err := a.SignIn(soon(t), actors.BotToken(second.Token)); err != nil || step != nil {
			t.Fatalf("signing in again: %+v, %v", step, err)
		}
		wait(t, a, actors.Online)
		for id := range 2 {
			if got := call(t, a, actors.OnDC(dcID(id+1))); got.UserID != second.UserID {
				t.Errorf("on DC %d the account still is user %d", id+1, got.UserID)
			}
		}
		seen := collect(t, a)
		pts, err := s.PushUpdate(second.UserID)
		if err != nil {
			t.Fatal(err)
		}
		seen.want(t, []int32{pts})
		verdict(t, s, store)
	})
}

// TestTheStoreFailsForAWhileAndNothingIsLost lets every commit fail, from each
// point of a sign-in on, and later heals the store.
func TestTheStoreFailsForAWhileAndNothingIsLost(t *testing.T) {
	for from := range 8 {
		bubble(t, func(t *testing.T) {
			s, memory := cluster(t, small), persistence.NewMemory()
			store := storetest.NewFailing(memory, nil)
			m, err := actors.Open(options(s, store))
			if err != nil {
				t.Fatal(err)
			}
			p := s.Descriptor().Phones[0]
			a := add(t, m, "alice")
			store.SetFail(storetest.FailFrom(store.Commits() + 1 + from))
			signIn := later(func() error {
				step, err := a.SignIn(context.Background(), actors.Phone(p.Number))
				if err != nil || step == nil || step.Kind != actors.StepCode {
					return errors.Join(errors.New("no step for the code"), err)
				}
				step, err = a.Answer(context.Background(), actors.Answer{Kind: actors.AnswerCode, Code: p.Code})
				if step != nil {
					err = errors.New("another step: " + step.Message)
				}
				return err
			})
			time.Sleep(3 * time.Minute)
			if rows := s.Ledger().Authorizations; len(rows) > 0 {
				held := storeKeys(t, memory)
				for _, row := range rows {
					if len(held) == 0 {
						t.Errorf("from %d: authorized before its key was on disk: %+v", from, row)
					}
				}
			}
			if _, err := m.Add(soon(t), "bob", actors.AccountOptions{}); err == nil && from == 0 {
				t.Error("an account was added while the store refuses commits")
			}
			store.SetFail(nil)
			if err := ended(t, "the sign-in", signIn, 5*time.Minute); err != nil {
				t.Fatalf("from %d: %v", from, err)
			}
			wait(t, a, actors.Online)
			closeManager(t, m)
			time.Sleep(time.Second)
			m = open(t, options(s, memory.Reopen()))
			a, _ = m.Account("alice")
			wait(t, a, actors.Online)
			if got := s.Counts().Logins; got != 1 {
				t.Errorf("from %d: %d logins", from, got)
			}
			verdict(t, s, memory.Reopen())
		})
	}
}

func TestStatusesAndErrorsHoldNoSecrets(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s, store := cluster(t, small), persistence.NewMemory()
		o := options(s, store)
		var log syncBuffer
		o.Logger = log.logger()
		m := open(t, o)
		d := s.Descriptor()
		p, b := d.Phones[0], d.Bots[0]
		a := add(t, m, "alice")
		events := m.Events(t.Context(), actors.Replay)
		asked(t, a, p.Number, actors.StepCode)
		if _, err := answerCode(t, a, "90909"); err != nil {
			t.Error(err)
		}
		if _, err := answerCode(t, a, p.Code); err != nil {
			t.Error(err)
		}
		signInBot(t, m, "robot", b, actors.AccountOptions{})
		wait(t, a, actors.Online)
		inject(t, s, dctest.Fault{Kind: dctest.FaultForgetTemp})
		time.Sleep(time.Minute)
		closeManager(t, m)
		var all strings.Builder
		for ev := range events {
			if ev.Status != nil {
				all.WriteString(ev.Status.Why + ev.Status.Advice)
				if ev.Status.Step != nil {
					all.WriteString(ev.Status.Step.Message + ev.Status.Step.LastError)
				}
			}
		}
		token := b.Token[strings.Index(b.Token, ":")+1:]
		for name, secret := range map[string]string{"code": "90909", "token": token, "phone number": p.Number, "api_hash": o.App.APIHash} {
			if strings.Contains(all.String(), secret) {
				t.Errorf("the %s is in an event", name)
			}
			if strings.Contains(log.String(), secret) {
				t.Errorf("the %s is in the log", name)
			}
		}
	})
}

package actors_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/mtfleet/mtfleet/actors"
	"github.com/mtfleet/mtfleet/mtproto/dctest"
	"github.com/mtfleet/mtfleet/mtproto/dctest/api"
	"github.com/mtfleet/mtfleet/mtproto/dctest/serve"
	"github.com/mtfleet/mtfleet/persistence"
	"github.com/mtfleet/mtfleet/persistence/storetest"
	"github.com/mtfleet/mtfleet/tl"
	"github.com/mtfleet/mtfleet/tl/tg"
)

// This file is about waits that the server orders on queries of our own, which
// nobody waits for who could be told.

// waitStored tells whether a store knows of a wait on a method, for an account
// or for all.
func waitStored(t *testing.T, store persistence.Store, id persistence.AccountID, method string) bool {
	t.Helper()
	for _, w := range stored(t, store, string(id)).Waits {
		if w.Method == method {
			return true
		}
	}
	return false
}

// asks checks that a call of a method is refused without asking the server.
func asks(t *testing.T, s *serve.Cluster, a *actors.Account, query tl.Object, left time.Duration) {
	t.Helper()
	queries := s.Counts().Queries
	_, err := a.InvokeRaw(soon(t), query)
	waits(t, "a caller's "+query.TypeName(), err, left)
	if n := s.Counts().Queries - queries; n > 0 {
		t.Errorf("%d queries were sent within the wait", n)
	}
}

var usersSelf = &tg.UsersGetUsersRequest{ID: []tg.AnyInputUser{&tg.InputUserSelf{}}}

func TestAWaitOnAConfirmationIsObeyed(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s, store := cluster(t, small), persistence.NewMemory()
		o := func(store persistence.Store) actors.Options { return options(s, store) }
		m, err := actors.Open(o(store))
		if err != nil {
			t.Fatal(err)
		}
		a := signInBot(t, m, "robot", s.Descriptor().Bots[0], actors.AccountOptions{})
		wait(t, a, actors.Online)
		time.Sleep(time.Minute)
		refuse(t, s, "users.getUsers", 420, "FLOOD_WAIT_1200")
		refuse(t, s, "testdc.echo", 401, "SESSION_REVOKED")
		queries := s.Counts().Queries
		if err := echoed(t, a); err == nil {
			t.Fatal("the call was not refused")
		}
		time.Sleep(10 * time.Minute)
		if n := s.Counts().Queries - queries; n != 2 {
			t.Errorf("%d queries, want the call and one question", n)
		}
		st := a.Status()
		if st.State != actors.Connecting || !strings.Contains(st.Why, "SESSION_REVOKED") || !strings.Contains(st.Why, "asked") {
			t.Errorf("the doubt is not shown: %+v", st)
		}
		if !waitStored(t, store, "robot", "users.getUsers") {
			t.Error("the wait is not in the store")
		}
		asks(t, s, a, usersSelf, 10*time.Minute)
		m, store = restart(t, m, store, o)
		defer closeManager(t, m)
		a, _ = m.Account("robot")
		wait(t, a, actors.Online)
		time.Sleep(time.Minute) // what the account asks itself at first is answered
		asks(t, s, a, usersSelf, 9*time.Minute)
		time.Sleep(11 * time.Minute)
		if _, err := a.InvokeRaw(soon(t), usersSelf); err != nil {
			t.Errorf("after the wait: %v", err)
		}
		verdict(t, s, store)
	})
}

func TestADoubtIsAskedAboutWhenItsWaitIsOver(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s, store := cluster(t, small), persistence.NewMemory()
		m := open(t, options(s, store))
		a := signInBot(t, m, "robot", s.Descriptor().Bots[0], actors.AccountOptions{})
		wait(t, a, actors.Online)
		time.Sleep(time.Minute)
		refuse(t, s, "users.getUsers", 420, "FLOOD_WAIT_840")
		refuse(t, s, "testdc.echo", 401, "SESSION_REVOKED")
		begun := time.Now()
		if err := echoed(t, a); err == nil {
			t.Fatal("the call was not refused")
		}
		wait(t, a, actors.Connecting)
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		for ev := range a.Events(ctx) {
			if ev.Kind == actors.EventState && ev.Status.State == actors.Online {
				break
			}
		}
		if took := time.Since(begun); took < 14*time.Minute || took > 15*time.Minute {
			t.Errorf("it was asked after %v", took)
		}
	})
}

// TestAWaitOnTheTableOfDCsIsObeyed: help.getConfig is asked by whichever account
// comes first.
func TestAWaitOnTheTableOfDCsIsObeyed(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s, store := cluster(t, small), persistence.NewMemory()
		o := func(store persistence.Store) actors.Options { return options(s, store) }
		m, err := actors.Open(o(store))
		if err != nil {
			t.Fatal(err)
		}
		refuse(t, s, "help.getConfig", 420, "FLOOD_WAIT_3600")
		a := signInBot(t, m, "robot", s.Descriptor().Bots[0], actors.AccountOptions{})
		wait(t, a, actors.Online)
		time.Sleep(time.Minute)
		if !waitStored(t, store, "robot", "help.getConfig") {
			t.Error("the wait is not in the store")
		}
		queries := s.Counts().Queries
		time.Sleep(14 * time.Minute) // in a longer silence it is asked what was missed
		if n := s.Counts().Queries - queries; n > 0 {
			t.Errorf("%d queries were sent within the wait", n)
		}
		asks(t, s, a, &tg.HelpGetConfigRequest{}, 46*time.Minute)
		inject(t, s, dctest.Fault{Kind: dctest.FaultCloseConns})
		time.Sleep(time.Minute)
		m, _ = restart(t, m, store, o)
		defer closeManager(t, m)
		a, _ = m.Account("robot")
		wait(t, a, actors.Online)
		time.Sleep(time.Minute)
		queries = s.Counts().Queries
		time.Sleep(10 * time.Minute)
		asks(t, s, a, &tg.HelpGetConfigRequest{}, 33*time.Minute)
		if n := s.Counts().Queries - queries; n > 0 {
			t.Errorf("%d queries were sent within the wait after a restart", n)
		}
		refuse(t, s, "help.getConfig", 420, "FLOOD_WAIT_36000")
		time.Sleep(time.Hour)
		var again *actors.WaitError
		if _, err := a.InvokeRaw(soon(t), &tg.HelpGetConfigRequest{}); !errors.As(err, &again) || time.Until(again.Until) < 9*time.Hour {
			t.Errorf("it was not asked after the wait: %v", err)
		}
	})
}

// TestARefusedTableOfDCsIsAskedForAgainAtAGrowingPace: after a minute, two, four.
func TestARefusedTableOfDCsIsAskedForAgainAtAGrowingPace(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s, store := cluster(t, small), persistence.NewMemory()
		var log syncBuffer
		o := options(s, store)
		o.Logger = log.logger()
		m := open(t, o)
		inject(t, s, dctest.Fault{Kind: dctest.FaultRPC, Method: "help.getConfig", Code: 400, Text: "CONFIG_INVALID", Count: 4})
		wait(t, signInBot(t, m, "robot", s.Descriptor().Bots[0], actors.AccountOptions{}), actors.Online)
		begun := time.Now()
		for at, want := range []int{1, 2, 2, 3, 3, 3, 3, 4, 4, 4} { // half a minute into each
			time.Sleep(time.Until(begun.Add(time.Duration(at)*time.Minute + 30*time.Second)))
			if n := strings.Count(log.String(), "help.getConfig failed"); n != want {
				t.Errorf("in minute %d it has failed %d times, want %d", at, n, want)
			}
		}
		time.Sleep(2 * time.Hour)
		if n := strings.Count(log.String(), "help.getConfig failed"); n != 4 {
			t.Errorf("it has failed %d times in the end", n)
		}
	})
}

// TestAWaitOnABindIsObeyed: the account cannot be connected before its end.
func TestAWaitOnABindIsObeyed(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s, store := cluster(t, small), persistence.NewMemory()
		o := func(store persistence.Store) actors.Options { return options(s, store) }
		m, err := actors.Open(o(store))
		if err != nil {
			t.Fatal(err)
		}
		a := signInBot(t, m, "robot", s.Descriptor().Bots[0], actors.AccountOptions{})
		wait(t, a, actors.Online)
		time.Sleep(2 * time.Hour)
		refuse(t, s, "auth.bindTempAuthKey", 420, "FLOOD_WAIT_3600")
		inject(t, s, dctest.Fault{Kind: dctest.FaultForgetTemp})
		begun, binds := time.Now(), s.Counts().Binds
		obeyed := func(when string) {
			t.Helper()
			time.Sleep(10 * time.Minute)
			if n := s.Counts().Binds - binds; n > 0 {
				t.Errorf("%s it was bound within the wait", when)
			}
			if st := a.Status(); st.State != actors.Connecting || st.Why == "" {
				t.Errorf("%s: %+v", when, st)
			}
			if !waitStored(t, store, "robot", "auth.bindTempAuthKey") {
				t.Errorf("%s the wait is not in the store", when)
			}
		}
		wait(t, a, actors.Connecting)
		obeyed("at first")
		inject(t, s, dctest.Fault{Kind: dctest.FaultCloseConns})
		obeyed("on another connection")
		m, store = restart(t, m, store, o)
		defer closeManager(t, m)
		a, _ = m.Account("robot")
		obeyed("after a restart")
		for s.Counts().Binds == binds && time.Since(begun) < 2*time.Hour {
			time.Sleep(10 * time.Second)
		}
		if took := time.Since(begun); took < time.Hour || took > 65*time.Minute {
			t.Errorf("it was bound after %v", took)
		}
		wait(t, a, actors.Online)
		call(t, a)
		verdict(t, s, store)
	})
}

// late has the server answer a method late, with an error of its own, and take it
// normally ever after.
func late(t *testing.T, s *serve.Cluster, method string, code int, text string) {
	t.Helper()
	err := s.API(func(b *api.Backend, _ time.Time) {
		_ = b.Inject(api.Fault{Method: method, Err: &api.Error{Code: code, Text: text}, Delay: 10 * time.Second})
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestAWaitThatCameAfterACancelIsObeyed: the owner has given the sign-in up and is
// not interested any more, but the server is.
func TestAWaitThatCameAfterACancelIsObeyed(t *testing.T) {
	d := serve.Descriptor{}
	for method, who := range map[string]func() (actors.Credentials, int){
		"auth.sendCode":               func() (actors.Credentials, int) { return actors.Phone(d.Phones[0].Number), d.Phones[0].DC },
		"auth.importBotAuthorization": func() (actors.Credentials, int) { return actors.BotToken(d.Bots[0].Token), d.Bots[0].DC },
	} {
		for _, how := range []string{"canceled", "removed", "removed while the store failed", "removed by force when the store had failed"} {
			t.Run(method+" "+how, func(t *testing.T) {
				bubble(t, func(t *testing.T) {
					s, memory := cluster(t, unlimited()), persistence.NewMemory()
					store := storetest.NewFailing(memory, nil)
					d = s.Descriptor()
					cred, at := who()
					o := options(s, store)
					o.DefaultDC = dcID(at)
					m := open(t, o)
					a := add(t, m, "one")
					late(t, s, method, 420, "FLOOD_WAIT_36000")
					signIn := signInAlone(a, cred, "")
					time.Sleep(5 * time.Second)
					if strings.HasSuffix(how, "failed") {
						store.SetFail(func(_ int, c persistence.Commit) error {
							for _, r := range c.Put {
								if r.Key.Account == persistence.FleetID {
									return storetest.ErrInjected
								}
							}
							return nil
						})
						time.AfterFunc(5500*time.Millisecond, func() { store.SetFail(nil) })
					}
					switch force := strings.Contains(how, "force"); {
					case how == "canceled":
						_, err := a.Answer(soon(t), actors.Answer{Kind: actors.AnswerCancel})
						reason(t, err, actors.SignInCanceled)
					default:
						if force {
							time.Sleep(6 * time.Second)
						}
						if err := a.Remove(soon(t), force); err != nil {
							t.Errorf("the removal ended with %v", err)
						}
					}
					_ = ended(t, "the sign-in", signIn, time.Minute)
					time.Sleep(time.Minute)
					if !waitStored(t, memory, persistence.FleetID, method) {
						t.Error("the wait is not in the store")
					}
					before := s.Counts().Queries
					next := add(t, m, "two")
					step, err := next.SignIn(soon(t), cred)
					var w *actors.SignInError
					switch {
					case err != nil && (!errors.As(err, &w) || w.Until.IsZero()):
						t.Errorf("the next sign-in: %v", err)
					case err == nil && (step == nil || step.Until.IsZero()):
						t.Errorf("the next sign-in came to %+v", step)
					}
					time.Sleep(time.Minute)
					if n := s.Counts().Queries - before; n > 0 {
						t.Errorf("%d queries were sent within the wait", n)
					}
					verdict(t, s, memory)
				})
			})
		}
	}
}

// TestAWaitOnTheLogOutOfACanceledSignInIsObeyed: what the server granted after the
// cancel is taken back when that may be asked for, also by the next process.
func TestAWaitOnTheLogOutOfACanceledSignInIsObeyed(t *testing.T) {
	for _, how := range []string{"waited for", "restarted", "removed"} {
		t.Run(how, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				s, store := cluster(t, unlimited()), persistence.NewMemory()
				o := func(store persistence.Store) actors.Options { return options(s, store) }
				m, err := actors.Open(o(store))
				if err != nil {
					t.Fatal(err)
				}
				a := add(t, m, "robot")
				refuse(t, s, "auth.logOut", 420, "FLOOD_WAIT_3600")
				inject(t, s, dctest.Fault{Kind: dctest.FaultSlow, Method: "auth.importBotAuthorization", Delay: dctest.Duration(10 * time.Second), Count: 1})
				signIn := signInAlone(a, actors.BotToken(s.Descriptor().Bots[0].Token), "")
				time.Sleep(5 * time.Second)
				begun := time.Now()
				ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
				defer cancel()
				if how == "removed" {
					if err := a.Remove(ctx, false); !errors.Is(err, context.DeadlineExceeded) {
						t.Errorf("the removal ended with %v", err)
					}
				} else {
					step, err := a.Answer(ctx, actors.Answer{Kind: actors.AnswerCancel})
					if err != nil || step == nil || step.Kind != actors.StepWait {
						t.Errorf("the cancel came to %+v, %v", step, err)
					}
				}
				if st := a.Status(); st.Until.Sub(begun) < 59*time.Minute {
					t.Errorf("nobody is told how long: %+v", st)
				}
				live := func() (n int) {
					for _, row := range s.Ledger().Authorizations {
						if row.Ended.IsZero() {
							n++
						}
					}
					return n
				}
				if live() != 1 {
					t.Fatalf("%d authorizations are alive, so this tests nothing", live())
				}
				verdict(t, s, store)
				if how == "restarted" {
					m, store = restart(t, m, store, o)
				}
				defer closeManager(t, m)
				for live() > 0 && time.Since(begun) < 2*time.Hour {
					time.Sleep(10 * time.Second)
				}
				if took := time.Since(begun); took < time.Hour || took > 65*time.Minute {
					t.Errorf("it was taken back after %v", took)
				}
				_ = ended(t, "the sign-in", signIn, time.Minute)
				time.Sleep(time.Minute)
				verdict(t, s, store)
				if a, err := m.Account("robot"); how == "removed" && err == nil {
					t.Errorf("the removed account is still there: %+v", a.Status())
				}
			})
		})
	}
}

package actors_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/mtfleet/mtfleet/actors"
	"github.com/mtfleet/mtfleet/mtproto/dctest"
	"github.com/mtfleet/mtfleet/mtproto/dctest/api"
	"github.com/mtfleet/mtfleet/mtproto/dctest/serve"
	"github.com/mtfleet/mtfleet/persistence"
)

// This file is about removing accounts: nobody is left at the server whom nobody
// here could log out.

// far is a way of 25 ms to every DC and 25 ms back, so that a sign-in has moments.
const far = 25 * time.Millisecond

// unlimited is small without the limits on sign-ins that a row of tests meets.
func unlimited() serve.Config {
	cfg := small
	none := api.RateLimit{Calls: -1}
	cfg.API.LoginsPerDay, cfg.API.Limits = -1, api.Limits{SendCodeNumber: none, ImportBot: none}
	return cfg
}

// signInAlone signs in as somebody at a keyboard would, until that comes to an
// end.
func signInAlone(a *actors.Account, who actors.Credentials, code string) <-chan error {
	return later(func() error {
		step, err := a.SignIn(context.Background(), who)
		if err == nil && step != nil && step.Kind == actors.StepCode {
			step, err = a.Answer(context.Background(), actors.Answer{Kind: actors.AnswerCode, Code: code})
		}
		if err == nil && step != nil {
			err = fmt.Errorf("stopped at the step %q", step.Kind)
		}
		return err
	})
}

// goneOrKept checks what a removal left: nothing at all when it succeeded, and
// an account that is signed in when it was refused for that.
func goneOrKept(t *testing.T, m *actors.Manager, s *serve.Cluster, store persistence.Store, id string, err error) {
	t.Helper()
	switch a, none := m.Account(id); {
	case err == nil:
		if none == nil {
			t.Errorf("the removed account is still there: %+v", a.Status())
		}
		if ids, _ := store.Accounts(); len(ids) > 0 {
			t.Errorf("records of %v are left", ids)
		}
	case none != nil:
		t.Errorf("the removal ended with %v, and the account is gone", err)
	case errors.Is(err, actors.ErrSignedIn):
		wait(t, a, actors.Online)
	default:
		t.Errorf("the removal ended with %v: %+v", err, a.Status())
	}
	verdict(t, s, store)
}

// TestARemovalAtAnyMomentOfASignInLeavesNoOrphan goes through a sign-in in steps
// of half the way to the DC, and removes the account there.
func TestARemovalAtAnyMomentOfASignInLeavesNoOrphan(t *testing.T) {
	d := serve.Descriptor{}
	for name, who := range map[string]func() (actors.Credentials, string){
		"by phone": func() (actors.Credentials, string) { return actors.Phone(d.Phones[0].Number), d.Phones[0].Code },
		"by token": func() (actors.Credentials, string) { return actors.BotToken(d.Bots[0].Token), "" },
	} {
		t.Run(name, func(t *testing.T) {
			kept := 0
			for at := time.Duration(0); kept < 3 && !t.Failed(); at += far {
				bubble(t, func(t *testing.T) {
					s, store := cluster(t, unlimited()), persistence.NewMemory()
					m := open(t, options(s, store))
					inject(t, s, dctest.Fault{Kind: dctest.FaultDelay, Delay: dctest.Duration(far)})
					d = s.Descriptor()
					a := add(t, m, "short")
					cred, code := who()
					signIn := signInAlone(a, cred, code)
					time.Sleep(at)
					err := a.Remove(soon(t), false)
					_ = ended(t, "the sign-in", signIn, 5*time.Minute)
					time.Sleep(time.Minute)
					goneOrKept(t, m, s, store, "short", err)
					if err != nil {
						kept++
					}
				})
				if t.Failed() {
					t.Logf("after %v", at)
				}
				if at > time.Minute {
					t.Fatal("the sign-in comes to no end")
				}
			}
		})
	}
}

// TestARemovalWhileAnAnswerIsOnItsWayLeavesNoOrphan: what the server did and did
// not say yet is waited for, and undone.
func TestARemovalWhileAnAnswerIsOnItsWayLeavesNoOrphan(t *testing.T) {
	for method, phone := range map[string]bool{
		"auth.sendCode": true, "auth.signIn": true, "auth.importBotAuthorization": false, "updates.getState": false,
	} {
		for _, lost := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, its connection lost %v", method, lost), func(t *testing.T) {
				bubble(t, func(t *testing.T) {
					s, store := cluster(t, unlimited()), persistence.NewMemory()
					m := open(t, options(s, store))
					d := s.Descriptor()
					a := add(t, m, "short")
					kind := dctest.FaultSlow
					if lost {
						kind = dctest.FaultNoReply
					}
					inject(t, s, dctest.Fault{Kind: kind, Method: method, Delay: dctest.Duration(20 * time.Second), Count: 2})
					who, code := actors.BotToken(d.Bots[0].Token), ""
					if phone {
						who, code = actors.Phone(d.Phones[0].Number), d.Phones[0].Code
					}
					signIn := signInAlone(a, who, code)
					time.Sleep(5 * time.Second)
					if a.Status().State != actors.SigningIn {
						t.Fatalf("%s is not waited for: %+v", method, a.Status())
					}
					removed := later(func() error { return a.Remove(soon(t), false) })
					if lost {
						time.Sleep(time.Second)
						inject(t, s, dctest.Fault{Kind: dctest.FaultForgetSessions})
						inject(t, s, dctest.Fault{Kind: dctest.FaultCloseConns})
					}
					err := ended(t, "the removal", removed, 10*time.Minute)
					_ = ended(t, "the sign-in", signIn, time.Minute)
					goneOrKept(t, m, s, store, "short", err)
				})
			})
		}
	}
}

// TestASignInThatMayHaveSucceededIsUndone: its answer is lost, and the question
// who we are is refused by something that says neither yes nor no.
func TestASignInThatMayHaveSucceededIsUndone(t *testing.T) {
	for text, code := range map[string]int{"USER_MIGRATE_1": 303, "INPUT_USER_DEACTIVATED": 400, "CHAT_FORBIDDEN": 403, "SOMETHING_NEW": 406} {
		for _, restarted := range []bool{false, true} {
			t.Run(fmt.Sprintf("%d %s, restarted %v", code, text, restarted), func(t *testing.T) {
				bubble(t, func(t *testing.T) {
					s, store := cluster(t, unlimited()), persistence.NewMemory()
					o := func(store persistence.Store) actors.Options { return options(s, store) }
					m, err := actors.Open(o(store))
					if err != nil {
						t.Fatal(err)
					}
					a := add(t, m, "short")
					inject(t, s, dctest.Fault{Kind: dctest.FaultNoReply, Method: "auth.importBotAuthorization", Count: 1})
					inject(t, s, dctest.Fault{Kind: dctest.FaultRPC, Method: "users.getUsers", Code: code, Text: text, Count: 1000})
					inject(t, s, dctest.Fault{Kind: dctest.FaultRPC, Method: "auth.logOut", Code: 500, Text: "RPC_CALL_FAIL", Count: 2})
					signIn := signInAlone(a, actors.BotToken(s.Descriptor().Bots[0].Token), "")
					time.Sleep(time.Second)
					inject(t, s, dctest.Fault{Kind: dctest.FaultForgetSessions})
					inject(t, s, dctest.Fault{Kind: dctest.FaultCloseConns})
					if restarted {
						m, store = restart(t, m, store, o)
						a, _ = m.Account("short")
					}
					removed := a.Remove(soon(t), false)
					_ = ended(t, "the sign-in", signIn, time.Minute)
					if removed != nil {
						t.Errorf("the removal ended with %v", removed)
					}
					goneOrKept(t, m, s, store, "short", removed)
					for _, row := range s.Ledger().Authorizations {
						if row.Ended.IsZero() {
							t.Errorf("an authorization lives on: %+v", row)
						}
					}
					closeManager(t, m)
				})
			})
		}
	}
}

// TestARemovalOfWhoIsHalfSignedInLeavesNoOrphan: the code was right, and a
// password is wanted.
func TestARemovalOfWhoIsHalfSignedInLeavesNoOrphan(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s, store := cluster(t, small), persistence.NewMemory()
		m := open(t, options(s, store))
		p := s.Descriptor().Phones[0]
		if err := s.API(func(b *api.Backend, _ time.Time) { _ = b.SetPassword(p.UserID, "correct horse") }); err != nil {
			t.Fatal(err)
		}
		a := add(t, m, "short")
		asked(t, a, p.Number, actors.StepCode)
		if step, err := answerCode(t, a, p.Code); err != nil || step == nil || step.Kind != actors.StepPassword {
			t.Fatalf("a code with a password behind it led to %+v, %v", step, err)
		}
		refuse(t, s, "auth.logOut", 500, "RPC_CALL_FAIL")
		err := a.Remove(soon(t), false)
		if err != nil {
			t.Errorf("the removal ended with %v", err)
		}
		goneOrKept(t, m, s, store, "short", err)
		if err := s.API(func(b *api.Backend, _ time.Time) { _ = b.SetPassword(p.UserID, "") }); err != nil {
			t.Fatal(err)
		}
		wait(t, signInPhone(t, m, "short", p, actors.AccountOptions{}), actors.Online)
	})
}

// TestARemovalThatNobodyWaitsForIsDoneToItsEnd: who asked has left while the
// sign-in was being undone.
func TestARemovalThatNobodyWaitsForIsDoneToItsEnd(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s, store := cluster(t, unlimited()), persistence.NewMemory()
		m := open(t, options(s, store))
		b := s.Descriptor().Bots[0]
		a := add(t, m, "short")
		inject(t, s, dctest.Fault{Kind: dctest.FaultSlow, Method: "auth.importBotAuthorization", Delay: dctest.Duration(time.Minute), Count: 1})
		signIn := signInAlone(a, actors.BotToken(b.Token), "")
		time.Sleep(time.Second)
		ctx, leave := context.WithTimeout(t.Context(), time.Second)
		defer leave()
		if err := a.Remove(ctx, false); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("the removal ended with %v", err)
		}
		_ = ended(t, "the sign-in", signIn, 2*time.Minute)
		time.Sleep(time.Second)
		if list := m.Accounts(); len(list) > 0 {
			t.Errorf("there still is %s: %+v", list[0].ID(), list[0].Status())
		}
		if ids, _ := store.Accounts(); len(ids) > 0 {
			t.Errorf("records of %v are left", ids)
		}
		verdict(t, s, store)
		wait(t, signInBot(t, m, "short", b, actors.AccountOptions{}), actors.Online)
	})
}

// TestARecordOfALaterVersionIsNotDeletedByMistake: an older program cannot know
// what it would give up.
func TestARecordOfALaterVersionIsNotDeletedByMistake(t *testing.T) {
	b := serve.Bot{}
	for name, key := range map[string]func() persistence.Key{
		"its own":    func() persistence.Key { return persistence.AccountKey("robot") },
		"a perm key": func() persistence.Key { return persistence.PermKeyKey("robot", b.DC) },
		"a login":    func() persistence.Key { return persistence.LoginKey("robot") },
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				s, store := cluster(t, small), persistence.NewMemory()
				m, err := actors.Open(options(s, store))
				if err != nil {
					t.Fatal(err)
				}
				b = s.Descriptor().Bots[0]
				wait(t, signInBot(t, m, "robot", b, actors.AccountOptions{}), actors.Online)
				closeManager(t, m)
				store = store.Reopen()
				owner, err := store.Claim("later")
				if err != nil {
					t.Fatal(err)
				}
				later := persistence.Record{Key: key(), Version: 200, Data: []byte("what will be")}
				if err := store.Commit(persistence.Commit{Owner: owner, Put: []persistence.Record{later}}); err != nil {
					t.Fatal(err)
				}
				time.Sleep(time.Second)
				m = open(t, options(s, store))
				a, _ := m.Account("robot")
				wait(t, a, actors.Quarantined)
				if st := a.Status(); !strings.Contains(st.Why, "newer") && !strings.Contains(st.Why, "later") || !strings.Contains(st.Advice, "program") {
					t.Errorf("the status says %q and advises %q", st.Why, st.Advice)
				}
				before, _ := store.Load("robot")
				var state *actors.StateError
				for what, err := range map[string]error{
					"removing it":     a.Remove(soon(t), false),
					"logging it out":  a.LogOut(soon(t)),
					"signing it in":   func() error { _, err := a.SignIn(soon(t), actors.BotToken(b.Token)); return err }(),
					"pausing it":      a.Pause(soon(t)),
					"a resume of it ": a.Resume(soon(t)),
				} {
					if !errors.As(err, &state) && what != "a resume of it " {
						t.Errorf("%s ended with %v", what, err)
					}
				}
				time.Sleep(time.Minute)
				if after, _ := store.Load("robot"); len(after) != len(before) {
					t.Errorf("%d records were left of %d", len(after), len(before))
				}
				if err := a.Remove(soon(t), true); err != nil {
					t.Errorf("removing it by force: %v", err)
				}
				if ids, _ := store.Accounts(); len(ids) > 0 {
					t.Errorf("records of %v are left", ids)
				}
			})
		})
	}
}

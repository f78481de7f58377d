package actors_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mtfleet/mtfleet/actors"
	"github.com/mtfleet/mtfleet/actors/timeline"
	"github.com/mtfleet/mtfleet/mtproto/dctest/api"
	"github.com/mtfleet/mtfleet/mtproto/dctest/serve"
	"github.com/mtfleet/mtfleet/persistence"
	"github.com/mtfleet/mtfleet/persistence/storetest"
)

// authorizations counts the keys under which the server has a user signed in at
// home. A second one would be in the store too, so that no orphan shows it.
func authorizations(s *serve.Cluster, user int64) (n int) {
	for _, row := range s.Ledger().Authorizations {
		if row.UserID == user && row.Home && row.Ended.IsZero() {
			n++
		}
	}
	return n
}

// nothingKept checks that a store knows an account as one that never was anybody.
func nothingKept(t *testing.T, store persistence.Store, id string) {
	t.Helper()
	st := stored(t, store, id)
	st.Meta = slices.DeleteFunc(st.Meta, func(r persistence.Record) bool { return r.Key == timeline.RecordKey(r.Account) })
	if st.Login != nil || st.Updates != nil || st.Account.SignedIn || st.Account.UserID != 0 || len(st.Meta) > 0 {
		t.Errorf("of the undone sign-in the store keeps %+v of %+v", st, st.Account)
	}
}

func alreadySaid(t *testing.T, err error, account string) {
	t.Helper()
	if e := reason(t, err, actors.SignInAlready); e.Account != account || !strings.Contains(e.Error(), account) {
		t.Errorf("the other account is %q in %q, want %q", e.Account, e, account)
	}
}

func TestASecondAccountOfAUserIsSignedOutAgain(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s, store := cluster(t, small), persistence.NewMemory()
		m := open(t, options(s, store))
		p, b := s.Descriptor().Phones[0], s.Descriptor().Bots[0]
		alice := signInPhone(t, m, "alice", p, actors.AccountOptions{})
		robot := signInBot(t, m, "robot", b, actors.AccountOptions{})
		wait(t, alice, actors.Online)
		wait(t, robot, actors.Online)

		again := add(t, m, "again")
		asked(t, again, p.Number, actors.StepCode)
		code := p.Code
		for _, sent := range s.Codes() {
			code = sent.Code
		}
		_, err := answerCode(t, again, code)
		alreadySaid(t, err, "alice")
		twin := add(t, m, "twin")
		_, err = twin.SignIn(soon(t), actors.BotToken(b.Token))
		alreadySaid(t, err, "robot")
		for _, a := range []*actors.Account{again, twin} {
			if st := a.Status(); st.State != actors.New || st.SignedIn || st.UserID != 0 || !strings.Contains(st.Why, "is that user already") {
				t.Errorf("the refused account is %+v", st)
			}
			nothingKept(t, store, a.ID())
		}
		for user, a := range map[int64]*actors.Account{p.UserID: alice, b.UserID: robot} {
			if n := authorizations(s, user); n != 1 {
				t.Errorf("user %d has %d authorizations", user, n)
			}
			call(t, a)
		}
		verdict(t, s, store)
	})
}

// Who may be signed in as a user keeps others from it, also over a restart.
func TestWhoMayBeSignedInKeepsOthersFromTheUser(t *testing.T) {
	cases := []struct {
		name  string
		lead  func(t *testing.T, s *serve.Cluster, a *actors.Account)
		keeps bool
	}{
		{"online", func(*testing.T, *serve.Cluster, *actors.Account) {}, true},
		{"paused", func(t *testing.T, _ *serve.Cluster, a *actors.Account) {
			if err := a.Pause(soon(t)); err != nil {
				t.Error(err)
			}
		}, true},
		{"duplicated", func(t *testing.T, s *serve.Cluster, a *actors.Account) {
			refusedBy(406, "AUTH_KEY_DUPLICATED")(t, s, a)
			wait(t, a, actors.Duplicated)
		}, true},
		{"revoked", func(t *testing.T, s *serve.Cluster, a *actors.Account) {
			if err := s.API(func(b *api.Backend, now time.Time) { _ = b.Revoke(now, a.Status().UserID) }); err != nil {
				t.Error(err)
			}
			wait(t, a, actors.Revoked)
		}, false},
		{"logged out", func(t *testing.T, _ *serve.Cluster, a *actors.Account) {
			if err := a.LogOut(soon(t)); err != nil {
				t.Error(err)
			}
		}, false},
		{"removed", func(t *testing.T, _ *serve.Cluster, a *actors.Account) {
			if err := errors.Join(a.LogOut(soon(t)), a.Remove(soon(t), false)); err != nil {
				t.Error(err)
			}
		}, false},
	}
	for _, x := range cases {
		for _, restarted := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, restarted %v", x.name, restarted), func(t *testing.T) {
				bubble(t, func(t *testing.T) {
					s, store := cluster(t, small), persistence.NewMemory()
					m := open(t, options(s, store))
					b := s.Descriptor().Bots[0]
					a := signInBot(t, m, "robot", b, actors.AccountOptions{})
					wait(t, a, actors.Online)
					x.lead(t, s, a)
					twin := add(t, m, "twin")
					if restarted {
						closeManager(t, m)
						time.Sleep(time.Second) // a process does not start at the instant another ends
						store = store.Reopen()
						m = open(t, options(s, store))
						twin, _ = m.Account("twin")
					}
					_, err := twin.SignIn(soon(t), actors.BotToken(b.Token))
					if x.keeps {
						alreadySaid(t, err, "robot")
					} else if err != nil {
						t.Error(err)
					}
					verdict(t, s, store)
				})
			})
		}
	}
}

// Two accounts sign in as one user at once, and the process is killed around
// every commit, so also between the authorization and its undoing. One of them
// is that user in the end, and nothing is left of the other.
func TestTwoSignInsOfOneUserLeaveOne(t *testing.T) {
	for _, durable := range []bool{false, true} {
		for at := 1; ; at++ {
			crashed := false
			bubble(t, func(t *testing.T) { crashed = race(t, at, durable) })
			if t.Failed() {
				t.Fatalf("at commit %d, durable %v", at, durable)
			}
			if !crashed {
				break
			}
		}
	}
}

func race(t *testing.T, at int, durable bool) bool {
	cfg := small
	cfg.API.LoginsPerDay = -1
	s, store := cluster(t, cfg), storetest.NewCrashing()
	m, err := actors.Open(options(s, store))
	if err != nil {
		t.Fatal(err)
	}
	b := s.Descriptor().Bots[0]
	add(t, m, "one")
	add(t, m, "two")
	store.CrashAt(at, durable)
	driveTwins(m, store, b)
	crashed := store.Crashed()
	if crashed {
		closeManager(t, m)
		time.Sleep(time.Second)
		store = store.Restart()
		if m, err = actors.Open(options(s, store)); err != nil {
			t.Fatal(err)
		}
		driveTwins(m, store, b)
	}
	online := 0
	for _, a := range m.Accounts() {
		switch st := a.Status(); {
		case st.SignedIn:
			wait(t, a, actors.Online)
			call(t, a)
			online++
		case st.State == actors.New && strings.Contains(st.Why, "is that user already"):
			nothingKept(t, store, a.ID())
		default:
			t.Errorf("%s is %+v", a.ID(), st)
		}
	}
	if n := authorizations(s, b.UserID); online != 1 || n != 1 {
		t.Errorf("%d of two accounts are signed in, with %d authorizations", online, n)
	}
	if store.CrashAt(1<<30, false); !store.Crashed() {
		verdict(t, s, store)
	}
	closeManager(t, m)
	return crashed
}

// driveTwins signs both in by the same token until neither is on the way, or the
// process is dead.
func driveTwins(m *actors.Manager, store *storetest.Crashing, b serve.Bot) {
	for range 600 {
		var asked []<-chan error
		for _, a := range m.Accounts() {
			ctx, cancel := context.WithTimeout(context.Background(), time.Second)
			defer cancel()
			switch st := a.Status(); {
			case st.SignedIn, strings.Contains(st.Why, "is that user already"):
			case st.State == actors.New:
				asked = append(asked, later(func() error { _, err := a.SignIn(ctx, actors.BotToken(b.Token)); return err }))
			case st.Step != nil && st.Step.Kind == actors.StepToken:
				asked = append(asked, later(func() error {
					_, err := a.Answer(ctx, actors.Answer{Kind: actors.AnswerToken, Token: b.Token})
					return err
				}))
			default:
				asked = append(asked, later(func() error { return nil }))
			}
		}
		if len(asked) == 0 || store.Crashed() {
			return
		}
		for _, answered := range asked {
			<-answered
		}
		time.Sleep(100 * time.Millisecond)
	}
}

package actors_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/mtfleet/mtfleet/actors"
	"github.com/mtfleet/mtfleet/mtproto/dctest/api"
	"github.com/mtfleet/mtfleet/persistence"
	"github.com/mtfleet/mtfleet/persistence/storetest"
)

// retired and inUse tell what a store has of an account's perm keys at home.
func retired(t *testing.T, store persistence.Store, id string) (retired, inUse int) {
	t.Helper()
	for _, p := range stored(t, store, id).PermKeys {
		if p.Revoked.IsZero() {
			inUse++
		} else {
			retired++
		}
	}
	return retired, inUse
}

// A server that said twice that the login is gone, and was wrong.
func TestARetiredKeyIsTakenBack(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s, memory := cluster(t, small), persistence.NewMemory()
		store := storetest.NewFailing(memory, nil)
		m := open(t, options(s, store))
		b := s.Descriptor().Bots[0]
		a := signInBot(t, m, "robot", b, actors.AccountOptions{})
		wait(t, a, actors.Online)
		if err := a.RestoreKey(soon(t)); !errors.As(err, new(*actors.StateError)) {
			t.Errorf("restoring the key of an account that is online: %v", err)
		}
		stops[2].cause(t, s, a) // SESSION_REVOKED, confirmed
		wait(t, a, actors.Revoked)
		time.Sleep(time.Minute)
		if old, used := retired(t, memory, "robot"); old != 1 || used != 0 {
			t.Fatalf("%d keys are retired, %d in use", old, used)
		}
		if err := s.ClearFaults(); err != nil {
			t.Fatal(err)
		}

		// What the store refuses is told, and changes nothing.
		store.SetFail(storetest.FailFrom(0))
		if err := a.RestoreKey(soon(t)); !errors.Is(err, storetest.ErrInjected) {
			t.Errorf("while the store refuses: %v", err)
		}
		time.Sleep(10 * time.Second)
		store.SetFail(nil)
		if st := a.Status(); st.State != actors.Revoked || st.SignedIn {
			t.Errorf("what was refused made it %+v", st)
		}

		time.Sleep(6 * 24 * time.Hour)
		if err := a.RestoreKey(soon(t)); err != nil {
			t.Fatal(err)
		}
		wait(t, a, actors.Online)
		if got := call(t, a); got.UserID != b.UserID {
			t.Errorf("it is user %d", got.UserID)
		}
		if old, used := retired(t, memory, "robot"); old != 0 || used != 1 {
			t.Errorf("%d keys are retired, %d in use", old, used)
		}
		if n := authorizations(s, b.UserID); n != 1 {
			t.Errorf("there are %d authorizations", n)
		}
		verdict(t, s, memory)
	})
}

// A server that was right says so again, and a user who has another account by
// now keeps that.
func TestARetiredKeyThatTheServerRefusesIsRetiredAgain(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s, store := cluster(t, small), persistence.NewMemory()
		m := open(t, options(s, store))
		b := s.Descriptor().Bots[0]
		a := signInBot(t, m, "robot", b, actors.AccountOptions{})
		wait(t, a, actors.Online)
		if err := s.API(func(api *api.Backend, now time.Time) { _ = api.Revoke(now, b.UserID) }); err != nil {
			t.Fatal(err)
		}
		wait(t, a, actors.Revoked)
		if err := a.RestoreKey(soon(t)); err != nil {
			t.Fatal(err)
		}
		wait(t, a, actors.Connecting)
		wait(t, a, actors.Revoked)
		time.Sleep(time.Minute)
		if old, used := retired(t, store, "robot"); old != 1 || used != 0 {
			t.Errorf("%d keys are retired, %d in use", old, used)
		}

		twin := signInBot(t, m, "twin", b, actors.AccountOptions{})
		wait(t, twin, actors.Online)
		if err := a.RestoreKey(soon(t)); err == nil || !strings.Contains(err.Error(), `"twin"`) {
			t.Errorf("beside another account of the user: %v", err)
		}
		if err := errors.Join(twin.LogOut(soon(t)), twin.Remove(soon(t), false)); err != nil {
			t.Fatal(err)
		}

		// The key outlives its seven days only until the next start.
		closeManager(t, m)
		time.Sleep(8 * 24 * time.Hour)
		store = store.Reopen()
		m = open(t, options(s, store))
		a, _ = m.Account("robot")
		time.Sleep(time.Minute)
		if err := a.RestoreKey(soon(t)); err == nil || !strings.Contains(err.Error(), "no retired perm key of DC") {
			t.Errorf("when it is gone: %v", err)
		}
		if st := a.Status(); st.State != actors.Revoked {
			t.Errorf("it is %+v", st)
		}
		if _, err := a.SignIn(soon(t), actors.BotToken(b.Token)); err != nil {
			t.Errorf("signing in instead: %v", err)
		}
		verdict(t, s, store)
	})
}

package actors_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/mtfleet/mtfleet/actors"
	"github.com/mtfleet/mtfleet/mtproto/dctest/serve"
	"github.com/mtfleet/mtfleet/persistence"
)

// twins signs one bot in under two names, each in a store of its own, and
// returns one store with both: what somebody gets who puts stores together.
func twins(t *testing.T, s *serve.Cluster, b serve.Bot, names ...string) *persistence.Memory {
	t.Helper()
	all := persistence.NewMemory()
	owner, err := all.Claim("by-hand")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		store := persistence.NewMemory()
		m := open(t, options(s, store))
		wait(t, signInBot(t, m, name, b, actors.AccountOptions{}), actors.Online)
		closeManager(t, m)
		records, err := store.Load(persistence.AccountID(name))
		if err == nil {
			err = all.Commit(persistence.Commit{Owner: owner, Put: records})
		}
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Hour) // the next is added later
	}
	return all
}

func TestOfTwoAccountsOfOneUserOneRuns(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := cluster(t, small)
		b := s.Descriptor().Bots[0]
		store := twins(t, s, b, "zoe", "adam")
		conns := s.ConnCount()
		m := open(t, options(s, store))
		zoe, _ := m.Account("zoe")
		adam, _ := m.Account("adam")
		quarantined := func(a *actors.Account, beside string) {
			t.Helper()
			st := a.Status()
			if st.State != actors.Quarantined || !strings.Contains(st.Why, `"`+beside+`" is the same user`) || st.Advice == "" || !st.SignedIn {
				t.Errorf("the second account is %+v", st)
			}
		}
		quarantined(adam, "zoe") // already when Open returns
		wait(t, zoe, actors.Online)
		call(t, zoe)
		if n := s.ConnCount() - conns; n != 1 {
			t.Errorf("%d connections for one account that runs", n)
		}

		// Beside the other it is not resumed, nor after a restart.
		var state *actors.StateError
		if err := adam.Resume(soon(t)); !errors.As(err, &state) || !strings.Contains(err.Error(), "zoe") {
			t.Errorf("resuming it: %v", err)
		}
		third := add(t, m, "third")
		_, err := third.SignIn(soon(t), actors.BotToken(b.Token))
		alreadySaid(t, err, "zoe")
		closeManager(t, m)
		time.Sleep(time.Second) // a process does not start at the instant another ends
		store = store.Reopen()
		m = open(t, options(s, store))
		zoe, _ = m.Account("zoe")
		adam, _ = m.Account("adam")
		wait(t, zoe, actors.Online)
		quarantined(adam, "zoe")

		// When the other has logged out it is, and keeps the user's place.
		if err := zoe.LogOut(soon(t)); err != nil {
			t.Fatal(err)
		}
		third, _ = m.Account("third")
		_, err = third.SignIn(soon(t), actors.BotToken(b.Token))
		alreadySaid(t, err, "adam")
		if err := adam.Resume(soon(t)); err != nil {
			t.Fatal(err)
		}
		wait(t, adam, actors.Online)
		call(t, adam)
		_, err = zoe.SignIn(soon(t), actors.BotToken(b.Token))
		alreadySaid(t, err, "adam")
		verdict(t, s, store)
	})
}

// The second account is logged out as it is; nothing stays of it.
func TestTheSecondAccountOfAUserIsLoggedOut(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := cluster(t, small)
		b := s.Descriptor().Bots[0]
		store := twins(t, s, b, "zoe", "adam")
		m := open(t, options(s, store))
		zoe, _ := m.Account("zoe")
		adam, _ := m.Account("adam")
		wait(t, zoe, actors.Online)
		if n := authorizations(s, b.UserID); n != 2 {
			t.Fatalf("there are %d authorizations", n)
		}
		if err := adam.LogOut(soon(t)); err != nil {
			t.Fatal(err)
		}
		if err := adam.Remove(soon(t), false); err != nil {
			t.Error(err)
		}
		if n := authorizations(s, b.UserID); n != 1 {
			t.Errorf("there are %d authorizations", n)
		}
		call(t, zoe)
		verdict(t, s, store)
	})
}

// One in service comes before one that its owner paused, whichever was first.
func TestOfTwoAccountsOfOneUserTheOneInServiceRuns(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := cluster(t, small)
		store := twins(t, s, s.Descriptor().Bots[0], "first", "second")
		rec := *stored(t, store, "first").Account
		rec.State, rec.Paused = "paused", true
		owner, err := store.Claim("by-hand")
		if err == nil {
			err = store.Commit(persistence.Commit{Owner: owner, Put: []persistence.Record{rec.Record()}})
		}
		if err != nil {
			t.Fatal(err)
		}
		m := open(t, options(s, store))
		first, _ := m.Account("first")
		second, _ := m.Account("second")
		wait(t, second, actors.Online)
		if st := first.Status(); st.State != actors.Quarantined || !strings.Contains(st.Why, `"second"`) {
			t.Errorf("the paused account is %+v", st)
		}
	})
}

// A command that opens a store for one account knows who the others are.
func TestAManagerOfOneAccountKnowsTheUsersOfTheOthers(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s, store := cluster(t, small), persistence.NewMemory()
		b := s.Descriptor().Bots[0]
		m := open(t, options(s, store))
		wait(t, signInBot(t, m, "robot", b, actors.AccountOptions{}), actors.Online)
		closeManager(t, m)
		time.Sleep(time.Minute)
		o := options(s, store.Reopen())
		o.Only = "twin"
		m = open(t, o)
		if _, err := m.Account("robot"); err == nil {
			t.Error("the other account was started")
		}
		if _, err := m.Add(soon(t), "robot", actors.AccountOptions{}); err == nil {
			t.Error("the other account was written over")
		}
		_, err := add(t, m, "twin").SignIn(soon(t), actors.BotToken(b.Token))
		alreadySaid(t, err, "robot")
		if n := authorizations(s, b.UserID); n != 1 {
			t.Errorf("there are %d authorizations", n)
		}
	})
}

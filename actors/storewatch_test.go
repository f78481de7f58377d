package actors_test

import (
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mtfleet/mtfleet/actors"
	"github.com/mtfleet/mtfleet/persistence"
	"github.com/mtfleet/mtfleet/persistence/storetest"
)

func fullDisk(int, persistence.Commit) error {
	return &persistence.FullError{Dir: "/data", Free: 1_200_000, Needed: 4_000_000}
}

func TestAStoreThatRefusesTakesNothingNewAndGoesOnByItself(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s, memory := cluster(t, small), persistence.NewMemory()
		store := storetest.NewFailing(memory, nil)
		var log syncBuffer
		o := options(s, store)
		o.Logger = log.logger()
		m := open(t, o)
		a := signInBot(t, m, "robot", s.Descriptor().Bots[0], actors.AccountOptions{})
		wait(t, a, actors.Online)
		fresh := add(t, m, "fresh")

		store.SetFail(fullDisk)
		var full *persistence.FullError
		if _, err := m.Add(soon(t), "more", actors.AccountOptions{}); !errors.As(err, &full) {
			t.Errorf("an account was added: %v", err)
		}
		if _, err := m.Account("more"); err == nil {
			t.Error("an account is there that the store refused")
		}
		before := store.Commits()
		var bad *actors.StoreError
		for range 100 {
			if _, err := fresh.SignIn(soon(t), actors.Phone(s.Descriptor().Phones[0].Number)); !errors.As(err, &bad) || !errors.As(err, &full) {
				t.Fatalf("a sign-in began: %v", err)
			}
		}
		if n := store.Commits() - before; n > 3 {
			t.Errorf("a hundred sign-ins had the store tried %d times", n)
		}
		time.Sleep(10 * time.Minute)
		call(t, a) // connections are kept
		if n := strings.Count(log.String(), "the store refused a commit"); n != 1 {
			t.Errorf("the beginning is said %d times", n)
		}
		if n := strings.Count(log.String(), "the store still refuses commits"); n < 5 || n > 11 {
			t.Errorf("in ten minutes it is said %d times that it goes on", n)
		}
		if !strings.Contains(log.String(), "1.2 MB free, 4.0 MB needed") {
			t.Error("it is not said what is missing")
		}

		store.SetFail(nil)
		time.Sleep(6 * time.Second)
		if n := strings.Count(log.String(), "the store takes commits again"); n != 1 {
			t.Errorf("the end is said %d times", n)
		}
		if _, err := m.Add(soon(t), "more", actors.AccountOptions{}); err != nil {
			t.Errorf("after the end: %v", err)
		}
	})
}

// teller is a store that knows before anybody commits.
type teller struct {
	persistence.Store
	full atomic.Bool
}

func (s *teller) Probe() (persistence.Room, error) {
	if s.full.Load() {
		return persistence.Room{Free: 0, Needed: 4}, fullDisk(0, persistence.Commit{})
	}
	return persistence.Room{Free: 9, Needed: 4}, nil
}

func (s *teller) Commit(c persistence.Commit) error {
	if s.full.Load() {
		return fullDisk(0, c)
	}
	return s.Store.Commit(c)
}

func TestAStoreThatCanTellIsAskedBeforeAnybodyCommits(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s, store := cluster(t, small), &teller{Store: persistence.NewMemory()}
		var log syncBuffer
		o := options(s, store)
		o.Logger = log.logger()
		m := open(t, o)
		a := add(t, m, "fresh")
		store.full.Store(true)
		var bad *actors.StoreError
		if _, err := a.SignIn(soon(t), actors.Phone(s.Descriptor().Phones[0].Number)); !errors.As(err, &bad) {
			t.Errorf("a sign-in began: %v", err)
		}
		store.full.Store(false)
		time.Sleep(6 * time.Second)
		store.full.Store(true)
		time.Sleep(6 * time.Second) // nobody commits
		if n := strings.Count(log.String(), "the store refused a commit"); n != 2 {
			t.Errorf("it is said %d times that the store refuses", n)
		}
		store.full.Store(false)
		time.Sleep(6 * time.Second)
		if n := strings.Count(log.String(), "the store takes commits again"); n != 2 {
			t.Errorf("the end is said %d times", n)
		}
	})
}

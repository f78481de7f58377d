package actors_test

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"go.opentelemetry.io/otel/sdk/metric"

	"github.com/mtfleet/mtfleet/actors"
	"github.com/mtfleet/mtfleet/persistence"
	"github.com/mtfleet/mtfleet/persistence/storetest"
)

// ask asks the parts of a manager one after the other.
func ask(t *testing.T, m *actors.Manager) map[string]error {
	t.Helper()
	answers := map[string]error{}
	for _, p := range m.Parts() {
		answers[p.Name] = p.Ask(soon(t))
	}
	return answers
}

func TestEveryPartAnswersUntilTheManagerIsClosed(t *testing.T) {
	bubble(t, func(t *testing.T) {
		memory := persistence.NewMemory()
		store := storetest.NewFailing(memory, nil)
		m := open(t, options(cluster(t, small), store))
		for name, err := range ask(t, m) {
			if err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
		store.SetFail(fullDisk)
		if err := ask(t, m)["store"]; err != nil {
			t.Errorf("a store that refuses does answer, and it is said: %v", err)
		}
		if err := m.Ready(); err != nil {
			t.Errorf("a store that refuses is no reason not to be ready: %v", err)
		}
		store.SetFail(nil)
		closeManager(t, m)
		for _, name := range []string{"governor", "supervisor"} {
			if err := ask(t, m)[name]; err == nil {
				t.Errorf("the %s answers after the end", name)
			}
		}
		if err := m.Ready(); !errors.Is(err, actors.ErrClosed) {
			t.Errorf("a closed manager is ready, or not for that reason: %v", err)
		}
		if err := memory.Close(); err != nil {
			t.Fatal(err)
		}
		if err := ask(t, m)["store"]; !errors.Is(err, persistence.ErrClosed) {
			t.Errorf("a closed store: %v", err)
		}
	})
}

func TestAStoreThatHangsDoesNotAnswerAndTheOthersDo(t *testing.T) {
	bubble(t, func(t *testing.T) {
		store := storetest.NewFailing(persistence.NewMemory(), nil)
		m := open(t, options(cluster(t, small), store))
		free := make(chan struct{})
		store.SetFail(func(int, persistence.Commit) error { <-free; return nil })
		answered := make(chan error, 1)
		for _, p := range m.Parts() {
			if p.Name != "store" {
				if err := p.Ask(soon(t)); err != nil {
					t.Errorf("%s: %v", p.Name, err)
				}
				continue
			}
			go func() { answered <- p.Ask(soon(t)) }()
		}
		synctest.Wait()
		if len(answered) != 0 {
			t.Error("a store whose disk hangs has answered")
		}
		close(free)
		if err := <-answered; err != nil {
			t.Errorf("when the disk is back: %v", err)
		}
	})
}

func TestAManagerWhoseStoreWasClaimedIsNotReadyAndAlive(t *testing.T) {
	bubble(t, func(t *testing.T) {
		store := persistence.NewMemory()
		m := open(t, options(cluster(t, small), store))
		if _, err := store.Claim("another"); err != nil {
			t.Fatal(err)
		}
		if _, err := m.Add(soon(t), "alice", actors.AccountOptions{}); err == nil {
			t.Fatal("an account was added to somebody else's store")
		}
		var claimed *persistence.StaleOwnerError
		if err := m.Ready(); !errors.As(err, &claimed) {
			t.Errorf("it is ready, or not for that reason: %v", err)
		}
		for name, err := range ask(t, m) {
			if err != nil { // or a new start would take the store back, and so on
				t.Errorf("%s: %v", name, err)
			}
		}
	})
}

func TestStatesAreCountedAndAnOldSignInAndABackupAreMeasured(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s, store := cluster(t, small), persistence.NewMemory()
		reader := metric.NewManualReader()
		o := options(s, store)
		o.MeterProvider = metric.NewMeterProvider(metric.WithReader(reader))
		m := open(t, o)
		is := func(name string, want int64) {
			t.Helper()
			if got := series(t, reader)[name+" "]; got != want {
				t.Errorf("%s is %d, want %d", name, got, want)
			}
		}
		signInBot(t, m, "robot", s.Descriptor().Bots[0], actors.AccountOptions{})
		is("mtfleet.sign_in.oldest", 0)
		is("mtfleet.store.backup.timestamp", 0)
		add(t, m, "idle")
		alice := add(t, m, "alice")
		if _, err := alice.SignIn(soon(t), actors.Phone(s.Descriptor().Phones[0].Number)); err != nil {
			t.Fatal(err)
		}
		wait(t, m.Accounts()[2], actors.Online)
		time.Sleep(time.Hour)
		if got := m.States(); got[actors.Online] != 1 || got[actors.SigningIn] != 1 || got[actors.New] != 1 || len(got) != 3 {
			t.Errorf("the states are %v", got)
		}
		if got := series(t, reader)["mtfleet.sign_in.oldest "]; got < 3600 || got > 3610 {
			t.Errorf("after an hour the sign-in is %d s old", got)
		}
		closeManager(t, m) // a sign-in that was left is as old in the next process
		o.Store = store.Reopen()
		m = open(t, o)
		if got := series(t, reader)["mtfleet.sign_in.oldest "]; got < 3600 || got > 3610 {
			t.Errorf("after a restart the sign-in is %d s old", got)
		}
		made := time.Now()
		m.BackedUp(made)
		is("mtfleet.store.backup.timestamp", made.Unix())
		m.BackedUp(time.Time{})
		is("mtfleet.store.backup.timestamp", 0)
		alice, err := m.Account("alice")
		if err != nil {
			t.Fatal(err)
		}
		_, _ = alice.Answer(soon(t), actors.Answer{Kind: actors.AnswerCancel}) // the answer is that it was cancelled
		wait(t, alice, actors.New)
		is("mtfleet.sign_in.oldest", 0)
	})
}

package actors_test

import (
	"testing"
	"time"

	"github.com/mtfleet/mtfleet/actors"
	"github.com/mtfleet/mtfleet/mtproto/dctest/api"
	"github.com/mtfleet/mtfleet/persistence"
)

// TestWhoLoggedOutComesBackWithoutACode: by the future auth token of the logout or
// of the sign-in before, after a restart too; with the password where there is
// one. Somebody else's token is of no use to him, and is not offered.
func TestWhoLoggedOutComesBackWithoutACode(t *testing.T) {
	bubble(t, func(t *testing.T) {
		cfg := small
		cfg.Persons = 2
		cfg.API.LoginsPerDay = -1
		cfg.API.Limits.SendCodeNumber.Calls = -1
		s, store := cluster(t, cfg), persistence.NewMemory()
		m := open(t, options(s, store))
		p, q := s.Descriptor().Phones[0], s.Descriptor().Phones[1]
		codes := func(want int) {
			t.Helper()
			if got := len(s.Codes()); got != want {
				t.Errorf("%d codes were sent, want %d", got, want)
			}
		}
		out := func(a *actors.Account) {
			t.Helper()
			wait(t, a, actors.Online)
			if err := a.LogOut(soon(t)); err != nil {
				t.Fatal(err)
			}
		}
		a := signInPhone(t, m, "alice", p, actors.AccountOptions{})
		sent := len(s.Codes())
		for range 2 { // with the token of the logout, and with that of the sign-in by it
			out(a)
			if step, err := a.SignIn(soon(t), actors.Phone(p.Number)); err != nil || step != nil {
				t.Fatalf("a number that was signed in before led to %+v, %v", step, err)
			}
		}
		codes(sent)

		// Another person in the same account is nobody the server knows.
		out(a)
		asked(t, a, q.Number, actors.StepCode)
		if step, err := answerCode(t, a, q.Code); err != nil || step != nil {
			t.Fatalf("the other's code led to %+v, %v", step, err)
		}
		sent++
		codes(sent)
		out(a)

		// After a restart the first comes back by his password alone.
		if err := s.API(func(b *api.Backend, _ time.Time) {
			if err := b.SetTwoStep(p.UserID, api.TwoStep{Password: "correct horse"}); err != nil {
				t.Error(err)
			}
		}); err != nil {
			t.Fatal(err)
		}
		closeManager(t, m)
		time.Sleep(time.Second) // a process does not start at the instant another ends
		store = store.Reopen()
		m = open(t, options(s, store))
		a, _ = m.Account("alice")
		step, err := a.SignIn(soon(t), actors.Phone(p.Number))
		if err != nil || step == nil || step.Kind != actors.StepPassword {
			t.Fatalf("with a password, after a restart: %+v, %v", step, err)
		}
		step, err = a.Answer(soon(t), actors.Answer{Step: step.ID, Kind: actors.AnswerPassword, Password: "correct horse"})
		if err != nil || step != nil {
			t.Fatalf("the password led to %+v, %v", step, err)
		}
		wait(t, a, actors.Online)
		codes(sent)
		verdict(t, s, store)
	})
}

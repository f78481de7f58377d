package actors_test

import (
	"errors"
	"testing"
	"time"

	"github.com/mtfleet/mtfleet/actors"
	"github.com/mtfleet/mtfleet/mtproto/dc"
	"github.com/mtfleet/mtfleet/mtproto/dctest/api"
	"github.com/mtfleet/mtfleet/mtproto/dctest/serve"
	"github.com/mtfleet/mtfleet/persistence"
)

// carrier is what a carrier says to who has the number.
func carrier(t *testing.T, s *serve.Cluster, phone string) (token string) {
	t.Helper()
	if err := s.API(func(b *api.Backend, _ time.Time) { token = b.PNVToken(phone) }); err != nil {
		t.Fatal(err)
	}
	return token
}

// TestNoWayToSignInMakesAnAccountUnderAProductionKey: by a carrier's word as little
// as by a code.
func TestNoWayToSignInMakesAnAccountUnderAProductionKey(t *testing.T) {
	bubble(t, func(t *testing.T) {
		cfg := small
		cfg.API.PNV = true
		s, store := cluster(t, cfg), persistence.NewMemory()
		o := options(s, store)
		o.DCs.Keys = append(o.DCs.Keys, dc.Production().Keys...)
		m := open(t, o)
		a := add(t, m, "alice")
		step, err := a.SignIn(soon(t), actors.PNV(newcomer))
		if err != nil || step == nil || step.Kind != actors.StepPNV || step.Nonce == "" {
			t.Fatalf("a sign-in by the carrier's word stopped at %+v, %v", step, err)
		}
		_, err = a.Answer(soon(t), actors.Answer{Step: step.ID, Kind: actors.AnswerPNV, Token: carrier(t, s, newcomer)})
		reason(t, err, actors.SignInSignUp)
		if err := s.API(func(b *api.Backend, _ time.Time) {
			for _, u := range b.Users() {
				if u.Phone == newcomer {
					t.Error("the number has an account now")
				}
			}
		}); err != nil {
			t.Fatal(err)
		}
	})
}

// TestANumberHasOneSignIn: by whatever way, after a restart too, and until it ends.
func TestANumberHasOneSignIn(t *testing.T) {
	bubble(t, func(t *testing.T) {
		cfg := small
		cfg.API.PNV = true
		s, store := cluster(t, cfg), persistence.NewMemory()
		m := open(t, options(s, store))
		p := s.Descriptor().Phones[0]
		busy := func(a *actors.Account, who actors.Credentials, holder persistence.AccountID) {
			t.Helper()
			var e *actors.PhoneBusyError
			if _, err := a.SignIn(soon(t), who); !errors.As(err, &e) || e.Holder != holder {
				t.Errorf("%v was begun beside the sign-in of %s: %v", who, holder, err)
			}
			if st := a.Status(); st.State != actors.New || st.SignIn != "" {
				t.Errorf("the refused account is %+v", st)
			}
		}
		a, b := add(t, m, "alice"), add(t, m, "bob")
		if _, err := a.SignIn(soon(t), actors.PNV("+"+p.Number)); err != nil {
			t.Fatal(err)
		}
		busy(b, actors.Phone(p.Number), "alice")
		closeManager(t, m)
		time.Sleep(time.Second)
		store = store.Reopen()
		m = open(t, options(s, store))
		a, _ = m.Account("alice")
		b, _ = m.Account("bob")
		busy(b, actors.Phone(p.Number), "alice")
		busy(b, actors.PNV(p.Number), "alice")
		_, err := a.Answer(soon(t), actors.Answer{Kind: actors.AnswerCancel})
		reason(t, err, actors.SignInCanceled)
		asked(t, b, p.Number, actors.StepCode)
		busy(a, actors.PNV(p.Number), "bob")
		if len(s.Codes()) != 1 {
			t.Errorf("%d codes were sent", len(s.Codes()))
		}
		verdict(t, s, store)
	})
}

// TestAnotherCodeIsNotAskedForEarly: nor after a restart, and nothing is sent.
func TestAnotherCodeIsNotAskedForEarly(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s, store := cluster(t, small), persistence.NewMemory()
		m := open(t, options(s, store))
		p := s.Descriptor().Phones[0]
		a := add(t, m, "alice")
		step := asked(t, a, p.Number, actors.StepCode)
		early := func() {
			t.Helper()
			_, err := a.Answer(soon(t), actors.Answer{Kind: actors.AnswerResend})
			if e := reason(t, err, actors.SignInEarly); !e.Until.Equal(step.ResendAt) {
				t.Errorf("it may be asked for at %v, and the step says %v", e.Until, step.ResendAt)
			}
			if n := len(s.Codes()); n != 1 {
				t.Errorf("%d codes were sent", n)
			}
		}
		early()
		closeManager(t, m)
		time.Sleep(time.Second)
		store = store.Reopen()
		m = open(t, options(s, store))
		a, _ = m.Account("alice")
		waitStep(t, a, actors.StepCode)
		early()
		time.Sleep(time.Until(step.ResendAt) + time.Second)
		if step, err := a.Answer(soon(t), actors.Answer{Kind: actors.AnswerResend}); err != nil || step == nil || step.How != actors.HowCall {
			t.Fatalf("another code in time led to %+v, %v", step, err)
		}
		if n := len(s.Codes()); n != 2 {
			t.Errorf("%d codes were sent", n)
		}
	})
}

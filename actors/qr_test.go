package actors_test

import (
	"context"
	"encoding/base64"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mtfleet/mtfleet/actors"
	"github.com/mtfleet/mtfleet/mtproto/dctest"
	"github.com/mtfleet/mtfleet/mtproto/dctest/api"
	"github.com/mtfleet/mtfleet/mtproto/dctest/serve"
	"github.com/mtfleet/mtfleet/persistence"
)

// beginQR begins a sign-in by QR code and returns the first that is shown.
func beginQR(t *testing.T, a *actors.Account) *actors.Step {
	t.Helper()
	step, err := a.SignIn(soon(t), actors.QR())
	if err != nil || step == nil || step.Kind != actors.StepQR || step.URL == "" {
		t.Fatalf("a sign-in by QR code stopped at %+v, %v", step, err)
	}
	return step
}

// scan accepts a QR code as an app of the user does.
func scan(t *testing.T, s *serve.Cluster, step *actors.Step, user int64) {
	t.Helper()
	if err := tryScan(t, s, step, user); err != nil {
		t.Fatal(err)
	}
}

func tryScan(t *testing.T, s *serve.Cluster, step *actors.Step, user int64) error {
	t.Helper()
	link, err := url.Parse(step.URL)
	if err != nil {
		t.Fatal(err)
	}
	token, err := base64.RawURLEncoding.DecodeString(link.Query().Get("token"))
	if err != nil {
		t.Fatal(err)
	}
	if e := s.API(func(b *api.Backend, now time.Time) { err = b.Scan(now, token, user) }); e != nil {
		t.Fatal(e)
	}
	return err
}

func nextStep(t *testing.T, a *actors.Account, seen *actors.Step, want actors.StepKind) *actors.Step {
	t.Helper()
	step, err := a.NextStep(soon(t), seen)
	switch {
	case err != nil, (step == nil) != (want == ""), step != nil && step.Kind != want:
		t.Fatalf("after %v came %+v, %v; want %q", seen, step, err, want)
	}
	return step
}

// TestAQRCodeIsReplacedBeforeItEnds: each is an event of its own and in the
// status, so that a terminal can draw it anew, until somebody scans one; and
// after ten minutes without anybody the sign-in ends.
func TestAQRCodeIsReplacedBeforeItEnds(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s, store := cluster(t, small), persistence.NewMemory()
		m := open(t, options(s, store))
		p := s.Descriptor().Phones[0]
		a := add(t, m, "alice")
		events := a.Events(t.Context())
		var shown []string
		told := make(chan struct{})
		go func() {
			defer close(told)
			for ev := range events {
				if ev.Kind != actors.EventState {
					continue
				}
				if step := ev.Status.Step; step != nil && (len(shown) == 0 || shown[len(shown)-1] != step.URL) {
					shown = append(shown, step.URL)
				}
				if ev.Status.State == actors.Online {
					return
				}
			}
		}()
		step := beginQR(t, a)
		want := []string{step.URL}
		for range 3 {
			next := nextStep(t, a, step, actors.StepQR)
			if left := time.Until(step.ExpiresAt); left <= 0 || next.URL == step.URL || next.ID == step.ID {
				t.Errorf("%v before its end the code was replaced by the same: %v", left, next.URL == step.URL)
			}
			if st := a.Status(); st.Step == nil || st.Step.URL != next.URL || st.SignIn == "" {
				t.Errorf("the status shows %+v", st)
			}
			step = next
			want = append(want, step.URL)
		}
		scan(t, s, step, p.UserID)
		nextStep(t, a, step, "")
		wait(t, a, actors.Online)
		<-told
		if !slices.Equal(shown, want) {
			t.Errorf("the events showed %d codes, want %d", len(shown), len(want))
		}
		if got, err := a.NextStep(soon(t), step); got != nil || err != nil {
			t.Errorf("of an account that is signed in the next step is %+v, %v", got, err)
		}

		alone := add(t, m, "alone")
		step = beginQR(t, alone)
		begun := time.Now()
		for err := error(nil); err == nil; {
			ctx, leave := context.WithTimeout(t.Context(), time.Hour)
			step, err = alone.NextStep(ctx, step)
			leave()
			if err != nil {
				reason(t, err, actors.SignInExpired)
			}
		}
		if took := time.Since(begun); took < 10*time.Minute || took > 11*time.Minute {
			t.Errorf("nobody was waited for for %v", took)
		}
		verdict(t, s, store)
	})
}

// TestWhoScansMayLiveElsewhereAndHaveAPassword: the scan is pushed, not polled;
// the sign-in moves, and a code that ended on the way is replaced where it went.
func TestWhoScansMayLiveElsewhereAndHaveAPassword(t *testing.T) {
	for _, ended := range []bool{false, true} {
		bubble(t, func(t *testing.T) {
			cfg := small
			cfg.Persons = 2
			s, store := cluster(t, cfg), persistence.NewMemory()
			m := open(t, options(s, store))
			phones := s.Descriptor().Phones
			p := phones[slices.IndexFunc(phones, func(p serve.Phone) bool { return p.DC == 1 })]
			if err := s.API(func(b *api.Backend, _ time.Time) { _ = b.SetPassword(p.UserID, "correct horse") }); err != nil {
				t.Fatal(err)
			}
			if ended {
				inject(t, s, dctest.Fault{Kind: dctest.FaultRPC, Method: "auth.importLoginToken", Code: 400, Text: "AUTH_TOKEN_EXPIRED", Count: 1})
			}
			a := add(t, m, "alice")
			step := beginQR(t, a)
			scanned := time.Now()
			scan(t, s, step, p.UserID)
			if ended {
				step = nextStep(t, a, step, actors.StepQR)
				if home := a.Status().HomeDC; home != 1 || step.LastError != "AUTH_TOKEN_EXPIRED" {
					t.Errorf("another code is shown by DC %d after %q", home, step.LastError)
				}
				scan(t, s, step, p.UserID)
			}
			step = nextStep(t, a, step, actors.StepPassword)
			if took := time.Since(scanned); took > 5*time.Second {
				t.Errorf("the scan was noticed after %v", took)
			}
			step, err := a.Answer(soon(t), actors.Answer{Step: step.ID, Kind: actors.AnswerPassword, Password: "correct horse"})
			if err != nil || step != nil {
				t.Fatalf("the password led to %+v, %v", step, err)
			}
			wait(t, a, actors.Online)
			if st := a.Status(); st.HomeDC != 1 || st.UserID != p.UserID {
				t.Errorf("signed in is %+v", st)
			}
			verdict(t, s, store)
		})
	}
}

// TestAQRCodeIsNotForWhoIsHereAlready: the server is told who they are, and does
// not let them scan it; somebody else may.
func TestAQRCodeIsNotForWhoIsHereAlready(t *testing.T) {
	bubble(t, func(t *testing.T) {
		cfg := small
		cfg.Persons = 2
		s, store := cluster(t, cfg), persistence.NewMemory()
		m := open(t, options(s, store))
		p, q := s.Descriptor().Phones[0], s.Descriptor().Phones[1]
		alice := signInPhone(t, m, "alice", p, actors.AccountOptions{})
		wait(t, alice, actors.Online)
		bob := add(t, m, "bob")
		step := beginQR(t, bob)
		if err := tryScan(t, s, step, p.UserID); err == nil || !strings.Contains(err.Error(), "AUTH_TOKEN_EXCEPTION") {
			t.Errorf("who is signed in already scans a code, and is told: %v", err)
		}
		scan(t, s, step, q.UserID)
		nextStep(t, bob, step, "")
		wait(t, bob, actors.Online)
		verdict(t, s, store)
	})
}

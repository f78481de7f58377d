package actors_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/mtfleet/mtfleet/actors"
	"github.com/mtfleet/mtfleet/actors/actorstest"
	"github.com/mtfleet/mtfleet/mtproto/dc"
	"github.com/mtfleet/mtfleet/mtproto/dctest"
	"github.com/mtfleet/mtfleet/mtproto/dctest/api"
	"github.com/mtfleet/mtfleet/mtproto/dctest/serve"
	"github.com/mtfleet/mtfleet/persistence"
	"github.com/mtfleet/mtfleet/persistence/storetest"
)

// asked begins a sign-in and returns the step it stops at.
func asked(t *testing.T, a *actors.Account, phone string, kind actors.StepKind) *actors.Step {
	t.Helper()
	step, err := a.SignIn(soon(t), actors.Phone(phone))
	if err != nil || step == nil || step.Kind != kind {
		t.Fatalf("the sign-in stopped at %+v, %v; want a step %q", step, err, kind)
	}
	return step
}

func answerCode(t *testing.T, a *actors.Account, code string) (*actors.Step, error) {
	t.Helper()
	return a.Answer(soon(t), actors.Answer{Kind: actors.AnswerCode, Code: code})
}

func wrongCode(p serve.Phone) string {
	if strings.HasPrefix(p.Code, "1") {
		return strings.Repeat("2", len(p.Code))
	}
	return strings.Repeat("1", len(p.Code))
}

func TestAWrongCodeAsksAgainAndSaysSo(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s, store := cluster(t, small), persistence.NewMemory()
		m := open(t, options(s, store))
		p := s.Descriptor().Phones[0]
		a := add(t, m, "alice")
		asked(t, a, p.Number, actors.StepCode)
		step, err := answerCode(t, a, wrongCode(p))
		if err != nil || step == nil || step.Kind != actors.StepCode || step.Tries != 1 || step.LastError != "PHONE_CODE_INVALID" {
			t.Fatalf("a wrong code led to %+v, %v", step, err)
		}
		if st := a.Status(); st.State != actors.SigningIn || st.Step == nil || st.Why != "PHONE_CODE_INVALID" {
			t.Errorf("the status after a wrong code: %+v", st)
		}
		if step, err := answerCode(t, a, p.Code); err != nil || step != nil {
			t.Fatalf("the right code led to %+v, %v", step, err)
		}
		if st := a.Status(); st.State == actors.SigningIn || !st.SignedIn {
			t.Errorf("the status when the answer returned: %+v", st)
		}
		wait(t, a, actors.Online)
		verdict(t, s, store)
	})
}

// TestASignInBeginsTheMomentTheLastIsCancelled: under the same key, by a session
// that speaks after the one before it has said its last, acks included.
func TestASignInBeginsTheMomentTheLastIsCancelled(t *testing.T) {
	for _, noPFS := range []bool{false, true} {
		bubble(t, func(t *testing.T) {
			s, store := cluster(t, small), persistence.NewMemory()
			m := open(t, options(s, store))
			p := s.Descriptor().Phones[0]
			a := actorstest.Add(t, m, "alice", actors.AccountOptions{NoPFS: noPFS})
			for range 4 {
				asked(t, a, p.Number, actors.StepCode)
				_, err := a.Answer(soon(t), actors.Answer{Kind: actors.AnswerCancel})
				reason(t, err, actors.SignInCanceled)
			}
			asked(t, a, p.Number, actors.StepCode)
			if step, err := answerCode(t, a, p.Code); err != nil || step != nil {
				t.Fatalf("the code led to %+v, %v", step, err)
			}
			wait(t, a, actors.Online)
			call(t, a)
			verdict(t, s, store)
		})
	}
}

func TestAnExpiredCodeIsAskedForAnew(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s, store := cluster(t, small), persistence.NewMemory()
		m := open(t, options(s, store))
		p := s.Descriptor().Phones[0]
		a := add(t, m, "alice")
		asked(t, a, p.Number, actors.StepCode)
		time.Sleep(10 * time.Minute)
		step, err := answerCode(t, a, p.Code)
		if err != nil || step == nil || step.Kind != actors.StepNewCode || step.LastError != "PHONE_CODE_EXPIRED" {
			t.Fatalf("an expired code led to %+v, %v", step, err)
		}
		step, err = a.Answer(soon(t), actors.Answer{Kind: actors.AnswerResend})
		if err != nil || step == nil || step.Kind != actors.StepCode {
			t.Fatalf("asking for another code led to %+v, %v", step, err)
		}
		if step, err := answerCode(t, a, p.Code); err != nil || step != nil {
			t.Fatalf("the new code led to %+v, %v", step, err)
		}
		wait(t, a, actors.Online)
	})
}

func TestAnUnknownBotTokenEndsTheSignIn(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s, store := cluster(t, small), persistence.NewMemory()
		m := open(t, options(s, store))
		b := s.Descriptor().Bots[0]
		a := add(t, m, "robot")
		token := b.Token[:len(b.Token)-4] + "AAAA"
		_, err := a.SignIn(soon(t), actors.BotToken(token))
		e := reason(t, err, actors.SignInToken)
		if st := a.Status(); st.State != actors.New || st.Why == "" || st.Advice == "" {
			t.Errorf("the status when the sign-in returned: %+v", st)
		}
		secret := token[strings.Index(token, ":")+1:]
		if strings.Contains(e.Error(), secret) || strings.Contains(a.Status().Why, secret) {
			t.Error("the token is in an error or a status")
		}
		if n := s.ConnCount(); n > 0 {
			time.Sleep(time.Second)
			if n = s.ConnCount(); n > 0 {
				t.Errorf("a failed sign-in keeps %d connections", n)
			}
		}
		if step, err := a.SignIn(soon(t), actors.BotToken(b.Token)); err != nil || step != nil {
			t.Fatalf("the right token led to %+v, %v", step, err)
		}
		wait(t, a, actors.Online)
	})
}

func TestAFloodWaitHoldsTheSignInAndIsNeverCutShort(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s, store := cluster(t, small), persistence.NewMemory()
		m, err := actors.Open(options(s, store))
		if err != nil {
			t.Fatal(err)
		}
		p := s.Descriptor().Phones[0]
		a := add(t, m, "alice")
		if _, err := s.Fault(dctest.Fault{Kind: dctest.FaultRPC, Method: "auth.sendCode", Wait: dctest.Duration(30 * time.Second), Count: 1}); err != nil {
			t.Fatal(err)
		}
		begun := time.Now()
		asked(t, a, p.Number, actors.StepWait)
		if st := a.Status(); st.Until.Sub(begun) < 29*time.Second {
			t.Errorf("the wait is shown as %+v", st)
		}
		// A restart forgets nothing of it.
		closeManager(t, m)
		time.Sleep(time.Second)
		m = open(t, options(s, store.Reopen()))
		a, _ = m.Account("alice")
		waitStep(t, a, actors.StepCode)
		if took := time.Since(begun); took < 30*time.Second || took > time.Minute {
			t.Errorf("the code was asked for after %v, ordered were 30 s", took)
		}
		if step, err := answerCode(t, a, p.Code); err != nil || step != nil {
			t.Fatalf("the code led to %+v, %v", step, err)
		}
	})
}

// waitStep waits until a sign-in is at a step.
func waitStep(t *testing.T, a *actors.Account, kind actors.StepKind) {
	t.Helper()
	for range 6000 {
		if st := a.Status(); st.Step != nil && st.Step.Kind == kind {
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
	t.Fatalf("the sign-in of %s never came to a step %q: %+v", a.ID(), kind, a.Status())
}

func TestOnePhoneHasOneCodePending(t *testing.T) {
	bubble(t, func(t *testing.T) {
		cfg := small
		cfg.Persons = 2
		s, store := cluster(t, cfg), persistence.NewMemory()
		m := open(t, options(s, store))
		p, q := s.Descriptor().Phones[0], s.Descriptor().Phones[1]
		a, b := add(t, m, "alice"), add(t, m, "bob")
		asked(t, a, p.Number, actors.StepCode)
		_, err := b.SignIn(soon(t), actors.Phone("+"+p.Number))
		if err == nil || !strings.Contains(err.Error(), "alice") || strings.Contains(err.Error(), p.Number) {
			t.Errorf("a second sign-in for the number ended with %v", err)
		}
		if st := b.Status(); st.State != actors.New {
			t.Errorf("the refused account is %+v", st)
		}
		// Another number moves the reservation.
		asked(t, b, q.Number, actors.StepCode)
		if _, err := b.Answer(soon(t), actors.Answer{Kind: actors.AnswerPhone, Phone: p.Number}); err == nil {
			t.Error("a sign-in moved to a number that is taken")
		}
		cancel := actors.Answer{Kind: actors.AnswerCancel}
		_, err = a.Answer(soon(t), cancel)
		reason(t, err, actors.SignInCanceled)
		if st := a.Status(); st.State != actors.New {
			t.Errorf("the status when the cancel returned: %+v", st)
		}
		if step, err := b.Answer(soon(t), actors.Answer{Kind: actors.AnswerPhone, Phone: p.Number}); err != nil || step.Kind != actors.StepCode {
			t.Fatalf("moving to the free number led to %+v, %v", step, err)
		}
		asked(t, a, q.Number, actors.StepCode) // bob's first number is free again
		if _, err := a.Answer(soon(t), actors.Answer{Kind: actors.AnswerPhone, Phone: p.Number}); err == nil {
			t.Error("a sign-in moved to a number that is taken")
		}
		for _, x := range []*actors.Account{a, b} {
			_, err := x.Answer(soon(t), cancel)
			reason(t, err, actors.SignInCanceled)
		}
		asked(t, a, p.Number, actors.StepCode)
	})
}

func TestASignInSaysThatTheDCIsDownAndCanBeCanceled(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s, store := cluster(t, small), persistence.NewMemory()
		m := open(t, options(s, store))
		for id := range 2 {
			if err := s.StopDC(id+1, true); err != nil {
				t.Fatal(err)
			}
		}
		a := add(t, m, "alice")
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if _, err := a.SignIn(ctx, actors.Phone(s.Descriptor().Phones[0].Number)); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("the sign-in ended with %v", err)
		}
		if st := a.Status(); st.State != actors.SigningIn || !strings.Contains(st.Why, "cannot be reached") {
			t.Errorf("the status while the DC is down: %+v", st)
		}
		b := add(t, m, "bob")
		waiting := later(func() error {
			_, err := b.SignIn(context.Background(), actors.BotToken(s.Descriptor().Bots[0].Token))
			return err
		})
		time.Sleep(10 * time.Second)
		for _, x := range []*actors.Account{a, b} {
			_, err := x.Answer(soon(t), actors.Answer{Kind: actors.AnswerCancel})
			reason(t, err, actors.SignInCanceled)
			if st := x.Status(); st.State != actors.New {
				t.Errorf("the status when the cancel returned: %+v", st)
			}
			if err := x.Remove(soon(t), false); err != nil {
				t.Errorf("removing it: %v", err)
			}
		}
		reason(t, ended(t, "the sign-in", waiting, time.Minute), actors.SignInCanceled)
		if ids, _ := store.Accounts(); len(ids) != 0 {
			t.Errorf("records are left of %v", ids)
		}
	})
}

// A two-step password is proved on the pool, never sent: a wrong one is told, and
// a cancelled sign-in leaves no half login behind.
func TestAPasswordEndsASignIn(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s, store := cluster(t, small), persistence.NewMemory()
		m := open(t, options(s, store))
		p := s.Descriptor().Phones[0]
		if err := s.API(func(b *api.Backend, _ time.Time) {
			_ = b.SetTwoStep(p.UserID, api.TwoStep{Password: "correct horse ", Hint: "animal"})
		}); err != nil {
			t.Fatal(err)
		}
		a := add(t, m, "alice")
		for _, cancel := range []bool{true, false} {
			asked(t, a, p.Number, actors.StepCode)
			step, err := answerCode(t, a, p.Code)
			if err != nil || step == nil || step.Kind != actors.StepPassword || !step.Supported || step.Hint != "animal" {
				t.Fatalf("a code with a password behind it led to %+v, %v", step, err)
			}
			first := actors.Answer{Step: step.ID, Kind: actors.AnswerPassword, Password: "correct horse"}
			step, err = a.Answer(soon(t), first)
			if err != nil || step == nil || step.LastError != "PASSWORD_HASH_INVALID" || step.Tries != 1 {
				t.Fatalf("a wrong password led to %+v, %v", step, err)
			}
			if cancel {
				_, err = a.Answer(soon(t), actors.Answer{Kind: actors.AnswerCancel})
				reason(t, err, actors.SignInCanceled)
				verdict(t, s, store) // no orphan of the half sign-in
				continue
			}
			first.Password += "!"
			_, err = a.Answer(soon(t), first)
			reason(t, err, actors.SignInStale)
			if step, err = a.Answer(soon(t), actors.Answer{Step: step.ID, Kind: actors.AnswerPassword, Password: "correct horse "}); err != nil || step != nil {
				t.Fatalf("the right password led to %+v, %v", step, err)
			}
			wait(t, a, actors.Online)
		}
		verdict(t, s, store)
	})
}

// newcomer is a number of DC 2 without an account, and its code.
const newcomer, newcomerCode = "9996629876", "22222"

func TestSignUpIsForTestDCs(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s, store := cluster(t, small), persistence.NewMemory()
		m := open(t, options(s, store))
		a := add(t, m, "alice")
		asked(t, a, newcomer, actors.StepCode)
		step, err := answerCode(t, a, newcomerCode)
		if err != nil || step == nil || step.Kind != actors.StepSignUp || !step.Supported {
			t.Fatalf("the code of an unknown number led to %+v, %v", step, err)
		}
		if step, err = a.Answer(soon(t), actors.Answer{Kind: actors.AnswerSignUp, FirstName: "Alice"}); err != nil || step != nil {
			t.Fatalf("signing up led to %+v, %v", step, err)
		}
		wait(t, a, actors.Online)
		verdict(t, s, store)
	})
}

func TestSignUpIsRefusedWithAProductionKey(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s, store := cluster(t, small), persistence.NewMemory()
		o := options(s, store)
		o.DCs.Keys = append(o.DCs.Keys, dc.Production().Keys...)
		m := open(t, o)
		a := add(t, m, "alice")
		asked(t, a, newcomer, actors.StepCode)
		_, err := answerCode(t, a, newcomerCode)
		reason(t, err, actors.SignInSignUp)
		if st := a.Status(); st.State != actors.New {
			t.Errorf("the account is %+v", st)
		}
	})
}

func TestASignInFollowsMigrationsAndIsSentInCirclesNoMore(t *testing.T) {
	bubble(t, func(t *testing.T) {
		cfg := small
		cfg.Core.DCs, cfg.Persons = 3, 3
		s, store := cluster(t, cfg), persistence.NewMemory()
		m := open(t, options(s, store))
		for _, p := range s.Descriptor().Phones {
			a := signInPhone(t, m, "person-"+string(rune('0'+p.DC)), p, actors.AccountOptions{})
			wait(t, a, actors.Online)
			if a.Status().HomeDC != p.DC {
				t.Errorf("the person of DC %d lives on %+v", p.DC, a.Status())
			}
		}
		// A chain of its own making: here, there, and where the person lives.
		for _, to := range []string{"PHONE_MIGRATE_3", "PHONE_MIGRATE_1"} {
			if _, err := s.Fault(dctest.Fault{Kind: dctest.FaultRPC, Method: "auth.importBotAuthorization", Code: 303, Text: to, Count: 1}); err != nil {
				t.Fatal(err)
			}
		}
		b := s.Descriptor().Bots[0]
		a := signInBot(t, m, "robot", b, actors.AccountOptions{})
		wait(t, a, actors.Online)
		if a.Status().HomeDC != b.DC {
			t.Errorf("the bot of DC %d lives on %d", b.DC, a.Status().HomeDC)
		}
		verdict(t, s, store)

		for range 20 {
			for _, to := range []string{"PHONE_MIGRATE_3", "PHONE_MIGRATE_1"} {
				if _, err := s.Fault(dctest.Fault{Kind: dctest.FaultRPC, Method: "auth.sendCode", Code: 303, Text: to, Count: 1}); err != nil {
					t.Fatal(err)
				}
			}
		}
		lost := add(t, m, "lost")
		_, err := lost.SignIn(soon(t), actors.Phone(newcomer))
		reason(t, err, actors.SignInMigrate)
	})
}

// TestASignInSurvivesAKillAtEveryCommit kills the process, as far as its store
// sees it, around each commit of a sign-in, and goes on with a new one.
func TestASignInSurvivesAKillAtEveryCommit(t *testing.T) {
	for _, durable := range []bool{false, true} {
		step := 1
		if durable {
			step = 2 // mostly like a kill before the next commit
		}
		for at := 1; ; at += step {
			crashed := false
			bubble(t, func(t *testing.T) { crashed = killDuringSignIn(t, at, durable) })
			if t.Failed() {
				t.Fatalf("at commit %d, durable %v", at, durable)
			}
			if !crashed {
				break // the sign-in has fewer commits
			}
		}
	}
}

func killDuringSignIn(t *testing.T, at int, durable bool) bool {
	cfg := small
	cfg.API.LoginsPerDay = -1
	s, store := cluster(t, cfg), storetest.NewCrashing()
	m, err := actors.Open(options(s, store))
	if err != nil {
		t.Fatal(err)
	}
	d := s.Descriptor()
	p, b := d.Phones[0], d.Bots[0]
	add(t, m, "alice")
	add(t, m, "robot")
	store.CrashAt(at, durable)
	drive(t, m, store, p, b)
	time.Sleep(10 * time.Second) // what is written when things are calm
	crashed := store.Crashed()
	if crashed {
		closeManager(t, m)
		time.Sleep(time.Second)
		store = store.Restart()
		if m, err = actors.Open(options(s, store)); err != nil {
			t.Fatal(err)
		}
		drive(t, m, store, p, b)
	}
	for _, a := range m.Accounts() {
		wait(t, a, actors.Online)
		call(t, a)
	}
	time.Sleep(time.Minute)
	if store.CrashAt(1<<30, false); !store.Crashed() {
		verdict(t, s, store)
	}
	closeManager(t, m)
	return crashed
}

// drive does what a human would until both accounts are signed in, or the
// process is dead.
func drive(t *testing.T, m *actors.Manager, store *storetest.Crashing, p serve.Phone, b serve.Bot) {
	for range 1000 {
		signedIn := 0
		for _, a := range m.Accounts() {
			ctx, cancel := context.WithTimeout(context.Background(), time.Second)
			switch st := a.Status(); {
			case store.Crashed():
			case st.SignedIn:
				signedIn++
			case st.State == actors.New && a.ID() == "robot":
				_, _ = a.SignIn(ctx, actors.BotToken(b.Token))
			case st.State == actors.New:
				_, _ = a.SignIn(ctx, actors.Phone(p.Number))
			case st.Step != nil && st.Step.Kind == actors.StepCode:
				_, _ = a.Answer(ctx, actors.Answer{Kind: actors.AnswerCode, Code: p.Code})
			case st.Step != nil && st.Step.Kind == actors.StepNewCode:
				_, _ = a.Answer(ctx, actors.Answer{Kind: actors.AnswerResend})
			case st.Step != nil && st.Step.Kind == actors.StepToken: // it is not stored
				_, _ = a.Answer(ctx, actors.Answer{Kind: actors.AnswerToken, Token: b.Token})
			}
			cancel()
		}
		if signedIn == 2 || store.Crashed() {
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
	for _, a := range m.Accounts() {
		t.Logf("%s: %+v", a.ID(), a.Status())
	}
	t.Fatal("the sign-ins came to no end")
}

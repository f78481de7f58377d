package actors_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/mtfleet/mtfleet/actors"
	"github.com/mtfleet/mtfleet/mtproto/dctest"
	"github.com/mtfleet/mtfleet/mtproto/dctest/api"
	"github.com/mtfleet/mtfleet/mtproto/dctest/serve"
	"github.com/mtfleet/mtfleet/mtproto/tgerr"
	"github.com/mtfleet/mtfleet/persistence"
)

// owned is a cluster with a person signed in.
type owned struct {
	s     *serve.Cluster
	store *persistence.Memory
	m     *actors.Manager
	p     serve.Phone
	alice *actors.Account
}

func own(t *testing.T, cfg serve.Config) *owned {
	t.Helper()
	o := &owned{s: cluster(t, cfg), store: persistence.NewMemory()}
	o.m, o.p = open(t, options(o.s, o.store)), o.s.Descriptor().Phones[0]
	o.alice = signInPhone(t, o.m, "alice", o.p, actors.AccountOptions{})
	wait(t, o.alice, actors.Online)
	return o
}

// elsewhere signs the same person in with another manager, as on a phone.
func (o *owned) elsewhere(t *testing.T) *actors.Account {
	t.Helper()
	a := add(t, open(t, options(o.s, persistence.NewMemory())), "phone")
	if _, err := a.SignIn(soon(t), actors.Phone(o.p.Number)); err != nil {
		t.Fatal(err)
	}
	if step, err := a.Answer(soon(t), actors.Answer{Kind: actors.AnswerCode, Code: o.newest(o.p.Number)}); err != nil || step != nil {
		t.Fatalf("the second sign-in: %+v, %v", step, err)
	}
	wait(t, a, actors.Online)
	return a
}

// newest is the code that was sent last to a number or an address.
func (o *owned) newest(to string) (code string) {
	for _, sent := range o.s.Codes() {
		if sent.Phone == strings.TrimPrefix(to, "+") && sent.Email == "" || sent.Email == to {
			code = sent.Code
		}
	}
	return code
}

func (o *owned) api(t *testing.T, f func(b *api.Backend, now time.Time)) {
	t.Helper()
	if err := o.s.API(f); err != nil {
		t.Fatal(err)
	}
}

// insecure checks why something about an account's safety was refused.
func insecure(t *testing.T, err error, want actors.SecurityReason) *actors.SecurityError {
	t.Helper()
	var e *actors.SecurityError
	if !errors.As(err, &e) || e.Reason != want {
		t.Errorf("the error is %v, want %s", err, want)
		return &actors.SecurityError{}
	}
	return e
}

const (
	sesame = " open sesame "
	barley = "open barley"
)

func TestAPasswordIsSetChangedAndRemoved(t *testing.T) {
	bubble(t, func(t *testing.T) {
		o := own(t, small)
		if got, err := o.alice.TwoStep(soon(t)); err != nil || got != (actors.TwoStep{}) {
			t.Errorf("without a password it is %+v, %v", got, err)
		}
		if _, err := o.alice.ChangePassword(soon(t), actors.PasswordChange{New: sesame, Hint: "the cave"}); err != nil {
			t.Fatal(err)
		}
		if got, err := o.alice.TwoStep(soon(t)); err != nil || !got.Password || got.Hint != "the cave" || got.Recovery {
			t.Errorf("with one it is %+v, %v", got, err)
		}
		_, err := o.alice.ChangePassword(soon(t), actors.PasswordChange{Current: strings.TrimSpace(sesame), New: barley})
		insecure(t, err, actors.SecurityPassword)
		_, err = o.alice.ChangePassword(soon(t), actors.PasswordChange{New: barley})
		insecure(t, err, actors.SecurityPassword)
		if _, err := o.alice.ChangePassword(soon(t), actors.PasswordChange{Current: sesame, New: barley}); err != nil {
			t.Fatal(err)
		}

		// Whoever signs in now is asked for it.
		phone := add(t, open(t, options(o.s, persistence.NewMemory())), "phone")
		if _, err := phone.SignIn(soon(t), actors.Phone(o.p.Number)); err != nil {
			t.Fatal(err)
		}
		step, err := phone.Answer(soon(t), actors.Answer{Kind: actors.AnswerCode, Code: o.newest(o.p.Number)})
		if err != nil || step == nil || step.Kind != actors.StepPassword || step.Hint != "" {
			t.Fatalf("the sign-in is at %+v, %v", step, err)
		}
		if step, err := phone.Answer(soon(t), actors.Answer{Kind: actors.AnswerPassword, Password: barley}); err != nil || step != nil {
			t.Errorf("the new password: %+v, %v", step, err)
		}

		if _, err := o.alice.ChangePassword(soon(t), actors.PasswordChange{Current: barley, Remove: true}); err != nil {
			t.Fatal(err)
		}
		if got, err := o.alice.TwoStep(soon(t)); err != nil || got != (actors.TwoStep{}) {
			t.Errorf("after the removal it is %+v, %v", got, err)
		}
		_, err = o.alice.ChangePassword(soon(t), actors.PasswordChange{Remove: true})
		insecure(t, err, actors.SecurityNone)
	})
}

func TestARecoveryEmailIsConfirmedByItsCode(t *testing.T) {
	bubble(t, func(t *testing.T) {
		o, email, other := own(t, small), "alice@example.org", "alice@example.net"
		// At the first set-up the password waits for the e-mail's code.
		waits, err := o.alice.ChangePassword(soon(t), actors.PasswordChange{New: sesame, Email: &email})
		if err != nil || !waits.Waits || waits.Length != len(o.newest(email)) {
			t.Fatalf("%+v, %v", waits, err)
		}
		if got, err := o.alice.TwoStep(soon(t)); err != nil || got.Password || got.Unconfirmed != "a***e@example.org" {
			t.Errorf("it waits and is %+v, %v", got, err)
		}
		insecure(t, o.alice.ConfirmPasswordEmail(soon(t), "000000"), actors.SecurityCode)
		first := o.newest(email)
		if err := o.alice.ResendPasswordEmail(soon(t)); err != nil || o.newest(email) == first {
			t.Errorf("another code: %v", err)
		}
		if err := o.alice.ConfirmPasswordEmail(soon(t), o.newest(email)); err != nil {
			t.Fatal(err)
		}
		if got, err := o.alice.TwoStep(soon(t)); err != nil || !got.Password || !got.Recovery || got.Unconfirmed != "" {
			t.Errorf("confirmed it is %+v, %v", got, err)
		}
		insecure(t, o.alice.ConfirmPasswordEmail(soon(t), "000000"), actors.SecurityExpired)
		if got, err := o.alice.RecoveryEmail(soon(t), sesame); err != nil || got != email {
			t.Errorf("who knows the password is told %q, %v", got, err)
		}
		_, err = o.alice.RecoveryEmail(soon(t), barley)
		insecure(t, err, actors.SecurityPassword)

		// Another one, and then not.
		if waits, err := o.alice.ChangePassword(soon(t), actors.PasswordChange{Current: sesame, Email: &other}); err != nil || !waits.Waits {
			t.Fatalf("%+v, %v", waits, err)
		}
		if err := o.alice.CancelPasswordEmail(soon(t)); err != nil {
			t.Fatal(err)
		}
		if got, err := o.alice.RecoveryEmail(soon(t), sesame); err != nil || got != email {
			t.Errorf("the e-mail is %q, %v", got, err)
		}
		insecure(t, o.alice.CancelPasswordEmail(soon(t)), actors.SecurityExpired)
		insecure(t, o.alice.ResendPasswordEmail(soon(t)), actors.SecurityExpired)
		bad := "nobody"
		_, err = o.alice.ChangePassword(soon(t), actors.PasswordChange{Current: sesame, Email: &bad})
		insecure(t, err, actors.SecurityEmail)
		none := ""
		if waits, err := o.alice.ChangePassword(soon(t), actors.PasswordChange{Current: sesame, Email: &none}); err != nil || waits.Waits {
			t.Errorf("to remove it: %+v, %v", waits, err)
		}
		if got, err := o.alice.TwoStep(soon(t)); err != nil || !got.Password || got.Recovery {
			t.Errorf("in the end it is %+v, %v", got, err)
		}
	})
}

func TestAForgottenPasswordIsRecoveredByEmail(t *testing.T) {
	bubble(t, func(t *testing.T) {
		o, email := own(t, small), "alice@example.org"
		_, err := o.alice.RequestPasswordRecovery(soon(t))
		insecure(t, err, actors.SecurityNone)
		o.api(t, func(b *api.Backend, _ time.Time) {
			_ = b.SetTwoStep(o.p.UserID, api.TwoStep{Password: sesame, Email: email})
		})
		if pattern, err := o.alice.RequestPasswordRecovery(soon(t)); err != nil || pattern != "a***e@example.org" {
			t.Fatalf("%q, %v", pattern, err)
		}
		insecure(t, o.alice.RecoverPassword(soon(t), "000000", actors.PasswordChange{New: barley}), actors.SecurityCode)
		if err := o.alice.RecoverPassword(soon(t), o.newest(email), actors.PasswordChange{New: barley, Hint: "grain"}); err != nil {
			t.Fatal(err)
		}
		if got, err := o.alice.RecoveryEmail(soon(t), barley); err != nil || got != email {
			t.Errorf("under the new password the e-mail is %q, %v", got, err)
		}
		if _, err := o.alice.RequestPasswordRecovery(soon(t)); err != nil {
			t.Fatal(err)
		}
		if err := o.alice.RecoverPassword(soon(t), o.newest(email), actors.PasswordChange{}); err != nil {
			t.Fatal(err)
		}
		if got, err := o.alice.TwoStep(soon(t)); err != nil || got.Password {
			t.Errorf("recovered without a new one it is %+v, %v", got, err)
		}
		call(t, o.alice)
	})
}

func TestAResetOfAPasswordWaitsForAWeek(t *testing.T) {
	bubble(t, func(t *testing.T) {
		o := own(t, small)
		_, err := o.alice.ResetPassword(soon(t))
		insecure(t, err, actors.SecurityNone)
		o.api(t, func(b *api.Backend, _ time.Time) { _ = b.SetPassword(o.p.UserID, sesame) })
		insecure(t, o.alice.DeclinePasswordReset(soon(t)), actors.SecurityNone)

		asked, err := o.alice.ResetPassword(soon(t))
		if err != nil || asked.State != actors.ResetWaits || time.Until(asked.Until).Round(time.Hour) != 7*24*time.Hour {
			t.Fatalf("%+v, %v", asked, err)
		}
		if got, err := o.alice.TwoStep(soon(t)); err != nil || !got.ResetAt.Equal(asked.Until) {
			t.Errorf("meanwhile it is %+v, %v", got, err)
		}
		if err := o.alice.DeclinePasswordReset(soon(t)); err != nil {
			t.Fatal(err)
		}
		if again, err := o.alice.ResetPassword(soon(t)); err != nil || again.State != actors.ResetRefused || again.Until.Before(time.Now()) {
			t.Errorf("right after it was declined: %+v, %v", again, err)
		}
		time.Sleep(25 * time.Hour)
		if _, err := o.alice.ResetPassword(soon(t)); err != nil {
			t.Fatal(err)
		}
		time.Sleep(7*24*time.Hour + time.Minute)
		if done, err := o.alice.ResetPassword(soon(t)); err != nil || done.State != actors.ResetDone || !done.Until.IsZero() {
			t.Errorf("a week later: %+v, %v", done, err)
		}
		if got, err := o.alice.TwoStep(soon(t)); err != nil || got.Password {
			t.Errorf("then it is %+v, %v", got, err)
		}
	})
}

// TestParametersOfAProofAreGoodForOne: forgotten once, others are asked for with
// the same password; twice, somebody is told.
func TestParametersOfAProofAreGoodForOne(t *testing.T) {
	for forgotten := range 3 {
		bubble(t, func(t *testing.T) {
			o := own(t, small)
			o.api(t, func(b *api.Backend, _ time.Time) { _ = b.SetPassword(o.p.UserID, sesame) })
			if forgotten > 0 {
				inject(t, o.s, dctest.Fault{
					Kind: dctest.FaultRPC, Method: "account.updatePasswordSettings", Code: 400, Text: "SRP_ID_INVALID", Count: forgotten,
				})
			}
			_, err := o.alice.ChangePassword(soon(t), actors.PasswordChange{Current: sesame, New: barley})
			if forgotten < 2 && err != nil {
				t.Errorf("forgotten %d times: %v", forgotten, err)
			}
			if forgotten == 2 {
				insecure(t, err, actors.SecurityServer)
			}
		})
	}
}

// TestADocumentedRefusalIsToldInWords: of each call, as it comes through the
// manager, with the server's own error in it.
func TestADocumentedRefusalIsToldInWords(t *testing.T) {
	email := "alice@example.org"
	calls := map[string]func(t *testing.T, a *actors.Account) error{
		"account.updatePasswordSettings": func(t *testing.T, a *actors.Account) error {
			_, err := a.ChangePassword(soon(t), actors.PasswordChange{Current: sesame, Email: &email})
			return err
		},
		"account.getPasswordSettings":  func(t *testing.T, a *actors.Account) error { _, err := a.RecoveryEmail(soon(t), sesame); return err },
		"account.confirmPasswordEmail": func(t *testing.T, a *actors.Account) error { return a.ConfirmPasswordEmail(soon(t), "123456") },
		"account.resendPasswordEmail":  func(t *testing.T, a *actors.Account) error { return a.ResendPasswordEmail(soon(t)) },
		"account.cancelPasswordEmail":  func(t *testing.T, a *actors.Account) error { return a.CancelPasswordEmail(soon(t)) },
		"account.resetPassword":        func(t *testing.T, a *actors.Account) error { _, err := a.ResetPassword(soon(t)); return err },
		"account.declinePasswordReset": func(t *testing.T, a *actors.Account) error { return a.DeclinePasswordReset(soon(t)) },
		"auth.requestPasswordRecovery": func(t *testing.T, a *actors.Account) error { _, err := a.RequestPasswordRecovery(soon(t)); return err },
		"auth.checkRecoveryPassword": func(t *testing.T, a *actors.Account) error {
			return a.RecoverPassword(soon(t), "123456", actors.PasswordChange{})
		},
		"account.resetAuthorization":  func(t *testing.T, a *actors.Account) error { return a.TerminateSession(soon(t), "0000000000000012") },
		"auth.resetAuthorizations":    func(t *testing.T, a *actors.Account) error { return a.TerminateOtherSessions(soon(t)) },
		"account.setAuthorizationTTL": func(t *testing.T, a *actors.Account) error { return a.SetSessionsTTL(soon(t), 30) },
		"account.changeAuthorizationSettings": func(t *testing.T, a *actors.Account) error {
			return a.ChangeSession(soon(t), actors.SessionSettings{Confirm: true})
		},
		"auth.acceptLoginToken": func(t *testing.T, a *actors.Account) error {
			_, err := a.AcceptQR(soon(t), "tg://login?token=AAECAwQFBgcICQoLDA0ODw")
			return err
		},
		"account.initPasskeyRegistration": func(t *testing.T, a *actors.Account) error { _, err := a.InitPasskey(soon(t)); return err },
		"account.registerPasskey": func(t *testing.T, a *actors.Account) error {
			_, err := a.FinishPasskey(soon(t), []byte(`{"id":"aWQ","response":{"clientDataJSON":"e30","attestationObject":"AA"}}`))
			return err
		},
	}
	bubble(t, func(t *testing.T) {
		o := own(t, small)
		o.api(t, func(b *api.Backend, _ time.Time) { _ = b.SetPassword(o.p.UserID, sesame) })
		for method, ask := range calls {
			documented, err := api.DocumentedErrors(method)
			if err != nil || len(documented) == 0 {
				t.Errorf("%s: %d errors, %v", method, len(documented), err)
			}
			for _, d := range documented {
				text := strings.ReplaceAll(d.Text, "%d", "6")
				count := 1
				if text == "SRP_ID_INVALID" {
					count = 2
				}
				if strings.HasPrefix(text, "EMAIL_UNCONFIRMED") {
					continue // no failure
				}
				inject(t, o.s, dctest.Fault{Kind: dctest.FaultRPC, Method: method, Code: d.Code, Text: text, Count: count})
				err := ask(t, o.alice)
				var e *actors.SecurityError
				if said, ok := tgerr.As(err); !errors.As(err, &e) || !ok || said.Code != d.Code || e.Message == "" {
					t.Errorf("%s: %s is told as %v", method, text, err)
				}
			}
		}
		if st := o.alice.Status(); st.State != actors.Online {
			t.Errorf("the account is %+v", st)
		}
	})
}

func TestABotHasNoSafetyOfThisKind(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := cluster(t, small)
		robot := signInBot(t, open(t, options(s, persistence.NewMemory())), "robot", s.Descriptor().Bots[0], actors.AccountOptions{})
		_, err := robot.TwoStep(soon(t))
		insecure(t, err, actors.SecurityDenied)
		_, err = robot.Sessions(soon(t))
		insecure(t, err, actors.SecurityDenied)
	})
}

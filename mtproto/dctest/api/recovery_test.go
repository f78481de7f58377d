package api

import (
	"testing"
	"time"

	"github.com/mtfleet/mtfleet/tl"
	"github.com/mtfleet/mtfleet/tl/tg"
)

func TestAForgottenPasswordIsRecoveredByMail(t *testing.T) {
	for _, replace := range []bool{false, true} {
		w, u := guarded(t, Config{LoginsPerDay: -1}, TwoStep{Email: "ada@example.org"})
		refused(w, "before a code was asked for", 1, 1, &tg.AuthCheckRecoveryPasswordRequest{Code: "1"}, 400, "PASSWORD_RECOVERY_EXPIRED")
		if r := must(w, 1, 1, &tg.AuthRequestPasswordRecoveryRequest{}); r.EmailPattern != "a***a@example.org" {
			t.Errorf("mailed to %q", r.EmailPattern)
		}
		code := w.b.Mail("ada@example.org")
		refused(w, "nothing typed", 1, 1, &tg.AuthCheckRecoveryPasswordRequest{}, 400, "CODE_EMPTY")
		refused(w, "a wrong code", 1, 1, &tg.AuthCheckRecoveryPasswordRequest{Code: "x" + code}, 400, "CODE_INVALID")
		refused(w, "a wrong code", 1, 1, &tg.AuthRecoverPasswordRequest{Code: "x" + code}, 400, "CODE_INVALID")
		must(w, 1, 1, &tg.AuthCheckRecoveryPasswordRequest{Code: code})
		q := &tg.AuthRecoverPasswordRequest{Code: code}
		if replace {
			q.NewSettings = tl.Some(w.newPassword(1, 1, "battery staple", ""))
		}
		if _, ok := must(w, 1, 1, q).(*tg.AuthAuthorization); !ok {
			t.Error("no authorization")
		}
		must(w, 1, 1, self())
		if !replace {
			w.login(u, 2)
			continue
		}
		refused(w, "the code again", 1, 1, q, 400, "PASSWORD_RECOVERY_EXPIRED")
		w.half(u, 2)
		if p := must(w, 1, 2, &tg.AccountGetPasswordRequest{}); !p.HasRecovery {
			t.Error("the recovery e-mail is gone")
		}
		must(w, 1, 2, w.proof(1, 2, "battery staple"))
	}
}

func TestRecoveryRefusals(t *testing.T) {
	w, u := guarded(t, Config{Limits: Limits{Mail: RateLimit{Calls: 2, Per: time.Hour}}}, TwoStep{})
	refused(w, "without a recovery e-mail", 1, 1, &tg.AuthRequestPasswordRecoveryRequest{}, 400, "PASSWORD_RECOVERY_NA")
	if err := w.b.SetTwoStep(u.ID, TwoStep{Password: "x", Email: "ada@example.org"}); err != nil {
		t.Fatal(err)
	}
	must(w, 1, 1, &tg.AuthRequestPasswordRecoveryRequest{})
	code := w.b.Mail("ada@example.org")
	for range 5 {
		refused(w, "a guess", 1, 1, &tg.AuthCheckRecoveryPasswordRequest{Code: "guess"}, 400, "CODE_INVALID")
	}
	refused(w, "the code after five guesses", 1, 1, &tg.AuthCheckRecoveryPasswordRequest{Code: code}, 400, "PASSWORD_RECOVERY_EXPIRED")
	must(w, 1, 1, &tg.AuthRequestPasswordRecoveryRequest{})
	refused(w, "the third mail", 1, 1, &tg.AuthRequestPasswordRecoveryRequest{}, 420, "FLOOD_WAIT_3600")
	bad := w.newPassword(1, 1, "y", "")
	bad.NewPasswordHash.Value = nil
	refused(w, "settings out of order", 1, 1, &tg.AuthRecoverPasswordRequest{Code: w.b.Mail("ada@example.org"), NewSettings: tl.Some(bad)},
		400, "NEW_SETTINGS_INVALID")
	refused(w, "settings without a password", 1, 1, &tg.AuthRecoverPasswordRequest{Code: w.b.Mail("ada@example.org"),
		NewSettings: tl.Some(tg.AccountPasswordInputSettings{Email: tl.Some("")})}, 400, "NEW_SETTINGS_INVALID")
	w.sleep(15 * time.Minute)
	refused(w, "a quarter of an hour later", 1, 1, &tg.AuthRecoverPasswordRequest{Code: w.b.Mail("ada@example.org")}, 400, "PASSWORD_RECOVERY_EXPIRED")
	if err := w.b.SetPassword(u.ID, ""); err != nil {
		t.Fatal(err)
	}
	refused(w, "without a password", 1, 1, &tg.AuthRequestPasswordRecoveryRequest{}, 400, "PASSWORD_EMPTY")
}

func TestAPersonAtHomeRecoversThePasswordToo(t *testing.T) {
	w := newWorld(t, Config{})
	u := w.person(1)
	w.login(u, 1)
	w.login(u, 2)
	if err := w.b.SetTwoStep(u.ID, TwoStep{Password: "x", Email: "ada@example.org"}); err != nil {
		t.Fatal(err)
	}
	w.pushes()
	must(w, 1, 1, &tg.AuthRequestPasswordRecoveryRequest{})
	must(w, 1, 1, &tg.AuthRecoverPasswordRequest{Code: w.b.Mail("ada@example.org")})
	if w.person(1).Password {
		t.Error("the password is still there")
	}
	if p := w.pushes(); len(p) != 1 || p[0].Perm != 2 || idOf(p[0].Body) != updatesTooLongID {
		t.Errorf("the other session heard %+v", p)
	}
}

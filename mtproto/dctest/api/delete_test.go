package api

import (
	"testing"
	"time"

	"github.com/mtfleet/mtfleet/tl"
	"github.com/mtfleet/mtfleet/tl/tg"
)

func TestWhoDoesNotKnowThePasswordWaitsAWeekToDeleteAnAccount(t *testing.T) {
	w := newWorld(t, Config{LoginsPerDay: -1})
	u := w.person(1)
	w.login(u, 1)
	_ = w.b.SetPassword(u.ID, "correct horse")
	w.half(u, 2)
	w.pushes()
	quiet := &tg.AccountDeleteAccountRequest{Reason: "forgot"}
	refused(w, "without the password", 1, 2, quiet, 420, "2FA_CONFIRM_WAIT_604800")
	if p := w.pushes(); len(p) != 1 || p[0].Perm != 1 {
		t.Errorf("the owner heard %d payloads", len(p))
	}
	w.sleep(24*time.Hour - time.Second)
	refused(w, "a day later", 1, 2, quiet, 420, "2FA_CONFIRM_WAIT_518401")
	for range 6 { // the half login is kept by being used, the account by its owner
		w.sleep(24*time.Hour - time.Second)
		must(w, 1, 1, self())
		_, _ = ask(w, 1, 2, quiet)
	}
	w.sleep(time.Minute)
	must(w, 1, 2, quiet)
	refused(w, "the owner", 1, 1, self(), 401, "USER_DEACTIVATED")
}

func TestAnAccountIsDeletedAtOnceByWhoProvesThePassword(t *testing.T) {
	for name, c := range map[string]struct {
		password string
		fresh    bool // the person set it just now
		want     string
	}{
		"no password is set":  {},
		"a right proof":       {password: "correct horse"},
		"a wrong proof":       {password: "guess", want: "PASSWORD_HASH_INVALID"},
		"a password of today": {password: "-", fresh: true},
	} {
		w := newWorld(t, Config{})
		w.login(w.person(1), 1)
		q := &tg.AccountDeleteAccountRequest{}
		switch {
		case c.fresh:
			must(w, 1, 1, update(noProof, w.newPassword(1, 1, "new", "")))
		case c.password != "":
			_ = w.b.SetPassword(w.person(1).ID, "correct horse")
			q.Password = tl.Some[tg.AnyInputCheckPasswordSRP](w.srp(1, 1, c.password))
		}
		_, err := ask(w, 1, 1, q)
		if text(err) != c.want {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
		if _, alive := w.b.UserOf(1, 1); alive != (c.want != "") {
			t.Errorf("%s: the session lives: %v", name, alive)
		}
	}
}

func TestTheSameCodeSignsInOnce(t *testing.T) {
	w := newWorld(t, Config{})
	u := w.person(1)
	hash := w.hash(1, 1, u.Phone)
	must(w, 1, 1, signIn(u.Phone, hash, u.Code))
	refused(w, "the right code again", 1, 1, signIn(u.Phone, hash, u.Code), 400, "PHONE_CODE_EXPIRED")
}

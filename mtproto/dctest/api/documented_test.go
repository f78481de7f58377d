package api

import (
	"strings"
	"testing"
)

// Every method answers every error it is documented to have, with its code.
func TestEveryDocumentedErrorIsAnsweredOnDemand(t *testing.T) {
	tried := 0
	for _, m := range methodTable {
		list, err := DocumentedErrors(m.name)
		if err != nil {
			t.Fatal(err)
		}
		w := newWorld(t, Config{})
		u := w.person(1)
		if m.needs != needsNothing {
			w.login(u, 5)
		}
		if m.route != nil || m.name == "auth.exportLoginToken" {
			continue // the number or the application is looked at first: see the next test
		}
		body := bodyOf(t, m)
		for _, e := range list {
			text := strings.ReplaceAll(e.Text, "%d", "7")
			w.b.ClearFaults()
			if err := w.b.FailNext(m.name, text); err != nil {
				t.Errorf("%s: %v", m.name, err)
				continue
			}
			tried++
			if got := w.raw(1, 5, body).Err; got == nil || got.Text != text || got.Code != e.Code {
				t.Errorf("%s answered %v, want %d %s", m.name, got, e.Code, text)
			}
		}
	}
	if tried < 60 {
		t.Errorf("only %d errors were tried", tried)
	}
}

func TestACallThatNamesANumberFailsOnDemandToo(t *testing.T) {
	w := newWorld(t, Config{})
	u := w.person(1)
	list, err := DocumentedErrors("auth.signIn")
	if err != nil || len(list) < 8 {
		t.Fatalf("auth.signIn has %d errors, %v", len(list), err)
	}
	hash := w.hash(1, 1, u.Phone)
	for _, e := range list {
		if err := w.b.FailNext("auth.signIn", e.Text); err != nil {
			t.Fatal(err)
		}
		refused(w, "on demand", 1, 1, signIn(u.Phone, hash, u.Code), e.Code, e.Text)
	}
	must(w, 1, 1, signIn(u.Phone, hash, u.Code))
}

func TestErrorsAreReadByNameOrWithTheirCode(t *testing.T) {
	for text, want := range map[string]Error{
		"PHONE_CODE_INVALID":       {400, "PHONE_CODE_INVALID"},
		"FLOOD_WAIT_30":            {420, "FLOOD_WAIT_30"},
		"2FA_CONFIRM_WAIT_604800":  {420, "2FA_CONFIRM_WAIT_604800"},
		"USER_MIGRATE_2":           {303, "USER_MIGRATE_2"},
		"AUTH_RESTART_7":           {500, "AUTH_RESTART_7"},
		"-503 Timeout":             {-503, "Timeout"},
		"403 RECAPTCHA_CHECK_x__y": {403, "RECAPTCHA_CHECK_x__y"},
	} {
		if got, err := ParseError(text); err != nil || *got != want {
			t.Errorf("%q is read as %v, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "NO_SUCH_ERROR", "x y", "400 "} {
		if got, err := ParseError(text); err == nil {
			t.Errorf("%q is read as %v", text, got)
		}
	}
}

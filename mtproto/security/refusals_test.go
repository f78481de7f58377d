package security

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/mtfleet/mtfleet/mtproto/dctest/api"
	"github.com/mtfleet/mtfleet/mtproto/tgerr"
)

var noon = time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC)

// methods are those that actors asks for an account's safety.
var methods = []string{
	"account.getPassword", "account.updatePasswordSettings", "account.getPasswordSettings", "account.confirmPasswordEmail",
	"account.resendPasswordEmail", "account.cancelPasswordEmail", "account.resetPassword", "account.declinePasswordReset",
	"auth.requestPasswordRecovery", "auth.checkRecoveryPassword", "auth.recoverPassword",
	"account.getAuthorizations", "account.resetAuthorization", "auth.resetAuthorizations", "account.setAuthorizationTTL",
	"account.changeAuthorizationSettings", "auth.acceptLoginToken",
	"account.initPasskeyRegistration", "account.registerPasskey", "account.getPasskeys", "account.deletePasskey",
}

// TestEveryDocumentedRefusalHasItsWords: an operator is told what is wrong, never
// only a name in capitals.
func TestEveryDocumentedRefusalHasItsWords(t *testing.T) {
	seen := 0
	for _, method := range methods {
		documented, err := api.DocumentedErrors(method)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range documented {
			seen++
			text := d.Text
			if strings.Contains(text, "%d") {
				text = fmt.Sprintf(text, 6)
			}
			e := Explain(noon, tgerr.New(d.Code, text))
			if e == nil {
				t.Errorf("%s: %s has no words", method, d.Text)
				continue
			}
			if e.Reason == "" || e.Message == "" || strings.Contains(e.Message, "_") || strings.HasSuffix(e.Message, ".") {
				t.Errorf("%s: %s is %q (%s)", method, d.Text, e.Message, e.Reason)
			}
			if said, ok := tgerr.As(e); !ok || said.Code != d.Code {
				t.Errorf("%s: %s lost the server's own error: %v", method, d.Text, e)
			}
		}
	}
	if seen < 40 {
		t.Errorf("%d documented errors were looked at; the list has more", seen)
	}
}

func TestARefusalThatBelongsElsewhereIsLeftAlone(t *testing.T) {
	for code, text := range map[int]string{420: "FLOOD_WAIT_30", 401: "AUTH_KEY_UNREGISTERED", 500: "RPC_CALL_FAIL"} {
		if e := Explain(noon, tgerr.New(code, text)); e != nil {
			t.Errorf("%s became %v", text, e)
		}
	}
}

func TestWhatIsTooFreshSaysWhenItIsNot(t *testing.T) {
	e := Explain(noon, tgerr.New(400, "SESSION_TOO_FRESH_3600"))
	if e == nil || !e.Until.Equal(noon.Add(time.Hour)) || !strings.Contains(e.Error(), "not before 2026-11-26T13:00:00Z") {
		t.Errorf("it is %v", e)
	}
	// The table is not changed by what was made of it.
	if again := Explain(noon, tgerr.New(400, "SESSION_TOO_FRESH")); !again.Until.IsZero() {
		t.Errorf("the next one is until %v", again.Until)
	}
}

func TestAnUnconfirmedEmailIsNoFailure(t *testing.T) {
	for text, want := range map[string]int{"EMAIL_UNCONFIRMED_6": 6, "EMAIL_UNCONFIRMED": 0} {
		if n, ok := CodeLength(fmt.Errorf("call: %w", tgerr.New(400, text))); !ok || n != want {
			t.Errorf("%s: a code of %d, %v", text, n, ok)
		}
	}
	for _, err := range []error{nil, errors.New("EMAIL_UNCONFIRMED_6"), tgerr.New(400, "EMAIL_INVALID")} {
		if _, ok := CodeLength(err); ok {
			t.Errorf("%v waits for a code", err)
		}
	}
}

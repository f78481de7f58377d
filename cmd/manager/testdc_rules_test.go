package main

import (
	"reflect"
	"testing"
	"time"

	"github.com/mtfleet/mtfleet/mtproto/dctest/api"
)

// rulesOf parses the flags of testdc and applies them.
func rulesOf(t *testing.T, args ...string) (api.Config, error) {
	t.Helper()
	c := (&app{}).testdcCommand()
	var r testdcRules
	c.ResetFlags()
	r.add(c)
	if err := c.ParseFlags(args); err != nil {
		t.Fatal(err)
	}
	cfg, err := testdcFlags{dcs: 1, rules: r}.cluster()
	return cfg.API, err
}

func TestRulesOfATestDCWithoutFlagsAreTheDefaults(t *testing.T) {
	got, err := rulesOf(t)
	if err != nil {
		t.Fatal(err)
	}
	if got.Limits != (api.Limits{}) || got.CodeChain != nil {
		t.Errorf("%+v", got)
	}
	for name, c := range map[string]struct{ got, want any }{
		"code length": {got.CodeLength, 5}, "tries": {got.CodeMaxTries, 5}, "resend": {got.ResendTimeout, time.Minute},
		"QR": {got.QRTTL, 30 * time.Second}, "fresh": {got.FreshSession, 24 * time.Hour}, "logins": {got.LoginsPerDay, 5},
		"export": {got.ExportTTL, time.Minute}, "srp": {got.ProofTTL, 30 * time.Minute}, "mail": {got.MailTTL, 15 * time.Minute},
		"reset": {got.PasswordResetWait, 7 * 24 * time.Hour}, "e-mail": {got.LoginEmailWait, 7 * 24 * time.Hour},
	} {
		if c.got != c.want {
			t.Errorf("%s is %v, want %v", name, c.got, c.want)
		}
	}
}

func TestEveryFloodLimitHasItsName(t *testing.T) {
	var all api.Limits
	for i, l := range floodLimits() {
		l.field(&all).Calls = i + 1
	}
	for f, v := range reflect.ValueOf(all).Fields() {
		if v.Interface() == (api.RateLimit{}) {
			t.Errorf("%s cannot be turned", f.Name)
		}
	}
}

func TestLimitsOfATestDC(t *testing.T) {
	got, err := rulesOf(t, "--no-limits", "--limit", "send-code=2/90s", "--limit", "mail=off", "--resend-after", "0s", "--code-chain", "app, word,SMS")
	if err != nil {
		t.Fatal(err)
	}
	if got.LoginsPerDay != -1 || got.ResendTimeout >= 0 || got.Limits.ImportBot.Calls != -1 || got.Limits.Mail.Calls != -1 ||
		got.Limits.SendCodeNumber != (api.RateLimit{Calls: 2, Per: 90 * time.Second}) || len(got.CodeChain) != 3 {
		t.Errorf("%+v", got)
	}
	for _, bad := range []string{"send-code", "send-code=", "send-code=0/1h", "send-code=5/0s", "send-code=5/1000h", "send-code=x/1h", "sms=5/1h", "=5/1h"} {
		if _, err := rulesOf(t, "--limit", bad); err == nil {
			t.Errorf("--limit %s is taken", bad)
		}
	}
	for _, flag := range []string{"--code-length=0", "--code-tries=-1", "--qr-ttl=0s", "--srp-ttl=0s", "--temp-key-max=1s", "--temp-key-max=25h"} {
		if _, err := rulesOf(t, flag); err == nil {
			t.Errorf("%s is taken", flag)
		}
	}
}

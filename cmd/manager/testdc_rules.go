package main

import (
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/mtfleet/mtfleet/mtproto/dctest"
	"github.com/mtfleet/mtfleet/mtproto/dctest/api"
)

// testdcRules are the rules of a cluster that its operator may turn: how codes
// travel and how long they live, and what is too much.
type testdcRules struct {
	codeChain    string
	codeLength   int
	codeTries    int
	resendAfter  time.Duration
	qrTTL        time.Duration
	exportTTL    time.Duration
	srpTTL       time.Duration
	mailTTL      time.Duration
	tempKeyMax   time.Duration
	resetWait    time.Duration
	emailWait    time.Duration
	freshSession time.Duration
	loginsPerDay int
	limits       []string
	noLimits     bool
}

func (r *testdcRules) add(c *cobra.Command) {
	flags := c.Flags()
	flags.StringVar(&r.codeChain, "code-chain", "", "how codes travel, in the order in which they are resent: `TYPES` such as app,SMS,call")
	flags.IntVar(&r.codeLength, "code-length", 5, "digits of a login code, 5 to 7")
	flags.IntVar(&r.codeTries, "code-tries", 5, "wrong codes until a code is void, 1 to 100")
	flags.DurationVar(&r.resendAfter, "resend-after", time.Minute, "how long a code is waited for before another may be asked for; 0s is not at all")
	flags.DurationVar(&r.qrTTL, "qr-ttl", 30*time.Second, "how long a QR code can be scanned, 1s to 10m")
	flags.DurationVar(&r.exportTTL, "export-ttl", time.Minute, "how long an exported authorization can be imported, 1s to 1h")
	flags.DurationVar(&r.srpTTL, "srp-ttl", 30*time.Minute, "how long an srp_id of a password is good, 1s to 24h")
	flags.DurationVar(&r.mailTTL, "mail-ttl", 15*time.Minute, "how long a mailed code can be used, 1s to 24h")
	flags.DurationVar(&r.tempKeyMax, "temp-key-max", dctest.DefaultTempKeyMax, "how long a temp key lives at most, 10s to 24h")
	flags.DurationVar(&r.resetWait, "password-reset-wait", 7*24*time.Hour, "from account.resetPassword until it is done, up to 720h")
	flags.DurationVar(&r.emailWait, "login-email-wait", 7*24*time.Hour, "from auth.resetLoginEmail until it is done, up to 720h; 0s is at once")
	flags.DurationVar(&r.freshSession, "fresh-session", 24*time.Hour, "how old a session is before it may end others; 0s is at once")
	flags.IntVar(&r.loginsPerDay, "logins-per-day", 5, "sign-ins of a number in a day until PHONE_NUMBER_FLOOD; 0 is no limit")
	flags.StringArrayVar(&r.limits, "limit", nil, "a flood limit: `NAME=CALLS/PERIOD` or NAME=off, of "+strings.Join(floodLimitNames(), ", ")+" (repeatable)")
	flags.BoolVar(&r.noLimits, "no-limits", false, "no flood limits and no --logins-per-day, but for those that --limit names")
}

// floodLimit is one flood limit and its name on the command line.
type floodLimit struct {
	name  string
	field func(*api.Limits) *api.RateLimit
}

func floodLimits() []floodLimit {
	return []floodLimit{
		{"send-code", func(l *api.Limits) *api.RateLimit { return &l.SendCodeNumber }},
		{"send-code-address", func(l *api.Limits) *api.RateLimit { return &l.SendCodeAddress }},
		{"import-bot", func(l *api.Limits) *api.RateLimit { return &l.ImportBot }},
		{"export-authorization", func(l *api.Limits) *api.RateLimit { return &l.ExportAuthorization }},
		{"get-authorizations", func(l *api.Limits) *api.RateLimit { return &l.GetAuthorizations }},
		{"export-login-token", func(l *api.Limits) *api.RateLimit { return &l.ExportLoginToken }},
		{"accept-login-token", func(l *api.Limits) *api.RateLimit { return &l.AcceptLoginToken }},
		{"check-password", func(l *api.Limits) *api.RateLimit { return &l.CheckPassword }},
		{"mail", func(l *api.Limits) *api.RateLimit { return &l.Mail }},
	}
}

func floodLimitNames() []string {
	var names []string
	for _, l := range floodLimits() {
		names = append(names, l.name)
	}
	return names
}

// apply writes the rules into a configuration, whose bounds it leaves to it. There 0
// stands for the default, and no limit at all is negative.
func (r testdcRules) apply(core *dctest.Config, cfg *api.Config) error {
	core.TempKeyMax = r.tempKeyMax
	cfg.ExportTTL, cfg.ProofTTL, cfg.MailTTL, cfg.PasswordResetWait = r.exportTTL, r.srpTTL, r.mailTTL, r.resetWait
	cfg.LoginEmailWait = noneIsNegative(r.emailWait)
	cfg.CodeLength, cfg.CodeMaxTries, cfg.QRTTL = r.codeLength, r.codeTries, r.qrTTL
	cfg.ResendTimeout, cfg.FreshSession, cfg.LoginsPerDay = noneIsNegative(r.resendAfter), noneIsNegative(r.freshSession), noneIsNegative(r.loginsPerDay)
	for _, flag := range []struct {
		name  string
		value int
	}{
		{"--code-length", r.codeLength}, {"--code-tries", r.codeTries}, {"--qr-ttl", int(r.qrTTL)}, {"--export-ttl", int(r.exportTTL)},
		{"--srp-ttl", int(r.srpTTL)}, {"--mail-ttl", int(r.mailTTL)}, {"--password-reset-wait", int(r.resetWait)},
	} {
		if flag.value <= 0 {
			return usage("testdc: %s: it must be more than 0", flag.name)
		}
	}
	if r.tempKeyMax < 10*time.Second || r.tempKeyMax > dctest.DefaultTempKeyMax {
		return usage("testdc: --temp-key-max %s: it is 10s to 24h", r.tempKeyMax)
	}
	if r.noLimits {
		cfg.LoginsPerDay = -1
		for _, l := range floodLimits() {
			l.field(&cfg.Limits).Calls = -1
		}
	}
	for _, text := range r.limits {
		if err := applyLimit(&cfg.Limits, text); err != nil {
			return err
		}
	}
	if r.codeChain == "" {
		return nil
	}
	for name := range strings.SplitSeq(r.codeChain, ",") {
		t, err := api.ParseCodeType(strings.TrimSpace(name))
		if err != nil {
			return usage("testdc: --code-chain %v", err.(*api.ConfigError).Why)
		}
		cfg.CodeChain = append(cfg.CodeChain, t)
	}
	return nil
}

func noneIsNegative[T int | time.Duration](v T) T {
	if v == 0 {
		return -1
	}
	return v
}

// applyLimit reads NAME=CALLS/PERIOD or NAME=off.
func applyLimit(all *api.Limits, text string) error {
	name, value, _ := strings.Cut(text, "=")
	for _, l := range floodLimits() {
		if l.name != name {
			continue
		}
		if value == "off" {
			*l.field(all) = api.RateLimit{Calls: -1}
			return nil
		}
		calls, per, ok := strings.Cut(value, "/")
		n, err := strconv.Atoi(calls)
		period, perErr := time.ParseDuration(per)
		if !ok || err != nil || perErr != nil || n < 1 || n > 1000 || period <= 0 || period > 7*24*time.Hour {
			return usage("testdc: --limit %s: this must be %s=CALLS/PERIOD, 1 to 1000 calls in up to 168h, such as %s=5/10m, or %s=off", text, name, name, name)
		}
		*l.field(all) = api.RateLimit{Calls: n, Per: period}
		return nil
	}
	return usage("testdc: --limit %s: there are %s", text, strings.Join(floodLimitNames(), ", "))
}

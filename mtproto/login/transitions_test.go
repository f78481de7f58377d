package login

import (
	"strings"
	"testing"
)

// What leads to where most of the transitions below begin.
const (
	toSending   = "phone 491701234567; start"
	toCode      = toSending + "; result sent sms next=call timeout=60"
	toSigningIn = toCode + "; code 12345"
	toPassword  = toSigningIn + "; refused 401 SESSION_PASSWORD_NEEDED; result password recovery"
	toProving   = toPassword + "; password x; stub-work"
	toRecovery  = toPassword + `; answer {"kind":"forgot"}; result pattern a@b`
	toAddress   = toSending + "; result sent email_setup google"
	toSetup     = toAddress + `; answer {"kind":"email","email":"a@b"}; result mailed a@b 5`
	toEmailCode = toSending + "; result sent email reset=60"
	toQR        = "qr; start; result login-token T 9999999"
	toImport    = toQR + "; push login-token; result login-token-dc 4 T; migrated"
	toPasskey   = "perm-keys; passkey; start; result options {}"
	toAsserted  = toPasskey + "; assert 2:42"
)

// transitions are the tables of the flows: where it stands, what happens, where
// it stands then and what it asks for.
var transitions = []struct{ from, event, state, asks string }{
	// By phone.
	{"phone 491701234567", "start", "sending", "call auth.sendCode"},
	{toSending, "refused 303 PHONE_MIGRATE_4", "migrating", "move to DC 4"},
	{toSending, "refused 303 NETWORK_MIGRATE_4", "migrating", "move to DC 4"},
	{toSending + "; refused 303 PHONE_MIGRATE_4", "migrated", "sending", "call auth.sendCode"},
	{toSending, "result sent app", "wait-code", "ask code"},
	{toSending, "result sent sms", "wait-code", "ask code"},
	{toSending, "result sent call", "wait-code", "ask code"},
	{toSending, "result sent flash_call", "wait-code", "ask code"},
	{toSending, "result sent missed_call", "wait-code", "ask code"},
	{toSending, "result sent fragment", "wait-code", "ask code"},
	{toSending, "result sent word", "wait-code", "ask code"},
	{toSending, "result sent phrase", "wait-code", "ask code"},
	{toSending, "result sent firebase", "wait-code", "ask code"}, // who cannot prove anything takes it for a message
	{"firebase-allowed; " + toSending, "result sent firebase", "wait-firebase", "ask firebase"},
	{toSending, "result sent email", "wait-email-code", "ask code"},
	{toSending, "result sent email_setup", "wait-email-address", "ask email"},
	{toSending, "result sent-user", "done", "Done{user 42}"},
	{toSending, "result payment", "wait-payment", "ask payment"},
	{toSending, "refused 401 SESSION_PASSWORD_NEEDED", "getting-password", "call account.getPassword"},
	{toSending, "refused 500 AUTH_RESTART", "waiting", "again after"},
	{toSending, "refused 420 FLOOD_WAIT_30", "waiting", "ask wait"},
	{toSending, "refused 420 FLOOD_WAIT_9999", "wait-new-code", "ask new_code (FLOOD_WAIT)"},
	{toSending, "refused 400 PHONE_NUMBER_BANNED", "failed", "failed banned"},
	{toSending, "refused 400 API_ID_INVALID", "failed", "failed config"},
	{toCode, "code 12345", "signing-in", "call auth.signIn"},
	{toCode, "resend", "wait-code", ""}, // too early: refused
	{toCode + "; advance 60s", "resend", "sending", "call auth.resendCode"},
	{toCode, "number 491701234568", "canceling", "call auth.cancelCode"},
	{toCode, "cancel", "canceling", "call auth.cancelCode"},
	{toSigningIn, "result user 42", "done", "Done{user 42}"},
	{"sign-up-allowed; " + toSigningIn, "result sign-up", "wait-sign-up", "ask sign_up"},
	{toSigningIn, "result sign-up", "failed", "failed sign_up"},
	{toSigningIn, "refused 401 SESSION_PASSWORD_NEEDED", "getting-password", "call account.getPassword"},
	{toSigningIn, "refused 400 PHONE_CODE_INVALID", "wait-code", "ask code (PHONE_CODE_INVALID)"},
	{toSigningIn, "refused 400 PHONE_CODE_EMPTY", "wait-code", "ask code (PHONE_CODE_EMPTY)"},
	{toSigningIn, "refused 400 PHONE_CODE_EXPIRED", "wait-new-code", "ask new_code"},
	{toSigningIn, "refused 500 SIGN_IN_FAILED", "waiting", "again after"},
	{toSigningIn, "refused 500 AUTH_RESTART", "waiting", "again after"},
	{toSigningIn, "lost", "probing", "call users.getUsers"},
	{toSigningIn + "; lost", "result self 42", "done", "Done{user 42}"},
	{toSigningIn + "; lost", "refused 401 SESSION_PASSWORD_NEEDED", "getting-password", "call account.getPassword"},
	{toSigningIn + "; lost", "refused 401 AUTH_KEY_UNREGISTERED", "signing-in", "call auth.signIn"},
	{toSigningIn + "; lost; refused 401 AUTH_KEY_UNREGISTERED; lost", "refused 401 AUTH_KEY_UNREGISTERED", "wait-code", "ask code (ANSWER_LOST)"},
	{"sign-up-allowed; " + toSigningIn + "; result sign-up", "name Ada", "signing-up", "call auth.signUp"},
	// The login e-mail.
	{toAddress, `answer {"kind":"email","email":"a@b"}`, "mailing", "call account.sendVerifyEmailCode"},
	{toAddress, `answer {"kind":"email_token","provider":"google","token":"x"}`, "verifying", "call account.verifyEmail"},
	{toSetup, "code 12345", "verifying", "call account.verifyEmail"},
	{toSetup + "; code 12345", "result verified sms", "wait-code", "ask code"},
	{toSetup + "; code 12345", "result verified-only", "failed", "failed server"},
	{toSetup + "; code 12345", "refused 400 CODE_INVALID", "wait-email-setup", "ask email_setup (CODE_INVALID)"},
	{toSetup + "; code 12345", "refused 400 EMAIL_VERIFY_EXPIRED", "wait-email-address", "ask email (EMAIL_VERIFY_EXPIRED)"},
	{toSetup + "; code 12345", "refused 400 PHONE_CODE_EXPIRED", "wait-new-code", "ask new_code"},
	{toAddress + `; answer {"kind":"email","email":"a@b"}`, "refused 400 PHONE_HASH_EXPIRED", "wait-new-code", "ask new_code"},
	{toEmailCode, "code 12345", "signing-in", "call auth.signIn"},
	{toEmailCode, `answer {"kind":"reset_email"}`, "resetting-email", "call auth.resetLoginEmail"},
	{toEmailCode + `; answer {"kind":"reset_email"}`, "result sent sms", "wait-code", "ask code"},
	{toEmailCode + `; answer {"kind":"reset_email"}`, "refused 400 TASK_ALREADY_EXISTS", "wait-email-code", "ask code (TASK_ALREADY_EXISTS)"},
	// The two-step password.
	{toPassword, "password x", "proving", "Work"},
	{toPassword + "; password x", "stub-work", "checking-password", "call auth.checkPassword"},
	{toProving, "result user 42", "done", "Done{user 42}"},
	{toProving, "refused 400 PASSWORD_HASH_INVALID", "getting-password", "call account.getPassword"},
	{toProving, "refused 400 SRP_ID_INVALID", "getting-password", "call account.getPassword"},
	{toProving + "; refused 400 SRP_ID_INVALID", "result password", "proving", "Work"},
	{toProving + "; refused 400 SRP_PASSWORD_CHANGED", "result password", "wait-password", "ask password (SRP_PASSWORD_CHANGED)"},
	{toSigningIn + "; refused 401 SESSION_PASSWORD_NEEDED", "result password unknown", "logging-out", "then failed config"},
	{toSigningIn + "; refused 401 SESSION_PASSWORD_NEEDED", "result password none", "signing-in", "call auth.signIn"},
	{toPassword, `answer {"kind":"forgot"}`, "requesting-recovery", "call auth.requestPasswordRecovery"},
	{toRecovery, "code 12345", "checking-recovery", "call auth.checkRecoveryPassword"},
	{toRecovery + "; code 12345", "result true", "wait-new-password", "ask new_password"},
	{toRecovery + "; code 12345", "result false", "wait-recovery", "ask recovery_code (CODE_INVALID)"},
	{toRecovery + "; code 12345; result true", `answer {"kind":"no_password"}`, "recovering", "call auth.recoverPassword"},
	{toRecovery + "; code 12345; result true", `answer {"kind":"new_password","password":"x"}`, "getting-password", "call account.getPassword"},
	{toRecovery + `; code 12345; result true; answer {"kind":"no_password"}`, "result user 42", "done", "Done{user 42}"},
	// By QR code.
	{"qr", "start", "exporting", "call auth.exportLoginToken"},
	{"qr; start", "result login-token T 30", "wait-scan", "ask qr"},
	{toQR, "advance-to-deadline", "exporting", "call auth.exportLoginToken"},
	{toQR, "push login-token", "exporting", "call auth.exportLoginToken"},
	{toQR + "; push login-token", "result login-token-dc 4 T", "migrating", "move to DC 4"},
	{toQR + "; push login-token", "result login-token-user 42", "done", "Done{user 42}"},
	{toQR + "; push login-token", "refused 401 SESSION_PASSWORD_NEEDED", "getting-password", "call account.getPassword"},
	{toImport, "result login-token-user 42", "done", "Done{user 42}"},
	{toImport, "refused 401 SESSION_PASSWORD_NEEDED", "getting-password", "call account.getPassword"},
	{toImport, "refused 400 AUTH_TOKEN_EXPIRED", "exporting", "call auth.exportLoginToken"}, // where we are: any DC shows a code
	{toImport, "refused 400 SOMETHING_ELSE", "waiting", "again after"},
	{"qr; start", "refused 400 SOMETHING_ELSE", "waiting", "again after"},
	{toQR + "; advance 9m; result login-token T 9999999", "advance 2m", "failed", "failed expired"},
	// A bot.
	{"bot 123456:x", "start", "importing", "call auth.importBotAuthorization"},
	{"bot 123456:x; start", "refused 303 USER_MIGRATE_4", "migrating", "move to DC 4"},
	{"bot 123456:x; start", "refused 303 PHONE_MIGRATE_4", "migrating", "move to DC 4"},
	{"bot 123456:x; start", "result bot 123456", "done", "Done{bot 123456}"},
	{"bot 123456:x; start", "result bot 7", "logging-out", "then failed other_user"},
	{"bot 123456:x; start", "result user 123456", "logging-out", "then failed other_user"},
	{"bot 123456:x; start", "refused 400 ACCESS_TOKEN_EXPIRED", "failed", "failed token"},
	{"bot 123456:x; start", "refused 420 FLOOD_WAIT_9999", "waiting", "ask wait"},
	// By a web client's link.
	{"web #tgWebAuthToken=T&tgWebAuthDcId=4", "start", "migrating", "move to DC 4"},
	{"web TOKEN", "start", "importing-web", "call auth.importWebTokenAuthorization"},
	{"web TOKEN; start", "result user 42", "done", "Done{user 42}"},
	{"web TOKEN; start", "refused 400 WEBAUTH_TOKEN_EXPIRED", "wait-web-token", "ask web_token (WEBAUTH_TOKEN_EXPIRED)"},
	// By passkey.
	{"passkey", "start", "getting-challenge", "call auth.initPasskeyLogin"},
	{"passkey; start", "result options {}", "wait-passkey", "ask passkey"},
	{toPasskey, "assert 2:42", "finishing-passkey", "call auth.finishPasskeyLogin"},
	{toPasskey, "assert 4:42", "migrating", "move to DC 4"},
	{"other-users 42; " + toPasskey, "assert 2:42", "wait-passkey", ""},
	{toAsserted, "result user 42", "done", "Done{user 42}"},
	{toAsserted, "refused 401 SESSION_PASSWORD_NEEDED", "getting-password", "call account.getPassword"},
	{toAsserted, "refused 500 PASSKEY_AUTH_RESTART", "getting-challenge", "call auth.initPasskeyLogin"},
	{toAsserted, "refused 500 AUTH_RESTART", "getting-challenge", "call auth.initPasskeyLogin"},
	{toAsserted, "refused 400 CREDENTIAL_INVALID", "failed", "failed credential"},
	{toAsserted, "refused 400 PASSKEY_ORIGIN_MISMATCH", "failed", "failed config"},
}

func TestTransitions(t *testing.T) {
	for _, c := range transitions {
		p := &play{now: epoch, cfg: testConfig()}
		for _, cmd := range strings.Split(c.from, "; ") {
			if err := p.run(cmd); err != nil {
				t.Fatalf("%s: %s: %v", c.from, cmd, err)
			}
		}
		p.keep = true
		if err := p.run(c.event); err != nil {
			t.Fatalf("%s: %s: %v", c.from, c.event, err)
		}
		asks := outcomeOf(p.m)
		if p.m.State().String() != c.state || !strings.Contains(asks, c.asks) || c.asks == "" && asks != "" {
			t.Errorf("%s\n  %s leads to %v and %q, want %s and %q", c.from, c.event, p.m.State(), asks, c.state, c.asks)
		}
	}
}

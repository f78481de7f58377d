package login

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mtfleet/mtfleet/mtproto/tgerr"
)

// documented is what each method is said to refuse with: the catalogue of errors
// of the API, and what its pages say about the flows.
// https://core.telegram.org/methods
var documented = map[string]string{
	"auth.sendCode": `400:API_ID_INVALID 400:API_ID_PUBLISHED_FLOOD 400:PHONE_NUMBER_APP_SIGNUP_FORBIDDEN 400:PHONE_NUMBER_BANNED
		400:PHONE_NUMBER_FLOOD 400:PHONE_NUMBER_INVALID 406:PHONE_NUMBER_INVALID 406:PHONE_PASSWORD_FLOOD 400:PHONE_PASSWORD_PROTECTED
		400:SMS_CODE_CREATE_FAILED 406:UPDATE_APP_TO_LOGIN 303:PHONE_MIGRATE_4 303:NETWORK_MIGRATE_4`,
	"auth.resendCode":                  `400:PHONE_CODE_EMPTY 400:PHONE_CODE_HASH_EMPTY 400:PHONE_CODE_EXPIRED 400:EMAIL_INSTALL_MISSING 406:PHONE_NUMBER_INVALID 406:SEND_CODE_UNAVAILABLE`,
	"auth.cancelCode":                  `400:PHONE_CODE_EXPIRED 406:PHONE_NUMBER_INVALID`,
	"auth.signIn":                      `400:PHONE_CODE_EMPTY 400:PHONE_CODE_INVALID 400:PHONE_CODE_EXPIRED 406:PHONE_NUMBER_INVALID 400:PHONE_NUMBER_UNOCCUPIED 406:UPDATE_APP_TO_LOGIN 500:SIGN_IN_FAILED`,
	"auth.signUp":                      `400:FIRSTNAME_INVALID 400:LASTNAME_INVALID 400:PHONE_CODE_EMPTY 400:PHONE_CODE_INVALID 400:PHONE_CODE_EXPIRED 400:PHONE_NUMBER_FLOOD 406:PHONE_NUMBER_INVALID 400:PHONE_NUMBER_OCCUPIED`,
	"auth.requestFirebaseSms":          `400:PHONE_CODE_EMPTY 400:PHONE_NUMBER_INVALID`,
	"auth.reportMissingCode":           `400:PHONE_NUMBER_INVALID`,
	"auth.resetLoginEmail":             `400:TASK_ALREADY_EXISTS 400:EMAIL_INSTALL_MISSING 400:PHONE_NUMBER_INVALID`,
	"auth.checkPaidAuth":               `400:PHONE_CODE_EXPIRED 400:FORM_EXPIRED 406:PHONE_NUMBER_INVALID`,
	"account.getPassword":              ``,
	"auth.checkPassword":               `400:PASSWORD_HASH_INVALID 400:SRP_ID_INVALID 400:SRP_PASSWORD_CHANGED 400:PASSWORD_EMPTY 400:SRP_A_INVALID 500:AUTH_KEY_UNSYNCHRONIZED 406:PHONE_PASSWORD_FLOOD`,
	"auth.requestPasswordRecovery":     `400:PASSWORD_EMPTY 400:PASSWORD_RECOVERY_NA`,
	"auth.checkRecoveryPassword":       `400:CODE_EMPTY 400:CODE_INVALID 400:PASSWORD_RECOVERY_EXPIRED 400:PASSWORD_EMPTY 400:PASSWORD_RECOVERY_NA`,
	"auth.recoverPassword":             `400:CODE_EMPTY 400:CODE_INVALID 400:PASSWORD_RECOVERY_EXPIRED 400:NEW_SETTINGS_INVALID 400:NEW_SALT_INVALID`,
	"auth.exportLoginToken":            `400:API_ID_INVALID 400:API_ID_PUBLISHED_FLOOD`,
	"auth.importLoginToken":            `400:AUTH_TOKEN_ALREADY_ACCEPTED 400:AUTH_TOKEN_EXPIRED 400:AUTH_TOKEN_INVALID 400:AUTH_TOKEN_INVALIDX 400:AUTH_TOKEN_INVALID1 400:AUTH_TOKEN_INVALID2 400:AUTH_TOKEN_EXCEPTION`,
	"auth.importBotAuthorization":      `400:ACCESS_TOKEN_INVALID 400:ACCESS_TOKEN_EXPIRED 400:API_ID_INVALID 400:API_ID_PUBLISHED_FLOOD 303:USER_MIGRATE_4`,
	"auth.importWebTokenAuthorization": `400:API_ID_INVALID 400:WEBAUTH_TOKEN_EXPIRED 400:AUTH_TOKEN_INVALID`,
	"auth.initPasskeyLogin":            `400:API_ID_INVALID 500:PASSKEY_AUTH_RESTART`,
	"auth.finishPasskeyLogin":          `400:CREDENTIAL_INVALID 400:PASSKEY_CREDENTIAL_NOT_FOUND 400:PASSKEY_ORIGIN_MISMATCH 500:PASSKEY_AUTH_RESTART 303:USER_MIGRATE_4`,
	"auth.initFirebasePnvLogin":        `400:API_ID_INVALID`,
	"auth.finishFirebasePnvLogin":      ``,
	"auth.firebasePnvSignUp":           `400:FIRSTNAME_INVALID 400:LASTNAME_INVALID`,
	"account.sendVerifyEmailCode":      `400:EMAIL_INVALID 400:EMAIL_NOT_ALLOWED 400:EMAIL_NOT_SETUP 400:PHONE_CODE_EMPTY 400:PHONE_HASH_EXPIRED 400:PHONE_NUMBER_INVALID`,
	"account.verifyEmail":              `400:CODE_INVALID 400:EMAIL_INVALID 400:EMAIL_NOT_ALLOWED 400:EMAIL_VERIFY_EXPIRED 400:EMAIL_TOKEN_INVALID 400:PHONE_CODE_EXPIRED 400:PHONE_HASH_EXPIRED 400:PHONE_NUMBER_INVALID`,
	"users.getUsers":                   ``,
	"auth.logOut":                      ``,
}

// everywhere is what any method may be refused with.
const everywhere = `303:USER_MIGRATE_4 420:FLOOD_WAIT_5 420:FLOOD_WAIT_7000 420:FLOOD_TEST_PHONE_WAIT_5 500:AUTH_RESTART 500:AUTH_RESTART_3 500:RPC_CALL_FAIL -503:Timeout
	401:SESSION_PASSWORD_NEEDED 401:AUTH_KEY_UNREGISTERED 401:SESSION_REVOKED 401:SESSION_EXPIRED 401:AUTH_KEY_INVALID 401:ACTIVE_USER_REQUIRED 401:AUTH_KEY_PERM_EMPTY
	401:USER_DEACTIVATED 401:USER_DEACTIVATED_BAN 406:AUTH_KEY_DUPLICATED 403:RECAPTCHA_CHECK_x__y 403:INTEGRITY_CHECK_CLASSIC_x 403:APNS_VERIFY_CHECK_x
	400:CONNECTION_NOT_INITED 400:CONNECTION_LAYER_INVALID 400:CONNECTION_API_ID_INVALID 400:CONNECTION_APP_VERSION_EMPTY 400:FROZEN_METHOD_INVALID 400:INPUT_METHOD_INVALID
	400:BOT_METHOD_INVALID 400:METHOD_INVALID`

func parseRefusal(name string) *tgerr.Error {
	code, text, _ := strings.Cut(name, ":")
	n, _ := strconv.Atoi(code)
	return tgerr.New(n, text)
}

// roads lead to each method: a transcript's commands.
var roads = map[string]string{
	"auth.sendCode":                    "phone 491701234567; start",
	"auth.resendCode":                  "phone 491701234567; start; result sent sms next=call; resend",
	"auth.cancelCode":                  "phone 491701234567; start; result sent sms; cancel",
	"auth.signIn":                      "phone 491701234567; start; result sent sms next=call; code 12345",
	"auth.signUp":                      "phone 491701234567; start; result sent sms; code 12345; result sign-up; name Ada",
	"auth.requestFirebaseSms":          `phone 491701234567; start; result sent firebase; answer {"kind":"firebase","safety_net":"x"}`,
	"auth.reportMissingCode":           `phone 491701234567; start; result sent sms; answer {"kind":"missing","mnc":"01"}`,
	"auth.resetLoginEmail":             `phone 491701234567; start; result sent email reset=60; answer {"kind":"reset_email"}`,
	"auth.checkPaidAuth":               `phone 491701234567; start; result payment; answer {"kind":"paid","form_id":7}`,
	"account.getPassword":              "phone 491701234567; start; result sent sms; code 12345; refused 401 SESSION_PASSWORD_NEEDED",
	"auth.checkPassword":               "phone 491701234567; start; result sent sms; code 12345; refused 401 SESSION_PASSWORD_NEEDED; result password recovery; password x; stub-work",
	"auth.requestPasswordRecovery":     `phone 491701234567; start; result sent sms; code 12345; refused 401 SESSION_PASSWORD_NEEDED; result password recovery; answer {"kind":"forgot"}`,
	"auth.checkRecoveryPassword":       `phone 491701234567; start; result sent sms; code 12345; refused 401 SESSION_PASSWORD_NEEDED; result password recovery; answer {"kind":"forgot"}; result pattern a@b; code 12345`,
	"auth.recoverPassword":             `phone 491701234567; start; result sent sms; code 12345; refused 401 SESSION_PASSWORD_NEEDED; result password recovery; answer {"kind":"forgot"}; result pattern a@b; code 12345; result true; answer {"kind":"no_password"}`,
	"auth.exportLoginToken":            "qr; start",
	"auth.importLoginToken":            "qr; start; result login-token T 30; push login-token; result login-token-dc 4 T; migrated",
	"auth.importBotAuthorization":      "bot 123456:secret; start",
	"auth.importWebTokenAuthorization": "web TOKEN; start",
	"auth.initPasskeyLogin":            "passkey; start",
	"auth.finishPasskeyLogin":          `passkey; start; result options {}; assert 2:42`,
	"auth.initFirebasePnvLogin":        "pnv; start",
	"auth.finishFirebasePnvLogin":      `pnv; start; result intent; answer {"kind":"pnv","token":"x"}`,
	"auth.firebasePnvSignUp":           `pnv; start; result intent; answer {"kind":"pnv","token":"x"}; result sign-up; name Ada`,
	"account.sendVerifyEmailCode":      `phone 491701234567; start; result sent email_setup; answer {"kind":"email","email":"a@b"}`,
	"account.verifyEmail":              `phone 491701234567; start; result sent email_setup; answer {"kind":"email","email":"a@b"}; result mailed a@b 5; code 12345`,
	"users.getUsers":                   "bot 123456:secret; start; lost",
	"auth.logOut":                      "bot 123456:secret; start; result bot 7",
}

// reach plays the road to a method.
func reach(t testing.TB, method string) *play {
	t.Helper()
	p := &play{now: epoch, cfg: testConfig()}
	p.cfg.AllowSignUp, p.cfg.Settings.AllowFirebase = true, true
	for _, cmd := range []string{"perm-keys"} {
		_ = p.run(cmd)
	}
	for _, cmd := range strings.Split(roads[method], "; ") {
		if err := p.run(cmd); err != nil {
			t.Fatalf("%s: %s: %v", method, cmd, err)
		}
	}
	if p.last.Kind != OutCall || p.last.Query.TypeName() != method {
		t.Fatalf("the road to %s leads to %v:\n%s", method, p.last, p.buf.String())
	}
	return p
}

// TestEveryDocumentedErrorLeadsToSomethingNamed holds the table of what follows:
// every method, every error. Read its diff like code.
func TestEveryDocumentedErrorLeadsToSomethingNamed(t *testing.T) {
	var table strings.Builder
	var methods []string
	for method := range documented {
		methods = append(methods, method)
	}
	slices.Sort(methods)
	for _, method := range methods {
		fmt.Fprintf(&table, "%s\n", method)
		own := strings.Fields(documented[method])
		for _, name := range append(slices.Clone(own), strings.Fields(everywhere)...) {
			p := reach(t, method)
			p.buf.Reset()
			e := parseRefusal(name)
			p.m.Failed(p.now, p.call, e)
			outcome := outcomeOf(p.m)
			fmt.Fprintf(&table, "  %-38s %s\n", name, outcome)
			if outcome == "" || slices.Contains(own, name) && strings.Contains(outcome, "the server refused the sign-in") {
				t.Errorf("%s refused with %s leads to %q, which is nothing in particular", method, name, outcome)
			}
		}
	}
	const file = "testdata/errors.table"
	if *rewrite {
		if err := os.WriteFile(file, []byte(table.String()), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(table.String(), "\n")); diff != "" {
		t.Errorf("the table differs (-want +got):\n%s", diff)
	}
}

// outcomeOf is what the machine does next, in a line.
func outcomeOf(m *Machine) string {
	var words []string
	for out, ok := m.Next(); ok; out, ok = m.Next() {
		switch out.Kind {
		case OutSave:
		case OutAsk:
			line := fmt.Sprintf("ask %s (%s)", out.Step.Kind, out.Step.LastError)
			if !out.Step.Until.IsZero() {
				line += " +" + out.Step.Until.Sub(epoch).String()
			}
			words = append(words, line)
		case OutFailed:
			words = append(words, fmt.Sprintf("failed %s: %s", out.Err.Reason, out.Err.Message))
		case OutCall:
			words = append(words, "call "+out.Query.TypeName())
		case OutMigrate:
			words = append(words, fmt.Sprintf("move to %v", out.DC))
		default:
			words = append(words, out.String())
		}
	}
	if m.State() == StateWaiting && !m.s.Imposed {
		words = append(words, "again after "+m.Deadline().Sub(epoch).String())
	}
	if m.s.State == StateLoggingOut && m.s.Undo.Reason != "" {
		words = append(words, fmt.Sprintf("then failed %s: %s", m.s.Undo.Reason, m.s.Undo.Message))
	}
	return strings.Join(words, ", ")
}

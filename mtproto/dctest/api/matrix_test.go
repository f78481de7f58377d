package api

import (
	"strings"
	"testing"

	"github.com/mtfleet/mtfleet/tl"
	"github.com/mtfleet/mtfleet/tl/tg"
)

// The lists of the reference (auth.md 1.2, 1.4, 2), written again: the table under test must agree with them.
const (
	anonymousList = `
		account.getPassword account.sendVerifyEmailCode account.verifyEmail
		auth.bindTempAuthKey auth.cancelCode auth.checkPaidAuth auth.checkPassword auth.exportLoginToken
		auth.finishPasskeyLogin auth.importAuthorization auth.importBotAuthorization auth.importLoginToken
		auth.importWebTokenAuthorization auth.initPasskeyLogin auth.reportMissingCode auth.requestFirebaseSms
		auth.resendCode auth.resetLoginEmail auth.sendCode auth.signIn auth.signUp
		auth.initFirebasePnvLogin auth.finishFirebasePnvLogin auth.firebasePnvSignUp
		help.getAppConfig help.getConfig help.getNearestDc`
	halfList = `account.deleteAccount auth.requestPasswordRecovery auth.checkRecoveryPassword auth.recoverPassword auth.logOut`
	botList  = `
		auth.importBotAuthorization auth.exportAuthorization auth.importAuthorization auth.bindTempAuthKey
		auth.dropTempAuthKeys auth.logOut help.getConfig help.getNearestDc help.getAppConfig users.getUsers
		updates.getState updates.getDifference`
	unboundList = `auth.bindTempAuthKey help.getConfig help.getNearestDc`
	guestList   = `auth.dropTempAuthKeys auth.logOut users.getUsers auth.recoverPassword auth.checkRecoveryPassword
		auth.requestPasswordRecovery`
)

func in(list, name string) bool {
	for _, n := range strings.Fields(list) {
		if n == name {
			return true
		}
	}
	return false
}

// bodyOf is a query of a method whose fields are as empty as the schema allows.
func bodyOf(t testing.TB, m *method) []byte {
	t.Helper()
	q := tg.New(m.id)
	srp := &tg.InputCheckPasswordEmpty{}
	switch q := q.(type) {
	case *tg.AuthCheckPasswordRequest:
		q.Password = srp
	case *tg.AccountUpdatePasswordSettingsRequest:
		q.Password = srp
	case *tg.AccountGetPasswordSettingsRequest:
		q.Password = srp
	case *tg.AccountGetTmpPasswordRequest:
		q.Password = srp
	case *tg.AccountSendVerifyEmailCodeRequest:
		q.Purpose = &tg.EmailVerifyPurposeLoginSetup{}
	case *tg.AccountVerifyEmailRequest:
		q.Purpose, q.Verification = &tg.EmailVerifyPurposeLoginSetup{}, &tg.EmailVerificationCode{}
	case *tg.AuthFinishPasskeyLoginRequest:
		q.Credential = &tg.InputPasskeyCredentialFirebasePNV{}
	case *tg.AccountRegisterPasskeyRequest:
		q.Credential = &tg.InputPasskeyCredentialFirebasePNV{}
	}
	body, err := tl.Marshal(nil, q)
	if err != nil {
		t.Fatalf("%s: %v", m.name, err)
	}
	return body
}

// gateErrors are the answers that come from a gate, never from a method.
var gateErrors = map[string]bool{
	"AUTH_KEY_UNREGISTERED": true, "SESSION_PASSWORD_NEEDED": true, "AUTH_KEY_PERM_EMPTY": true, "SESSION_REVOKED": true,
	"USER_DEACTIVATED": true, "USER_DEACTIVATED_BAN": true, "BOT_METHOD_INVALID": true, "USER_MIGRATE_1": true,
	"FROZEN_METHOD_INVALID": true,
}

func TestGateMatrix(t *testing.T) {
	passes := func(string) string { return "" }
	unless := func(list, text string) func(string) string {
		return func(name string) string {
			if in(list, name) {
				return ""
			}
			return text
		}
	}
	// Every column sets up a key in one state and says what each method answers: "" is that the gates are open.
	for _, col := range []struct {
		name  string
		dc    int
		setUp func(w *world)
		wants func(method string) string
	}{
		{"K1 anonymous", 1, func(*world) {}, unless(anonymousList, "AUTH_KEY_UNREGISTERED")},
		{"K2 half", 1, func(w *world) {
			u := w.person(1)
			_ = w.b.SetPassword(u.ID, "correct horse")
			_, _ = ask(w, 1, 5, signIn(u.Phone, w.hash(1, 5, u.Phone), u.Code))
		}, unless(anonymousList+" "+halfList, "SESSION_PASSWORD_NEEDED")},
		{"K3 person at home", 1, func(w *world) { w.login(w.person(1), 5) }, passes},
		{"K3 bot at home", 1, func(w *world) { w.login(w.bot(1), 5) }, unless(botList, "BOT_METHOD_INVALID")},
		{"K3 frozen person", 1, func(w *world) {
			w.login(w.person(1), 5)
			_ = w.b.Freeze(w.now, w.person(1).ID, noon.AddDate(1, 0, 0), "https://appeal.invalid")
		}, func(name string) string {
			if m := methodNamed(name); m.changes {
				return "FROZEN_METHOD_INVALID"
			}
			return ""
		}},
		{"K4 guest", 2, func(w *world) {
			w.login(w.person(1), 4)
			w.guest(w.person(1), 4, 2, 5)
		}, func(name string) string {
			if in(anonymousList, name) || in(guestList, name) {
				return ""
			}
			return "USER_MIGRATE_1"
		}},
		{"K5 revoked", 1, func(w *world) {
			w.login(w.person(1), 5)
			_ = w.b.Revoke(w.now, w.person(1).ID)
		}, unless(anonymousList, "SESSION_REVOKED")},
		{"K5 banned", 1, func(w *world) {
			w.login(w.person(1), 5)
			_ = w.b.Ban(w.now, w.person(1).ID)
		}, unless(anonymousList, "USER_DEACTIVATED_BAN")},
		{"K5 deleted", 1, func(w *world) {
			w.login(w.person(1), 5)
			_ = w.b.Deactivate(w.now, w.person(1).ID)
		}, unless(anonymousList, "USER_DEACTIVATED")},
		{"K5 guest of a home that logged out", 2, func(w *world) {
			w.login(w.person(1), 4)
			w.guest(w.person(1), 4, 2, 5)
			must(w, 1, 4, &tg.AuthLogOutRequest{})
		}, unless(anonymousList, "SESSION_REVOKED")},
	} {
		t.Run(col.name, func(t *testing.T) {
			for _, m := range methodTable {
				w := newWorld(t, Config{})
				col.setUp(w)
				err := w.raw(col.dc, 5, bodyOf(t, m)).Err
				if want := col.wants(m.name); want != "" {
					if err == nil || err.Text != want {
						t.Errorf("%s answered %v, want %s", m.name, err, want)
					}
				} else if err != nil && gateErrors[err.Text] {
					t.Errorf("%s was stopped at a gate: %v", m.name, err)
				}
			}
		})
	}
}

func methodNamed(name string) *method {
	for _, m := range methodTable {
		if m.name == name {
			return m
		}
	}
	return nil
}

func TestAnUnboundTempKeyMayOnlyAskForTheConfig(t *testing.T) {
	w := newWorld(t, Config{})
	for _, m := range methodTable {
		r := w.b.Handle(&Request{Now: noon, DC: 1, Temp: 4, Unbound: true, Body: bodyOf(t, m)})
		open := in(unboundList, m.name)
		if got := r.Err != nil && r.Err.Text == "AUTH_KEY_PERM_EMPTY"; got == open {
			t.Errorf("%s on an unbound key answered %v", m.name, r.Err)
		}
	}
}

func TestMethodsThatAreKnownButNotServedSaySo(t *testing.T) {
	w := newWorld(t, Config{})
	w.login(w.person(1), 5)
	n := 0
	for _, m := range methodTable {
		if m.run != nil {
			continue
		}
		n++
		if err := w.raw(1, 5, bodyOf(t, m)).Err; err == nil || err.Code != 400 || err.Text != "METHOD_INVALID" {
			t.Errorf("%s answered %v, want 400 METHOD_INVALID", m.name, err)
		}
	}
	if n == 0 || n == len(methodTable) {
		t.Errorf("%d of %d methods are not served", n, len(methodTable))
	}
}

func TestBytesThatAreNoQueryGetAnInputError(t *testing.T) {
	w := newWorld(t, Config{})
	config := (&tg.HelpGetConfigRequest{}).Append(nil)
	users := self().Append(nil)
	wrongUser := append([]byte{}, users...)
	wrongUser[len(wrongUser)-1] ^= 0xff
	for _, c := range []struct {
		name string
		body []byte
		want string
	}{
		{"nothing", nil, "INPUT_FETCH_ERROR"},
		{"three bytes", []byte{1, 2, 3}, "INPUT_FETCH_ERROR"},
		{"an unknown id", []byte{1, 2, 3, 4}, "INPUT_METHOD_INVALID_67305985"},
		{"a constructor that is no function", (&tg.InputUserSelf{}).Append(nil), "INPUT_METHOD_INVALID_4156666175"},
		{"bytes behind the query", append(config, 0, 0, 0, 0), "INPUT_FETCH_ERROR"},
		{"a query that is cut off", users[:len(users)-4], "INPUT_FETCH_ERROR"},
		{"an unknown constructor inside", wrongUser, "INPUT_CONSTRUCTOR_INVALID"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if err := w.raw(1, 1, c.body).Err; err == nil || err.Code != 400 || err.Text != c.want {
				t.Errorf("answered %v, want 400 %s", err, c.want)
			}
		})
	}
}

func TestMethodNamesAreRead(t *testing.T) {
	w := newWorld(t, Config{})
	for _, m := range methodTable {
		if got := w.b.Method(bodyOf(t, m)); got != m.name {
			t.Errorf("Method = %q, want %q", got, m.name)
		}
	}
	if got := w.b.Method([]byte{9, 9, 9, 9}); got != "" {
		t.Errorf("Method of an unknown id = %q", got)
	}
	if len(methodIndex) != len(methodTable)+len(contentTable)+len(messageTable) {
		t.Error("two lines of the table share an id")
	}
}

func TestEveryRootOfTheSchemaIsInTheTable(t *testing.T) {
	for _, id := range []uint32{
		tg.AuthSendCodeRequestID, tg.AuthAcceptLoginTokenRequestID, tg.AccountDeletePasskeyRequestID,
		tg.AuthFirebasePnvSignUpRequestID, tg.UpdatesGetDifferenceRequestID, tg.AccountRegisterDeviceRequestID,
	} {
		if methodByID(id) == nil {
			t.Errorf("%08x has no line", id)
		}
	}
	auth := 0
	for _, m := range methodTable {
		if strings.HasPrefix(m.name, "auth.") {
			auth++
		}
	}
	if auth != 29 {
		t.Errorf("%d auth methods, the schema has 29", auth)
	}
}

func TestCheckInitRefusesWhatSaysNothing(t *testing.T) {
	w := newWorld(t, Config{})
	if layers := w.b.Layers(); layers[len(layers)-1] != tg.Layer {
		t.Errorf("layers %v do not end with %d", layers, tg.Layer)
	}
	if err := w.b.CheckInit(tg.Layer, &w.app); err != nil {
		t.Errorf("a complete initConnection answered %v", err)
	}
	for _, c := range []struct {
		want  string
		layer int
		spoil func(a *AppInfo)
	}{
		{"CONNECTION_LAYER_INVALID", 143, func(*AppInfo) {}},
		{"CONNECTION_LAYER_INVALID", tg.Layer + 1, func(*AppInfo) {}},
		{"CONNECTION_API_ID_INVALID", tg.Layer, func(a *AppInfo) { a.APIID = 0 }},
		{"CONNECTION_API_ID_INVALID", tg.Layer, func(a *AppInfo) { a.APIID = 5 }},
		{"CONNECTION_DEVICE_MODEL_EMPTY", tg.Layer, func(a *AppInfo) { a.DeviceModel = "" }},
		{"CONNECTION_SYSTEM_EMPTY", tg.Layer, func(a *AppInfo) { a.SystemVersion = "" }},
		{"CONNECTION_APP_VERSION_EMPTY", tg.Layer, func(a *AppInfo) { a.AppVersion = "" }},
		{"CONNECTION_SYSTEM_LANG_CODE_EMPTY", tg.Layer, func(a *AppInfo) { a.SystemLangCode = "" }},
		{"CONNECTION_LANG_PACK_INVALID", tg.Layer, func(a *AppInfo) { a.LangPack = "klingon" }},
		{"CONNECTION_LANG_CODE_INVALID", tg.Layer, func(a *AppInfo) { a.LangCode = strings.Repeat("e", 33) }},
	} {
		a := w.app
		c.spoil(&a)
		if err := w.b.CheckInit(c.layer, &a); err == nil || err.Code != 400 || err.Text != c.want {
			t.Errorf("answered %v, want 400 %s", err, c.want)
		}
	}
}

func TestAdmitIsTheGateOfCallsAnsweredElsewhere(t *testing.T) {
	w := newWorld(t, Config{})
	req := func(dc int, perm int64) *Request { return &Request{Now: w.now, DC: dc, Perm: perm} }
	admit := func(what string, dc int, perm int64, want string) {
		t.Helper()
		if _, err := w.b.Admit(req(dc, perm), "testdc.echo"); text(err) != want {
			t.Errorf("%s answered %v, want %q", what, err, want)
		}
	}
	admit("an anonymous key", 1, 1, "AUTH_KEY_UNREGISTERED")
	admit("an unbound key", 1, 0, "AUTH_KEY_PERM_EMPTY")
	u := w.person(1)
	w.login(u, 1)
	w.guest(u, 1, 2, 2)
	admit("the home key", 1, 1, "")
	admit("a guest key", 2, 2, "")
	_ = w.b.InjectError("testdc.echo", u.ID, 500, "RPC_CALL_FAIL", 1)
	admit("an injected fault", 1, 1, "RPC_CALL_FAIL")
	admit("after the fault", 1, 1, "")
	_ = w.b.Ban(w.now, u.ID)
	admit("a banned account", 1, 1, "USER_DEACTIVATED_BAN")
	admit("its guest", 2, 2, "USER_DEACTIVATED_BAN")
}

package api

import (
	"strings"
	"testing"
	"time"

	"github.com/mtfleet/mtfleet/tl"
	"github.com/mtfleet/mtfleet/tl/tg"
)

func TestAPersonSignsInWithTheCodeOfTheDescriptor(t *testing.T) {
	w := newWorld(t, Config{})
	u := w.person(2)
	refused(w, "before sign-in", 2, 7, self(), 401, "AUTH_KEY_UNREGISTERED")

	sent := must(w, 2, 7, sendCode("+"+u.Phone[:5]+" "+u.Phone[5:])).(*tg.AuthSentCode)
	if sms, ok := sent.Type.(*tg.AuthSentCodeTypeSMS); !ok || int(sms.Length) != len(u.Code) {
		t.Errorf("an account without sessions should get an SMS of %d digits, got %#v", len(u.Code), sent.Type)
	}
	if _, ok := sent.NextType.Value.(*tg.AuthCodeTypeCall); !ok || sent.Timeout.Value != 60 {
		t.Errorf("next should be a call after 60 s, got %#v after %d", sent.NextType.Value, sent.Timeout.Value)
	}
	if u.Code != "22222" {
		t.Errorf("code of a number of DC 2 is %q, want the digit repeated", u.Code)
	}
	auth := must(w, 2, 7, signIn(u.Phone, sent.PhoneCodeHash, u.Code)).(*tg.AuthAuthorization)
	me := auth.User.(*tg.User)
	if me.ID != u.ID || !me.Self || me.Phone.Value != u.Phone || len(auth.FutureAuthToken.Value) != futureTokenLen {
		t.Errorf("authorization does not carry the account: %+v", auth)
	}
	if got := must(w, 2, 7, self()); len(got) != 1 || got[0].(*tg.User).ID != u.ID {
		t.Errorf("users.getUsers(self) = %v", got)
	}
	if id, ok := w.b.UserOf(2, 7); !ok || id != u.ID {
		t.Errorf("UserOf = %d, %v", id, ok)
	}
	if _, ok := w.b.UserOf(3, 7); ok {
		t.Error("the same key id on another DC is another key")
	}
	refused(w, "the hash is spent", 2, 7, signIn(u.Phone, sent.PhoneCodeHash, u.Code), 400, "PHONE_CODE_EXPIRED")
	if l := w.b.Logins(); len(l) != 1 || l[0].Method != "auth.signIn" || l[0].UserID != u.ID || !l[0].At.Equal(noon) {
		t.Errorf("Logins = %+v", l)
	}
}

func TestSendCodeSendsToTheDCOfTheNumber(t *testing.T) {
	w := newWorld(t, Config{})
	for _, c := range []struct {
		name, phone string
		dc          int
		want        string
	}{
		{"a known number of DC 3, asked on DC 1", w.person(3).Phone, 1, "PHONE_MIGRATE_3"},
		{"an unknown test number of DC 3, asked on DC 1", "9996634321", 1, "NETWORK_MIGRATE_3"},
		{"an unknown test number of a DC that is not there", "9996694321", 1, "NETWORK_MIGRATE_2"},
		{"an unknown number without a DC in it", "15550001234", 3, "NETWORK_MIGRATE_2"},
		{"an unknown number on the nearest DC", "15550001234", 2, ""},
		{"a known number at home", w.person(1).Phone, 1, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := ask(w, c.dc, 1, sendCode(c.phone))
			if got := text(err); got != c.want {
				t.Errorf("answered %q, want %q", got, c.want)
			}
			if c.want != "" && err.Code != 303 {
				t.Errorf("code %d, want 303", err.Code)
			}
		})
	}
}

func text(err *Error) string {
	if err == nil {
		return ""
	}
	return err.Text
}

func TestSendCodeRefusals(t *testing.T) {
	for _, c := range []struct {
		name   string
		cfg    Config
		query  func(w *world) *tg.AuthSendCodeRequest
		code   int
		text   string
		before func(w *world)
	}{
		{name: "no digits in the number", query: func(*world) *tg.AuthSendCodeRequest { return sendCode("hello") },
			code: 406, text: "PHONE_NUMBER_INVALID"},
		{name: "sixteen digits", query: func(*world) *tg.AuthSendCodeRequest { return sendCode("1234567890123456") },
			code: 406, text: "PHONE_NUMBER_INVALID"},
		{name: "another application's hash", query: func(w *world) *tg.AuthSendCodeRequest {
			q := sendCode(w.person(1).Phone)
			q.APIHash = "00"
			return q
		}, code: 400, text: "API_ID_INVALID"},
		{name: "another id than initConnection named", query: func(w *world) *tg.AuthSendCodeRequest {
			q := sendCode(w.person(1).Phone)
			q.APIID, q.APIHash = 5, "five"
			return q
		}, cfg: Config{Apps: []App{}}, code: 400, text: "API_ID_INVALID"},
		{name: "id 0 where any is accepted", query: func(w *world) *tg.AuthSendCodeRequest {
			q := sendCode(w.person(1).Phone)
			q.APIID = 0
			return q
		}, cfg: Config{Apps: []App{}}, code: 400, text: "API_ID_INVALID"},
		{name: "a published id", query: func(w *world) *tg.AuthSendCodeRequest { return sendCode(w.person(1).Phone) },
			cfg: Config{PublishedApps: []int{TestApp().ID}}, code: 400, text: "API_ID_PUBLISHED_FLOOD"},
		{name: "a banned number", query: func(w *world) *tg.AuthSendCodeRequest { return sendCode(w.person(1).Phone) },
			before: func(w *world) { _ = w.b.Ban(w.now, w.person(1).ID) }, code: 400, text: "PHONE_NUMBER_BANNED"},
		{name: "an unknown number where sign-up is closed", query: func(*world) *tg.AuthSendCodeRequest { return sendCode("9996619999") },
			cfg: Config{NoSignUp: true}, code: 400, text: "PHONE_NUMBER_APP_SIGNUP_FORBIDDEN"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, c.cfg)
			if c.before != nil {
				c.before(w)
			}
			refused(w, c.name, 1, 1, c.query(w), c.code, c.text)
		})
	}
}

func TestAnyApplicationIsAcceptedWhenTheListIsEmpty(t *testing.T) {
	w := newWorld(t, Config{Apps: []App{}})
	q := sendCode(w.person(1).Phone)
	q.APIID, q.APIHash = 5, "five"
	w.app.APIID = 5
	must(w, 1, 1, q)
	if ids := w.b.APIIDs(); len(ids) != 0 {
		t.Errorf("APIIDs = %v, want none named", ids)
	}
}

func TestSignInRefusals(t *testing.T) {
	w := newWorld(t, Config{})
	u := w.person(1)
	hash := w.hash(1, 1, u.Phone)
	refused(w, "no code", 1, 1, &tg.AuthSignInRequest{PhoneNumber: u.Phone, PhoneCodeHash: hash}, 400, "PHONE_CODE_EMPTY")
	refused(w, "an empty code", 1, 1, signIn(u.Phone, hash, " "), 400, "PHONE_CODE_EMPTY")
	refused(w, "a wrong code", 1, 1, signIn(u.Phone, hash, "00000"), 400, "PHONE_CODE_INVALID")
	refused(w, "an unknown hash", 1, 1, signIn(u.Phone, "ffff", u.Code), 400, "PHONE_CODE_EXPIRED")
	refused(w, "another key's hash", 1, 2, signIn(u.Phone, hash, u.Code), 400, "PHONE_CODE_EXPIRED")
	refused(w, "another number's hash", 1, 1, signIn("9996615555", hash, u.Code), 400, "PHONE_CODE_EXPIRED")
	refused(w, "another DC", 2, 1, signIn(u.Phone, hash, u.Code), 303, "PHONE_MIGRATE_1")
	refused(w, "a malformed number", 1, 1, signIn("", hash, u.Code), 406, "PHONE_NUMBER_INVALID")
	must(w, 1, 1, signIn(u.Phone, hash, u.Code))
}

func TestFiveWrongCodesSpendTheAttempt(t *testing.T) {
	w := newWorld(t, Config{})
	u := w.person(1)
	hash := w.hash(1, 1, u.Phone)
	for range 5 {
		refused(w, "a wrong code", 1, 1, signIn(u.Phone, hash, "00000"), 400, "PHONE_CODE_INVALID")
	}
	refused(w, "the right code after five wrong ones", 1, 1, signIn(u.Phone, hash, u.Code), 400, "PHONE_CODE_EXPIRED")
}

func TestACodeExpires(t *testing.T) {
	w := newWorld(t, Config{})
	u := w.person(1)
	hash := w.hash(1, 1, u.Phone)
	w.now = w.now.Add(5 * time.Minute)
	refused(w, "after five minutes", 1, 1, signIn(u.Phone, hash, u.Code), 400, "PHONE_CODE_EXPIRED")

	hash = w.hash(1, 1, u.Phone)
	w.sleep(5 * time.Minute)
	refused(w, "after five minutes and a sweep", 1, 1, signIn(u.Phone, hash, u.Code), 400, "PHONE_CODE_EXPIRED")
	hash = w.hash(1, 1, u.Phone)
	w.sleep(25 * time.Hour)
	w.sleep(time.Minute)
	if n := len(w.b.attempts.byHash); n != 0 {
		t.Errorf("%d attempts are kept after their end", n)
	}
	refused(w, "when it is forgotten", 1, 1, signIn(u.Phone, hash, u.Code), 400, "PHONE_CODE_EXPIRED")
}

func TestACodeLivesOnADCWhoseClockIsBehind(t *testing.T) {
	w := newWorld(t, Config{})
	u := w.person(1)
	clusterTime := w.now
	w.now = w.now.Add(-10 * time.Hour) // what the DC believes
	hash := w.hash(1, 1, u.Phone)
	if w.b.Deadline().Before(clusterTime) {
		w.b.Advance(clusterTime)
	}
	must(w, 1, 1, signIn(u.Phone, hash, u.Code))
}

func TestResendGoesDownTheChainAndEnds(t *testing.T) {
	w := newWorld(t, Config{})
	u := w.person(1)
	resend := func(hash string) *tg.AuthResendCodeRequest {
		return &tg.AuthResendCodeRequest{PhoneNumber: u.Phone, PhoneCodeHash: hash}
	}
	first := w.hash(1, 1, u.Phone)
	refused(w, "without a hash", 1, 1, resend(""), 400, "PHONE_CODE_HASH_EMPTY")
	refused(w, "an unknown hash", 1, 1, resend("ffff"), 400, "PHONE_CODE_EXPIRED")
	w.sleep(10 * time.Second)
	refused(w, "too early", 1, 1, resend(first), 420, "FLOOD_WAIT_50")
	w.sleep(20*time.Second + time.Millisecond)
	refused(w, "still too early", 1, 1, resend(first), 420, "FLOOD_WAIT_30")
	w.sleep(30 * time.Second)

	second := must(w, 1, 1, resend(first)).(*tg.AuthSentCode)
	if _, ok := second.Type.(*tg.AuthSentCodeTypeCall); !ok || second.NextType.Set || second.PhoneCodeHash == first {
		t.Errorf("the second code should be a call under a new hash with nothing after it: %+v", second)
	}
	refused(w, "the old hash", 1, 1, signIn(u.Phone, first, u.Code), 400, "PHONE_CODE_EXPIRED")
	w.sleep(time.Minute)
	refused(w, "the end of the chain", 1, 1, resend(second.PhoneCodeHash), 406, "SEND_CODE_UNAVAILABLE")
	must(w, 1, 1, signIn(u.Phone, second.PhoneCodeHash, u.Code))
}

func TestALongChainIsAnnouncedStepByStep(t *testing.T) {
	w := newWorld(t, Config{CodeChain: []CodeType{CodeWord, CodeSMS, CodeCall, CodeFlashCall, CodeMissedCall, CodeFragment},
		ResendTimeout: -1})
	u := w.person(1)
	sent := must(w, 1, 1, sendCode(u.Phone)).(*tg.AuthSentCode)
	for _, want := range []struct{ next, typ string }{
		{"auth.codeTypeSms", "auth.sentCodeTypeSms"},
		{"auth.codeTypeCall", "auth.sentCodeTypeCall"},
		{"auth.codeTypeFlashCall", "auth.sentCodeTypeFlashCall"},
		{"auth.codeTypeMissedCall", "auth.sentCodeTypeMissedCall"},
		{"auth.codeTypeFragmentSms", "auth.sentCodeTypeFragmentSms"},
	} {
		if got := sent.NextType.Value.TypeName(); got != want.next || sent.Timeout.Set {
			t.Errorf("next is %s after %d s, want %s at once", got, sent.Timeout.Value, want.next)
		}
		q := &tg.AuthResendCodeRequest{PhoneNumber: u.Phone, PhoneCodeHash: sent.PhoneCodeHash}
		sent = must(w, 1, 1, q).(*tg.AuthSentCode)
		if got := sent.Type.TypeName(); got != want.typ {
			t.Errorf("sent by %s, want %s", got, want.typ)
		}
	}
}

func TestCancelCodeKillsTheHash(t *testing.T) {
	w := newWorld(t, Config{})
	u := w.person(1)
	hash := w.hash(1, 1, u.Phone)
	cancel := &tg.AuthCancelCodeRequest{PhoneNumber: u.Phone, PhoneCodeHash: hash}
	if !must(w, 1, 1, cancel) {
		t.Error("auth.cancelCode answered false")
	}
	refused(w, "again", 1, 1, cancel, 400, "PHONE_CODE_EXPIRED")
	refused(w, "the code", 1, 1, signIn(u.Phone, hash, u.Code), 400, "PHONE_CODE_EXPIRED")
	refused(w, "no hash", 1, 1, &tg.AuthCancelCodeRequest{PhoneNumber: u.Phone}, 400, "PHONE_CODE_HASH_EMPTY")
}

func TestTheAppGetsTheCodeWhenTheAccountHasAnotherSession(t *testing.T) {
	w := newWorld(t, Config{})
	u := w.person(1)
	w.login(u, 1)
	sent := must(w, 1, 2, sendCode(u.Phone)).(*tg.AuthSentCode)
	if _, ok := sent.Type.(*tg.AuthSentCodeTypeApp); !ok {
		t.Errorf("type %#v, want the app", sent.Type)
	}
	if _, ok := sent.NextType.Value.(*tg.AuthCodeTypeSMS); !ok {
		t.Errorf("next type %#v, want an SMS", sent.NextType.Value)
	}
}

func TestEveryCodeTypedFromAMessageOrCallIsTaken(t *testing.T) {
	for ct := CodeApp; ct <= CodePhrase; ct++ {
		t.Run(ct.String(), func(t *testing.T) {
			w := newWorld(t, Config{CodeChain: []CodeType{ct}})
			u := w.person(1)
			sent := must(w, 1, 1, sendCode(u.Phone)).(*tg.AuthSentCode)
			code := w.b.Code(u.Phone)
			switch typ := sent.Type.(type) {
			case *tg.AuthSentCodeTypeFlashCall:
				if n := strings.IndexByte(typ.Pattern, '*'); code[:n] != typ.Pattern[:n] || len(code) != len(typ.Pattern) {
					t.Errorf("code %q does not fit the pattern %q", code, typ.Pattern)
				}
			case *tg.AuthSentCodeTypeSMSWord:
				if !strings.HasPrefix(code, typ.Beginning.Value) {
					t.Errorf("code %q does not begin with %q", code, typ.Beginning.Value)
				}
			case *tg.AuthSentCodeTypeSMSPhrase:
				code = strings.ToUpper(strings.ReplaceAll(code, " ", "  "))
			}
			must(w, 1, 1, signIn(u.Phone, sent.PhoneCodeHash, code))
		})
	}
}

func TestAnUnknownNumberSignsUp(t *testing.T) {
	w := newWorld(t, Config{})
	const phone = "9996625555"
	up := func(hash, first, last string) *tg.AuthSignUpRequest {
		return &tg.AuthSignUpRequest{PhoneNumber: phone, PhoneCodeHash: hash, FirstName: first, LastName: last}
	}
	hash := w.hash(2, 1, phone)
	refused(w, "before the code", 2, 1, up(hash, "Ada", ""), 400, "PHONE_CODE_EXPIRED")
	res := must(w, 2, 1, signIn(phone, hash, "22222"))
	need, ok := res.(*tg.AuthAuthorizationSignUpRequired)
	if !ok || need.TermsOfService.Value.Text == "" {
		t.Fatalf("signIn answered %#v, want sign-up required with terms", res)
	}
	refused(w, "still nobody", 2, 1, self(), 401, "AUTH_KEY_UNREGISTERED")
	refused(w, "no first name", 2, 1, up(hash, "  ", "x"), 400, "FIRSTNAME_INVALID")
	refused(w, "a long first name", 2, 1, up(hash, strings.Repeat("ä", 65), ""), 400, "FIRSTNAME_INVALID")
	refused(w, "a long last name", 2, 1, up(hash, "Ada", strings.Repeat("x", 65)), 400, "LASTNAME_INVALID")
	refused(w, "another hash", 2, 1, up("ffff", "Ada", ""), 400, "PHONE_CODE_EXPIRED")

	auth := must(w, 2, 1, up(hash, " Ada ", " Lovelace ")).(*tg.AuthAuthorization)
	me := auth.User.(*tg.User)
	if me.FirstName.Value != "Ada" || me.LastName.Value != "Lovelace" || me.Phone.Value != phone {
		t.Errorf("the new account is %+v", me)
	}
	if got := must(w, 2, 1, self())[0].(*tg.User); got.ID != me.ID {
		t.Errorf("self is %d, want %d", got.ID, me.ID)
	}
	refused(w, "the number has a home now", 1, 9, sendCode(phone), 303, "PHONE_MIGRATE_2")
}

func TestTheRightCodeGivesMoreTimeToSignUp(t *testing.T) {
	w := newWorld(t, Config{})
	hash := w.hash(2, 1, "9996625555")
	up := &tg.AuthSignUpRequest{PhoneNumber: "9996625555", PhoneCodeHash: hash, FirstName: "Ada"}
	w.sleep(4 * time.Minute)
	must(w, 2, 1, signIn("9996625555", hash, "22222"))
	w.sleep(4 * time.Minute)
	must(w, 2, 1, up)

	up.PhoneNumber = "9996626666"
	up.PhoneCodeHash = w.hash(2, 2, up.PhoneNumber)
	must(w, 2, 2, signIn(up.PhoneNumber, up.PhoneCodeHash, "22222"))
	w.sleep(5 * time.Minute)
	refused(w, "five minutes after the code", 2, 2, up, 400, "PHONE_CODE_EXPIRED")
}

func TestOnlyTheNewestTokensAreKept(t *testing.T) {
	w := newWorld(t, Config{FutureTokens: 2, LoginsPerDay: -1})
	u := w.person(1)
	oldest := w.login(u, 1).FutureAuthToken.Value
	w.login(u, 2)
	newest := w.login(u, 3).FutureAuthToken.Value
	if _, ok := must(w, 1, 4, sendCode(u.Phone, oldest)).(*tg.AuthSentCode); !ok {
		t.Error("the oldest of three tokens signed in")
	}
	if _, ok := must(w, 1, 4, sendCode(u.Phone, newest)).(*tg.AuthSentCodeSuccess); !ok {
		t.Error("the newest token did not sign in")
	}
}

func TestANumberTakenDuringSignUpIsOccupied(t *testing.T) {
	w := newWorld(t, Config{})
	const phone = "9996625555"
	hash := w.hash(2, 1, phone)
	must(w, 2, 1, signIn(phone, hash, "22222"))
	if _, err := w.b.AddPerson(Person{Phone: phone, HomeDC: 2}); err != nil {
		t.Fatal(err)
	}
	refused(w, "registered meanwhile", 2, 1,
		&tg.AuthSignUpRequest{PhoneNumber: phone, PhoneCodeHash: hash, FirstName: "Ada"}, 400, "PHONE_NUMBER_OCCUPIED")
}

func TestAnUnknownTestNumberIsCreatedWhenTheSwitchIsOn(t *testing.T) {
	w := newWorld(t, Config{AutoCreate: true})
	hash := w.hash(2, 1, "9996625555")
	if _, ok := must(w, 2, 1, signIn("9996625555", hash, "22222")).(*tg.AuthAuthorization); !ok {
		t.Error("want an authorization")
	}
}

func TestALogoutTokenReplacesTheCodeOnce(t *testing.T) {
	w := newWorld(t, Config{})
	u := w.person(1)
	w.login(u, 1)
	token := must(w, 1, 1, &tg.AuthLogOutRequest{}).FutureAuthToken.Value
	refused(w, "after log-out", 1, 1, self(), 401, "AUTH_KEY_UNREGISTERED")

	other := w.login(w.person(1), 3).FutureAuthToken.Value
	ok, isSuccess := must(w, 1, 2, sendCode(u.Phone, []byte("nonsense"), token)).(*tg.AuthSentCodeSuccess)
	if !isSuccess {
		t.Fatal("the token of the log-out did not sign in")
	}
	fresh := ok.Authorization.(*tg.AuthAuthorization).FutureAuthToken.Value
	if len(fresh) == 0 || string(fresh) == string(token) || string(fresh) == string(other) {
		t.Error("the success carries no fresh token")
	}
	must(w, 1, 2, self())
	if _, again := must(w, 1, 4, sendCode(u.Phone, token)).(*tg.AuthSentCodeSuccess); again {
		t.Error("a spent token signed in")
	}
	if _, strange := must(w, 1, 5, sendCode("9996619999", fresh)).(*tg.AuthSentCodeSuccess); strange {
		t.Error("a token signed in to another number")
	}
}

func TestAFutureTokenExpires(t *testing.T) {
	w := newWorld(t, Config{})
	u := w.person(1)
	token := w.login(u, 1).FutureAuthToken.Value
	w.sleep(90 * 24 * time.Hour)
	if _, ok := must(w, 1, 2, sendCode(u.Phone, token)).(*tg.AuthSentCode); !ok {
		t.Error("a token of 90 days ago signed in")
	}
}

func TestAPasswordStopsTheLoginHalfway(t *testing.T) {
	w := newWorld(t, Config{})
	u := w.person(1)
	token := w.login(u, 9).FutureAuthToken.Value
	if err := w.b.SetPassword(u.ID, "correct horse"); err != nil {
		t.Fatal(err)
	}
	hash := w.hash(1, 1, u.Phone)
	refused(w, "the right code", 1, 1, signIn(u.Phone, hash, w.b.Code(u.Phone)), 401, "SESSION_PASSWORD_NEEDED")
	refused(w, "any call", 1, 1, self(), 401, "SESSION_PASSWORD_NEEDED")
	must(w, 1, 1, &tg.HelpGetConfigRequest{})
	if _, ok := w.b.UserOf(1, 1); ok {
		t.Error("a half login is a user")
	}
	if n := len(w.b.Authorizations()); n != 1 {
		t.Errorf("%d authorizations, want the first login's only", n)
	}
	rows := must(w, 1, 9, &tg.AccountGetAuthorizationsRequest{}).Authorizations
	if len(rows) != 2 || !rows[1].PasswordPending {
		t.Errorf("the half login does not show: %+v", rows)
	}
	w.hash(1, 1, u.Phone)
	refused(w, "after a new code request the half login is gone", 1, 1, self(), 401, "AUTH_KEY_UNREGISTERED")
	refused(w, "a token with a password", 1, 2, sendCode(u.Phone, token), 401, "SESSION_PASSWORD_NEEDED")
	must(w, 1, 2, &tg.AuthLogOutRequest{})
	refused(w, "after log-out of a half login", 1, 2, self(), 401, "AUTH_KEY_UNREGISTERED")
}

func TestAKeyTakesNoSecondUser(t *testing.T) {
	w := newWorld(t, Config{})
	w.login(w.person(1), 1)
	second, err := w.b.AddPerson(Person{HomeDC: 1})
	if err != nil {
		t.Fatal(err)
	}
	phone := w.b.dir.byID[second].phone
	refused(w, "another person", 1, 1, signIn(phone, w.hash(1, 1, phone), w.b.Code(phone)), 500, "AUTH_RESTART")
	refused(w, "a bot", 1, 1, importBot(w.bot(1).BotToken), 500, "AUTH_RESTART")
	hash := w.hash(1, 1, "9996619999")
	must(w, 1, 1, signIn("9996619999", hash, "11111"))
	refused(w, "a new person", 1, 1,
		&tg.AuthSignUpRequest{PhoneNumber: "9996619999", PhoneCodeHash: hash, FirstName: "Ada"}, 500, "AUTH_RESTART")
	if got := must(w, 1, 1, self())[0].(*tg.User).ID; got != w.person(1).ID {
		t.Errorf("the key now belongs to %d", got)
	}
}

func TestEmailVerificationInsteadOfACodeIsNotACode(t *testing.T) {
	w := newWorld(t, Config{})
	u := w.person(1)
	q := &tg.AuthSignInRequest{PhoneNumber: u.Phone, PhoneCodeHash: w.hash(1, 1, u.Phone)}
	q.EmailVerification = tl.Some[tg.AnyEmailVerification](&tg.EmailVerificationCode{Code: "1"})
	refused(w, "an e-mail code", 1, 1, q, 400, "PHONE_CODE_EMPTY")
}

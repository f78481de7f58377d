package api

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/mtfleet/mtfleet/tl/tg"
)

func TestABotSignsInOnItsDC(t *testing.T) {
	w := newWorld(t, Config{})
	u := w.bot(3)
	refused(w, "on another DC", 1, 1, importBot(u.BotToken), 303, "USER_MIGRATE_3")
	auth := w.login(u, 1)
	me := auth.User.(*tg.User)
	if me.ID != u.ID || !me.Bot || !me.Self || me.Phone.Set || auth.FutureAuthToken.Set {
		t.Errorf("the bot's authorization is %+v of %+v", auth, me)
	}
	if a := w.b.Authorizations(); len(a) != 1 || !a[0].Bot || !a[0].Home || a[0].DC != 3 || a[0].Perm != 1 {
		t.Errorf("Authorizations = %+v", a)
	}
	if l := w.b.Logins(); len(l) != 1 || l[0].Method != "auth.importBotAuthorization" {
		t.Errorf("Logins = %+v", l)
	}
}

func TestALostAnswerToABotLoginIsRepeatedWithoutASecondLogin(t *testing.T) {
	w := newWorld(t, Config{})
	u := w.bot(1)
	w.login(u, 1)
	w.login(u, 1)
	if n := len(w.b.Logins()); n != 1 {
		t.Errorf("%d logins, want 1", n)
	}
	w.login(u, 2)
	if n := len(w.b.Logins()); n != 2 {
		t.Errorf("%d logins after one on a second key, want 2", n)
	}
}

func TestBotLoginRefusals(t *testing.T) {
	w := newWorld(t, Config{})
	u := w.bot(1)
	for name, token := range map[string]string{
		"nothing":                    "",
		"no colon":                   "12345",
		"no secret":                  "12345:",
		"a person's id":              importPrefix(w.person(1).ID) + u.BotToken[len(u.BotToken)-35:],
		"an id nobody has":           "77:" + u.BotToken[len(u.BotToken)-35:],
		"another secret":             u.BotToken[:len(u.BotToken)-1] + "!",
		"an id that is no number":    "x:" + u.BotToken[len(u.BotToken)-35:],
		"an id of more than 64 bits": "99999999999999999999:x",
	} {
		refused(w, name, 1, 1, importBot(token), 400, "ACCESS_TOKEN_INVALID")
	}
	bad := importBot(u.BotToken)
	bad.APIHash = ""
	refused(w, "no api_hash", 1, 1, bad, 400, "API_ID_INVALID")

	w.login(u, 1)
	fresh, err := w.b.RevokeToken(u.ID)
	if err != nil {
		t.Fatal(err)
	}
	refused(w, "the revoked token", 1, 2, importBot(u.BotToken), 400, "ACCESS_TOKEN_EXPIRED")
	must(w, 1, 2, importBot(fresh))
	must(w, 1, 1, self())
	if _, err := w.b.RevokeToken(w.person(1).ID); err == nil {
		t.Error("a person has no token to revoke")
	}
}

func importPrefix(id int64) string {
	const digits = "0123456789"
	s := ":"
	for ; id > 0; id /= 10 {
		s = string(digits[id%10]) + s
	}
	return s
}

func TestOtherSessionsHearOfANewLogin(t *testing.T) {
	w := newWorld(t, Config{CodeChain: []CodeType{CodeSMS}})
	u := w.person(1)
	w.login(u, 1)
	if p := w.pushes(); len(p) != 0 {
		t.Errorf("the first login pushed %d payloads", len(p))
	}
	w.login(u, 2)
	p := w.pushes()
	if len(p) != 1 || p[0].DC != 1 || p[0].Perm != 1 || idOf(p[0].Body) != updateShortID || idOf(p[0].Body[4:]) != updateNewAuthorizationID {
		t.Fatalf("pushes = %+v, want one updateNewAuthorization to the first key", p)
	}
	w.login(w.bot(1), 3)
	w.login(w.bot(1), 4)
	if p := w.pushes(); len(p) != 0 {
		t.Errorf("a bot's login pushed %d payloads", len(p))
	}
}

func TestFiveSignInsADayAreEnough(t *testing.T) {
	w := newWorld(t, Config{Limits: Limits{SendCodeNumber: RateLimit{Calls: -1}}})
	u := w.person(1)
	for i := range 5 {
		w.login(u, int64(i+1))
	}
	refused(w, "the sixth", 1, 9, sendCode(u.Phone), 400, "PHONE_NUMBER_FLOOD")
	w.sleep(24 * time.Hour)
	w.login(u, 9)
}

func TestLogOutEndsTheAuthorizationAndItsGuests(t *testing.T) {
	w := newWorld(t, Config{})
	u := w.person(1)
	w.login(u, 1)
	w.guest(u, 1, 2, 20)
	w.guest(u, 1, 3, 30)
	must(w, 3, 30, &tg.AuthLogOutRequest{})
	refused(w, "a guest that logged out", 3, 30, self(), 401, "AUTH_KEY_UNREGISTERED")
	must(w, 1, 1, self())

	out := must(w, 1, 1, &tg.AuthLogOutRequest{})
	if len(out.FutureAuthToken.Value) != futureTokenLen {
		t.Error("no token for the next sign-in")
	}
	refused(w, "home", 1, 1, self(), 401, "AUTH_KEY_UNREGISTERED")
	refused(w, "again", 1, 1, &tg.AuthLogOutRequest{}, 401, "AUTH_KEY_UNREGISTERED")
	refused(w, "the guest", 2, 20, self(), 401, "SESSION_REVOKED")
	var why []string
	for _, a := range w.b.Authorizations() {
		why = append(why, a.Why)
		if a.Ended.IsZero() {
			t.Errorf("%+v still lives", a)
		}
	}
	if len(why) != 3 || why[0] != "logged_out" || why[1] != "home_ended" || why[2] != "logged_out" {
		t.Errorf("reasons are %v", why)
	}
	if n := len(w.b.keys); n != 1 {
		t.Errorf("%d key records, want the revoked guest's only", n)
	}
}

func TestAKeyThatIsGoneEndsItsAuthorization(t *testing.T) {
	w := newWorld(t, Config{})
	u := w.person(1)
	w.login(u, 1)
	w.guest(u, 1, 2, 20)
	w.b.KeyGone(w.now, 2, 20)
	w.b.KeyGone(w.now, 2, 21)
	must(w, 1, 1, self())
	w.guest(u, 1, 2, 22)
	w.b.KeyGone(w.now, 1, 1)
	refused(w, "the guest", 2, 22, self(), 401, "SESSION_REVOKED")
	refused(w, "a new key with the old id", 1, 1, self(), 401, "AUTH_KEY_UNREGISTERED")
	if a := w.b.Authorizations(); a[0].Why != "key_gone" || a[1].Why != "key_gone" || a[2].Why != "home_ended" {
		t.Errorf("reasons are %+v", a)
	}
}

func TestDuplicateUseIsAnsweredOnceAndEndsTheAuthorization(t *testing.T) {
	w := newWorld(t, Config{})
	w.login(w.person(1), 1)
	if err := w.b.InjectDuplicate(1, 1); err != nil {
		t.Fatal(err)
	}
	w.pushes()
	refused(w, "the next call", 1, 1, self(), 406, "AUTH_KEY_DUPLICATED")
	refused(w, "the one after", 1, 1, self(), 401, "AUTH_KEY_UNREGISTERED")
	p := w.pushes()
	if len(p) != 1 || idOf(p[0].Body[4:]) != updateServiceNotificationID {
		t.Errorf("pushes = %+v, want one service notification", p)
	}
	if a := w.b.Authorizations(); a[0].Why != "duplicated" {
		t.Errorf("reason is %q", a[0].Why)
	}
	if err := w.b.InjectDuplicate(1, 1); err == nil {
		t.Error("a key without a user cannot be duplicated")
	}
}

func TestTwoHostsOnOneHomeKeyAreDuplicateUse(t *testing.T) {
	w := newWorld(t, Config{DuplicateWindow: time.Second})
	w.login(w.person(1), 1)
	from := func(addr string) *Error {
		return w.b.Handle(&Request{Now: w.now, DC: 1, Perm: 1, RemoteAddr: addr, Body: self().Append(nil)}).Err
	}
	if err := from("127.0.0.1:50000"); err != nil {
		t.Errorf("another port of the same host: %v", err)
	}
	w.sleep(2 * time.Second)
	if err := from("127.0.0.2:1"); err != nil {
		t.Errorf("another host after the window: %v", err)
	}
	w.sleep(time.Second / 2)
	if err := from("127.0.0.1:50000"); text(err) != "AUTH_KEY_DUPLICATED" {
		t.Errorf("another host within the window: %v", err)
	}
}

func TestAMovedAccountIsSentToItsNewHome(t *testing.T) {
	w := newWorld(t, Config{})
	u := w.person(1)
	w.login(u, 1)
	w.guest(u, 1, 3, 30)
	if err := w.b.Move(u.ID, 2); err != nil {
		t.Fatal(err)
	}
	refused(w, "the old home", 1, 1, &tg.UpdatesGetStateRequest{}, 303, "USER_MIGRATE_2")
	must(w, 1, 1, self())
	w.guest(u, 1, 2, 20)
	must(w, 2, 20, &tg.UpdatesGetStateRequest{})
	refused(w, "the old home is a guest now", 1, 1, &tg.UpdatesGetStateRequest{}, 303, "USER_MIGRATE_2")
	if rows := must(w, 2, 20, &tg.AccountGetAuthorizationsRequest{}).Authorizations; len(rows) != 1 {
		t.Errorf("%d rows, want the new home's", len(rows))
	}
	must(w, 2, 20, &tg.AuthLogOutRequest{})
	refused(w, "the old home, after log-out", 1, 1, self(), 401, "SESSION_REVOKED")
	refused(w, "the other guest, after log-out", 3, 30, self(), 401, "SESSION_REVOKED")
	if err := w.b.Move(u.ID, 4); err == nil {
		t.Error("there is no DC 4")
	}
}

func TestBytesExportedBeforeAMoveLeadToTheNewHome(t *testing.T) {
	w := newWorld(t, Config{Limits: Limits{ExportAuthorization: RateLimit{Calls: -1}}})
	u := w.person(1)
	w.login(u, 1)
	first, second, third := must(w, 1, 1, exportTo(2)), must(w, 1, 1, exportTo(2)), must(w, 1, 1, exportTo(3))
	_ = w.b.Move(u.ID, 2)
	must(w, 2, 20, imported(first))
	refused(w, "a second home by import", 2, 21, imported(second), 400, "AUTH_BYTES_INVALID")
	must(w, 3, 30, imported(third))
	must(w, 2, 20, &tg.AuthLogOutRequest{})
	refused(w, "the guest of the new home", 3, 30, self(), 401, "SESSION_REVOKED")
}

func TestAnAccountThatMovesToAndFroComesHomeByImport(t *testing.T) {
	w := newWorld(t, Config{})
	u := w.person(1)
	w.login(u, 1)
	_ = w.b.Move(u.ID, 2)
	w.guest(u, 1, 2, 20)
	_ = w.b.Move(u.ID, 1)
	refused(w, "the first key, a guest at home", 1, 1, &tg.UpdatesGetStateRequest{}, 401, "AUTH_KEY_UNREGISTERED")
	refused(w, "the second key", 2, 20, &tg.UpdatesGetStateRequest{}, 303, "USER_MIGRATE_1")
	must(w, 1, 1, imported(must(w, 2, 20, exportTo(1))))
	must(w, 1, 1, &tg.UpdatesGetStateRequest{})
}

func TestAnAuthorizationNobodyUsesExpires(t *testing.T) {
	w := newWorld(t, Config{AuthTTLDays: 30})
	u := w.person(1)
	w.login(u, 1)
	w.guest(u, 1, 2, 20)
	w.sleep(29 * 24 * time.Hour)
	must(w, 1, 1, self())
	w.sleep(30 * 24 * time.Hour)
	refused(w, "after thirty days of silence", 1, 1, self(), 401, "SESSION_EXPIRED")
	refused(w, "its guest", 2, 20, self(), 401, "SESSION_REVOKED")
	w.login(u, 1)
	must(w, 1, 1, self())
}

// broken is a source of randomness that fails.
type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, errors.New("broken") }

func TestRandomnessThatFailsIsReplaced(t *testing.T) {
	w := newWorld(t, Config{Rand: broken{}})
	u := w.person(1)
	a, b := w.hash(1, 1, u.Phone), w.hash(1, 2, u.Phone)
	if len(a) != 24 || a == b {
		t.Errorf("hashes %q and %q", a, b)
	}
	w = newWorld(t, Config{Rand: strings.NewReader(strings.Repeat("x", 12))})
	if h := w.hash(1, 1, u.Phone); h != "787878787878787878787878" {
		t.Errorf("the given source was not used: %q", h)
	}
}

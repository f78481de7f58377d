package api

import (
	"testing"
	"time"

	"github.com/mtfleet/mtfleet/tl/tg"
)

func TestAWebTokenSignsInOnceOnItsDC(t *testing.T) {
	w := newWorld(t, Config{})
	u := w.person(2)
	token, dc, err := w.b.WebToken(w.now, u.ID)
	if err != nil || dc != 2 {
		t.Fatalf("DC %d, %v", dc, err)
	}
	q := func(token string) *tg.AuthImportWebTokenAuthorizationRequest {
		return &tg.AuthImportWebTokenAuthorizationRequest{APIID: int32(TestApp().ID), APIHash: TestApp().Hash, WebAuthToken: token}
	}
	bad := q(token)
	bad.APIHash = "x"
	refused(w, "a wrong api_hash", 2, 1, bad, 400, "API_ID_INVALID")
	refused(w, "on another DC", 1, 1, q(token), 303, "USER_MIGRATE_2")
	refused(w, "a token nobody made", 2, 1, q("x"), 400, "AUTH_TOKEN_INVALID")
	must(w, 2, 1, q(token))
	must(w, 2, 1, self())
	must(w, 2, 1, q(token)) // its answer was lost
	refused(w, "by another key", 2, 2, q(token), 400, "WEBAUTH_TOKEN_EXPIRED")

	late, _, _ := w.b.WebToken(w.now, u.ID)
	w.sleep(time.Minute)
	refused(w, "a minute later", 2, 2, q(late), 400, "WEBAUTH_TOKEN_EXPIRED")

	_ = w.b.SetPassword(u.ID, "correct horse")
	guarded, _, _ := w.b.WebToken(w.now, u.ID)
	refused(w, "with a password", 2, 2, q(guarded), 401, "SESSION_PASSWORD_NEEDED")
	must(w, 2, 2, w.proof(2, 2, "correct horse"))
	if _, _, err := w.b.WebToken(w.now, w.bot(1).ID); err == nil {
		t.Error("a bot has a web token")
	}
}

func TestACarriersWordSignsInBehindItsSwitch(t *testing.T) {
	begin := &tg.AuthInitFirebasePnvLoginRequest{APIID: int32(TestApp().ID), APIHash: TestApp().Hash}
	finish := func(token string) *tg.AuthFinishFirebasePnvLoginRequest {
		return &tg.AuthFinishFirebasePnvLoginRequest{GoogleToken: token}
	}
	up := &tg.AuthFirebasePnvSignUpRequest{FirstName: "Ada"}
	w := newWorld(t, Config{})
	refused(w, "off", 1, 1, begin, 400, "METHOD_INVALID")
	refused(w, "off", 1, 1, finish("x"), 400, "METHOD_INVALID")
	refused(w, "off", 1, 1, up, 400, "METHOD_INVALID")

	w = newWorld(t, Config{PNV: true})
	if i := must(w, 1, 1, begin); i.Nonce == "" || i.DigitalCredentialPayload == "" {
		t.Errorf("the intent is %+v", i)
	}
	refused(w, "a token nobody made", 1, 1, finish("x"), 400, "AUTH_TOKEN_INVALID")
	known := w.b.PNVToken(w.person(2).Phone)
	refused(w, "on another DC", 1, 1, finish(known), 303, "PHONE_MIGRATE_2")
	must(w, 2, 1, finish(known))
	must(w, 2, 1, self())

	refused(w, "before the number is known", 3, 1, up, 400, "PHONE_CODE_EXPIRED")
	if _, ok := must(w, 3, 1, finish(w.b.PNVToken("9996637777"))).(*tg.AuthAuthorizationSignUpRequired); !ok {
		t.Fatal("an unknown number is not asked to sign up")
	}
	refused(w, "without a name", 3, 1, &tg.AuthFirebasePnvSignUpRequest{}, 400, "FIRSTNAME_INVALID")
	must(w, 3, 1, up)
	must(w, 3, 1, self())
	if w.b.dir.byPhone["9996637777"] == nil {
		t.Error("there is no account")
	}
}

package api

import (
	"bytes"
	"testing"
	"time"

	"github.com/mtfleet/mtfleet/tl/tg"
)

func exportToken(except ...int64) *tg.AuthExportLoginTokenRequest {
	return &tg.AuthExportLoginTokenRequest{APIID: int32(TestApp().ID), APIHash: TestApp().Hash, ExceptIDs: except}
}

func importToken(token []byte) *tg.AuthImportLoginTokenRequest {
	return &tg.AuthImportLoginTokenRequest{Token: token}
}

func accept(token []byte) *tg.AuthAcceptLoginTokenRequest {
	return &tg.AuthAcceptLoginTokenRequest{Token: token}
}

// shown asks for a token to show as a QR code.
func (w *world) shown(dc int, perm int64, except ...int64) *tg.AuthLoginToken {
	w.t.Helper()
	t, ok := must(w, dc, perm, exportToken(except...)).(*tg.AuthLoginToken)
	if !ok {
		w.t.Fatal("no token to show")
	}
	return t
}

func TestAQRCodeNobodyScansRunsOutAndIsReplaced(t *testing.T) {
	w := newWorld(t, Config{})
	w.login(w.person(1), 1)
	first := w.shown(2, 9)
	if len(first.Token) < 16 || first.Expires != int32(w.now.Add(30*time.Second).Unix()) {
		t.Errorf("the token is %d bytes, good until %d", len(first.Token), first.Expires)
	}
	w.sleep(30 * time.Second)
	second := w.shown(2, 9)
	if bytes.Equal(first.Token, second.Token) {
		t.Error("the second token is the first")
	}
	refused(w, "the first token", 1, 1, accept(first.Token), 400, "AUTH_TOKEN_EXPIRED")
	refused(w, "a token nobody made", 1, 1, accept([]byte("0123456789abcdef")), 400, "AUTH_TOKEN_INVALID")
	must(w, 1, 1, accept(second.Token))
}

func TestAScanAtTheSameDCSignsInAtTheNextQuestion(t *testing.T) {
	w := newWorld(t, Config{FreshSession: -1})
	u := w.person(1)
	w.login(u, 1)
	w.app.DeviceModel = "the new rig"
	early, token := w.shown(1, 9).Token, w.shown(1, 9).Token
	w.pushes()
	row := must(w, 1, 1, accept(token))
	if row.DeviceModel != "the new rig" || row.Hash == 0 || row.Current || row.PasswordPending {
		t.Errorf("who accepts is shown %+v", row)
	}
	p := w.pushes()
	if len(p) != 1 || p[0].Perm != 9 || p[0].DC != 1 || idOf(p[0].Body[4:]) != updateLoginTokenID {
		t.Fatalf("pushed %+v, want updateLoginToken to the waiting key", p)
	}
	w.login(w.person(2), 2)
	refused(w, "an earlier token of the same key", 2, 2, accept(early), 400, "AUTH_TOKEN_ALREADY_ACCEPTED")
	w.pushes()
	refused(w, "before its next question the key", 1, 9, self(), 401, "AUTH_KEY_UNREGISTERED")
	refused(w, "a second scan", 1, 1, accept(token), 400, "AUTH_TOKEN_ALREADY_ACCEPTED")
	ok, is := must(w, 1, 9, exportToken()).(*tg.AuthLoginTokenSuccess)
	if !is || ok.Authorization.(*tg.AuthAuthorization).User.(*tg.User).ID != u.ID {
		t.Fatalf("answered %+v", ok)
	}
	if _, again := must(w, 1, 9, exportToken()).(*tg.AuthLoginTokenSuccess); !again {
		t.Error("after a lost answer the key is not told again")
	}
	must(w, 1, 1, &tg.AccountResetAuthorizationRequest{Hash: row.Hash})
	refused(w, "ended by the handle that accept gave", 1, 9, self(), 401, "SESSION_REVOKED")
}

func TestAScanElsewhereSendsTheLoginToTheAccountsDC(t *testing.T) {
	w := newWorld(t, Config{})
	u := w.person(2)
	w.login(u, 1)
	must(w, 2, 1, accept(w.shown(1, 9).Token))
	move, ok := must(w, 1, 9, exportToken()).(*tg.AuthLoginTokenMigrateTo)
	if !ok || move.DCID != 2 {
		t.Fatalf("answered %+v, want the way to DC 2", move)
	}
	if again := must(w, 1, 9, exportToken()).(*tg.AuthLoginTokenMigrateTo); !bytes.Equal(again.Token, move.Token) {
		t.Error("asked again, it is another token")
	}
	refused(w, "imported on the wrong DC", 3, 9, importToken(move.Token), 400, "AUTH_TOKEN_INVALID")
	refused(w, "accepted once more", 2, 1, accept(move.Token), 400, "AUTH_TOKEN_INVALID")
	must(w, 2, 9, importToken(move.Token))
	must(w, 2, 9, self())
	must(w, 2, 9, importToken(move.Token)) // its answer was lost
	refused(w, "imported by another key", 2, 10, importToken(move.Token), 400, "AUTH_TOKEN_ALREADY_ACCEPTED")
	refused(w, "the key that showed the code", 1, 9, self(), 401, "AUTH_KEY_UNREGISTERED")
	w.shown(1, 9) // it begins again
}

func TestALoginThatComesTooLateToTheOtherDCBeginsAgain(t *testing.T) {
	w := newWorld(t, Config{})
	w.login(w.person(2), 1)
	must(w, 2, 1, accept(w.shown(1, 9).Token))
	move := must(w, 1, 9, exportToken()).(*tg.AuthLoginTokenMigrateTo)
	w.sleep(time.Minute)
	refused(w, "after a minute", 2, 9, importToken(move.Token), 400, "AUTH_TOKEN_EXPIRED")
	if again := must(w, 1, 9, exportToken()).(*tg.AuthLoginTokenMigrateTo); bytes.Equal(again.Token, move.Token) {
		t.Error("the dead token is given again")
	}
	w.sleep(10 * time.Minute)
	w.shown(1, 9)
}

func TestAnAccountThatMovesDuringAScanIsFollowed(t *testing.T) {
	w := newWorld(t, Config{})
	u := w.person(2)
	w.login(u, 1)
	must(w, 2, 1, accept(w.shown(1, 9).Token))
	move := must(w, 1, 9, exportToken()).(*tg.AuthLoginTokenMigrateTo)
	if err := w.b.Move(u.ID, 3); err != nil {
		t.Fatal(err)
	}
	again, ok := must(w, 2, 9, importToken(move.Token)).(*tg.AuthLoginTokenMigrateTo)
	if !ok || again.DCID != 3 {
		t.Fatalf("answered %+v, want the way to DC 3", again)
	}
	if _, ok := must(w, 3, 9, importToken(again.Token)).(*tg.AuthLoginTokenSuccess); !ok {
		t.Error("no success at the end of the way")
	}
}

func TestAScanByAnAccountWithAPasswordStopsAtThePasswordOnItsDC(t *testing.T) {
	for _, at := range []int{2, 1} {
		w := newWorld(t, Config{})
		u := w.person(2)
		w.login(u, 1)
		if err := w.b.SetPassword(u.ID, "correct horse"); err != nil {
			t.Fatal(err)
		}
		if row := must(w, 2, 1, accept(w.shown(at, 9).Token)); !row.PasswordPending {
			t.Error("who accepts is not told of the password")
		}
		if at == 2 {
			refused(w, "the scan at home", 2, 9, exportToken(), 401, "SESSION_PASSWORD_NEEDED")
			refused(w, "asked once more", 2, 9, exportToken(), 401, "SESSION_PASSWORD_NEEDED")
		} else {
			move := must(w, 1, 9, exportToken()).(*tg.AuthLoginTokenMigrateTo)
			refused(w, "the import", 2, 9, importToken(move.Token), 401, "SESSION_PASSWORD_NEEDED")
			refused(w, "imported once more", 2, 9, importToken(move.Token), 401, "SESSION_PASSWORD_NEEDED")
			refused(w, "the first key", 1, 9, self(), 401, "AUTH_KEY_UNREGISTERED")
		}
		must(w, 2, 9, w.proof(2, 9, "correct horse"))
		must(w, 2, 9, self())
	}
}

func TestAnAccountThatIsExceptedCannotAccept(t *testing.T) {
	w := newWorld(t, Config{})
	u := w.person(1)
	w.login(u, 1)
	token := w.shown(1, 9, 77, u.ID).Token
	refused(w, "an excepted account", 1, 1, accept(token), 400, "AUTH_TOKEN_EXCEPTION")
	if _, ok := must(w, 1, 9, exportToken()).(*tg.AuthLoginToken); !ok {
		t.Error("the key was signed in")
	}
	w.login(u, 9) // by phone, meanwhile
	w.login(w.person(2), 1)
	refused(w, "a key that is somebody's by now", 2, 1, accept(token), 400, "AUTH_TOKEN_EXCEPTION")
}

func TestALostLoginTokenUpdateCostsOnlyTime(t *testing.T) {
	w := newWorld(t, Config{})
	w.login(w.person(1), 1)
	token := w.shown(1, 9).Token
	w.sleep(29 * time.Second)
	must(w, 1, 1, accept(token))
	w.pushes() // nobody hears it
	w.sleep(time.Second)
	if _, ok := must(w, 1, 9, exportToken()).(*tg.AuthLoginTokenSuccess); !ok {
		t.Error("the question at the end of the token's life found nothing")
	}
}

func TestAnAcceptedScanCanBeTakenBack(t *testing.T) {
	w := newWorld(t, Config{})
	w.login(w.person(1), 1)
	row := must(w, 1, 1, accept(w.shown(1, 9).Token))
	must(w, 1, 1, &tg.AccountResetAuthorizationRequest{Hash: row.Hash})
	if _, ok := must(w, 1, 9, exportToken()).(*tg.AuthLoginToken); !ok {
		t.Error("the key was signed in all the same")
	}
}

func TestQRRefusals(t *testing.T) {
	w := newWorld(t, Config{Limits: Limits{
		AcceptLoginToken: RateLimit{Calls: 2, Per: time.Hour}, ExportLoginToken: RateLimit{Calls: 2, Per: time.Second},
	}})
	bad := exportToken()
	bad.APIHash = "no"
	refused(w, "a wrong api_hash", 1, 9, bad, 400, "API_ID_INVALID")
	refused(w, "an import of nothing", 1, 9, importToken(nil), 400, "AUTH_TOKEN_INVALID")
	w.sleep(time.Second)
	refused(w, "an import of a token to show", 1, 9, importToken(w.shown(1, 9).Token), 400, "AUTH_TOKEN_INVALID")
	w.shown(1, 9)
	refused(w, "a third in the same second", 1, 9, exportToken(), 420, "FLOOD_WAIT_1")
	w.login(w.person(1), 1)
	for range 2 {
		refused(w, "a guess", 1, 1, accept([]byte("guess")), 400, "AUTH_TOKEN_INVALID")
	}
	refused(w, "a guess too many", 1, 1, accept([]byte("guess")), 420, "FLOOD_WAIT_3600")
}

func TestTheOperatorScansForAPerson(t *testing.T) {
	w := newWorld(t, Config{})
	u := w.person(1)
	if err := w.b.Scan(w.now, []byte("nothing"), u.ID); err == nil {
		t.Error("a token nobody shows was scanned")
	}
	if err := w.b.Scan(w.now, nil, 1); err == nil {
		t.Error("nobody scanned")
	}
	if err := w.b.Scan(w.now, w.shown(1, 9).Token, u.ID); err != nil {
		t.Fatal(err)
	}
	if p := w.pushes(); len(p) != 1 || p[0].Perm != 9 {
		t.Errorf("pushed %+v", p)
	}
	must(w, 1, 9, exportToken())
	must(w, 1, 9, self())
}

package api

import (
	"encoding/binary"
	"errors"
	"testing"
	"time"

	"github.com/mtfleet/mtfleet/tl"
	"github.com/mtfleet/mtfleet/tl/tg"
)

// world is a cluster of three DCs with one person and one bot per DC, and a clock that tests move.
type world struct {
	t   testing.TB
	b   *Backend
	now time.Time
	app AppInfo
}

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func newWorld(t testing.TB, cfg Config) *world {
	t.Helper()
	if cfg.Group == nil {
		cfg.Group = known
	}
	b, err := New(cfg)
	if err != nil {
		t.Fatalf("New: %v", err)
	}
	if err := b.Populate(3, 3); err != nil {
		t.Fatalf("Populate: %v", err)
	}
	return &world{t: t, b: b, now: noon, app: AppInfo{
		APIID: TestApp().ID, DeviceModel: "test rig", SystemVersion: "1", AppVersion: "0.1",
		SystemLangCode: "en", LangCode: "en",
	}}
}

func (w *world) sleep(d time.Duration) {
	w.now = w.now.Add(d)
	w.b.Advance(w.now)
}

// person returns the person whose home is dc, bot the bot.
func (w *world) person(dc int) User { return w.find(dc, false) }
func (w *world) bot(dc int) User    { return w.find(dc, true) }

func (w *world) find(dc int, bot bool) User {
	w.t.Helper()
	for _, u := range w.b.Users() {
		if u.HomeDC == dc && (u.BotToken != "") == bot {
			return u
		}
	}
	w.t.Fatalf("no user on DC %d", dc)
	return User{}
}

func (w *world) raw(dc int, perm int64, body []byte) Reply {
	w.t.Helper()
	r := w.b.Handle(&Request{
		Now: w.now, DC: dc, Perm: perm, Session: perm, MsgID: w.now.UnixNano(), Layer: 229, App: w.app,
		Inited: true, RemoteAddr: "127.0.0.1:40000", Body: body,
	})
	if (r.Err == nil) == (r.Body == nil) {
		w.t.Fatalf("a reply has a body or an error, not %d bytes and %v", len(r.Body), r.Err)
	}
	return r
}

// ask sends a query from a perm key of a DC.
func ask[R any](w *world, dc int, perm int64, q tl.Query[R]) (R, *Error) {
	w.t.Helper()
	var none R
	r := w.raw(dc, perm, q.Append(nil))
	if r.Err != nil {
		return none, r.Err
	}
	if n, err := tl.Skip(tg.Schema, r.Body); idOf(r.Body) != tl.VectorID && (err != nil || n != len(r.Body)) {
		w.t.Fatalf("%s: result is not one value of the schema: %d of %d bytes, %v", q.TypeName(), n, len(r.Body), err)
	}
	for _, layer := range tg.ListedLayers() {
		if _, err := tg.Downgrade(layer, r.Body); err != nil && !newer(err) {
			w.t.Errorf("%s: result at layer %d: %v", q.TypeName(), layer, err)
		}
	}
	rd := tl.NewReader(r.Body)
	res := q.ParseResult(rd)
	if err := rd.End(); err != nil {
		w.t.Fatalf("%s: result: %v", q.TypeName(), err)
	}
	return res, nil
}

// newer tells whether a downgrade failed for something that is not sent to older layers: kinds of codes, a sign-in by an
// old token, the notice of a new login, the newest form of the application's configuration, and of channels and dialogs
// what no client whose schema we have speaks at that layer.
func newer(err error) bool {
	var absent *tg.AbsentError
	if !errors.As(err, &absent) {
		return false
	}
	switch absent.ID {
	case tg.AuthSentCodeSuccessID, tg.AuthSentCodeTypeFragmentSMSID, tg.AuthSentCodeTypeSMSWordID,
		tg.AuthSentCodeTypeSMSPhraseID, tg.AuthCodeTypeFragmentSMSID, tg.HelpAppConfigID, tg.HelpAppConfigNotModifiedID,
		updateNewAuthorizationID, tg.AuthSentCodeTypeEmailCodeID, tg.AuthSentCodeTypeSetUpEmailRequiredID,
		tg.AuthSentCodeTypeFirebaseSMSID, tg.AuthSentCodePaymentRequiredID,
		channelID, dialogID, messageReplyHeaderID, messageServiceID, updateReadHistoryInboxID, updateUserTypingID,
		tg.AccountEmailVerifiedID, tg.AccountEmailVerifiedLoginID, tg.AuthFirebasePnvIntentID:
		return true
	}
	return false
}

// must is ask for a query that has to succeed, refused for one that has to fail with the given text.
func must[R any](w *world, dc int, perm int64, q tl.Query[R]) R {
	w.t.Helper()
	res, err := ask(w, dc, perm, q)
	if err != nil {
		w.t.Fatalf("%s on DC %d: %v", q.TypeName(), dc, err)
	}
	return res
}

func refused[R any](w *world, what string, dc int, perm int64, q tl.Query[R], code int, text string) {
	w.t.Helper()
	_, err := ask(w, dc, perm, q)
	switch {
	case err == nil:
		w.t.Errorf("%s: %s succeeded, want %d %s", what, q.TypeName(), code, text)
	case err.Code != code || err.Text != text:
		w.t.Errorf("%s: %s answered %d %s, want %d %s", what, q.TypeName(), err.Code, err.Text, code, text)
	}
}

func sendCode(phone string, tokens ...[]byte) *tg.AuthSendCodeRequest {
	q := &tg.AuthSendCodeRequest{PhoneNumber: phone, APIID: int32(TestApp().ID), APIHash: TestApp().Hash}
	if len(tokens) > 0 {
		q.Settings.LogoutTokens = tl.Some(tokens)
	}
	return q
}

func signIn(phone, hash, code string) *tg.AuthSignInRequest {
	return &tg.AuthSignInRequest{PhoneNumber: phone, PhoneCodeHash: hash, PhoneCode: tl.Some(code)}
}

func importBot(token string) *tg.AuthImportBotAuthorizationRequest {
	return &tg.AuthImportBotAuthorizationRequest{APIID: int32(TestApp().ID), APIHash: TestApp().Hash, BotAuthToken: token}
}

// hash asks for a code and returns its phone_code_hash.
func (w *world) hash(dc int, perm int64, phone string) string {
	w.t.Helper()
	sent, ok := must(w, dc, perm, sendCode(phone)).(*tg.AuthSentCode)
	if !ok {
		w.t.Fatal("auth.sendCode answered no auth.sentCode")
	}
	return sent.PhoneCodeHash
}

// login signs a person in on a key of the home DC.
func (w *world) login(u User, perm int64) *tg.AuthAuthorization {
	w.t.Helper()
	if u.BotToken != "" {
		return must(w, u.HomeDC, perm, importBot(u.BotToken)).(*tg.AuthAuthorization)
	}
	res := must(w, u.HomeDC, perm, signIn(u.Phone, w.hash(u.HomeDC, perm, u.Phone), w.b.Code(u.Phone)))
	return res.(*tg.AuthAuthorization)
}

// guest makes a key of dc a guest of the user signed in on home key perm.
func (w *world) guest(u User, perm int64, dc int, guestPerm int64) {
	w.t.Helper()
	e := must(w, u.HomeDC, perm, &tg.AuthExportAuthorizationRequest{DCID: int32(dc)})
	must(w, dc, guestPerm, &tg.AuthImportAuthorizationRequest{ID: e.ID, Bytes: e.Bytes})
	w.sleep(time.Second)
}

func self() *tg.UsersGetUsersRequest {
	return &tg.UsersGetUsersRequest{ID: []tg.AnyInputUser{&tg.InputUserSelf{}}}
}

// pushes takes what is queued; each is checked to be one value of the schema.
func (w *world) pushes() []Push {
	w.t.Helper()
	var out []Push
	for {
		p, ok := w.b.NextPush()
		if !ok {
			return out
		}
		if n, err := tl.Skip(tg.Schema, p.Body); err != nil || n != len(p.Body) {
			w.t.Fatalf("push is not one value of the schema: %d of %d bytes, %v", n, len(p.Body), err)
		}
		for _, layer := range tg.ListedLayers() {
			if _, err := tg.Downgrade(layer, p.Body); err != nil && !newer(err) {
				w.t.Errorf("push at layer %d: %v", layer, err)
			}
		}
		out = append(out, p)
	}
}

func idOf(body []byte) uint32 { return binary.LittleEndian.Uint32(body) }

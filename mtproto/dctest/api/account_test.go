package api

import (
	"testing"
	"time"

	"github.com/mtfleet/mtfleet/tl/tg"
)

func TestGetAuthorizationsListsTheCallerFirst(t *testing.T) {
	w := newWorld(t, Config{})
	u := w.person(1)
	w.login(u, 1)
	w.sleep(time.Minute)
	w.app.DeviceModel = "second rig"
	w.login(u, 2)
	got := must(w, 1, 1, &tg.AccountGetAuthorizationsRequest{})
	rows := got.Authorizations
	if got.AuthorizationTTLDays != 180 || len(rows) != 2 {
		t.Fatalf("got %+v", got)
	}
	if !rows[0].Current || rows[0].Hash != 0 || rows[0].DeviceModel != "test rig" {
		t.Errorf("the caller's row is %+v", rows[0])
	}
	if rows[1].Current || rows[1].Hash == 0 || rows[1].DeviceModel != "second rig" || rows[1].IP != "127.0.0.1" ||
		rows[1].DateCreated != int32(noon.Add(time.Minute).Unix()) || int(rows[1].APIID) != TestApp().ID {
		t.Errorf("the other row is %+v", rows[1])
	}
}

func TestGetAuthorizationsIsLimited(t *testing.T) {
	w := newWorld(t, Config{})
	w.login(w.person(1), 1)
	for range 10 {
		must(w, 1, 1, &tg.AccountGetAuthorizationsRequest{})
		w.sleep(time.Second)
	}
	refused(w, "the eleventh", 1, 1, &tg.AccountGetAuthorizationsRequest{}, 420, "FLOOD_WAIT_50")
}

func TestAnAuthorizationOfADayEndsOthers(t *testing.T) {
	w := newWorld(t, Config{})
	u := w.person(1)
	w.login(u, 1)
	w.login(u, 2)
	w.guest(u, 2, 3, 30)
	hash := must(w, 1, 1, &tg.AccountGetAuthorizationsRequest{}).Authorizations[1].Hash
	reset := &tg.AccountResetAuthorizationRequest{Hash: hash}
	refused(w, "hash 0", 1, 1, &tg.AccountResetAuthorizationRequest{}, 400, "HASH_INVALID")
	refused(w, "an unknown hash", 1, 1, &tg.AccountResetAuthorizationRequest{Hash: 1}, 400, "HASH_INVALID")
	refused(w, "too fresh", 1, 1, reset, 406, "FRESH_RESET_AUTHORISATION_FORBIDDEN")
	w.sleep(24 * time.Hour)
	w.pushes()
	must(w, 1, 1, reset)
	if p := w.pushes(); len(p) != 1 || p[0].Perm != 2 || idOf(p[0].Body) != updatesTooLongID {
		t.Errorf("pushes = %+v, want updatesTooLong to the ended key", p)
	}
	refused(w, "the ended key", 1, 2, self(), 401, "SESSION_REVOKED")
	refused(w, "its guest", 3, 30, self(), 401, "SESSION_REVOKED")
	refused(w, "again", 1, 1, reset, 400, "HASH_INVALID")
	must(w, 1, 1, self())
	w.login(u, 2) // a revoked key may sign in again
	must(w, 1, 2, self())
}

func TestOnlyOtherSessionsCanBeReset(t *testing.T) {
	w := newWorld(t, Config{FreshSession: -1})
	u := w.person(1)
	w.login(u, 1)
	w.guest(u, 1, 2, 20)
	for _, row := range w.b.history {
		refused(w, "one's own row or guest", 1, 1, &tg.AccountResetAuthorizationRequest{Hash: row.hash}, 400, "HASH_INVALID")
	}
	_ = w.b.SetPassword(u.ID, "correct horse")
	_, _ = ask(w, 1, 3, signIn(u.Phone, w.hash(1, 3, u.Phone), w.b.Code(u.Phone)))
	refused(w, "a half login", 1, 3, self(), 401, "SESSION_PASSWORD_NEEDED")
	must(w, 1, 1, &tg.AuthResetAuthorizationsRequest{})
	refused(w, "a half login that was ended", 1, 3, self(), 401, "AUTH_KEY_UNREGISTERED")
}

func TestResetAuthorizationsLeavesTheCallerAndItsGuests(t *testing.T) {
	for _, name := range []string{"SESSION_REVOKED", "AUTH_KEY_UNREGISTERED"} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, Config{RevokedError: name})
			u := w.person(1)
			token := w.login(u, 1).FutureAuthToken.Value
			w.guest(u, 1, 2, 20)
			w.login(u, 3)
			w.guest(u, 3, 2, 21)
			refused(w, "too fresh", 1, 1, &tg.AuthResetAuthorizationsRequest{}, 406, "FRESH_RESET_AUTHORISATION_FORBIDDEN")
			w.sleep(24 * time.Hour)
			if !must(w, 1, 1, &tg.AuthResetAuthorizationsRequest{}) {
				t.Error("answered false")
			}
			must(w, 1, 1, self())
			must(w, 2, 20, self())
			refused(w, "the other home key", 1, 3, self(), 401, name)
			refused(w, "its guest", 2, 21, self(), 401, name)
			if _, ok := must(w, 1, 4, sendCode(u.Phone, token)).(*tg.AuthSentCode); !ok {
				t.Error("a token survived")
			}
		})
	}
}

func TestGetUsersShowsOneselfInFullAndOthersByAccessHash(t *testing.T) {
	w := newWorld(t, Config{})
	me, other := w.person(1), w.person(2)
	w.login(me, 1)
	hash := w.b.accessHash(w.b.dir.byID[me.ID], other.ID)
	got := must(w, 1, 1, &tg.UsersGetUsersRequest{ID: []tg.AnyInputUser{
		&tg.InputUserSelf{},
		&tg.InputUser{UserID: other.ID, AccessHash: hash},
		&tg.InputUser{UserID: other.ID, AccessHash: hash + 1},
		&tg.InputUserEmpty{},
	}})
	if len(got) != 3 {
		t.Fatalf("%d users, want 3", len(got))
	}
	if u := got[0].(*tg.User); !u.Self || u.ID != me.ID || u.Phone.Value != me.Phone || u.FirstName.Value == "" || !u.AccessHash.Set {
		t.Errorf("self is %+v", u)
	}
	if u := got[1].(*tg.User); u.Self || u.ID != other.ID || u.Phone.Set {
		t.Errorf("another is %+v", u)
	}
	if u, ok := got[2].(*tg.UserEmpty); !ok || u.ID != other.ID {
		t.Errorf("a wrong access hash shows %+v", got[2])
	}
	many := &tg.UsersGetUsersRequest{ID: make([]tg.AnyInputUser, maxGetUsers+1)}
	for i := range many.ID {
		many.ID[i] = &tg.InputUserSelf{}
	}
	refused(w, "too many", 1, 1, many, 400, "INPUT_REQUEST_TOO_LONG")
}

func TestConfigNamesTheClusterAndTheDCAsked(t *testing.T) {
	w := newWorld(t, Config{TmpSessions: 2})
	w.b.SetEndpoints([]Endpoint{{DC: 1, IP: "127.0.0.1", Port: 4001}, {DC: 2, IP: "127.0.0.1", Port: 4002}})
	cfg := must(w, 2, 1, &tg.HelpGetConfigRequest{})
	if cfg.ThisDC != 2 || len(cfg.DCOptions) != 2 || cfg.DCOptions[1].Port != 4002 || cfg.DCOptions[1].ID != 2 ||
		cfg.Date != int32(noon.Unix()) || cfg.Expires <= cfg.Date || cfg.TmpSessions.Value != 2 {
		t.Errorf("config is %+v", cfg)
	}
	if n := must(w, 3, 1, &tg.HelpGetNearestDCRequest{}); n.ThisDC != 3 || n.NearestDC != 2 || n.Country != "ZZ" {
		t.Errorf("nearestDc is %+v", n)
	}
}

func TestAppConfigTellsAFrozenAccountWhy(t *testing.T) {
	w := newWorld(t, Config{})
	u := w.person(1)
	w.login(u, 1)
	plain := must(w, 1, 1, &tg.HelpGetAppConfigRequest{}).(*tg.HelpAppConfig)
	if _, ok := must(w, 1, 1, &tg.HelpGetAppConfigRequest{Hash: plain.Hash}).(*tg.HelpAppConfigNotModified); !ok {
		t.Error("the same hash should answer not modified")
	}
	if err := w.b.Freeze(w.now, u.ID, w.now.Add(time.Hour), "https://appeal.invalid"); err != nil {
		t.Fatal(err)
	}
	if p := w.pushes(); len(p) != 1 || idOf(p[0].Body[4:]) != updateConfigID {
		t.Errorf("pushes = %+v, want updateConfig", p)
	}
	frozen := must(w, 1, 1, &tg.HelpGetAppConfigRequest{Hash: plain.Hash}).(*tg.HelpAppConfig)
	if len(frozen.Config) <= len(plain.Config) {
		t.Error("the freeze is not in the config")
	}
	change := &tg.AccountSetAuthorizationTTLRequest{AuthorizationTTLDays: 30}
	refused(w, "a change", 1, 1, change, 420, "FROZEN_METHOD_INVALID")
	w.sleep(2 * time.Hour)
	refused(w, "a change after the freeze", 1, 1, change, 406, "FRESH_RESET_AUTHORISATION_FORBIDDEN")
	if _, ok := must(w, 1, 1, &tg.HelpGetAppConfigRequest{Hash: plain.Hash}).(*tg.HelpAppConfigNotModified); !ok {
		t.Error("a freeze that is over is still in the config")
	}
	if err := w.b.Unfreeze(w.now, u.ID); err != nil {
		t.Fatal(err)
	}
}

package api

import (
	"testing"
	"time"

	"github.com/mtfleet/mtfleet/tl"
	"github.com/mtfleet/mtfleet/tl/tg"
)

func TestTheLifetimeOfSilentSessionsIsTheAccountsToSet(t *testing.T) {
	w := newWorld(t, Config{})
	u := w.person(1)
	w.login(u, 1)
	ttl := func(days int32) *tg.AccountSetAuthorizationTTLRequest {
		return &tg.AccountSetAuthorizationTTLRequest{AuthorizationTTLDays: days}
	}
	refused(w, "a fresh session", 1, 1, ttl(7), 406, "FRESH_RESET_AUTHORISATION_FORBIDDEN")
	w.sleep(24 * time.Hour)
	refused(w, "no days", 1, 1, ttl(0), 400, "TTL_DAYS_INVALID")
	refused(w, "more than a year", 1, 1, ttl(367), 400, "TTL_DAYS_INVALID")
	must(w, 1, 1, ttl(7))
	if got := must(w, 1, 1, &tg.AccountGetAuthorizationsRequest{}).AuthorizationTTLDays; got != 7 {
		t.Errorf("the list says %d days", got)
	}
	w.sleep(7*24*time.Hour - time.Second)
	must(w, 1, 1, self())
	w.sleep(7 * 24 * time.Hour)
	refused(w, "after seven silent days", 1, 1, self(), 401, "SESSION_EXPIRED")
}

func TestANewSessionIsUnconfirmedUntilAnotherAgrees(t *testing.T) {
	w := newWorld(t, Config{})
	u := w.person(1)
	w.login(u, 1)
	w.login(u, 2)
	w.login(u, 3)
	rows := func() (out map[bool]int, hash int64) {
		out = map[bool]int{}
		for _, r := range must(w, 1, 1, &tg.AccountGetAuthorizationsRequest{}).Authorizations {
			if out[r.Unconfirmed]++; r.Unconfirmed {
				hash = r.Hash
			}
		}
		return out, hash
	}
	got, hash := rows()
	if got[true] != 2 {
		t.Errorf("%d of 2 new sessions are unconfirmed", got[true])
	}
	must(w, 1, 1, &tg.AccountChangeAuthorizationSettingsRequest{Hash: hash, Confirmed: true, CallRequestsDisabled: tl.Some(true)})
	refused(w, "a hash nobody has", 1, 1, &tg.AccountChangeAuthorizationSettingsRequest{Hash: 1, Confirmed: true}, 400, "HASH_INVALID")
	if got, _ := rows(); got[true] != 1 {
		t.Errorf("%d are left after one was confirmed", got[true])
	}
	w.sleep(7 * 24 * time.Hour)
	if got, _ := rows(); got[true] != 0 {
		t.Errorf("%d are left after a week", got[true])
	}
}

func TestOneKeyIsRevokedFromOutside(t *testing.T) {
	w := newWorld(t, Config{})
	u := w.person(1)
	w.login(u, 1)
	w.login(u, 2)
	w.guest(u, 2, 3, 30)
	w.pushes()
	if err := w.b.RevokeKey(w.now, 1, 2); err != nil {
		t.Fatal(err)
	}
	if p := w.pushes(); len(p) != 1 || p[0].Perm != 2 {
		t.Errorf("pushed %+v", p)
	}
	refused(w, "the key", 1, 2, self(), 401, "SESSION_REVOKED")
	refused(w, "its guest", 3, 30, self(), 401, "SESSION_REVOKED")
	must(w, 1, 1, self())
	if w.b.RevokeKey(w.now, 1, 9) == nil {
		t.Error("a key nobody is signed in on was revoked")
	}
}

func TestAHalfLoginNobodyFinishesIsForgotten(t *testing.T) {
	w, _ := guarded(t, Config{}, TwoStep{})
	w.sleep(24*time.Hour - time.Second)
	refused(w, "almost a day later", 1, 1, self(), 401, "SESSION_PASSWORD_NEEDED")
	w.sleep(24 * time.Hour)
	refused(w, "a silent day later", 1, 1, self(), 401, "AUTH_KEY_UNREGISTERED")
}

func TestAnAuthorizationAsksForAPassword(t *testing.T) {
	w := newWorld(t, Config{TmpSessions: 3})
	u := w.person(1)
	if err := w.b.AskForPassword(u.ID, 7); err != nil {
		t.Fatal(err)
	}
	if a := w.login(u, 1); !a.SetupPasswordRequired || a.OtherwiseReloginDays.Value != 7 || a.TmpSessions.Value != 3 {
		t.Errorf("the authorization is %+v", a)
	}
	must(w, 1, 1, update(noProof, w.newPassword(1, 1, "x", "")))
	w.half(u, 2)
	if a := must(w, 1, 2, w.proof(1, 2, "x")).(*tg.AuthAuthorization); a.SetupPasswordRequired {
		t.Error("with a password it asks again")
	}
}

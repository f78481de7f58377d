package api

import (
	"testing"
	"time"

	"github.com/mtfleet/mtfleet/tl/tg"
)

func exportTo(dc int) *tg.AuthExportAuthorizationRequest {
	return &tg.AuthExportAuthorizationRequest{DCID: int32(dc)}
}

func imported(e *tg.AuthExportedAuthorization) *tg.AuthImportAuthorizationRequest {
	return &tg.AuthImportAuthorizationRequest{ID: e.ID, Bytes: e.Bytes}
}

func TestAGuestReadsButIsSentHomeForTheRest(t *testing.T) {
	w := newWorld(t, Config{})
	u := w.person(1)
	w.login(u, 1)
	e := must(w, 1, 1, exportTo(2))
	if e.ID != u.ID || len(e.Bytes) != exportLen {
		t.Errorf("export is %d bytes for %d", len(e.Bytes), e.ID)
	}
	auth := must(w, 2, 20, imported(e)).(*tg.AuthAuthorization)
	if auth.User.(*tg.User).ID != u.ID {
		t.Errorf("imported as %+v", auth.User)
	}
	if got := must(w, 2, 20, self())[0].(*tg.User); got.ID != u.ID {
		t.Errorf("self on the guest is %d", got.ID)
	}
	refused(w, "update state", 2, 20, &tg.UpdatesGetStateRequest{}, 303, "USER_MIGRATE_1")
	refused(w, "an export from a guest", 2, 20, exportTo(3), 303, "USER_MIGRATE_1")
	refused(w, "a sign-in of another number", 2, 20, sendCode(u.Phone), 303, "PHONE_MIGRATE_1")
	if a := w.b.Authorizations(); len(a) != 2 || a[1].Home || a[1].DC != 2 || a[1].Perm != 20 {
		t.Errorf("Authorizations = %+v", a)
	}
	if rows := must(w, 1, 1, &tg.AccountGetAuthorizationsRequest{}).Authorizations; len(rows) != 1 {
		t.Errorf("%d rows: a guest is no session of its own", len(rows))
	}
}

func TestExportRefusesDCsThatCannotBeMeant(t *testing.T) {
	w := newWorld(t, Config{Limits: Limits{ExportAuthorization: RateLimit{Calls: -1}}})
	w.login(w.person(1), 1)
	for name, dc := range map[string]int{"its own": 1, "zero": 0, "unknown": 4, "negative": -2, "a CDN's": 203} {
		refused(w, name, 1, 1, exportTo(dc), 400, "DC_ID_INVALID")
	}
}

func TestImportRefusals(t *testing.T) {
	w := newWorld(t, Config{})
	u := w.person(1)
	w.login(u, 1)
	fresh := func() *tg.AuthExportedAuthorization {
		w.sleep(time.Second)
		return must(w, 1, 1, exportTo(2))
	}
	e := fresh()
	wrong := imported(e)
	wrong.ID++
	refused(w, "another id", 2, 20, wrong, 400, "USER_ID_INVALID")
	refused(w, "another DC", 3, 20, imported(e), 400, "AUTH_BYTES_INVALID")
	refused(w, "the exporting key", 1, 1, imported(e), 400, "AUTH_BYTES_INVALID")
	refused(w, "no bytes", 2, 20, &tg.AuthImportAuthorizationRequest{ID: u.ID}, 400, "AUTH_BYTES_INVALID")
	must(w, 2, 20, imported(e))
	refused(w, "used by another key", 2, 21, imported(e), 400, "AUTH_BYTES_INVALID")
	must(w, 2, 20, imported(e)) // the answer was lost
	if n := len(w.b.Logins()); n != 2 {
		t.Errorf("%d logins: a repeated import is not another one", n)
	}
	w.sleep(time.Minute)
	refused(w, "a repeat after its time", 2, 20, imported(e), 400, "AUTH_BYTES_INVALID")
	must(w, 2, 20, self())

	e = fresh()
	w.sleep(time.Minute)
	refused(w, "too old", 2, 21, imported(e), 400, "AUTH_BYTES_INVALID")

	e = fresh()
	must(w, 2, 20, imported(e)) // a guest renews itself
	if got := w.b.Authorizations(); got[1].Why != "replaced" || !got[2].Ended.IsZero() {
		t.Errorf("a renewed guest leaves %+v", got)
	}
	w.login(w.person(2), 22)
	refused(w, "a key of somebody else", 2, 22, imported(fresh()), 400, "AUTH_BYTES_INVALID")

	e = fresh()
	must(w, 1, 1, &tg.AuthLogOutRequest{})
	refused(w, "exported before log-out", 2, 23, imported(e), 400, "AUTH_BYTES_INVALID")
	refused(w, "spent bytes on a key that lost its guest", 2, 20, imported(e), 400, "AUTH_BYTES_INVALID")
}

func TestUsedBytesAreGoodForTheirGuestOnly(t *testing.T) {
	w := newWorld(t, Config{})
	u := w.person(1)
	w.login(u, 1)
	w.guest(u, 1, 2, 21)
	e := must(w, 1, 1, exportTo(2))
	must(w, 2, 20, imported(e))
	refused(w, "another guest of the account", 2, 21, imported(e), 400, "AUTH_BYTES_INVALID")
	must(w, 2, 20, &tg.AuthLogOutRequest{})
	refused(w, "the same key after its log-out", 2, 20, imported(e), 400, "AUTH_BYTES_INVALID")
}

func TestARevokedGuestImportsAgain(t *testing.T) {
	w := newWorld(t, Config{})
	u := w.person(1)
	w.login(u, 1)
	w.guest(u, 1, 2, 20)
	must(w, 1, 1, &tg.AuthLogOutRequest{})
	refused(w, "the guest", 2, 20, self(), 401, "SESSION_REVOKED")
	w.login(u, 5)
	w.guest(u, 5, 2, 20)
	must(w, 2, 20, self())
}

func TestExportsAreLimitedPerAccount(t *testing.T) {
	w := newWorld(t, Config{})
	w.login(w.person(1), 1)
	w.login(w.bot(1), 2)
	must(w, 1, 1, exportTo(2))
	refused(w, "a second in the same second", 1, 1, exportTo(3), 420, "FLOOD_WAIT_1")
	must(w, 1, 2, exportTo(3))
	w.sleep(time.Second)
	must(w, 1, 1, exportTo(3))
	if len(w.b.exports) != 3 {
		t.Errorf("%d exports live", len(w.b.exports))
	}
	w.sleep(25 * time.Hour)
	w.sleep(time.Minute)
	if n := len(w.b.exports); n != 0 {
		t.Errorf("%d exports kept after their end", n)
	}
	w.sleep(49 * time.Hour) // the limit of auth.sendCode is the longest
	if !w.b.Deadline().IsZero() {
		t.Error("nothing is left that expires, but a deadline is set")
	}
}

package dctest_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/mtfleet/mtfleet/mtproto/dctest"
	"github.com/mtfleet/mtfleet/mtproto/dctest/api"
	"github.com/mtfleet/mtfleet/mtproto/dctest/internal/raw"
	"github.com/mtfleet/mtfleet/tl"
	"github.com/mtfleet/mtfleet/tl/tg"
)

// wrapped sends a query with its header and describes the answer.
func (p *peer) wrapped(q tl.Object) string {
	p.w.t.Helper()
	m := p.Message(p.w.now, raw.Wrap(tg.Layer, api.TestApp().ID, q), true)
	p.send(m)
	return p.resultOf(m.ID)
}

// signIn signs the peer's key in by phone.
func (p *peer) signIn(u api.User) {
	p.w.t.Helper()
	m := p.Message(p.w.now, raw.Wrap(tg.Layer, api.TestApp().ID, &tg.AuthSendCodeRequest{
		PhoneNumber: u.Phone, APIID: int32(api.TestApp().ID), APIHash: api.TestApp().Hash,
	}), true)
	p.send(m)
	sent, ok := tg.ParseAnyAuthSentCode(tl.NewReader(p.result(m.ID))).(*tg.AuthSentCode)
	if !ok {
		p.w.t.Fatal("no code was sent")
	}
	q := &tg.AuthSignInRequest{PhoneNumber: u.Phone, PhoneCodeHash: sent.PhoneCodeHash, PhoneCode: tl.Some(u.Code)}
	if got := p.wrapped(q); got != "other" {
		p.w.t.Fatalf("auth.signIn: %s", got)
	}
}

func (w *world) forgetPerm(p *peer) {
	w.t.Helper()
	w.fault(dctest.Fault{Kind: dctest.FaultForgetPerm, Perm: int64(p.perm.ID())})
}

func TestErrorsOfAnyKindAreAnsweredAsOftenAsAsked(t *testing.T) {
	for _, c := range []struct {
		text  string
		times int
		want  string
	}{
		{"FLOOD_WAIT_0", 1, "FLOOD_WAIT_0"},
		{"FLOOD_WAIT_3", 1, "FLOOD_WAIT_3"},
		{"FLOOD_WAIT_600", 1, "FLOOD_WAIT_600"},
		{"500 INTERNAL", 4, "INTERNAL"},
		{"-503 Timeout", 2, "Timeout"},
		{"403 RECAPTCHA_CHECK_signup__KEY", 1, "RECAPTCHA_CHECK_signup__KEY"},
		{"FILE_MIGRATE_3", 50, "FILE_MIGRATE_3"},
	} {
		w, _, u := withAPI(t)
		p := w.withPerm(2)
		p.signIn(u)
		f, err := dctest.ErrorFault("testdc.echo", c.text)
		if err != nil {
			t.Fatalf("%s: %v", c.text, err)
		}
		f.Count = c.times
		w.fault(f)
		for i := range c.times {
			if got := p.call(echoOf(int64(i))); got != c.want {
				t.Errorf("%s: call %d answered %s", c.text, i, got)
			}
		}
		if f.Wait > 0 {
			w.sleep(time.Duration(f.Wait))
		}
		if got := p.call(echoOf(99)); got != "other" {
			t.Errorf("%s: the call after them answered %s", c.text, got)
		}
		if n := w.c.Counts().Echoes; n != 1 {
			t.Errorf("%s: %d calls ran", c.text, n)
		}
		w.noViolations()
	}
}

// The fifty calls that a file's DC was named to share one guest: its ledger has one sign-in, however often it is carried.
func TestTheLedgerCountsTheImportsOfAGuest(t *testing.T) {
	w, b, u := withAPI(t)
	home := w.withPerm(2)
	home.signIn(u)
	m := home.Query(w.now, &tg.AuthExportAuthorizationRequest{DCID: 3})
	home.send(m)
	var e tg.AuthExportedAuthorization
	if err := tl.Unmarshal(home.result(m.ID), &e); err != nil {
		t.Fatal(err)
	}
	guest := w.withPerm(3)
	for i := range 50 {
		if got := guest.wrapped(&tg.AuthImportAuthorizationRequest{ID: e.ID, Bytes: e.Bytes}); got != "other" {
			t.Fatalf("import %d: %s", i, got)
		}
	}
	imports := 0
	for _, l := range b.Logins() {
		if l.Method == "auth.importAuthorization" {
			imports++
		}
	}
	if imports != 1 || len(b.Authorizations()) != 2 {
		t.Errorf("%d imports and %d authorizations are written down", imports, len(b.Authorizations()))
	}
}

// What is written down of clients can be shown to anybody: it holds no code, hash, password or token.
func TestWhatIsWrittenDownHoldsNoSecrets(t *testing.T) {
	w, b, u := withAPI(t)
	p := w.withPerm(2)
	p.signIn(u)
	secrets := []string{"SECRETCODE", "SECRETHASH", "SECRETTOKEN"}
	for _, q := range []tl.Object{
		&tg.AuthSignInRequest{PhoneNumber: u.Phone, PhoneCodeHash: "SECRETHASH", PhoneCode: tl.Some("SECRETCODE")},
		&tg.AuthImportBotAuthorizationRequest{APIID: 1, APIHash: "SECRETHASH", BotAuthToken: "SECRETTOKEN"},
		&tg.AuthRecoverPasswordRequest{Code: "SECRETCODE"},
	} {
		body := q.Append(nil)
		for _, bad := range [][]byte{append(body, 1, 2, 3, 4), body[:len(body)-4], append([]byte{9, 9, 9, 9}, body...)} {
			p.send(p.Message(w.now, bad, true))
		}
	}
	list, total := w.c.Violations()
	if total == 0 {
		t.Fatal("nothing was written down")
	}
	l := w.c.Ledger()
	text := fmt.Sprintf("%+v %+v %+v %+v", list, l.Logins, l.Authorizations, l.Sessions)
	for _, secret := range secrets {
		if strings.Contains(text, secret) {
			t.Errorf("%q is in what is written down", secret)
		}
	}
	if len(b.Codes()) == 0 {
		t.Error("the codes are for who asks for them")
	}
}

func TestFaultsThatWaitAreListedAndBounded(t *testing.T) {
	w := newWorld(t, nil)
	p := w.withPerm(2).inited()
	w.fault(dctest.Fault{Kind: dctest.FaultRPC, Method: "testdc.echo", Code: 500, Text: "RPC_CALL_FAIL", Count: 2})
	w.fault(dctest.Fault{Kind: dctest.FaultDrop, DC: 1, For: dctest.Duration(time.Minute)})
	p.call(echoOf(1))
	list := w.c.WaitingFaults(w.now)
	if len(list) != 2 || list[0].Left != 1 || list[0].Fault.Count != 2 || list[1].Until.Sub(w.now) != time.Minute {
		t.Errorf("waiting are %+v", list)
	}
	p.call(echoOf(2))
	w.sleep(time.Minute)
	if list := w.c.WaitingFaults(w.now); len(list) != 0 {
		t.Errorf("still waiting are %+v", list)
	}
	f := dctest.Fault{Kind: dctest.FaultDrop, DC: 1}
	for i := range 4096 {
		if _, err := w.c.Fault(w.now, f); err != nil {
			t.Fatalf("fault %d: %v", i, err)
		}
	}
	if _, err := w.c.Fault(w.now, f); err == nil {
		t.Error("there is no bound")
	}
	w.c.ClearFaults(w.now)
	w.fault(f)
}

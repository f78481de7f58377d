package api

import (
	"strings"
	"testing"
	"time"

	"github.com/mtfleet/mtfleet/tl"
	"github.com/mtfleet/mtfleet/tl/tg"
)

func TestEveryKindOfCodeSignsIn(t *testing.T) {
	w := newWorld(t, Config{Firebase: true, LoginsPerDay: -1, Limits: Limits{SendCodeNumber: RateLimit{Calls: -1}}})
	u := w.person(1)
	w.login(u, 99) // so that the app is among them
	for i, c := range []struct {
		kind CodeType
		is   func(t tg.AnyAuthSentCodeType) bool
	}{
		{CodeApp, func(t tg.AnyAuthSentCodeType) bool { _, ok := t.(*tg.AuthSentCodeTypeApp); return ok }},
		{CodeSMS, func(t tg.AnyAuthSentCodeType) bool { _, ok := t.(*tg.AuthSentCodeTypeSMS); return ok }},
		{CodeCall, func(t tg.AnyAuthSentCodeType) bool { _, ok := t.(*tg.AuthSentCodeTypeCall); return ok }},
		{CodeFlashCall, func(t tg.AnyAuthSentCodeType) bool { _, ok := t.(*tg.AuthSentCodeTypeFlashCall); return ok }},
		{CodeMissedCall, func(t tg.AnyAuthSentCodeType) bool { _, ok := t.(*tg.AuthSentCodeTypeMissedCall); return ok }},
		{CodeFragment, func(t tg.AnyAuthSentCodeType) bool { _, ok := t.(*tg.AuthSentCodeTypeFragmentSMS); return ok }},
		{CodeWord, func(t tg.AnyAuthSentCodeType) bool { _, ok := t.(*tg.AuthSentCodeTypeSMSWord); return ok }},
		{CodePhrase, func(t tg.AnyAuthSentCodeType) bool { _, ok := t.(*tg.AuthSentCodeTypeSMSPhrase); return ok }},
		{CodeFirebase, func(t tg.AnyAuthSentCodeType) bool { _, ok := t.(*tg.AuthSentCodeTypeFirebaseSMS); return ok }},
	} {
		if err := w.b.SetCodes(u.Phone, c.kind); err != nil {
			t.Fatal(err)
		}
		perm := int64(i + 1)
		s := w.sent(1, perm, u.Phone)
		if !c.is(s.Type) || s.NextType.Set {
			t.Errorf("%v: sent by %T, next %v", c.kind, s.Type, s.NextType.Set)
		}
		if c.kind == CodeFirebase {
			must(w, 1, perm, &tg.AuthRequestFirebaseSMSRequest{PhoneNumber: u.Phone, PhoneCodeHash: s.PhoneCodeHash, PlayIntegrityToken: tl.Some("t")})
		}
		must(w, 1, perm, signIn(u.Phone, s.PhoneCodeHash, w.b.Code(u.Phone)))
		if last := w.b.Codes()[len(w.b.Codes())-1]; last.Kind != c.kind.String() || last.Code == "" || last.UserID != u.ID {
			t.Errorf("%v: Codes ends with %+v", c.kind, last)
		}
	}
	if err := w.b.SetCodes(u.Phone); err != nil {
		t.Fatal(err)
	}
	if _, ok := w.sent(1, 50, u.Phone).Type.(*tg.AuthSentCodeTypeApp); !ok {
		t.Error("the usual chain is not restored")
	}
}

func TestChainsThatCannotBeAnnouncedAreRefused(t *testing.T) {
	w := newWorld(t, Config{})
	for name, chain := range map[string][]CodeType{
		"the app after a text message": {CodeSMS, CodeApp},
		"an unknown type":              {codeTypeLast + 1},
		"a set-up and nothing":         {CodeSetUpEmail},
		"a payment at the end":         {CodePaid, CodeSetUpEmail},
		"a payment in the middle":      {CodeSMS, CodeWord},
	} {
		if err := w.b.SetCodes("9996610000", chain...); err == nil {
			t.Errorf("%s was taken", name)
		}
	}
	if err := w.b.SetCodes("9996610000", CodePaid, CodeSetUpEmail, CodePhrase, CodeSMS); err != nil {
		t.Error(err)
	}
}

func TestTheServiceTellsTheCodeInAnotherSession(t *testing.T) {
	w := newWorld(t, Config{})
	u := w.person(1)
	w.login(u, 1)
	from := must(w, 1, 1, &tg.UpdatesGetStateRequest{}).Pts
	w.pushes()
	w.hash(1, 2, u.Phone)
	p := w.pushes()
	if len(p) != 1 || p[0].Perm != 1 || idOf(p[0].Body) != updatesID {
		t.Fatalf("pushed %+v", p)
	}
	if pts, count, ok := tg.UpdatePts(pushedUpdate(t, p[0].Body)); !ok || pts != from+1 || count != 1 || !strings.Contains(string(p[0].Body), w.b.Code(u.Phone)) {
		t.Errorf("the message has pts %d, count %d, %v", pts, count, ok)
	}
	_, _ = w.b.PushUpdate(w.now, u.ID)
	d := must(w, 1, 1, &tg.UpdatesGetDifferenceRequest{Pts: from, Date: 1}).(*tg.UpdatesDifference)
	if len(d.NewMessages) != 1 || len(d.OtherUpdates) != 1 || len(d.Users) != 1 || d.State.Pts != from+2 ||
		!strings.Contains(string(d.NewMessages[0]), w.b.Code(u.Phone)) {
		t.Errorf("the difference is %+v", d)
	}
	if u := must(w, 1, 1, &tg.UsersGetUsersRequest{ID: []tg.AnyInputUser{&tg.InputUser{UserID: 777000}}})[0].(*tg.User); u.ID != 777000 {
		t.Errorf("the sender is %+v", u)
	}
	if _, err := w.b.Tell(w.now, u.ID, "hello"); err != nil || len(w.pushes()) != 2 {
		t.Error("Tell says nothing")
	}
}

func TestAPaidSignInWaitsForItsPayment(t *testing.T) {
	w := newWorld(t, Config{})
	u := w.person(1)
	if err := w.b.SetCodes(u.Phone, CodePaid, CodeSMS); err != nil {
		t.Fatal(err)
	}
	r, ok := must(w, 1, 1, sendCode(u.Phone)).(*tg.AuthSentCodePaymentRequired)
	if !ok || r.PhoneCodeHash == "" || r.Amount == 0 || r.Currency == "" {
		t.Fatalf("answered %+v", r)
	}
	check := &tg.AuthCheckPaidAuthRequest{PhoneNumber: u.Phone, PhoneCodeHash: r.PhoneCodeHash, FormID: 1}
	refused(w, "a guess at a code", 1, 1, signIn(u.Phone, r.PhoneCodeHash, "11111"), 400, "PHONE_CODE_INVALID")
	refused(w, "before the payment", 1, 1, check, 420, "FLOOD_WAIT_3")
	w.sleep(5 * time.Minute)
	refused(w, "five minutes later", 1, 1, check, 400, "FORM_EXPIRED")
	w.b.Pay(u.Phone)
	s, ok := must(w, 1, 1, check).(*tg.AuthSentCode)
	if !ok {
		t.Fatalf("paid: %+v", s)
	}
	refused(w, "checked again", 1, 1, check, 400, "PHONE_CODE_EXPIRED")
	must(w, 1, 1, signIn(u.Phone, s.PhoneCodeHash, w.b.Code(u.Phone)))
	w.sent(1, 2, u.Phone) // and from now on it is free

	other := w.person(2)
	_ = w.b.SetCodes(other.Phone, CodePaid, CodeSMS)
	r2 := w.b.Handle(&Request{Now: w.now, DC: 2, Perm: 3, Layer: 158, App: w.app, Inited: true, Body: sendCode(other.Phone).Append(nil)})
	if r2.Err == nil || r2.Err.Code != 406 || r2.Err.Text != "UPDATE_APP_TO_LOGIN" {
		t.Errorf("a layer that cannot say it is answered %v", r2.Err)
	}
}

func TestAnAttestationIsGoodOnlyWithTheSwitch(t *testing.T) {
	for _, on := range []bool{false, true} {
		w := newWorld(t, Config{Firebase: on})
		u := w.person(1)
		_ = w.b.SetCodes(u.Phone, CodeFirebase, CodeSMS)
		s := w.sent(1, 1, u.Phone)
		ask := func(token string) *tg.AuthRequestFirebaseSMSRequest {
			return &tg.AuthRequestFirebaseSMSRequest{PhoneNumber: u.Phone, PhoneCodeHash: s.PhoneCodeHash, SafetyNetToken: tl.Some(token)}
		}
		if n := len(w.b.Codes()); n != 0 {
			t.Errorf("%d codes were sent before the attestation", n)
		}
		refused(w, "before the attestation", 1, 1, signIn(u.Phone, s.PhoneCodeHash, "11111"), 400, "PHONE_CODE_INVALID")
		if must(w, 1, 1, ask("")) || must(w, 1, 1, ask("token")) != on {
			t.Errorf("the switch is %v", on)
		}
		if on {
			must(w, 1, 1, signIn(u.Phone, s.PhoneCodeHash, w.b.Code(u.Phone)))
			continue
		}
		w.sleep(time.Minute)
		s = must(w, 1, 1, &tg.AuthResendCodeRequest{PhoneNumber: u.Phone, PhoneCodeHash: s.PhoneCodeHash, Reason: tl.Some("no")}).(*tg.AuthSentCode)
		refused(w, "an attestation for a text message", 1, 1, ask("token"), 400, "PHONE_CODE_EMPTY")
		must(w, 1, 1, signIn(u.Phone, s.PhoneCodeHash, w.b.Code(u.Phone)))
	}
}

func TestCodesShownToOthersAreVoid(t *testing.T) {
	w := newWorld(t, Config{})
	u := w.person(1)
	w.login(u, 1)
	hash := w.hash(1, 2, u.Phone)
	must(w, 1, 1, &tg.AccountInvalidateSignInCodesRequest{Codes: []string{"00000"}})
	must(w, 1, 2, &tg.AuthReportMissingCodeRequest{PhoneNumber: u.Phone, PhoneCodeHash: hash, Mnc: "01"})
	must(w, 1, 1, &tg.AccountInvalidateSignInCodesRequest{Codes: []string{w.b.Code(u.Phone)}})
	refused(w, "the code", 1, 2, signIn(u.Phone, hash, w.b.Code(u.Phone)), 400, "PHONE_CODE_EXPIRED")
}

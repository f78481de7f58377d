package security

import (
	"encoding/base64"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mtfleet/mtfleet/tl"
	"github.com/mtfleet/mtfleet/tl/tg"
)

func TestASessionsNameIsItsHash(t *testing.T) {
	for _, hash := range []int64{1, -1, 1 << 62, -1 << 63, 0x0123456789abcdef} {
		id := SessionID(hash)
		if got, err := ParseSessionID(id); err != nil || got != hash || len(id) != 16 {
			t.Errorf("%d is %q is %d, %v", hash, id, got, err)
		}
	}
	for _, id := range []string{"", "0", "0000000000000000", "xyz", "12345678901234567", "-1", "0x12"} {
		if hash, err := ParseSessionID(id); err == nil {
			t.Errorf("%q is %d", id, hash)
		}
	}
}

func TestSessionsAreReadWhole(t *testing.T) {
	got := SessionsOf(&tg.AccountAuthorizations{AuthorizationTTLDays: 180, Authorizations: []tg.Authorization{
		{Hash: 0x12, PasswordPending: true, Unconfirmed: true, OfficialApp: true, CallRequestsDisabled: true, EncryptedRequestsDisabled: true, IP: "192.0.2.1"},
		{Current: true, APIID: 7, DeviceModel: "a machine", AppName: "mtfleet", DateCreated: int32(noon.Unix())},
	}})
	want := Sessions{TTLDays: 180, Sessions: []Session{
		{Current: true, APIID: 7, Device: "a machine", App: "mtfleet", Created: time.Unix(noon.Unix(), 0)},
		{ID: "0000000000000012", PasswordPending: true, Unconfirmed: true, Official: true, NoCalls: true, NoSecretChats: true, IP: "192.0.2.1"},
	}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if own, ok := got.Own(); !ok || own.APIID != 7 {
		t.Errorf("our own is %+v, %v", own, ok)
	}
	if _, ok := (Sessions{Sessions: got.Sessions[1:]}).Own(); ok {
		t.Error("a list without our own has one")
	}
}

func TestNoticesAreReadFromUpdates(t *testing.T) {
	boxed := func(o tl.Object) tl.Raw {
		b, err := tl.Marshal(nil, o)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	empty := tl.AppendUint32(nil, 0x3ded6320) // messageMediaEmpty
	cases := []struct {
		name string
		raw  tl.Raw
		want *Notice
	}{
		{"a new session", boxed(&tg.UpdateNewAuthorization{
			Unconfirmed: true, Hash: 0x12, Date: tl.Some(int32(noon.Unix())), Device: tl.Some("a phone"), Location: tl.Some("Earth"),
		}), &Notice{Kind: NoticeNewSession, Session: "0000000000000012", Unconfirmed: true, At: time.Unix(noon.Unix(), 0), Device: "a phone", Location: "Earth"}},
		{"a confirmed one", boxed(&tg.UpdateNewAuthorization{Hash: 0x12}), &Notice{Kind: NoticeSessionConfirmed, Session: "0000000000000012"}},
		{"a key that was dropped", boxed(&tg.UpdateServiceNotification{Type: "AUTH_KEY_DROP_DUPLICATE", Message: "gone", Media: empty}),
			&Notice{Kind: NoticeKeyDropped, Type: "AUTH_KEY_DROP_DUPLICATE", Text: "gone"}},
		{"another notification", boxed(&tg.UpdateServiceNotification{Type: "FROZEN", Message: "x", Media: empty}), nil},
		{"another update", boxed(&tg.UpdateConfig{}), nil},
		{"half of one", boxed(&tg.UpdateNewAuthorization{Hash: 0x12})[:9], nil},
		{"nothing", nil, nil},
	}
	for _, x := range cases {
		got, ok := NoticeOf(x.raw)
		switch {
		case ok != (x.want != nil):
			t.Errorf("%s: %+v, %v", x.name, got, ok)
		case ok:
			if diff := cmp.Diff(*x.want, got); diff != "" {
				t.Errorf("%s: %s", x.name, diff)
			}
		}
	}
}

func TestANewPasskeyIsReadAsBrowsersWriteIt(t *testing.T) {
	data := base64.RawURLEncoding.EncodeToString([]byte(`{"type":"webauthn.create"}`))
	q, err := Registration([]byte(`{"id":"aWQ","type":"public-key","response":{"clientDataJSON":"` + data + `=","attestationObject":"AAEC"}}`))
	if err != nil {
		t.Fatal(err)
	}
	want := &tg.AccountRegisterPasskeyRequest{Credential: &tg.InputPasskeyCredentialPublicKey{ID: "aWQ", RawID: "aWQ",
		Response: &tg.InputPasskeyResponseRegister{ClientData: tg.DataJSON{Data: `{"type":"webauthn.create"}`}, AttestationData: []byte{0, 1, 2}}}}
	if diff := cmp.Diff(want, q); diff != "" {
		t.Error(diff)
	}
	for _, text := range []string{
		"", "[]", "{}", `{"id":"aWQ","response":{"clientDataJSON":"e30"}}`, `{"id":"aWQ","response":{"clientDataJSON":"!","attestationObject":"AA"}}`,
		`{"response":{"clientDataJSON":"e30","attestationObject":"AA"}}`,
	} {
		if _, err := Registration([]byte(text)); !errors.As(err, new(*Error)) {
			t.Errorf("%s: %v", text, err)
		}
	}
}

package control

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/mtfleet/mtfleet/actors"
	"github.com/mtfleet/mtfleet/actors/actorstest"
	"github.com/mtfleet/mtfleet/mtproto/tgerr"
	"github.com/mtfleet/mtfleet/persistence"
)

// TestEveryMethodOfSecurityComesThroughTheSocket: each finds its own at the other
// end, and that there is no such account, or that the account is not signed in.
func TestEveryMethodOfSecurityComesThroughTheSocket(t *testing.T) {
	s := actorstest.Cluster(t, actorstest.Small())
	m := actorstest.Open(t, actorstest.Options(s, persistence.NewMemory()))
	actorstest.Add(t, m, "alice", actors.AccountOptions{})
	remote := serve(t, &Local{Manager: m})
	for _, method := range methods() {
		if method.schema.Parent().Name() != "SecurityService" && method != AcceptQR.method {
			continue
		}
		for id, want := range map[string]Kind{"nobody": KindNoAccount, "alice": KindState} {
			request := reflect.New(method.request).Elem()
			request.FieldByName("ID").SetString(id)
			for field, value := range map[string]any{
				"Session": "0000000000000012", "Link": "tg://login?token=AAECAwQFBgcICQoLDA0ODw", "Passkey": "aWQ",
				"Credential": []byte(`{"id":"aWQ","response":{"clientDataJSON":"e30","attestationObject":"AA"}}`),
			} {
				if f := request.FieldByName(field); f.IsValid() {
					f.Set(reflect.ValueOf(value).Convert(f.Type()))
				}
			}
			_, err := remote.carry(t.Context(), method, request.Interface())
			if KindOf(err) != want || !strings.Contains(fmt.Sprint(err), id) {
				t.Errorf("%s of %s: %v (%s), want %s", method.procedure, id, err, KindOf(err), want)
			}
		}
	}
}

// TestRefusalsOfSecurityHaveTheirKinds: what was refused here is a mistake of who
// asked, what the server refused is not.
func TestRefusalsOfSecurityHaveTheirKinds(t *testing.T) {
	until := time.Now().Add(time.Hour)
	server := tgerr.New(400, "PASSWORD_HASH_INVALID")
	for _, x := range []struct {
		err  actors.SecurityError
		want Kind
	}{
		{actors.SecurityError{Reason: actors.SecurityInput}, KindInvalid},
		{actors.SecurityError{Reason: actors.SecurityLink}, KindInvalid},
		{actors.SecurityError{Reason: actors.SecurityLink, Err: server}, KindRefused},
		{actors.SecurityError{Reason: actors.SecurityPassword}, KindInvalid},
		{actors.SecurityError{Reason: actors.SecurityPassword, Err: server}, KindRefused},
		{actors.SecurityError{Reason: actors.SecurityDays}, KindInvalid},
		{actors.SecurityError{Reason: actors.SecurityDays, Err: server}, KindRefused},
		{actors.SecurityError{Reason: actors.SecurityNone, Err: server}, KindState},
		{actors.SecurityError{Reason: actors.SecurityPassport}, KindState},
		{actors.SecurityError{Reason: actors.SecurityUnsupported}, KindState},
		{actors.SecurityError{Reason: actors.SecurityFresh, Until: until, Err: server}, KindWait},
		{actors.SecurityError{Reason: actors.SecurityServer, Err: server}, KindServer},
		{actors.SecurityError{Reason: actors.SecurityHostile}, KindRefused},
		{actors.SecurityError{Reason: actors.SecurityExpired, Err: server}, KindRefused},
		{actors.SecurityError{Reason: actors.SecurityDenied, Err: server}, KindRefused},
	} {
		x.err.Message = "in words"
		var e *Error
		if err := Wrap(fmt.Errorf("call: %w", &x.err)); !errors.As(err, &e) || e.Kind != x.want || !e.Until.Equal(x.err.Until) {
			t.Errorf("%s, by the server %v: %+v, want %s", x.err.Reason, x.err.Err != nil, e, x.want)
		}
		if said := strings.Contains(e.Message, "PASSWORD_HASH_INVALID"); !strings.HasPrefix(e.Message, "in words") || said != (x.err.Err != nil) {
			t.Errorf("%s reads %q", x.err.Reason, e.Message)
		}
	}
}

func TestRequestsOfSecurityPrintNoSecret(t *testing.T) {
	const secret = "open sesame"
	email := secret
	for _, r := range []any{
		PasswordRequest{ID: "a", Current: secret, New: secret, Hint: secret, Email: &email}, CodeRequest{ID: "a", Code: secret},
		RecoverRequest{ID: "a", Code: secret, New: secret}, AcceptRequest{ID: "a", Link: secret},
	} {
		for _, format := range []string{"%v", "%+v", "%#v", "%s"} {
			if s := fmt.Sprintf(format, r); strings.Contains(s, "sesame") {
				t.Errorf("%T as %s prints %s", r, format, s)
			}
		}
	}
}

package dashboard

import (
	"html"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/descope/virtualwebauthn"

	"github.com/mtfleet/mtfleet/actors"
	"github.com/mtfleet/mtfleet/actors/actorstest"
)

func TestWhichPagesMayAskForPasskeys(t *testing.T) {
	s := newServer(true, "8070", "fleet.example", "passkeys.fleet.example:443")
	for _, c := range []struct{ options, host, want string }{
		{`{"publicKey":{"rpId":"fleet.example"}}`, "fleet.example:8070", ""},
		{`{"publicKey":{"rpId":"fleet.example"}}`, "passkeys.fleet.example", ""},
		{`{"publicKey":{"rp":{"id":"fleet.example","name":"x"}}}`, "fleet.example:8070", ""},
		{`{"publicKey":{}}`, "fleet.example:8070", ""},
		{`{"publicKey":{"rpId":"localhost"}}`, "localhost:8070", ""},
		{`{"publicKey":{"rpId":"passkeys.fleet.example"}}`, "fleet.example:8070",
			"The relying party of these passkeys, passkeys.fleet.example, lets no page of fleet.example ask a browser for them: open this page as https://passkeys.fleet.example/, or use another authenticator."},
		{`{"publicKey":{"rpId":"telegram.org"}}`, "nottelegram.org",
			"The relying party of these passkeys, telegram.org, lets no page of nottelegram.org ask a browser for them: use another authenticator, which signs for it."},
		{`{"publicKey":{}}`, "192.0.2.1:8070", "Browsers have no passkeys for pages of an address such as 192.0.2.1: open this page as https://fleet.example:8070/, or use another authenticator."},
		{`{"publicKey":{"rpId":"2001:db8::1"}}`, "[2001:db8::1]",
			"The relying party of these passkeys, 2001:db8::1, lets no page of 2001:db8::1 ask a browser for them: use another authenticator, which signs for it."},
		{`not JSON`, "fleet.example", ""},
	} {
		if got := s.passkeyBar(c.options, c.host); got != c.want {
			t.Errorf("%s at %s:\n%q, want\n%q", c.options, c.host, got, c.want)
		}
	}
}

// TestAPasskeyIsAddedAndDeleted by an authenticator that is not the browser's, whose relying
// party permits no page here.
func TestAPasskeyIsAddedAndDeleted(t *testing.T) {
	atDesk(t, func(t *testing.T, d *desk) {
		alice := actorstest.SignInPhone(t, d.manager, "alice", d.cluster.Descriptor().Phones[0], actors.AccountOptions{})
		actorstest.Wait(t, alice, actors.Online)
		const at = "/accounts/alice/passkeys"
		post := func(form url.Values) string {
			t.Helper()
			w := d.send(d.request(http.MethodPost, at, form.Encode()))
			if w.Code != http.StatusOK {
				t.Fatalf("%v: %d %s", form, w.Code, w.Body)
			}
			return w.Body.String()
		}
		if page := post(nil); !strings.Contains(page, "It has no passkeys.") {
			t.Errorf("it has\n%s", page)
		}
		page := post(url.Values{"do": {"begin"}})
		if !strings.Contains(page, "The relying party of these passkeys, passkeys.invalid, lets no page of 127.0.0.1 ask a browser for them") || strings.Contains(page, `id="passkey"`) {
			t.Errorf("the page offers the browser's own authenticator\n%s", page)
		}
		_, text, _ := strings.Cut(page, "<code>")
		text, _, _ = strings.Cut(text, "</code>")
		options, err := virtualwebauthn.ParseAttestationOptions(html.UnescapeString(text))
		if err != nil {
			t.Fatal(err, text)
		}
		authenticator := virtualwebauthn.NewAuthenticator()
		answer := virtualwebauthn.CreateAttestationResponse(virtualwebauthn.RelyingParty{ID: "passkeys.invalid", Origin: "https://passkeys.invalid"},
			authenticator, virtualwebauthn.NewCredential(virtualwebauthn.KeyTypeEC2), *options)
		page = post(url.Values{"do": {"finish"}, "credential": {answer}})
		name := regexp.MustCompile(`name="passkey" value="([^"]+)"`).FindStringSubmatch(page)
		if name == nil || !strings.Contains(page, "Passkey 1") {
			t.Fatalf("it has\n%s", page)
		}
		if page := post(url.Values{"do": {"delete"}, "passkey": {name[1]}}); !strings.Contains(page, "It has no passkeys.") {
			t.Errorf("it has\n%s", page)
		}
		d.is(d.request(http.MethodPost, at, url.Values{"do": {"finish"}, "credential": {"{"}}.Encode()), http.StatusUnprocessableEntity, "passkey")
		d.is(d.request(http.MethodPost, at, url.Values{"do": {"sign"}}.Encode()), http.StatusUnprocessableEntity, "load it again")
	})
}

package login

import (
	"testing"

	"github.com/mtfleet/mtfleet/mtproto/dc"
)

func TestAWebClientsLinkIsReadAsItIsCopied(t *testing.T) {
	for in, want := range map[string]struct {
		web   WebPart
		token string
	}{
		"https://web.telegram.org/k/#tgWebAuthToken=AB_c-1&tgWebAuthUserId=42&tgWebAuthDcId=4":               {WebPart{DC: 4, UserID: 42}, "AB_c-1"},
		" https://web.telegram.org/a/#tgWebAuthDcId=4&tgWebAuthUserId=42&tgWebAuthToken=AB&tgWebAuthTest=1 ": {WebPart{DC: 4, UserID: 42}, "AB"},
		"tgWebAuthToken=A%2BB":                        {WebPart{}, "A+B"},
		"#tgWebAuthToken=AB&tgWebAuthDcId=-1":         {WebPart{}, "AB"},
		"#tgWebAuthToken=AB&tgWebAuthUserId=somebody": {WebPart{}, "AB"},
		"AB_c-1": {WebPart{}, "AB_c-1"},
		"QUI=":   {WebPart{}, "QUI="},
	} {
		web, token, problem := readWebLink(in)
		if problem != "" || web != want.web || token != want.token {
			t.Errorf("%q: %+v %q %s", in, web, token, problem)
		}
	}
	for _, in := range []string{"", "  ", "https://t.me/login/12345", "#tgWebAuthToken=", "#tgWebAuthToken=%zz", "a b"} {
		if _, token, problem := readWebLink(in); problem == "" {
			t.Errorf("%q is a link with the token %q", in, token)
		}
	}
}

func TestAnAssertionIsReadAsAuthenticatorsWriteIt(t *testing.T) {
	c, problem := readCredential(assertion("4:42"))
	if problem != "" || c.dc != 4 || c.user != 42 || c.id != "cred" || c.rawID != "cred" || string(c.signature) != "signature" ||
		string(c.clientData) != `{"type":"webauthn.get"}` || string(c.authenticatorData) != "data" || c.userHandle != "4:42" {
		t.Errorf("%+v, %s", c, problem)
	}
	padded := `{"id":"x","response":{"clientDataJSON":"e30=","authenticatorData":"AA==","signature":"AA","userHandle":"Mjo0Mg=="}}`
	if c, problem := readCredential(padded); problem != "" || c.user != 42 || c.rawID != "x" {
		t.Errorf("with padding, and without rawId: %+v, %s", c, problem)
	}
	for _, handle := range []string{"42", "x:42", "4:x", "0:42", "4:0", "4:-1", "4:42:1"} {
		if c, problem := readCredential(assertion(handle)); problem == "" {
			t.Errorf("the user handle %q names %d of %v", handle, c.user, c.dc)
		}
	}
	for _, bad := range []string{"", "{}", "[]", `"x"`, `{"id":"x","response":{"clientDataJSON":"%%"}}`} {
		if _, problem := readCredential(bad); problem == "" {
			t.Errorf("%q is an assertion", bad)
		}
	}
}

func FuzzPasted(f *testing.F) {
	f.Add("https://web.telegram.org/k/#tgWebAuthToken=AB&tgWebAuthUserId=42&tgWebAuthDcId=4")
	f.Add("#?tgWebAuthToken=&tgWebAuthToken=x")
	f.Add(assertion("2:42"))
	f.Fuzz(func(t *testing.T, in string) {
		if web, token, problem := readWebLink(in); problem == "" && (token == "" || web.UserID < 0 || web.DC != 0 && !web.DC.Valid()) {
			t.Errorf("%q became %+v with the token %q", in, web, token)
		}
		if c, problem := readCredential(in); problem == "" && (c.user <= 0 || !c.dc.Valid() || c.dc > dc.MaxID || len(c.signature) == 0) {
			t.Errorf("%q became %+v", in, c)
		}
	})
}

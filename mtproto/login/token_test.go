package login

import (
	"testing"

	"github.com/mtfleet/mtfleet/tl"
	"github.com/mtfleet/mtfleet/tl/tg"
)

func TestTheTokenOfALogout(t *testing.T) {
	for name, c := range map[string]struct {
		body []byte
		want string
	}{
		"one":              {(&tg.AuthLoggedOut{FutureAuthToken: tl.Some([]byte("token"))}).Append(nil), "token"},
		"none":             {(&tg.AuthLoggedOut{}).Append(nil), ""},
		"something else":   {tl.AppendBool(nil, true), ""},
		"a damaged answer": {(&tg.AuthLoggedOut{FutureAuthToken: tl.Some([]byte("token"))}).Append(nil)[:9], ""},
	} {
		if got := LogOutToken(c.body); string(got) != c.want {
			t.Errorf("%s: %q", name, got)
		}
	}
}

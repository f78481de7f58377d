package standing_test

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/mtfleet/mtfleet/mtproto/standing"
	"github.com/mtfleet/mtfleet/tl"
	"github.com/mtfleet/mtfleet/tl/schema/schematest"
	"github.com/mtfleet/mtfleet/tl/tg"
	"github.com/mtfleet/mtfleet/tl/tljson"
)

// forCallers was read method by method: of the methods that are about logins and of the wrappers, those that leave the
// manager's own login, keys and connections as they are. A new one in the schema is in neither list and fails.
var forCallers = []string{
	// They end or let in other logins, and the manager's methods of that purpose use them.
	"auth.resetAuthorizations", "auth.acceptLoginToken",
	// They replace the password; the login they are asked by stays.
	"auth.requestPasswordRecovery", "auth.checkRecoveryPassword", "auth.recoverPassword",
	// They say how a query is meant, and are looked into.
	"invokeWithMessagesRange", "invokeWithTakeout", "invokeWithBusinessConnection", "invokeWithReCaptcha",
}

func TestEveryMethodAboutLoginsIsJudged(t *testing.T) {
	n := 0
	for _, d := range schematest.New(t, "api.tl").Functions {
		var reserved *standing.ReservedError
		refused := errors.As(standing.Reserved(tl.AppendUint32(nil, d.WireID())), &reserved)
		if refused {
			n++
			if reserved.Method != d.Name || reserved.Instead == "" || !reserved.NotSent() {
				t.Errorf("%s is refused as %s", d.Name, reserved)
			}
		}
		judged := strings.HasPrefix(d.Name, "auth.") || d.Generic != "" || d.Name == "account.deleteAccount"
		if want := judged && !slices.Contains(forCallers, d.Name); refused != want {
			t.Errorf("%s: refused %v, want %v", d.Name, refused, want)
		}
	}
	if n < 30 {
		t.Errorf("only %d methods are refused", n)
	}
}

func TestAReservedQueryIsFoundInsideItsWrappers(t *testing.T) {
	codec := tljson.New(tg.Schema, tg.Names)
	for _, test := range []struct{ query, refused string }{
		{`{"_":"help.getConfig"}`, ""},
		{`{"_":"invokeWithTakeout","takeout_id":"1","query":{"_":"help.getConfig"}}`, ""},
		{`{"_":"invokeWithTakeout","takeout_id":"1","query":{"_":"auth.logOut"}}`, "auth.logOut"},
		{`{"_":"invokeWithMessagesRange","range":{"_":"messageRange","min_id":1,"max_id":2},"query":` +
			`{"_":"invokeWithBusinessConnection","connection_id":"x","query":{"_":"auth.dropTempAuthKeys","except_auth_keys":[]}}}`, "auth.dropTempAuthKeys"},
		{`{"_":"invokeWithReCaptcha","token":"t","query":{"_":"gzip_packed","packed_data":""}}`, "gzip_packed"},
		{`{"_":"invokeWithReCaptcha","token":"t","query":{"_":"invokeWithLayer","layer":1,"query":{"_":"help.getConfig"}}}`, "invokeWithLayer"},
		{`{"_":"invokeWithApnsSecret","nonce":"t","secret":"s","query":{"_":"help.getConfig"}}`, "invokeWithApnsSecret"},
	} {
		query, err := codec.Parse([]byte(test.query))
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		var reserved *standing.ReservedError
		if errors.As(standing.Reserved(query), &reserved) {
			got = reserved.Method
		}
		if got != test.refused {
			t.Errorf("%s: refused for %q, want %q", test.query, got, test.refused)
		}
		for n := range query { // cut off anywhere it is no query, and breaks nothing
			_ = standing.Reserved(query[:n])
		}
	}
	// Neither how deep it is nor whether the rest of it can be read hides it.
	takeout, err := codec.Parse([]byte(`{"_":"invokeWithTakeout","takeout_id":"1","query":{"_":"auth.importBotAuthorization",` +
		`"flags":0,"api_id":1,"api_hash":"h","bot_auth_token":"t"}}`))
	if err != nil {
		t.Fatal(err)
	}
	deep := append(bytes.Repeat(takeout[:12], 2*tl.MaxDepth), takeout[12:]...)
	for what, query := range map[string][]byte{"deep inside": deep, "with its end cut off": takeout[:len(takeout)-4]} {
		var reserved *standing.ReservedError
		if !errors.As(standing.Reserved(query), &reserved) || reserved.Method != "auth.importBotAuthorization" {
			t.Errorf("%s: %v", what, standing.Reserved(query))
		}
	}
	if n := testing.AllocsPerRun(100, func() { _ = standing.Reserved([]byte{1, 2, 3, 4}) }); n != 0 {
		t.Errorf("a query that is not reserved allocates %v times", n)
	}
}

func TestTheMethodOfAQueryIsThatInsideItsWrappers(t *testing.T) {
	codec := tljson.New(tg.Schema, tg.Names)
	for _, test := range []struct{ query, called string }{
		{`{"_":"messages.getHistory","peer":{"_":"inputPeerSelf"},"offset_id":0,"offset_date":0,"add_offset":0,"limit":1,"max_id":0,"min_id":0,"hash":"0"}`, "own"},
		{`{"_":"invokeWithTakeout","takeout_id":"1","query":{"_":"help.getConfig"}}`, "help.getConfig"},
		{`{"_":"invokeWithMessagesRange","range":{"_":"messageRange","min_id":1,"max_id":2},"query":` +
			`{"_":"invokeWithBusinessConnection","connection_id":"x","query":{"_":"updates.getState"}}}`, "updates.getState"},
		{`{"_":"invokeWithReCaptcha","token":"t","query":{"_":"help.getNearestDc"}}`, "help.getNearestDc"},
		{`{"_":"invokeWithReCaptcha","token":"t","query":{"_":"invokeWithLayer","layer":1,"query":{"_":"help.getConfig"}}}`, "invokeWithLayer"},
	} {
		query, err := codec.Parse([]byte(test.query))
		if err != nil {
			t.Fatal(err)
		}
		if got := standing.Called("own", query); got != test.called {
			t.Errorf("%s calls %q, want %q", test.query, got, test.called)
		}
		if n := testing.AllocsPerRun(100, func() { _ = standing.Called("own", query) }); n != 0 {
			t.Errorf("%s: allocates %v times", test.query, n)
		}
		for n := range query { // cut off anywhere it is no query, and breaks nothing
			_ = standing.Called("own", query[:n])
		}
	}
	takeout := tl.AppendInt64(tl.AppendUint32(nil, 0xaca9fd2e), 1)
	for what, inside := range map[string][]byte{
		"nothing": nil, "what the schema does not have": {1, 2, 3, 4}, "what is no query": tl.AppendUint32(nil, tg.InputUserSelfID),
	} {
		if got := standing.Called("invokeWithTakeout", append(takeout[:12:12], inside...)); got != "invokeWithTakeout" {
			t.Errorf("with %s inside it calls %q", what, got)
		}
	}
}

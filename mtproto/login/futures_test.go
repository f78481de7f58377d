package login

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/mtfleet/mtfleet/tl"
	"github.com/mtfleet/mtfleet/tl/tg"
)

func loggedOut(token string) []byte {
	out := &tg.AuthLoggedOut{}
	if token != "" {
		out.FutureAuthToken = tl.Some([]byte(token))
	}
	return out.Append(nil)
}

// ada and bob are sign-ins.
func ada(token string) *Authorization {
	return &Authorization{UserID: 1, Phone: "491701234567", FutureAuthToken: []byte(token)}
}

func bob(token string) *Authorization {
	return &Authorization{UserID: 2, Phone: "491707654321", FutureAuthToken: []byte(token)}
}

// TestTokensAreOfferedForTheNumberOfTheirUser: an account may be one user after
// another, and each has his own, over a restart too.
func TestTokensAreOfferedForTheNumberOfTheirUser(t *testing.T) {
	var f Futures
	again := func() {
		t.Helper()
		f = DecodeFutures(f.Encode())
	}
	for _, step := range []struct {
		name  string
		do    func() bool
		store bool
		ada   string
		bob   string
	}{
		{"a sign-in that brought one", func() bool { return f.SignedIn(ada("a1")) }, true, "[a1]", "[]"},
		{"its end brought another", func() bool { return f.LoggedOut(loggedOut("a2")) }, true, "[a2 a1]", "[]"},
		{"somebody else, without one", func() bool { return f.SignedIn(bob("")) }, true, "[a2 a1]", "[]"},
		{"the same again", func() bool { return f.SignedIn(bob("")) }, false, "[a2 a1]", "[]"},
		{"an end without one", func() bool { return f.LoggedOut(loggedOut("")) }, false, "[a2 a1]", "[]"},
		{"no answer at all", func() bool { return f.LoggedOut([]byte("garbage")) }, false, "[a2 a1]", "[]"},
		{"his end brought one", func() bool { return f.LoggedOut(loggedOut("b1")) }, true, "[a2 a1]", "[b1]"},
		{"a bot has none", func() bool { return f.SignedIn(&Authorization{UserID: 3, IsBot: true, FutureAuthToken: []byte("x")}) }, false, "[a2 a1]", "[b1]"},
		{"nor has its end", func() bool { return f.LoggedOut(loggedOut("x")) }, false, "[a2 a1]", "[b1]"},
		{"and the first again", func() bool { return f.SignedIn(ada("a3")) }, true, "[a3 a2 a1]", "[b1]"},
	} {
		if got := step.do(); got != step.store {
			t.Errorf("%s: to be stored %v, want %v", step.name, got, step.store)
		}
		if again(); fmt.Sprintf("%s", f.For(ada("").Phone)) != step.ada || fmt.Sprintf("%s", f.For(bob("").Phone)) != step.bob {
			t.Errorf("%s: offered are %s and %s, want %s and %s", step.name, f.For(ada("").Phone), f.For(bob("").Phone), step.ada, step.bob)
		}
	}
	if fmt.Sprintf("%v %+v %#v", f, f, f) != "Futures Futures Futures" {
		t.Errorf("they print as %+v", f)
	}
}

func TestTheOldestTokensGo(t *testing.T) {
	var f Futures
	var want []string
	for i := range 2 * futuresMost {
		f.SignedIn(ada(fmt.Sprint("token ", i)))
		want = append([]string{fmt.Sprint("token ", i)}, want...)
	}
	var got []string
	for _, token := range f.For(ada("").Phone) {
		got = append(got, string(token))
	}
	if !slices.Equal(got, want[:futuresMost]) {
		t.Errorf("kept are %q", got)
	}
}

func TestTokensThatCannotBeReadAreLeftOut(t *testing.T) {
	for version, data := range map[uint16]string{1: "token", 2: "\x05token", futuresVersion: "{", futuresVersion + 1: "{}"} {
		if f := DecodeFutures(version, []byte(data)); len(f.s.Tokens) > 0 {
			t.Errorf("version %d: %d tokens", version, len(f.s.Tokens))
		}
	}
	if _, data := new(Futures).Encode(); strings.Contains(string(data), "token") {
		t.Errorf("none are stored as %s", data)
	}
}

package main

import (
	"encoding/json"
	"io"
	"net/http"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/mtfleet/mtfleet/actors"
	"github.com/mtfleet/mtfleet/cmd/manager/tabular"
)

// sent FILE QUERY writes the newest code of a test cluster into a file: QUERY is
// phone=NUMBER or email=ADDRESS.
func sent(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: sent FILE QUERY")
	}
	client := http.Client{Timeout: eventually, Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Get(ts.Getenv("CONTROL") + "/codes?" + args[1])
	ts.Check(err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	ts.Check(err)
	var got struct {
		Codes []struct{ Code string }
	}
	ts.Check(json.Unmarshal(body, &got))
	if len(got.Codes) == 0 {
		ts.Fatalf("nothing was sent: %s", body)
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(got.Codes[len(got.Codes)-1].Code+"\n"), 0o600))
}

// found NAME PATTERN FILE puts what the first group of a pattern matches in a file
// into a variable, as soon as it is there.
func found(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: found NAME PATTERN FILE")
	}
	pattern := regexp.MustCompile(args[1])
	for begun := time.Now(); ; time.Sleep(30 * time.Millisecond) {
		b, _ := os.ReadFile(ts.MkAbs(args[2]))
		if m := pattern.FindSubmatch(b); len(m) > 1 {
			ts.Setenv(args[0], string(m[1]))
			return
		}
		if time.Since(begun) > eventually {
			ts.Fatalf("%q is not in %q", args[1], b)
		}
	}
}

// TestATableOfSessionsFitsItsTerminal: what apps say of themselves is cut, and can
// move no cursor; in a pipe all of it is there.
func TestATableOfSessionsFitsItsTerminal(t *testing.T) {
	long := strings.Repeat("long ", 20)
	list := actors.Sessions{TTLDays: 180, Sessions: []actors.Session{
		{Current: true, App: "mtfleet", Created: time.Now(), Active: time.Now()},
		{
			ID: "0123456789abcdef", Unconfirmed: true, PasswordPending: true, Official: true, App: long, Device: long + "\x1b[2J\u202e\n", System: long,
			IP: "2001:db8:1234:5678:9abc:def0:1234:5678", Country: "Earth", Created: time.Unix(0, 1), Active: time.Unix(0, 1),
		},
	}}
	for _, width := range []int{60, 80, 120, 0} {
		var out strings.Builder
		if err := sessionsTable(list).Write(&out, tabular.Options{Width: width}); err != nil {
			t.Fatal(err)
		}
		lines := strings.Split(out.String(), "\n")
		if len(lines) != 4 || !strings.HasPrefix(lines[1], "this one  ") || !strings.HasPrefix(lines[2], "0123456789abcdef  ") {
			t.Errorf("%d: the table is\n%s", width, &out)
		}
		for _, line := range lines {
			if n := utf8.RuneCountInString(line); width > 0 && n > width {
				t.Errorf("a line for %d has %d letters: %s", width, n, line)
			}
		}
		if strings.ContainsAny(out.String(), "\x1b\u202e") {
			t.Errorf("%d: a cursor can be moved: %q", width, &out)
		}
		if whole := strings.Contains(out.String(), "5678 Earth") && !strings.Contains(out.String(), "..."); whole != (width == 0) {
			t.Errorf("%d: whole is %v:\n%s", width, whole, &out)
		}
		if !strings.Contains(out.String(), "NEW, PASSWORD NOT") {
			t.Errorf("%d: what needs a look is not said:\n%s", width, &out)
		}
	}
}

package main

import (
	"encoding/json"
	"io"
	"net/http"
	"os"
	"regexp"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
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

package main

import (
	"encoding/json"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/mtfleet/mtfleet/actors"
)

// Every call that docs/calls.md shows is one that can be made, and the one that cannot is refused in the words it shows.
func TestTheCallsOfTheDocCanBeMade(t *testing.T) {
	text, err := os.ReadFile("../../docs/calls.md")
	if err != nil {
		t.Fatal(err)
	}
	page := string(text)
	shell := regexp.MustCompile(`account call alice (\S+)(?: --json '([^']*)')?(?:\n(manager: .*))?`).FindAllStringSubmatch(page, -1)
	for _, m := range shell {
		err := actors.CheckJSON(m[1], json.RawMessage(m[2]))
		switch {
		case m[3] != "" && (err == nil || "manager: "+err.Error() != m[3]):
			t.Errorf("%s is refused with %v, the page has %s", m[1], err, m[3])
		case m[3] == "" && err != nil && !strings.Contains(page, m[0]+" --json - "):
			t.Errorf("%s: %v", m[0], err)
		}
	}
	curl := regexp.MustCompile(`'(\{"id":"alice".*\})'`).FindStringSubmatch(page)
	var request struct {
		ID, Method string
		Params     json.RawMessage
	}
	if err := json.Unmarshal([]byte(curl[1]), &request); err != nil {
		t.Fatal(err)
	}
	if err := actors.CheckJSON(request.Method, request.Params); err != nil {
		t.Errorf("the request by curl: %v", err)
	}
	if len(shell) < 5 {
		t.Errorf("only %d calls were found", len(shell))
	}
}

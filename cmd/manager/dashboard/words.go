package dashboard

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/mtfleet/mtfleet/actors"
	"github.com/mtfleet/mtfleet/cmd/manager/control"
)

// sentence is an error as a sentence.
func sentence(err error) string {
	text := control.Wrap(err).Error()
	first, n := utf8.DecodeRuneInString(text)
	if n == 0 {
		return ""
	}
	return string(unicode.ToUpper(first)) + strings.TrimSuffix(text[n:], ".") + "."
}

// kind sorts states by how much they want of an operator: "bad" is theirs to mend, "wait"
// and "busy" pass by themselves, "ok" is well and "off" as somebody wanted it.
func kind(state string) string {
	switch state {
	case actors.Online.String():
		return "ok"
	case actors.Connecting.String(), actors.SigningIn.String(), actors.SigningOut.String():
		return "busy"
	case actors.Waiting.String():
		return "wait"
	case actors.Quarantined.String(), actors.Duplicated.String(), actors.Revoked.String(), actors.Frozen.String():
		return "bad"
	}
	return "off"
}

// states are all of them, what wants most of an operator first.
var states = []string{
	actors.Quarantined.String(), actors.Duplicated.String(), actors.Revoked.String(), actors.Frozen.String(),
	actors.Waiting.String(), actors.Connecting.String(), actors.SigningIn.String(), actors.SigningOut.String(),
	actors.Online.String(),
	actors.New.String(), actors.Paused.String(), actors.SignedOut.String(), actors.Exported.String(), control.StateOffline,
}

// inWords says what a state is, for who does not know its name.
var inWords = map[string]string{
	actors.New.String():         "Nobody is signed in.",
	actors.SigningIn.String():   "A sign-in is under way.",
	actors.Connecting.String():  "It is signed in, and its DC has not answered yet. Calls wait.",
	actors.Online.String():      "It is online.",
	actors.Waiting.String():     "The server wants it to wait.",
	actors.Frozen.String():      "The server keeps it readable and refuses the rest.",
	actors.Quarantined.String(): "It failed too often here, or its records cannot be read. It is left alone.",
	actors.Duplicated.String():  "The server saw its key in two places and ended the login.",
	actors.Revoked.String():     "Its login is gone: it was ended elsewhere.",
	actors.SigningOut.String():  "It is being logged out.",
	actors.SignedOut.String():   "Its owner has logged out.",
	actors.Paused.String():      "It is paused: it keeps its keys and does not connect.",
	actors.Exported.String():    "Its session was handed out to another program.",
	control.StateOffline:        "No manager runs it.",
}

// iso is a time as browsers read it.
func iso(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// stamp is a time as people read it.
func stamp(t time.Time) string { return t.UTC().Format(time.DateTime) + " UTC" }

// count is a number of things.
func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // who went away reads nothing
}

package standing

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// reach leads a new machine into each state, by inputs alone.
var reach = [states][]string{
	New:         {"start"},
	SigningIn:   {"start", "begin-sign-in", "granted", "routed", "clock 0s"},
	Connecting:  {"stored online", "start", "routed", "clock 0s"},
	Online:      {"stored online", "start", "routed", "clock 0s", "answered 1"},
	Waiting:     {"stored online", "start", "routed", "clock 0s", "ended 2 420 FLOOD_WAIT_60"},
	Frozen:      {"stored online", "start", "routed", "clock 0s", "ended 1 420 FROZEN_METHOD_INVALID"},
	Quarantined: {"stored online", "start", "quarantine it failed too often"},
	Duplicated:  {"stored online", "start", "ended 1 406 AUTH_KEY_DUPLICATED"},
	Revoked:     {"stored online", "start", "key-gone"},
	SigningOut:  {"stored online", "start", "routed", "clock 0s", "log-out 1"},
	SignedOut:   {"stored online", "start", "routed", "clock 0s", "log-out 1", "ended 101 result", "erased"},
	Paused:      {"stored online", "start", "pause 1"},
	Exported:    {"stored online", "start", "export 1 as a gramjs session"},
}

// inputs are all a machine can be told. Call 1 is a caller's, the others are those
// that cell makes.
var inputs = []string{
	"start", "start-login", "crash", "advance 2m", "clock 24h",
	"admit 11 caller messages.sendMessage", "admit 11 caller messages.sendMessage dc=4", "admit 12 sign-in auth.sendCode", "admit 13 updates updates.getState",
	"admit 14 export auth.exportAuthorization", "admit 15 log-out auth.logOut", "admit 16 config help.getConfig",
	"canceled 1", "answered 1", "answered 1 dc=4",
	"ended 1 500 INTERNAL", "ended 1 420 FLOOD_WAIT_30", "ended 1 420 SLOWMODE_WAIT_30", "ended 1 303 FILE_MIGRATE_4", "ended 1 303 USER_MIGRATE_4",
	"ended 1 401 AUTH_KEY_PERM_EMPTY", "ended 1 401 AUTH_KEY_UNREGISTERED", "ended 1 401 AUTH_KEY_UNREGISTERED dc=4",
	"ended 1 401 USER_DEACTIVATED", "ended 1 406 AUTH_KEY_DUPLICATED", "ended 1 420 FROZEN_METHOD_INVALID", "ended 1 400 PEER_FLOOD",
	"ended 1 lost", "ended 1 given-back", "ended 2 420 FLOOD_WAIT_120", "ended 2 401 AUTH_KEY_UNREGISTERED",
	"ended 5 420 FLOOD_WAIT_30", "ended 5 406 AUTH_KEY_DUPLICATED", "ended 5 406 AUTH_KEY_DUPLICATED dc=4", "ended 6 401 USER_DEACTIVATED dc=4",
	"ended 7 401 AUTH_KEY_UNREGISTERED dc=4", "ended 3 result", "ended 3 401 AUTH_KEY_UNREGISTERED", "ended 4 result",
	"routed", "route-lost no more", "unreachable nobody answers", "key-gone", "key-gone dc=4", "foreign", "moved dc=4", "move-failed",
	"begin-sign-in", "granted", "step Type the code.", "sign-in-home dc=4", "signed-in", "sign-in-failed it was cancelled", "import-failed",
	"subject-wait auth.sendCode abc -10s 1m",
	"config-changed", "ended 8 lost", "ended 8 420 FLOOD_WAIT_30", "app-config 8 frozen", "app-config 8 free",
	"rotate 9", "rotated 1", "pause 9", "resume 9", "export 9 as a gotd session", "take-back 9", "restore-key 9", "log-out 9", "remove 9", "remove 9 force", "clear-waits 9", "erased", "quarantine again",
}

// cell plays one input in one state and tells what came of it, in a line.
func cell(t *testing.T, s State, input string) string {
	p := newPlay()
	p.calls[1] = &Call{ID: 1, Method: "messages.sendMessage"}
	p.calls[2] = &Call{ID: 2, Purpose: ForUpdates, Method: "updates.getDifference", Repeatable: true}
	p.calls[3] = &Call{ID: 3, Purpose: ForConfirm, Method: "users.getUsers", Repeatable: true}
	p.calls[4] = &Call{ID: 4, Purpose: ForLogOut, Method: "auth.logOut"}
	p.calls[5] = &Call{ID: 5, Purpose: ForBind, Method: "auth.bindTempAuthKey"}
	p.calls[6] = &Call{ID: 6, Purpose: ForImport, Method: "auth.importAuthorization", DC: 4}
	p.calls[7] = &Call{ID: 7, Purpose: ForMove, Method: "users.getUsers", DC: 4, Repeatable: true}
	p.calls[8] = &Call{ID: 8, Purpose: ForFreeze, Method: "help.getAppConfig", Repeatable: true}
	for _, line := range reach[s] {
		if err := p.run(line); err != nil {
			t.Fatal(err)
		}
	}
	if p.m.State() != s {
		t.Fatalf("%v leads to %v", reach[s], p.m.State())
	}
	p.calls[8].Round = p.m.frozen.round
	p.buf.Reset()
	if err := p.run(input); err != nil {
		t.Fatal(err)
	}
	became := p.m.State().String()
	if p.m.State() == s {
		became = "-"
	}
	var out []string
	for line := range strings.Lines(p.buf.String()) {
		out = append(out, strings.TrimSpace(line))
	}
	return strings.TrimSpace(fmt.Sprintf("%s  %s", became, strings.Join(out, " ")))
}

// TestEveryInputInEveryState holds the whole table: for each state and each
// input, which state follows ("-" for the same) and what is asked for.
func TestEveryInputInEveryState(t *testing.T) {
	const file = "testdata/states.table"
	var b strings.Builder
	for s := range states {
		fmt.Fprintf(&b, "%v\n", s)
		for _, input := range inputs {
			fmt.Fprintf(&b, "  %-42s %s\n", input, cell(t, s, input))
		}
	}
	if *rewrite {
		if err := os.WriteFile(file, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if lines := strings.Count(string(want), "\n"); lines != int(states)*(len(inputs)+1) {
		t.Errorf("the table has %d lines, %d states with %d inputs each want %d: it has a hole", lines, states, len(inputs), int(states)*(len(inputs)+1))
	}
	if diff := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(b.String(), "\n")); diff != "" {
		t.Errorf("the table differs (-want +got):\n%s", diff)
	}
}

package main

import (
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"time"
)

// TestTheTutorialRuns runs every command of docs/tutorial/first-fleet.md, in one shell
// as whoever reads it does.
func TestTheTutorialRuns(t *testing.T) {
	for _, need := range []string{"bash", "jq", "pgrep"} {
		if _, err := exec.LookPath(need); err != nil || runtime.GOOS == "windows" {
			t.Skip("needs " + need)
		}
	}
	text, err := os.ReadFile("../../docs/tutorial/first-fleet.md")
	if err != nil {
		t.Fatal(err)
	}
	var script strings.Builder
	script.WriteString("set -euo pipefail\ntrap 'kill $(jobs -p) 2>/dev/null; wait' EXIT\n")
	blocks := regexp.MustCompile("(?ms)^```sh\n(.*?)^```").FindAllStringSubmatch(string(text), -1)
	for _, b := range blocks {
		script.WriteString(b[1])
	}
	dir, err := os.MkdirTemp("", "first") // a short path, for the sockets
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	// pgrep would find managers of other tests: those of this one have a name of their own.
	own := strings.ReplaceAll(script.String(), "pgrep -f 'manager run'", "pgrep -f '^"+dir+"/manager run'")
	own = "manager() { " + dir + "/manager \"$@\"; }\n" + own
	self, err := exec.LookPath("manager") // what testscript has put there
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(self, dir+"/manager"); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "bash", "-c", own)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), "HOME="+dir)
	cmd.WaitDelay = 10 * time.Second
	out, err := cmd.CombinedOutput()
	if err != nil {
		log, _ := os.ReadFile(dir + "/run.log")
		t.Fatalf("it ends with %v:\n%s\nthe manager said: %s", err, out, log)
	}
	for _, want := range []string{
		"notes.", "Account alice is signed in", "5 ", "alice ", `"self":true`, "DC 2", "There are no accounts",
	} {
		if !strings.Contains(string(out), want) {
			t.Errorf("nothing said %q:\n%s", want, out)
		}
	}
	if len(blocks) != 8 {
		t.Errorf("%d blocks were run", len(blocks))
	}
}

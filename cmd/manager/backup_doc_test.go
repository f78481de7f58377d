package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"

	"github.com/mtfleet/mtfleet/mtproto/dctest/serve"
)

// unit is systemctl as far as the page uses it: it starts the manager of this
// directory and stops it.
const unit = `#!/bin/bash
set -eu
case $1 in
start) manager run >>"$UNIT.log" 2>&1 & echo $! >"$UNIT.pid"; for i in $(seq 600); do manager account list 2>/dev/null | grep -q online && exit 0; sleep 0.1; done; exit 1;;
stop) [ -f "$UNIT.pid" ] || exit 0; kill -INT "$(cat "$UNIT.pid")"; while kill -0 "$(cat "$UNIT.pid")" 2>/dev/null; do sleep 0.02; done; rm "$UNIT.pid";;
esac
`

// backupPage is docs/backup.md with its directories in that one.
func backupPage(t *testing.T, dir string) string {
	t.Helper()
	text := string(read(t, "../../docs/backup.md"))
	for _, at := range []string{"/etc/mtfleet", "/etc/systemd", "/var/lib/mtfleet", "/var/backups/mtfleet", "/var/tmp", "/usr/local/bin"} {
		text = strings.ReplaceAll(text, at+"/", dir+at+"/")
		text = regexp.MustCompile(regexp.QuoteMeta(at)+`([ .\n])`).ReplaceAllString(text, dir+at+"$1")
		if err := os.MkdirAll(dir+at, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	return text
}

var block = regexp.MustCompile("(?ms)^```(sh|yaml)\n(.*?)^```")

// TestThePageOfBackupsRuns runs every command of docs/backup.md, one after the
// other, on a fleet of two against test DCs.
func TestThePageOfBackupsRuns(t *testing.T) {
	bash, err := exec.LookPath("bash")
	if err != nil || runtime.GOOS == "windows" {
		t.Skip("needs bash")
	}
	cluster, err := serve.Start(serve.Config{Bots: 2})
	if err != nil {
		t.Fatal(err)
	}
	defer cluster.Close()
	dir, err := os.MkdirTemp("", "page") // a short path, for the socket
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	page := backupPage(t, dir)
	config := clusterConfig(cluster.Descriptor(), "control:\n  socket: "+filepath.Join(dir, "s")+"\n")
	config = strings.Replace(config, "dir: data", "dir: "+dir+"/var/lib/mtfleet", 1)
	config = strings.Replace(config, "key_file: store.key", "key_file: "+dir+"/etc/mtfleet/master-key", 1)
	write := func(name, text string, mode os.FileMode) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), mode); err != nil {
			t.Fatal(err)
		}
	}
	write("mtfleet.yaml", config, 0o600)
	write("usr/local/bin/systemctl", unit, 0o700)
	env := append(os.Environ(), "MTFLEET_CONFIG="+dir+"/mtfleet.yaml", "HOME="+dir, "UNIT="+dir+"/unit", "PATH="+dir+"/usr/local/bin:"+os.Getenv("PATH"))
	run := func(script string) string {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), bash, "-euo", "pipefail", "-c", script)
		cmd.Dir, cmd.Env = dir, env
		out, err := cmd.CombinedOutput()
		if err != nil {
			log, _ := os.ReadFile(filepath.Join(dir, "unit.log"))
			t.Fatalf("%s\nends with %v:\n%s\nthe manager said: %s", script, err, out, log)
		}
		return string(out)
	}
	defer func() { // a manager that was left
		cmd := exec.Command(bash, "-c", "systemctl stop mtfleet")
		cmd.Env = env
		_ = cmd.Run()
	}()
	for i, b := range cluster.Descriptor().Bots {
		write("token", b.Token, 0o600)
		run("manager account login bot" + string(rune('1'+i)) + " --add --bot-token-file token")
	}
	run("systemctl start mtfleet")

	n, said := 0, ""
	for _, m := range block.FindAllStringSubmatch(page, -1) {
		n++
		if m[1] == "sh" {
			said += run(m[2])
			continue
		}
		to := strings.TrimSpace(string(read(t, filepath.Join(dir, "etc/mtfleet/backup.pub"))))
		write("mtfleet.yaml", strings.Replace(config, "store:\n", strings.Replace(m[2], "age1...", to, 1), 1), 0o600)
		said += run("systemctl stop mtfleet; systemctl start mtfleet; until manager store space | grep /var/backups/mtfleet/mtfleet-; do sleep 0.1; done")
	}
	// What it promises on the way.
	for _, want := range []string{
		"is backed up as of commit ", "To restore it takes the identity of its recipient, and no master key.", "is as it was written at ",
		"holds what it should, as of commit ", "nothing starts before `manager store adopt`", "is adopted, with 2 accounts",
		"is sealed with the master key in " + dir + "/etc/mtfleet/master-key.next", "of the disk, and takes ",
	} {
		if !strings.Contains(said, want) {
			t.Errorf("nothing said %q:\n%s", want, said)
		}
	}
	if n < 8 {
		t.Errorf("only %d blocks were run", n)
	}
	out := run("manager account list; systemctl stop mtfleet; manager store verify; ls " + dir + "/var/backups/mtfleet")
	if strings.Count(out, "online") != 2 || !regexp.MustCompile(`(?m)^\d{4}-\d\d-\d\d\.age$`).MatchString(out) {
		t.Errorf("in the end: %s", out)
	}
}

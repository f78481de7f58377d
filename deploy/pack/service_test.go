package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// blocks are the commands of a section of docs/deploy.md: what its blocks of sh hold.
func blocks(heading string) (all []string, err error) {
	page, err := os.ReadFile("../../docs/deploy.md")
	if err != nil {
		return nil, err
	}
	_, section, found := strings.Cut(string(page), "\n## "+heading+"\n")
	if !found {
		return nil, fmt.Errorf("docs/deploy.md has no section %q", heading)
	}
	section, _, _ = strings.Cut(section, "\n## ")
	for _, m := range regexp.MustCompile("(?ms)^```sh\n(.*?)^```").FindAllStringSubmatch(section, -1) {
		all = append(all, m[1])
	}
	return all, nil
}

// machine is one with a systemd of its own; see testdata/machine.sh.
type machine struct {
	t   *testing.T
	dir string
	pid string
}

func newMachine(t *testing.T) *machine {
	t.Helper()
	m := &machine{t: t, dir: t.TempDir()}
	var said bytes.Buffer
	cmd := exec.Command("bash", "testdata/machine.sh", m.dir)
	cmd.Stderr = &said
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Skip("there is no bash on this machine: ", err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	t.Cleanup(func() {
		_ = stdin.Close()
		_ = cmd.Process.Signal(os.Interrupt)
		<-ended
		if group, err := os.ReadFile(filepath.Join(m.dir, "cgroup")); err == nil {
			m.removeGroups(strings.TrimSpace(string(group)))
		}
	})
	pid := filepath.Join(m.dir, "pid")
	for {
		select {
		case err := <-ended:
			ended <- err
			var exit *exec.ExitError
			if errors.As(err, &exit) && exit.ExitCode() == 77 {
				t.Skip(said.String())
			}
			t.Fatal(err, said.String())
		case <-time.After(50 * time.Millisecond):
		}
		if text, err := os.ReadFile(pid); err == nil && len(text) > 0 {
			m.pid = strings.TrimSpace(string(text))
			return m
		}
	}
}

// removeGroups removes the control groups that the machine's systemd had, as soon as
// their processes have ended.
func (m *machine) removeGroups(group string) {
	for begun := time.Now(); time.Since(begun) < 10*time.Second; time.Sleep(50 * time.Millisecond) {
		_ = exec.Command("find", group, "-depth", "-type", "d", "-exec", "rmdir", "{}", ";").Run()
		if _, err := os.Stat(group); errors.Is(err, os.ErrNotExist) {
			return
		}
	}
	m.t.Errorf("the control groups in %s are left", group)
}

// give puts a file at /given on the machine.
func (m *machine) give(path string) {
	m.t.Helper()
	from, err := os.Open(path)
	if err != nil {
		m.t.Fatal(err)
	}
	defer from.Close()
	to, err := os.OpenFile(filepath.Join(m.dir, "given", filepath.Base(path)), os.O_CREATE|os.O_WRONLY, 0o755)
	if err != nil {
		m.t.Fatal(err)
	}
	if _, err := io.Copy(to, from); err != nil {
		m.t.Fatal(err)
	}
	if err := to.Close(); err != nil {
		m.t.Fatal(err)
	}
}

// sh runs a script on the machine, in /given, and returns what it printed.
func (m *machine) sh(script string) string {
	m.t.Helper()
	ctx, cancel := context.WithTimeout(m.t.Context(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "nsenter", "-t", m.pid, "--all", "--root", "--wd=/proc/"+m.pid+"/root/given", "bash", "-euo", "pipefail", "-c", script)
	out, err := cmd.CombinedOutput()
	if err != nil {
		m.t.Fatalf("%v of\n%s\nprinted\n%s\nThe journal:\n%s", err, script, out, m.journal())
	}
	return string(out)
}

func (m *machine) journal() string {
	out, _ := exec.Command("nsenter", "-t", m.pid, "--all", "--root", "journalctl", "--no-pager", "-o", "cat", "-u", "mtfleet", "-n", "60").CombinedOutput()
	return string(out)
}

// eventually waits until a script prints a text.
func (m *machine) eventually(script, want string) {
	m.t.Helper()
	for begun := time.Now(); ; time.Sleep(200 * time.Millisecond) {
		out := m.sh(script)
		if strings.Contains(out, want) {
			return
		}
		if time.Since(begun) > time.Minute {
			m.t.Fatalf("%s never printed %q, but %s\nThe journal:\n%s", script, want, out, m.journal())
		}
	}
}

// asWritten stands for what an operator does at the page's commands: whose sudo is
// theirs, whose editor enters an app and the DCs, who answers a sign-in.
const asWritten = `
sudo() {
	case "$*" in
	*"account login"*)
		"$@" --phone "$(jq -r '.phones[0].phone' /given/dc.json)"
		set -- $(printf '%s\n' "$@" | grep -vx -- --add)
		"$@" --code "$(jq -r '.phones[0].code' /given/dc.json)" ;;
	*) "$@" ;;
	esac
}
sudoedit() {
	sed -i 's/^api_id: .*/api_id: 900001/; s/^api_hash: .*/api_hash: "6d74666c6565742d746573742d617070"/' "$1"
	sed -n '/^environment:/,$p' /given/dc.yaml >>"$1"
}
export PAGER=cat SYSTEMD_PAGER=cat
mkdir -p dist
ln -sf ../$(ls *.deb) dist/
`

// TestThePagesServiceRuns does what docs/deploy.md says under a real systemd, against
// a test DC.
func TestThePagesServiceRuns(t *testing.T) {
	commands, err := blocks("A service of systemd")
	if err != nil || len(commands) != 2 {
		t.Fatal(len(commands), err)
	}
	for _, need := range []string{"jq", "dpkg"} {
		if _, err := exec.LookPath(need); err != nil {
			t.Skip("there is no ", need, " on this machine")
		}
	}
	m := newMachine(t)
	m.give(packed.deb)
	m.give(packed.manager)
	m.sh(`systemd-run --quiet --unit=testdc --property=WorkingDirectory=/given /given/manager testdc --users 1 --dcs 2 --descriptor dc.json --write-config dc.yaml`)
	m.eventually(`ls`, "dc.yaml")
	m.eventually(`ls`, "dc.json")

	t.Log(m.sh(asWritten + commands[0]))
	const status = `systemctl show --property=StatusText,ActiveState,Result,NRestarts mtfleet`
	m.eventually(status, "StatusText=1 of 1 accounts online")
	m.sh(`test "$(stat -c '%U %a' /var/lib/mtfleet /run/mtfleet /run/mtfleet/control.sock | sort -u | tr '\n' ' ')" = "mtfleet 600 mtfleet 700 "`)

	// It cannot do what it need not: its rights, and the key's file.
	facts := m.sh(`p=$(systemctl show --value -p MainPID mtfleet); grep -E '^(CapEff|CapBnd|NoNewPrivs|Seccomp):' /proc/$p/status; grep 'core file' /proc/$p/limits`)
	for _, want := range []string{"CapEff:\t0000000000000000", "CapBnd:\t0000000000000000", "NoNewPrivs:\t1", "Seccomp:\t2", "Max core file size        0"} {
		if !strings.Contains(facts, want) {
			t.Errorf("%q is not in\n%s", want, facts)
		}
	}
	m.sh(`! setpriv --reuid mtfleet --regid mtfleet --clear-groups cat /etc/mtfleet/master-key`)

	t.Log(m.sh(asWritten + commands[1]))
	m.eventually(status, "StatusText=1 of 1 accounts online")

	// A reload ends when the settings count.
	m.sh(`printf '\nlimits:\n  connects_per_second: 7\n' >>/etc/mtfleet/config.yaml
p=$(systemctl show --value -p MainPID mtfleet); systemctl reload mtfleet; test "$(systemctl show --value -p MainPID mtfleet)" = "$p"
journalctl --no-pager -o cat -u mtfleet | grep -q 'the configuration was read again'`)
	m.eventually(status, "ActiveState=active")

	// What hangs is ended and started anew, by a shorter watchdog.
	m.sh(`mkdir -p /etc/systemd/system/mtfleet.service.d
printf '[Service]\nWatchdogSec=2s\nRestartSec=100ms\n' >/etc/systemd/system/mtfleet.service.d/test.conf
systemctl daemon-reload
systemctl restart mtfleet`)
	m.eventually(status, "StatusText=1 of 1 accounts online")
	m.sh(`kill -STOP $(systemctl show --value -p MainPID mtfleet)`)
	m.eventually(status, "NRestarts=1")
	m.eventually(status, "StatusText=1 of 1 accounts online")

	// A key that is not the store's is not tried ten times.
	m.sh(`systemctl stop mtfleet; cp /etc/mtfleet/master-key /given/; head -c 32 /dev/urandom | base64 >/etc/mtfleet/master-key; ! systemctl start mtfleet`)
	if out := m.sh(status); !strings.Contains(out, "ActiveState=failed") || !strings.Contains(out, "NRestarts=0") {
		t.Errorf("with another key it is %s", out)
	}
	m.sh(`cp /given/master-key /etc/mtfleet/; systemctl start mtfleet`)

	// An upgrade restarts it, a removal stops it and leaves what cannot be made anew.
	before := m.sh(`systemctl show --value -p MainPID mtfleet`)
	m.sh(`dpkg -i *.deb; test "$(stat -c %G /etc/mtfleet/config.yaml)" = mtfleet`)
	if after := m.sh(`systemctl show --value -p MainPID mtfleet`); after == before {
		t.Error("an upgrade leaves the old binary running")
	}
	m.sh(`dpkg -P mtfleet; test -e /var/lib/mtfleet/badger/HEAD; test -e /etc/mtfleet/master-key; ! systemctl is-active mtfleet`)
}

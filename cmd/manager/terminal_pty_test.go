//go:build linux

package main

import (
	"errors"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/charmbracelet/x/ansi"
	"golang.org/x/sys/unix"
)

// all is everything that a command writes to its terminal, which ends with that code.
func (p *seat) all(code int) string {
	p.t.Helper()
	for chunk := range p.chunks {
		p.raw.WriteString(chunk)
	}
	_ = p.cmd.Wait()
	if got := p.cmd.ProcessState.ExitCode(); got != code {
		p.t.Errorf("%v: exit code %d, want %d: %s", p.cmd.Args, got, code, p.raw.String())
	}
	return p.raw.String()
}

// piped is what a command writes into a pipe.
func (s *scene) piped(args ...string) string {
	s.t.Helper()
	c := exec.Command("manager", args...)
	c.Env = append(os.Environ(), "MTFLEET_CONFIG="+s.config(), "HOME="+s.dir, "TERM=xterm", "NO_COLOR=")
	out, err := c.CombinedOutput()
	if err != nil {
		s.t.Fatalf("%v: %v: %s", args, err, out)
	}
	return string(out)
}

// fleet makes accounts, has a manager run, and signs the first in, whom the fleet then shows online.
func (s *scene) fleet(names ...string) {
	s.t.Helper()
	s.noPassword()
	for _, name := range names {
		s.piped("account", "add", name, "--label", "env=a-value-of-some-length")
	}
	s.start("run")
	s.answers()
	s.piped("account", "login", names[0], "--phone", "+"+s.phone.Number)
	s.piped("account", "login", names[0], "--code", s.phone.Code)
}

func TestColoursAreForATerminal(t *testing.T) {
	s := newScene(t)
	s.fleet("alice", "bob")
	for _, args := range [][]string{{"account", "list"}, {"account", "list", "-o", "wide"}, {"status"}} {
		const green = "\x1b[32m"
		if out := s.sit(args...).all(exitOK); !strings.Contains(out, green) {
			t.Errorf("%v at a terminal has no colours: %q", args, out)
		}
		for what, env := range map[string][]string{"with NO_COLOR": {"NO_COLOR=1"}, "at a terminal that has none": {"TERM=dumb"}} {
			if out := s.sitAt(80, 24, env, args...).all(exitOK); strings.Contains(out, "\x1b") {
				t.Errorf("%v %s has colours: %q", args, what, out)
			}
		}
		if out := s.piped(args...); strings.Contains(out, "\x1b") {
			t.Errorf("%v into a pipe has colours: %q", args, out)
		}
	}
}

func TestWhatCannotBeUndoneIsAskedAtATerminal(t *testing.T) {
	s := newScene(t)
	for _, name := range []string{"alice", "bob", "carol"} {
		s.piped("account", "add", name)
	}
	for _, c := range []struct {
		what, typed string
		code        int
		last, left  string
	}{
		{"another word", "y", exitFailed, "manager: nothing was done", "alice\nbob\ncarol\n"},
		{"nothing", "", exitFailed, "manager: nothing was done", "alice\nbob\ncarol\n"},
		{"yes", "YES ", exitOK, "manager: remove: 3 of 3 accounts done", ""},
	} {
		p := s.sitAt(100, 24, nil, "account", "remove", "--all")
		p.reads("This ends what the store has of 3 accounts: alice, bob, carol. Type yes to go on: ")
		p.types(c.typed)
		p.ends(c.code, c.last)
		if left := s.piped("account", "list", "-o", "name"); left != c.left {
			t.Errorf("%s was typed, and left are %q", c.what, left)
		}
	}
	// Who leaves by Ctrl-C has done nothing, and is told so by the exit code.
	for _, name := range []string{"alice", "bob"} {
		s.piped("account", "add", name)
	}
	p := s.sitAt(100, 24, nil, "account", "logout", "alice", "bob")
	p.reads("This ends the logins of 2 accounts: alice, bob. Type yes to go on: ")
	_, _ = p.tty.WriteString("\x03")
	p.ends(exitInterrupted, "manager: interrupted")
	after, err := unix.IoctlGetTermios(int(p.tty.Fd()), unix.TCGETS)
	if err != nil || *after != *p.before {
		t.Errorf("the terminal has other settings: %+v, before %+v (%v)", after, p.before, err)
	}
}

func TestAWatchedStatusIsDrawnInPlace(t *testing.T) {
	s := newScene(t)
	for _, name := range []string{"alice", "bob"} {
		s.piped("account", "add", name)
	}
	s.start("run")
	s.answers()
	w := s.watchAt(60, 24, nil, "status", "-w")
	w.reads("accounts  2: 2 new")
	s.piped("account", "add", "carol")
	screen := w.reads("accounts  3: 3 new")
	if strings.Count(screen, "manager   runs") != 1 || !strings.HasPrefix(screen, "manager   runs") {
		t.Errorf("it is not drawn in place:\n%s", screen)
	}
	// What a low terminal has no room for is left out, and the first lines stay.
	w.size(60, 6)
	screen = w.reads("more lines")
	if !strings.HasPrefix(screen, "manager   runs") {
		t.Errorf("a low terminal has lost the first line:\n%s", screen)
	}
	w.size(60, 24)
	w.reads("accounts  3: 3 new", "later  3 accounts")
	w.press("\x03")
	screen = w.closes(exitInterrupted)
	if !strings.HasPrefix(screen, "manager   runs") || !strings.HasSuffix(strings.TrimSpace(screen), "\n^Cmanager: interrupted") {
		t.Errorf("it leaves behind:\n%s", screen)
	}
	if at := w.emulated.CursorPosition(); at.X != 0 {
		t.Errorf("the next prompt would begin in column %d", at.X)
	}
}

// Rows fit into 60 letters, whatever the names and reasons are.
func TestTablesFitSixtyColumns(t *testing.T) {
	s := newScene(t)
	config, err := os.OpenFile(s.config(), os.O_APPEND|os.O_WRONLY, 0)
	if err == nil {
		_, err = config.WriteString("\nwebhooks:\n  - {name: a-webhook-of-some-length, url: \"http://127.0.0.1:1/\", secret: \"whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=\"}\n")
	}
	if err != nil {
		t.Fatal(errors.Join(err, config.Close()))
	}
	_ = config.Close()
	s.fleet("a-name-that-is-rather-long-1", "a-name-that-is-rather-long-2")
	alice := "a-name-that-is-rather-long-1"
	consumer := s.start("events", "consume", "--name", "a-consumer-of-some-length", "--account", alice)
	<-consumer.lines
	// Something that is refused, so that the audit log has another word than ok.
	_ = exec.Command("manager", "--config", s.config(), "account", "pause", "nobody-of-this-name").Run()
	for _, args := range [][]string{
		{"account", "list"}, {"account", "show", "--all"}, {"account", "sessions", "list", alice}, {"account", "passkeys", "list", alice},
		{"account", "peers", alice}, {"account", "2fa", "show", alice}, {"audit", "tail"}, {"consumers", "list"}, {"governor"},
		{"session", "formats"}, {"status"}, {"webhooks", "list"},
	} {
		out := ansi.Strip(s.sitAt(60, 24, nil, args...).all(exitOK))
		if strings.TrimSpace(out) == "" {
			t.Errorf("%v says nothing", args)
		}
		for line := range strings.Lines(strings.ReplaceAll(out, "\r\n", "\n")) {
			// A command to copy is one line, however long it is.
			if n := utf8.RuneCountInString(strings.TrimRight(line, "\n")); n > 60 && !aCommand.MatchString(line) {
				t.Errorf("%v has a line of %d letters: %s", args, n, line)
			}
		}
	}
}

var aCommand = regexp.MustCompile(`^ *(\$ )?manager `)

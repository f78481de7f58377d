//go:build linux

package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/charmbracelet/x/ansi"
	"github.com/charmbracelet/x/vt"
	"golang.org/x/sys/unix"

	"github.com/mtfleet/mtfleet/cmd/manager/control"
)

// watcher is a person at a terminal that is emulated whole.
type watcher struct {
	*seat
	emulated *vt.Emulator
}

// watch is to look at `manager top`.
func (s *scene) watch() *watcher {
	s.t.Helper()
	return s.watchAt(80, 24, nil, "top")
}

func (s *scene) watchAt(width, height int, env []string, args ...string) *watcher {
	s.t.Helper()
	w := &watcher{seat: s.sitAt(width, height, env, args...), emulated: vt.NewEmulator(width, height)}
	// What the program asks the terminal for is not answered, as by one that does not know
	// it: an answer that came after the end would stay behind on the screen.
	go func() { _, _ = io.Copy(io.Discard, w.emulated) }()
	// Its own Close is not for when somebody reads.
	s.t.Cleanup(func() { _ = w.emulated.InputPipe().(io.Closer).Close() })
	return w
}

// reads waits until all of it is on the screen.
func (w *watcher) reads(texts ...string) string {
	w.t.Helper()
	timeout := time.After(eventually)
	for {
		screen := ansi.Strip(w.emulated.Render())
		missing := ""
		for _, text := range texts {
			if !strings.Contains(screen, text) {
				missing = text
			}
		}
		if missing == "" {
			return screen
		}
		select {
		case chunk, open := <-w.chunks:
			if !open {
				w.t.Fatalf("top ended before %q was seen:\n%s", missing, screen)
			}
			w.take(chunk)
		case <-timeout:
			w.t.Fatalf("never seen: %q:\n%s", missing, screen)
		}
	}
}

func (w *watcher) take(chunk string) {
	w.raw.WriteString(chunk)
	_, _ = w.emulated.Write([]byte(chunk))
}

func (w *watcher) press(keys string) { _, _ = w.tty.WriteString(keys) }

// size gives the terminal another one.
func (w *watcher) size(width, height int) {
	w.t.Helper()
	w.emulated.Resize(width, height)
	if err := unix.IoctlSetWinsize(int(w.tty.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: uint16(height), Col: uint16(width)}); err != nil {
		w.t.Fatal(err)
	}
}

// leaves waits for the end, and looks at the terminal: it is as it was before, with
// nothing on it but what was said last.
func (w *watcher) leaves(code int, last string) {
	w.t.Helper()
	if screen := strings.TrimSpace(strings.ReplaceAll(w.closes(code), "\n", "")); screen != last {
		w.t.Errorf("it leaves behind %q, want %q", screen, last)
	}
}

// closes waits for the end, looks at the settings of the terminal, and returns what is on it.
func (w *watcher) closes(code int) string {
	w.t.Helper()
	for chunk := range w.chunks {
		w.take(chunk)
	}
	_ = w.cmd.Wait()
	if got := w.cmd.ProcessState.ExitCode(); got != code {
		w.t.Errorf("exit code %d, want %d", got, code)
	}
	if w.emulated.IsAltScreen() {
		w.t.Error("the alternate screen is left on")
	}
	raw := w.raw.String()
	if strings.LastIndex(raw, "\x1b[?25h") < strings.LastIndex(raw, "\x1b[?25l") {
		w.t.Error("the cursor is left hidden")
	}
	after, err := unix.IoctlGetTermios(int(w.tty.Fd()), unix.TCGETS)
	if err != nil || *after != *w.before {
		w.t.Errorf("the terminal has other settings: %+v, before %+v (%v)", after, w.before, err)
	}
	return ansi.Strip(w.emulated.Render())
}

// answers waits until a manager runs.
func (s *scene) answers() {
	s.t.Helper()
	for begun := time.Now(); ; time.Sleep(20 * time.Millisecond) {
		service, err := control.Dial(s.t.Context(), filepath.Join(s.dir, "data", "control.sock"))
		if err == nil {
			about, infoErr := control.Info.Call(s.t.Context(), service, control.Empty{})
			_ = service.Close()
			if infoErr == nil && about.Running {
				return
			}
			err = infoErr
		}
		if time.Since(begun) > eventually {
			s.t.Fatalf("no manager answers: %v", err)
		}
	}
}

func TestAPersonWatchesTheFleetAndSignsIn(t *testing.T) {
	s := newScene(t)
	s.noPassword()
	if _, ok := s.start("account", "add", "alice", "--json").step(); !ok {
		t.Fatal("no account")
	}
	run := s.start("run")
	s.answers()
	w := s.watch()
	w.reads("1 account:", "> alice", "1 new")
	w.press("l\r")
	w.reads("Phone number with its country code")
	w.press("+" + s.phone.Number + "\r")
	w.reads("Code: _")
	w.press(s.phone.Code + "\r")
	w.reads("Account alice is signed in: user", "1 online")
	w.press("/ali\r\r")
	w.reads("account alice", "temp key", "in use for")

	// A larger window is used, and one that is too small is told so.
	w.size(40, 10)
	w.reads("40 columns")
	w.size(100, 30)
	w.reads("account alice", "timeline, the newest last")

	// The manager is killed: that is said, and the next one is found.
	run.kill()
	w.reads("Not connected since", "`manager run`")
	s.start("run")
	w.press("\x1b")
	w.reads("shown: 1 of 1", "1 online")
	w.size(80, 24)
	w.press("q")
	w.leaves(exitOK, "")
}

// A signal from outside ends it, and the terminal is as it was.
func TestTopIsTerminated(t *testing.T) {
	s := newScene(t)
	s.start("run")
	s.answers()
	w := s.watch()
	w.reads("There are no accounts.")
	if err := w.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	w.leaves(exitInterrupted, "manager: interrupted")
}

// Without a manager nothing is drawn, and no store is made or held.
func TestTopWithoutAManager(t *testing.T) {
	s := newScene(t)
	w := s.watch()
	w.leaves(exitState, "manager: no manager runs: start it with `manager run`; without one, `manager account list` shows what the store has")
	if _, err := os.Stat(filepath.Join(s.dir, "data")); !os.IsNotExist(err) {
		t.Errorf("there is a store: %v", err)
	}
	c := exec.Command("manager", "top")
	c.Env = append(os.Environ(), "MTFLEET_CONFIG="+s.config())
	out, err := c.CombinedOutput()
	if code := err.(*exec.ExitError).ExitCode(); code != exitUsage || !bytes.Contains(out, []byte("draws on a terminal")) {
		t.Errorf("without a terminal: %d %s", code, out)
	}
}

// tmux is a terminal of a person who comes by ssh, say.
func TestTopInTmux(t *testing.T) {
	path, err := exec.LookPath("tmux")
	if err != nil {
		t.Skip("there is no tmux here")
	}
	s := newScene(t)
	if _, ok := s.start("account", "add", "alice", "--json").step(); !ok {
		t.Fatal("no account")
	}
	s.start("run")
	s.answers()
	manager, err := exec.LookPath("manager")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*eventually)
	defer cancel()
	tmux := func(args ...string) string {
		c := exec.CommandContext(ctx, path, append([]string{"-S", filepath.Join(s.dir, "tmux"), "-f", "/dev/null"}, args...)...)
		c.Env = append(os.Environ(), "MTFLEET_CONFIG="+s.config(), "HOME="+s.dir, "NO_COLOR=1", "PS1=$ ", "LC_ALL=C.UTF-8")
		out, err := c.CombinedOutput()
		if err != nil {
			t.Fatalf("tmux %s: %v: %s", args, err, out)
		}
		return string(out)
	}
	tmux("new-session", "-d", "-x", "80", "-y", "24", "sh")
	defer tmux("kill-server")
	sees := func(what string) {
		t.Helper()
		for screen := ""; !strings.Contains(screen, what); screen = tmux("capture-pane", "-p") {
			select {
			case <-ctx.Done():
				t.Fatalf("never seen: %q:\n%s", what, screen)
			case <-time.After(50 * time.Millisecond):
			}
		}
	}
	saved := filepath.Join(s.dir, "before")
	tmux("send-keys", fmt.Sprintf("stty -g > %s; %s top; stty -g | cmp - %s && echo it is' 'sane", saved, manager, saved), "Enter")
	sees("> alice")
	tmux("send-keys", "/")
	tmux("send-keys", "-l", "ali")
	sees("filter: ali_")
	tmux("send-keys", "Enter", "Enter")
	sees("timeline, the newest last")
	tmux("resize-window", "-x", "100", "-y", "30")
	sees("account alice")
	tmux("send-keys", "q")
	sees("it is sane")
}

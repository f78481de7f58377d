//go:build linux

package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/mtfleet/mtfleet/actors"
	"github.com/mtfleet/mtfleet/cmd/manager/control"
	"github.com/mtfleet/mtfleet/mtproto/dctest/api"
)

// seat is a person's: the command at a terminal of 80 columns and 24 lines.
type seat struct {
	t      *testing.T
	cmd    *exec.Cmd
	tty    *os.File
	chunks chan string
	screen *screen
	raw    strings.Builder
	before *unix.Termios // the settings of the terminal when the command began
}

func (s *scene) sit(args ...string) *seat {
	s.t.Helper()
	return s.sitAt(80, 24, nil, args...)
}

// sitAt is sit at a terminal of that size, with more in the environment.
func (s *scene) sitAt(width, height int, env []string, args ...string) *seat {
	s.t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		s.t.Skipf("there is no pseudo-terminal here: %v", err)
	}
	fd := int(master.Fd())
	n, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err == nil {
		err = unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0)
	}
	if err == nil {
		err = unix.IoctlSetWinsize(fd, unix.TIOCSWINSZ, &unix.Winsize{Row: uint16(height), Col: uint16(width)})
	}
	if err != nil {
		s.t.Skipf("there is no pseudo-terminal here: %v", err)
	}
	slave, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		s.t.Skipf("there is no pseudo-terminal here: %v", err)
	}
	p := &seat{t: s.t, cmd: exec.Command("manager", args...), tty: master, chunks: make(chan string, 1024), screen: newScreen(width, height)}
	p.cmd.Stdin, p.cmd.Stdout, p.cmd.Stderr = slave, slave, slave
	p.cmd.Env = append(os.Environ(), "MTFLEET_CONFIG="+s.config(), "HOME="+s.dir, "TERM=xterm", "NO_COLOR=")
	p.cmd.Env = append(p.cmd.Env, env...)
	if p.before, err = unix.IoctlGetTermios(fd, unix.TCGETS); err != nil {
		s.t.Fatal(err)
	}
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := p.cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	_ = slave.Close()
	go func() {
		defer close(p.chunks)
		buf := make([]byte, 1<<16)
		for {
			n, err := master.Read(buf)
			if n > 0 {
				p.chunks <- string(buf[:n])
			}
			if err != nil {
				return
			}
		}
	}()
	s.t.Cleanup(func() { _ = p.cmd.Process.Kill(); _ = p.cmd.Wait(); _ = master.Close() })
	return p
}

// sees waits until the screen is as wanted.
func (p *seat) sees(what string, ok func(text string) bool) {
	p.t.Helper()
	timeout := time.After(eventually)
	for !ok(p.screen.text()) {
		select {
		case chunk, open := <-p.chunks:
			if !open {
				p.t.Fatalf("the command ended before %s:\n%s", what, p.screen.text())
			}
			p.raw.WriteString(chunk)
			p.screen.write(chunk)
		case <-timeout:
			p.t.Fatalf("never seen: %s:\n%s", what, p.screen.text())
		}
	}
}

// reads waits for a text at the end of the screen.
func (p *seat) reads(text string) {
	p.t.Helper()
	p.sees(text, func(all string) bool { return strings.HasSuffix(all, strings.TrimRight(text, " ")) })
}

func (p *seat) types(text string) { _, _ = p.tty.WriteString(text + "\n") }

func (p *seat) ends(code int, last string) {
	p.t.Helper()
	p.sees(last, func(all string) bool { return strings.Contains(strings.ReplaceAll(all, "\n", ""), last) })
	for chunk := range p.chunks {
		p.raw.WriteString(chunk)
	}
	_ = p.cmd.Wait()
	if got := p.cmd.ProcessState.ExitCode(); got != code {
		p.t.Errorf("exit code %d, want %d:\n%s", got, code, p.screen.text())
	}
}

// linkOn is the link under the QR code on a screen.
func linkOn(text string) string {
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, "tg://login?token=") {
			return strings.TrimSpace(line)
		}
	}
	return ""
}

func TestAPersonScansAQRCodeAndTypesThePassword(t *testing.T) {
	s := newScene(t)
	p := s.sit("account", "login", "alice", "--add", "--qr")
	shown := func(text string) bool {
		return strings.Contains(text, "Scan this") && strings.Contains(text, "▀▀▀▀▀▀▀") && strings.HasSuffix(text, "type cancel.")
	}
	p.sees("a QR code", shown)
	first, scrolled := linkOn(p.screen.text()), p.screen.scrolled
	p.sees("the next one", func(text string) bool { return shown(text) && linkOn(text) != first })
	if p.screen.scrolled != scrolled || strings.Count(p.screen.text(), "tg://") != 1 {
		t.Errorf("it scrolled by %d:\n%s", p.screen.scrolled-scrolled, p.screen.text())
	}
	second := linkOn(p.screen.text())
	p.types("what")
	p.sees("a word about words, and the code once more", func(text string) bool { return shown(text) && linkOn(text) != second })

	// While the DC is away no code that is over is passed off as good.
	if err := s.cluster.StopDC(2, true); err != nil {
		t.Fatal(err)
	}
	p.sees("that it is late", func(text string) bool {
		return strings.HasSuffix(text, "the next one comes when the DC can be reached.")
	})
	late := linkOn(p.screen.text())
	if err := s.cluster.StartDC(2); err != nil {
		t.Fatal(err)
	}
	p.sees("the next one", func(text string) bool { return shown(text) && linkOn(text) != late })

	// It is scanned: the code goes away, the hint is shown, and nothing of the password.
	s.api(func(b *api.Backend, now time.Time) error {
		return b.Scan(now, qrToken(t, linkOn(p.screen.text())), s.phone.UserID)
	})
	p.reads("Enter alone for other ways):")
	if text := p.screen.text(); strings.Contains(text, "tg://") || !strings.Contains(text, "hint      the forty thieves") {
		t.Errorf("after the scan:\n%s", text)
	}
	p.types("sesame")
	p.sees("that it was wrong", func(text string) bool {
		return strings.Contains(text, "1 wrong so far") && strings.HasSuffix(text, "ways):")
	})
	p.types("")
	p.reads("(cancel; Enter alone to go back):")
	p.types("")
	p.reads("(cancel; Enter alone to go back):\nPassword (nothing is shown; Enter alone for other ways):")
	p.types(scenePassword)
	p.ends(exitOK, "Account alice is signed in: user")
	if strings.Contains(p.raw.String(), "sesame") {
		t.Error("the password is on the screen")
	}
}

func TestAPersonIsAskedForEverythingElse(t *testing.T) {
	const mail = "alice@example.org"
	s := newScene(t)
	s.noPassword()
	s.api(func(b *api.Backend, _ time.Time) error {
		return b.SetCodes(s.phone.Number, api.CodePaid, api.CodeSetUpEmail, api.CodeWord, api.CodeCall)
	})
	p := s.sit("account", "login", "alice", "--add")
	p.reads("Phone number (empty for a bot token):")
	p.types("+" + s.cluster.Descriptor().Phones[2].Number)
	p.reads("Code (or: resend, number, cancel):")
	p.types("number")
	p.reads("Phone number (Enter alone to keep it):")
	p.types("+" + s.phone.Number)
	p.reads("Type paid, number, cancel:")
	p.types("soon")
	p.sees("the words", func(text string) bool { return strings.Contains(text, "The words here are paid, number, cancel.") })
	if text := p.screen.text(); !strings.Contains(text, "to pay    99 of the smallest unit of USD") {
		t.Error(text)
	}
	s.api(func(b *api.Backend, _ time.Time) error { b.Pay(s.phone.Number); return nil })
	p.types("paid")
	p.reads("Id of the payment form that was paid:")
	p.types("7")
	p.reads("E-mail address (or: number, cancel):")
	p.types("nowhere")
	p.sees("why not", func(text string) bool { return strings.Contains(text, "this is no e-mail address") })
	p.types(mail)
	p.reads("Code (or: back, number, cancel):")
	p.types(theMail(mail)(s, actors.Step{}))
	p.reads("Code (Enter alone for other ways):") // a word, which may be any
	p.types("")
	p.reads("Choose (resend, number, cancel; Enter alone to go back):")
	p.types("resend")
	p.sees("when", func(text string) bool {
		return strings.Contains(text, "That can be had at ") && strings.HasSuffix(text, "other ways):")
	})
	p.types(theCode(s, actors.Step{}))
	p.ends(exitOK, "Account alice is signed in: user")
}

// While a person is asked, other commands reach the store, a manager that starts
// is told who has it, and an interrupt loses nothing.
func TestAPersonAtAPromptDoesNotLockTheStore(t *testing.T) {
	s := newScene(t)
	p := s.sit("account", "login", "alice", "--add", "--phone", "+"+s.phone.Number)
	p.reads("Code (or: resend, number, cancel):")
	service, err := control.Dial(t.Context(), filepath.Join(s.dir, "data", "control.sock"))
	if err != nil {
		t.Fatal(err)
	}
	defer service.Close()
	list, err := control.List.Call(t.Context(), service, control.ListRequest{})
	if err != nil || len(list.Accounts) != 1 || list.Accounts[0].Step == nil {
		t.Errorf("%+v, %v", list, err)
	}
	run := s.start("run")
	<-run.gone
	if text := run.said.String(); run.cmd.ProcessState.ExitCode() != exitInUse || !strings.Contains(text, fmt.Sprintf("`manager account login alice`, process %d, holds the store", p.cmd.Process.Pid)) {
		t.Errorf("a manager that starts says %d: %s", run.cmd.ProcessState.ExitCode(), text)
	}
	other := s.start("account", "login", "bob", "--add", "--qr", "--json")
	if _, ok := other.step(); ok {
		t.Error("a second sign-in began")
	}
	if text := other.said.String(); !strings.Contains(text, `"kind":"in_use"`) || !strings.Contains(text, "`manager run`") {
		t.Errorf("a second sign-in says %s", text)
	}
	_, _ = p.tty.WriteString("\x03")
	p.ends(exitInterrupted, "is stored; go on with `manager account login alice`")

	// It is answered from elsewhere, while a person looks at it.
	p = s.sit("account", "login", "alice")
	p.reads("Code (or: resend, number, cancel):")
	elsewhere := s.start("account", "login", "alice", "--code", s.phone.Code, "--json")
	if got, ok := elsewhere.step(); !ok || got.Step == nil {
		t.Fatalf("%+v: %s", got, elsewhere.said.String())
	}
	p.reads("Enter alone for other ways):")
	p.types(scenePassword)
	p.ends(exitOK, "Account alice is signed in: user")
}

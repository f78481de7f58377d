//go:build linux

package browser

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/creack/pty"
)

// A newcomer reads 200 words a minute, types 40 (of five letters), needs a moment to copy
// something from one window into another, and has five minutes.
const (
	wordsPerMinute   = 200
	lettersPerMinute = 40 * 5
	toCopy           = 5 * time.Second
	newcomerMost     = 5 * time.Minute
)

// A newcomer is somebody who has the README, terminals and a browser, and what that took.
type newcomer struct {
	t              *testing.T
	home           string
	words, letters int
	copied         int
}

func (n *newcomer) read(text string) { n.words += len(strings.Fields(text)) }

// took is the time of reading and typing.
func (n *newcomer) took() time.Duration {
	minutes := float64(n.words)/wordsPerMinute + float64(n.letters)/lettersPerMinute
	return time.Duration(minutes*float64(time.Minute)) + time.Duration(n.copied)*toCopy
}

// window is a terminal with a shell in it.
type window struct {
	*newcomer
	tty *os.File

	mu   sync.Mutex // guards the following field
	said string
	seen int // how much of said was read
}

// The prompt says how the command before it ended.
var (
	atPrompt = regexp.MustCompile(`\[(\d+)\] \$ $`)
	controls = regexp.MustCompile("\x1b\\[[0-9;?]*[a-zA-Z]|\r")
)

// open opens one, where the README lies.
func (n *newcomer) open() *window {
	n.t.Helper()
	cmd := exec.Command("bash", "--norc", "--noprofile", "-i")
	cmd.Dir, _ = filepath.Abs("../../../..")
	cmd.Env = append(os.Environ(), "HOME="+n.home, "TERM=xterm", `PS1=[$?] $ `, "HISTFILE=", "INPUTRC=/dev/null")
	// What Go has downloaded and built is not done again for who has another home.
	for _, name := range []string{"GOCACHE", "GOMODCACHE"} {
		out, err := exec.Command("go", "env", name).Output()
		if err != nil {
			n.t.Fatal(err)
		}
		cmd.Env = append(cmd.Env, name+"="+strings.TrimSpace(string(out)))
	}
	cmd.Env = append(cmd.Env, "GOPATH="+filepath.Join(n.home, "go"), "GOBIN=")
	tty, err := pty.StartWithSize(cmd, &pty.Winsize{Rows: 24, Cols: 80})
	if err != nil {
		n.t.Skip("there is no pseudo-terminal here: ", err)
	}
	w := &window{newcomer: n, tty: tty}
	n.t.Cleanup(func() {
		_ = tty.Close() // whoever runs in it is hung up
		_ = cmd.Process.Signal(syscall.SIGHUP)
		_ = cmd.Wait()
	})
	go func() {
		chunk := make([]byte, 1<<16)
		for {
			k, err := tty.Read(chunk)
			if err != nil {
				return
			}
			w.mu.Lock()
			w.said += string(chunk[:k])
			w.mu.Unlock()
		}
	}()
	w.prompted()
	return w
}

// all is everything that was on the screen.
func (w *window) all() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return controls.ReplaceAllString(w.said, "")
}

// waits waits until what came since the last time fits, and has it read.
func (w *window) waits(want *regexp.Regexp) []string {
	w.t.Helper()
	var text string
	for end := time.Now().Add(4 * patience); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		w.mu.Lock()
		text = controls.ReplaceAllString(w.said[w.seen:], "")
		m := want.FindStringSubmatch(text)
		if m != nil {
			w.seen = len(w.said)
		}
		w.mu.Unlock()
		if m != nil {
			w.read(text)
			return m
		}
	}
	w.t.Fatalf("the terminal never said %v, but:\n%s", want, text)
	return nil
}

// prompted waits for the prompt, after a command that must succeed.
func (w *window) prompted() {
	w.t.Helper()
	if m := w.waits(atPrompt); m[1] != "0" {
		w.t.Fatalf("a step fails with the exit code %s:\n%s", m[1], w.all())
	}
}

// types types a line.
func (w *window) types(text string) {
	w.letters += len(text) + 1
	_, _ = w.tty.WriteString(text + "\r")
}

// pastes puts in what was copied.
func (w *window) pastes(text string) {
	w.copied++
	w.letters++
	_, _ = w.tty.WriteString(text + "\r")
}

func (w *window) interrupts() {
	w.letters++
	_, _ = w.tty.WriteString("\x03")
}

// bringUp is what a newcomer reads: the README up to the end of its section about that,
// and the lines of its two blocks.
func bringUp(t *testing.T) (text string, first, second []string) {
	t.Helper()
	page, err := os.ReadFile("../../../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	before, rest, found := strings.Cut(string(page), "\n## A bot online, without an account\n")
	section, _, ended := strings.Cut(rest, "\n## ")
	blocks := regexp.MustCompile("(?ms)^```sh\n(.*?)^```").FindAllStringSubmatch(section, -1)
	if !found || !ended || len(blocks) != 2 {
		t.Fatalf("the README has %d blocks about a bot online", len(blocks))
	}
	remark := regexp.MustCompile(`(?m)\s+# .*$`)
	lines := func(block string) []string {
		return strings.Split(strings.TrimSpace(remark.ReplaceAllString(block, "")), "\n")
	}
	return before + section, lines(blocks[0][1]), lines(blocks[1][1])
}

// TestANewcomerHasABotOnlineInFiveMinutes types what the README shows, in terminals, and
// opens the link that it is given in a browser.
func TestANewcomerHasABotOnlineInFiveMinutes(t *testing.T) {
	b := open(t)
	if _, err := exec.LookPath("bash"); err != nil {
		t.Skip("needs bash")
	}
	home, err := os.MkdirTemp("", "home") // a short path, for the socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(home) })
	n := &newcomer{t: t, home: home}
	text, first, second := bringUp(t)
	n.read(text)
	const dashboard = "127.0.0.1:8070"
	listen := dashboard
	if l, err := net.Listen("tcp", dashboard); err == nil {
		_ = l.Close()
	} else {
		listen = freeAddr(t) // somebody works on this machine
	}
	began := time.Now()

	servers := n.open()
	for i, line := range first {
		servers.types(line)
		if i < len(first)-1 {
			servers.prompted()
		}
	}
	servers.waits(regexp.MustCompile(`ready; stop with Ctrl-C`))
	token := regexp.MustCompile(`bot\s+(\d+:\S+)`).FindStringSubmatch(servers.all())
	if token == nil {
		t.Fatalf("there is no token of a bot:\n%s", servers.all())
	}

	manager := n.open()
	for i, line := range second {
		manager.types(strings.ReplaceAll(line, dashboard, listen))
		if strings.Contains(line, "--bot") {
			manager.waits(regexp.MustCompile(`(?i)token[^\n]*: $`))
			manager.pastes(token[1])
		}
		if i < len(second)-1 {
			manager.prompted()
		}
	}
	link := manager.waits(regexp.MustCompile(`(http://` + listen + `/\S+)\n`))[1]
	n.copied++
	b.open(link)
	b.holds(`[...document.querySelectorAll("#rows tr")].some(r => r.innerText.includes("robot") && r.querySelector(".badge.ok")?.innerText === "online")`)
	b.picture("newcomer")
	b.silent("the dashboard of a newcomer")

	machine := time.Since(began)
	took := n.took()
	t.Logf("%d words read, of which %d in the README, %d letters typed, %d times copied: %v; the machine took %v, together %v", n.words, len(strings.Fields(text)), n.letters, n.copied,
		took.Round(time.Second), machine.Round(time.Second), (took + machine).Round(time.Second))
	if took+machine > newcomerMost {
		t.Errorf("that is more than %v", newcomerMost)
	}
	manager.interrupts()
	manager.prompted()
	servers.interrupts()
	servers.prompted()
	if strings.Contains(manager.all(), token[1]) {
		t.Error("the terminal shows the token that was pasted")
	}
}

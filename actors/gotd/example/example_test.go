// Package example_test runs the echo bot before and after its switch against
// the test DC.
package example_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/mtfleet/mtfleet/actors/actorstest"
	"github.com/mtfleet/mtfleet/mtproto/dctest/api"
	"github.com/mtfleet/mtfleet/mtproto/dctest/serve"
)

// limit bounds a test: gotd proves the DH prime when it makes a key, about a
// second of CPU, and the programs are linked first.
const limit = 4 * time.Minute

// bot is a program of the example at work.
type bot struct {
	t       *testing.T
	s       *serve.Cluster
	program string
	dir     string
	as      serve.Bot
	tdc     string // where the descriptor is
}

// prepare builds one of the programs.
func prepare(ctx context.Context, t *testing.T, name string) *bot {
	t.Helper()
	b := &bot{t: t, s: actorstest.Start(t, serve.Config{Bots: 1, Persons: 2}), dir: t.TempDir()}
	d := b.s.Descriptor()
	b.as = d.Bots[0]
	text, err := json.Marshal(d)
	if err != nil {
		t.Fatal(err)
	}
	b.tdc = filepath.Join(t.TempDir(), "testdc.json")
	if err := os.WriteFile(b.tdc, text, 0o600); err != nil {
		t.Fatal(err)
	}
	b.program = filepath.Join(t.TempDir(), name)
	if out, err := exec.CommandContext(ctx, "go", "build", "-o", b.program, "./"+name).CombinedOutput(); err != nil {
		t.Fatalf("building %s: %v\n%s", name, err, out)
	}
	return b
}

// run starts the program, as somebody who has the token or as one who was signed in
// before, and stops it when f is done.
func (b *bot) run(ctx context.Context, token string, f func()) {
	b.t.Helper()
	app := b.s.Descriptor().Apps[0]
	c := exec.CommandContext(ctx, b.program)
	c.Env = append(os.Environ(), "APP_ID="+strconv.Itoa(app.ID), "APP_HASH="+app.Hash, "BOT_TOKEN="+token, "BOT_DIR="+b.dir, "TESTDC="+b.tdc)
	log, err := c.StderrPipe()
	if err != nil {
		b.t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		b.t.Fatal(err)
	}
	lines := bufio.NewScanner(log)
	for lines.Scan() && !strings.HasSuffix(lines.Text(), " answers") {
		b.t.Log(lines.Text())
	}
	defer func() {
		if err := c.Process.Signal(os.Interrupt); err != nil {
			b.t.Error(err)
		}
		for lines.Scan() {
			b.t.Log(lines.Text())
		}
		if err := c.Wait(); err != nil {
			b.t.Errorf("it ended with %v", err)
		}
	}()
	f()
}

// answers lets a person write, and waits until the same words come back.
func (b *bot) answers(ctx context.Context, person int, text string, how api.Form) {
	b.t.Helper()
	b.heard(ctx, person, b.say(person, text, how), text)
}

func (b *bot) say(person int, text string, how api.Form) api.Written {
	b.t.Helper()
	w, err := b.s.Say(b.s.Descriptor().Phones[person].UserID, b.as.UserID, text, api.Delivery{Form: how})
	if err != nil {
		b.t.Fatal(err)
	}
	return w
}

func (b *bot) heard(ctx context.Context, person int, said api.Written, text string) {
	b.t.Helper()
	box, err := b.s.Messages(ctx, b.s.Descriptor().Phones[person].UserID, said.FromID)
	if err != nil || len(box) == 0 {
		b.t.Fatalf("nothing comes back for %q: %v", text, err)
	}
	if m := box[0]; m.Out || m.From != b.as.UserID || m.Text != text {
		b.t.Errorf("what comes back for %q is %+v", text, m)
	}
}

func TestBothBotsAnswerWhatIsWrittenToThem(t *testing.T) {
	for _, name := range []string{"before", "after"} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), limit)
			defer cancel()
			b := prepare(ctx, t, name)
			b.run(ctx, b.as.Token, func() {
				b.answers(ctx, 0, "hello", api.FormFull)
				b.answers(ctx, 1, "and me", api.FormFull)
				b.answers(ctx, 0, "again", api.FormFull)
				if name == "after" { // plain gotd has nobody to answer: the push is without its author
					b.answers(ctx, 0, "in short", api.FormShort)
				}
			})
			away := b.say(0, "while you were away", api.FormFull)
			// Again, signed in already: a wrong token is not looked at.
			b.run(ctx, "0:none", func() {
				if name == "after" { // plain gotd does not ask what it missed
					b.heard(ctx, 0, away, "while you were away")
				}
				b.answers(ctx, 0, "still there?", api.FormFull)
			})
			if n := b.s.Counts().Logins; n != 1 {
				t.Errorf("the bot signed in %d times", n)
			}
		})
	}
}

// TestTheSwitchIsAboutTenLines counts what differs between the two programs
// besides their first comment and their imports.
func TestTheSwitchIsAboutTenLines(t *testing.T) {
	body := func(name string) []string {
		text, err := os.ReadFile(filepath.Join(name, "main.go"))
		if err != nil {
			t.Fatal(err)
		}
		_, code, ok := strings.Cut(string(text), "func main()")
		if !ok {
			t.Fatalf("%s has no main", name)
		}
		return strings.Split(code, "\n")
	}
	gone, come := difference(body("before"), body("after"))
	if len(gone) == 0 || len(gone) > 5 || len(come) > 11 {
		t.Errorf("the switch takes %d lines out and puts %d in:\n-%s\n+%s", len(gone), len(come), strings.Join(gone, "\n-"), strings.Join(come, "\n+"))
	}
}

// TestTheMigrationPageQuotesTheExample: docs/from-gotd.md shows these lines, and
// they are those of the programs, which compile.
func TestTheMigrationPageQuotesTheExample(t *testing.T) {
	page, err := os.ReadFile(filepath.FromSlash("../../../docs/from-gotd.md"))
	if err != nil {
		t.Fatal(err)
	}
	var code strings.Builder
	for _, file := range []string{"before/main.go", "after/main.go", "../example_test.go"} {
		text, err := os.ReadFile(filepath.FromSlash(file))
		if err != nil {
			t.Fatal(err)
		}
		code.Write(text)
	}
	quoted := 0
	for block := range slices.Values(blocks(string(page))) {
		for line := range strings.Lines(block) {
			line = strings.TrimSpace(strings.TrimPrefix(strings.TrimPrefix(strings.TrimSpace(line), "-"), "+"))
			if line == "" || line == "..." || strings.HasPrefix(line, "//") {
				continue
			}
			if quoted++; !strings.Contains(code.String(), line) {
				t.Errorf("no program that compiles has the page's line %q", line)
			}
		}
	}
	if quoted < 20 {
		t.Errorf("the page quotes %d lines", quoted)
	}
}

// blocks are a page's blocks of Go code, and of differences between such.
func blocks(page string) (list []string) {
	var open *strings.Builder
	for line := range strings.Lines(page) {
		switch fence := strings.TrimSpace(line); {
		case open != nil && fence == "```":
			list = append(list, open.String())
			open = nil
		case open != nil:
			open.WriteString(line)
		case fence == "```go" || fence == "```diff":
			open = &strings.Builder{}
		}
	}
	return list
}

// difference is which lines go and which come, by a longest common subsequence.
func difference(a, b []string) (gone, come []string) {
	long := make([][]int, len(a)+1)
	for i := range long {
		long[i] = make([]int, len(b)+1)
	}
	for i := len(a) - 1; i >= 0; i-- {
		for k := len(b) - 1; k >= 0; k-- {
			if a[i] == b[k] {
				long[i][k] = long[i+1][k+1] + 1
			} else {
				long[i][k] = max(long[i+1][k], long[i][k+1])
			}
		}
	}
	i, k := 0, 0
	for i < len(a) || k < len(b) {
		switch {
		case i < len(a) && k < len(b) && a[i] == b[k]:
			i, k = i+1, k+1
		case k == len(b) || i < len(a) && long[i+1][k] >= long[i][k+1]:
			gone, i = append(gone, a[i]), i+1
		default:
			come, k = append(come, b[k]), k+1
		}
	}
	return gone, come
}

func Example() {
	gone, come := difference([]string{"a", "b", "c"}, []string{"a", "x", "c", "d"})
	fmt.Println(gone, come)
	// Output: [b] [x d]
}

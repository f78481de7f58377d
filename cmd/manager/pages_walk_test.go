//go:build unix

package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// A pageWalk is how a page of the docs is followed in a test: what it takes for granted, and
// where that is not typing its commands line by line.
type pageWalk struct {
	// before is a script for what the page takes for granted.
	before string
	// here are pairs: what the page has, and what stands for it on this machine. In all of
	// a script PORT is one that is free, and DIR the page's directory.
	here []string
	// lines are the commands that are not just typed.
	lines []pageLine
	// says is what was said on the way.
	says []string

	// elsewhere names the test that runs the page's blocks of sh, and blocks is how many
	// it has, so that another one is not forgotten there.
	elsewhere string
	blocks    int
}

// A pageLine is a command by how it begins, and one of the following.
type pageLine struct {
	begins string

	not     string // it is not run: why
	aside   string // it goes on in a terminal of its own: what succeeds when it is ready
	instead string // this is run in its place, for it asks at a terminal
	then    string // this comes after it: what the page says in words
	fails   string // it is refused, with these words
	differs bool   // what it prints is not what the page shows, for here less has happened
	seconds string // it never ends by itself, and is left after so many
}

// A pageCommand is one of a page.
type pageCommand struct {
	block int // which of the blocks of sh, from 1; 0: of another block
	at    int // its line
	text  string
	said  string // what the page shows below it
}

// thePageOfCommands is written from the commands themselves: what of it is typed are their
// examples.
const thePageOfCommands = "docs/commands.md"

var pageExamples = regexp.MustCompile(`(?m)^Examples:\n((?:  .*\n)+)`)

// onlyExamples is that page with its examples as blocks of sh.
func onlyExamples(page string) string {
	var b strings.Builder
	for _, m := range pageExamples.FindAllStringSubmatch(page, -1) {
		b.WriteString("```sh\n" + strings.ReplaceAll("\n"+m[1], "\n  ", "\n") + "```\n")
	}
	return b.String()
}

// pageTags are what a block may be. Commands are in those of sh, or of console, where $ is
// before them and what they print below, with ... for what differs each time; numbers
// may do so anyway.
var pageTags = []string{"sh", "console", "text", "json", "yaml", "go", "diff"}

// pageRemark is what stands behind a command for who reads it.
var pageRemark = regexp.MustCompile(`\s+# .*$`)

// commandsOf reads a page.
func commandsOf(page string) (all []pageCommand, blocks int, err error) {
	var tag string
	var open bool
	lines := strings.Split(page, "\n")
	for i := 0; i < len(lines); i++ {
		text, at := lines[i], i+1
		if fence, is := strings.CutPrefix(strings.TrimLeft(text, " "), "```"); is {
			if open = !open; !open {
				continue
			}
			if tag = fence; !slices.Contains(pageTags, tag) {
				return nil, 0, fmt.Errorf("line %d: the block is %q: say which of %v it is", at, tag, pageTags)
			}
			if tag == "sh" {
				blocks++
			}
			continue
		}
		prompted, prompt := strings.CutPrefix(text, "$ ")
		switch {
		case !open:
			continue
		case tag == "console" && prompt:
			text = prompted
		case tag == "console" && len(all) > 0:
			all[len(all)-1].said += text + "\n"
			continue
		case tag == "text" && prompt:
			return nil, 0, fmt.Errorf("line %d: a command is in a block of text", at)
		case tag != "sh" || strings.TrimSpace(text) == "" || strings.HasPrefix(text, "#"):
			continue
		}
		for i+1 < len(lines) && (strings.HasSuffix(text, `\`) || strings.Count(pageRemark.ReplaceAllString(text, ""), "'")%2 == 1) {
			i++
			text += "\n" + lines[i]
		}
		c := pageCommand{at: at, text: text}
		if tag == "sh" {
			c.block = blocks
		}
		all = append(all, c)
	}
	return all, blocks, nil
}

// script is a page as one of bash, and which of the commands are typed as they stand. It
// says why a command has no place in it.
func (w *pageWalk) script(all []pageCommand) (text string, typed []pageCommand, problems []error) {
	var b strings.Builder
	here := strings.NewReplacer(w.here...)
	used := make([]bool, len(w.lines))
	b.WriteString(w.before)
	for _, c := range all {
		text, do := c.text, pageLine{}
		if c.block > 0 && w.elsewhere != "" {
			continue
		}
		for i, l := range w.lines {
			if strings.HasPrefix(c.text, l.begins) && len(l.begins) > len(do.begins) {
				do, used[i] = l, true
			}
		}
		text = here.Replace(pageRemark.ReplaceAllString(text, ""))
		fmt.Fprintf(&b, "at=%s\n", quoted(fmt.Sprintf("line %d: %s", c.at, text)))
		if missing := missingFrom(text); missing != "" {
			problems = append(problems, fmt.Errorf("line %d: %s: there is no %s", c.at, text, missing))
		}
		if refusal, refused := strings.CutPrefix(c.said, "manager: "); refused && do == (pageLine{}) {
			refusal, _, _ = strings.Cut(refusal, "\n")
			do.fails, _, _ = strings.Cut(refusal, " (")
		}
		switch {
		case do.not != "":
		case do.aside != "":
			fmt.Fprintf(&b, "%s >>DIR/aside.log 2>&1 &\nuntil { %s\n} >/dev/null 2>&1; do kill -0 $!; sleep 0.05; done\n%s\n", text, do.aside, do.then)
		case do.seconds != "":
			typed = append(typed, c)
			fmt.Fprintf(&b, "timeout -s INT %s %s || [ $? = 124 ]\n", do.seconds, text)
		case do.fails != "":
			fmt.Fprintf(&b, "if said=$( { %s\n} 2>&1 ); then echo \"it succeeds: $said\"; exit 1; fi\necho \"$said\"\ngrep -qF -- %s <<<\"$said\"\n", text, quoted(do.fails))
		case do.instead != "":
			b.WriteString(do.instead + "\n")
		default:
			if !do.differs {
				typed = append(typed, c)
			}
			b.WriteString(text + "\n" + do.then + "\n")
		}
	}
	for i, l := range w.lines {
		if !used[i] {
			problems = append(problems, fmt.Errorf("no command begins with %q", l.begins))
		}
	}
	return b.String(), typed, problems
}

// missingFrom is the first command or flag in a text that does not exist.
func missingFrom(text string) string {
	for _, m := range shown.FindAllStringSubmatch(text, -1) {
		if missing := missingOf(strings.ReplaceAll(m[1], "\\\n", " ")); missing != "" {
			return missing
		}
	}
	return ""
}

var (
	pageNumbers = regexp.MustCompile(`[0-9]+`)
	pageSpaces  = regexp.MustCompile(` +`)
)

// leveled is what is printed, without what differs from time to time.
func leveled(text string) string {
	return pageSpaces.ReplaceAllString(pageNumbers.ReplaceAllString(text, "0"), " ")
}

// quoted is a word of the shell.
func quoted(text string) string { return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'" }

// TestThePagesRun follows every page of docs and the README, each in a directory of its
// own, with DCs of its own. What is not run is in the list of walks, with the reason.
func TestThePagesRun(t *testing.T) {
	read, walks := 0, walksOfPages()
	for name, page := range pages(t) {
		if name != "README.md" && !strings.HasPrefix(name, "docs/") {
			continue
		}
		read++
		if name == thePageOfCommands {
			page = onlyExamples(page)
		}
		all, blocks, err := commandsOf(page)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		w := walks[name]
		delete(walks, name)
		if len(all) == 0 {
			continue
		}
		t.Run(strings.TrimSuffix(name, ".md"), func(t *testing.T) {
			t.Parallel()
			if w == nil {
				t.Fatal("the page has commands: put how it is followed into walksOfPages")
			}
			if w.elsewhere != "" && blocks != w.blocks {
				t.Errorf("%d blocks of sh, and %s knew of %d: see that it runs all", blocks, w.elsewhere, w.blocks)
			}
			w.follow(t, all)
		})
	}
	for name := range walks {
		t.Errorf("%s has no commands, or is not there", name)
	}
	if read < 20 {
		t.Errorf("only %d pages were read", read)
	}
}

func (w *pageWalk) follow(t *testing.T, all []pageCommand) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_, port, _ := net.SplitHostPort(l.Addr().String())
	_ = l.Close()
	script, typed, problems := w.script(all)
	for _, err := range problems {
		t.Error(err)
	}
	for _, need := range []string{"bash", "curl", "jq", "timeout"} {
		if _, err := exec.LookPath(need); err != nil {
			t.Skip("needs " + need)
		}
	}
	dir, err := os.MkdirTemp("", "page") // a short path, for the sockets
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	// pkill, too, finds the managers of this page alone.
	self, err := exec.LookPath("manager") // what testscript has put there
	if err == nil {
		err = os.Symlink(self, filepath.Join(dir, "manager"))
	}
	if err == nil {
		repository, _ := filepath.Abs("../..")
		err = os.Symlink(filepath.Join(repository, "docs"), filepath.Join(dir, "docs"))
	}
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "bash", "-c", "set -euo pipefail\nat=before\n"+
		"trap 'code=$?; [ $code = 0 ] || echo \"ended by $at\"; kill $(jobs -p) 2>/dev/null || true; wait; exit $code' EXIT\n"+
		"curl() { command curl --fail-with-body --no-progress-meter \"$@\"; }\n"+strings.NewReplacer("DIR", dir, "PORT", port).Replace(script))
	cmd.Dir, cmd.Env = dir, append(os.Environ(), "HOME="+dir, "PATH="+dir+":"+os.Getenv("PATH"))
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 10 * time.Second
	out, err := cmd.CombinedOutput()
	if err != nil {
		log, _ := os.ReadFile(filepath.Join(dir, "aside.log"))
		t.Fatalf("%v:\n%s\nwhat ran aside said: %s", err, out, log)
	}
	printed := leveled(string(out))
	for _, c := range typed {
		for shown := range strings.Lines(leveled(c.said)) {
			shown = strings.ReplaceAll(regexp.QuoteMeta(strings.TrimSpace(shown)), `\.\.\.`, `.*`)
			if !regexp.MustCompile(shown).MatchString(printed) {
				t.Errorf("line %d: %s: the page shows what is not printed, %s:\n%s", c.at, c.text, shown, out)
			}
		}
	}
	for _, want := range w.says {
		if !strings.Contains(string(out), want) {
			t.Errorf("nothing said %q:\n%s", want, out)
		}
	}
}

func TestAPageIsRead(t *testing.T) {
	for _, v := range []struct {
		page, want, err string
	}{
		{page: "```sh\n# a remark\na \\\n  b\n\nc # d\n```\n", want: "1:3 a \\\n  b|1:6 c # d|"},
		{page: "```sh\na 'b\n  c'\nd\n```\n", want: "1:2 a 'b\n  c'|1:4 d|"},
		{page: "```console\n$ a\nsaid\n$ b\n```\n```text\nx\n```\n", want: "0:2 a=said\n|0:4 b|"},
		{page: "```\nmanager run\n```\n", err: "line 1: the block is \"\""},
		{page: "```text\n$ manager run\n```\n", err: "line 2: a command is in a block of text"},
	} {
		all, _, err := commandsOf(v.page)
		got := ""
		for _, c := range all {
			got += fmt.Sprintf("%d:%d %s", c.block, c.at, c.text)
			if c.said != "" {
				got += "=" + c.said
			}
			got += "|"
		}
		if got != v.want || v.err != "" != (err != nil) || err != nil && !strings.HasPrefix(err.Error(), v.err) {
			t.Errorf("%q is read as %q, %v", v.page, got, err)
		}
	}
	w := pageWalk{lines: []pageLine{{begins: "manager account lst", not: "x"}, {begins: "gone", not: "x"}}}
	if _, _, problems := w.script([]pageCommand{{at: 1, text: "manager account lst"}}); len(problems) != 2 {
		t.Errorf("a command that does not exist, and a line of no command: %v", problems)
	}
}

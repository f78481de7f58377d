package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// foreignFiles are sessions that other programs wrote.
const foreignFiles = "../../persistence/foreign/testdata/js"

// TestWhatASessionIsIsToldBeforeItIsTakenIn: by what other programs wrote, without
// a store, a server, or a word of the secret.
func TestWhatASessionIsIsToldBeforeItIsTakenIn(t *testing.T) {
	dir := t.TempDir()
	passcode := filepath.Join(dir, "passcode")
	if err := os.WriteFile(passcode, []byte("correct horse\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	wrong := filepath.Join(dir, "wrong")
	if err := os.WriteFile(wrong, []byte("battery staple\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(foreignFiles, "mtcute.txt"))
	if err != nil {
		t.Fatal(err)
	}
	at := func(name string) string { return filepath.Join(foreignFiles, name) }
	for _, c := range []struct {
		name string
		args []string
		in   string
		code int
		out  []string // what is told, of both streams
		not  string
	}{
		{name: "a string", args: []string{"--dry-run", at("mtcute.txt")}, out: []string{"format +mtcute\n", "home DC +2\n", "user id +777000123\n", "bot +no\n"}},
		{name: "standard input", args: []string{"--dry-run", "-"}, in: string(text), out: []string{"format +mtcute\n"}},
		{name: "a folder", args: []string{"--dry-run", at("store")}, out: []string{"format +gramjs-store\n"}},
		{name: "an SQLite file", args: []string{"--dry-run", "../../persistence/foreign/sqlitefile/testdata/telethon.session"}, out: []string{"format +telethon-sqlite\n"}},
		{name: "Telegram Desktop", args: []string{"--dry-run", at("tdata")}, out: []string{
			"format +tdata\n", "user id +777000123\n", "user id +777000124\n", `Telegram Desktop \(2040\), which is refused here`, "keys for other DCs .1. are left",
		}},
		{name: "one of its accounts", args: []string{"--dry-run", "--user", "777000124", at("tdata")}, out: []string{"user id +777000124\n"}, not: "777000123"},
		{name: "none of its accounts", args: []string{"--dry-run", "--user", "5", at("tdata")}, code: exitUsage, out: []string{"there is no user 5 in it; there are: 777000123, 777000124"}},
		{name: "two at a time", args: []string{at("tdata")}, code: exitUsage, out: []string{"one is taken in at a time: name it with --user"}},
		{name: "a locked folder", args: []string{"--dry-run", at("tdata-passcode")}, code: exitUsage, out: []string{"give it with --passcode-file FILE"}},
		{name: "with the passcode", args: []string{"--dry-run", "--passcode-file", passcode, at("tdata-passcode")}, out: []string{"format +tdata\n"}},
		{name: "with another passcode", args: []string{"--dry-run", "--passcode-file", wrong, at("tdata-passcode")}, code: exitUsage, out: []string{"the local passcode is wrong"}},
		{name: "a passcode for what has none", args: []string{"--dry-run", "--passcode-file", passcode, at("mtcute.txt")}, code: exitUsage, out: []string{"is for the folder of Telegram Desktop"}},
		{name: "in an argument", args: []string{strings.TrimSpace(string(text))}, code: exitUsage, out: []string{"arguments are seen by every process"}},
		{name: "JSON in an argument", args: []string{`{"Version":1,"Data":{}}`}, code: exitUsage, out: []string{"arguments are seen by every process"}},
		{name: "no file", args: []string{at("nothing.txt")}, code: exitUsage, out: []string{"no such file"}},
		{name: "no session", args: []string{"--dry-run", "-"}, in: "hello", code: exitUsage, out: []string{"foreign session"}},
		{name: "an SQLite file on standard input", args: []string{"-"}, in: "SQLite format 3\x00", code: exitUsage, out: []string{"give its path instead of -"}},
		{name: "far too much", args: []string{"-"}, in: strings.Repeat("A", maxSession+1), code: exitUsage, out: []string{"more than 1 MiB"}},
		{name: "JSON", args: []string{"--dry-run", "--json", at("tdata")}, out: []string{`^\{"sessions":\[\{"format":"tdata","dc":2,`}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var out bytes.Buffer
			a := &app{in: strings.NewReader(c.in), out: &out, err: &out, env: []string{"HOME=" + dir}}
			if code := a.main(context.Background(), append([]string{"session", "import"}, c.args...)); code != c.code {
				t.Errorf("exit code %d, want %d", code, c.code)
			}
			for _, want := range c.out {
				if !regexp.MustCompile(want).MatchString(out.String()) {
					t.Errorf("%q is not in:\n%s", want, out.String())
				}
			}
			if c.not != "" && strings.Contains(out.String(), c.not) {
				t.Errorf("%q is in:\n%s", c.not, out.String())
			}
			if secret := regexp.MustCompile(`[A-Za-z0-9+/_-]{64}`).FindString(out.String()); secret != "" || strings.Contains(out.String(), "correct horse") {
				t.Errorf("a secret is in:\n%s", out.String())
			}
		})
	}
}

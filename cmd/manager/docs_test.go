package main

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/mtfleet/mtfleet/config"
	"github.com/mtfleet/mtfleet/mtproto/standing"
)

// pages are the Markdown files of the repository, by their paths from its root.
func pages(t *testing.T) map[string]string {
	t.Helper()
	found := make(map[string]string)
	root := os.DirFS("../..")
	err := fs.WalkDir(root, ".", func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && path != "." && (strings.HasPrefix(d.Name(), ".") || d.Name() == "node_modules"):
			return fs.SkipDir
		case filepath.Ext(path) != ".md":
			return nil
		}
		text, err := fs.ReadFile(root, path)
		found[path] = string(text)
		return err
	})
	if err != nil || len(found) < 10 {
		t.Fatal(len(found), err)
	}
	return found
}

var (
	fence   = regexp.MustCompile("(?ms)^```.*?^```")
	link    = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	heading = regexp.MustCompile(`(?m)^#+ (.*)$`)
	dropped = regexp.MustCompile("[^a-z0-9 _-]")
)

// anchors are the fragments that lead to a page's headings.
func anchors(page string) map[string]bool {
	found := make(map[string]bool)
	for _, m := range heading.FindAllStringSubmatch(fence.ReplaceAllString(page, ""), -1) {
		name := dropped.ReplaceAllString(strings.ToLower(m[1]), "")
		found[strings.ReplaceAll(name, " ", "-")] = true
	}
	return found
}

func TestLinksOfThePagesLeadSomewhere(t *testing.T) {
	all, n := pages(t), 0
	for path, text := range all {
		for _, m := range link.FindAllStringSubmatch(fence.ReplaceAllString(text, ""), -1) {
			if strings.Contains(m[1], "://") {
				continue // what others have is not asked for in a test
			}
			n++
			file, fragment, _ := strings.Cut(m[1], "#")
			target := path
			if file != "" {
				target = filepath.Join(filepath.Dir(path), file)
			}
			if _, err := os.Stat(filepath.Join("../..", target)); err != nil {
				t.Errorf("%s: %s leads nowhere", path, m[1])
			}
			if fragment != "" && !anchors(all[target])[fragment] {
				t.Errorf("%s: %s has no heading of %s", path, m[1], target)
			}
		}
	}
	if n < 50 {
		t.Errorf("only %d links were found", n)
	}
}

func TestTheListOfPagesHasAll(t *testing.T) {
	all := pages(t)
	for path := range all {
		name, below := strings.CutPrefix(path, "docs/")
		if below && name != "README.md" && !strings.Contains(all["docs/README.md"], "]("+name+")") {
			t.Errorf("docs/README.md does not list %s", name)
		}
	}
}

// A command is a line of a block, or code in a sentence.
var shown = regexp.MustCompile("(?m)(?:^(?:\\$ |sudo | +)?|`|/usr/bin/)(?:go run ./cmd/|\\./)?manager ([a-z][^`\n|]*)")

func TestCommandsOfThePagesExist(t *testing.T) {
	n := 0
	for path, text := range pages(t) {
		for _, m := range shown.FindAllStringSubmatch(text, -1) {
			n++
			if missing := missingOf(m[1]); missing != "" {
				t.Errorf("%s: manager %s: there is no %s", path, m[1], missing)
			}
		}
	}
	if n < 100 {
		t.Errorf("only %d commands were found", n)
	}
}

// missingOf is the first command or flag of a line that does not exist.
func missingOf(line string) string {
	line, _, _ = strings.Cut(line, " #")
	words, cmd := strings.Fields(line), (&app{}).root()
	cmd.InitDefaultHelpCmd()
	cmd.InitDefaultCompletionCmd()
	for _, word := range words {
		if strings.HasPrefix(word, "-") || !cmd.HasSubCommands() {
			break
		}
		name, listed := strings.CutSuffix(word, ",") // "list, remove" are two
		switch sub, _, err := cmd.Find([]string{name}); {
		case err != nil || sub == cmd:
			return name
		case !listed:
			cmd = sub
		}
	}
	cmd.InitDefaultHelpFlag()
	for _, word := range words {
		name, _, _ := strings.Cut(word, "=")
		if flag, ok := strings.CutPrefix(name, "--"); ok && cmd.Flag(flag) == nil {
			return name
		}
	}
	return ""
}

var ofYAML = regexp.MustCompile("(?ms)^```yaml\n(.*?)^```")

// What the pages show of a configuration consists of settings that there are.
func TestSettingsOfThePagesExist(t *testing.T) {
	n := 0
	for path, text := range pages(t) {
		for _, m := range ofYAML.FindAllStringSubmatch(text, -1) {
			n++
			file := filepath.Join(t.TempDir(), "page.yaml")
			if err := os.WriteFile(file, []byte(m[1]), 0o600); err != nil {
				t.Fatal(err)
			}
			_, problems := config.Check(config.Options{File: file, Offline: true})
			for _, p := range problems {
				if strings.Contains(p.Message, "no such") && !strings.Contains(p.Message, "no such file") || strings.Contains(p.Message, "not YAML") {
					t.Errorf("%s: %s", path, p)
				}
			}
		}
	}
	if n < 6 {
		t.Errorf("only %d blocks were found", n)
	}
}

// What is explained of states and limits is what the code has.
func TestThePagesThatExplainNameWhatThereIs(t *testing.T) {
	all := pages(t)
	var named []string
	for _, m := range regexp.MustCompile("(?m)^\\| `([a-z-]+)` \\|").FindAllStringSubmatch(all["docs/why/states.md"], -1) {
		named = append(named, m[1])
	}
	var there []string
	for s := standing.New; !strings.HasPrefix(s.String(), "state("); s++ {
		there = append(there, s.String())
	}
	slices.Sort(named)
	slices.Sort(there)
	if !slices.Equal(named, there) {
		t.Errorf("docs/why/states.md explains %v, and there are %v", named, there)
	}
	l := config.Default().Limits
	for name, value := range map[string]int{
		"connects_per_second": l.ConnectsPerSecond, "key_creations_per_second": l.KeyCreationsPerSecond, "sign_ins_per_minute": l.SignInsPerMinute,
	} {
		if !regexp.MustCompile("(?m)^\\| `limits." + name + "` \\|.*\\| " + strconv.Itoa(value) + " \\|$").MatchString(all["docs/why/pacing.md"]) {
			t.Errorf("docs/why/pacing.md does not say that limits.%s is %d", name, value)
		}
	}
}

func TestACommandThatIsMissingIsFound(t *testing.T) {
	for line, want := range map[string]string{
		"account lst":                         "lst",
		"account peers NAME --jsn":            "--jsn",
		"account 2fa show, st, hint NAME":     "st",
		"account 2fa show, set, hint NAME":    "",
		"session import - --nme alice < text": "--nme",
		"events -f --since 5-5   # --what":    "",
	} {
		if got := missingOf(line); got != want {
			t.Errorf("manager %s: %q is missing, want %q", line, got, want)
		}
	}
}

package config

import (
	"flag"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var rewrite = flag.Bool("rewrite", false, "write docs/config.md")

const pageIntro = `# The configuration

Every setting, from the code. <!-- written by: go test ./config -run TestThePageOfTheConfiguration -rewrite -->
` + "`manager config example`" + ` prints a file with all of them and their defaults; only ` + "`api_id` and `api_hash`" + ` must be set.

The file is YAML: a name with a dot is a setting in a section, ` + "`log.level` is `level` below `log:`" + `. It is looked for where ` + "`--config`" + ` says, else where
` + "`MTFLEET_CONFIG`" + ` says, else at ` + "`mtfleet/config.yaml` in `$XDG_CONFIG_HOME` or `~/.config`" + `. A variable overrides the file, and
` + "`--set NAME=VALUE`" + ` of any command overrides both. A path that is not absolute starts at the file, in a variable or a flag at the working
directory; ` + "`~/`" + ` is the home directory. ` + "`MTFLEET_STORE_KEY`" + `, 32 bytes in hex or base64, is no setting: it is the store's master key itself.

` + "`manager config check`" + ` names every mistake with its line, and ` + "`manager config show`" + ` every value with where it comes from. The file is read when
a command starts; a running manager reads it again at SIGHUP, and then ` + "`log.level` and `limits` (all but `calls_per_account`)" + ` count at once.
`

// kindOf is a setting's type in words.
func kindOf(at any) string {
	switch at.(type) {
	case *string:
		return "Text"
	case *filePath:
		return "Path"
	case *Secret, *proxyURL:
		return "Text, a secret"
	case *int:
		return "Whole number"
	case *bool:
		return "True or false"
	case *time.Duration:
		return "Time with its unit, such as 24h"
	case *[]string:
		return "List of texts"
	case *Certificates:
		return "PEM text, or a path"
	case *[]RSAKey:
		return "List of PEM texts or paths"
	case *[]DC, *[]WebSocket, *[]Caller, *[]Webhook:
		return "List"
	}
	return ""
}

var (
	refusedAt    = regexp.MustCompile(` \((FILE(:\d+)?|a flag|MTFLEET_\w+)\)$`)
	insideOfList = regexp.MustCompile(`\[\d+\](\.\w+)?$`)
)

// saidOf are the sentences of the check for each setting, as the tests of refusals
// hold them.
func saidOf() map[string][]string {
	said := map[string][]string{}
	add := func(wants []string) {
		for _, want := range wants {
			path, sentence, _ := strings.Cut(refusedAt.ReplaceAllString(want, ""), ": ")
			setting := insideOfList.ReplaceAllString(path, "")
			if inside := path[len(setting):]; inside != "" {
				sentence = "`" + inside + "` " + sentence
			}
			sentence = strings.ReplaceAll(sentence, "DIR/", "")
			if !slices.Contains(said[setting], sentence) {
				said[setting] = append(said[setting], sentence)
			}
		}
	}
	for _, r := range refusals() {
		add(r.want)
	}
	for _, r := range webSocketRefusals() {
		add(r.want)
	}
	return said
}

func configPage() string {
	var b strings.Builder
	b.WriteString(pageIntro)
	defaults, said := Default(), saidOf()
	for _, f := range fields {
		fmt.Fprintf(&b, "\n## %s\n\n%s", f.path, kindOf(f.at(defaults)))
		if !strings.Contains(f.doc, "In the file alone.") {
			fmt.Fprintf(&b, "; `%s`", f.env())
		}
		if !strings.Contains(f.doc, "Default: ") && !strings.Contains(f.doc, "Required") {
			fmt.Fprintf(&b, "; default `%s`", show(f.at(defaults)))
		}
		fmt.Fprintf(&b, "\n\n%s\n", f.doc)
		for i, sentence := range said[f.path] {
			if i == 0 {
				b.WriteString("\nThe check says, for example:\n\n")
			}
			fmt.Fprintf(&b, "- %s\n", sentence)
		}
	}
	return b.String()
}

// TestThePageOfTheConfiguration: docs/config.md is what the code says of its settings.
func TestThePageOfTheConfiguration(t *testing.T) {
	const path = "../docs/config.md"
	page := configPage()
	if *rewrite {
		if err := os.WriteFile(path, []byte(page), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(text), page); diff != "" {
		t.Errorf("docs/config.md is not what the code says: run the test with -rewrite, and read the diff\n%s", diff)
	}
	examples := 0
	for _, f := range fields {
		if kindOf(f.at(Default())) == "" {
			t.Errorf("%s has a type without a word for it", f.path)
		}
		if len(saidOf()[f.path]) > 0 {
			examples++
		}
	}
	if examples < 35 {
		t.Errorf("the check has an example for only %d settings", examples)
	}
}

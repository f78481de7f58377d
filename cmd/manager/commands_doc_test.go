package main

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

var rewriteCommands = flag.Bool("rewrite-commands", false, "write docs/commands.md")

// The page of the commands is what they say of themselves.
func TestThePageOfTheCommandsIsWhatTheySay(t *testing.T) {
	const page = "../../docs/commands.md"
	var b strings.Builder
	b.WriteString(`# The commands

What each command of the manager says of itself, which is also what it prints with --help, and in its man page (` + "`manager docs man DIR`" + `).

<!-- written by: go test ./cmd/manager -run TestThePageOfTheCommands -rewrite-commands -->
`)
	root := (&app{}).root()
	root.InitDefaultHelpCmd()
	describeCommand(&b, root)
	if *rewriteCommands {
		if err := os.WriteFile(page, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	if string(text) != b.String() {
		t.Error("docs/commands.md is not what the commands say: run the test with -rewrite-commands, and read the diff")
	}
}

func describeCommand(b *strings.Builder, c *cobra.Command) {
	if c.Hidden || c.Name() == "help" || c.Name() == "completion" {
		return
	}
	fmt.Fprintf(b, "\n## %s\n\n%s.\n", c.CommandPath(), strings.TrimSuffix(c.Short, "."))
	var text []string
	if c.Long != "" {
		text = append(text, strings.TrimSpace(c.Long))
	}
	if c.Runnable() && !c.HasSubCommands() {
		text = append(text, "Usage: "+c.UseLine())
	}
	if c.Example != "" {
		text = append(text, "Examples:\n"+strings.TrimRight(c.Example, "\n"))
	}
	c.InitDefaultHelpFlag()
	if flags := strings.TrimRight(c.LocalFlags().FlagUsages(), "\n"); flags != "" {
		text = append(text, "Flags:\n"+flags)
	}
	fmt.Fprintf(b, "\n```\n%s\n```\n", strings.Join(text, "\n\n"))
	for _, sub := range c.Commands() {
		describeCommand(b, sub)
	}
}

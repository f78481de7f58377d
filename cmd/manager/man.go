package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"

	"github.com/mtfleet/mtfleet/cmd/manager/about"
)

func (a *app) docsCommand() *cobra.Command {
	var asJSON bool
	man := &cobra.Command{
		Use: "man DIR", Short: "Write a man page for each command", Args: exactly("DIR"),
		Long: `man writes a page of section 1 for each command, and for what exit codes mean, into a
directory: manager.1, manager-run.1, manager-account-login.1 and so on. The date in
them is that of the commit, so that the same binary writes the same pages.

  manager docs man /usr/local/share/man/man1`,
		RunE: func(c *cobra.Command, args []string) error {
			a.asJSON = asJSON
			n, err := writeManPages(c.Root(), about.Current(), args[0])
			if err != nil {
				return err
			}
			if asJSON {
				return a.printJSON(struct {
					Pages int    `json:"pages"`
					Dir   string `json:"dir"`
				}{n, args[0]})
			}
			return a.sayf("Wrote %d pages to %s.", n, args[0])
		},
	}
	man.Flags().BoolVar(&asJSON, "json", false, "print JSON to standard output, and errors as JSON to standard error")
	return group("docs", "Write the documentation of the commands", "docs writes what the commands say of themselves as files.", man)
}

// writeManPages writes the pages of a command and of all below it, and counts them.
func writeManPages(root *cobra.Command, b about.Build, dir string) (n int, err error) {
	root.InitDefaultCompletionCmd()
	root.DisableAutoGenTag = true // it would be the day, and differ from one run to the next
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return 0, usage("docs man: the directory %s cannot be made: %v: name one that you may write", dir, bareError(err))
	}
	var write func(*cobra.Command) error
	write = func(c *cobra.Command) error {
		header := doc.GenManHeader{Section: "1", Source: "mtfleet " + b.Version, Manual: "mtfleet"}
		if !b.CommitTime.IsZero() {
			header.Date = &b.CommitTime
		}
		c.Long = manText(c.Long)
		var page bytes.Buffer
		if err := doc.GenMan(c, &header, &page); err != nil {
			return err
		}
		file := filepath.Join(dir, strings.ReplaceAll(c.CommandPath(), " ", "-")+".1")
		if err := os.WriteFile(file, page.Bytes(), 0o644); err != nil {
			return err
		}
		if err := os.Chmod(file, 0o644); err != nil { // pages are for everybody, the umask is for keys
			return err
		}
		n++
		for _, sub := range c.Commands() {
			// "help" needs no page; a topic has no Run, and is not "available".
			if sub.Hidden || sub.Name() == "help" {
				continue
			}
			if err := write(sub); err != nil {
				return err
			}
		}
		return nil
	}
	return n, write(root)
}

// manText has the lines of a text that are indented stay lines of their own: the
// pages are written by way of Markdown, for which they are text that flows.
func manText(text string) string {
	var b strings.Builder
	inBlock := false
	for line := range strings.Lines(text) {
		indented := strings.HasPrefix(line, "  ")
		if indented != inBlock && strings.TrimSpace(line) != "" {
			b.WriteString("\n")
			inBlock = indented
		}
		if indented {
			b.WriteString("    ")
		}
		b.WriteString(line)
	}
	return b.String()
}

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"
)

// app is one run of the command: where it reads and writes, and the flags every
// command has.
type app struct {
	in       io.Reader
	out, err io.Writer
	env      []string

	configFile string
	settings   []string // name=value
	asJSON     bool     // of the command that runs, for its errors
	command    string   // that runs, with the words before it
}

// main runs the command line and returns the exit code.
func (a *app) main(ctx context.Context, args []string) int {
	root := a.root()
	root.SetArgs(args)
	root.SetIn(a.in)
	root.SetOut(a.out)
	root.SetErr(a.err)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return exitOK
	}
	if ctx.Err() != nil && !errors.As(err, new(*exitError)) {
		a.printf("manager: interrupted\n")
		return exitInterrupted
	}
	a.report(err)
	return exitCode(err)
}

func (a *app) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "manager",
		Short: "Keep MTProto accounts signed in",
		Long: `This program keeps many MTProto (Telegram) accounts signed in, from one process.

  manager demo              see it work, against a test DC cluster on this machine
  manager config example    begin a configuration file
  manager account add       make an account; then: account login
  manager run               keep every account online
  manager status            see how they are, and what needs you`,
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.PersistentPreRun = func(c *cobra.Command, _ []string) { a.command = c.CommandPath() }
	root.PersistentFlags().StringVar(&a.configFile, "config", "", "configuration `FILE` (default: $MTFLEET_CONFIG, else ~/.config/mtfleet/config.yaml)")
	root.PersistentFlags().StringArrayVar(&a.settings, "set", nil, "override a setting: `NAME=VALUE`, for example log.level=debug (repeatable)")
	root.SetFlagErrorFunc(func(c *cobra.Command, err error) error {
		return usage("%s: %v; see `%s --help`", c.CommandPath(), flagError(err), c.CommandPath())
	})
	root.AddCommand(
		a.demoCommand(), a.testdcCommand(), a.runCommand(), a.statusCommand(), a.topCommand(), a.dashboardCommand(),
		a.accountCommand(), a.sessionCommand(), a.governorCommand(), a.eventsCommand(), a.consumersCommand(), a.webhooksCommand(),
		a.storeCommand(), a.nodeCommand(), a.apiCommand(), a.auditCommand(), a.configCommand(), a.doctorCommand(), a.benchCommand(),
		a.versionCommand(), a.docsCommand(),
		exitCodesTopic(),
	)
	// An unknown command is a mistake in usage, and cobra's suggestion is kept.
	root.Args = unknownCommand
	root.RunE = func(c *cobra.Command, _ []string) error { return c.Help() }
	a.complete(root)
	return root
}

// unknownCommand refuses arguments of a command that only has subcommands.
func unknownCommand(c *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	s := fmt.Sprintf("there is no command %q in `%s`", args[0], c.CommandPath())
	c.SuggestionsMinimumDistance = 2
	near := c.SuggestionsFor(args[0])
	if len(near) == 0 {
		near = below(c, args[0])
	}
	if len(near) > 0 {
		s += ": did you mean " + strings.Join(near, " or ") + "?"
	}
	return usage("%s; see `%s --help`", s, c.CommandPath())
}

// below are the commands of a name that somebody left the group of out, as in "login".
func below(c *cobra.Command, name string) (all []string) {
	for _, group := range c.Commands() {
		for _, sub := range group.Commands() {
			if sub.Name() == name || sub.HasAlias(name) {
				all = append(all, group.Name()+" "+sub.Name())
			}
		}
	}
	return all
}

// flagError has what Go's parsers say of a number or a time say what would be one.
func flagError(err error) error {
	text, cause, found := strings.Cut(err.Error(), " flag: ")
	switch {
	case !found:
		return err
	case strings.HasPrefix(cause, "time: "):
		return fmt.Errorf("%s flag: it is no time: write one with its unit, as 30s, 5m or 1h", text)
	case strings.HasPrefix(cause, "strconv.Parse"):
		word := "a whole number"
		switch cause, _, _ = strings.Cut(cause, ":"); {
		case strings.HasSuffix(cause, "ParseUint"):
			word = "a whole number that is not negative"
		case strings.HasSuffix(cause, "ParseBool"):
			word = "true or false"
		case strings.HasSuffix(cause, "ParseFloat"):
			word = "a number"
		}
		return fmt.Errorf("%s flag: it must be %s", text, word)
	}
	return err
}

// group is a command that only has subcommands.
func group(use, short, long string, subcommands ...*cobra.Command) *cobra.Command {
	c := &cobra.Command{
		Use: use, Short: short, Long: long, Args: unknownCommand,
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(subcommands...)
	return c
}

// exactly wants that many arguments and names them in its error.
func exactly(names ...string) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		if len(args) == len(names) {
			return nil
		}
		want := "no arguments"
		if len(names) > 0 {
			want = strings.Join(names, " ")
		}
		return usage("%s takes %s, not %d arguments; see `%s --help`", c.CommandPath(), want, len(args), c.CommandPath())
	}
}

// printf writes a line for people; standard output belongs to results.
func (a *app) printf(format string, args ...any) { fmt.Fprintf(a.err, format, args...) }

// terminal returns the file of a stream when a person sits at it.
func terminal(stream any) (*os.File, bool) {
	f, ok := stream.(*os.File)
	return f, ok && term.IsTerminal(int(f.Fd()))
}

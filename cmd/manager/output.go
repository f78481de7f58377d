package main

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/mtfleet/mtfleet/cmd/manager/control"
	"github.com/mtfleet/mtfleet/cmd/manager/tabular"
)

// A format is how a command that reads tells what it has read. The zero format is formatTable.
type format string

const (
	formatTable format = "table"
	formatWide  format = "wide"
	formatJSON  format = "json"
	formatName  format = "name"
)

var formats = []format{formatTable, formatWide, formatJSON, formatName}

// outputFlags are what every command takes that tells something.
type outputFlags struct {
	json   bool
	format format
}

func (o *outputFlags) register(c *cobra.Command) {
	c.Flags().BoolVar(&o.json, "json", false, "print JSON to standard output, and errors as JSON to standard error")
}

// registerReading is register for a command that reads.
func (o *outputFlags) registerReading(c *cobra.Command) {
	o.register(c)
	c.Flags().VarP(formatValue{o}, "output", "o", "how it is printed: table, wide (nothing is left out or cut), json (as --json) or name (the names alone)")
	_ = c.RegisterFlagCompletionFunc("output", cobra.FixedCompletions([]cobra.Completion{string(formatTable), string(formatWide), string(formatJSON), string(formatName)}, cobra.ShellCompDirectiveNoFileComp))
}

// formatValue is --output as pflag has it: json is --json.
type formatValue struct{ o *outputFlags }

func (v formatValue) String() string {
	if v.o == nil {
		return ""
	}
	return string(v.o.format)
}

func (v formatValue) Type() string { return "FORMAT" }

func (v formatValue) Set(text string) error {
	if !slices.Contains(formats, format(text)) {
		return fmt.Errorf("there is no format %q: there are table, wide, json and name", text)
	}
	v.o.format = format(text)
	v.o.json = v.o.json || v.o.format == formatJSON
	return nil
}

// check refuses two formats at once.
func (o *outputFlags) check() error {
	if o.json && o.format != "" && o.format != formatJSON {
		return usage("--json and -o %s are two formats: give one", o.format)
	}
	return nil
}

// tell prints what a command has read: as JSON, or as a table, of which the names are the first column. Without rows it
// says so, to who reads a table.
func (a *app) tell(o *outputFlags, v any, t *tabular.Table, none string) error {
	switch {
	case o.json:
		return a.printJSON(v)
	case o.format == formatName:
		return t.Names(a.out)
	case t.Len() == 0:
		return a.sayf("%s", none)
	}
	return t.Write(a.out, a.look(o))
}

// look is how tables are printed.
func (a *app) look(o *outputFlags) tabular.Options {
	look := tabular.Options{Width: a.width(), Wide: o.format == formatWide, Color: a.colors()}
	if look.Wide {
		look.Width = 0
	}
	return look
}

// colors tells whether somebody sees colours.
func (a *app) colors() bool {
	_, tty := terminal(a.out)
	return tty && lookup(a.env, "NO_COLOR") == "" && lookup(a.env, "TERM") != "dumb"
}

// width is how many letters a line of standard output may have: as COLUMNS or the terminal says, and 0, which is no bound,
// for what nobody reads at one.
func (a *app) width() int {
	if n, err := strconv.Atoi(lookup(a.env, "COLUMNS")); err == nil && n > 0 {
		return n
	}
	tty, ok := terminal(a.out)
	if !ok {
		return 0
	}
	if n, _, err := term.GetSize(int(tty.Fd())); err == nil && n > 0 {
		return n
	}
	return 80
}

// stateColor is how the state of an account is shown: green works, yellow is on its way or waits, red wants somebody.
func stateColor(state string) tabular.Color {
	switch state {
	case "online":
		return tabular.Green
	case "connecting", "waiting", "signing-in", "signing-out":
		return tabular.Yellow
	case "frozen", "quarantined", "duplicated", "revoked":
		return tabular.Red
	}
	return tabular.Faint
}

// sortFlag is by what a list is sorted, given what it can be.
type sortFlag[T any] struct {
	order tabular.Order[T]
	by    string
}

func (f *sortFlag[T]) register(c *cobra.Command) {
	names := f.order.Names()
	c.Flags().Var(f, "sort", "sort by `WORD`: "+strings.Join(names, ", ")+"; backwards with a - in front, as --sort=-"+names[0])
	_ = c.RegisterFlagCompletionFunc("sort", cobra.FixedCompletions(names, cobra.ShellCompDirectiveNoFileComp))
}

// String implements pflag.Value.
func (f *sortFlag[T]) String() string { return f.by }

// Type implements pflag.Value.
func (f *sortFlag[T]) Type() string { return "WORD" }

// Set implements pflag.Value.
func (f *sortFlag[T]) Set(word string) error {
	if !f.order.Sort(nil, word) {
		return fmt.Errorf("there is no %q to sort by: there are %s", word, strings.Join(f.order.Names(), ", "))
	}
	f.by = word
	return nil
}

func (f *sortFlag[T]) sort(items []T) {
	if f.by != "" {
		f.order.Sort(items, f.by)
	}
}

// selectFlags select accounts by what they are.
type selectFlags struct{ control.ListRequest }

func (f *selectFlags) register(c *cobra.Command, what string) {
	c.Flags().StringArrayVar(&f.Labels, "label", nil, what+" with this `KEY=VALUE` or KEY (repeatable: all of them)")
	c.Flags().StringSliceVar(&f.States, "state", nil, what+" in this `STATE`, online say (repeatable: any of them)")
	_ = c.RegisterFlagCompletionFunc("state", cobra.FixedCompletions(control.States(), cobra.ShellCompDirectiveNoFileComp))
}

// given tells whether anything was selected.
func (f *selectFlags) given() bool { return len(f.Labels)+len(f.States) > 0 }

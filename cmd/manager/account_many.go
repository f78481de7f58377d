package main

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/time/rate"

	"github.com/mtfleet/mtfleet/cmd/manager/control"
	"github.com/mtfleet/mtfleet/cmd/manager/wording"
)

// targets are the accounts that a command is for: by name, by what they are, or all; one of these.
type targets struct {
	selectFlags
	all bool
}

// noTargets is said where nobody is selected.
const noTargets = "There are no such accounts."

func (t *targets) register(c *cobra.Command) {
	t.selectFlags.register(c, "every account")
	c.Flags().BoolVar(&t.all, "all", false, "every account of the store")
}

// args is for cobra.Command.Args of a command that takes nothing but names.
func (t *targets) args(c *cobra.Command, names []string) error {
	switch howMany(len(names) > 0, t.given(), t.all) {
	case 0:
		return usage("%s takes NAME..., or --label and --state, or --all; see `%s --help`", c.CommandPath(), c.CommandPath())
	case 1:
		return nil
	}
	return usage("%s takes one of NAME, --all and --label or --state; see `%s --help`", c.CommandPath(), c.CommandPath())
}

// one tells whether a command is for an account that was named.
func (t *targets) one(names []string) bool { return len(names) == 1 }

// accounts are those that are meant, as they are.
func (t *targets) accounts(ctx context.Context, s control.Service, names []string) ([]control.Account, error) {
	if len(names) == 0 {
		list, err := control.List.Call(ctx, s, t.ListRequest)
		return list.Accounts, err
	}
	var all []control.Account
	for _, id := range unique(names) {
		acc, err := control.Show.Call(ctx, s, control.AccountRequest{ID: id})
		if err != nil {
			return nil, err
		}
		all = append(all, acc)
	}
	return all, nil
}

// ids are the names of those that are meant. Names that were given are not looked up.
func (t *targets) ids(ctx context.Context, s control.Service, names []string) ([]string, error) {
	if len(names) > 0 {
		return unique(names), nil
	}
	all, err := t.accounts(ctx, s, nil)
	ids := make([]string, len(all))
	for i, acc := range all {
		ids[i] = acc.ID
	}
	return ids, err
}

// unique leaves out what came before.
func unique(names []string) []string {
	var all []string
	for _, name := range names {
		if !slices.Contains(all, name) {
			all = append(all, name)
		}
	}
	return all
}

// deed is something that is done to accounts, one or many.
type deed struct {
	accountFlags
	targets
	dryRun, yes bool

	// verb says what is done: "log out". done is what is said of one then: "is logged out".
	verb, done string
	// line and object are what is told of one in place of that and of the account; nil for those.
	line   func(control.Account) string
	object func(control.Account) any
	// ends is what is lost by it, "the logins of", which is asked about where it is of many; empty: it can be undone.
	ends string
	do   func(context.Context, control.Service, string) (control.Account, error)
}

func (d *deed) register(c *cobra.Command) {
	d.accountFlags.register(c)
	d.targets.register(c)
	c.Flags().BoolVar(&d.dryRun, "dry-run", false, dryRunHelp)
	if d.ends != "" {
		c.Flags().BoolVar(&d.yes, "yes", false, "do not ask whether many are meant")
	}
}

// tellDone tells that it was done to an account.
func (a *app) tellDone(d *deed, acc control.Account) error {
	switch {
	case d.json && d.object != nil:
		return a.printJSON(d.object(acc))
	case d.json:
		return a.printJSON(acc)
	case d.line != nil:
		return a.sayf("%s", d.line(acc))
	}
	return a.sayf("Account %s %s.", acc.ID, d.done)
}

const (
	// manyAtOnce is how many accounts are asked at a time. The governor paces what needs a connection or a key: at its
	// usual 100 a second each waits less than a second for its own.
	manyAtOnce = 64
	// manyPerSecond is half of what the API takes of all callers.
	manyPerSecond = 500
)

// deedCommand makes the command of a deed that takes nothing but names.
func (a *app) deedCommand(d *deed, use, short, long string) *cobra.Command {
	c := &cobra.Command{
		Use: use + " NAME...", Short: short, Long: strings.TrimSpace(long + "\n\n" + manyHelp), Args: d.targets.args,
		RunE: func(c *cobra.Command, names []string) error { return a.carryOut(c, d, names) },
	}
	d.register(c)
	return c
}

const dryRunHelp = "only show which accounts that would be"

// manyHelp explains what all of these take.
const manyHelp = `Several accounts are named one after the other, or selected: by --label and --state, or
--all. --dry-run shows which these are. What came of each is a line, with --json an object
a line; the exit code is 1 when it failed for any of several.`

// carryOut does a deed to the accounts that are meant.
func (a *app) carryOut(c *cobra.Command, d *deed, names []string) error {
	return a.withService(c, &d.accountFlags, func(ctx context.Context, s control.Service) error {
		switch {
		case d.dryRun:
			return a.onlyShow(ctx, s, &d.outputFlags, d.verb, &d.targets, names)
		case d.one(names):
			return a.doOne(ctx, s, d, names[0])
		}
		ids, err := d.ids(ctx, s, names)
		if err != nil {
			return err
		}
		return a.doMany(ctx, s, d, ids)
	})
}

func (a *app) doOne(ctx context.Context, s control.Service, d *deed, id string) error {
	ctx, cancel := context.WithTimeout(ctx, d.timeout)
	defer cancel()
	acc, err := d.do(ctx, s, id)
	if err != nil {
		return err
	}
	return a.tellDone(d, acc)
}

// onlyShow tells what would be done, and does nothing.
func (a *app) onlyShow(ctx context.Context, s control.Service, o *outputFlags, verb string, t *targets, names []string) error {
	all, err := t.accounts(ctx, s, names)
	if err != nil {
		return err
	}
	for _, acc := range all {
		if o.json {
			err = a.printJSON(struct {
				DryRun string `json:"dry_run"`
				ID     string `json:"id"`
				State  string `json:"state"`
			}{verb, acc.ID, acc.State})
		} else {
			err = a.sayf("Would %s %s (%s).", verb, acc.ID, wording.State(acc))
		}
		if err != nil {
			return err
		}
	}
	if len(all) == 0 && !o.json {
		return a.sayf(noTargets)
	}
	return nil
}

func (a *app) doMany(ctx context.Context, s control.Service, d *deed, ids []string) error {
	if len(ids) == 0 {
		if d.json {
			return nil
		}
		return a.sayf(noTargets)
	}
	if d.ends != "" && !d.yes {
		if err := a.confirm(ctx, d, ids); err != nil {
			return err
		}
	}
	workers, err := atOnce(ctx, s)
	if err != nil {
		return err
	}
	var mu sync.Mutex // guards the following, and has one line printed at a time
	var done, failed int
	var broken error // standard output
	forEach(ctx, ids, workers, func(id string) {
		one, cancel := context.WithTimeout(ctx, d.timeout)
		acc, err := d.do(one, s, id)
		cancel()
		mu.Lock()
		defer mu.Unlock()
		if err != nil {
			if ctx.Err() == nil {
				failed++
				broken = cmp.Or(a.tellFailed(&d.outputFlags, id, 0, err), broken)
			}
			return
		}
		done++
		broken = cmp.Or(a.tellDone(d, acc), broken)
	})
	a.printf("manager: %s: %d of %s done%s\n", d.verb, done, count(len(ids), "account"), map[bool]string{true: fmt.Sprintf(", %d failed", failed)}[failed > 0])
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case broken != nil:
		return broken
	case failed > 0:
		return &exitError{code: exitFailed}
	}
	return nil
}

// failure is what is told of an account for which something failed.
type failure struct {
	Line  int          `json:"line,omitempty"` // of a list
	ID    string       `json:"id"`
	Error string       `json:"error"`
	Kind  control.Kind `json:"kind"`
	Until time.Time    `json:"until,omitzero"`
}

// tellFailed tells that something failed for one of many: a line on standard error, or an object among the others.
// line is where the account is in a list; 0: it is of none.
func (a *app) tellFailed(o *outputFlags, id string, line int, err error) error {
	text := describe(err)
	if o.json {
		return a.printJSON(failure{line, id, text, kindOf(err), untilOf(err)})
	}
	where := ""
	if line > 0 {
		where = fmt.Sprintf("line %d: ", line)
	}
	a.printf("manager: %s%s\n", where, aboutAccount(id, text))
	return nil
}

// aboutAccount names the account in a sentence that does not.
func aboutAccount(id, text string) string {
	if prefix := "account " + id + ": "; !strings.HasPrefix(text, prefix) {
		return prefix + text
	}
	return text
}

// confirm asks a person whether many are meant. Nobody is asked who cannot answer: then --yes says it.
func (a *app) confirm(ctx context.Context, d *deed, ids []string) error {
	in := newInput(a.in, false)
	if in.tty == nil || d.json {
		return usage("this ends %s %s: add --yes if that is meant, or look with --dry-run first", d.ends, count(len(ids), "account"))
	}
	a.printf("This ends %s %s: %s. Type yes to go on: ", d.ends, count(len(ids), "account"), few(ids))
	answer, err := in.next(ctx)
	if err == nil && strings.EqualFold(strings.TrimSpace(answer), "yes") {
		return nil
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return &exitError{code: exitFailed, kind: control.KindCanceled, text: "nothing was done"}
}

// few names some of many.
func few(ids []string) string {
	const most = 5
	if len(ids) <= most+1 {
		return strings.Join(ids, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(ids[:most], ", "), len(ids)-most)
}

// atOnce is how many accounts may be asked at a time: without a manager that runs each is opened after the other.
func atOnce(ctx context.Context, s control.Service) (int, error) {
	info, err := control.Info.Call(ctx, s, control.Empty{})
	if err != nil || !info.Running {
		return 1, err
	}
	return manyAtOnce, nil
}

// forEach calls do for all of the items, for some at a time, and returns when that is done, or ctx has ended and nobody is
// under way.
func forEach[T any](ctx context.Context, items []T, workers int, do func(T)) {
	pace := rate.NewLimiter(manyPerSecond, manyAtOnce)
	each(len(items), workers, func(i int) {
		if pace.Wait(ctx) == nil {
			do(items[i])
		}
	})
}

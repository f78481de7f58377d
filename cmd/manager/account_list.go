package main

import (
	"cmp"
	"context"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/mtfleet/mtfleet/actors"
	"github.com/mtfleet/mtfleet/cmd/manager/control"
	"github.com/mtfleet/mtfleet/cmd/manager/tabular"
	"github.com/mtfleet/mtfleet/cmd/manager/wording"
)

// listFlags are what `account list` takes.
type listFlags struct {
	accountFlags
	selectFlags
	sort  sortFlag[control.Account]
	watch bool
}

// accountOrder is by what accounts are sorted.
var accountOrder = tabular.Order[control.Account]{
	"name":  tabular.By(func(acc control.Account) string { return acc.ID }),
	"state": tabular.By(func(acc control.Account) string { return acc.State }),
	"kind":  tabular.By(kindWord),
	"dc":    tabular.By(func(acc control.Account) int { return acc.HomeDC }),
	"since": func(a, b control.Account) int { return a.Since.Compare(b.Since) },
	"why":   tabular.By(func(acc control.Account) string { return acc.Why }),
}

func (a *app) listCommand() *cobra.Command {
	f := listFlags{sort: sortFlag[control.Account]{order: accountOrder}}
	c := &cobra.Command{
		Use: "list", Short: "Show all accounts, or those with a label or in a state", Args: exactly(),
		Long: `list shows all accounts, or those in one of the states and with all of the labels that
are given. On a terminal lines are as long as it is wide: reasons are cut and then columns
left out, names never; "account show" tells everything of one. A state is new,
signing-in, connecting, online, waiting, frozen, quarantined, duplicated, revoked,
signing-out, signed-out, paused or exported; or offline: signed in, and no manager runs.

With --watch it goes on with a line for each account that changes, until interrupted.`,
		Example: `  manager account list --state revoked,quarantined
  manager account list --label env=prod -o name
  manager account list --sort=-since --watch`,
		RunE: func(c *cobra.Command, _ []string) error {
			return a.withService(c, &f.accountFlags, func(ctx context.Context, s control.Service) error {
				if f.watch {
					return a.watchList(ctx, s, &f)
				}
				list, err := control.List.Call(ctx, s, f.ListRequest)
				if err != nil {
					return err
				}
				_, err = a.tellList(&f, list)
				return err
			})
		},
	}
	f.registerReading(c)
	f.selectFlags.register(c, "only accounts")
	f.sort.register(c)
	c.Flags().BoolVarP(&f.watch, "watch", "w", false, "go on with what changes, until interrupted")
	return c
}

// tellList prints accounts, and returns what prints further ones below them.
func (a *app) tellList(f *listFlags, list control.AccountList) (more func(control.Account) error, err error) {
	f.sort.sort(list.Accounts)
	t := tabular.New(tabular.Column{Name: "NAME"}, tabular.Column{Name: "STATE"}, tabular.Column{Name: "KIND", Leaves: 3}, tabular.Column{Name: "DC", Leaves: 4},
		tabular.Column{Name: "PFS", Leaves: 2}, tabular.Column{Name: "SINCE", Leaves: 5}, tabular.Column{Name: "USER ID", Wide: true},
		tabular.Column{Name: "LABELS", Wide: true}, tabular.Column{Name: "PROXY", Wide: true}, tabular.Column{Name: "WHY", Least: whatLeast})
	for _, acc := range list.Accounts {
		t.Cells(f.row(acc)...)
	}
	switch {
	case f.json && f.watch:
		for _, acc := range list.Accounts {
			if err := a.printJSON(acc); err != nil {
				return nil, err
			}
		}
		return func(acc control.Account) error { return a.printJSON(acc) }, nil
	case f.json || f.format == formatName:
		return func(acc control.Account) error { return a.sayf("%s", acc.ID) }, a.tell(&f.outputFlags, list, t, "")
	case t.Len() == 0 && !f.watch:
		return nil, a.sayf("%s", f.none())
	}
	for _, o := range list.Outages {
		if err := a.sayf("%s", wording.Outage(o, time.Now())); err != nil {
			return nil, err
		}
	}
	write, err := t.Follow(a.out, a.look(&f.outputFlags))
	return func(acc control.Account) error { return write(f.row(acc)...) }, err
}

// none is what is said where there is no account.
func (f *listFlags) none() string {
	switch {
	case len(f.States) > 0:
		return "There are no such accounts."
	case len(f.Labels) > 0:
		return "There are no accounts with these labels."
	}
	return "There are no accounts. Make one with: manager account add NAME"
}

func (f *listFlags) row(acc control.Account) []tabular.Cell {
	row := []tabular.Cell{{Text: acc.ID}, {Text: wording.State(acc), Color: stateColor(acc.State)}}
	for _, text := range []string{
		kindWord(acc), wording.HomeDC(acc), wording.PFS(acc), ago(acc.Since), orDash(acc.UserID), cmp.Or(acc.Labels.String(), "-"), cmp.Or(acc.Proxy, "-"), f.clip(acc.Why),
	} {
		row = append(row, tabular.Cell{Text: text})
	}
	return row
}

// watchList prints accounts, and then those that change, as the manager tells.
func (a *app) watchList(ctx context.Context, s control.Service, f *listFlags) error {
	// Before the list, so that nothing between the two is missed.
	events, err := control.Events.Call(ctx, s, control.EventsRequest{Now: true, Filter: actors.Filter{Kinds: []actors.EventKind{actors.EventState}}})
	if err != nil {
		return err
	}
	known := map[string]string{} // what was printed of an account
	var print func(control.Account) error
	look := func() error {
		list, err := control.List.Call(ctx, s, f.ListRequest)
		if err != nil {
			return err
		}
		clear(known)
		for _, acc := range list.Accounts {
			known[acc.ID] = f.seen(acc)
		}
		print, err = a.tellList(f, list)
		return err
	}
	if err := look(); err != nil {
		return err
	}
	for ev, err := range events {
		switch {
		case err != nil:
			return err
		case ev.Kind == actors.EventMissed:
			if err := look(); err != nil {
				return err
			}
			continue
		case ev.Kind != actors.EventState || ev.Status == nil:
			continue
		}
		acc := control.Account{ID: ev.Account, State: ev.Status.State.String(), Status: *ev.Status}
		before, was := known[acc.ID]
		selected := f.Selects(&acc)
		if seen := f.seen(acc); seen == before || !was && !selected {
			continue
		}
		if err := print(acc); err != nil { // also of one that is selected no more: where it has gone
			return err
		}
		if delete(known, acc.ID); selected {
			known[acc.ID] = f.seen(acc)
		}
	}
	return ended(ctx, true)
}

// seen is what of a row is news when it is another.
func (f *listFlags) seen(acc control.Account) string {
	row := f.row(acc)
	texts := []string{acc.Since.Format(time.RFC3339Nano)}
	for i, cell := range row {
		if i != sinceColumn { // an age, which is always another
			texts = append(texts, cell.Text)
		}
	}
	return strings.Join(texts, "\x00")
}

// sinceColumn is where a row has the age of the state.
const sinceColumn = 5

package main

import (
	"context"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/mtfleet/mtfleet/actors"
	"github.com/mtfleet/mtfleet/cmd/manager/control"
	"github.com/mtfleet/mtfleet/cmd/manager/wording"
)

// filterFlags select events.
type filterFlags struct {
	accounts, labels, kinds []string
}

func (f *filterFlags) register(c *cobra.Command, accounts bool) {
	if accounts {
		c.Flags().StringArrayVar(&f.accounts, "account", nil, "only of this account (repeatable)")
		c.Flags().StringArrayVar(&f.labels, "label", nil, "only of accounts with this `KEY=VALUE` or KEY (repeatable: all of them)")
	}
	c.Flags().StringSliceVar(&f.kinds, "type", nil, "only these kinds: state, update (and hole), notice")
}

func (f *filterFlags) filter() (actors.Filter, error) {
	filter := actors.Filter{Accounts: f.accounts, Labels: f.labels}
	for _, name := range f.kinds {
		var kind actors.EventKind
		if err := kind.UnmarshalText([]byte(strings.TrimSpace(name))); err != nil {
			return filter, usage("--type: there is no kind of event %q: state, update, hole, notice", name)
		}
		filter.Kinds = append(filter.Kinds, kind)
	}
	if err := filter.Check(); err != nil {
		return filter, usage("%v", err)
	}
	return filter, nil
}

// given tells whether anything was selected.
func (f *filterFlags) given() bool { return len(f.accounts)+len(f.labels)+len(f.kinds) > 0 }

func (a *app) eventsCommand() *cobra.Command {
	c := a.streamCommand("events", "Show what happens to accounts", `events shows what the manager that runs has kept of what happened: the last 16,384
events of all accounts, or 32 MiB. With --follow it goes on with what comes.

Each event has a cursor, RUN-N. --since CURSOR goes on after one; what of it is gone
is told by an event "missed", and a cursor of an earlier manager by one "restarted".
Of several nodes give the last of each, with commas between them: each goes on after
its own, and one without tells what it keeps. --since also takes now, and how long
ago: 10m.

Who must not miss an update uses "events consume" instead.`, exactly(), true)
	c.AddCommand(a.consumeCommand(), a.ackCommand())
	return c
}

func (a *app) accountEventsCommand() *cobra.Command {
	return a.streamCommand("events NAME", "Show what happens to one account", `events shows what the manager that runs has kept of what happened to an account;
see: manager events --help.`, exactly("NAME"), false)
}

func (a *app) streamCommand(use, short, long string, args cobra.PositionalArgs, all bool) *cobra.Command {
	var f accountFlags
	var of filterFlags
	var follow, raw bool
	var since string
	c := &cobra.Command{
		Use: use, Short: short, Long: long, Args: args,
		RunE: func(c *cobra.Command, args []string) error {
			of := of
			of.accounts = append(of.accounts, args...)
			request, from, err := streamRequest(&of, since, follow)
			if err != nil {
				return err
			}
			request.Raw = raw
			return a.withService(c, &f, func(ctx context.Context, s control.Service) error {
				for _, id := range of.accounts {
					if _, err := control.Show.Call(ctx, s, control.AccountRequest{ID: id}); err != nil {
						return err
					}
				}
				events, err := control.Events.Call(ctx, s, request)
				if err != nil {
					return err
				}
				for ev, err := range events {
					if err != nil {
						return err
					}
					if ev.At.Before(from) && ev.Account != "" {
						continue
					}
					if err := a.printEvent(&ev, &f.outputFlags); err != nil {
						return err
					}
				}
				return ended(ctx, follow)
			})
		},
	}
	f.registerReading(c)
	_ = c.Flags().MarkHidden("timeout")
	of.register(c, all)
	c.Flags().BoolVarP(&follow, "follow", "f", false, "go on with what comes, until interrupted")
	c.Flags().StringVar(&since, "since", "start", "begin after this `CURSOR` (CURSOR,CURSOR of several nodes), or so long ago (10m), or now, or at the start of what is kept")
	c.Flags().BoolVar(&raw, "raw", false, "updates, users and chats as base64 of their bytes (with --json)")
	return c
}

// streamRequest is what is asked of the manager, and from which time on events
// are shown.
func streamRequest(of *filterFlags, since string, follow bool) (r control.EventsRequest, from time.Time, err error) {
	if r.Filter, err = of.filter(); err != nil {
		return r, from, err
	}
	r.Kept = !follow
	switch since {
	case "start":
	case "now":
		if r.Now = true; !follow {
			return r, from, usage("--since now shows what comes: add --follow")
		}
	default:
		if d, err := time.ParseDuration(since); err == nil && d >= 0 {
			return r, time.Now().Add(-d), nil
		}
		if err := r.After.UnmarshalText([]byte(since)); err != nil {
			return r, from, usage("--since: %v; or write now, start, or how long ago, as 10m", err)
		}
	}
	return r, from, nil
}

// ended says why a stream that was to go on has ended.
func ended(ctx context.Context, follow bool) error {
	if err := ctx.Err(); err != nil || !follow {
		return err
	}
	return &control.Error{Kind: control.KindStopped, Message: "the manager has stopped: start it again with `manager run`, then go on with --since and the last cursor, of several nodes that of each"}
}

func (a *app) printEvent(ev *control.Event, f *outputFlags) error {
	switch {
	case f.json:
		return a.printJSON(ev)
	case f.format == formatName:
		return a.sayf("%s", ev.Account)
	}
	at := "        "
	if !ev.At.IsZero() {
		at = ev.At.Local().Format(time.TimeOnly)
	}
	return a.sayf("%s  %-9v  %-16s  %s", at, ev.Cursor, ev.Account, wording.Event(ev))
}

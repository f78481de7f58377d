package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/mtfleet/mtfleet/actors"
	"github.com/mtfleet/mtfleet/cmd/manager/control"
	"github.com/mtfleet/mtfleet/cmd/manager/tabular"
)

func (a *app) consumeCommand() *cobra.Command {
	var f accountFlags
	var of filterFlags
	var name string
	var ack, raw bool
	c := &cobra.Command{
		Use: "consume", Short: "Read updates as a durable consumer: none is lost", Args: exactly(),
		Long: `consume prints events as one JSON object a line, until interrupted, as the durable
consumer of that name, and registers it first if need be. What a consumer has not
acknowledged comes again: after it was away, after a crash of either side; at least
once, and in order for each account and box. The server keeps it meanwhile, for as
long as it does: what it has forgotten is told by an event "hole".

With --ack each line is acknowledged when it was written. Without, the reader does
that itself, when it is done with a line: manager events ack NAME CURSOR.

The first lines are the present states of the accounts. What is registered holds its
accounts' updates until it is removed: manager consumers remove NAME.`,
		RunE: func(c *cobra.Command, _ []string) error {
			if name == "" {
				return usage("give the consumer a name: --name NAME")
			}
			filter, err := of.filter()
			if err != nil {
				return err
			}
			request := control.ConsumeRequest{Name: name, Raw: raw}
			if of.given() {
				request.Filter = &filter
			}
			return a.withService(c, &f, func(ctx context.Context, s control.Service) error {
				return a.consume(ctx, s, request, ack)
			})
		},
	}
	f.register(c)
	_ = c.Flags().MarkHidden("timeout")
	of.register(c, true)
	c.Flags().StringVar(&name, "name", "", "the consumer's `NAME`: 1 to 40 of a-z, 0-9, '.', '_', '-'")
	c.Flags().BoolVar(&ack, "ack", false, "acknowledge each line when it was written")
	c.Flags().BoolVar(&raw, "raw", false, "updates, users and chats as base64 of their bytes")
	return c
}

func (a *app) consume(ctx context.Context, s control.Service, r control.ConsumeRequest, ack bool) error {
	events, err := control.Consume.Call(ctx, s, r)
	if err != nil {
		return err
	}
	out := bufio.NewWriter(a.out)
	encode := json.NewEncoder(out)
	for ev, err := range events {
		if err != nil {
			return err
		}
		if err := encode.Encode(&ev); err != nil {
			return err
		}
		if err := out.Flush(); err != nil {
			return err // who reads is gone: what it was not given is not acknowledged
		}
		if ack && !ev.Cursor.IsZero() && ev.Kind != actors.EventState {
			if _, err := control.Ack.Call(ctx, s, control.AckRequest{Name: r.Name, Cursor: ev.Cursor}); err != nil {
				return err
			}
		}
	}
	return ended(ctx, true)
}

func (a *app) ackCommand() *cobra.Command {
	var f accountFlags
	c := &cobra.Command{
		Use: "ack NAME CURSOR", Short: "Acknowledge what a durable consumer was told", Args: exactly("NAME", "CURSOR"),
		Long: "ack says that the consumer NAME is done with every event up to CURSOR: it does not come again.",
		RunE: func(c *cobra.Command, args []string) error {
			request := control.AckRequest{Name: args[0]}
			if err := request.Cursor.UnmarshalText([]byte(args[1])); err != nil || request.Cursor.IsZero() {
				return usage("%q is no cursor: take one from an event, as 7-1234", args[1])
			}
			return a.withService(c, &f, func(ctx context.Context, s control.Service) error {
				_, err := control.Ack.Call(ctx, s, request)
				return err
			})
		},
	}
	f.register(c)
	return c
}

func (a *app) consumersCommand() *cobra.Command {
	return group("consumers", "List and remove durable consumers",
		`A durable consumer reads updates by "events consume", by the control API or in Go.
While it is registered, what it has not acknowledged waits for it at the server.`,
		a.consumersListCommand(), a.consumersRemoveCommand())
}

// consumerOrder is by what consumers are sorted.
var consumerOrder = tabular.Order[actors.ConsumerStatus]{
	"name":     tabular.By(func(c actors.ConsumerStatus) string { return c.Name }),
	"accounts": tabular.By(func(c actors.ConsumerStatus) int { return c.Accounts }),
	"behind":   tabular.By(func(c actors.ConsumerStatus) int { return c.Lag }),
	"oldest":   func(a, b actors.ConsumerStatus) int { return a.Oldest.Compare(b.Oldest) },
}

func (a *app) consumersListCommand() *cobra.Command {
	var f accountFlags
	sort := sortFlag[actors.ConsumerStatus]{order: consumerOrder}
	c := &cobra.Command{
		Use: "list", Short: "Show the durable consumers and how far they are behind", Args: exactly(),
		Long: `list shows who acknowledges updates, who reads now, and what is not acknowledged. One
that is stopped is a webhook whose target wanted nothing more (410 Gone); on with it:
manager webhooks retry NAME.`,
		RunE: func(c *cobra.Command, _ []string) error {
			return a.withService(c, &f, func(ctx context.Context, s control.Service) error {
				list, err := control.Consumers.Call(ctx, s, control.Empty{})
				if err != nil {
					return err
				}
				sort.sort(list.Consumers)
				t := tabular.New(tabular.Column{Name: "NAME"}, tabular.Column{Name: "ACCOUNTS", Leaves: 2}, tabular.Column{Name: "SELECTS", Least: whatLeast},
					tabular.Column{Name: "READS", Leaves: 4}, tabular.Column{Name: "FOR", Leaves: 1}, tabular.Column{Name: "BEHIND"}, tabular.Column{Name: "OLDEST", Leaves: 3})
				for _, s := range list.Consumers {
					reads, since := "nobody", s.Since
					switch {
					case s.Stopped != nil:
						reads, since = "stopped", s.Stopped.At
					case s.Attached:
						reads = "yes"
					}
					t.Row(s.Name, fmt.Sprint(s.Accounts), selects(&s.Filter), reads, ago(since), fmt.Sprint(s.Lag), ago(s.Oldest))
				}
				return a.tell(&f.outputFlags, list, t, "There are no durable consumers. One begins with: manager events consume --name NAME")
			})
		},
	}
	f.registerReading(c)
	sort.register(c)
	return c
}

// selects is a filter in a few words.
func selects(f *actors.Filter) string {
	var parts []string
	parts = append(parts, f.Accounts...)
	parts = append(parts, f.Labels...)
	for _, kind := range f.Kinds {
		parts = append(parts, kind.String())
	}
	if len(parts) == 0 {
		return "everything"
	}
	return clip(strings.Join(parts, " "))
}

func (a *app) consumersRemoveCommand() *cobra.Command {
	var f accountFlags
	c := &cobra.Command{
		Use: "remove NAME", Short: "End a durable consumer: no update waits for it any more", Args: exactly("NAME"),
		Long: `remove ends a durable consumer: what it has not acknowledged does not come again. Dead
letters of a webhook go with it; see: manager webhooks dead NAME.`,
		RunE: func(c *cobra.Command, args []string) error {
			return a.withService(c, &f, func(ctx context.Context, s control.Service) error {
				if _, err := control.RemoveConsumer.Call(ctx, s, control.ConsumerRequest{Name: args[0]}); err != nil {
					return err
				}
				if f.json {
					return a.printJSON(struct {
						Name    string `json:"name"`
						Removed bool   `json:"removed"`
					}{args[0], true})
				}
				return a.sayf("Consumer %s is removed.", args[0])
			})
		},
	}
	f.register(c)
	return c
}

package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/mtfleet/mtfleet/actors"
	"github.com/mtfleet/mtfleet/actors/webhook"
	"github.com/mtfleet/mtfleet/cmd/manager/control"
	"github.com/mtfleet/mtfleet/cmd/manager/tabular"
	"github.com/mtfleet/mtfleet/config"
)

// openWebhooks makes the webhooks of the configuration that are enabled.
func openWebhooks(cfg *config.Config, m *actors.Manager, log *slog.Logger) ([]*webhook.Hook, error) {
	var all []*webhook.Hook
	for _, w := range cfg.Webhooks {
		if !w.Enabled {
			continue
		}
		o := webhook.Options{Manager: m, Name: w.Name, URL: string(w.URL), Raw: w.Raw, Logger: log}
		for _, s := range w.Secrets {
			secret, err := webhook.ParseSecret(string(s))
			if err != nil {
				return nil, usage("webhook %s: %v", w.Name, err)
			}
			o.Secrets = append(o.Secrets, secret)
		}
		filter, err := (&filterFlags{accounts: w.Accounts, labels: w.Labels, kinds: w.Types}).filter()
		if err != nil {
			return nil, usage("webhook %s: %v", w.Name, err)
		}
		o.Filter = filter
		h, err := webhook.New(o)
		if err != nil {
			return nil, usage("webhook %s: %v", w.Name, err)
		}
		all = append(all, h)
	}
	for _, c := range m.Consumers() {
		name, is := strings.CutPrefix(c.Name, webhook.ConsumerPrefix)
		if is && !slices.ContainsFunc(all, func(h *webhook.Hook) bool { return h.Status().Name == name }) {
			log.Warn("updates wait for a webhook that is not sent to", "webhook", name, "accounts", c.Accounts,
				"advice", "enable it, or let go of them with `manager consumers remove "+c.Name+"`")
		}
	}
	return all, nil
}

// webhookRetry is how long a webhook waits that could not begin: the store refuses
// to register it, or another reads in its place.
const webhookRetry = time.Minute

// runWebhooks sends until ctx ends. The function it returns waits for that.
func runWebhooks(ctx context.Context, all []*webhook.Hook, log *slog.Logger) (wait func()) {
	var running sync.WaitGroup
	for _, h := range all {
		running.Go(func() {
			for ctx.Err() == nil {
				err := h.Run(ctx)
				if err == nil {
					return
				}
				if errors.Is(err, actors.ErrConsumerRemoved) {
					log.Warn("a webhook's consumer was removed: nothing is sent to it until the manager starts anew", "webhook", h.Status().Name,
						"advice", "take it out of the configuration, or restart")
					return
				}
				log.Warn("a webhook does not run", "webhook", h.Status().Name, "err", err, "again", webhookRetry)
				select {
				case <-time.After(webhookRetry):
				case <-ctx.Done():
				}
			}
		})
	}
	return running.Wait
}

func (a *app) webhooksCommand() *cobra.Command {
	return group("webhooks", "Look after the targets that are posted what happens",
		`Webhooks are set in the configuration (webhooks: a list of name, url and secret). Each
is a durable consumer: what its target has not taken is sent again, for a day; after
that, or when the target refuses a message, it is put aside as a dead letter.`,
		a.webhooksListCommand(), a.webhooksDeadCommand(), a.webhooksRetryCommand())
}

// webhookOrder is by what webhooks are sorted, letterOrder dead letters.
var (
	webhookOrder = tabular.Order[control.Webhook]{
		"name":    tabular.By(func(h control.Webhook) string { return h.Name }),
		"target":  tabular.By(func(h control.Webhook) string { return h.Host }),
		"sent":    tabular.By(func(h control.Webhook) uint64 { return h.Sent }),
		"last":    func(a, b control.Webhook) int { return a.LastSent.Compare(b.LastSent) },
		"waiting": tabular.By(func(h control.Webhook) int { return h.Lag }),
		"dead":    tabular.By(func(h control.Webhook) int { return h.DeadLetters }),
	}
	letterOrder = tabular.Order[control.DeadLetter]{
		"at":       func(a, b control.DeadLetter) int { return a.At.Compare(b.At) },
		"account":  tabular.By(func(d control.DeadLetter) string { return d.Account }),
		"attempts": tabular.By(func(d control.DeadLetter) int { return d.Attempts }),
		"why":      tabular.By(func(d control.DeadLetter) string { return d.Why }),
	}
)

func (a *app) webhooksListCommand() *cobra.Command {
	var f accountFlags
	sort := sortFlag[control.Webhook]{order: webhookOrder}
	c := &cobra.Command{
		Use: "list", Short: "Show the webhooks and how they do", Args: exactly(),
		RunE: func(c *cobra.Command, _ []string) error {
			return a.withService(c, &f, func(ctx context.Context, s control.Service) error {
				list, err := control.Webhooks.Call(ctx, s, control.Empty{})
				if err != nil {
					return err
				}
				sort.sort(list.Webhooks)
				t := tabular.New(tabular.Column{Name: "NAME"}, tabular.Column{Name: "TARGET", Leaves: 3}, tabular.Column{Name: "SENT", Leaves: 2}, tabular.Column{Name: "LAST", Leaves: 1},
					tabular.Column{Name: "WAITING"}, tabular.Column{Name: "DEAD"}, tabular.Column{Name: "TROUBLE", Least: whatLeast})
				for _, h := range list.Webhooks {
					trouble := h.LastError
					if h.Disabled {
						trouble = "disabled: " + trouble
					}
					t.Row(h.Name, h.Host, fmt.Sprint(h.Sent), ago(h.LastSent), fmt.Sprint(h.Lag), fmt.Sprint(h.DeadLetters), f.clip(trouble))
				}
				return a.tell(&f.outputFlags, list, t, "There are no webhooks. They are set in the configuration: manager config example")
			})
		},
	}
	f.registerReading(c)
	sort.register(c)
	return c
}

func (a *app) webhooksDeadCommand() *cobra.Command {
	var f accountFlags
	sort := sortFlag[control.DeadLetter]{order: letterOrder}
	c := &cobra.Command{
		Use: "dead NAME", Short: "Show what a webhook could not deliver", Args: exactly("NAME"),
		RunE: func(c *cobra.Command, args []string) error {
			return a.withService(c, &f, func(ctx context.Context, s control.Service) error {
				list, err := control.DeadLetters.Call(ctx, s, control.WebhookRequest{Name: args[0]})
				if err != nil {
					return err
				}
				if len(list.DeadLetters) == 0 {
					if err := knownWebhook(ctx, s, args[0]); err != nil {
						return err
					}
				}
				sort.sort(list.DeadLetters)
				t := tabular.New(tabular.Column{Name: "ID"}, tabular.Column{Name: "AT", Leaves: 2}, tabular.Column{Name: "ACCOUNT"}, tabular.Column{Name: "ATTEMPTS", Leaves: 1},
					tabular.Column{Name: "WHY", Least: whatLeast})
				for _, d := range list.DeadLetters {
					t.Row(d.ID, d.At.Local().Format(time.DateTime), d.Account, fmt.Sprint(d.Attempts), f.clip(d.Why))
				}
				return a.tell(&f.outputFlags, list, t, "Webhook "+args[0]+" has no dead letters.")
			})
		},
	}
	f.registerReading(c)
	sort.register(c)
	return c
}

// knownWebhook refuses a name that none of a manager's webhooks has.
func knownWebhook(ctx context.Context, s control.Service, name string) error {
	list, err := control.Webhooks.Call(ctx, s, control.Empty{})
	if err != nil || len(list.Webhooks) == 0 || slices.ContainsFunc(list.Webhooks, func(h control.Webhook) bool { return h.Name == name }) {
		return err
	}
	return &control.Error{Kind: control.KindNoConsumer, Message: fmt.Sprintf("there is no webhook %q: `manager webhooks list` shows those there are", name)}
}

func (a *app) webhooksRetryCommand() *cobra.Command {
	var f accountFlags
	c := &cobra.Command{
		Use: "retry NAME [ID]", Short: "Send dead letters again, and go on where a target had ended it", Args: cobra.RangeArgs(1, 2),
		RunE: func(c *cobra.Command, args []string) error {
			return a.withService(c, &f, func(ctx context.Context, s control.Service) error {
				r := control.RetryRequest{Name: args[0]}
				if len(args) > 1 {
					r.ID = args[1]
				}
				ctx, cancel := context.WithTimeout(ctx, f.timeout)
				defer cancel()
				got, err := control.RetryWebhook.Call(ctx, s, r)
				if err != nil {
					return err
				}
				if f.json {
					return a.printJSON(got)
				}
				return a.sayf("%d dead letters were taken.", got.Sent)
			})
		},
	}
	f.register(c)
	return c
}

package main

import (
	"cmp"
	"context"

	"github.com/spf13/cobra"

	"github.com/mtfleet/mtfleet/actors"
	"github.com/mtfleet/mtfleet/cmd/manager/control"
	"github.com/mtfleet/mtfleet/cmd/manager/tabular"
)

func (a *app) passkeysCommand() *cobra.Command {
	return group("passkeys", "See and delete the passkeys of an account",
		`Passkeys sign the account in without a code. Telegram binds them to its own apps, so
new ones are made there; programs can register one through the control API, and the
dashboard where the relying party lets its page.`,
		a.passkeysListCommand(), a.passkeysDeleteCommand())
}

// passkeyOrder is by what passkeys are sorted.
var passkeyOrder = tabular.Order[actors.PasskeyInfo]{
	"created": func(a, b actors.PasskeyInfo) int { return a.Created.Compare(b.Created) },
	"used":    func(a, b actors.PasskeyInfo) int { return a.Used.Compare(b.Used) },
	"name":    tabular.By(func(k actors.PasskeyInfo) string { return k.Name }),
}

func (a *app) passkeysListCommand() *cobra.Command {
	var f accountFlags
	sort := sortFlag[actors.PasskeyInfo]{order: passkeyOrder}
	c := &cobra.Command{
		Use: "list NAME", Short: "Show the passkeys of an account", Args: exactly("NAME"),
		RunE: func(c *cobra.Command, args []string) error {
			return a.asking(c, &f, func(ctx context.Context, s control.Service) error {
				list, err := control.Passkeys.Call(ctx, s, control.AccountRequest{ID: args[0]})
				if err != nil {
					return err
				}
				sort.sort(list.Passkeys)
				t := tabular.New(tabular.Column{Name: "ID"}, tabular.Column{Name: "AGE", Leaves: 1}, tabular.Column{Name: "USED", Leaves: 2}, tabular.Column{Name: "NAME", Least: whatLeast})
				for _, k := range list.Passkeys {
					t.Row(k.ID, ago(k.Created), ago(k.Used), cmp.Or(printable(k.Name), "-"))
				}
				return a.tell(&f.outputFlags, list, t, "Account "+args[0]+" has no passkeys.")
			})
		},
	}
	f.registerReading(c)
	sort.register(c)
	return c
}

func (a *app) passkeysDeleteCommand() *cobra.Command {
	var f accountFlags
	c := &cobra.Command{
		Use: "delete NAME ID", Short: "Delete a passkey of an account", Args: exactly("NAME", "ID"),
		RunE: func(c *cobra.Command, args []string) error {
			return a.asking(c, &f, func(ctx context.Context, s control.Service) error {
				r := control.PasskeyRequest{ID: args[0], Passkey: args[1]}
				if _, err := control.DeletePasskey.Call(ctx, s, r); err != nil {
					return err
				}
				return a.told(&f, r, "That passkey of account %s is deleted.", args[0])
			})
		},
	}
	f.register(c)
	return c
}

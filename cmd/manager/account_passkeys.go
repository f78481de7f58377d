package main

import (
	"context"
	"fmt"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/mtfleet/mtfleet/cmd/manager/control"
)

func (a *app) passkeysCommand() *cobra.Command {
	return group("passkeys", "See and delete the passkeys of an account",
		`Passkeys sign the account in without a code. Telegram binds them to its own apps, so
new ones are made there; programs can register one through the control API.`,
		a.passkeysListCommand(), a.passkeysDeleteCommand())
}

func (a *app) passkeysListCommand() *cobra.Command {
	var f accountFlags
	c := &cobra.Command{
		Use: "list NAME", Short: "Show the passkeys of an account", Args: exactly("NAME"),
		RunE: func(c *cobra.Command, args []string) error {
			return a.asking(c, &f, func(ctx context.Context, s control.Service) error {
				list, err := control.Passkeys.Call(ctx, s, control.AccountRequest{ID: args[0]})
				switch {
				case err != nil:
					return err
				case f.json:
					return a.printJSON(list)
				case len(list.Passkeys) == 0:
					return a.sayf("Account %s has no passkeys.", args[0])
				}
				w := tabwriter.NewWriter(a.out, 0, 0, 2, ' ', 0)
				fmt.Fprintln(w, "AGE\tUSED\tNAME\tID")
				for _, k := range list.Passkeys {
					fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", ago(k.Created), ago(k.Used), cut(printable(k.Name), whatLeast), k.ID)
				}
				return w.Flush()
			})
		},
	}
	f.register(c)
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

package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/mtfleet/mtfleet/cmd/manager/control"
)

func (a *app) showCommand() *cobra.Command {
	var f accountFlags
	var of targets
	c := &cobra.Command{
		Use: "show NAME...", Aliases: []string{"describe"}, Short: "Show all that is known of accounts", Args: of.args,
		RunE: func(c *cobra.Command, names []string) error {
			return a.withService(c, &f, func(ctx context.Context, s control.Service) error {
				ctx, cancel := context.WithTimeout(ctx, f.timeout)
				defer cancel()
				all, err := of.accounts(ctx, s, names)
				if err != nil {
					return err
				}
				return a.tellAccounts(&f.outputFlags, all)
			})
		},
	}
	f.registerReading(c)
	of.register(c)
	return c
}

// tellAccounts prints accounts one after the other: with JSON, an object a line.
func (a *app) tellAccounts(o *outputFlags, all []control.Account) error {
	for i, acc := range all {
		var err error
		switch {
		case o.json:
			err = a.printJSON(acc)
		case o.format == formatName:
			err = a.sayf("%s", acc.ID)
		default:
			if i > 0 {
				err = a.sayf("")
			}
			if err == nil {
				err = a.printAccount(acc)
			}
		}
		if err != nil {
			return err
		}
	}
	if len(all) == 0 && !o.json && o.format != formatName {
		return a.sayf(noTargets)
	}
	return nil
}

package main

import (
	"context"
	"strings"

	"github.com/spf13/cobra"

	"github.com/mtfleet/mtfleet/cmd/manager/control"
	"github.com/mtfleet/mtfleet/persistence"
)

func (a *app) labelCommand() *cobra.Command {
	var f accountFlags
	c := &cobra.Command{
		Use: "label NAME [KEY=VALUE|KEY-]...", Short: "Put labels on an account, take them away, or show them",
		Long: `label puts labels on an account, KEY=VALUE in place of one of that key, and takes
those away that are written KEY-. Without any it shows them. They select accounts:
manager events --label env=prod. An account has up to 32, of up to 63 characters.`,
		Args: func(c *cobra.Command, args []string) error {
			if len(args) == 0 {
				return exactly("NAME")(c, args)
			}
			_, _, err := labelArgs(args[1:])
			return err
		},
		RunE: func(c *cobra.Command, args []string) error {
			return a.withService(c, &f, func(ctx context.Context, s control.Service) error {
				ctx, cancel := context.WithTimeout(ctx, f.timeout)
				defer cancel()
				acc, err := a.label(ctx, s, args)
				if err != nil {
					return err
				}
				if f.json {
					return a.printJSON(acc)
				}
				if acc.Labels.IsZero() {
					return a.sayf("Account %s has no labels.", acc.ID)
				}
				return a.sayf("Account %s has the labels %s.", acc.ID, strings.ReplaceAll(acc.Labels.String(), ",", ", "))
			})
		},
	}
	f.register(c)
	return c
}

func (a *app) label(ctx context.Context, s control.Service, args []string) (control.Account, error) {
	put, remove, err := labelArgs(args[1:])
	switch {
	case err != nil:
		return control.Account{}, err
	case len(put)+len(remove) == 0:
		return control.Show.Call(ctx, s, control.AccountRequest{ID: args[0]})
	}
	return control.Label.Call(ctx, s, control.LabelRequest{ID: args[0], Put: put, Remove: remove})
}

// labelArgs reads key=value and key-.
func labelArgs(args []string) (put map[string]string, remove []string, err error) {
	put = map[string]string{}
	for _, arg := range args {
		if key, value, ok := strings.Cut(arg, "="); ok {
			put[key] = value
			if err := persistence.CheckLabel(key, value); err != nil {
				return nil, nil, usage("%v", err)
			}
		} else if key, ok := strings.CutSuffix(arg, "-"); ok && key != "" {
			remove = append(remove, key)
		} else {
			return nil, nil, usage("%q is neither KEY=VALUE nor KEY-", arg)
		}
	}
	return put, remove, nil
}

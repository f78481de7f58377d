package main

import (
	"context"
	"errors"

	"github.com/spf13/cobra"

	"github.com/mtfleet/mtfleet/cmd/manager/control"
	"github.com/mtfleet/mtfleet/cmd/manager/top"
	"github.com/mtfleet/mtfleet/config"
)

func (a *app) topCommand() *cobra.Command {
	return &cobra.Command{
		Use: "top", Short: "Watch the fleet in a terminal, and sign accounts in", Args: exactly(),
		Long: `top shows the manager that runs in a terminal of 80 columns and 24 lines or more:
the fleet by state, the DCs, what waits, and every account, those that need somebody
first. It is live, and its keys do what commands do: sign in, pause, rotate. ? shows
them all, q quits; the manager goes on. NO_COLOR in the environment takes the
colours away, but for those of a QR code.

docs/top.md shows what it looks like.`,
		RunE: func(c *cobra.Command, _ []string) error { return a.top(c.Context()) },
	}
}

func (a *app) top(ctx context.Context) error {
	cfg, err := a.load(false)
	if err != nil {
		return err
	}
	in, reads := terminal(a.in)
	out, draws := terminal(a.out)
	if name := lookup(a.env, "TERM"); !reads || !draws || name == "dumb" {
		return usage("top draws on a terminal, and there is none here: `manager account list --json` and `manager events --follow --json` tell programs the same")
	}
	return top.Run(ctx, top.Options{
		Dial: func(ctx context.Context) (control.Service, error) { return dialTop(ctx, cfg) },
		In:   in, Out: out, Env: a.env, Colours: lookup(a.env, "NO_COLOR") == "",
	})
}

// dialTop reaches the manager that runs, here or elsewhere, and no store.
func dialTop(ctx context.Context, cfg *config.Config) (control.Service, error) {
	if cfg.Remote.URL != "" {
		return managerElsewhere(cfg.Remote)
	}
	s, err := dialOwn(ctx, cfg)
	switch {
	case errors.Is(err, control.ErrNobody):
		return nil, &control.Error{Kind: control.KindState, Err: err, Message: "no manager runs: start it with `manager run`; without one, `manager account list` shows what the store has"}
	case errors.As(err, new(*exitError)):
		return nil, &control.Error{Kind: kindOf(err), Err: err, Message: describe(err)}
	case err != nil:
		return nil, control.Wrap(err)
	}
	return s, nil
}

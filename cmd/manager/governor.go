package main

import (
	"cmp"
	"context"
	"fmt"
	"strconv"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/mtfleet/mtfleet/cmd/manager/control"
)

func (a *app) governorCommand() *cobra.Command {
	var f accountFlags
	c := &cobra.Command{
		Use: "governor", Short: "Show what waits for permits, and which DCs are down", Args: exactly(),
		Long: "governor shows the budget of connects, key creations and sign-ins (limits in the configuration), and for each DC, by each\n" +
			"proxy, whether it is up, how many wait for a permit, and how many permits were given since the manager started.",
		RunE: func(c *cobra.Command, _ []string) error {
			return a.withService(c, &f, func(ctx context.Context, s control.Service) error {
				g, err := control.Governor.Call(ctx, s, control.Empty{})
				if err != nil {
					return err
				}
				if f.json {
					return a.printJSON(g)
				}
				return a.printGovernor(g)
			})
		},
	}
	f.register(c)
	return c
}

func (a *app) printGovernor(g control.Pacing) error {
	if err := a.sayf("Budget, %s.", g.Budget); err != nil {
		return err
	}
	if len(g.DCs) == 0 {
		return a.sayf("Nobody has asked for a permit: no manager runs, or it has just begun.")
	}
	w := tabwriter.NewWriter(a.out, 0, 0, 3, ' ', 0)
	fmt.Fprintln(w, "DC\tVIA\tSTATE\tWAITING: CONNECTS\tKEYS\tSIGN-INS\tGRANTED: CONNECTS\tKEYS\tSIGN-INS")
	for _, d := range g.DCs {
		name := strconv.Itoa(d.DC)
		if d.Media {
			name += " for media"
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%d\t%d\t%d\t%d\t%d\t%d\n", name, cmp.Or(d.Via, "directly"), dcState(d),
			d.Waiting.Connects, d.Waiting.KeyCreations, d.Waiting.SignIns, d.Granted.Connects, d.Granted.KeyCreations, d.Granted.SignIns)
	}
	return w.Flush()
}

// dcState says whether a DC is up.
func dcState(d control.GovernedDC) string {
	switch {
	case d.Up:
		return "up"
	case d.Flood:
		return fmt.Sprintf("wants fewer connections, for %s, probed every %gs", ago(d.Since), d.ProbeEvery)
	}
	return fmt.Sprintf("down for %s, probed every %gs", ago(d.Since), d.ProbeEvery)
}

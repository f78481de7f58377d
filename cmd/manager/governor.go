package main

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/mtfleet/mtfleet/cmd/manager/control"
	"github.com/mtfleet/mtfleet/cmd/manager/tabular"
	"github.com/mtfleet/mtfleet/cmd/manager/wording"
)

// pacingOrder is by what DCs are sorted.
var pacingOrder = tabular.Order[control.GovernedDC]{
	"dc":      tabular.By(func(d control.GovernedDC) int { return d.DC }),
	"via":     tabular.By(func(d control.GovernedDC) string { return d.Via }),
	"since":   func(a, b control.GovernedDC) int { return a.Since.Compare(b.Since) },
	"waiting": tabular.By(func(d control.GovernedDC) uint64 { return sum(d.Waiting) }),
	"granted": tabular.By(func(d control.GovernedDC) uint64 { return sum(d.Granted) }),
}

func sum(p control.Permits) uint64 { return p.Connects + p.KeyCreations + p.SignIns }

func (a *app) governorCommand() *cobra.Command {
	var f accountFlags
	sort := sortFlag[control.GovernedDC]{order: pacingOrder}
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
				sort.sort(g.DCs)
				return a.tellGovernor(&f.outputFlags, g)
			})
		},
	}
	f.registerReading(c)
	sort.register(c)
	return c
}

func (a *app) tellGovernor(f *outputFlags, g control.Pacing) error {
	if !f.json && f.format != formatName {
		for _, line := range tabular.Wrap(fmt.Sprintf("Budget, %s.", g.Budget), a.look(f).Width) {
			if err := a.sayf("%s", line); err != nil {
				return err
			}
		}
	}
	t := tabular.New(tabular.Column{Name: "DC"}, tabular.Column{Name: "VIA", Leaves: 7}, tabular.Column{Name: "STATE", Least: whatLeast},
		tabular.Column{Name: "WAITING: CONNECTS", Leaves: 4}, tabular.Column{Name: "KEYS", Leaves: 5}, tabular.Column{Name: "SIGN-INS", Leaves: 6},
		tabular.Column{Name: "GRANTED: CONNECTS", Leaves: 1}, tabular.Column{Name: "KEYS", Leaves: 2}, tabular.Column{Name: "SIGN-INS", Leaves: 3})
	for _, d := range g.DCs {
		t.Row(dcName(d), cmp.Or(d.Via, "directly"), wording.DCState(d, time.Now()), fmt.Sprint(d.Waiting.Connects), fmt.Sprint(d.Waiting.KeyCreations), fmt.Sprint(d.Waiting.SignIns),
			fmt.Sprint(d.Granted.Connects), fmt.Sprint(d.Granted.KeyCreations), fmt.Sprint(d.Granted.SignIns))
	}
	return a.tell(f, g, t, "Nobody has asked for a permit: no manager runs, or it has just begun.")
}

// dcName is a DC in a table.
func dcName(d control.GovernedDC) string {
	if d.Media {
		return fmt.Sprintf("%d for media", d.DC)
	}
	return fmt.Sprint(d.DC)
}

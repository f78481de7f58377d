package main

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/mtfleet/mtfleet/cmd/manager/control"
	"github.com/mtfleet/mtfleet/cmd/manager/tabular"
	"github.com/mtfleet/mtfleet/persistence"
)

func (a *app) nodeCommand() *cobra.Command {
	return group("node", "Look at the nodes of a cluster, and empty one",
		`A cluster is several managers that keep the fleet of one store, each the accounts that
it owns (cluster in the configuration). Accounts are placed by themselves: a node that
comes takes its share, and what a node that ended had the others take.

What is wanted of a node is in the store: it counts also for a node that is down, and
when it starts again.`,
		a.nodeListCommand(),
		a.nodeWishCommand("drain", "Have a node give its accounts to the others",
			`drain has a node give its accounts to the other nodes, one by one: calls that are under
way end, no key is made anew, no update is lost. The node goes on and takes nothing
more, until "node uncordon". With --wait the command ends when it has no account left.

A manager that gets SIGTERM does the same by itself, for cluster.drain_limit.`, persistence.WishDrain),
		a.nodeWishCommand("cordon", "Have a node keep what it has, and take nothing more",
			`cordon has a node keep the accounts that it has and take nothing more, until "node
uncordon".`, persistence.WishCordon),
		a.nodeWishCommand("uncordon", "Have a node take its share again",
			`uncordon has a node take its share of the accounts again, after "node cordon" and "node
drain". What belongs to it moves back by itself, some twenty accounts a second.`, persistence.WishServe),
	)
}

func (a *app) nodeListCommand() *cobra.Command {
	var f accountFlags
	c := &cobra.Command{
		Use: "list", Short: "List the nodes, and how many accounts each owns", Args: exactly(),
		Long: `list shows the nodes of the cluster: those that live, and those that died and own an
account yet. LEASE is for how long the store takes a node for alive if it hears no more
of it.`,
		RunE: func(c *cobra.Command, _ []string) error {
			return a.withService(c, &f, func(ctx context.Context, s control.Service) error {
				list, err := control.Nodes.Call(ctx, s, control.Empty{})
				if err != nil {
					return err
				}
				return a.tellNodes(&f.outputFlags, list)
			})
		},
	}
	f.registerReading(c)
	return c
}

func (a *app) nodeWishCommand(use, short, long string, wish persistence.Wish) *cobra.Command {
	var f accountFlags
	var wait bool
	c := &cobra.Command{
		Use: use + " NODE", Short: short, Long: long, Args: exactly("NODE"),
		RunE: func(c *cobra.Command, args []string) error {
			return a.withService(c, &f, func(ctx context.Context, s control.Service) error {
				list, err := control.SetNodeWish.Call(ctx, s, control.WishRequest{Node: args[0], Wish: wish.String()})
				if err != nil {
					return err
				}
				if wait {
					if list, err = untilEmpty(ctx, s, args[0]); err != nil {
						return err
					}
				}
				return a.tellNodes(&f.outputFlags, list)
			})
		},
	}
	f.register(c)
	if wish == persistence.WishDrain {
		c.Flags().BoolVar(&wait, "wait", false, "end when the node has no account left")
	}
	return c
}

// nodeLooks is what lies between two looks at a node that is waited for.
const nodeLooks = 500 * time.Millisecond

// untilEmpty waits until a node owns nothing.
func untilEmpty(ctx context.Context, s control.Service, node string) (control.NodeList, error) {
	for {
		list, err := control.Nodes.Call(ctx, s, control.Empty{})
		if err != nil {
			return list, err
		}
		left := 0
		for _, n := range list.Nodes {
			if n.Name == node {
				left = n.Accounts
			}
		}
		if left == 0 {
			return list, nil
		}
		select {
		case <-time.After(nodeLooks):
		case <-ctx.Done():
			return list, ctx.Err() // it goes on giving them away
		}
	}
}

func (a *app) tellNodes(f *outputFlags, list control.NodeList) error {
	return a.tell(f, list, nodeTable(list.Nodes), "There are no nodes: one manager keeps this store alone.")
}

func nodeTable(nodes []control.Node) *tabular.Table {
	t := tabular.New(tabular.Column{Name: "NODE"}, tabular.Column{Name: "ACCOUNTS"}, tabular.Column{Name: "STATE"}, tabular.Column{Name: "LEASE", Leaves: 3},
		tabular.Column{Name: "CAPACITY", Leaves: 2}, tabular.Column{Name: "ADDRESS", Leaves: 4}, tabular.Column{Name: "VERSION", Leaves: 1})
	for _, n := range nodes {
		state := nodeState(n)
		t.Cells(tabular.Cell{Text: n.Name}, tabular.Cell{Text: fmt.Sprint(n.Accounts)}, state, tabular.Cell{Text: leaseText(n)},
			tabular.Cell{Text: fmt.Sprint(n.Capacity)}, tabular.Cell{Text: cmp.Or(n.Address, "-")}, tabular.Cell{Text: cmp.Or(n.Version, "-")})
	}
	return t
}

func nodeState(n control.Node) tabular.Cell {
	switch {
	case !n.Live:
		return tabular.Cell{Text: "dead", Color: tabular.Red}
	case n.Departs:
		return tabular.Cell{Text: "leaves", Color: tabular.Yellow}
	case n.Wish == persistence.WishDrain.String() && n.Accounts > 0:
		return tabular.Cell{Text: "drains", Color: tabular.Yellow}
	case n.Wish == persistence.WishDrain.String():
		return tabular.Cell{Text: "drained", Color: tabular.Yellow}
	case n.Wish == persistence.WishCordon.String():
		return tabular.Cell{Text: "cordoned", Color: tabular.Yellow}
	}
	return tabular.Cell{Text: "serves", Color: tabular.Green}
}

func leaseText(n control.Node) string {
	left := time.Duration(n.Lease * float64(time.Second)).Round(time.Second)
	if !n.Live {
		return fmt.Sprintf("over for %v", -left)
	}
	return left.String()
}

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
		a.nodeRebalanceCommand(),
	)
}

func (a *app) nodeListCommand() *cobra.Command {
	var f accountFlags
	c := &cobra.Command{
		Use: "list", Short: "List the nodes, and how many accounts each owns", Args: exactly(),
		Long: `list shows the nodes of the cluster: those that live, and those that died and own an
account yet. LEASE is for how long the store takes a node for alive if it hears no more
of it. A node that is "cut off" reaches no DC, or has not for long yet: it takes nothing,
and gives what it has to nodes that reach them.`,
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

func (a *app) nodeRebalanceCommand() *cobra.Command {
	var f accountFlags
	var dryRun, wait bool
	c := &cobra.Command{
		Use: "rebalance", Short: "Say where accounts are and belong, and have them move at once", Args: exactly(),
		Long: `rebalance shows of each node how many accounts it has, how many of all belong to it (BELONG:
its share by cluster.capacity, among the nodes that live, serve and reach the DCs), how
many are to move to another node, and how many belong to another and stay, with the
reason.

What belongs elsewhere moves by itself: each node looks once a second, and hands some
twenty accounts a second over. Without --dry-run every node looks at once; what is to move
is what was so before. With --wait the command ends when nothing is left to move.

It looks at every account of the store: with a million that takes two seconds.`,
		RunE: func(c *cobra.Command, _ []string) error {
			f.reads = dryRun
			return a.withService(c, &f, func(ctx context.Context, s control.Service) error {
				list, err := balance(ctx, s, dryRun, wait)
				if err != nil {
					return err
				}
				return a.tell(&f.outputFlags, list, balanceTable(list), "There are no nodes: none runs on this store.")
			})
		},
	}
	f.registerReading(c)
	c.Flags().BoolVar(&dryRun, "dry-run", false, "say what is to move, and have nobody look sooner")
	c.Flags().BoolVar(&wait, "wait", false, "end when nothing is left to move")
	return c
}

// balance counts, after every node was told to look unless it is a dry run, and again
// until nothing is to move where that is waited for.
func balance(ctx context.Context, s control.Service, dryRun, wait bool) (control.BalanceList, error) {
	count := control.Rebalance
	if dryRun {
		count = control.Balance
	}
	for {
		begun := time.Now()
		list, err := count.Call(ctx, s, control.Empty{})
		if err != nil || !wait || list.ToMove == 0 {
			return list, err
		}
		count = control.Balance
		select {
		case <-time.After(max(nodeLooks, 5*time.Since(begun))): // of many accounts it costs the database something
		case <-ctx.Done():
			return list, ctx.Err() // they go on moving
		}
	}
}

func balanceTable(list control.BalanceList) *tabular.Table {
	t := tabular.New(tabular.Column{Name: "NODE"}, tabular.Column{Name: "ACCOUNTS"}, tabular.Column{Name: "BELONG"}, tabular.Column{Name: "TO MOVE"}, tabular.Column{Name: "STAY", Leaves: 1},
		tabular.Column{Name: "WHY", Least: whatLeast})
	for _, n := range list.Nodes {
		t.Row(n.Name, fmt.Sprint(n.Accounts), fmt.Sprint(n.Belong), fmt.Sprint(n.ToMove), fmt.Sprint(n.Stay), cmp.Or(n.Why, "-"))
	}
	if list.Free > 0 {
		t.Row("-", fmt.Sprint(list.Free), "-", fmt.Sprint(list.Free), "0", "nobody owns them yet: the nodes that they belong to take them")
	}
	return t
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
	case n.CutOff:
		return tabular.Cell{Text: "cut off", Color: tabular.Red}
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

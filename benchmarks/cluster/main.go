//go:build unix

// Command cluster runs nodes of one fleet on a real PostgreSQL, breaks them, the
// database and the ways between them by a seed, and has the ledger of the test DCs say
// what was lost:
//
//	go run ./benchmarks/cluster --nodes 3 --accounts 300 --for 10m --seed 1
//
// The nodes are processes of their own (actors.Open on pgstore), the database is one of
// Debian's package in a directory of its own, and the test DCs run in this process. Every
// account is called all the time on whichever node has it, and told updates. The exit
// status is 1 if a promise does not hold.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"time"
)

// config is what a run is made of.
type config struct {
	nodes, accounts int
	last            time.Duration
	lease           time.Duration
	seed            uint64
	dir             string // of the run; empty: a temporary one
	verbose         bool
	plant           string // a fault of the test's own, which the ledger must tell of
	only            string // the one thing that is done; empty: everything
	self            string // the program that is a node when nodeEnv is set
}

// plantNoFence is a node that goes on without a lease.
const plantNoFence = "no-fence"

func (c config) check() error {
	switch {
	case c.nodes < 2 || c.nodes > 9 || c.accounts < c.nodes || c.accounts > 10_000:
		return errors.New("--nodes is 2 to 9, --accounts at least as many and 10,000 at most")
	case c.lease < time.Second || c.last < c.lease:
		return errors.New("--lease is a second or more, and --for not less than that")
	case c.plant != "" && c.plant != plantNoFence:
		return fmt.Errorf("--plant is %s", plantNoFence)
	case c.only != "" && actOf(c.only) < 0:
		return fmt.Errorf("--only is one of %q", actNames)
	}
	return nil
}

func main() {
	if text := os.Getenv(nodeEnv); text != "" {
		os.Exit(beNode(text))
	}
	var c config
	var asJSON bool
	flag.IntVar(&c.nodes, "nodes", 3, "nodes, each a process")
	flag.IntVar(&c.accounts, "accounts", 300, "accounts that are signed in and called")
	flag.DurationVar(&c.last, "for", 10*time.Minute, "how long things go wrong")
	flag.DurationVar(&c.lease, "lease", 5*time.Second, "of a node")
	flag.Uint64Var(&c.seed, "seed", 1, "what goes wrong and when, as far as real processes let that be repeated")
	flag.StringVar(&c.only, "only", "", "do one thing alone, again and again: kill, freeze, ...")
	flag.StringVar(&c.plant, "plant", "", "plant a fault that must be found: "+plantNoFence)
	flag.BoolVar(&asJSON, "json", false, "print the result as one JSON object on the last line")
	flag.BoolVar(&c.verbose, "v", false, "print what is done")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	self, err := os.Executable()
	if err == nil {
		c.self = self
		err = show(ctx, c, asJSON)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "cluster:", err)
		os.Exit(1)
	}
}

// errBroken ends a run in which a promise did not hold.
var errBroken = errors.New("a promise did not hold")

func show(ctx context.Context, c config, asJSON bool) error {
	r, err := c.run(ctx)
	if err != nil {
		return err
	}
	fmt.Print(r.String())
	if asJSON {
		text, err := json.Marshal(r)
		if err != nil {
			return err
		}
		fmt.Println(string(text))
	}
	if !r.held() {
		return errBroken
	}
	return nil
}

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Command kill ends the real manager by SIGKILL at random instants, again and again,
// while accounts call, sign in by every way there is, rotate their keys, call for
// media, go to other DCs, log out and are removed, and has the ledger of the test DCs
// say what was lost:
//
//	go run ./benchmarks/kill --kills 500
//
// It builds cmd/manager and runs it as an operator does, on a Badger store in a
// directory of its own, and drives it through its control socket. The test DCs run in
// this process, which outlives every manager. The exit status is 1 if a promise does
// not hold; what was found is printed then, with the seed and the timelines of the
// accounts concerned.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/signal"
)

// config is what a run is made of.
type config struct {
	kills, accounts int
	seed            uint64
	manager         string // the binary; empty: it is built
	dir             string // of the run; empty: a temporary one
	keep            bool
	verbose         bool
	plant           plant
}

// plant is a fault of the test's own, which the judge must find.
type plant uint8

const (
	plantNothing plant = iota
	// plantOldStore puts a store in place that is of before somebody signed in.
	plantOldStore
	// plantTwice hears an answer twice, and makes a call again that must not run twice.
	plantTwice
)

func main() {
	var c config
	var asJSON bool
	flag.IntVar(&c.kills, "kills", 100, "how often the manager is killed")
	flag.IntVar(&c.accounts, "accounts", 40, "accounts, 6 to 200: half of them stay signed in, half come and go")
	flag.Uint64Var(&c.seed, "seed", 1, "what is done and when it is killed, as far as a real process lets that be repeated")
	flag.StringVar(&c.manager, "manager", "", "the manager's `binary`; without one it is built")
	flag.BoolVar(&c.keep, "keep", true, "keep the directory of a run that failed: the store and the manager's log")
	flag.BoolVar(&asJSON, "json", false, "print the result as one JSON object on the last line")
	flag.BoolVar(&c.verbose, "v", false, "print each kill")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	r, err := c.run(ctx)
	if err != nil {
		fmt.Fprintln(os.Stderr, "kill:", err)
		os.Exit(1)
	}
	fmt.Print(r.String())
	if asJSON {
		text, err := json.Marshal(r)
		if err != nil {
			fmt.Fprintln(os.Stderr, "kill:", err)
			os.Exit(1)
		}
		fmt.Println(string(text))
	}
	if !r.held() {
		os.Exit(1)
	}
}

// Command updates sends updates to accounts while connections are cut, DCs restart
// and the manager's process is killed, and looks whether a durable consumer is told
// each of them: at least once, in order for each box, none lost, no hole told.
//
//	go run ./benchmarks/updates --accounts 50 --updates 10000
//
// The exit status is 1 if a promise does not hold. The test DC runs in this process,
// the manager in one of its own.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"time"
)

// config is what a run is made of.
type config struct {
	accounts, channels, updates int
	rate                        int // updates a second
	seed                        uint64
	every                       time.Duration // between two pieces of harm
	limit                       time.Duration // for the rest to come, at the end
	verbose                     bool
}

func main() {
	if dir := os.Getenv(childEnv); dir != "" {
		os.Exit(child(dir))
	}
	var c config
	flag.IntVar(&c.accounts, "accounts", 50, "bots that are online")
	flag.IntVar(&c.channels, "channels", 3, "channels of each, besides its private chat")
	flag.IntVar(&c.updates, "updates", 10_000, "messages that are sent to them")
	flag.IntVar(&c.rate, "rate", 100, "messages a second")
	flag.Uint64Var(&c.seed, "seed", 1, "what is sent when, and what goes wrong")
	flag.DurationVar(&c.every, "every", 2*time.Second, "pause between two things that go wrong")
	flag.DurationVar(&c.limit, "limit", 5*time.Minute, "how long the last messages are waited for")
	flag.BoolVar(&c.verbose, "v", false, "print what goes wrong as it does")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	begun := time.Now()
	r, err := c.run(ctx)
	if err != nil {
		fmt.Fprintln(os.Stderr, "updates:", err)
		os.Exit(1)
	}
	fmt.Print(r.String())
	fmt.Printf("%s, %s/%s, %v\n", runtime.Version(), runtime.GOOS, runtime.GOARCH, time.Since(begun).Round(time.Second))
	if !r.held() {
		os.Exit(1)
	}
}

// Command damage harms stores and looks whether anything is lost without a word.
//
//	go run ./benchmarks/damage --rounds 500
//
// A round makes a store of 200 accounts in a child process, over up to three
// starts, and ends the child by SIGKILL or lets it close the store. Then one bit
// of one file is turned, or a file is shortened, or removed. The store is opened
// again: either it holds everything, or it says that it is damaged, and is
// salvaged; what came back is compared with what was acknowledged, record by
// record. The exit status is 1 if anything was lost that nobody named.
package main

import (
	"flag"
	"fmt"
	"os"
	"runtime"
	"time"
)

func main() { os.Exit(run()) }

func run() int {
	if dir := os.Getenv(childEnv); dir != "" {
		return child(dir)
	}
	var c config
	flag.IntVar(&c.rounds, "rounds", 100, "how many stores to harm")
	flag.Uint64Var(&c.seed, "seed", 1, "seed of the first round; each following one has the next")
	flag.IntVar(&c.accounts, "accounts", 200, "accounts in a store")
	flag.BoolVar(&c.verbose, "v", false, "print each round")
	flag.Parse()
	begun := time.Now()
	t, err := c.play(os.Stdout)
	if err != nil {
		fmt.Fprintln(os.Stderr, "damage:", err)
		return 1
	}
	fmt.Print(t)
	fmt.Printf("%s, %s/%s, %v\n", runtime.Version(), runtime.GOOS, runtime.GOARCH, time.Since(begun).Round(time.Second))
	if t.bad() {
		return 1
	}
	return 0
}

package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/mtfleet/mtfleet/persistence"
	"github.com/mtfleet/mtfleet/persistence/badgerstore"
	"github.com/mtfleet/mtfleet/persistence/seal"
)

// The child's environment: the store's directory, the seed and the number of
// accounts.
const (
	childEnv  = "MTFLEET_DAMAGE_DIR"
	childArgs = "MTFLEET_DAMAGE_ARGS"
)

var key = seal.MasterKey{42}

// child plays the history of a store, says so, and closes the store when its
// standard input says that; else it waits to be killed.
func child(dir string) int {
	var seed uint64
	var accounts int
	if _, err := fmt.Sscan(os.Getenv(childArgs), &seed, &accounts); err != nil {
		fmt.Println("error", err)
		return 1
	}
	for i, start := range newHistory(seed, accounts) {
		store, err := play(dir, start)
		if err != nil {
			fmt.Println("error", err)
			return 1
		}
		if i+1 == len(newHistory(seed, accounts)) {
			fmt.Println("ready")
			_, _ = io.ReadAll(os.Stdin)
		}
		if err := store.Close(); err != nil {
			fmt.Println("error", err)
			return 1
		}
	}
	return 0
}

// play commits one start's part of the history, eight commits at a time.
func play(dir string, start []persistence.Commit) (*badgerstore.Store, error) {
	store, err := badgerstore.Open(badgerstore.Options{Dir: dir, Key: key})
	if err != nil {
		return nil, err
	}
	owner, err := store.Claim("child")
	if err != nil {
		return nil, err
	}
	var wg sync.WaitGroup
	var mu sync.Mutex
	next := make(chan persistence.Commit)
	for range 8 {
		wg.Go(func() {
			for c := range next {
				c.Owner = owner
				if e := store.Commit(c); e != nil {
					mu.Lock()
					err = e
					mu.Unlock()
				}
			}
		})
	}
	for _, c := range start {
		next <- c
	}
	close(next)
	wg.Wait()
	return store, err
}

// make makes a store in a child process and ends it: killed, or closed; wait is
// how long it is left alone before.
func (c config) make(dir string, seed uint64, kill bool, wait time.Duration) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), childEnv+"="+dir, childArgs+"="+strconv.FormatUint(seed, 10)+" "+strconv.Itoa(c.accounts))
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if strings.TrimSpace(line) != "ready" {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		return fmt.Errorf("the child said %q, %v", line, err)
	}
	time.Sleep(wait)
	if kill {
		if err := cmd.Process.Kill(); err != nil {
			return err
		}
		_ = cmd.Wait()
		return nil
	}
	_ = in.Close()
	return cmd.Wait()
}

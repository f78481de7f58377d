//go:build linux

// Command readers measures what it costs to wait for packets on many idle
// connections, by four ways to do so: a goroutine for each that stays, one that
// ends with each packet as that of actors/wire does, an epoll set of our own, and
// the event loop of gnet. It says what a poller would be worth to mtfleet; nothing
// of mtfleet is in it.
//
// The other end of the connections is a process of its own. For each way the
// program starts itself anew, so that no way finds the memory of another.
package main

import (
	"bufio"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"strings"
	"sync/atomic"
	"syscall"
	"time"
)

const (
	packet = 100 // bytes, as a pong has
	rounds = 10  // packets to each connection that are measured
)

func main() {
	n := flag.Int("n", 4000, "how many connections")
	way := flag.String("way", "", "measure this way alone, in this process")
	serve := flag.Bool("serve", false, "be the other end")
	flag.Parse()
	err := run(*n, *way, *serve)
	if err != nil {
		fmt.Fprintln(os.Stderr, "readers:", err)
		os.Exit(1)
	}
}

func run(n int, way string, serve bool) error {
	switch {
	case serve:
		return server()
	case way != "":
		wait := ways[way]
		if wait == nil {
			return fmt.Errorf("there is no way %q", way)
		}
		return measure(n, way, wait)
	}
	for _, way := range []string{"goroutine", "renewed", "epoll", "gnet"} {
		c := exec.Command(os.Args[0], "-n", fmt.Sprint(n), "-way", way)
		c.Stdout, c.Stderr = os.Stdout, os.Stderr
		if err := c.Run(); err != nil {
			return fmt.Errorf("%s: %w", way, err)
		}
	}
	return nil
}

// arrivals count bytes, and say when all that was sent has come.
type arrivals struct {
	want, got atomic.Int64
	all       chan struct{}
}

func (a *arrivals) add(n int) {
	if a.got.Add(int64(n)) == a.want.Load() {
		a.all <- struct{}{}
	}
}

// measure holds n connections by a way, and prints what each costs.
func measure(n int, name string, wait func(addr string, n int, a *arrivals) (keep any, err error)) error {
	other := exec.Command(os.Args[0], "-serve")
	orders, err := other.StdinPipe()
	if err != nil {
		return err
	}
	says, err := other.StdoutPipe()
	if err != nil {
		return err
	}
	if err := other.Start(); err != nil {
		return err
	}
	defer other.Wait()
	defer orders.Close()
	addr, err := bufio.NewReader(says).ReadString('\n')
	if err != nil {
		return err
	}
	a := &arrivals{all: make(chan struct{}, 1)}
	before, goroutines := resident(), runtime.NumGoroutine()
	keep, err := wait(strings.TrimSpace(addr), n, a)
	if err != nil {
		return err
	}
	round := func() (time.Duration, error) {
		begun := cpu()
		a.want.Add(int64(n * packet))
		if _, err := io.WriteString(orders, "x"); err != nil {
			return 0, err
		}
		select {
		case <-a.all:
		case <-time.After(time.Minute):
			return 0, errors.New("packets are missing after a minute")
		}
		return cpu() - begun, nil
	}
	time.Sleep(time.Second) // the other end accepts
	for range 2 {           // stacks and buffers become what they are in use
		if _, err := round(); err != nil {
			return err
		}
	}
	time.Sleep(time.Second)
	bytes := resident() - before
	var spent time.Duration
	for range rounds {
		d, err := round()
		if err != nil {
			return err
		}
		spent += d
		time.Sleep(200 * time.Millisecond)
	}
	fmt.Printf("%-10s %d connections: %.2f KiB and %.3f goroutines for each, %.2f us of CPU for a packet\n", name, n,
		float64(bytes)/1024/float64(n), float64(runtime.NumGoroutine()-goroutines)/float64(n),
		spent.Seconds()*1e6/rounds/float64(n))
	runtime.KeepAlive(keep)
	return nil
}

// resident is the memory of the process after its garbage was given back. The
// second collection takes what finalizers held.
func resident() int64 {
	debug.FreeOSMemory()
	debug.FreeOSMemory()
	text, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0
	}
	var size, pages int64
	fmt.Sscan(string(text), &size, &pages)
	return pages * int64(os.Getpagesize())
}

func cpu() time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

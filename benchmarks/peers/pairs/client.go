package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// client is a library under test.
type client interface {
	// signIn signs the n-th bot in and leaves it online.
	signIn(ctx context.Context, n int) (session, error)
	// dials is how often it has dialled so far.
	dials() int64
}

// session is an account that is online.
type session interface {
	call(ctx context.Context) error // users.getUsers of oneself
}

// turnMost bounds a turn: gotd proves primes for a second of CPU at each sign-in.
const turnMost = 20 * time.Minute

// take is a turn of a client written in Go: it follows the orders and says what it found.
func take(orders string, in io.Reader, out io.Writer) error {
	var o Orders
	if err := json.Unmarshal([]byte(orders), &o); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), turnMost)
	defer cancel()
	var c client
	var err error
	switch o.Client {
	case "gotd":
		c, err = newGotd(ctx, o)
	case "mtfleet":
		c, err = newOurs(o)
	default:
		err = fmt.Errorf("pairs: no client is called %q", o.Client)
	}
	t := &turn{o: o, client: c, in: bufio.NewScanner(in), out: json.NewEncoder(out)}
	var found Figures
	if err == nil {
		found, err = t.play(ctx)
	}
	if err != nil {
		return t.out.Encode(said{Failed: err.Error()})
	}
	return t.out.Encode(said{Result: found})
}

type turn struct {
	o      Orders
	client client
	in     *bufio.Scanner
	out    *json.Encoder
}

func (t *turn) play(ctx context.Context) (Figures, error) {
	switch t.o.Scenario {
	case scenarioLogins:
		return t.logins(ctx)
	case scenarioCalls:
		return t.calls(ctx)
	case scenarioIdle:
		return t.idle(ctx)
	case scenarioStorm:
		return t.storm(ctx)
	}
	return nil, fmt.Errorf("pairs: no scenario is called %q", t.o.Scenario)
}

// signIn signs bots in, so many at once.
func (t *turn) signIn(ctx context.Context, first, n, atOnce int) ([]session, error) {
	list := make([]session, n)
	err := each(n, atOnce, func(i int) (err error) {
		list[i], err = t.client.signIn(ctx, first+i)
		return err
	})
	return list, err
}

func (t *turn) logins(ctx context.Context) (Figures, error) {
	if _, err := t.signIn(ctx, t.o.First, 1, 1); err != nil {
		return nil, err
	}
	began := cpu()
	_, err := t.signIn(ctx, t.o.First+1, t.o.Accounts, t.o.AtOnce)
	return Figures{cpuPerLogin: ms(cpu()-began) / float64(t.o.Accounts)}, err
}

// warmUp is how often each account calls before it is measured.
const warmUp = 20

func (t *turn) calls(ctx context.Context) (Figures, error) {
	list, err := t.signIn(ctx, t.o.First, t.o.Accounts, 4)
	if err != nil {
		return nil, err
	}
	callers := t.o.Accounts * t.o.AtOnce
	err = each(callers*warmUp, callers, func(i int) error { return list[i%len(list)].call(ctx) })
	if err != nil {
		return nil, err
	}
	took := make([]time.Duration, t.o.Calls)
	var next atomic.Int64
	began := cpu()
	err = each(callers, callers, func(caller int) error { // each of them one call after the other
		for {
			i := int(next.Add(1)) - 1
			if i >= len(took) {
				return nil
			}
			at := time.Now()
			if err := list[caller%len(list)].call(ctx); err != nil {
				return err
			}
			took[i] = time.Since(at)
		}
	})
	spent := cpu() - began
	slices.Sort(took)
	return Figures{
		cpuPerCall:  1000 * ms(spent) / float64(len(took)),
		halfOfCalls: 1000 * ms(took[len(took)/2]), mostOfCalls: 1000 * ms(took[len(took)*99/100]),
	}, err
}

// settle is how long everybody is left alone before memory is looked at.
const settle = 5 * time.Second

func (t *turn) idle(ctx context.Context) (Figures, error) {
	if _, err := t.signIn(ctx, t.o.First, 1, 1); err != nil {
		return nil, err
	}
	rss, routines := at()
	if _, err := t.signIn(ctx, t.o.First+1, t.o.Accounts, 4); err != nil {
		return nil, err
	}
	time.Sleep(settle)
	rssNow, routinesNow := at()
	n := float64(t.o.Accounts)
	began := cpu()
	time.Sleep(t.o.IdleFor)
	minutes := t.o.IdleFor.Minutes()
	return Figures{
		rssPer: (rssNow - rss) / n, goroutines: float64(routinesNow-routines) / n,
		cpuIdle: (cpu() - began).Seconds() * 1000 / n / minutes,
	}, nil
}

// at is how much memory the process has, in KiB, and how many goroutines.
func at() (rss float64, routines int) {
	runtime.GC()
	debug.FreeOSMemory()
	return residentKiB(), runtime.NumGoroutine()
}

func (t *turn) storm(ctx context.Context) (Figures, error) {
	list, err := t.signIn(ctx, t.o.First, t.o.Accounts, 4)
	if err == nil {
		err = each(len(list), 4, func(i int) error { return list[i].call(ctx) })
	}
	if err == nil {
		err = t.out.Encode(said{Ready: true})
	}
	if err == nil {
		err = t.told(cutOff)
	}
	if err != nil {
		return nil, err
	}
	began, dials := cpu(), t.client.dials()
	if err := t.told(backOn); err != nil {
		return nil, err
	}
	back, down := time.Now(), t.client.dials()-dials
	err = each(len(list), len(list), func(i int) error { return backAgain(ctx, list[i]) })
	last := time.Since(back)
	time.Sleep(max(0, settle-last)) // what comes after belongs to it
	return Figures{cpuOfStorm: (cpu() - began).Seconds(), lastBack: last.Seconds(), dialsDown: float64(down)}, err
}

func (t *turn) told(want string) error {
	if !t.in.Scan() || t.in.Text() != want {
		return fmt.Errorf("pairs: a turn is told %q, want %q", t.in.Text(), want)
	}
	return nil
}

// backMost is how long an account may take to be back.
const backMost = 2 * time.Minute

// backAgain calls until a call succeeds. Whoever hangs in one asks again.
func backAgain(ctx context.Context, s session) error {
	ctx, cancel := context.WithTimeout(ctx, backMost)
	defer cancel()
	for {
		call, cancel := context.WithTimeout(ctx, 10*time.Second)
		err := s.call(call)
		cancel()
		switch {
		case err == nil:
			return nil
		case ctx.Err() != nil:
			return fmt.Errorf("pairs: an account is not back after %v: %w", backMost, err)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// each does f for each number below n, so many at once, and returns the first error.
func each(n, atOnce int, f func(i int) error) error {
	var (
		wg   sync.WaitGroup
		next atomic.Int64
		once sync.Once
		bad  error
	)
	for range min(n, atOnce) {
		wg.Go(func() {
			for {
				i := int(next.Add(1)) - 1
				if i >= n {
					return
				}
				if err := f(i); err != nil {
					once.Do(func() { bad = err })
					next.Store(int64(n))
				}
			}
		})
	}
	wg.Wait()
	return bad
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// cpu is the user and system time of this process.
func cpu() time.Duration {
	var r syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &r) // cannot fail for the process itself
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}

// residentKiB is the memory of this process, 0 where the system does not tell.
func residentKiB() float64 {
	text, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			n, _ := strconv.ParseFloat(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(rest), "kB")), 64)
			return n
		}
	}
	return 0
}

var errNoAnswer = errors.New("pairs: users.getUsers of oneself does not answer one user")

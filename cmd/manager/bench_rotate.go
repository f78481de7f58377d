package main

import (
	"context"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/mtfleet/mtfleet/actors"
	"github.com/mtfleet/mtfleet/mtproto/dctest"
)

// benchRotateFlags are what `bench rotate` takes.
type benchRotateFlags struct {
	accounts, dcs int
	every         time.Duration
	during, quiet time.Duration
	bindStrict    bool
	busy          bool
	json          bool
}

// The load of bench rotate, for each account.
const (
	benchPace   = 200 * time.Millisecond // between two calls
	benchUpdate = 2 * time.Second        // between two updates
)

func (a *app) benchRotateCommand() *cobra.Command {
	var f benchRotateFlags
	c := &cobra.Command{
		Use: "rotate", Short: "Rotate temp keys under load, and see whether a call notices", Args: exactly(),
		Long: `rotate signs bots in (PFS), calls testdc.echo from each of them every 200 ms in an
open loop, and has the test DC push an update to each every 2 s. After a quiet time
it has every account replace its temp key every so often, the accounts one after the
other, as account rotate does; a usual life of 24 h would not end in the run.

A call's time counts from the moment it was to be sent. What ran, which keys lived,
which updates were lost and which sessions overlapped is read from the test DC's
ledger. With --json the last line of standard output is one JSON object. The exit
code is 0 if no call failed, no update was lost, no perm key had more than two temp
keys in a slot or more than one in the end, no sessions overlapped, and the 99th
percentile while rotating is at most three times that of the quiet time, or 25 ms.`,
		RunE: func(c *cobra.Command, _ []string) error { return a.benchRotate(c.Context(), f) },
	}
	flags := c.Flags()
	flags.IntVar(&f.accounts, "accounts", 200, "how many bots")
	flags.IntVar(&f.dcs, "dcs", 2, "how many DCs, 1 to 9")
	flags.DurationVar(&f.every, "every", 10*time.Second, "how often each account rotates, at least 1s")
	flags.DurationVar(&f.during, "for", 5*time.Minute, "how long the accounts rotate")
	flags.DurationVar(&f.quiet, "quiet", 0, "how long they are only called before (default: a fifth of --for)")
	flags.BoolVar(&f.bindStrict, "bind-strict", false, "the test DC cuts off the temp key that a bind replaces")
	flags.BoolVar(&f.busy, "busy", false, "this machine has other work: show the times of calls, and do not judge them")
	flags.BoolVar(&f.json, "json", false, "print the result as JSON on the last line of standard output")
	return c
}

func (f *benchRotateFlags) check() error {
	if f.quiet == 0 {
		f.quiet = f.during / 5
	}
	switch {
	case f.accounts < 1 || f.accounts > 5000:
		return usage("bench rotate: --accounts %d: this must be 1 to 5000", f.accounts)
	case f.dcs < 1 || f.dcs > 9:
		return usage("bench rotate: --dcs %d: a cluster has 1 to 9 DCs", f.dcs)
	case f.every < time.Second:
		return usage("bench rotate: --every %v: this must be 1s or more", f.every)
	case f.during < f.every:
		return usage("bench rotate: --for %v: this must be as long as --every at least", f.during)
	case f.quiet < time.Second:
		return usage("bench rotate: --quiet %v: this must be 1s or more", f.quiet)
	}
	// What the ledger does not remember one by one it cannot be asked about.
	if calls := f.accounts * int((f.quiet+f.during)/benchPace); calls > dctest.DefaultEchoRecords {
		return usage("bench rotate: these are %s calls, and the test DC's ledger remembers %s: take fewer --accounts, or a shorter --for",
			thousands(calls), thousands(dctest.DefaultEchoRecords))
	}
	return nil
}

// benchRotation is one run.
type benchRotation struct {
	*benchWorld
	f      benchRotateFlags
	stream *collector
	bots   []*actors.Account
	users  []int64
	load   benchLoad
	result rotateResult

	pushing sync.WaitGroup
	pushed  []pushed
	pushErr error
}

func (a *app) benchRotate(ctx context.Context, f benchRotateFlags) error {
	if err := f.check(); err != nil {
		return err
	}
	b := &benchRotation{f: f}
	b.result.begin(f)
	plan := benchPlan{accounts: f.accounts, bots: f.accounts, dcs: f.dcs, disk: true}
	if f.bindStrict {
		plan.dcFlags = append(plan.dcFlags, "--bind-strict")
	}
	return a.playBench(ctx, benchOutput{json: f.json}, plan, func(ctx context.Context, w *benchWorld) error {
		b.benchWorld = w
		for _, step := range []func(context.Context) error{b.signInHeard, b.run, b.judge} {
			if err := step(ctx); err != nil {
				return err
			}
			if ctx.Err() != nil {
				return ctx.Err()
			}
		}
		return b.finish()
	})
}

// signInHeard signs every bot in, and gathers what is told of them.
func (b *benchRotation) signInHeard(ctx context.Context) (err error) {
	var people []person
	for i, bot := range b.dc.Bots {
		people = append(people, person{account: botName(i), userID: bot.UserID, dc: bot.DC, token: bot.Token})
		b.users = append(b.users, bot.UserID)
	}
	b.stream = newCollector(people)
	events, stop := context.WithCancel(context.WithoutCancel(ctx))
	heard := make(chan struct{})
	stream := b.manager.Events(events)
	go func() {
		defer close(heard)
		for ev := range stream {
			b.stream.add(actors.NewEventJSON(ev, false))
		}
	}()
	b.stops = append(b.stops, func() error { stop(); <-heard; return nil })

	b.load = benchLoad{pace: benchPace, accounts: len(people), call: func(ctx context.Context, i int, id int64) error {
		return echoCall(ctx, b.bots[i], b.users[i], id)
	}}
	b.bar.begin("signing in "+count(len(people), "bot"), len(people))
	if b.bots, err = b.signIn(ctx, 0, len(people), 16, actors.AccountOptions{}); err != nil {
		return err
	}
	b.bar.done("signed in %s", count(len(people), "bot"))
	return nil
}

// run loads the accounts, first quietly, then while they rotate.
func (b *benchRotation) run(ctx context.Context) error {
	pushes, stopPushes := context.WithCancel(ctx)
	defer stopPushes()
	b.pushing.Go(func() { b.push(pushes) })
	per := len(b.bots)
	phase := func(what string, d time.Duration) *loadPhase {
		b.bar.begin(what, int(d/benchPace)*per)
		return b.load.phase(ctx, d, func() { b.bar.add(per) })
	}
	b.result.quiet = phase("calling, quiet", b.f.quiet)
	b.bar.done("called for %v", b.f.quiet)

	b.result.rotatingFrom = time.Now()
	rotating := rotator{accounts: b.bots, every: b.f.every, until: b.result.rotatingFrom.Add(b.f.during)}
	rotating.start(ctx)
	b.result.rotating = phase("calling and rotating", b.f.during)
	b.load.underWay.Wait()
	rotating.wait()
	b.result.RotationsFailed, b.result.rotateErrors = len(rotating.errors), rotating.errors
	b.bar.done("called for %v while rotating", b.f.during)
	stopPushes()
	b.pushing.Wait()
	if b.pushErr != nil && ctx.Err() == nil {
		return b.pushErr
	}
	return nil
}

// push has an update pushed to every account in turn.
func (b *benchRotation) push(ctx context.Context) {
	begun, users := time.Now(), b.users
	for k := 0; ; k++ {
		at := begun.Add(time.Duration(k) * benchUpdate / time.Duration(len(users)))
		if sleep(ctx, time.Until(at)) != nil {
			return
		}
		u, err := b.dc.push(context.WithoutCancel(ctx), users[k%len(users)])
		if err != nil {
			b.pushErr = err
			return
		}
		b.pushed = append(b.pushed, u)
	}
}

// rotator asks every account for another temp key every so often.
type rotator struct {
	accounts []*actors.Account
	every    time.Duration
	until    time.Time
	wg       sync.WaitGroup

	mu     sync.Mutex // guards errors
	errors []string
}

// start begins: the accounts are asked one after the other, spread evenly over
// every. One whose rotation takes longer is asked at its next time.
func (r *rotator) start(ctx context.Context) {
	begun := time.Now()
	for i, acc := range r.accounts {
		r.wg.Go(func() {
			at := begun.Add(time.Duration(i) * r.every / time.Duration(len(r.accounts)))
			for ; at.Before(r.until); at = at.Add(r.every) {
				if time.Since(at) > r.every {
					continue
				}
				if sleep(ctx, time.Until(at)) != nil {
					return
				}
				r.rotate(ctx, acc)
			}
		})
	}
}

func (r *rotator) rotate(ctx context.Context, acc *actors.Account) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	if err := acc.Rotate(ctx); err != nil {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.errors = append(r.errors, acc.ID()+": "+err.Error())
	}
}

func (r *rotator) wait() { r.wg.Wait() }

package main

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/mtfleet/mtfleet/actors"
)

// benchStormFlags are what `bench storm` takes.
type benchStormFlags struct {
	accounts, dcs int
	outage        time.Duration
	preset        string
	noPFS         bool
	busy          bool
	inMemory      bool
	seeded        bool
	out           benchOutput
}

func (a *app) benchStormCommand() *cobra.Command {
	var f benchStormFlags
	c := &cobra.Command{
		Use: "storm", Short: "Cut all accounts off at once, and see how they come back", Args: exactly(),
		Long: `storm signs bots in, closes every connection and lets no dial through for the length of
--outage, as when the network is away. Then dials go through again. The times until
half, 99 of 100 and all accounts are online count from that moment; the first dial is
the probe of a DC, which comes every one to eight seconds while one is down. The
optimum is what the governor's budget permits (accounts / connects a second of all
DCs), counted from the first dial. CPU and keys are those from the cut on, dials also
those of the outage alone.

The exit code is 0 if everybody is online in the end, no key was made, and 99 of 100
were online within 1.2 times the optimum, or a second.`,
		RunE: func(c *cobra.Command, _ []string) error { return a.benchStorm(c.Context(), f) },
	}
	flags := c.Flags()
	flags.IntVar(&f.accounts, "accounts", 200, "how many bots")
	flags.IntVar(&f.dcs, "dcs", 2, "how many DCs, 1 to 9")
	flags.DurationVar(&f.outage, "outage", 5*time.Second, "how long nothing goes through, 100ms to 10m")
	flags.StringVar(&f.preset, "preset", "loopback", presetHelp)
	flags.BoolVar(&f.busy, "busy", false, "this machine has other work: show the times, and do not judge them")
	flags.BoolVar(&f.noPFS, "no-pfs", false, "without temp keys")
	flags.BoolVar(&f.inMemory, "in-memory", false, inMemoryHelp)
	flags.BoolVar(&f.seeded, "seeded", false, seededHelp)
	f.out.add(c)
	return c
}

func (f *benchStormFlags) check() error {
	if f.outage < 100*time.Millisecond || f.outage > 10*time.Minute {
		return usage("bench storm: --outage %v: this must be 100ms to 10m", f.outage)
	}
	return checkFleet("bench storm", f.accounts, f.dcs, f.inMemory)
}

// stormResult is what bench storm found.
type stormResult struct {
	comeback
	// AttemptsDown are dials of the outage, FirstDial is when the first went through
	// after it, in seconds.
	AttemptsDown int64       `json:"attempts_while_down"`
	FirstDial    float64     `json:"first_dial_s"`
	Seeded       bool        `json:"seeded"` // nobody signed in: keys were put in place
	OK           bool        `json:"ok"`
	Flags        stormParams `json:"flags"`
	benchReport
}

// stormParams say what was run.
type stormParams struct {
	Accounts int     `json:"accounts"`
	DCs      int     `json:"dcs"`
	Outage   float64 `json:"outage_seconds"`
	PFS      bool    `json:"pfs"`
	Busy     bool    `json:"busy"` // times were not judged
}

func (a *app) benchStorm(ctx context.Context, f benchStormFlags) error {
	if err := f.check(); err != nil {
		return err
	}
	budget, err := preset(f.preset)
	if err != nil {
		return err
	}
	r := &stormResult{benchReport: newReport(), Flags: stormParams{f.accounts, f.dcs, f.outage.Seconds(), !f.noPFS, f.busy}}
	r.Accounts, r.Seeded = f.accounts, f.seeded
	plan := benchPlan{accounts: f.accounts, bots: f.accounts, dcs: f.dcs, inMemory: f.inMemory, seeded: f.seeded, budget: budget, options: actors.AccountOptions{NoPFS: f.noPFS}}
	return a.playBench(ctx, f.out, plan, func(ctx context.Context, w *benchWorld) error {
		if err := w.fill(ctx, 0); err != nil {
			return err
		}
		if err := r.run(ctx, w, f.outage); err != nil {
			return err
		}
		w.bar.close()
		return a.tellBench(f.out, r.OK, r)
	})
}

// stormPatience is how long accounts are waited for beyond what the budget permits: a
// DC is probed every eight seconds at the latest.
const stormPatience = 30 * time.Second

func (r *stormResult) run(ctx context.Context, w *benchWorld, outage time.Duration) error {
	s, err := w.beginStretch(ctx)
	if err != nil {
		return err
	}
	w.bar.say(fmt.Sprintf("everybody is cut off for %v", outage))
	w.line.Cut(true)
	if err := w.dc.cutAll(ctx, w.plan.dcs); err != nil {
		return err
	}
	if err := sleep(ctx, outage); err != nil {
		return err
	}
	r.AttemptsDown = w.line.Dials() - s.dials
	back := time.Now()
	w.line.Cut(false)
	if err := w.comeOnline(ctx, &r.comeback, r.Accounts, back, 2*w.optimum(r.Accounts)+stormPatience); err != nil {
		return err
	}
	if err := s.end(ctx, &r.comeback); err != nil {
		return err
	}
	w.bar.done("%d of %s are back", r.Online, count(r.Accounts, "account"))
	if first := w.line.Back(); !first.IsZero() {
		r.FirstDial = round3(first.Sub(back).Seconds())
	}
	r.OK = r.judge(w.optimum(r.Accounts), r.FirstDial, r.Flags.Busy)
	return r.conclude(w)
}

func (r *stormResult) print(w io.Writer) {
	printComeback(w, fmt.Sprintf("bench storm: %s on %s, cut off for %gs%s", count(r.Accounts, "account"), count(r.Flags.DCs, "DC"), r.Flags.Outage, seededNote(r.Seeded)), &r.comeback, []benchLine{
		{"dials during the outage", thousands(int(r.AttemptsDown)), ""},
		{"the first dial after it", fmt.Sprintf("%.2f s", r.FirstDial), "a DC that is down is probed every 1 to 8 s"},
	}, &r.benchReport)
}

package main

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/mtfleet/mtfleet/actors"
)

// benchRestartFlags are what `bench restart` takes.
type benchRestartFlags struct {
	accounts, dcs int
	preset        string
	noPFS         bool
	busy          bool
	inMemory      bool
	out           benchOutput
}

func (a *app) benchRestartCommand() *cobra.Command {
	var f benchRestartFlags
	c := &cobra.Command{
		Use: "restart", Short: "Start a store with many accounts, and see how they come online", Args: exactly(),
		Long: `restart signs bots in on a store on disk (Badger), closes manager and store, and opens
them again. The times until half, 99 of 100 and all accounts are online count from the
moment at which the store began to be opened, and so do CPU, keys and dials. The
optimum is what the governor's budget permits: accounts / connects a second of all DCs.
Temp keys are in the store, so that no key is made. The files are in the system's cache.

The exit code is 0 if everybody is online in the end, no key was made, and 99 of 100
were online within 1.2 times the optimum, or a second.`,
		RunE: func(c *cobra.Command, _ []string) error { return a.benchRestart(c.Context(), f) },
	}
	flags := c.Flags()
	flags.IntVar(&f.accounts, "accounts", 1000, "how many bots")
	flags.IntVar(&f.dcs, "dcs", 2, "how many DCs, 1 to 9")
	flags.StringVar(&f.preset, "preset", "loopback", presetHelp)
	flags.BoolVar(&f.busy, "busy", false, "this machine has other work: show the times, and do not judge them")
	flags.BoolVar(&f.noPFS, "no-pfs", false, "without temp keys")
	flags.BoolVar(&f.inMemory, "in-memory", false, inMemoryHelp)
	f.out.add(c)
	return c
}

func (f *benchRestartFlags) check() error {
	return checkFleet("bench restart", f.accounts, f.dcs)
}

// restartResult is what bench restart found.
type restartResult struct {
	comeback
	StoreOpen   float64 `json:"store_open_s"`
	ManagerOpen float64 `json:"manager_open_s"` // every account was read then
	// Seeded says that the keys in the store were put there, and not made by sign-ins.
	Seeded bool          `json:"seeded"`
	OK     bool          `json:"ok"`
	Flags  restartParams `json:"flags"`
	benchReport
}

// restartParams say what was run.
type restartParams struct {
	Accounts int  `json:"accounts"`
	DCs      int  `json:"dcs"`
	PFS      bool `json:"pfs"`
	Busy     bool `json:"busy"` // times were not judged
}

func (a *app) benchRestart(ctx context.Context, f benchRestartFlags) error {
	if err := f.check(); err != nil {
		return err
	}
	budget, err := preset(f.preset)
	if err != nil {
		return err
	}
	r := &restartResult{benchReport: newReport(), Flags: restartParams{f.accounts, f.dcs, !f.noPFS, f.busy}}
	r.Accounts = f.accounts
	plan := benchPlan{
		accounts: f.accounts, bots: f.accounts, dcs: f.dcs, inMemory: f.inMemory, budget: budget, disk: true, options: actors.AccountOptions{NoPFS: f.noPFS},
	}
	return a.playBench(ctx, f.out, plan, func(ctx context.Context, w *benchWorld) error {
		if err := w.signInAll(ctx); err != nil {
			return err
		}
		w.bar.begin("closing the manager", 0)
		if err := w.stop(); err != nil {
			return err
		}
		w.bar.done("closed the manager")
		if err := r.run(ctx, w); err != nil {
			return err
		}
		w.bar.close()
		return a.tellBench(f.out, r.OK, r)
	})
}

func (r *restartResult) run(ctx context.Context, w *benchWorld) error {
	s, err := w.beginStretch(ctx)
	if err != nil {
		return err
	}
	begun := time.Now()
	if err := w.open(); err != nil {
		return err
	}
	r.StoreOpen, r.ManagerOpen = round3(w.storeOpen.Sub(begun).Seconds()), round3(time.Since(begun).Seconds())
	if err := w.comeOnline(ctx, &r.comeback, r.Accounts, begun, 2*w.optimum(r.Accounts)+stormPatience); err != nil {
		return err
	}
	if err := s.end(ctx, &r.comeback); err != nil {
		return err
	}
	w.bar.done("%d of %s are online", r.Online, count(r.Accounts, "account"))
	r.OK = r.judge(w.optimum(r.Accounts), 0, r.Flags.Busy)
	return r.conclude(w)
}

func (r *restartResult) print(w io.Writer) {
	printComeback(w, fmt.Sprintf("bench restart: a store with %s on %s", count(r.Accounts, "account"), count(r.Flags.DCs, "DC")), &r.comeback, []benchLine{
		{"the store was open after", fmt.Sprintf("%.3f s", r.StoreOpen), ""},
		{"every account was read after", fmt.Sprintf("%.3f s", r.ManagerOpen), ""},
	}, &r.benchReport)
}

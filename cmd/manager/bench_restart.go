package main

import (
	"context"
	"fmt"
	"io"

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
	seeded        bool
	profile       string // where a CPU profile goes
	out           benchOutput
}

func (a *app) benchRestartCommand() *cobra.Command {
	var f benchRestartFlags
	c := &cobra.Command{
		Use: "restart", Short: "Start a store with many accounts, and see how they come online", Args: exactly(),
		Long: `restart signs bots in on a store on disk (Badger), closes manager and store, and has a
new process open them. The times until half, 99 of 100 and all accounts are online count
from the moment at which the store began to be opened, and so do keys and dials; the
first look is when every account was read, by when some may be online. CPU is all that
the new process has spent until then. The optimum is what the governor's budget permits:
accounts / connects a second of all DCs. Temp keys are in the store, so that no key is
made. The files are in the system's cache. With --in-memory the store is opened in the
process that made it.

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
	flags.BoolVar(&f.seeded, "seeded", false, seededHelp)
	flags.StringVar(&f.profile, "cpuprofile", "", "write a CPU profile of the new process to this file")
	f.out.add(c)
	return c
}

func (f *benchRestartFlags) check() error {
	if f.profile != "" && f.inMemory {
		return usage("bench restart: --cpuprofile is of the new process, and with --in-memory there is none")
	}
	return checkFleet("bench restart", f.accounts, f.dcs, f.inMemory)
}

// restartResult is what bench restart found.
type restartResult struct {
	coldStart
	// Cold says that the process was a new one.
	Cold bool `json:"cold"`
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
	r.Accounts, r.Seeded, r.Cold = f.accounts, f.seeded, !f.inMemory
	plan := benchPlan{
		accounts: f.accounts, bots: f.accounts, dcs: f.dcs, inMemory: f.inMemory, seeded: f.seeded, budget: budget, disk: true, options: actors.AccountOptions{NoPFS: f.noPFS},
	}
	return a.playBench(ctx, f.out, plan, func(ctx context.Context, w *benchWorld) error {
		if !f.seeded {
			if err := w.signInAll(ctx, 0); err != nil {
				return err
			}
		}
		w.bar.begin("closing the manager", 0)
		if err := w.stop(); err != nil {
			return err
		}
		w.bar.done("closed the manager")
		if f.seeded {
			if err := w.seed(ctx, 0); err != nil {
				return err
			}
		}
		if err := r.run(ctx, w, f.profile); err != nil {
			return err
		}
		w.bar.close()
		return a.tellBench(f.out, r.OK, r)
	})
}

func (r *restartResult) run(ctx context.Context, w *benchWorld, profile string) error {
	s, err := w.beginStretch(ctx)
	if err != nil {
		return err
	}
	start := w.startCold
	if r.Cold {
		w.bar.say("a manager starts in a process of its own")
		start = func(ctx context.Context, c *coldStart) error { return w.runCold(ctx, c, profile) }
	}
	if err := start(ctx, &r.coldStart); err != nil {
		return err
	}
	var sum comeback
	if err := s.end(ctx, &sum); err != nil {
		return err
	}
	r.Keys, r.DCCPU = sum.Keys, sum.DCCPU
	if !r.Cold {
		r.CPU = sum.CPU
	}
	w.bar.done("%d of %s are online", r.Online, count(r.Accounts, "account"))
	r.OK = r.judge(w.optimum(r.Accounts), 0, r.Flags.Busy)
	return r.conclude(w)
}

func (r *restartResult) print(w io.Writer) {
	printComeback(w, fmt.Sprintf("bench restart: a store with %s on %s%s", count(r.Accounts, "account"), count(r.Flags.DCs, "DC"), seededNote(r.Seeded)), &r.comeback, []benchLine{
		{"the store was open after", fmt.Sprintf("%.3f s", r.StoreOpen), ""},
		{"every account was read after", fmt.Sprintf("%.3f s", r.ManagerOpen), ""},
		{"memory with everybody online (RSS)", fmt.Sprintf("%.1f MiB", r.RSS), fmt.Sprintf("%.1f MiB at its most", r.RSSMost)},
	}, &r.benchReport)
}

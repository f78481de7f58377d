package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"runtime"
	"runtime/pprof"
	"time"

	"github.com/spf13/cobra"

	"github.com/mtfleet/mtfleet/actors"
	"github.com/mtfleet/mtfleet/cmd/manager/bench"
)

// benchIdleFlags are what `bench idle` takes.
type benchIdleFlags struct {
	accounts, dcs  int
	settle, during time.Duration
	noPFS, disk    bool
	inMemory       bool
	seeded         bool
	callFor        time.Duration
	callsPerSecond int
	heap, profile  string // where profiles of the heap and of CPU go
	out            benchOutput
}

func (a *app) benchIdleCommand() *cobra.Command {
	var f benchIdleFlags
	c := &cobra.Command{
		Use: "idle", Short: "Measure what an account costs that is online and does nothing", Args: exactly(),
		Long: `idle signs bots in and leaves them alone: each pings its DC once a minute, and nothing
else happens. Memory, goroutines and file descriptors of an account are differences to
a manager without accounts that has had one (what is made once is made), divided by
their number, after --settle of idleness, a collection of garbage, and what is free
given back to the system. CPU is that of the --for after it. Then, for --calls-for, a few
accounts after the other call testdc.echo in an open loop, --calls-per-s in all, while the
others go on with their pings: a call's time counts from when it was to be sent.

With --json the last line of standard output is one JSON object. The exit code is 0 if
every account was online in the end, and no call failed.`,
		RunE: func(c *cobra.Command, _ []string) error { return a.benchIdle(c.Context(), f) },
	}
	flags := c.Flags()
	flags.IntVar(&f.accounts, "accounts", 1000, "how many bots")
	flags.IntVar(&f.dcs, "dcs", 1, "how many DCs, 1 to 9")
	flags.DurationVar(&f.settle, "settle", time.Minute, "how long they are idle before memory is looked at")
	flags.DurationVar(&f.during, "for", time.Minute, "how long CPU is measured; pings come once a minute")
	flags.BoolVar(&f.noPFS, "no-pfs", false, "without temp keys")
	flags.BoolVar(&f.disk, "disk", false, "on Badger, as run has it, and not on the store in memory")
	flags.BoolVar(&f.inMemory, "in-memory", false, inMemoryHelp)
	flags.BoolVar(&f.seeded, "seeded", false, seededHelp)
	flags.DurationVar(&f.callFor, "calls-for", 20*time.Second, "how long accounts are called then; 0: not at all")
	flags.IntVar(&f.callsPerSecond, "calls-per-s", 100, "how many calls a second, 1 to 1000")
	flags.StringVar(&f.heap, "heap", "", "write a profile of the live heap for go tool pprof to this file; keeping it costs memory and CPU, which the figures then contain")
	flags.StringVar(&f.profile, "cpuprofile", "", "write a CPU profile of the measured minute to this file")
	f.out.add(c)
	return c
}

func (f *benchIdleFlags) check() error {
	if f.settle < 0 || f.during <= 0 {
		return usage("bench idle: --settle must not be negative, and --for must be positive")
	}
	if f.callFor < 0 || f.callsPerSecond < 1 || f.callsPerSecond > 1000 {
		return usage("bench idle: --calls-for must not be negative, and --calls-per-s is 1 to 1000")
	}
	return checkFleet("bench idle", f.accounts, f.dcs, f.inMemory)
}

// idleResult is what bench idle found.
type idleResult struct {
	Accounts int `json:"accounts"`
	Online   int `json:"online"` // in the end
	// Of an account: bytes in memory, live heap, stacks, and the heap's spans with
	// their gaps, each in KiB.
	RSS         float64 `json:"rss_kib_per_account"`
	Heap        float64 `json:"heap_kib_per_account"`
	Stacks      float64 `json:"stack_kib_per_account"`
	HeapHeld    float64 `json:"heap_held_kib_per_account"`
	Goroutines  float64 `json:"goroutines_per_account"`
	Descriptors float64 `json:"descriptors_per_account"`
	CPU         float64 `json:"cpu_s_per_1000_per_min"`
	// Reconnects are dials while CPU was measured: 0 where nothing went wrong.
	Reconnects int64 `json:"reconnects"`
	// Total is the RSS of the whole process with all accounts.
	Total float64   `json:"rss_mib"`
	Calls idleCalls `json:"calls_while_idle"`
	// Seeded says that keys were put in place on both sides, and not made.
	Seeded bool        `json:"seeded"`
	OK     bool        `json:"ok"`
	Before bench.Stock `json:"before"` // of the process, without accounts
	After  bench.Stock `json:"after"`
	Flags  idleParams  `json:"flags"`
	benchReport
}

// idleCalls are calls of single accounts while all others are idle; zero where none
// were made.
type idleCalls struct {
	Calls  int     `json:"calls"`
	Failed int     `json:"failed"`
	P50    float64 `json:"p50_ms"`
	P99    float64 `json:"p99_ms"`
	Max    float64 `json:"max_ms"`

	failure string // the first
}

// idleParams say what was run.
type idleParams struct {
	Accounts int     `json:"accounts"`
	DCs      int     `json:"dcs"`
	Settle   float64 `json:"settle_seconds"`
	For      float64 `json:"for_seconds"`
	PFS      bool    `json:"pfs"`
}

// heapProfileRate is one sample in so many bytes: the default, half a megabyte, sees
// nothing of what an account has in small pieces.
const heapProfileRate = 512

func (a *app) benchIdle(ctx context.Context, f benchIdleFlags) error {
	if err := f.check(); err != nil {
		return err
	}
	r := &idleResult{
		Accounts: f.accounts, Seeded: f.seeded, benchReport: newReport(),
		Flags: idleParams{f.accounts, f.dcs, f.settle.Seconds(), f.during.Seconds(), !f.noPFS},
	}
	plan := benchPlan{accounts: f.accounts, bots: f.accounts + 1, dcs: f.dcs, inMemory: f.inMemory, disk: f.disk, seeded: f.seeded, options: actors.AccountOptions{NoPFS: f.noPFS}}
	if f.heap != "" {
		runtime.MemProfileRate = heapProfileRate
	}
	return a.playBench(ctx, f.out, plan, func(ctx context.Context, w *benchWorld) error {
		if err := r.run(ctx, w, f); err != nil {
			return err
		}
		w.bar.close()
		return a.tellBench(f.out, r.OK, r)
	})
}

func (r *idleResult) run(ctx context.Context, w *benchWorld, f benchIdleFlags) error {
	if err := w.warmUp(ctx, w.plan.options); err != nil {
		return err
	}
	r.Before = bench.TakeStock()
	if err := w.fill(ctx, 1); err != nil {
		return err
	}
	bench.TakeStock() // the garbage of the sign-ins goes before the idleness, too
	if err := w.wait(ctx, "idle, until everything has settled", f.settle); err != nil {
		return err
	}
	r.After = bench.TakeStock()
	if f.heap != "" {
		if err := writeHeap(f.heap); err != nil {
			return err
		}
	}
	profiled, err := bench.Profile(f.profile)
	if err != nil {
		return err
	}
	cpu, dials, begun := bench.CPU(), w.line.Dials(), time.Now()
	err = w.watch(ctx, fmt.Sprintf("measuring for %v", f.during), f.during)
	if profileErr := profiled(); err == nil {
		err = profileErr
	}
	if err != nil {
		return err
	}
	cpu, r.Reconnects = bench.CPU()-cpu, w.line.Dials()-dials
	during := time.Since(begun)
	w.bar.done("idle for %v", f.settle+f.during)
	if err := r.Calls.run(ctx, w, f); err != nil {
		return err
	}
	r.judge(cpu, during, w.onlineNow())
	return r.conclude(w)
}

// run calls so many times a second, from as many accounts as it can, spread over all of
// them.
func (c *idleCalls) run(ctx context.Context, w *benchWorld, f benchIdleFlags) error {
	callers := min(f.accounts, int(f.callFor.Seconds()*float64(f.callsPerSecond)))
	if callers == 0 {
		return nil
	}
	w.bar.say(fmt.Sprintf("calling for %v", f.callFor))
	all, users := make([]*actors.Account, callers), make([]int64, callers)
	for i := range callers {
		bot := 1 + i*(f.accounts/callers)
		acc, err := w.manager.Account(botName(bot))
		if err != nil {
			return err
		}
		all[i], users[i] = acc, w.dc.Bots[bot].UserID
	}
	load := benchLoad{accounts: callers, pace: time.Duration(callers) * time.Second / time.Duration(f.callsPerSecond),
		call: func(ctx context.Context, i int, id int64) error { return echoCall(ctx, all[i], users[i], id) }}
	p := load.phase(ctx, f.callFor, func() {})
	load.underWay.Wait()
	if ctx.Err() != nil {
		return ctx.Err()
	}
	l, err := w.dc.ledger(ctx, "echoes")
	if err != nil {
		return err
	}
	c.Calls, c.Failed = judgePhases(&l, p)
	c.P50, c.P99, c.Max = millis(p.quantile(0.5)), millis(p.quantile(0.99)), millis(p.quantile(1))
	if len(p.failures) > 0 {
		c.failure = p.failures[0]
	}
	w.bar.done("called %s", count(c.Calls, "time"))
	return nil
}

// writeHeap writes what lives, as of the last collection of garbage.
func writeHeap(name string) error {
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	if err := pprof.Lookup("heap").WriteTo(f, 0); err != nil {
		f.Close()
		return err
	}
	return f.Close()
}

// judge fills in the figures of an account.
func (r *idleResult) judge(cpu, during time.Duration, online int) {
	came, n := r.After.Since(r.Before), float64(r.Accounts)
	each := func(bytes int64) float64 { return round3(float64(bytes) / n / 1024) }
	r.RSS, r.Heap, r.Stacks, r.HeapHeld = each(came.RSS), each(came.Heap), each(came.Stacks), each(came.HeapHeld)
	r.Total = round3(mib(r.After.RSS))
	r.Goroutines, r.Descriptors = round3(float64(came.Goroutines)/n), round3(float64(came.Descriptors)/n)
	r.CPU = round3(cpu.Seconds() / during.Minutes() / n * 1000)
	r.Online, r.OK = online, online == r.Accounts && r.Calls.Failed == 0
}

func (r *idleResult) print(w io.Writer) {
	keys := "with PFS"
	if !r.Flags.PFS {
		keys = "without PFS"
	}
	kib := func(v float64) string { return fmt.Sprintf("%.2f KiB", v) }
	printLines(w, fmt.Sprintf("bench idle: %s on %s, %s, after %gs of idleness%s",
		count(r.Accounts, "account"), count(r.Flags.DCs, "DC"), keys, r.Flags.Settle, seededNote(r.Seeded)), []benchLine{
		{"online in the end", thousands(r.Online), ""},
		{"memory of an account (RSS)", kib(r.RSS), fmt.Sprintf("%.1f MiB without accounts, %.1f MiB with them", mib(r.Before.RSS), mib(r.After.RSS))},
		{"  live heap", kib(r.Heap), kib(r.HeapHeld) + " with the gaps"},
		{"  stacks", kib(r.Stacks), ""},
		{"goroutines of an account", fmt.Sprintf("%.2f", r.Goroutines), fmt.Sprintf("%d in all", r.After.Goroutines)},
		{"file descriptors of an account", fmt.Sprintf("%.2f", r.Descriptors), fmt.Sprintf("%d in all", r.After.Descriptors)},
		{"CPU of 1,000 accounts in a minute", fmt.Sprintf("%.3f s", r.CPU), fmt.Sprintf("measured for %gs, %d reconnects", r.Flags.For, r.Reconnects)},
		{"calls meanwhile, p50 and p99", fmt.Sprintf("%.2f ms", r.Calls.P50), fmt.Sprintf("%.2f ms; %d calls, %d failed %s", r.Calls.P99, r.Calls.Calls, r.Calls.Failed, r.Calls.failure)},
	})
	r.footer(w)
}

func mib(bytes int64) float64 { return float64(bytes) / (1 << 20) }

// warmUp has the manager make what is made once, by an account that comes and goes:
// the first bot's.
func (w *benchWorld) warmUp(ctx context.Context, o actors.AccountOptions) error {
	w.bar.begin("an account comes and goes", 1)
	all, err := w.signIn(ctx, 0, 1, 1, o)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, signInTimeout)
	defer cancel()
	if err := all[0].LogOut(ctx); err != nil {
		return fmt.Errorf("bench: logging out: %w", err)
	}
	if err := all[0].Remove(ctx, false); err != nil {
		return fmt.Errorf("bench: removing an account: %w", err)
	}
	w.bar.done("an account came and went")
	return nil
}

package main

import (
	"context"
	"fmt"
	"io"
	"runtime"
	"time"

	"github.com/spf13/cobra"

	"github.com/mtfleet/mtfleet/actors"
	"github.com/mtfleet/mtfleet/cmd/manager/bench"
	"github.com/mtfleet/mtfleet/cmd/manager/bench/page"
)

// benchSoakFlags are what `bench soak` takes.
type benchSoakFlags struct {
	accounts, dcs    int
	during, idle     time.Duration
	noPFS, disk      bool
	inMemory, seeded bool
	out              benchOutput
}

func (a *app) benchSoakCommand() *cobra.Command {
	var f benchSoakFlags
	c := &cobra.Command{
		Use: "soak", Short: "Let accounts idle and reconnect for long, and see whether anything grows", Args: exactly(),
		Long: `soak has bots online, and then in turn closes every connection at the DCs, waits until
everybody is back, leaves them idle, and looks at the process: memory after a
collection, live heap and goroutines. The slope is that of a straight line through
what was seen in the second half, as KiB an hour of the whole process: in the first
half what is bounded fills, such as the journal of 16,384 events. In the end the accounts
log out and are removed, and goroutines are counted again.

The exit code is 0 if everybody came back each time, and no goroutine is left that was
not there without accounts, but for a few workers, four for each CPU, that run any
account and are kept. Memory is shown, and not judged: a short run has no slope.`,
		RunE: func(c *cobra.Command, _ []string) error { return a.benchSoak(c.Context(), f) },
	}
	flags := c.Flags()
	flags.IntVar(&f.accounts, "accounts", 200, "how many bots")
	flags.IntVar(&f.dcs, "dcs", 2, "how many DCs, 1 to 9")
	flags.DurationVar(&f.during, "for", time.Hour, "how long it goes on")
	flags.DurationVar(&f.idle, "idle", time.Minute, "how long they are idle between two reconnects")
	flags.BoolVar(&f.noPFS, "no-pfs", false, "without temp keys")
	flags.BoolVar(&f.disk, "disk", false, "on Badger, as run has it, and not on the store in memory")
	flags.BoolVar(&f.inMemory, "in-memory", false, inMemoryHelp)
	flags.BoolVar(&f.seeded, "seeded", false, seededHelp)
	f.out.add(c)
	return c
}

func (f *benchSoakFlags) check() error {
	if f.idle <= 0 || f.during < f.idle {
		return usage("bench soak: --idle must be positive, and --for as long at least")
	}
	return checkFleet("bench soak", f.accounts, f.dcs, f.inMemory)
}

// soakResult is what bench soak found.
type soakResult struct {
	Accounts int `json:"accounts"`
	Online   int `json:"online"` // in the end, before they were removed
	Cycles   int `json:"cycles"` // of a reconnect and idleness
	// The slopes are of the whole process, in KiB an hour; 0 with fewer than three cycles.
	RSSSlope  float64 `json:"rss_slope_kib_per_hour"`
	HeapSlope float64 `json:"heap_slope_kib_per_hour"`
	RSSFirst  float64 `json:"rss_first_mib"` // after the first cycle
	RSSLast   float64 `json:"rss_last_mib"`
	// Goroutines without accounts, and when they had been removed.
	GoroutinesBefore int `json:"goroutines_before"`
	GoroutinesAfter  int `json:"goroutines_after"`
	// GoroutinesKept is how many more there may be: workers that run any account.
	GoroutinesKept int `json:"goroutines_kept"`
	// Keys are perm and temp keys that the DCs made after everybody was online.
	Keys     int         `json:"keys_created"`
	Attempts int64       `json:"attempts"` // dials of the cycles
	CPU      float64     `json:"cpu_s"`    // of the cycles
	Looks    []soakLook  `json:"looks"`
	Seeded   bool        `json:"seeded"`
	OK       bool        `json:"ok"`
	Before   bench.Stock `json:"before"` // without accounts
	After    bench.Stock `json:"after"`  // when they had been removed
	Flags    soakParams  `json:"flags"`
	benchReport
}

// soakLook is what the process held after a cycle.
type soakLook struct {
	At         float64 `json:"at_s"`
	RSS        float64 `json:"rss_kib"`
	Heap       float64 `json:"heap_kib"`
	Goroutines int     `json:"goroutines"`
}

// soakParams say what was run.
type soakParams struct {
	Accounts int     `json:"accounts"`
	DCs      int     `json:"dcs"`
	For      float64 `json:"for_seconds"`
	Idle     float64 `json:"idle_seconds"`
	PFS      bool    `json:"pfs"`
}

func (a *app) benchSoak(ctx context.Context, f benchSoakFlags) error {
	if err := f.check(); err != nil {
		return err
	}
	r := &soakResult{
		Accounts: f.accounts, Seeded: f.seeded, benchReport: newReport(),
		Flags: soakParams{f.accounts, f.dcs, f.during.Seconds(), f.idle.Seconds(), !f.noPFS},
	}
	plan := benchPlan{
		accounts: f.accounts, bots: f.accounts + 1, dcs: f.dcs, inMemory: f.inMemory, disk: f.disk, seeded: f.seeded,
		options: actors.AccountOptions{NoPFS: f.noPFS},
	}
	return a.playBench(ctx, f.out, plan, func(ctx context.Context, w *benchWorld) error {
		if err := r.run(ctx, w, f); err != nil {
			return err
		}
		w.bar.close()
		return a.tellBench(f.out, r.OK, r)
	})
}

func (r *soakResult) run(ctx context.Context, w *benchWorld, f benchSoakFlags) error {
	if err := w.warmUp(ctx, w.plan.options); err != nil {
		return err
	}
	r.Before = w.settled(0)
	if err := w.fill(ctx, 1); err != nil {
		return err
	}
	var c comeback
	s, err := w.beginStretch(ctx)
	if err != nil {
		return err
	}
	for begun := time.Now(); time.Since(begun) < f.during; r.Cycles++ {
		if err := w.reconnectAll(ctx); err != nil {
			return err
		}
		if err := w.watch(ctx, fmt.Sprintf("idle for %v, time %d", f.idle, r.Cycles+1), f.idle); err != nil {
			return err
		}
		now := bench.TakeStock()
		r.Looks = append(r.Looks, soakLook{round3(time.Since(begun).Seconds()), kib(now.RSS), kib(now.Heap), now.Goroutines})
	}
	if err := s.end(ctx, &c); err != nil {
		return err
	}
	r.Keys, r.Attempts, r.CPU, r.Online = c.Keys, c.Attempts, c.CPU, w.onlineNow()
	w.bar.done("reconnected %d times", r.Cycles)
	if err := w.removeAll(ctx); err != nil {
		return err
	}
	r.GoroutinesKept = keptWorkers * runtime.GOMAXPROCS(0)
	r.After = w.settled(r.Before.Goroutines)
	r.judge()
	return r.conclude(w)
}

// reconnectAll has the DCs close every connection, and waits until each account has
// another one.
func (w *benchWorld) reconnectAll(ctx context.Context) error {
	dials := w.line.Dials()
	if err := w.dc.cutAll(ctx, w.plan.dcs); err != nil {
		return err
	}
	n := int64(w.plan.accounts)
	for moved, last := time.Now(), dials; w.line.Dials()-dials < n; {
		if now := w.line.Dials(); now > last {
			last, moved = now, time.Now()
		}
		if time.Since(moved) > fillPatience {
			return fmt.Errorf("bench: %d of %d connections were made again, and none for %v", last-dials, n, fillPatience)
		}
		if err := sleep(ctx, onlineLook); err != nil {
			return err
		}
	}
	return w.allOnline(ctx)
}

// removeAll logs every account out and removes it.
func (w *benchWorld) removeAll(ctx context.Context) error {
	all := w.manager.Accounts()
	w.bar.begin("logging out and removing", len(all))
	failed := &firstFailure{}
	each(len(all), benchWidth(), func(i int) {
		ctx, cancel := context.WithTimeout(ctx, signInTimeout)
		defer cancel()
		err := all[i].LogOut(ctx)
		if err == nil {
			err = all[i].Remove(ctx, false)
		}
		if err != nil {
			failed.add(all[i].ID(), err)
		}
		w.bar.add(1)
	})
	if failed.n > 0 {
		return fmt.Errorf("bench: %s not removed; %s", count(failed.n, "account"), failed.first)
	}
	w.bar.done("logged out and removed %s", count(len(all), "account"))
	return nil
}

const (
	// settleLimit is how long goroutines may take to end.
	settleLimit = 5 * time.Second
	// keptWorkers is how many goroutines that ran actors are kept for the next one, for
	// each CPU (actors/runtime): no account has one of them.
	keptWorkers = 4
)

// settled takes stock when no more than so many goroutines are left, or when nothing
// more ends: what was removed ends a moment later.
func (w *benchWorld) settled(goroutines int) bench.Stock {
	w.dc.http.CloseIdleConnections()
	least := runtime.NumGoroutine()
	for moved := time.Now(); runtime.NumGoroutine() > goroutines && time.Since(moved) < settleLimit; {
		if goroutines == 0 && time.Since(moved) > time.Second { // it is not known how many
			break
		}
		time.Sleep(onlineLook)
		if n := runtime.NumGoroutine(); n < least {
			least, moved = n, time.Now()
		}
	}
	return bench.TakeStock()
}

// judge fills in what follows from what was seen.
func (r *soakResult) judge() {
	r.GoroutinesBefore, r.GoroutinesAfter = r.Before.Goroutines, r.After.Goroutines
	if len(r.Looks) > 0 {
		r.RSSFirst, r.RSSLast = round3(r.Looks[0].RSS/1024), round3(r.Looks[len(r.Looks)-1].RSS/1024)
	}
	r.RSSSlope = slope(r.Looks, func(l soakLook) float64 { return l.RSS })
	r.HeapSlope = slope(r.Looks, func(l soakLook) float64 { return l.Heap })
	r.OK = r.Online == r.Accounts && r.Cycles > 0 && r.GoroutinesAfter <= r.GoroutinesBefore+r.GoroutinesKept
}

// slope is that of the straight line through the later half, by least squares, an
// hour; 0 of fewer than two.
func slope(looks []soakLook, of func(soakLook) float64) float64 {
	if len(looks) < 3 {
		return 0
	}
	looks = looks[len(looks)/2:]
	n := float64(len(looks))
	var x, y float64
	for _, l := range looks {
		x, y = x+l.At/n, y+of(l)/n
	}
	var up, across float64
	for _, l := range looks {
		up += (l.At - x) * (of(l) - y)
		across += (l.At - x) * (l.At - x)
	}
	if across == 0 {
		return 0
	}
	return round3(up / across * time.Hour.Seconds())
}

func (r *soakResult) print(w io.Writer) {
	title := fmt.Sprintf("bench soak: %s on %s, idle for %gs at a time, %gs%s", count(r.Accounts, "account"), count(r.Flags.DCs, "DC"), r.Flags.Idle, r.Flags.For, seededNote(r.Seeded))
	mibs := func(v float64) string { return fmt.Sprintf("%.1f MiB", v) }
	printLines(w, title, []benchLine{
		{"online in the end", thousands(r.Online), fmt.Sprintf("after %d reconnects of everybody", r.Cycles)},
		{"memory after the first and the last", mibs(r.RSSFirst), mibs(r.RSSLast)},
		{"slope of memory (RSS)", fmt.Sprintf("%+.0f KiB/h", r.RSSSlope), fmt.Sprintf("%+.3f KiB/h for each account", r.RSSSlope/float64(r.Accounts))},
		{"slope of the live heap", fmt.Sprintf("%+.0f KiB/h", r.HeapSlope), ""},
		{"goroutines without accounts", thousands(r.GoroutinesBefore), ""},
		{"goroutines when they were removed", thousands(r.GoroutinesAfter), fmt.Sprintf("%d more may be kept, of all accounts", r.GoroutinesKept)},
		{"keys made", thousands(r.Keys), ""},
		{"dials", thousands(int(r.Attempts)), ""},
		{"CPU", fmt.Sprintf("%.2f s", r.CPU), ""},
	})
	r.footer(w)
}

func (r *soakResult) charts() []page.Chart {
	memory := page.Steps{Title: "Memory (RSS)", X: "seconds", Y: "MiB"}
	for _, l := range r.Looks {
		memory.Points = append(memory.Points, page.Point{X: l.At, Y: l.RSS / 1024})
	}
	return []page.Chart{memory}
}

// kib is bytes in KiB.
func kib(bytes int64) float64 { return round3(float64(bytes) / 1024) }

// seededNote says of a result how its accounts came to be.
func seededNote(seeded bool) string {
	if seeded {
		return ", seeded"
	}
	return ""
}

package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/mtfleet/mtfleet/actors"
	"github.com/mtfleet/mtfleet/actors/governor"
	"github.com/mtfleet/mtfleet/actors/wire"
	"github.com/mtfleet/mtfleet/cmd/manager/bench"
	"github.com/mtfleet/mtfleet/config"
	"github.com/mtfleet/mtfleet/mtproto/crypt"
	"github.com/mtfleet/mtfleet/mtproto/dctest/serve"
	"github.com/mtfleet/mtfleet/persistence"
)

// benchPlan is what a benchmark is run on.
type benchPlan struct {
	accounts int // that the manager will have
	dcs      int
	bots     int
	dcFlags  []string        // more of testdc's
	budget   governor.Budget // zero: the loopback preset, which paces nothing
	disk     bool            // Badger, as run has it; otherwise the store in memory
	remember bool            // the line remembers its sockets
	options  actors.AccountOptions
	inMemory bool              // the DCs are in this process
	seeded   bool              // keys are put in place, nobody signs in
	page     bool              // a page of metrics is opened, which nobody serves yet
	target   *serve.Descriptor // of DCs that somebody else started
}

// start says what is started.
func (p *benchPlan) start() string {
	if p.target != nil {
		return "a manager"
	}
	return count(p.dcs, "test DC") + " and a manager"
}

// benchWorld is test DCs in a process of their own and a manager in this one.
type benchWorld struct {
	*app
	quietly app // opens the store
	plan    benchPlan
	dir     string
	dc      *benchDC
	line    *bench.Line
	options actors.Options
	disk    *config.Config    // where the store is; nil: in memory
	memory  persistence.Store // outlives a manager
	manager *actors.Manager
	keys    []*crypt.PublicKey // of the DCs
	budget  governor.Budget
	page    *metricsPage // nil unless the plan has one
	bar     *progress
	closers []func() error // in the order of opening
	stops   []func() error // of the manager and its store

	storeOpen time.Time // when the store was open
}

// playBench refuses what may not be loaded, prepares a world for run, and takes it
// down again. Nothing is started before the refusals.
func (a *app) playBench(ctx context.Context, out benchOutput, plan benchPlan, run func(context.Context, *benchWorld) error) (err error) {
	a.asJSON = out.json
	if err := out.check(); err != nil {
		return err
	}
	if err := a.benchSettings(); err != nil {
		return err
	}
	// Each side has a socket for each account, and the files of a store.
	if limit, ok := wire.DescriptorLimit(); ok && !plan.inMemory && wire.SocketsWithin(limit) < plan.accounts {
		return usage("bench: %s need as many file descriptors, and this process may have %s: raise the limit (ulimit -n), or take fewer --accounts",
			count(plan.accounts, "account"), thousands(limit))
	}
	w := &benchWorld{app: a, quietly: *a, plan: plan, bar: newProgress(a.err), line: bench.NewLine(plan.remember)}
	defer w.bar.close()
	if w.dir, err = os.MkdirTemp("", "mtfleet-bench-"); err != nil {
		return err
	}
	defer os.RemoveAll(w.dir)
	if err = w.start(ctx); err == nil {
		err = run(ctx, w)
	}
	if ctx.Err() != nil {
		err = ctx.Err()
	}
	for _, closeErr := range []error{w.stop(), closeAll(w.closers)} {
		if err == nil {
			err = closeErr
		}
	}
	return err
}

// closeAll closes the last first, and returns the first error.
func closeAll(closers []func() error) (err error) {
	for i := len(closers) - 1; i >= 0; i-- {
		if closeErr := closers[i](); err == nil {
			err = closeErr
		}
	}
	return err
}

// start starts the DCs, and a manager on a new store.
func (w *benchWorld) start(ctx context.Context) error {
	w.bar.begin("starting "+w.plan.start(), 0)
	if err := w.prepare(ctx); err != nil {
		return err
	}
	if err := w.open(); err != nil {
		return err
	}
	w.bar.done("started %s", w.plan.start())
	return nil
}

// prepare starts the DCs, and refuses those that may not be loaded.
func (w *benchWorld) prepare(ctx context.Context) error {
	if err := w.startDC(ctx); err != nil {
		return err
	}
	w.closers = append(w.closers, func() error { w.dc.close(); return nil })
	log, err := os.Create(filepath.Join(w.dir, "manager.log"))
	if err != nil {
		return err
	}
	w.closers = append(w.closers, log.Close)
	cfg, err := w.config()
	if err != nil {
		return err
	}
	w.budget = budget(cfg.Limits)
	logger := slog.New(slog.NewJSONHandler(log, &slog.HandlerOptions{Level: slog.LevelWarn}))
	if w.options, err = options(cfg, logger); err != nil {
		return err
	}
	if w.keys, err = benchTarget(w.options.DCs); err != nil {
		return err
	}
	w.options.Wire.RequireLoopback = true
	w.options.Wire.Dialer = w.line
	if w.plan.page {
		if w.page, err = openMetrics("127.0.0.1:0"); err != nil {
			return err
		}
		w.closers = append(w.closers, func() error { w.page.close(); return nil })
		w.options.MeterProvider = w.page.provider
	}
	if limit, ok := wire.DescriptorLimit(); ok && !w.plan.inMemory {
		w.options.Wire.Sockets = wire.SocketsWithin(limit)
	}
	if w.plan.disk {
		w.disk = cfg
	} else {
		w.memory = persistence.NewMemory()
	}
	return nil
}

// startDC starts the DCs, unless somebody else has.
func (w *benchWorld) startDC(ctx context.Context) (err error) {
	switch {
	case w.plan.target != nil:
		w.dc = &benchDC{Descriptor: *w.plan.target}
	case w.plan.inMemory:
		err = w.startMemoryDC()
	default:
		w.dc, err = w.startBenchDC(ctx, w.dir, w.plan.bots, w.plan.dcs, w.plan.dcFlags...)
	}
	return err
}

// open opens a manager on the store, as it is.
func (w *benchWorld) open() (err error) {
	w.options.Store = w.memory
	if w.disk != nil {
		store, err := w.quietly.openStore(w.disk, w.options.Logger)
		if err != nil {
			return err
		}
		w.stops = append(w.stops, store.Close)
		w.options.Store = store
	}
	w.storeOpen = time.Now()
	if w.manager, err = actors.Open(w.options); err != nil {
		return err
	}
	w.stops = append(w.stops, func() error {
		grace, cancel := actors.CloseGrace()
		defer cancel()
		return w.manager.Close(grace)
	})
	return nil
}

// stop closes the manager and its store.
func (w *benchWorld) stop() error {
	stops := w.stops
	w.stops = nil
	return closeAll(stops)
}

// config is the manager's: the DCs, a budget, and what --set says.
func (w *benchWorld) config() (*config.Config, error) {
	file := filepath.Join(w.dir, "manager.yaml")
	b := w.plan.budget
	if b == (governor.Budget{}) {
		b = governor.Loopback()
	}
	more := budgetConfig(b) + fmt.Sprintf("  accounts: %d\n", max(w.plan.accounts, 100))
	if err := writeFile(file, []byte(clusterConfig(w.dc.Descriptor, more))); err != nil {
		return nil, err
	}
	// Neither the configuration is the operator's nor the environment, where a
	// master key may be; and the store's own is of no interest.
	w.quietly.configFile, w.quietly.env, w.quietly.err = file, nil, io.Discard
	return w.quietly.load(false)
}

// signIn signs n bots in, those from the first on, so many at once, and returns when
// all of them are online.
func (w *benchWorld) signIn(ctx context.Context, first, n, width int, o actors.AccountOptions) ([]*actors.Account, error) {
	if first+n > len(w.dc.Bots) {
		return nil, fmt.Errorf("bench: there are %s, and account %d is wanted", count(len(w.dc.Bots), "bot"), first+n)
	}
	all := make([]*actors.Account, n)
	failed, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	each(n, width, func(i int) {
		if failed.Err() != nil {
			return
		}
		ctx, done := context.WithTimeout(failed, signInTimeout)
		defer done()
		name := botName(first + i)
		acc, err := w.manager.Add(ctx, name, o)
		if err == nil {
			_, err = acc.SignIn(ctx, actors.BotToken(w.dc.Bots[first+i].Token))
		}
		if err == nil {
			err = online(ctx, acc)
		}
		if err != nil {
			cancel(fmt.Errorf("bench: signing in %s: %w", name, err))
		}
		all[i] = acc
		w.bar.add(1)
	})
	return all, context.Cause(failed)
}

// botName is the account of the i-th bot.
func botName(i int) string { return fmt.Sprintf("bot-%05d", i+1) }

// online waits until an account is online.
func online(ctx context.Context, acc *actors.Account) error {
	heard, stop := context.WithCancel(ctx)
	defer stop()
	events := acc.Events(heard)
	if acc.Status().State == actors.Online {
		return nil
	}
	for ev := range events {
		if ev.Kind == actors.EventState && ev.Status.State == actors.Online {
			return nil
		}
	}
	return fmt.Errorf("it never came online: it is %v: %s", acc.Status().State, acc.Status().Why)
}

// onlineNow counts the accounts that are online.
func (w *benchWorld) onlineNow() int { return onlineOf(w.manager.Accounts()) }

func onlineOf(all []*actors.Account) (n int) {
	for _, acc := range all {
		if acc.Status().State == actors.Online {
			n++
		}
	}
	return n
}

// wait lets time pass, and shows it.
func (w *benchWorld) wait(ctx context.Context, what string, d time.Duration) error {
	w.bar.begin(what, int(d.Seconds()))
	for end := time.Now().Add(d); time.Now().Before(end); w.bar.add(1) {
		if err := sleep(ctx, min(time.Second, time.Until(end))); err != nil {
			return err
		}
	}
	return nil
}

// watch lets time pass in which this process is measured: nothing is drawn.
func (w *benchWorld) watch(ctx context.Context, what string, d time.Duration) error {
	w.bar.say(what)
	return sleep(ctx, d)
}

// checkFleet refuses numbers of accounts and DCs that no benchmark of a fleet takes.
func checkFleet(command string, accounts, dcs int, inMemory bool) error {
	most := maxBots
	if !inMemory {
		most-- // for one who comes and goes
	}
	switch {
	case accounts < 1 || accounts > most:
		return usage("%s: --accounts %d: this must be 1 to %d", command, accounts, most)
	case dcs < 1 || dcs > 9:
		return usage("%s: --dcs %d: a cluster has 1 to 9 DCs", command, dcs)
	}
	return nil
}

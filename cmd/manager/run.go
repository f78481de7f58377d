package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"runtime"
	"slices"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/mtfleet/mtfleet/actors"
	"github.com/mtfleet/mtfleet/actors/governor"
	"github.com/mtfleet/mtfleet/actors/wire"
	"github.com/mtfleet/mtfleet/cmd/manager/control"
	"github.com/mtfleet/mtfleet/cmd/manager/dashboard"
	"github.com/mtfleet/mtfleet/cmd/manager/sdnotify"
	"github.com/mtfleet/mtfleet/config"
	"github.com/mtfleet/mtfleet/persistence"
)

func (a *app) runCommand() *cobra.Command {
	var loopback, withParent bool
	var board string
	c := &cobra.Command{
		Use: "run", Short: "Keep every account of the store online", Args: exactly(),
		Long: `run keeps every account of the store online until it gets SIGTERM or SIGINT.

It logs one line for each change that matters to standard error (log.format json
for machines). While it runs it owns the store; other commands reach it through
the control socket by themselves. metrics.listen serves Prometheus metrics,
and /livez, /readyz and /fleetz; dashboard.listen, or --dashboard, shows the fleet in
browsers: of this machine, or with dashboard.cert and api.callers of others.

SIGHUP has it read the configuration again: log.level, limits (but calls_per_account) and
api.callers count from then on, and the log says what else has changed and waits for a
restart. A configuration that is wrong changes nothing. A second SIGINT or SIGTERM ends it at once.`,
		RunE: func(c *cobra.Command, _ []string) error {
			if board != "" {
				a.settings = append(a.settings, "dashboard.listen="+board)
			}
			cfg, err := a.load(false)
			if err != nil {
				return err
			}
			ctx, stop := context.WithCancel(c.Context())
			defer stop()
			if withParent {
				go func() { _, _ = io.Copy(io.Discard, a.in); stop() }()
			}
			return a.run(ctx, cfg, loopback)
		},
	}
	c.Flags().BoolVar(&loopback, "loopback-only", false, "refuse to dial any address that is not on this machine's loopback")
	c.Flags().StringVar(&board, "dashboard", "", "serve the dashboard on `ADDRESS`, for example 127.0.0.1:8070 (dashboard.listen)")
	c.Flags().BoolVar(&withParent, "until-stdin-closes", false, "stop when standard input closes, as it does when a parent process is gone")
	return c
}

// run owns the store until ctx ends.
func (a *app) run(ctx context.Context, cfg *config.Config, loopback bool) error {
	r := &reloader{load: func() (*config.Config, error) { return a.load(false) }}
	hups, stopHups := hangups()
	defer stopHups()
	first, err := logLevel(cfg.Log)
	if err != nil {
		return err
	}
	r.level.Set(first)
	log := leveledLogger(a.err, cfg.Log.Format, &r.level)
	o, err := options(cfg, log)
	if err != nil {
		return err
	}
	if err := checkBackups(cfg.Store.Backup); err != nil {
		return err
	}
	o.Wire.RequireLoopback = loopback
	if err := alone(ctx, cfg); err != nil {
		return err
	}
	unit := a.underSystemd(log)
	defer unit.Close()
	// The socket first: a command that finds it waits for this manager. One that
	// does not opens the store itself, and a few of those in a row would keep it
	// from us.
	socket, err := control.Listen(cfg.Control.Socket)
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return &exitError{code: exitFailed, kind: control.KindStore, text: err.Error() + ": make room on that disk", err: err}
	}
	if err != nil {
		return err
	}
	defer socket.Close()
	page, err := openMetrics(cfg.Metrics.Listen)
	if err != nil {
		return err
	}
	defer page.close()
	page.serve() // it says that the manager starts
	board, err := listenDashboard(cfg)
	if err != nil {
		return err
	}
	defer board.Close()
	stopProfiles, err := serveProfiles(cfg.Debug.PprofSocket)
	if err != nil {
		return err
	}
	defer stopProfiles()
	store, err := a.openStore(cfg, log)
	if err != nil {
		return err
	}
	o.Store = store
	if err := asNode(&o, cfg.Cluster); err != nil {
		return errors.Join(err, closeStore(store))
	}
	r.log, r.hups, r.unit = log, hups, unit
	err = a.serve(ctx, cfg, o, log, socket, around{page, unit, board, r})
	return errors.Join(err, closeStore(store))
}

// closeStore closes a store. Where that fails it is said also to who interrupted
// the manager.
func closeStore(store persistence.Store) error {
	err := store.Close()
	if err == nil {
		return nil
	}
	return &exitError{code: exitFailed, kind: control.KindStore, text: actors.Words(err), err: err}
}

// alone tells whether a manager of this store runs already; the store's lock
// would say it too, but not as well.
func alone(ctx context.Context, cfg *config.Config) error {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	other, err := control.Dial(ctx, cfg.Control.Socket)
	if err != nil {
		return nil
	}
	defer other.Close()
	info, err := control.Info.Call(ctx, other, control.Empty{})
	if err != nil || !sameStore(info, cfg) {
		return nil // opening the socket will tell
	}
	instead := "give this one a data directory of its own (store.dir)"
	if cfg.Store.Postgres.Used() {
		instead = "make another node of this one (cluster.node, control.socket)"
	}
	if !info.Running {
		return &exitError{code: exitInUse, kind: control.KindInUse,
			text: fmt.Sprintf("`%s`, process %d, holds the store in %s and waits for somebody: finish it, or leave it with Ctrl-C (nothing is lost), then start the manager", info.Command, info.PID, dataIn(cfg))}
	}
	return &exitError{code: exitInUse, kind: control.KindInUse,
		text: fmt.Sprintf("a manager of the store in %s runs already, as process %d: stop that one first, or %s", dataIn(cfg), info.PID, instead)}
}

func sameDir(a, b string) bool {
	x, errX := os.Stat(a)
	y, errY := os.Stat(b)
	return errX == nil && errY == nil && os.SameFile(x, y)
}

// around is what stands beside a manager that runs; any of them may be absent.
type around struct {
	page  *metricsPage
	unit  *sdnotify.Service
	board *dashboard.Server
	again *reloader
}

// serve runs a manager over an open store with everything around it.
func (a *app) serve(ctx context.Context, cfg *config.Config, o actors.Options, log *slog.Logger, socket net.Listener, by around) error {
	page, unit, r := by.page, by.unit, by.again
	if page != nil {
		o.MeterProvider = page.provider
	}

	limit, limited := wire.DescriptorLimit()
	if limited {
		o.Wire.Sockets = wire.SocketsWithin(limit) // the rest is for the store, and for commands
	}
	overTCP, err := listenAPI(cfg.API)
	if err != nil {
		return err
	}
	if overTCP != nil {
		defer overTCP.Close()
	}
	others, err := listenNodes(cfg.Cluster)
	if err != nil {
		return err
	}
	m, err := openManager(ctx, o, log, func(text string) { page.waiting(text); unit.Waiting(text) })
	if err != nil {
		others.close(ctx)
		return err
	}
	if last, err := m.LastBackup(); err != nil {
		log.Warn("when the store was last backed up is not known: back it up anew", "err", err)
	} else {
		m.BackedUp(last.At)
	}
	about := control.About{Running: true, PID: os.Getpid(), Version: version(), Since: time.Now(), Store: storeName(cfg)}
	hooks, err := openWebhooks(cfg, m, log)
	if err != nil {
		return errors.Join(err, closeEarly(m, others))
	}
	local := &control.Local{Manager: m, Hooks: hooks, About: about, MaxAccounts: cfg.Limits.Accounts, Budget: budget(cfg.Limits)}
	service, err := others.serve(local, o.Store, log)
	if err != nil {
		return errors.Join(err, closeEarly(m, others))
	}
	hooksEnded := runWebhooks(ctx, hooks, log)
	callers := control.NewAccess(grants(cfg.API.Callers))
	a.serveDashboard(by.board, local, service, callers, log)
	backupsEnded := runBackups(ctx, cfg.Store.Backup, local, log)
	server, remote := control.Serve(socket, service), serveAPI(overTCP, service, callers, log)
	page.running(m, cfg)
	log.Info("manager runs", "version", about.Version, "accounts", len(m.Accounts()), "store", about.Store, "control", cfg.Control.Socket)

	if need := wire.DescriptorsFor(len(m.Accounts())); limited && need > limit {
		log.Warn("too few file descriptors for all accounts at once", "accounts", len(m.Accounts()), "needed", need, "allowed", limit,
			"advice", "raise the limit: ulimit -n, or LimitNOFILE= of the systemd unit")
	}

	r.limits = func(l config.Limits) {
		m.SetLimits(budget(l).Limits(runtime.NumCPU()))
		local.Adjust(l.Accounts, budget(l))
	}
	r.callers = func(list []config.Caller) { callers.Set(grants(list)) }
	go r.run(ctx, cfg)
	unit.Ready(unitHealth(healthOf(m, cfg)))
	serving, served := whileNode(ctx, m, cfg.Cluster)
	defer served()
	watchDCs(serving, log, m) // until it ends
	var gone *exitError
	errors.As(context.Cause(serving), &gone)
	log.Info("manager stops", "advice", "a second Ctrl-C or SIGTERM ends it at once, and nothing is closed in order then")
	page.stopping()
	unit.Stopping("closes connections and the store")
	if gone == nil {
		drain(m, cfg.Cluster, log)
	}
	by.board.Close()
	hooksEnded()
	backupsEnded()
	grace, cancel := actors.CloseGrace()
	defer cancel()
	err = m.Close(grace)
	if err != nil {
		err = fmt.Errorf("some connections did not close in time: %w", err)
	}
	_ = server.Shutdown(grace) // what is cut off are clients of a manager that is gone
	if remote != nil {
		_ = remote.Shutdown(grace)
	}
	others.close(grace)
	if gone != nil {
		return errors.Join(gone, err)
	}
	if err == nil {
		log.Info("manager stopped", "ran", time.Since(about.Since).Round(time.Second))
	}
	return err
}

// closeEarly closes a manager that was opened in vain.
func closeEarly(m *actors.Manager, others *neighbours) error {
	grace, cancel := actors.CloseGrace()
	defer cancel()
	others.close(grace)
	return m.Close(grace)
}

// dcWatch is how often DCs are looked at: an outage of a second or two is
// nobody's business.
const dcWatch = 2 * time.Second

// watchDCs logs when a DC goes away and when it is back, until ctx ends; not
// where the manager has told so already, of all the accounts that lost it.
func watchDCs(ctx context.Context, log *slog.Logger, m *actors.Manager) {
	tick := time.NewTicker(dcWatch)
	defer tick.Stop()
	var w dcWatcher
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		census, err := m.Governor(ctx)
		if err != nil {
			continue
		}
		w.look(log, census, m.Outages())
	}
}

// dcWatcher knows which DCs are down, by each way to them, and of which that was
// said.
type dcWatcher struct{ down, said map[dcWay]bool }

type dcWay struct {
	dc  int
	via string
}

func (w *dcWatcher) look(log *slog.Logger, census []governor.DCStatus, outages []actors.Outage) {
	if w.down == nil {
		w.down, w.said = map[dcWay]bool{}, map[dcWay]bool{}
	}
	for _, dc := range census {
		way, name := dcWay{dc.DC, dc.Via}, control.DCName(dc)
		attrs := []any{"dc", dc.DC}
		if dc.Via != "" {
			attrs = append(attrs, "proxy", dc.Via)
		}
		advice := "check the network and the addresses; it is probed every few seconds"
		if dc.Via != "" {
			advice = "check the proxy; it is tried every few seconds, and nothing goes around it"
		}
		was := w.down[way]
		w.down[way] = !dc.Up
		told := dc.Via == "" && slices.ContainsFunc(outages, func(o actors.Outage) bool { return o.DC == dc.DC })
		switch {
		case dc.Up && w.said[way]:
			w.said[way] = false
			log.Info(name+" can be reached again", attrs...)
		case dc.Up, w.said[way], !was && !dc.Flood:
		case dc.Flood:
			w.said[way] = true
			log.Warn(name+" wants fewer connections", append(attrs, "since", dc.Since, "advice", "lower limits.connects_per_second")...)
		case !told:
			w.said[way] = true
			log.Warn(name+" cannot be reached", append(attrs, "since", dc.Since, "advice", advice)...)
		}
	}
}

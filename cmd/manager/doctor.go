package main

import (
	"cmp"
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"net"
	"net/url"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/mtfleet/mtfleet/actors"
	"github.com/mtfleet/mtfleet/cmd/manager/control"
	"github.com/mtfleet/mtfleet/cmd/manager/doctor"
	"github.com/mtfleet/mtfleet/config"
	"github.com/mtfleet/mtfleet/mtproto/proxy"
	"github.com/mtfleet/mtfleet/persistence"
	"github.com/mtfleet/mtfleet/persistence/badgerstore"
	"github.com/mtfleet/mtfleet/persistence/pgstore"
)

func (a *app) doctorCommand() *cobra.Command {
	var asJSON bool
	var limit time.Duration
	c := &cobra.Command{
		Use: "doctor", Short: "Look for what is wrong, and say how it is mended", Args: exactly(),
		Long: `doctor looks at everything a manager needs: the master key, the store and its disk,
who may read its files, or the database in its place, with the certificate and the
address of a node; file descriptors, whether a manager runs and answers, each DC over
IPv4 and over IPv6 (through the proxy, where there is one), the clock against theirs,
and accounts that are there twice or were lost. Each finding is ok, a note, a warning
or an error, with why it matters and the command that mends it.

It makes nothing and changes nothing, with a manager that runs or without, and dials
no more than the configuration says. The exit code is 0, 10 after a warning, or 1
after an error.`,
		RunE: func(c *cobra.Command, _ []string) error {
			a.asJSON = asJSON
			if limit <= 0 {
				return usage("--timeout must be longer than nothing")
			}
			cfg, err := a.load(false)
			if err != nil {
				return err
			}
			found, err := a.examine(c.Context(), cfg, limit)
			if err != nil {
				return err
			}
			return a.tellFindings(found, asJSON)
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON to standard output, and errors as JSON to standard error")
	c.Flags().DurationVar(&limit, "timeout", 10*time.Second, "how long a DC, or the manager that runs, may take to answer")
	return c
}

// tell prints findings; the error has their exit code.
func (a *app) tellFindings(found []doctor.Finding, asJSON bool) error {
	err := a.printFindings(found, asJSON)
	return cmp.Or(err, findingsError(found))
}

// findingsError gives the exit code of findings that were printed.
func findingsError(found []doctor.Finding) error {
	switch doctor.Worst(found) {
	case doctor.Warning:
		return &exitError{code: exitWarnings}
	case doctor.Error:
		return &exitError{code: exitFailed}
	}
	return nil
}

func (a *app) printFindings(found []doctor.Finding, asJSON bool) error {
	if asJSON {
		return a.printJSON(struct {
			Worst    doctor.Level     `json:"worst"`
			Findings []doctor.Finding `json:"findings"`
		}{doctor.Worst(found), found})
	}
	for _, f := range found {
		if err := a.sayf("%-8v %s: %s", f.Level, f.Check, f.What); err != nil {
			return err
		}
		if f.Level == doctor.OK {
			continue
		}
		if err := a.sayf("         %s\n         $ %s", f.Why, f.Mend); err != nil {
			return err
		}
	}
	count := doctor.Count(found)
	return a.sayf("%s%s.", strings.ToUpper(count[:1]), count[1:])
}

// examine makes every check. The error is a mistake in the configuration.
func (a *app) examine(ctx context.Context, cfg *config.Config, limit time.Duration) ([]doctor.Finding, error) {
	o, err := options(cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		return nil, err
	}
	if err := errors.Join(actors.CheckApp(o.App), o.DCs.Check()); err != nil {
		return nil, err
	}
	settings, err := a.configOptions(false)
	if err != nil {
		return nil, err
	}
	prober := doctor.Prober{Wire: o.Wire, Table: o.DCs, Via: proxyOf(cfg), Limit: limit}
	var answers []doctor.Answer
	var asking sync.WaitGroup
	asking.Go(func() { answers = prober.Ask(ctx) })

	manager, accounts := askManager(ctx, cfg, limit)
	store, stored := a.storeFindings(ctx, cfg, limit, manager.SameStore, len(accounts))
	if !manager.SameStore {
		accounts = stored
	}
	limitOf := 0 // this process
	if manager.Running && manager.SameStore {
		limitOf = manager.PID
	}
	file, _ := settings.Path()

	found := append(doctor.CheckConfigFile(file), secretFiles(cfg)...)
	found = append(found, store...)
	found = append(found, doctor.CheckManager(manager))
	found = append(found, doctor.CheckVersion(manager, version())...)
	found = append(found, doctor.CheckSocket(manager.Socket)...)
	found = append(found, doctor.CheckMetrics(ctx, cfg.Metrics.Listen, manager.Running)...)
	found = append(found, doctor.CheckDescriptors(doctor.DescriptorLimit(limitOf), len(accounts)))
	asking.Wait()
	found = append(found, doctor.CheckDCs(answers, prober.Via)...)
	found = append(found, doctor.CheckClock(answers)...)
	found = append(found, doctor.CheckAccounts(accounts)...)
	return a.mended(found), ctx.Err()
}

// examineConfig makes the checks of what the configuration names: files, keys,
// certificates, hosts, the proxy and the DCs.
func (a *app) examineConfig(ctx context.Context, cfg *config.Config, o actors.Options, limit time.Duration) ([]doctor.Finding, error) {
	settings, err := a.configOptions(false)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, 2*limit)
	defer cancel()
	file, _ := settings.Path()
	found := append(doctor.CheckConfigFile(file), secretFiles(cfg)...)
	if cfg.Store.Postgres.Used() {
		manager, _ := askManager(ctx, cfg, limit)
		store, _ := a.databaseFindings(ctx, cfg, limit, manager.SameStore)
		found = append(found, store...)
	} else {
		key, store, _ := a.lookAtStore(cfg)
		found = append(found, doctor.CheckKey(key), doctor.CheckStoreDir(absolute(cfg.Store.Dir)))
		found = append(found, doctor.CheckStore(store)...)
	}
	if cfg.API.Listen != "" {
		found = append(found, doctor.CheckCertificate("api", cfg.API.Cert, cfg.API.Key, time.Now()))
	}
	if cfg.Dashboard.Listen != "" && cfg.Dashboard.Cert != "" {
		found = append(found, doctor.CheckCertificate("dashboard", cfg.Dashboard.Cert, cfg.Dashboard.Key, time.Now()))
	}
	for _, w := range cfg.Webhooks {
		if u, err := url.Parse(string(w.URL)); err == nil && w.Enabled {
			found = append(found, doctor.CheckHost(ctx, "webhook "+w.Name, u.Hostname()))
		}
	}
	prober := doctor.Prober{Wire: o.Wire, Table: o.DCs, Via: proxyOf(cfg), Limit: limit}
	found = append(found, doctor.CheckDCs(prober.Ask(ctx), prober.Via)...)
	return a.mended(found), ctx.Err()
}

// secretFiles checks the files with secrets that a configuration names.
func secretFiles(cfg *config.Config) (found []doctor.Finding) {
	for _, w := range cfg.Webhooks {
		if w.SecretFile != "" {
			found = append(found, doctor.CheckSecretFile("webhook "+w.Name, w.SecretFile))
		}
	}
	for _, f := range []struct{ check, path string }{{"api", cfg.API.Key}, {"remote", cfg.Remote.TokenFile}, {"remote", cfg.Remote.Key}, {"cluster", cfg.Cluster.Key}} {
		if f.path != "" {
			found = append(found, doctor.CheckSecretFile(f.check, f.path))
		}
	}
	return found
}

// mended has the commands of findings look at the configuration that was named here.
func (a *app) mended(found []doctor.Finding) []doctor.Finding {
	for i := range found {
		found[i].Mend = a.withConfig(found[i].Mend)
	}
	return found
}

// withConfig has a command look at the configuration that was named here.
func (a *app) withConfig(command string) string {
	if a.configFile == "" {
		return command
	}
	return strings.ReplaceAll(command, "manager ", "manager --config "+doctor.Quoted(a.configFile)+" ")
}

// proxyOf is the proxy of all accounts, which the configuration was checked for;
// nil: directly.
func proxyOf(cfg *config.Config) *proxy.Server {
	if cfg.Proxy == "" {
		return nil
	}
	s, err := proxy.Parse(string(cfg.Proxy))
	if err != nil {
		return nil
	}
	return &s
}

// askManager asks who answers at the control socket, and for the accounts of who
// has our store.
func askManager(ctx context.Context, cfg *config.Config, limit time.Duration) (m doctor.Manager, accounts []doctor.Account) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	m.Socket = absolute(cfg.Control.Socket)
	remote, err := control.Dial(ctx, m.Socket)
	if err != nil {
		info, statErr := os.Lstat(m.Socket)
		m.Left = statErr == nil && info.Mode().Type() == fs.ModeSocket
		if m.Listens = errors.Is(err, fs.ErrPermission); m.Listens {
			m.Err = fs.ErrPermission
		}
		return m, nil
	}
	defer remote.Close()
	m.Listens = true
	info, err := control.Info.Call(ctx, remote, control.Empty{})
	if err != nil {
		m.Err = err
		return m, nil
	}
	m.Running, m.PID, m.Version, m.Command, m.Store = info.Running, info.PID, info.Version, info.Command, info.Store
	if !sameStore(info, cfg) {
		return m, nil
	}
	list, err := control.List.Call(ctx, remote, control.ListRequest{})
	if err != nil {
		m.Err = err
		return m, nil
	}
	m.SameStore = true
	for _, acc := range list.Accounts {
		accounts = append(accounts, doctor.Account{ID: acc.ID, UserID: acc.UserID, SignedIn: acc.SignedIn, State: acc.State})
	}
	return m, accounts
}

// storeFindings makes the checks of the key and the store, of which a manager that has
// it says how many accounts it has; otherwise they are returned.
func (a *app) storeFindings(ctx context.Context, cfg *config.Config, limit time.Duration, open bool, accounts int) ([]doctor.Finding, []doctor.Account) {
	if cfg.Store.Postgres.Used() {
		return a.databaseFindings(ctx, cfg, limit, open)
	}
	key, store, stored := a.lookAtStore(cfg)
	if store.Open = open; open {
		store.Accounts = accounts
	}
	room, roomErr := badgerstore.RoomFor(store.Dir, store.Open || errors.As(store.Refusal, new(*persistence.LockedError)))
	found := []doctor.Finding{doctor.CheckKey(key), doctor.CheckStoreDir(absolute(cfg.Store.Dir))}
	found = append(found, doctor.CheckStore(store)...)
	return append(found, doctor.CheckDisk(store.Dir, room, roomErr)), stored
}

// databaseFindings makes the checks of the key, the database, and what makes a node of
// this machine. open: a manager has the store.
func (a *app) databaseFindings(ctx context.Context, cfg *config.Config, limit time.Duration, open bool) ([]doctor.Finding, []doctor.Account) {
	ko := a.keyOptions(cfg)
	ko.Existing = true
	var key doctor.Key
	if ko.Env == "" {
		key.File = absolute(ko.File)
	}
	db := doctor.Database{Open: open}
	o, err := a.databaseOptions(cfg, slog.New(slog.DiscardHandler))
	if db.Err = err; err == nil {
		o.Patience = limit
		o.Key, o.KeySource, key.Err = badgerstore.LoadMasterKey(ko)
		db.Place, _ = pgstore.PlaceOf(o.URL, o.Schema)
		db.Look, db.Err = pgstore.Examine(ctx, o)
		key.Store = db.Err == nil && !db.Look.Missing
		key.Wrong = db.Look.Wrong
	}
	found := append([]doctor.Finding{doctor.CheckKey(key)}, doctor.CheckDatabase(db)...)
	if c := cfg.Cluster; c.Node != "" {
		until, authority, certErr := control.NodeTLS{Node: c.Node, Cert: c.Cert, Key: c.Key, CA: c.CA}.Check()
		at := doctor.NodeAddress{Listen: c.Listen, Advertised: c.Address, Runs: open}
		if !open {
			at.Err = canListen(c.Listen)
		}
		found = append(found, doctor.CheckNode(c.Node, c.Cert, certErr, until, authority, time.Now(), at)...)
	}
	var accounts []doctor.Account
	for _, acc := range db.Look.Accounts {
		accounts = append(accounts, doctor.Account{ID: string(acc.ID), UserID: acc.UserID, SignedIn: acc.SignedIn, State: acc.State})
	}
	return found, accounts
}

// canListen tries an address, and lets go of it at once.
func canListen(addr string) error {
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return err
	}
	return l.Close()
}

// lookAtStore looks at the store and its key without opening it.
func (a *app) lookAtStore(cfg *config.Config) (key doctor.Key, store doctor.Store, accounts []doctor.Account) {
	o := a.keyOptions(cfg)
	o.Existing = true
	if o.Env == "" {
		key.File = absolute(o.File)
	}
	master, source, err := badgerstore.LoadMasterKey(o)
	key.Err = err
	store.Dir = absolute(o.StoreDir)
	peeked, peekErr := badgerstore.Peek(badgerstore.PeekOptions{Dir: store.Dir, Key: master, KeySource: source})
	if store.Missing = errors.Is(peekErr, fs.ErrNotExist); store.Missing {
		return key, store, nil
	}
	key.Store = true
	if store.Refusal = cmp.Or(key.Err, peekErr, peeked.Refusal); key.Err == nil && errors.As(store.Refusal, new(*persistence.MasterKeyError)) {
		key.Wrong = store.Refusal
	}
	store.Accounts = len(peeked.Accounts)
	for _, acc := range peeked.Accounts {
		accounts = append(accounts, doctor.Account{ID: string(acc.ID), UserID: acc.UserID, SignedIn: acc.SignedIn, State: acc.State})
	}
	return key, store, accounts
}

package main

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/mtfleet/mtfleet/actors"
	"github.com/mtfleet/mtfleet/actors/governor"
	"github.com/mtfleet/mtfleet/actors/wire"
	"github.com/mtfleet/mtfleet/cmd/manager/control"
	"github.com/mtfleet/mtfleet/config"
	"github.com/mtfleet/mtfleet/mtproto/dc"
	"github.com/mtfleet/mtfleet/mtproto/transport"
	"github.com/mtfleet/mtfleet/persistence"
	"github.com/mtfleet/mtfleet/persistence/badgerstore"
	"github.com/mtfleet/mtfleet/persistence/pgstore"
	"github.com/mtfleet/mtfleet/persistence/seal"
)

// load reads the configuration. Offline is for commands that talk to no DC.
func (a *app) load(offline bool) (*config.Config, error) {
	o, err := a.configOptions(offline)
	if err != nil {
		return nil, err
	}
	return config.Load(o)
}

// official hands the configuration the lists of what is refused.
var official = config.Official{ID: actors.OfficialID, Word: actors.OfficialWord}

func (a *app) configOptions(offline bool) (config.Options, error) {
	o := config.Options{File: a.configFile, Env: a.env, Version: version(), Offline: offline, Official: official, Flags: map[string]string{}}
	for _, s := range a.settings {
		name, value, ok := strings.Cut(s, "=")
		if !ok {
			return o, usage("--set %s: this must be NAME=VALUE; `manager config show` lists the names", s)
		}
		o.Flags[name] = value
	}
	return o, nil
}

// options maps a configuration to what a manager is made of; the store is left
// out.
func options(cfg *config.Config, log *slog.Logger) (actors.Options, error) {
	table, err := table(cfg)
	if err != nil {
		return actors.Options{}, err
	}
	kind, ok := transport.ParseKind(cfg.Transport.Kind)
	if !ok {
		return actors.Options{}, usage("transport.kind: %q is none", cfg.Transport.Kind)
	}
	socket, err := webSocket(cfg)
	if err != nil {
		return actors.Options{}, err
	}
	return actors.Options{
		App: actors.App{
			APIID: cfg.APIID, APIHash: string(cfg.APIHash),
			DeviceModel: cfg.Device.Model, SystemVersion: cfg.Device.SystemVersion, AppVersion: cfg.Device.AppVersion,
			SystemLangCode: cfg.Device.SystemLangCode, LangCode: cfg.Device.LangCode,
		},
		DCs: table, DefaultDC: dc.ID(cfg.FirstDC),
		Proxy:              string(cfg.Proxy),
		Wire:               wire.Config{Kind: kind, Obfuscated: cfg.Transport.Obfuscated, WebSocket: socket},
		Limits:             budget(cfg.Limits).Limits(runtime.NumCPU()),
		MaxCallsPerAccount: cfg.Limits.CallsPerAccount, TempKeysInMemory: !cfg.Store.TempKeys, AllowExport: cfg.Sessions.Export,
		Logger: log,
	}, nil
}

// budget is what the operator lets the process do.
func budget(l config.Limits) governor.Budget {
	return governor.Budget{
		ConnectsPerSecond: l.ConnectsPerSecond, KeyCreationsPerSecond: l.KeyCreationsPerSecond, KeyCreationsAtOnce: l.KeyCreationsAtOnce,
		SignInsPerMinute: l.SignInsPerMinute,
	}.Named()
}

// budgetConfig is a budget as the part "limits" of a configuration, to which other
// limits may be added.
func budgetConfig(b governor.Budget) string {
	return fmt.Sprintf("limits:\n  connects_per_second: %d\n  key_creations_per_second: %d\n  key_creations_at_once: %d\n  sign_ins_per_minute: %d\n",
		b.ConnectsPerSecond, b.KeyCreationsPerSecond, b.KeyCreationsAtOnce, b.SignInsPerMinute)
}

// table returns the DCs of the environment.
func table(cfg *config.Config) (dc.Table, error) {
	switch cfg.Environment {
	case config.Production:
		return dc.Production(), nil
	case config.Test:
		return dc.TestServers(), nil
	}
	var t dc.Table
	for _, d := range cfg.DCs {
		addr, err := netip.ParseAddrPort(d.Addr)
		if err != nil {
			return t, usage("dcs: %q is not an IP address and a port", d.Addr)
		}
		t.Options = append(t.Options, dc.Option{DC: dc.ID(d.ID), Addr: addr, IPv6: addr.Addr().Is6()})
	}
	for _, k := range cfg.RSAKeys {
		t.Keys = append(t.Keys, k.PEM)
	}
	return t, nil
}

// webSocket returns where the DCs of the environment take WebSockets; nil where TCP
// carries the stream.
func webSocket(cfg *config.Config) (*wire.WebSocket, error) {
	t := cfg.Transport
	if t.Carrier != config.WebSocketCarrier {
		return nil, nil
	}
	var builtIn []dc.WebSocket
	switch cfg.Environment {
	case config.Production:
		builtIn = dc.ProductionWebSockets()
	case config.Test:
		builtIn = dc.TestServersWebSockets()
	}
	socket := &wire.WebSocket{}
	for _, w := range t.WebSockets {
		socket.Addresses = append(socket.Addresses, dc.WebSocket{DC: dc.ID(w.ID), Media: w.Media, URL: w.URL})
	}
	for _, w := range builtIn {
		if !slices.ContainsFunc(t.WebSockets, func(own config.WebSocket) bool { return own.ID == int(w.DC) }) {
			socket.Addresses = append(socket.Addresses, w)
		}
	}
	if t.WebSocketCA.PEM != "" {
		socket.RootCAs = x509.NewCertPool()
		if !socket.RootCAs.AppendCertsFromPEM([]byte(t.WebSocketCA.PEM)) {
			return nil, usage("transport.websocket_ca: there is no certificate in it")
		}
	}
	return socket, nil
}

// storeOptions says where the store is and which key it has. A key file made just
// now is announced once.
func (a *app) storeOptions(cfg *config.Config, log *slog.Logger) (badgerstore.Options, error) {
	o := badgerstore.Options{Dir: badgerDir(cfg), Logger: log}
	var err error
	if o.Key, o.KeySource, err = badgerstore.LoadMasterKey(a.keyOptions(cfg)); err == nil {
		a.tellKey(o.KeySource, log)
	}
	return o, err
}

// tellKey says what there is to say of where the master key came from.
func (a *app) tellKey(source seal.KeySource, log *slog.Logger) {
	if source.Shared != "" {
		log.Info("others can read the master key", "from", source.String(), "who", source.Shared)
	}
	if source.Created {
		a.printf("manager: made the store's master key in %s: keep a copy elsewhere, without it nobody can read the store\n", source.File)
	}
}

// badgerDir is where the store's own files are.
func badgerDir(cfg *config.Config) string { return filepath.Join(cfg.Store.Dir, "badger") }

// keyOptions says where the store's master key is.
func (a *app) keyOptions(cfg *config.Config) seal.KeyOptions {
	return seal.KeyOptions{
		Env: lookup(a.env, seal.KeyEnv), Command: cfg.Store.KeyCommand,
		Credential: cfg.Store.KeyCredential, CredentialDir: lookup(a.env, "CREDENTIALS_DIRECTORY"),
		File: cfg.Store.KeyFile, StoreDir: badgerDir(cfg),
	}
}

// openStore opens the store of the data directory, or that of the database, with its
// master key.
func (a *app) openStore(cfg *config.Config, log *slog.Logger) (persistence.Store, error) {
	if cfg.Store.Postgres.Used() {
		store, _, err := a.openDatabaseLogged(cfg, false, log)
		if err != nil {
			return nil, err
		}
		return store, nil
	}
	o, err := a.storeOptions(cfg, log)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(cfg.Store.Dir, 0o700); err != nil {
		return nil, storeDirError(cfg.Store.Dir, err)
	}
	return openWhenFree(o)
}

// storeName is what people are told of where the state is.
func storeName(cfg *config.Config) string {
	if p := cfg.Store.Postgres; p.Used() {
		if url, err := p.Connection(); err == nil {
			if place, err := pgstore.PlaceOf(persistence.SecretText(url), p.Schema); err == nil {
				return "PostgreSQL, " + place
			}
		}
		return fmt.Sprintf("PostgreSQL, schema %q", p.Schema) // opening it says what is wrong
	}
	return absolute(cfg.Store.Dir)
}

// dataIn is where the data is as the configuration has it.
func dataIn(cfg *config.Config) string {
	if cfg.Store.Postgres.Used() {
		return storeName(cfg)
	}
	return cfg.Store.Dir
}

// storeDirError says why there is no data directory, and what to do.
func storeDirError(dir string, err error) error {
	do := "make it for the user that runs this, with mode 0700, or set store.dir to another one"
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		do = "make room on that disk"
	}
	why := err
	var pe *fs.PathError
	if errors.As(err, &pe) {
		why = fmt.Errorf("%s: %w", pe.Path, pe.Err)
	}
	return &exitError{code: exitFailed, kind: control.KindStore, err: err,
		text: fmt.Sprintf("the data directory %s cannot be made: %v: %s", dir, why, do)}
}

// openWhenFree opens the store, and waits a moment for one that is in use.
func openWhenFree(o badgerstore.Options) (*badgerstore.Store, error) {
	for begun := time.Now(); ; time.Sleep(lockRetry) {
		store, err := badgerstore.Open(o)
		if !errors.As(err, new(*persistence.LockedError)) || time.Since(begun) > lockWait {
			if err != nil {
				return nil, err
			}
			return store, nil
		}
	}
}

// A store that is in use may be free in a moment: a command that opens it holds
// it for a few milliseconds, on a machine that is very busy for a second or two.
const (
	lockWait  = 3 * time.Second
	lockRetry = 50 * time.Millisecond
)

func absolute(path string) string {
	if abs, err := filepath.Abs(path); err == nil {
		return abs
	}
	return path
}

func lookup(env []string, name string) (value string) {
	for _, kv := range env {
		if k, v, _ := strings.Cut(kv, "="); k == name {
			value = v
		}
	}
	return value
}

// service reaches the accounts of the configured store: through the manager that
// runs, or, when none does, by opening the store.
// A command that only reads makes no store where there is none: it finds it empty.
func (a *app) service(ctx context.Context, reads bool) (control.Service, error) {
	cfg, err := a.load(false)
	if err != nil {
		return nil, err
	}
	if cfg.Remote.URL != "" {
		return managerElsewhere(cfg.Remote)
	}
	remote, err := dialOwn(ctx, cfg)
	if err == nil {
		return remote, nil
	}
	if !errors.Is(err, control.ErrNobody) {
		return nil, err
	}
	log, err := newLogger(a.err, cfg.Log, slog.LevelWarn)
	if err != nil {
		return nil, err
	}
	o, err := options(cfg, log)
	if err != nil {
		return nil, err
	}
	if err := a.openAlone(cfg, &o, reads, log); err != nil {
		// A manager that was just starting may listen by now.
		if remote, again := dialOwn(ctx, cfg); again == nil {
			return remote, nil
		}
		return nil, err
	}
	d := control.NewDirect(o, control.About{Version: version(), Store: storeName(cfg)}, cfg.Limits.Accounts)
	d.Budget = budget(cfg.Limits)
	return d, nil
}

// openAlone opens the store for a command, while no manager runs on this machine.
func (a *app) openAlone(cfg *config.Config, o *actors.Options, reads bool, log *slog.Logger) (err error) {
	if cfg.Store.Postgres.Used() {
		store, _, err := a.openDatabaseLogged(cfg, reads, log)
		switch {
		case reads && errors.As(err, new(*pgstore.NoStoreError)):
			o.Store = persistence.NewMemory()
		case err != nil:
			return err
		default:
			aloneOn(store, o)
		}
		return nil
	}
	if _, statErr := os.Stat(badgerDir(cfg)); reads && errors.Is(statErr, fs.ErrNotExist) {
		o.Store = persistence.NewMemory()
		return nil
	}
	o.Store, err = a.openStore(cfg, log)
	return err
}

// dialOwn reaches who answers at the control socket, and refuses one that has another
// store: what was meant for one fleet must not be done to another. The error is
// control.ErrNobody when nobody answers.
func dialOwn(ctx context.Context, cfg *config.Config) (control.Service, error) {
	s, err := control.Dial(ctx, cfg.Control.Socket)
	if err != nil {
		return nil, err
	}
	info, err := control.Info.Call(ctx, s, control.Empty{})
	if err == nil && !sameStore(info, cfg) && info.Store != storeName(cfg) { // which may lie in another mount namespace
		err = &exitError{code: exitUsage, kind: control.KindConfig, text: fmt.Sprintf(
			"the manager behind %s has the store in %s, and this configuration's is %s: nothing was done; set the store or control.socket to those of the fleet that is meant",
			absolute(cfg.Control.Socket), info.Store, storeName(cfg))}
	}
	if err != nil {
		_ = s.Close()
		return nil, err
	}
	return s, nil
}

func (a *app) configCommand() *cobra.Command {
	var deep, asJSON bool
	var limit time.Duration
	check := &cobra.Command{
		Use: "check", Short: "Tell what is wrong with the configuration", Args: exactly(),
		Long: `check reads the configuration and says everything that is wrong with it. --deep also
looks at what it names: whether the key can be read and is the store's, files that
others can read, certificates, the hosts of webhooks, the proxy and the DCs. It opens
and changes nothing. The exit code is 10 after a warning, 1 after an error.`,
		RunE: func(c *cobra.Command, _ []string) error {
			a.asJSON = asJSON
			if limit <= 0 {
				return usage("config check: --timeout must be longer than nothing")
			}
			cfg, err := a.load(false)
			if err != nil {
				return err
			}
			log := slog.New(slog.DiscardHandler)
			o, err := options(cfg, log)
			if err != nil {
				return err
			}
			if err := errors.Join(actors.CheckApp(o.App), o.DCs.Check(), checkBackups(cfg.Store.Backup)); err != nil {
				return err
			}
			if deep {
				found, err := a.examineConfig(c.Context(), cfg, o, limit)
				if err != nil {
					return err
				}
				return a.tellFindings(found, asJSON)
			}
			if asJSON {
				return a.printJSON(struct {
					Environment string `json:"environment"`
					DCs         int    `json:"dcs"`
					Store       string `json:"store"`
				}{cfg.Environment, len(o.DCs.DCs()), dataIn(cfg)})
			}
			return a.sayf("The configuration is good: %s, %d DCs, data in %s.", cfg.Environment, len(o.DCs.DCs()), dataIn(cfg))
		},
	}
	check.Flags().BoolVar(&deep, "deep", false, "also look at what it names: keys, certificates, hosts, the proxy, the DCs")
	check.Flags().BoolVar(&asJSON, "json", false, "print JSON to standard output, and errors as JSON to standard error")
	check.Flags().DurationVar(&limit, "timeout", 10*time.Second, "with --deep: how long a DC may take to answer")
	var shown outputFlags
	show := &cobra.Command{
		Use: "show", Short: "Print every setting, its value, where it comes from, what it means", Args: exactly(),
		RunE: func(*cobra.Command, []string) error {
			a.asJSON = shown.json
			o, err := a.configOptions(true)
			if err != nil {
				return err
			}
			cfg, problems := config.Check(o)
			if shown.json {
				err = a.printJSON(struct {
					Settings []config.Setting `json:"settings"`
				}{cfg.Explained()})
			} else {
				_, err = fmt.Fprint(a.out, cfg.Explain())
			}
			if err != nil {
				return err
			}
			if len(problems) > 0 {
				return &config.Error{Problems: problems}
			}
			return nil
		},
	}
	shown.register(show)
	example := &cobra.Command{
		Use: "example", Short: "Print a configuration file with every setting and its default", Args: exactly(),
		RunE: func(*cobra.Command, []string) error {
			_, err := fmt.Fprint(a.out, config.Example())
			return err
		},
	}
	return group("config", "Look at the configuration",
		`Settings come from a YAML file, then from variables that begin with MTFLEET_, then
from --set NAME=VALUE; each overrides the one before it.`, check, show, example)
}

package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/mtfleet/mtfleet/actors/governor"
	"github.com/mtfleet/mtfleet/mtproto/dctest"
	"github.com/mtfleet/mtfleet/mtproto/dctest/api"
	"github.com/mtfleet/mtfleet/mtproto/dctest/serve"
)

// demoFlags are what `demo` takes.
type demoFlags struct {
	accounts, dcs int
	keep          string
	json          bool
	watch, noOpen bool
}

// maxDemoAccounts is what a test number's four digits and 9 DCs have room for.
const maxDemoAccounts = 20_000

func (a *app) demoCommand() *cobra.Command {
	var f demoFlags
	c := &cobra.Command{
		Use: "demo", Short: "See it work: sign in, cut, kill, restart, against a test DC cluster", Args: exactly(),
		Long: `demo starts a cluster of test DCs on loopback TCP and, as a process of its own,
a manager with a new store. It signs accounts in by phone code and by bot token,
calls the API, pushes updates, cuts a DC, ends the manager with SIGKILL, starts it
again from its store, and makes a DC forget its temp keys. Nothing is simulated.

Every figure it reports comes from the ledger of the test DCs, or from comparing
the ledger with the manager's event stream. With --json the last line of standard
output is one JSON object. The exit code is 0 only if every promise held.

With --watch it signs the accounts in and leaves the rest to you: a page has buttons
that cut a DC and give it back, have a DC forget its temp keys, and kill the manager,
which comes back by itself; beside it is the manager's dashboard. The page is opened
in a browser where there is one and somebody is at the terminal; Ctrl-C ends it all.`,
		RunE: func(c *cobra.Command, _ []string) error { return a.demo(c.Context(), f) },
	}
	flags := c.Flags()
	flags.IntVar(&f.accounts, "accounts", 50, "how many accounts")
	flags.IntVar(&f.dcs, "dcs", dctest.DefaultDCs, "how many DCs, 1 to 9")
	flags.StringVar(&f.keep, "keep", "", "put configuration, store, log and ledger in `DIR` and keep them (default: a temporary directory)")
	flags.BoolVar(&f.json, "json", false, "print the result as JSON on the last line of standard output; with --watch, where the pages are")
	flags.BoolVar(&f.watch, "watch", false, "show the fleet in a browser, with buttons that break it")
	flags.BoolVar(&f.noOpen, "no-open", false, "with --watch: open no browser")
	return c
}

func (f demoFlags) check() error {
	switch {
	case f.accounts < 1 || f.accounts > maxDemoAccounts:
		return usage("demo: --accounts %d: this must be 1 to %d", f.accounts, maxDemoAccounts)
	case f.dcs < 1 || f.dcs > 9:
		return usage("demo: --dcs %d: a cluster has 1 to 9 DCs", f.dcs)
	case f.noOpen && !f.watch:
		return usage("demo: --no-open is for --watch: no other demo opens a browser")
	}
	return nil
}

// demo is one demonstration.
type demo struct {
	*app
	f       demoFlags
	exe     string     // this program, for the child
	rules   api.Config // of the test DCs
	dir     string
	people  []person
	cluster *serve.Cluster
	child   *child
	stream  *collector
	calls   *caller
	bar     *progress
	result  demoResult
	cutDC   int // the DC that is cut, and the one that forgets its temp keys
	dropDC  int
}

// person is one account of the demonstration, a bot too. What it needs to sign in
// is from the test DC's directory, as it would be from a phone or @BotFather.
type person struct {
	account string
	userID  int64
	dc      int
	phone   string
	code    string
	token   string
}

// demo runs the demonstration. A promise that did not hold is an error that has
// been shown already.
func (a *app) demo(ctx context.Context, f demoFlags) error {
	a.asJSON = f.json
	if err := f.check(); err != nil {
		return err
	}
	d := &demo{app: a, f: f, bar: newProgress(a.err)}
	var err error
	if d.exe, err = os.Executable(); err != nil {
		return fmt.Errorf("demo: finding this program: %w", err)
	}
	defer d.bar.close()
	if err := d.makeDir(); err != nil {
		return err
	}
	act := d.play
	if f.watch {
		act = d.watch
	}
	err = act(ctx)
	d.end()
	d.bar.close()
	switch {
	case err != nil:
		return d.broken(ctx, err)
	case f.watch:
		d.leave(true)
		return nil
	}
	return d.finish()
}

// makeDir makes the directory everything is in.
func (d *demo) makeDir() (err error) {
	if d.f.keep == "" {
		d.dir, err = os.MkdirTemp("", "mtfleet-demo-")
		return err
	}
	if d.dir, err = filepath.Abs(d.f.keep); err != nil {
		return err
	}
	if err := os.MkdirAll(d.dir, 0o700); err != nil {
		return usage("demo: --keep: %v", err)
	}
	entries, err := os.ReadDir(d.dir)
	if err == nil && len(entries) > 0 {
		return usage("demo: --keep %s: the directory is not empty: name one that is, or that does not exist", d.f.keep)
	}
	return err
}

// end stops what is still there; after a good run the manager has stopped already.
func (d *demo) end() {
	if d.calls != nil {
		d.calls.stop(true)
	}
	if d.child != nil {
		d.child.kill()
		_ = os.Remove(d.child.socket) // one that was killed leaves it, and it may be outside of dir
	}
	if d.cluster != nil {
		_ = d.cluster.Close()
	}
}

// broken ends a demonstration that could not go on.
func (d *demo) broken(ctx context.Context, err error) error {
	if ctx.Err() != nil { // interrupted: nothing is wrong, nothing is worth keeping
		if d.f.keep == "" {
			_ = os.RemoveAll(d.dir)
		}
		return err
	}
	d.printf("manager: everything is kept in %s; manager.log there tells more\n", d.dir)
	if d.f.json {
		d.result.Accounts, d.result.Error = d.f.accounts, describe(err)
		if jsonErr := d.printJSON(d.result); jsonErr != nil {
			return jsonErr
		}
	}
	return err
}

// finish shows the result and picks the exit code.
func (d *demo) finish() error {
	ok := d.result.ok()
	out := d.out
	if d.f.json {
		out = d.err
	}
	d.result.print(out, d)
	d.leave(ok)
	if d.f.json {
		if err := d.printJSON(d.result); err != nil {
			return err
		}
	}
	if !ok {
		return &exitError{code: exitFailed, text: ""}
	}
	return nil
}

// leave removes what was written, unless it is to be kept or something is to be found in
// it.
func (d *demo) leave(ok bool) {
	switch {
	case d.f.keep != "":
		d.printf("kept in %s\n", d.dir)
	case ok:
		_ = os.RemoveAll(d.dir)
	default:
		d.printf("manager.log and ledger.json are in %s\n", d.dir)
	}
}

// start serves the DCs and starts a manager on a new store.
func (d *demo) start(ctx context.Context) (err error) {
	d.bar.begin(fmt.Sprintf("starting %s and a manager", count(d.f.dcs, "test DC")), 0)
	persons := (d.f.accounts + 1) / 2
	d.cluster, err = serve.Start(serve.Config{
		Core:    dctest.Config{DCs: d.f.dcs},
		API:     d.rules,
		Persons: persons, Bots: d.f.accounts - persons,
	})
	if err != nil {
		return testdcError(err)
	}
	descriptor := d.cluster.Descriptor()
	for i, p := range descriptor.Phones {
		d.people = append(d.people, person{account: fmt.Sprintf("person-%04d", i+1), userID: p.UserID, dc: p.DC, phone: p.Number, code: p.Code})
	}
	for i, b := range descriptor.Bots {
		d.people = append(d.people, person{account: fmt.Sprintf("bot-%04d", i+1), userID: b.UserID, dc: b.DC, token: b.Token})
	}
	d.cutDC, d.dropDC = min(2, d.f.dcs), 1
	if err := d.writeConfig(descriptor); err != nil {
		return err
	}
	d.child = &child{app: d.app, exe: d.exe, dir: d.dir, socket: d.socket()}
	if d.f.watch {
		if d.child.board, err = freeAddress(); err != nil {
			return err
		}
	} else {
		d.stream = newCollector(d.people)
		d.child.events = d.stream
	}
	d.calls = newCaller(d)
	if err := d.child.start(ctx); err != nil {
		return err
	}
	d.bar.done("started %s and a manager, process %d", count(d.f.dcs, "test DC"), d.child.cmd.Process.Pid)
	return nil
}

// socket is where the child's control socket is: beside its data, or, where that
// path is too long for a socket, in the temporary directory.
func (d *demo) socket() string {
	const most = 85 // of 103, with room for the directory it is made in
	path := filepath.Join(d.dir, "data", "control.sock")
	if len(path) > most {
		path = filepath.Join(os.TempDir(), fmt.Sprintf("mtfleet-demo-%d.sock", os.Getpid()))
	}
	return path
}

// writeConfig writes the child's configuration: budgets so wide that the DCs are
// the limit, which is polite to nobody but ourselves.
func (d *demo) writeConfig(descriptor serve.Descriptor) error {
	d.result.Governor = governor.Loopback()
	more := budgetConfig(d.result.Governor) + fmt.Sprintf(`  accounts: %d
log:
  format: json
control:
  socket: %q
`, max(d.f.accounts, 100), d.socket())
	return writeFile(filepath.Join(d.dir, "manager.yaml"), []byte(clusterConfig(descriptor, more)))
}

// demoTimeouts bound the waits. A machine under load is slow, not broken.
const (
	startTimeout   = 30 * time.Second
	signInTimeout  = 60 * time.Second
	onlineTimeout  = 60 * time.Second
	updatesTimeout = 10 * time.Second // the ledger's own measure of a lost update
	stopTimeout    = 20 * time.Second
)

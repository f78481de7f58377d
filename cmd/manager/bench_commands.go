package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/mtfleet/mtfleet/cmd/manager/bench"
	"github.com/mtfleet/mtfleet/cmd/manager/bench/page"
	"github.com/mtfleet/mtfleet/cmd/manager/control"
)

// benchCommandsFlags are what `bench commands` takes.
type benchCommandsFlags struct {
	accounts, dcs, times   int
	inMemory, disk, seeded bool
	busy                   bool
	out                    benchOutput
}

// commandMost is how long a command that looks at a fleet may take, however many accounts there are.
const commandMost = 200 * time.Millisecond

func (a *app) benchCommandsCommand() *cobra.Command {
	var f benchCommandsFlags
	c := &cobra.Command{
		Use: "commands", Short: "Measure the commands that look at a fleet", Args: exactly(),
		Long: `commands has bots online, serves the control API as run does, and looks at them by the
commands that operators use: status, account list of a state that few are in, and account
list of everybody. Each is a process of its own, from its start until its last byte.

With --json the last line of standard output is one JSON object. The exit code is 0 if
status and the list of a state took no more than 200 ms in 99 of 100 cases (--busy leaves
that out), and every account was online.`,
		RunE: func(c *cobra.Command, _ []string) error { return a.benchCommands(c.Context(), f) },
	}
	flags := c.Flags()
	flags.IntVar(&f.accounts, "accounts", 1000, "how many bots")
	flags.IntVar(&f.dcs, "dcs", 5, "how many DCs, 1 to 9")
	flags.IntVar(&f.times, "times", 50, "how often each command runs, 1 to 1000")
	flags.BoolVar(&f.disk, "disk", false, "on Badger, as run has it, and not on the store in memory")
	flags.BoolVar(&f.inMemory, "in-memory", false, inMemoryHelp)
	flags.BoolVar(&f.seeded, "seeded", false, seededHelp)
	flags.BoolVar(&f.busy, "busy", false, "other work runs beside it: times are shown and not judged")
	f.out.add(c)
	return c
}

// commandsResult is what bench commands found.
type commandsResult struct {
	Accounts int              `json:"accounts"`
	Online   int              `json:"online"`
	Commands []commandFigures `json:"commands"`
	Seeded   bool             `json:"seeded"`
	OK       bool             `json:"ok"`
	DCs      int              `json:"dcs"`
	benchReport
}

// commandFigures are how long a command took, in milliseconds.
type commandFigures struct {
	Command string  `json:"command"`
	Times   int     `json:"times"`
	Bytes   int     `json:"bytes"` // what it printed
	P50     float64 `json:"p50_ms"`
	P99     float64 `json:"p99_ms"`
	Max     float64 `json:"max_ms"`

	args   []string
	judged bool
	took   *bench.Latency
}

func (a *app) benchCommands(ctx context.Context, f benchCommandsFlags) error {
	if f.times < 1 || f.times > 1000 {
		return usage("bench commands: --times %d: this must be 1 to 1000", f.times)
	}
	if err := checkFleet("bench commands", f.accounts, f.dcs, f.inMemory); err != nil {
		return err
	}
	r := &commandsResult{Accounts: f.accounts, Seeded: f.seeded, DCs: f.dcs, benchReport: newReport()}
	plan := benchPlan{accounts: f.accounts, bots: f.accounts, dcs: f.dcs, inMemory: f.inMemory, disk: f.disk, seeded: f.seeded}
	return a.playBench(ctx, f.out, plan, func(ctx context.Context, w *benchWorld) error {
		if err := r.run(ctx, w, f); err != nil {
			return err
		}
		w.bar.close()
		return a.tellBench(f.out, r.OK, r)
	})
}

func (r *commandsResult) run(ctx context.Context, w *benchWorld, f benchCommandsFlags) (err error) {
	if err := w.fill(ctx, 0); err != nil {
		return err
	}
	if err := w.somebodyAway(ctx); err != nil {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	socket := filepath.Join(w.dir, "manager.sock")
	listener, err := control.Listen(socket)
	if err != nil {
		return err
	}
	about := control.About{Running: true, PID: os.Getpid(), Version: version(), Since: time.Now(), Store: filepath.Join(w.dir, "store")}
	server := control.Serve(listener, &control.Local{Manager: w.manager, About: about})
	defer func() {
		grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		err = errors.Join(err, server.Shutdown(grace))
	}()
	w.bar.say("running commands")
	for _, c := range []commandFigures{
		{Command: "status", args: []string{"status"}, judged: true},
		{Command: "account list --state paused", args: []string{"account", "list", "--state", "paused"}, judged: true},
		{Command: "account list", args: []string{"account", "list"}},
	} {
		c.took = bench.NewLatency()
		args := append([]string{"--config", w.quietly.configFile, "--set", "control.socket=" + socket, "--set", "store.dir=" + about.Store}, c.args...)
		for range f.times {
			begun := time.Now()
			out, err := exec.CommandContext(ctx, self, args...).Output()
			if err != nil {
				var ended *exec.ExitError
				if errors.As(err, &ended) {
					err = fmt.Errorf("%w: %s", err, bytes.TrimSpace(ended.Stderr))
				}
				return fmt.Errorf("bench: manager %s: %w", c.Command, err)
			}
			c.took.Record(time.Since(begun))
			c.Bytes = len(out)
		}
		c.Times = int(c.took.Count())
		c.P50, c.P99, c.Max = millis(c.took.Quantile(0.5)), millis(c.took.Quantile(0.99)), millis(c.took.Quantile(1))
		r.Commands = append(r.Commands, c)
	}
	w.bar.done("ran %s", count(len(r.Commands)*f.times, "command"))
	acc, err := w.manager.Account(botName(0))
	if err != nil {
		return err
	}
	if err := acc.Resume(ctx); err != nil {
		return err
	}
	if err := w.allOnline(ctx); err != nil {
		return err
	}
	r.Online = w.onlineNow()
	r.OK = r.Online == r.Accounts
	for _, c := range r.Commands {
		r.OK = r.OK && c.Bytes > 0 && (f.busy || !c.judged || c.P99 <= millis(commandMost))
	}
	return r.conclude(w)
}

// somebodyAway pauses one account, for the list of a state.
func (w *benchWorld) somebodyAway(ctx context.Context) error {
	acc, err := w.manager.Account(botName(0))
	if err != nil {
		return err
	}
	return acc.Pause(ctx)
}

func (r *commandsResult) print(w io.Writer) {
	lines := []benchLine{{"online in the end", thousands(r.Online), ""}}
	for _, c := range r.Commands {
		lines = append(lines, benchLine{c.Command + ", p50 and p99", fmt.Sprintf("%.1f ms", c.P50), fmt.Sprintf("%.1f ms, %.1f at most; ran %s, printed %s bytes", c.P99, c.Max, count(c.Times, "time"), thousands(c.Bytes))})
	}
	printLines(w, fmt.Sprintf("bench commands: %s on %s%s", count(r.Accounts, "account"), count(r.DCs, "DC"), seededNote(r.Seeded)), lines)
	r.footer(w)
}

func (r *commandsResult) charts() (list []page.Chart) {
	for _, c := range r.Commands {
		list = append(list, latencyChart("How long manager "+c.Command+" took", c.took))
	}
	return list
}

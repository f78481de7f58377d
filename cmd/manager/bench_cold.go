package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/mtfleet/mtfleet/actors/governor"
	"github.com/mtfleet/mtfleet/cmd/manager/bench"
	"github.com/mtfleet/mtfleet/mtproto/dctest/serve"
)

// This file starts a manager in a process of its own on a store that another process
// made, for bench restart: nothing of it is warm but the system's cache of files.

// coldPlan is what the new process is told, in the file coldFile of its directory.
type coldPlan struct {
	Accounts int              `json:"accounts"`
	DCs      int              `json:"dcs"`
	Budget   governor.Budget  `json:"budget"`
	DC       serve.Descriptor `json:"dc"`
	Profile  string           `json:"profile"` // where a CPU profile goes, empty for nowhere
}

const coldFile = "cold.json"

// coldStart is what a start was like.
type coldStart struct {
	comeback
	// StoreOpen and ManagerOpen are seconds from when the store began to be opened;
	// every account was read in the end.
	StoreOpen   float64 `json:"store_open_s"`
	ManagerOpen float64 `json:"manager_open_s"`
	// RSS is the process's memory with everybody online, after a collection, and RSSMost
	// the most it ever had; 0 where the system does not tell.
	RSS     float64 `json:"rss_mib"`
	RSSMost float64 `json:"rss_most_mib"`
}

// benchColdCommand is what bench restart starts; it is of no use alone.
func (a *app) benchColdCommand() *cobra.Command {
	var dir string
	c := &cobra.Command{
		Use: "cold", Short: "Start a manager on the store of bench restart", Args: exactly(), Hidden: true,
		RunE: func(c *cobra.Command, _ []string) error { return a.benchCold(c.Context(), dir) },
	}
	c.Flags().StringVar(&dir, "dir", "", "where bench restart has left it")
	return c
}

func (a *app) benchCold(ctx context.Context, dir string) error {
	if err := a.benchSettings(); err != nil {
		return err
	}
	text, err := os.ReadFile(filepath.Join(dir, coldFile))
	if err != nil {
		return usage("bench cold: this is for bench restart: %v", err)
	}
	var p coldPlan
	if err := json.Unmarshal(text, &p); err != nil {
		return usage("bench cold: %s: %v", coldFile, err)
	}
	w := &benchWorld{
		app: a, quietly: *a, dir: dir, line: bench.NewLine(false), bar: newProgress(io.Discard),
		plan: benchPlan{accounts: p.Accounts, dcs: p.DCs, budget: p.Budget, disk: true, target: &p.DC},
	}
	defer w.bar.close()
	profiled, err := bench.Profile(p.Profile)
	if err != nil {
		return err
	}
	err = w.prepare(ctx)
	var cold coldStart
	if err == nil {
		err = w.startCold(ctx, &cold)
	}
	if err == nil {
		err = a.printJSON(cold)
	}
	return errors.Join(err, profiled(), w.stop(), closeAll(w.closers))
}

// startCold opens the store and a manager on it, and watches the accounts come online.
func (w *benchWorld) startCold(ctx context.Context, c *coldStart) error {
	c.Accounts = w.plan.accounts
	dials, begun := w.line.Dials(), time.Now()
	if err := w.open(); err != nil {
		return err
	}
	c.StoreOpen, c.ManagerOpen = round3(w.storeOpen.Sub(begun).Seconds()), round3(time.Since(begun).Seconds())
	// However long the store took, whoever it read may still come.
	patience := time.Since(begun) + 2*w.optimum(c.Accounts) + stormPatience
	if err := w.comeOnline(ctx, &c.comeback, c.Accounts, begun, patience); err != nil {
		return err
	}
	c.CPU, c.Attempts = round3(bench.CPU().Seconds()), w.line.Dials()-dials
	c.RSS, c.RSSMost = round3(mib(bench.TakeStock().RSS)), round3(mib(bench.MostRSS()))
	return nil
}

// runCold has another process do it; the DCs' side is for the caller.
func (w *benchWorld) runCold(ctx context.Context, c *coldStart, profile string) error {
	text, err := json.Marshal(coldPlan{w.plan.accounts, w.plan.dcs, w.budget, w.dc.Descriptor, profile})
	if err != nil {
		return err
	}
	if err := writeFile(filepath.Join(w.dir, coldFile), text); err != nil {
		return err
	}
	exe, err := os.Executable()
	if err != nil {
		return fmt.Errorf("bench: finding this program: %w", err)
	}
	args := []string{"bench", "cold", "--dir", w.dir}
	for _, s := range w.settings {
		args = append(args, "--set", s)
	}
	cmd := exec.CommandContext(ctx, exe, args...)
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 30 * time.Second
	cmd.Env = w.cleanEnv()
	var out, words bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &words
	err = cmd.Run()
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if jsonErr := json.Unmarshal(out.Bytes(), c); err == nil {
		err = jsonErr
	}
	if err != nil {
		return fmt.Errorf("bench: the manager that was started on the store: %w: %s", err, strings.TrimSpace(words.String()))
	}
	return nil
}

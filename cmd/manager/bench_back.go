package main

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/mtfleet/mtfleet/actors/governor"
	"github.com/mtfleet/mtfleet/cmd/manager/bench"
)

// This file has what bench storm and bench restart share: many accounts that come
// online at once, and how long that takes.

// onlineLook is how often the accounts are looked at, and the resolution of the times.
// Where there are so many that a look takes long, there are fewer: a look may take a
// lookPart-th of the time. lookMost bounds that, for on a busy machine a look is long
// because it waits for a CPU.
const (
	onlineLook = 20 * time.Millisecond
	lookPart   = 25
	lookMost   = 500 * time.Millisecond
)

// lookAgain is the pause after a look.
func lookAgain(took time.Duration) time.Duration {
	return min(max(onlineLook, lookPart*took), lookMost)
}

// comeback is how accounts came online.
type comeback struct {
	Accounts int `json:"accounts"`
	Online   int `json:"online"` // in the end
	// Seconds until half of the accounts were online, 99 of 100, and all; 0 where it
	// did not come to that.
	Online50  float64 `json:"online_50_s"`
	Online99  float64 `json:"online_99_s"`
	Online100 float64 `json:"online_100_s"`
	// Optimum is accounts / connects a second of the budget, of all DCs, in seconds, and
	// Ratio that of Online99 to it, counted from the first dial.
	Optimum float64 `json:"optimum_s"`
	Ratio   float64 `json:"ratio_to_optimum"`
	// Keys are perm and temp keys that the DCs made meanwhile.
	Keys     int     `json:"keys_created"`
	Attempts int64   `json:"attempts"` // dials, whatever came of them
	CPU      float64 `json:"cpu_s"`    // of the manager's process
	DCCPU    float64 `json:"dc_cpu_s"`
	// Curve is how many were online when: seconds and accounts, where it changed.
	Curve [][2]float64 `json:"curve"`
}

// optimum is how long the budget lets so many accounts take.
func (w *benchWorld) optimum(accounts int) time.Duration {
	return time.Duration(float64(accounts) / float64(w.plan.dcs*w.budget.ConnectsPerSecond) * float64(time.Second))
}

// comeOnline watches n accounts come online and notes when, counted from a moment,
// until all are or the patience has ended.
func (w *benchWorld) comeOnline(ctx context.Context, c *comeback, n int, from time.Time, patience time.Duration) error {
	w.bar.say(fmt.Sprintf("waiting for %s", count(n, "account")))
	all := w.manager.Accounts()
	for last := -1; ; {
		begun := time.Now()
		now := onlineOf(all)
		at := round3(time.Since(from).Seconds())
		if now != last {
			last = now
			c.Curve = append(c.Curve, [2]float64{at, float64(now)})
		}
		c.Online = now
		for _, mark := range []struct {
			at  *float64
			all int
		}{{&c.Online50, (n + 1) / 2}, {&c.Online99, (n*99 + 99) / 100}, {&c.Online100, n}} {
			if *mark.at == 0 && now >= mark.all {
				*mark.at = max(at, 0.001)
			}
		}
		if now >= n || time.Since(from) > patience {
			return nil
		}
		if err := sleep(ctx, lookAgain(time.Since(begun))); err != nil {
			return err
		}
	}
}

// stretch is what is counted from a moment on.
type stretch struct {
	w     *benchWorld
	keys  int
	dials int64
	cpu   time.Duration
	dc    time.Duration
}

func (w *benchWorld) beginStretch(ctx context.Context) (stretch, error) {
	n, err := w.dc.counts(ctx)
	return stretch{w, n.PermKeys + n.TempKeys, w.line.Dials(), bench.CPU(), w.dc.cpu()}, err
}

// end fills in what came since.
func (s stretch) end(ctx context.Context, c *comeback) error {
	c.CPU = round3((bench.CPU() - s.cpu).Seconds())
	c.DCCPU = round3((s.w.dc.cpu() - s.dc).Seconds())
	c.Attempts = s.w.line.Dials() - s.dials
	n, err := s.w.dc.counts(ctx)
	c.Keys = n.PermKeys + n.TempKeys - s.keys
	return err
}

// What 99 of 100 may take is this many times the optimum; where all fit into a second
// there is nothing to pace, and a second is not judged.
const (
	optimumTimes = 1.2
	optimumLeast = time.Second
)

// judge compares with the optimum, and tells whether all is well: everybody is online,
// with the keys there were, and in time unless the machine is busy. first is when the
// first dial was made, in seconds.
func (c *comeback) judge(optimum time.Duration, first float64, busy bool) bool {
	c.Optimum = round3(optimum.Seconds())
	took := c.Online99 - first
	if c.Optimum > 0 && c.Online99 > 0 {
		c.Ratio = round3(took / c.Optimum)
	}
	inTime := busy || took <= max(optimumTimes*c.Optimum, optimumLeast.Seconds())
	return c.Online == c.Accounts && c.Keys == 0 && inTime
}

// lines are for a person.
func (c *comeback) lines() []benchLine {
	s := func(v float64) string {
		if v == 0 {
			return "never"
		}
		return fmt.Sprintf("%.2f s", v)
	}
	return []benchLine{
		{"online in the end", thousands(c.Online), fmt.Sprintf("of %s", thousands(c.Accounts))},
		{"half of them", s(c.Online50), ""},
		{"99 of 100", s(c.Online99), fmt.Sprintf("the budget permits %.2f s, ratio %.2f", c.Optimum, c.Ratio)},
		{"all", s(c.Online100), ""},
		{"keys made", thousands(c.Keys), ""},
		{"dials", thousands(int(c.Attempts)), ""},
		{"CPU", fmt.Sprintf("%.2f s", c.CPU), fmt.Sprintf("%.2f s of the test DC's beside it", c.DCCPU)},
	}
}

// preset is a budget of the governor by its name.
func preset(name string) (governor.Budget, error) {
	for _, b := range []governor.Budget{governor.Loopback(), governor.Production()} {
		if b.Preset == name {
			return b, nil
		}
	}
	return governor.Budget{}, usage("bench: --preset %s: this must be loopback or production", name)
}

// presetHelp explains --preset.
const presetHelp = "the budget of the governor: `NAME` is loopback or production"

// signInAll signs all accounts of the plan in, those of the bots from the first on, as
// the way to what is measured.
func (w *benchWorld) signInAll(ctx context.Context, first int) error {
	w.bar.begin("signing in "+count(w.plan.accounts, "bot"), w.plan.accounts)
	if _, err := w.signIn(ctx, first, w.plan.accounts, benchWidth(), w.plan.options); err != nil {
		return err
	}
	w.bar.done("signed in %s", count(w.plan.accounts, "bot"))
	return nil
}

func printComeback(w io.Writer, title string, c *comeback, more []benchLine, r *benchReport) {
	printLines(w, title, append(c.lines(), more...))
	r.footer(w)
}

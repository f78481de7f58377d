package main

import (
	"cmp"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"time"
)

// aim is what a kill waits for: so many milliseconds at most after the manager was
// started, or after something began.
type aim struct {
	what   string
	weight int
	within time.Duration
	op     op   // after one began
	start  bool // after the process was started
	// patience is how long one is waited for, zero: aimTime. Connections for media
	// are opened when the manager has learned that there are such addresses, and how
	// a DC takes a bind.
	patience time.Duration
}

var aims = []aim{
	{what: "any time", weight: 26, within: 2500 * time.Millisecond, start: true},
	{what: "a start", weight: 12, within: 250 * time.Millisecond, start: true},
	{what: "a sign-in", weight: 18, within: 250 * time.Millisecond, op: opSignIn},
	{what: "a rotation", weight: 8, within: 80 * time.Millisecond, op: opRotate},
	{what: "a rotation of a slot for media too", weight: 8, within: 120 * time.Millisecond, op: opMediaRotate, patience: 5 * time.Second},
	{what: "the opening of a slot for media", weight: 8, within: 120 * time.Millisecond, op: opMediaKey, patience: 5 * time.Second},
	{what: "a logout", weight: 10, within: 60 * time.Millisecond, op: opLogOut},
	{what: "a guest call", weight: 6, within: 80 * time.Millisecond, op: opGuest},
	{what: "an addition", weight: 4, within: 30 * time.Millisecond, op: opAdd},
	{what: "a removal", weight: 4, within: 40 * time.Millisecond, op: opRemove},
}

// Limits of what is waited for: until a manager answers, and until something begins
// that a kill is aimed at.
const (
	startTime = 30 * time.Second
	aimTime   = 2 * time.Second
)

func draw(r *rand.Rand) aim {
	total := 0
	for _, a := range aims {
		total += a.weight
	}
	n := r.IntN(total)
	for _, a := range aims {
		if n -= a.weight; n < 0 {
			return a
		}
	}
	return aims[0]
}

// storm kills one manager after the other, and starts the next.
func (w *world) storm(ctx context.Context) error {
	r := rng(w.seed, 1)
	for n := 1; n <= w.kills; n++ {
		m, a := w.current(), draw(r)
		after := time.Duration(r.Int64N(int64(a.within)))
		if w.plant == plantOldStore && n == 2 {
			if err := w.putBack(ctx, m); err != nil {
				return err
			}
			m = w.current()
		}
		if err := w.take(ctx, m, a, after); err != nil {
			return err
		}
		w.kill(m, a)
		if err := w.next(); err != nil {
			return err
		}
	}
	return nil
}

// take waits for the moment of a kill.
func (w *world) take(ctx context.Context, m *process, a aim, after time.Duration) error {
	if a.start {
		return sleep(ctx, time.Until(m.begun.Add(after)))
	}
	if err := w.awaitReady(ctx, m); err != nil {
		return err
	}
	select {
	case <-w.started[a.op]: // of before
	default:
	}
	select {
	case <-w.started[a.op]:
	case <-m.gone:
	case <-time.After(cmp.Or(a.patience, aimTime)):
	case <-ctx.Done():
		return ctx.Err()
	}
	return sleep(ctx, after)
}

// awaitReady waits until a manager answers.
func (w *world) awaitReady(ctx context.Context, m *process) error {
	select {
	case <-m.ready:
	case <-m.gone:
	case <-time.After(startTime):
		w.find(foundDied, "", "the manager of life %d did not answer within %v", m.n, startTime)
	case <-ctx.Done():
		return ctx.Err()
	}
	return nil
}

// kill ends a manager by SIGKILL, and notes in the midst of what.
func (w *world) kill(m *process, a aim) {
	var in []string
	if !m.answers() {
		in = append(in, "start")
	}
	for what := range ops {
		if w.doing[what].Load() > 0 {
			in = append(in, opNames[what])
		}
	}
	m.killed.Store(true)
	if m.isGone() {
		w.find(foundDied, "", "the manager of life %d ended by itself: %v", m.n, m.ended)
	}
	_ = m.cmd.Process.Kill()
	m.close()
	w.result.Kills++
	for _, what := range in {
		w.result.Hit[what]++
	}
	if w.verbose {
		fmt.Fprintf(os.Stderr, "%s kill %d, aimed at %s, %v after its start, in the midst of %v\n",
			clock(), w.result.Kills, a.what, time.Since(m.begun).Round(time.Millisecond), in)
	}
}

func clock() string { return time.Now().UTC().Format("15:04:05.000") }

// putBack is a fault of the test's own: the store of before a sign-in takes the place
// of the one after it.
func (w *world) putBack(ctx context.Context, m *process) error {
	w.kill(m, aim{what: "a plant"})
	before := w.dir + "/before"
	if err := os.CopyFS(before, os.DirFS(storeIn(w.dir))); err != nil {
		return err
	}
	out := map[*person]int{}
	for _, p := range w.people {
		if in, began := p.standing(); !in {
			out[p] = began
		}
	}
	if err := w.next(); err != nil {
		return err
	}
	for begun, came := time.Now(), false; !came; {
		if time.Since(begun) > time.Minute {
			return fmt.Errorf("the plant: nobody signed in within a minute")
		}
		if err := sleep(ctx, 10*time.Millisecond); err != nil {
			return err
		}
		for p, before := range out {
			in, began := p.standing()
			came = came || in && began > before // under a key that the old store has not seen
		}
	}
	w.kill(w.current(), aim{what: "a plant"})
	// The directory stays: a store that was moved would be refused for that.
	old, err := os.ReadDir(storeIn(w.dir))
	if err != nil {
		return err
	}
	for _, f := range old {
		if err := os.RemoveAll(storeIn(w.dir) + "/" + f.Name()); err != nil {
			return err
		}
	}
	if err := os.CopyFS(storeIn(w.dir), os.DirFS(before)); err != nil {
		return err
	}
	return w.next()
}

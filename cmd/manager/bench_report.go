package main

import (
	"fmt"
	"io"
	"math"
	"runtime"
	"time"

	"github.com/mtfleet/mtfleet/actors/governor"
	"github.com/mtfleet/mtfleet/cmd/manager/bench"
)

// benchReport is what every result of a benchmark carries beside its figures.
type benchReport struct {
	Machine  bench.Machine     `json:"machine"`
	Versions map[string]string `json:"versions"`
	Governor governor.Budget   `json:"governor"` // that the manager ran under
	Store    string            `json:"store"`
	// InMemory says that the DCs were in this process, so that all figures are of both.
	InMemory bool `json:"in_memory"`
	// FloorMS is the CPU of the arithmetic of one key, measured in this run.
	FloorMS float64 `json:"floor_ms_per_key"`
}

// newReport begins a report; the load of the machine is that before the run.
func newReport() benchReport {
	return benchReport{Machine: bench.ThisMachine(), Versions: bench.Versions()}
}

// floorKeys is how many keys the floor is the average of: a quarter of a second.
const floorKeys = 64

// conclude fills in what is known at the end. The floor is measured here unless it
// was in the run.
func (r *benchReport) conclude(w *benchWorld) error {
	r.Governor, r.Store, r.InMemory = w.budget, "memory", w.plan.inMemory
	if w.disk != nil {
		r.Store = "badger"
	}
	r.Machine.LoadAfter = bench.LoadAverage()
	if r.FloorMS > 0 {
		return nil
	}
	f, err := bench.NewFloor(w.keys[0])
	if err != nil {
		return err
	}
	var m bench.Meter
	m.Start()
	f.Keys(floorKeys, 1)
	m.Stop()
	r.FloorMS = per(m.Sum.CPU, floorKeys, time.Millisecond)
	return nil
}

// footer is for a person.
func (r *benchReport) footer(w io.Writer) {
	m := r.Machine
	if r.InMemory {
		fmt.Fprintf(w, "\n  The test DCs are in this process: memory, goroutines and CPU are of both.\n")
	}
	fmt.Fprintf(w, "\n  %s, %s, %s %s, load %s before and %s after.\n  Store: %s. Floor of one key: %.2f ms of CPU. Governor, %s.\n\n",
		m.Go, m.System, count(m.CPUs, "CPU"), m.CPU, m.LoadBefore, m.LoadAfter, r.Store, r.FloorMS, r.Governor)
}

// benchLine is one figure as a person reads it.
type benchLine struct{ what, value, note string }

// printLines prints figures under a title.
func printLines(w io.Writer, title string, lines []benchLine) {
	fmt.Fprintf(w, "\n%s\n\n", title)
	for _, l := range lines {
		fmt.Fprintf(w, "  %s%s%s\n", pad(l.what, 42), pad(l.value, 14), l.note)
	}
}

// per is a share of a sum in a unit, to three digits behind the point.
func per(sum time.Duration, n int, unit time.Duration) float64 {
	if n == 0 {
		return 0
	}
	return round3(float64(sum) / float64(n) / float64(unit))
}

// finish shows a result to a person, and with --json to a machine: one object, the
// last line. A result that is not ok is exit code 1, and says itself why.
func (a *app) finishBench(ok bool, result any, print func(io.Writer)) error {
	out := a.out
	if a.asJSON {
		out = a.err
	}
	print(out)
	if a.asJSON {
		if err := a.printJSON(result); err != nil {
			return err
		}
	}
	if !ok {
		return &exitError{code: exitFailed, text: ""}
	}
	return nil
}

// benchWidth is how many sign-ins are under way at once where they are only the way
// to what is measured.
func benchWidth() int { return 8 * runtime.GOMAXPROCS(0) }

// round3 is a figure to three digits behind the point: more is never measured.
func round3(v float64) float64 { return math.Round(v*1000) / 1000 }

// maxBots is how many accounts a benchmark may have: a test DC holds as many
// connections, and as many bots. In memory it may be told of one more, who comes and
// goes.
const maxBots = 100_000

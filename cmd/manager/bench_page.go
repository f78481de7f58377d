package main

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/mtfleet/mtfleet/cmd/manager/bench"
	"github.com/mtfleet/mtfleet/cmd/manager/bench/page"
)

// benchOutput is how a result is told beside the table for a person.
type benchOutput struct {
	json   bool
	report string // a file
}

func (o *benchOutput) add(c *cobra.Command) {
	c.Flags().BoolVar(&o.json, "json", false, "print the result as JSON on the last line of standard output")
	c.Flags().StringVar(&o.report, "report", "", "write the result with charts to `FILE`, one HTML page that loads nothing")
}

// check refuses a file that could not be written when all is measured.
func (o *benchOutput) check() error {
	if o.report == "" {
		return nil
	}
	if at, err := os.Stat(filepath.Dir(o.report)); err != nil || !at.IsDir() {
		return usage("bench: --report %s: there is no such folder", o.report)
	}
	if at, err := os.Stat(o.report); err == nil && !at.Mode().IsRegular() {
		return usage("bench: --report %s: this is no file", o.report)
	}
	return nil
}

// benchResult is what a benchmark found.
type benchResult interface {
	print(io.Writer)
	charts() []page.Chart
}

// tellBench shows a result, and writes it where it was asked for. What was measured is
// shown also where the file cannot be written.
func (a *app) tellBench(o benchOutput, ok bool, r benchResult) error {
	told := a.finishBench(ok, r, r.print)
	if o.report == "" {
		return told
	}
	var text, out bytes.Buffer
	r.print(&text)
	title, rest, _ := strings.Cut(strings.TrimSpace(text.String()), "\n")
	if err := (page.Page{Title: title, Text: strings.Trim(rest, "\n"), Charts: r.charts(), Result: r}).Write(&out); err != nil {
		return err
	}
	if err := writeFile(o.report, out.Bytes()); err != nil {
		return err
	}
	a.printf("  report written to %s\n", o.report)
	return told
}

// latencyChart is a distribution in milliseconds.
func latencyChart(title string, l *bench.Latency) page.Chart {
	c := page.Bars{Title: title, X: "milliseconds", Y: "how many"}
	if l == nil {
		return c
	}
	for _, b := range l.Bars() {
		ms := func(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
		c.Bars = append(c.Bars, page.Bar{From: ms(b.From), To: ms(b.To), Count: float64(b.Count)})
	}
	return c
}

func (r *callsResult) charts() (list []page.Chart) {
	cpu := page.Shares{Title: "Where the CPU of a call went", Unit: "µs"}
	for _, c := range r.Shapes {
		list = append(list, latencyChart("How long calls took: "+c.String(), c.took))
		cpu.Rows = append(cpu.Rows, page.Row{What: c.String(), Shares: []page.Share{{What: "manager", Value: c.CPU}, {What: "test DC", Value: c.DCCPU}}})
	}
	return append(list, cpu)
}

func (r *loginsResult) charts() (list []page.Chart) {
	cpu := page.Shares{Title: "Where the CPU of a sign-in went", Unit: "ms"}
	for _, l := range r.Rows {
		list = append(list, latencyChart("How long sign-ins took: "+l.String(), l.took))
		cpu.Rows = append(cpu.Rows, page.Row{What: l.String(), Shares: []page.Share{
			{What: "floor", Value: l.Floor}, {What: "the manager's rest", Value: round3(l.CPU - l.Floor)}, {What: "test DC", Value: l.DCCPU},
		}})
	}
	return append(list, cpu)
}

func (r *idleResult) charts() []page.Chart {
	rest := round3(r.RSS - r.HeapHeld - r.Stacks)
	return []page.Chart{page.Shares{Title: "Memory of an account", Unit: "KiB", Rows: []page.Row{{What: "RSS", Shares: []page.Share{
		{What: "live heap", Value: r.Heap}, {What: "gaps of the heap", Value: round3(r.HeapHeld - r.Heap)}, {What: "stacks", Value: r.Stacks}, {What: "the rest", Value: rest},
	}}}}}
}

func (c *comeback) charts() []page.Chart {
	online := page.Steps{Title: "Accounts online", X: "seconds", Y: "online", Most: float64(c.Accounts)}
	for _, at := range c.Curve {
		online.Points = append(online.Points, page.Point{X: at[0], Y: at[1]})
	}
	return []page.Chart{online, page.Shares{Title: "Where CPU went", Unit: "s", Rows: []page.Row{
		{What: "all accounts", Shares: []page.Share{{What: "manager", Value: c.CPU}, {What: "test DC", Value: c.DCCPU}}},
	}}}
}

// chart is the distribution of a phase, nil that of none.
func (p *loadPhase) chart(title string) page.Chart {
	l := bench.NewLatency()
	if p != nil {
		for _, took := range p.took {
			l.Record(took)
		}
	}
	return latencyChart(title, l)
}

package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/mtfleet/mtfleet/cmd/manager/bench"
	"github.com/mtfleet/mtfleet/cmd/manager/bench/page"
	"github.com/mtfleet/mtfleet/cmd/manager/control"
	"github.com/mtfleet/mtfleet/cmd/manager/dashboard"
)

// benchDashboardFlags are what `bench dashboard` takes.
type benchDashboardFlags struct {
	accounts, dcs, loads   int
	during                 time.Duration
	inMemory, seeded, busy bool
	open                   bool
	out                    benchOutput
}

// What the fleet's page may take: until all rows are at the browser, and of a core while
// it is open.
const (
	fleetMost  = time.Second
	streamMost = 5.0 // percent
)

func (a *app) benchDashboardCommand() *cobra.Command {
	var f benchDashboardFlags
	c := &cobra.Command{
		Use: "dashboard", Short: "Measure the dashboard's page of a fleet", Args: exactly(),
		Long: `dashboard has bots online and asks their manager's dashboard for the page of the fleet:
how long the page takes, how long until all rows have come after it, how many bytes they
have, and how much of a core the open page costs while nothing happens and while an
account is paused and resumed every second. That is the CPU of the process with the page
open less that without; the reader is in the same process.

With --open it measures nothing: it prints a link for a browser, and waits for Ctrl-C.

With --json the last line of standard output is one JSON object. The exit code is 0 if
page and rows took, at p50, less than a second and the open page less than 5 % of a core
(--busy leaves both out of it), and every account was online.`,
		RunE: func(c *cobra.Command, _ []string) error { return a.benchDashboard(c.Context(), f) },
	}
	flags := c.Flags()
	flags.IntVar(&f.accounts, "accounts", 1000, "how many bots")
	flags.IntVar(&f.dcs, "dcs", 5, "how many DCs, 1 to 9")
	flags.IntVar(&f.loads, "loads", 10, "how often the page is loaded, 1 to 1000")
	flags.DurationVar(&f.during, "for", 15*time.Second, "how long CPU is measured, four times")
	flags.BoolVar(&f.inMemory, "in-memory", false, inMemoryHelp)
	flags.BoolVar(&f.seeded, "seeded", false, seededHelp)
	flags.BoolVar(&f.busy, "busy", false, "other work runs beside it: times and CPU are shown and not judged")
	flags.BoolVar(&f.open, "open", false, "print a link for a browser, and wait")
	f.out.add(c)
	return c
}

// dashboardResult is what bench dashboard found.
type dashboardResult struct {
	Accounts int     `json:"accounts"`
	Online   int     `json:"online"`
	Page     float64 `json:"page_p50_ms"`
	Rows     float64 `json:"rows_p50_ms"` // from the page to all rows
	PageMost float64 `json:"page_max_ms"`
	RowsMost float64 `json:"rows_max_ms"`
	Bytes    int     `json:"rows_bytes"`
	// Of a core, in percent, what the open page costs.
	Quiet   float64 `json:"quiet_percent"`
	Changes float64 `json:"changes_percent"`
	Seeded  bool    `json:"seeded"`
	OK      bool    `json:"ok"`
	DCs     int     `json:"dcs"`
	benchReport

	pages, rows *bench.Latency
}

func (a *app) benchDashboard(ctx context.Context, f benchDashboardFlags) error {
	if f.loads < 1 || f.loads > 1000 {
		return usage("bench dashboard: --loads %d: this must be 1 to 1000", f.loads)
	}
	if f.during <= 0 {
		return usage("bench dashboard: --for must be positive")
	}
	if err := checkFleet("bench dashboard", f.accounts, f.dcs, f.inMemory); err != nil {
		return err
	}
	r := &dashboardResult{Accounts: f.accounts, Seeded: f.seeded, DCs: f.dcs, benchReport: newReport(), pages: bench.NewLatency(), rows: bench.NewLatency()}
	plan := benchPlan{accounts: f.accounts, bots: f.accounts, dcs: f.dcs, inMemory: f.inMemory, seeded: f.seeded}
	return a.playBench(ctx, f.out, plan, func(ctx context.Context, w *benchWorld) error {
		if err := r.run(ctx, w, f); err != nil {
			return err
		}
		w.bar.close()
		return a.tellBench(f.out, r.OK, r)
	})
}

func (r *dashboardResult) run(ctx context.Context, w *benchWorld, f benchDashboardFlags) error {
	if err := w.fill(ctx, 0); err != nil {
		return err
	}
	board, err := dashboard.Listen("127.0.0.1:0")
	if err != nil {
		return err
	}
	defer board.Close()
	board.Serve(dashboard.Options{Service: &control.Local{Manager: w.manager}})
	if f.open {
		w.bar.close()
		if err := w.sayf("%s", board.Link()); err != nil {
			return err
		}
		<-ctx.Done()
		return ctx.Err()
	}
	jar, err := cookiejar.New(nil)
	if err != nil {
		return err
	}
	reader := &fleetReader{http.Client{Jar: jar}, board.URL()}
	if _, err := reader.read(ctx, board.Link()); err != nil {
		return err
	}
	w.bar.say("loading the page")
	for range f.loads {
		begun := time.Now()
		if _, err := reader.read(ctx, board.URL()); err != nil {
			return err
		}
		r.pages.Record(time.Since(begun))
		begun = time.Now()
		if r.Bytes, err = reader.follow(ctx, 0); err != nil {
			return err
		}
		r.rows.Record(time.Since(begun))
	}
	r.Page, r.PageMost = millis(r.pages.Quantile(0.5)), millis(r.pages.Quantile(1))
	r.Rows, r.RowsMost = millis(r.rows.Quantile(0.5)), millis(r.rows.Quantile(1))
	if r.Quiet, err = r.open(ctx, w, reader, f.during, false); err != nil {
		return err
	}
	if r.Changes, err = r.open(ctx, w, reader, f.during, true); err != nil {
		return err
	}
	if err := w.allOnline(ctx); err != nil { // also those that were paused last
		return err
	}
	r.Online = w.onlineNow()
	r.OK = r.Online == r.Accounts && r.Bytes > 0
	if !f.busy {
		r.OK = r.OK && r.Page+r.Rows <= millis(fleetMost) && r.Quiet <= streamMost && r.Changes <= streamMost
	}
	return r.conclude(w)
}

// open tells how much of a core an open page costs.
func (r *dashboardResult) open(ctx context.Context, w *benchWorld, reader *fleetReader, during time.Duration, changes bool) (percent float64, err error) {
	var spent [2]time.Duration // without the page, and with it
	for i := range spent {
		within, cancel := context.WithTimeout(ctx, during)
		ended := make(chan error, 1)
		go func() {
			if i == 0 {
				ended <- nil
				return
			}
			_, err := reader.follow(within, during)
			ended <- err
		}()
		if i == 1 { // the first rows are not what is measured
			err = sleep(ctx, min(time.Second, during/4))
		}
		begun, at := bench.CPU(), time.Now()
		if err == nil {
			err = r.wait(within, w, changes)
		}
		spent[i] = time.Duration(float64(bench.CPU()-begun) / float64(time.Since(at)) * float64(time.Second))
		cancel()
		if readErr := <-ended; err == nil {
			err = readErr
		}
		if err != nil {
			return 0, err
		}
	}
	return round3(max(0, 100*float64(spent[1]-spent[0])/float64(time.Second))), ctx.Err()
}

// wait lets time pass; with changes an account is paused and resumed every second.
func (r *dashboardResult) wait(ctx context.Context, w *benchWorld, changes bool) error {
	for i := 0; ctx.Err() == nil; i++ {
		if changes {
			acc, err := w.manager.Account(botName(i % r.Accounts))
			if err == nil {
				err = acc.Pause(context.WithoutCancel(ctx))
			}
			if err == nil {
				err = acc.Resume(context.WithoutCancel(ctx))
			}
			if err != nil {
				return err
			}
		}
		_ = sleep(ctx, time.Second) // until ctx ends, which is no failure
	}
	return nil
}

// fleetReader is what a browser is to the page.
type fleetReader struct {
	http.Client
	url string
}

func (f *fleetReader) ask(ctx context.Context, url string) (*http.Response, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	response, err := f.Do(request)
	if err == nil && response.StatusCode != http.StatusOK {
		_ = response.Body.Close()
		err = fmt.Errorf("bench dashboard: %s was answered %s", request.URL.Path, response.Status)
	}
	return response, err
}

func (f *fleetReader) read(ctx context.Context, url string) ([]byte, error) {
	response, err := f.ask(ctx, url)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	return io.ReadAll(response.Body)
}

// follow reads the stream until the first rows have come, or for as long as it is told;
// it returns the bytes of the first rows.
func (f *fleetReader) follow(ctx context.Context, during time.Duration) (first int, err error) {
	response, err := f.ask(ctx, f.url+"live/fleet")
	if err != nil {
		return 0, err
	}
	defer response.Body.Close()
	lines := bufio.NewReaderSize(response.Body, 1<<20)
	for rows := false; ; {
		line, err := lines.ReadString('\n')
		switch {
		case during > 0 && ctx.Err() != nil:
			return first, nil
		case err != nil:
			return first, err
		case rows && first == 0:
			if first = len(line); during == 0 {
				return first, nil
			}
		}
		rows = strings.HasPrefix(line, "event: rows")
	}
}

func (r *dashboardResult) print(w io.Writer) {
	printLines(w, fmt.Sprintf("bench dashboard: %s on %s%s", count(r.Accounts, "account"), count(r.DCs, "DC"), seededNote(r.Seeded)), []benchLine{
		{"online in the end", thousands(r.Online), ""},
		{"the page of the fleet", fmt.Sprintf("%.2f ms", r.Page), fmt.Sprintf("p50 of %s, %.2f ms at most", count(int(r.pages.Count()), "time"), r.PageMost)},
		{"all rows after it", fmt.Sprintf("%.2f ms", r.Rows), fmt.Sprintf("p50, %.2f ms at most; %.1f KiB", r.RowsMost, float64(r.Bytes)/1024)},
		{"an open page, nothing happening", fmt.Sprintf("%.2f %%", r.Quiet), "of a core"},
		{"an open page, an account changes a second", fmt.Sprintf("%.2f %%", r.Changes), "of a core"},
	})
	r.footer(w)
}

func (r *dashboardResult) charts() []page.Chart {
	return []page.Chart{latencyChart("How long the page took", r.pages), latencyChart("How long all rows took after it", r.rows)}
}

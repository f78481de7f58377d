package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/mtfleet/mtfleet/cmd/manager/bench"
	"github.com/mtfleet/mtfleet/cmd/manager/bench/page"
	"github.com/mtfleet/mtfleet/config"
)

// benchMetricsFlags are what `bench metrics` takes.
type benchMetricsFlags struct {
	accounts, dcs, scrapes int
	inMemory, disk         bool
	seeded, busy           bool
	out                    benchOutput
}

// What a page of metrics may have and take, however many accounts there are.
const (
	pageMost   = 1_000_000 // bytes
	scrapeMost = 200 * time.Millisecond
)

func (a *app) benchMetricsCommand() *cobra.Command {
	var f benchMetricsFlags
	c := &cobra.Command{
		Use: "metrics", Short: "Measure the page of metrics and health of a fleet", Args: exactly(),
		Long: `metrics has bots online and asks their manager's page, as Prometheus and an
orchestrator do, one request after the other, each on a connection of its own: how many
bytes /metrics has, and how long it, /fleetz and /livez take until the last byte is
there. The page is served as run serves it, on loopback; the reader is in the same process.

With --json the last line of standard output is one JSON object. The exit code is 0 if
/metrics never had more than 1 MB and never took more than 200 ms (--busy leaves the time
out of it), and every account was online.`,
		RunE: func(c *cobra.Command, _ []string) error { return a.benchMetrics(c.Context(), f) },
	}
	flags := c.Flags()
	flags.IntVar(&f.accounts, "accounts", 1000, "how many bots")
	flags.IntVar(&f.dcs, "dcs", 5, "how many DCs, 1 to 9")
	flags.IntVar(&f.scrapes, "scrapes", 100, "how often each is asked, 1 to 10000")
	flags.BoolVar(&f.disk, "disk", false, "on Badger, as run has it, and not on the store in memory")
	flags.BoolVar(&f.inMemory, "in-memory", false, inMemoryHelp)
	flags.BoolVar(&f.seeded, "seeded", false, seededHelp)
	flags.BoolVar(&f.busy, "busy", false, "other work runs beside it: times are shown and not judged")
	f.out.add(c)
	return c
}

// metricsResult is what bench metrics found.
type metricsResult struct {
	Accounts int           `json:"accounts"`
	Online   int           `json:"online"`
	Bytes    int           `json:"bytes"` // of the largest page of metrics
	Series   int           `json:"series"`
	Paths    []pathFigures `json:"paths"`
	Seeded   bool          `json:"seeded"`
	OK       bool          `json:"ok"`
	DCs      int           `json:"dcs"`
	benchReport
}

// pathFigures are how long a path took, in milliseconds.
type pathFigures struct {
	Path   string  `json:"path"`
	Asked  int     `json:"asked"`
	P50    float64 `json:"p50_ms"`
	P99    float64 `json:"p99_ms"`
	Max    float64 `json:"max_ms"`
	Status int     `json:"status"`

	took *bench.Latency
}

func (a *app) benchMetrics(ctx context.Context, f benchMetricsFlags) error {
	if f.scrapes < 1 || f.scrapes > 10000 {
		return usage("bench metrics: --scrapes %d: this must be 1 to 10000", f.scrapes)
	}
	if err := checkFleet("bench metrics", f.accounts, f.dcs, f.inMemory); err != nil {
		return err
	}
	r := &metricsResult{Accounts: f.accounts, Seeded: f.seeded, DCs: f.dcs, benchReport: newReport()}
	plan := benchPlan{accounts: f.accounts, bots: f.accounts, dcs: f.dcs, inMemory: f.inMemory, disk: f.disk, seeded: f.seeded, page: true}
	return a.playBench(ctx, f.out, plan, func(ctx context.Context, w *benchWorld) error {
		if err := r.run(ctx, w, f); err != nil {
			return err
		}
		w.bar.close()
		return a.tellBench(f.out, r.OK, r)
	})
}

func (r *metricsResult) run(ctx context.Context, w *benchWorld, f benchMetricsFlags) error {
	if err := w.fill(ctx, 0); err != nil {
		return err
	}
	if err := w.everyMetric(ctx); err != nil {
		return err
	}
	w.page.running(w.manager, config.Default())
	w.page.serve()
	w.bar.say("asking the page")
	for _, path := range []string{"/metrics", "/fleetz", "/livez"} {
		figures := pathFigures{Path: path, took: bench.NewLatency()}
		for range f.scrapes {
			body, err := figures.ask(ctx, "http://"+w.page.listener.Addr().String()+path)
			if err != nil {
				return err
			}
			if path == "/metrics" {
				r.Bytes, r.Series = max(r.Bytes, len(body)), countSeries(body)
			}
		}
		r.Paths = append(r.Paths, figures.filled())
	}
	w.bar.done("asked the page %s", count(3*f.scrapes, "time"))
	r.Online = w.onlineNow()
	r.judge(f.busy)
	return r.conclude(w)
}

// everyMetric has an account do what makes the histograms that begin with their first
// value.
func (w *benchWorld) everyMetric(ctx context.Context) error {
	acc, err := w.manager.Account(botName(0))
	if err != nil {
		return err
	}
	if err := echoCall(ctx, acc, w.dc.Bots[0].UserID, 1); err != nil {
		return err
	}
	return acc.Rotate(ctx)
}

// ask asks once, and returns what was answered.
func (p *pathFigures) ask(ctx context.Context, url string) (string, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return "", err
	}
	request.Close = true
	begun := time.Now()
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	p.took.Record(time.Since(begun))
	p.Status = response.StatusCode
	return string(body), err
}

func (p pathFigures) filled() pathFigures {
	p.Asked = int(p.took.Count())
	p.P50, p.P99, p.Max = millis(p.took.Quantile(0.5)), millis(p.took.Quantile(0.99)), millis(p.took.Quantile(1))
	return p
}

// countSeries counts the lines of a page that are no comments.
func countSeries(page string) (n int) {
	for line := range strings.Lines(page) {
		if !strings.HasPrefix(line, "#") {
			n++
		}
	}
	return n
}

func (r *metricsResult) judge(busy bool) {
	r.OK = r.Online == r.Accounts && r.Bytes > 0 && r.Bytes <= pageMost
	for _, p := range r.Paths {
		r.OK = r.OK && p.Status == http.StatusOK && (busy || p.Path != "/metrics" || p.Max <= millis(scrapeMost))
	}
}

func (r *metricsResult) print(w io.Writer) {
	lines := []benchLine{
		{"online in the end", thousands(r.Online), ""},
		{"/metrics has", fmt.Sprintf("%.1f KiB", float64(r.Bytes)/1024), thousands(r.Series) + " lines that are no comments"},
	}
	for _, p := range r.Paths {
		lines = append(lines, benchLine{p.Path + ", p50 and p99", fmt.Sprintf("%.2f ms", p.P50), fmt.Sprintf("%.2f ms, %.2f at most; asked %s, answered %d", p.P99, p.Max, count(p.Asked, "time"), p.Status)})
	}
	printLines(w, fmt.Sprintf("bench metrics: %s on %s%s", count(r.Accounts, "account"), count(r.DCs, "DC"), seededNote(r.Seeded)), lines)
	r.footer(w)
}

func (r *metricsResult) charts() (list []page.Chart) {
	for _, p := range r.Paths {
		list = append(list, latencyChart("How long "+p.Path+" took", p.took))
	}
	return list
}

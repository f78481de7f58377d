package main

import (
	"io"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mtfleet/mtfleet/actors"
	"github.com/mtfleet/mtfleet/mtproto/dc"
	"github.com/mtfleet/mtfleet/persistence"
)

// scrape reads the page of a manager that was just opened.
func scrape(t *testing.T) string {
	t.Helper()
	page, err := openMetrics("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	page.serve()
	defer page.close()
	m, err := actors.Open(actors.Options{
		Store: persistence.NewMemory(), DCs: dc.Production(), MeterProvider: page.provider,
		App: actors.App{APIID: 1 << 24, APIHash: "of nobody", DeviceModel: "a test", SystemVersion: "none", AppVersion: "0"},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		ctx, cancel := actors.CloseGrace()
		defer cancel()
		if err := m.Close(ctx); err != nil {
			t.Error(err)
		}
	}()
	resp, err := http.Get("http://" + page.listener.Addr().String() + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestPrometheusHasTheNamesOfThePage: docs/telemetry.md names what the exporter
// prints, and a manager that has done nothing shows all of it but histograms.
func TestPrometheusHasTheNamesOfThePage(t *testing.T) {
	page, err := os.ReadFile("../../docs/telemetry.md")
	if err != nil {
		t.Fatal(err)
	}
	var want []string
	for _, row := range regexp.MustCompile("(?m)^\\| `(mtfleet_\\w+)` \\| (\\w+)").FindAllStringSubmatch(string(page), -1) {
		// A memory store has no disk whose room could be known.
		if row[2] != "histogram" && row[1] != "mtfleet_store_free_bytes" {
			want = append(want, row[1]+" "+row[2])
		}
	}
	text := scrape(t)
	if path := os.Getenv("MTFLEET_SCRAPE"); path != "" { // for promtool, see .ci/run
		if err := os.WriteFile(path, []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	var got []string
	for _, row := range regexp.MustCompile(`(?m)^# TYPE (mtfleet_\w+) (\w+)$`).FindAllStringSubmatch(text, -1) {
		got = append(got, row[1]+" "+row[2])
	}
	slices.Sort(want)
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the exporter says something else than docs/telemetry.md (-page +exporter):\n%s", diff)
	}
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, "mtfleet_") && !strings.HasPrefix(line, "mtfleet_dc_up") && !strings.HasSuffix(line, " 0\n") {
			t.Errorf("nothing has happened, and it says %s", line)
		}
	}
	for _, series := range []string{
		`mtfleet_accounts{state="online"} 0`, `mtfleet_calls_total{class="once",dc="2",result="ok"} 0`,
		`mtfleet_rotations_total{result="failed"} 0`, `mtfleet_dc_up{dc="4",family="ipv6"} 1`, `mtfleet_clock_offset_seconds{dc="1"} 0`,
	} {
		if !strings.Contains(text, series+"\n") {
			t.Errorf("it does not say %s", series)
		}
	}
}

package main

import (
	"io"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"

	"github.com/mtfleet/mtfleet/actors"
	"github.com/mtfleet/mtfleet/actors/actorstest"
	"github.com/mtfleet/mtfleet/mtproto/dc"
	"github.com/mtfleet/mtfleet/mtproto/dctest/api"
	"github.com/mtfleet/mtfleet/persistence"
	"github.com/mtfleet/mtfleet/persistence/badgerstore"
)

// scraped opens a page of metrics, gives its provider away, and returns what reads it.
func scraped(t *testing.T) (*sdkmetric.MeterProvider, func() string) {
	t.Helper()
	page, err := openMetrics("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	page.serve()
	t.Cleanup(page.close)
	return page.provider, func() string {
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
}

// series are the metrics that docs/telemetry.md names, or a page has, each with its type.
func series(t *testing.T, text, row string) (list []string) {
	t.Helper()
	for _, m := range regexp.MustCompile(row).FindAllStringSubmatch(text, -1) {
		list = append(list, m[1]+" "+m[2])
	}
	slices.Sort(list)
	return list
}

func documented(t *testing.T) []string {
	t.Helper()
	page, err := os.ReadFile("../../docs/telemetry.md")
	if err != nil {
		t.Fatal(err)
	}
	return series(t, string(page), "(?m)^\\| `(mtfleet_\\w+)` \\| (\\w+)")
}

func exported(t *testing.T, text string) []string {
	t.Helper()
	return series(t, text, `(?m)^# TYPE (mtfleet_\w+) (\w+)$`)
}

// TestPrometheusHasTheNamesOfThePage: docs/telemetry.md names what the exporter
// prints, and a manager that has done nothing shows all of it but histograms.
func TestPrometheusHasTheNamesOfThePage(t *testing.T) {
	provider, read := scraped(t)
	actorstest.Open(t, actors.Options{
		Store: persistence.NewMemory(), DCs: dc.Production(), MeterProvider: provider,
		App: actors.App{APIID: 1 << 24, APIHash: "of nobody", DeviceModel: "a test", SystemVersion: "none", AppVersion: "0"},
	})
	text := read()
	want := slices.DeleteFunc(documented(t), func(s string) bool {
		// A memory store has no disk whose room could be known.
		return strings.HasSuffix(s, " histogram") || strings.HasPrefix(s, "mtfleet_store_free_bytes ") || strings.HasPrefix(s, "mtfleet_store_needed_bytes ")
	})
	if diff := cmp.Diff(want, exported(t, text)); diff != "" {
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

// TestPrometheusHasAllOfThePageAfterSomeWork: histograms too, and the room on the disk; and
// with them all that alerts and dashboards ask for. For promtool, see .ci/run, the page
// is left in the file that MTFLEET_SCRAPE names.
func TestPrometheusHasAllOfThePageAfterSomeWork(t *testing.T) {
	provider, read := scraped(t)
	store, err := badgerstore.Open(badgerstore.Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	s := actorstest.Start(t, actorstest.Small())
	o := actorstest.Options(s, store)
	o.MeterProvider = provider
	m := actorstest.Open(t, o)
	person, bot := s.Descriptor().Phones[0], s.Descriptor().Bots[0]
	a := actorstest.SignInBot(t, m, "robot", bot, actors.AccountOptions{})
	actorstest.Wait(t, a, actors.Online)
	updates := a.Events(actorstest.Soon(t), actors.Matching(actors.Filter{Kinds: []actors.EventKind{actors.EventUpdate}}))
	actorstest.Call(t, a)
	if err := a.Rotate(actorstest.Soon(t)); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Say(person.UserID, bot.UserID, "hello", api.Delivery{}); err != nil {
		t.Fatal(err)
	}
	for range updates {
		break
	}
	text := read()
	if path := os.Getenv("MTFLEET_SCRAPE"); path != "" {
		if err := os.WriteFile(path, []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff(documented(t), exported(t, text)); diff != "" {
		t.Errorf("the exporter says something else than docs/telemetry.md (-page +exporter):\n%s", diff)
	}
	checkQueries(t, text)
	for _, private := range []string{"robot", strconv.FormatInt(bot.UserID, 10), strconv.FormatInt(person.UserID, 10), person.Number, bot.Token} {
		// Within the digits of a number, 0.016000000002 seconds, it says nothing of user 6000000002.
		if regexp.MustCompile(`(^|[^0-9.])` + regexp.QuoteMeta(private) + `($|[^0-9])`).MatchString(text) {
			t.Errorf("the page says %q", private)
		}
	}
}

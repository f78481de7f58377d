package actors

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mtfleet/mtfleet/mtproto/dc"
)

// prometheusName is what the exporter of cmd/manager prints, where a test holds it.
func prometheusName(s *series) string {
	name := strings.ReplaceAll(s.name, ".", "_")
	name += map[string]string{"s": "_seconds", "By": "_bytes"}[s.unit]
	if s.kind == counts {
		name += "_total"
	}
	return name
}

const telemetryIntro = `# Telemetry

What a Manager tells of itself by the OpenTelemetry API, to the providers of ` + "`Options.MeterProvider`" + ` and
` + "`Options.TracerProvider`" + `. ` + "`manager run`" + ` serves the metrics to Prometheus at ` + "`metrics.listen`" + `, under the names below; in
OpenTelemetry they have dots, ` + "`mtfleet.call.duration`" + ` for example. What to be woken for is in [runbook.md](runbook.md). This page is written from the code by
` + "`go test ./actors -run TestTelemetryPage -rewrite`" + `.

No series names an account: ` + "`account list`" + ` and events do. Every attribute has one of the values listed and no other, whatever
a server or a caller says: what is unknown is ` + "`other`" + `. ` + "`dc`" + ` is each DC of the table that the Manager was opened with. All series are there
from the start, with 0 (` + "`mtfleet_dc_up`" + ` with 1), except histograms, which begin with their first value, and combinations of values that
cannot be: a change of state for a reason that does not lead there, and a step of a sign-in with the result of its end.

## Metrics

| name | type | attributes and their values | what it tells | what to do |
|---|---|---|---|---|
`

const telemetrySpans = `
## Spans

| name | what it spans | attributes and events |
|---|---|---|
| ` + "`mtfleet.invoke`" + ` | one call, below its caller's span | ` + "`rpc.method`" + `; the status is the result of ` + "`mtfleet_calls_total`" + ` |
| ` + "`mtfleet.sign_in`" + ` | one sign-in from its beginning, or since the process went on with it, to its end; linked to the span that SignIn was called under | ` + "`mtfleet.flow`, `mtfleet.result`" + `; an event for each step, with ` + "`mtfleet.step`" + ` |
| ` + "`mtfleet.rotation`" + ` | the replacement of one temp key; linked to the span that Rotate was called under, if it was | ` + "`mtfleet.dc`, `mtfleet.result`; events `key made`, `held`" + ` |

No span holds an account's id, or the text of an error.
`

// page writes docs/telemetry.md.
func page(c *catalog) string {
	var b strings.Builder
	b.WriteString(telemetryIntro)
	for _, s := range c.all() {
		var attrs []string
		for _, a := range s.attrs {
			list := slices.Clone(a.values)
			if a.name == "dc" {
				list = []string{"each DC"}
				if slices.Contains(a.values, other) {
					list = append(list, other)
				}
			}
			for i := range list {
				if list[i] != "each DC" {
					list[i] = "`" + list[i] + "`"
				}
			}
			attrs = append(attrs, fmt.Sprintf("`%s`: %s", a.name, strings.Join(list, ", ")))
		}
		kind := string(s.kind)
		if s.unit != "" {
			kind += map[string]string{"s": ", seconds", "By": ", bytes"}[s.unit]
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s | %s |\n", prometheusName(s), kind, strings.Join(attrs, "; "), s.tells, s.do)
	}
	b.WriteString(telemetrySpans)
	return b.String()
}

func TestTelemetryPageSaysWhatTheCodeSays(t *testing.T) {
	const path = "../docs/telemetry.md"
	got := page(seriesOf(dc.Table{}))
	if f := flag.Lookup("rewrite"); f != nil && f.Value.String() == "true" {
		if err := os.WriteFile(path, []byte(got), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(got, "\n")); diff != "" {
		t.Errorf("the page has changed (-%s +now); see -rewrite:\n%s", path, diff)
	}
}

// TestSeriesAreBounded holds the catalog itself: nothing unknown makes a series, and
// what there is fits any backend.
func TestSeriesAreBounded(t *testing.T) {
	table := dc.Production()
	all, total := seriesOf(table).all(), 0
	seen := map[string]bool{}
	for _, s := range all {
		n := 0
		s.each(func(v values) {
			n++
			if s.bound(v) != v {
				t.Errorf("%s: %v is not what it says", s.name, v)
			}
		})
		total += n
		if seen[s.name] || s.tells == "" || s.do == "" || strings.Contains(s.tells+s.do, "|") {
			t.Errorf("%s is there twice, or is not described", s.name)
		}
		seen[s.name] = true
		strange := s.bound(values{"a\nb", "MADE_UP_1", "9999"})
		known := false
		s.each(func(v values) { known = known || v == strange })
		if !known {
			t.Errorf("%s: what nobody knows becomes %v", s.name, strange)
		}
	}
	if len(all) != 33 || total > 2500 {
		t.Errorf("%d metrics with %d series", len(all), total)
	}
}

func TestAReasonForEveryChangeOfState(t *testing.T) {
	for _, tc := range []struct {
		from, to State
		want     reason
	}{
		{New, Connecting, byStart}, {New, Paused, byStart}, {New, Revoked, byStart}, {New, SigningIn, bySignIn},
		{SigningIn, Connecting, bySignIn}, {SigningIn, New, bySignIn},
		{Connecting, Online, byAnswer}, {Online, Connecting, byConnection}, {Frozen, Connecting, byServer},
		{Waiting, Connecting, byWait}, {Online, Waiting, byServer}, {Online, Revoked, byServer}, {Online, Duplicated, byServer},
		{Paused, Connecting, byOwner}, {Quarantined, Connecting, byOwner}, {Revoked, Connecting, byOwner}, {Exported, Connecting, byOwner},
		{Online, Quarantined, byFault}, {New, Quarantined, byFault}, {Online, SigningOut, byOwner}, {SigningOut, SignedOut, byOwner},
	} {
		if got := reasonOf(tc.from, tc.to); got != tc.want {
			t.Errorf("from %v to %v: %s, want %s", tc.from, tc.to, got, tc.want)
		}
	}
	for from := New; from <= Exported; from++ {
		for to := New; to <= Exported; to++ {
			if !slices.Contains(reasonValues, string(reasonOf(from, to))) {
				t.Errorf("from %v to %v there is no reason", from, to)
			}
		}
	}
}

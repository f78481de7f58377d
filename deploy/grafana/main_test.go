package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func telemetryPage(t *testing.T) string {
	t.Helper()
	page, err := os.ReadFile("../../docs/telemetry.md")
	if err != nil {
		t.Fatal(err)
	}
	return string(page)
}

func TestTheDashboardIsWhatTheCodeWrites(t *testing.T) {
	written := filepath.Join(t.TempDir(), "fleet.json")
	if err := run([]string{"../../docs/telemetry.md", written}); err != nil {
		t.Fatal(err)
	}
	want, err := os.ReadFile(written)
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile("fleet.json")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(string(got), "\n")); diff != "" {
		t.Errorf("go generate ./deploy/grafana writes something else (-written +committed):\n%s", diff)
	}
}

func TestEveryMetricOfThePageIsOnTheDashboard(t *testing.T) {
	var shown []string
	for _, r := range rows() {
		for _, g := range r.graphs {
			for _, q := range g.queries {
				for _, name := range metric.FindAllString(q.expr, -1) {
					shown = append(shown, suffix.ReplaceAllString(name, ""))
				}
			}
		}
	}
	all := documented.FindAllStringSubmatch(telemetryPage(t), -1)
	for _, m := range all {
		if !slices.Contains(shown, suffix.ReplaceAllString(m[1], "")) {
			t.Errorf("%s is on no panel", m[1])
		}
	}
	if len(all) < 29 {
		t.Errorf("docs/telemetry.md tells of %d metrics", len(all))
	}
}

func TestAMetricThatIsNotDocumentedIsRefused(t *testing.T) {
	if _, err := build("| `mtfleet_accounts` | gauge | | a | b |\n"); err == nil || !strings.Contains(err.Error(), "docs/telemetry.md does not tell of mtfleet_state_changes_total") {
		t.Errorf("%v", err)
	}
}

// panels are those of the committed dashboard.
func panels(t *testing.T) []panel {
	t.Helper()
	text, err := os.ReadFile("fleet.json")
	if err != nil {
		t.Fatal(err)
	}
	var d dashboard
	if err := json.Unmarshal(text, &d); err != nil || len(d.Panels) < 30 {
		t.Fatal(len(d.Panels), err)
	}
	return d.Panels
}

// TestNoPanelLiesOnAnother: Grafana would move them about.
func TestNoPanelLiesOnAnother(t *testing.T) {
	taken := map[[2]int]string{}
	y := 0
	for _, r := range rows() {
		if len(r.graphs) == 0 {
			t.Errorf("row %s is empty", r.title)
		}
	}
	for _, p := range panels(t) {
		if p.GridPos.Y < y {
			t.Errorf("%s is above what comes before it", p.Title)
		}
		y = p.GridPos.Y
		if p.GridPos.X+p.GridPos.W > 24 {
			t.Errorf("%s is wider than the page", p.Title)
		}
		for x := p.GridPos.X; x < p.GridPos.X+p.GridPos.W; x++ {
			for y := p.GridPos.Y; y < p.GridPos.Y+p.GridPos.H; y++ {
				if other := taken[[2]int{x, y}]; other != "" {
					t.Fatalf("%s lies on %s", p.Title, other)
				}
				taken[[2]int{x, y}] = p.Title
			}
		}
	}
}

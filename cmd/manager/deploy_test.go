package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/mtfleet/mtfleet/actors"
	"github.com/mtfleet/mtfleet/cmd/manager/health"
)

const deployed = "../../deploy/"

// alert is one of deploy/prometheus/alerts.yml.
type alert struct {
	Alert       string
	Expr        string
	For         string
	Labels      map[string]string
	Annotations map[string]string
}

type ruleGroups struct {
	Groups []struct {
		Name  string
		Rules []alert
	}
}

// readYAML reads a file, and refuses what it has not been told of.
func readYAML(t *testing.T, path string, into any) {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	d := yaml.NewDecoder(f)
	d.KnownFields(true)
	if err := d.Decode(into); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
}

func alerts(t *testing.T) (list []alert) {
	t.Helper()
	var rules ruleGroups
	readYAML(t, deployed+"prometheus/alerts.yml", &rules)
	for _, g := range rules.Groups {
		list = append(list, g.Rules...)
	}
	return list
}

func TestTheAlertsThatOperatorsNeedAreThere(t *testing.T) {
	var got []string
	for _, a := range alerts(t) {
		got = append(got, a.Alert)
	}
	for _, want := range []string{
		"FleetOffline", "DCDown", "AccountRevoked", "Duplicated", "Quarantined", "ReconnectStorm", "RotationFailing",
		"FloodWaitLong", "ClockOffset", "DiskReserve", "StoreRefusing", "BackupOld", "EventsDropped", "SignInStuck",
	} {
		if !slices.Contains(got, want) {
			t.Errorf("there is no alert %s", want)
		}
	}
}

// section is what a page has below a heading.
func section(page, title string) string {
	_, rest, _ := strings.Cut(page, "\n## "+title+"\n")
	text, _, _ := strings.Cut(rest, "\n## ")
	return text
}

const runbookURL = "https://github.com/mtfleet/mtfleet/blob/main/docs/runbook.md#"

func TestEveryAlertHasItsSectionInTheRunbook(t *testing.T) {
	text, err := os.ReadFile("../../docs/runbook.md")
	if err != nil {
		t.Fatal(err)
	}
	page, led := string(text), anchors(string(text))
	for _, a := range alerts(t) {
		if !slices.Contains([]string{"critical", "warning", "info"}, a.Labels["severity"]) {
			t.Errorf("%s: the severity is %q", a.Alert, a.Labels["severity"])
		}
		if a.Annotations["summary"] == "" || a.Annotations["description"] == "" || len(a.Annotations) != 3 {
			t.Errorf("%s: the annotations are %v", a.Alert, a.Annotations)
		}
		anchor, ours := strings.CutPrefix(a.Annotations["runbook_url"], runbookURL)
		if !ours || anchor != strings.ToLower(a.Alert) || !led[anchor] {
			t.Errorf("%s: %s leads nowhere", a.Alert, a.Annotations["runbook_url"])
		}
		about := section(page, a.Alert)
		for _, part := range []string{"**What it means.** ", "**How to see it.** ", "```\n", "**What to do.** ", "**What not to do.** "} {
			_, after, found := strings.Cut(about, part)
			if !found {
				t.Errorf("%s: the runbook lacks %q, or has it in another order", a.Alert, part)
			}
			about = after
		}
	}
}

// TestEveryAlertIsTestedBothWays: promtool takes a file without any tests.
func TestEveryAlertIsTestedBothWays(t *testing.T) {
	var tests struct {
		RuleFiles          []string `yaml:"rule_files"`
		EvaluationInterval string   `yaml:"evaluation_interval"`
		Tests              []struct {
			Name        string
			Interval    string
			InputSeries []struct{ Series, Values string } `yaml:"input_series"`
			Alerts      []struct {
				At   string `yaml:"eval_time"`
				Name string `yaml:"alertname"`
				Want []any  `yaml:"exp_alerts"`
			} `yaml:"alert_rule_test"`
		}
	}
	readYAML(t, deployed+"prometheus/alerts_test.yml", &tests)
	fires, silent := map[string]bool{}, map[string]bool{}
	for _, test := range tests.Tests {
		for _, a := range test.Alerts {
			if len(a.Want) > 0 {
				fires[a.Name] = true
			} else {
				silent[a.Name] = true
			}
		}
	}
	for _, a := range alerts(t) {
		if !fires[a.Alert] || !silent[a.Alert] {
			t.Errorf("%s: tested where it fires: %v, where it does not: %v", a.Alert, fires[a.Alert], silent[a.Alert])
		}
	}
}

// expressions are all PromQL of alerts and dashboards, by where it stands.
func expressions(t *testing.T) map[string]string {
	t.Helper()
	all := map[string]string{}
	for _, a := range alerts(t) {
		all["alert "+a.Alert] = a.Expr
	}
	boards, err := filepath.Glob(deployed + "grafana/*.json")
	if err != nil || len(boards) == 0 {
		t.Fatal(boards, err)
	}
	replace := strings.NewReplacer("$__rate_interval", "5m", "$instance", ".+")
	for _, path := range boards {
		var board struct {
			Panels []struct {
				Title   string
				Targets []struct{ RefID, Expr string }
			}
		}
		text, err := os.ReadFile(path)
		if err == nil {
			err = json.Unmarshal(text, &board)
		}
		if err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		for _, p := range board.Panels {
			for _, q := range p.Targets {
				all[filepath.Base(path)+", "+p.Title+" "+q.RefID] = replace.Replace(q.Expr)
			}
		}
	}
	if len(all) < 50 {
		t.Fatalf("only %d expressions were found", len(all))
	}
	return all
}

var (
	selector = regexp.MustCompile(`\b((?:mtfleet|go|process)_\w+)(?:\{([^}]*)\})?`)
	matcher  = regexp.MustCompile(`(\w+)\s*(=~|!~|!=|=)\s*"([^"]*)"`)
	grouping = regexp.MustCompile(`\b(?:by|without|on|ignoring)\s*\(([^)]*)\)`)
	sample   = regexp.MustCompile(`(?m)^(\w+)(?:\{(.*)\})? \S+$`)
	labelled = regexp.MustCompile(`(\w+)="((?:[^"\\]|\\.)*)"`)
)

// scrapedLabels are the labels that Prometheus adds to whatever it scrapes.
var scrapedLabels = []string{"instance", "job"}

// exposed are the series of a page: name, label, value.
func exposed(page string) map[string]map[string]map[string]bool {
	all := map[string]map[string]map[string]bool{}
	for _, m := range sample.FindAllStringSubmatch(page, -1) {
		if all[m[1]] == nil {
			all[m[1]] = map[string]map[string]bool{}
		}
		for _, l := range labelled.FindAllStringSubmatch(m[2], -1) {
			if all[m[1]][l[1]] == nil {
				all[m[1]][l[1]] = map[string]bool{}
			}
			all[m[1]][l[1]][l[2]] = true
		}
	}
	return all
}

// unknownIn is what an expression asks for and a page does not have, or "".
func unknownIn(expr string, page map[string]map[string]map[string]bool) string {
	selectors := selector.FindAllStringSubmatch(expr, -1)
	if len(selectors) == 0 {
		return "a metric"
	}
	known := map[string]bool{"le": true}
	for _, l := range scrapedLabels {
		known[l] = true
	}
	for _, s := range selectors {
		labels, there := page[s[1]]
		if !there {
			return s[1]
		}
		for l := range labels {
			known[l] = true
		}
		for _, m := range matcher.FindAllStringSubmatch(s[2], -1) {
			if slices.Contains(scrapedLabels, m[1]) {
				continue
			}
			for _, value := range strings.Split(m[3], "|") {
				if !labels[m[1]][value] {
					return fmt.Sprintf("%s{%s=%q}", s[1], m[1], value)
				}
			}
		}
	}
	for _, g := range grouping.FindAllStringSubmatch(expr, -1) {
		for _, l := range strings.Split(g[1], ",") {
			if l = strings.TrimSpace(l); !known[l] {
				return "the label " + l
			}
		}
	}
	return ""
}

// checkQueries holds alerts and dashboards to what a manager exposes.
func checkQueries(t *testing.T, text string) {
	t.Helper()
	page := exposed(text)
	for where, expr := range expressions(t) {
		if missing := unknownIn(expr, page); missing != "" {
			t.Errorf("%s asks for %s, which no manager has: %s", where, missing, expr)
		}
	}
}

func TestWhatNoManagerHasIsFoundInAnExpression(t *testing.T) {
	page := exposed("# TYPE mtfleet_a gauge\nmtfleet_a{dc=\"2\",state=\"on\"} 1\nmtfleet_a{dc=\"4\",state=\"off\"} 0\nmtfleet_b_bucket{le=\"+Inf\"} 3\nmtfleet_c 7\n")
	for expr, want := range map[string]string{
		`sum by (state) (mtfleet_a{dc=~"2|4", instance=~".+"}) / on (instance) mtfleet_c`: "",
		`sum by (le) (rate(mtfleet_b_bucket[5m]))`:                                        "",
		`rate(mtfleet_d[5m])`:           "mtfleet_d",
		`mtfleet_a{sate="on"}`:          `mtfleet_a{sate="on"}`,
		`mtfleet_a{state=~"on|of"}`:     `mtfleet_a{state="of"}`,
		`sum without (dcs) (mtfleet_a)`: "the label dcs",
		`up == 0`:                       "a metric",
	} {
		if got := unknownIn(expr, page); got != want {
			t.Errorf("%s lacks %q, want %q", expr, got, want)
		}
	}
}

// TestAlertsAndDashboardCountAsFleetzDoes: who is to be online is decided in one place.
func TestAlertsAndDashboardCountAsFleetzDoes(t *testing.T) {
	var states []string
	for s := actors.New; s <= actors.Exported; s++ {
		if health.Wanted(s) {
			states = append(states, s.String())
		}
	}
	want, n := `state=~"`+strings.Join(states, "|")+`"`, 0
	for where, expr := range expressions(t) {
		if where == "alert FleetOffline" || strings.HasSuffix(where, ", Online A") {
			n++
			if !strings.Contains(expr, want) {
				t.Errorf("%s does not have %s: %s", where, want, expr)
			}
		}
	}
	if n != 2 {
		t.Errorf("%d expressions were found", n)
	}
}

func TestPromtoolTakesAlertsTheirTestsAndAllQueries(t *testing.T) {
	promtool, err := exec.LookPath("promtool")
	if err != nil {
		t.Skip("there is no promtool on this machine; .ci/run brings one")
	}
	// The queries of dashboards go into a file of rules: promtool checks no others.
	type rule struct {
		Record string `yaml:"record"`
		Expr   string `yaml:"expr"`
	}
	var rules []rule
	all := expressions(t)
	for i, where := range slices.Sorted(maps.Keys(all)) {
		rules = append(rules, rule{fmt.Sprintf("q%d", i), all[where]})
	}
	text, err := yaml.Marshal(map[string]any{"groups": []any{map[string]any{"name": "queries", "rules": rules}}})
	if err != nil {
		t.Fatal(err)
	}
	queries := filepath.Join(t.TempDir(), "queries.yml")
	if err := os.WriteFile(queries, text, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{
		{"check", "rules", deployed + "prometheus/alerts.yml", queries},
		{"test", "rules", deployed + "prometheus/alerts_test.yml"},
	} {
		if out, err := exec.CommandContext(t.Context(), promtool, args...).CombinedOutput(); err != nil {
			t.Errorf("promtool %s: %v\n%s", strings.Join(args, " "), err, out)
		}
	}
}

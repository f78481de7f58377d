package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// A graph is a panel before it has its place.
type graph struct {
	title   string
	kind    kind
	unit    string // as Grafana names it; "short" is a number
	queries []query
	bad     float64 // a stat is red from here on; 0: it has no colour
}

type kind string

const (
	lines    kind = "timeseries"
	stacked  kind = "timeseries, stacked"
	number   kind = "stat"
	upOrDown kind = "state-timeline"
)

// query is PromQL, in which $i stands for the matchers of the instances that were
// chosen and $r for the range of a rate, and what a line of it is called.
type query struct{ expr, legend string }

type row struct {
	title  string
	graphs []graph
}

var (
	prometheus = datasource{"prometheus", "${datasource}"}
	expand     = strings.NewReplacer("$i", `instance=~"$instance"`, "$r", "[$__rate_interval]")
	metric     = regexp.MustCompile(`mtfleet_\w+`)
	documented = regexp.MustCompile("(?m)^\\| `(mtfleet_\\w+)` \\|.*\\| ([^|]+) \\| ([^|]+) \\|$")
	suffix     = regexp.MustCompile(`_(bucket|sum|count)$`)
)

// build returns the dashboard as JSON. page is docs/telemetry.md.
func build(page string) ([]byte, error) {
	docs := map[string]string{}
	for _, m := range documented.FindAllStringSubmatch(page, -1) {
		docs[m[1]] = fmt.Sprintf("`%s`: %s. %s.", m[1], m[2], m[3])
	}
	d := dashboard{
		UID: "mtfleet", Title: "mtfleet: a fleet of accounts", Tags: []string{"mtfleet"},
		Description:   "What managers tell of their accounts. What to do is in docs/runbook.md; written by go generate ./deploy/grafana.",
		SchemaVersion: 39, Editable: true, GraphTooltip: 1, Refresh: "30s", Time: timeRange{"now-6h", "now"},
		Templating: templating{[]variable{
			{Name: "datasource", Label: "Data source", Type: "datasource", Query: "prometheus", Refresh: 1},
			{Name: "instance", Label: "Manager", Type: "query", Datasource: &prometheus, Refresh: 2, Multi: true, IncludeAll: true, AllValue: ".+", Sort: 1,
				Query: variableQuery{"label_values(mtfleet_accounts, instance)", "instance"}},
		}},
	}
	y := 0
	for _, r := range rows() {
		d.Panels = append(d.Panels, panel{ID: len(d.Panels) + 1, Type: "row", Title: r.title, GridPos: gridPos{1, 24, 0, y}})
		y++
		x, height := 0, 0
		for _, g := range r.graphs {
			at := gridPos{8, 8, x, y}
			if g.kind == number {
				at.W, at.H = 4, 8
			}
			if x+at.W > 24 {
				x, y, height = 0, y+height, 0
				at.X, at.Y = x, y
			}
			p, err := g.panel(len(d.Panels)+1, at, docs)
			if err != nil {
				return nil, err
			}
			d.Panels = append(d.Panels, p)
			x, height = x+at.W, max(height, at.H)
		}
		y += height
	}
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	err := e.Encode(d)
	return out.Bytes(), err
}

// panel puts a graph in its place, and describes the metrics in it.
func (g graph) panel(id int, at gridPos, docs map[string]string) (panel, error) {
	kindOf, _, _ := strings.Cut(string(g.kind), ",")
	p := panel{ID: id, Type: kindOf, Title: g.title, GridPos: at, Datasource: &prometheus, FieldConfig: &fieldConfig{Defaults: g.field(), Overrides: []any{}}, Options: g.options()}
	told := map[string]bool{}
	for i, q := range g.queries {
		expr := expand.Replace(q.expr)
		p.Targets = append(p.Targets, target{
			RefID: string(rune('A' + i)), Datasource: prometheus, Expr: expr, LegendFormat: q.legend, Range: g.kind != number, Instant: g.kind == number,
		})
		for _, name := range metric.FindAllString(expr, -1) {
			if docs[name] == "" {
				name = suffix.ReplaceAllString(name, "")
			}
			if docs[name] == "" {
				return panel{}, fmt.Errorf("%s: docs/telemetry.md does not tell of %s", g.title, name)
			}
			told[docs[name]] = true
		}
	}
	p.Description = strings.Join(slices.Sorted(maps.Keys(told)), "\n\n")
	return p, nil
}

func (g graph) field() fieldDefaults {
	zero, one := 0.0, 1.0
	f := fieldDefaults{Unit: g.unit, Min: &zero}
	switch g.kind {
	case lines, stacked:
		f.Custom = map[string]any{"fillOpacity": 10, "lineWidth": 1, "showPoints": "never", "spanNulls": false, "stacking": map[string]any{"mode": "none", "group": "A"}}
		if g.kind == stacked {
			f.Custom["fillOpacity"], f.Custom["stacking"] = 60, map[string]any{"mode": "normal", "group": "A"}
		}
	case number:
		if g.bad != 0 {
			f.Thresholds = &thresholds{"absolute", []step{{"green", nil}, {"red", &g.bad}}}
		}
	case upOrDown:
		f.Max = &one
		f.Custom = map[string]any{"fillOpacity": 70, "lineWidth": 0}
		f.Mappings = []mapping{{"value", map[string]mapped{"0": {"down", "red", 0}, "1": {"up", "green", 1}}}}
	}
	if strings.Contains(g.title, "Clock") {
		f.Min = nil // it is ahead or behind
	}
	return f
}

func (g graph) options() map[string]any {
	switch g.kind {
	case number:
		return map[string]any{
			"colorMode": "value", "graphMode": "none", "textMode": "auto", "orientation": "horizontal",
			"reduceOptions": map[string]any{"calcs": []string{"lastNotNull"}, "fields": "", "values": false},
		}
	case upOrDown:
		return map[string]any{"mergeValues": true, "showValue": "never", "legend": map[string]any{"displayMode": "list", "placement": "bottom", "showLegend": true}}
	}
	return map[string]any{
		"legend":  map[string]any{"displayMode": "list", "placement": "bottom", "showLegend": true},
		"tooltip": map[string]any{"mode": "multi", "sort": "desc"},
	}
}

package page

import (
	"encoding/xml"
	"errors"
	"io"
	"math"
	"regexp"
	"slices"
	"strings"
	"testing"
)

func example() Page {
	return Page{
		Title: "bench <calls>", Text: "p50 < p99 & so on",
		Charts: []Chart{
			Bars{"Latency", "ms", "calls", []Bar{{0.1, 0.2, 10}, {0.2, 0.5, 90}, {10, 11, 1}, {1, 2, 0}}},
			Steps{"Online", "s", "accounts", []Point{{0, 0}, {1, 50}, {1.5, 100}}, 100},
			Shares{"CPU", "ms", []Row{{"a sign-in", []Share{{"floor", 8}, {"the rest", 2}}}, {"the DC", []Share{{"all", 9}, {"less than none", -1}}}}},
		},
		Result: map[string]int{"calls": 101},
	}
}

func TestAPageIsWholeAndLoadsNothing(t *testing.T) {
	var out strings.Builder
	if err := example().Write(&out); err != nil {
		t.Fatal(err)
	}
	text := out.String()
	for _, want := range []string{"<title>bench &lt;calls&gt;</title>", "p50 &lt; p99 &amp; so on", "Latency", "Online", "&#34;calls&#34;: 101", "less than none -1 ms"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not in the page", want)
		}
	}
	if found := regexp.MustCompile(`(?i)https?:|src=|href=|url\(|@import|<script`).FindString(text); found != "" {
		t.Errorf("the page has %q", found)
	}
}

// numbers of attributes that are no numbers in SVG.
var notANumber = regexp.MustCompile(`NaN|Inf|="-[0-9.]+"`)

func TestChartsAreSVGWhateverWasMeasured(t *testing.T) {
	charts := example().Charts
	charts = append(charts, Bars{Title: "none"}, Bars{Bars: []Bar{{0, 0, 5}}}, Bars{Bars: []Bar{{1, 1, 1}}},
		Steps{}, Steps{Points: []Point{{0, 0}}}, Steps{Points: []Point{{0, 7}}}, Steps{Points: []Point{{3, 1e9}}},
		Shares{}, Shares{Rows: []Row{{What: "a < b"}, {"zero", []Share{{"nothing", 0}}}}})
	for i, c := range charts {
		svg := c.draw()
		d := xml.NewDecoder(strings.NewReader(svg))
		for {
			if _, err := d.Token(); errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				t.Fatalf("chart %d: %v in %s", i, err, svg)
			}
		}
		if bad := notANumber.FindString(svg); bad != "" {
			t.Errorf("chart %d has %q: %s", i, bad, svg)
		}
	}
}

func TestAnAxisHasAFewRoundSteps(t *testing.T) {
	for _, most := range []float64{0.003, 1, 7, 99, 100, 2345, 1e9} {
		at := steps(most)
		if len(at) < 3 || len(at) > 7 || at[0] != 0 || at[len(at)-1] > most*1.001 {
			t.Errorf("up to %v: %v", most, at)
		}
	}
	if got := steps(math.NaN()); len(got) != 1 {
		t.Errorf("no number: %v", got)
	}
	for v, want := range map[float64]string{0: "0", 0.25: "0.25", 1234: "1234", 12_345: "12.35k", 25_000_000: "25M"} {
		if got := number(v); got != want && !(v == 12_345 && got == "12.34k") {
			t.Errorf("%v is written %q, want %q", v, got, want)
		}
	}
}

func TestALogarithmicAxisHasRoundNumbers(t *testing.T) {
	for name, c := range map[string]struct {
		low, high float64
		want      []float64
	}{
		"half a decade": {0.5, 1, []float64{5, 10}},
		"one decade":    {1, 2, []float64{10, 20, 50, 100}},
		"from below 1":  {-1, 0.5, []float64{0.1, 0.2, 0.5, 1, 2}},
		"a long axis":   {0, 4, []float64{1, 10, 100, 1000, 10000}},
	} {
		got := decades(c.low, c.high)
		for i := range got {
			got[i] = math.Round(got[i]*1000) / 1000
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}

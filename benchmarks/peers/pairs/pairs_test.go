package main

import (
	"context"
	"fmt"
	"math"
	"os"
	"strings"
	"testing"
	"time"
)

func TestMain(m *testing.M) {
	if len(os.Args) == 3 && os.Args[1] == orderOfTurn { // a turn is a process of this program
		if err := take(os.Args[2], os.Stdin, os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// TestClientsTakeTheirTurns is a short form of everything that Go clients do.
func TestClientsTakeTheirTurns(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	cluster, err := startDC(3)
	if err != nil {
		t.Fatal(err)
	}
	defer cluster.Close()
	c := &conductor{dc: cluster, outage: time.Second}
	for _, o := range []Orders{
		{Scenario: scenarioLogins, Accounts: 1, AtOnce: 1},
		{Scenario: scenarioCalls, PFS: true, Accounts: 2, AtOnce: 2, Calls: 100},
		{Scenario: scenarioIdle, Accounts: 1, IdleFor: 100 * time.Millisecond},
		{Scenario: scenarioStorm, Accounts: 2},
	} {
		taken := map[string][]Figures{}
		for _, o.Client = range []string{"gotd", "mtfleet"} {
			found, err := c.turn(ctx, o)
			if err != nil {
				t.Fatal(err)
			}
			taken[o.Client] = append(taken[o.Client], found)
		}
		list := rows(o.String(), taken)
		if len(list) == 0 {
			t.Errorf("%v: nothing was found", o)
		}
		for _, r := range list {
			if len(r.Rounds["gotd"]) != 1 || len(r.Rounds["mtfleet"]) != 1 {
				t.Errorf("%v: %s was found of %v", o, r.Figure, r.Rounds)
			}
			if strings.HasPrefix(r.Figure, "CPU") && r.Figure != cpuIdle && r.Rounds["gotd"][0] <= 0 {
				t.Errorf("%v: gotd took nothing: %v", o, r.Rounds)
			}
		}
		if o.Scenario == scenarioStorm && taken["mtfleet"][0][keysMade] != 0 {
			t.Errorf("ours made keys after an outage: %v", taken["mtfleet"])
		}
	}
}

func TestATurnThatFailsSaysWhy(t *testing.T) {
	cluster, err := startDC(1)
	if err != nil {
		t.Fatal(err)
	}
	defer cluster.Close()
	c := &conductor{dc: cluster}
	for name, o := range map[string]Orders{
		"no client is called":   {Client: "another", Scenario: scenarioIdle},
		"no scenario is called": {Client: "mtfleet", Scenario: "another"},
	} {
		if _, err := c.turn(t.Context(), o); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%v ends with %v", o, err)
		}
	}
}

func TestRatiosAreOfPairs(t *testing.T) {
	for name, c := range map[string]struct {
		ours, theirs []float64
		want         Ratio
		none         bool
	}{
		"an odd number of rounds":  {ours: []float64{1, 2, 3}, theirs: []float64{2, 2, 2}, want: Ratio{1, 0.5, 1.5}},
		"an even number of rounds": {ours: []float64{1, 3}, theirs: []float64{2, 2}, want: Ratio{1, 0.5, 1.5}},
		"a round is missing":       {ours: []float64{1, 3}, theirs: []float64{2}, none: true},
		"they took nothing":        {ours: []float64{1}, theirs: []float64{0}, none: true},
		"nobody was there":         {none: true},
	} {
		got, ok := ratioOf(c.ours, c.theirs)
		if ok == c.none || ok && (math.Abs(got.Median-c.want.Median) > 1e-9 || got.Low != c.want.Low || got.High != c.want.High) {
			t.Errorf("%s: %+v, %v, want %+v", name, got, ok, c.want)
		}
	}
}

func TestTheTableNamesAScenarioOnce(t *testing.T) {
	var out strings.Builder
	print(&out, rows("call", map[string][]Figures{
		"gotd":    {{cpuPerCall: 100, halfOfCalls: 200}, {cpuPerCall: 120, halfOfCalls: 200}},
		"mtfleet": {{cpuPerCall: 40, halfOfCalls: 50}, {cpuPerCall: 36, halfOfCalls: 50}},
	}), []string{"gotd", "mtfleet"})
	text := out.String()
	if strings.Count(text, "call ") != 1 || !strings.Contains(text, "0.35 (0.30 to 0.40)") || !strings.Contains(text, "110") {
		t.Errorf("the table is\n%s", text)
	}
}

package main

import (
	"bytes"
	"strings"
	"testing"

	"github.com/mtfleet/mtfleet/benchmarks/simulate/world"
)

func TestArguments(t *testing.T) {
	for _, c := range []struct {
		name, args string
		want       func(config) bool // nil: refused
	}{
		{"none: a hundred short seeds", "", func(c config) bool { return c.seeds == 100 && c.seed == 1 && c.opts.Duration == 0 }},
		{"one seed is played alone", "--seed 7", func(c config) bool { return c.seeds == 1 && c.seed == 7 }},
		{"seeds from one on", "--seed 7 --seeds 3", func(c config) bool { return c.seeds == 3 && c.seed == 7 }},
		{"days are virtual", "--days 0.5", func(c config) bool { return c.opts.Duration.Hours() == 12 }},
		{"some gusts", "--only 3,17", func(c config) bool { return len(c.opts.Only) == 2 && c.opts.Only[1] == 17 }},
		{"no gust", "--only none", func(c config) bool { return c.opts.Only != nil && len(c.opts.Only) == 0 }},
		{"no number of a gust", "--only x", nil},
		{"no seeds", "--seeds 0", nil},
		{"time goes forward", "--days -1", nil},
		{"a word too many", "seeds", nil},
		{"ten DCs", "--dcs 10", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := parse(strings.Fields(c.args))
			if (err == nil) != (c.want != nil) || err == nil && !c.want(got) {
				t.Errorf("%+v, %v", got, err)
			}
		})
	}
}

// A good run ends in one line of figures and one of what paced it, and shows its timeline when asked.
func TestAGoodRun(t *testing.T) {
	var out bytes.Buffer
	ok, err := simulate(strings.Fields("--seed 1 --accounts 1 --dcs 1 --calm --timeline"), &out)
	if !ok || err != nil {
		t.Errorf("%v, %v", ok, err)
	}
	for _, want := range []string{"person-0 is online", "seed 1: ", "1 seeds, 0 bad; ", "governor of 1 seeds, own numbers: " + world.Limits(1).String()} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is not in\n%s", want, out.String())
		}
	}
}

package world

import (
	"flag"
	"testing"
	"time"
)

var (
	seeds = flag.Int("world.seeds", 4, "how many seeds of TestShortSeeds to run")
	first = flag.Uint64("world.seed", 1, "the first of them")
)

func run(t *testing.T, seed uint64, o Options) Result {
	t.Helper()
	r, err := Run(seed, o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestOneSeedTwice(t *testing.T) {
	a, b := run(t, *first, Options{}), run(t, *first, Options{})
	if a.Hash != b.Hash {
		t.Errorf("the same seed gave two runs: %+v and %+v", a.Counts, b.Counts)
		for i := range a.Timeline {
			if a.Timeline[i] != b.Timeline[i] {
				t.Fatalf("they part at line %d:\n%s\n%s", i, a.Timeline[i], b.Timeline[i])
			}
		}
	}
	for _, l := range a.Timeline {
		t.Log(l)
	}
	t.Log(a.Counts, a.Virtual)
}

func TestShortSeeds(t *testing.T) {
	for i := range *seeds {
		begun := time.Now()
		r := run(t, *first+uint64(i), Options{})
		t.Logf("seed %d: %+v %v, %d complaints %v", r.Seed, r.Counts, r.Virtual, len(r.Complaints), time.Since(begun))
		for _, c := range r.Complaints {
			t.Log("   ", c)
		}
	}
}

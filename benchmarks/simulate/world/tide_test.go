package world

import (
	"testing"
	"time"
)

// Work that takes some time in a storm is due then in a storm, much later by day,
// and never at night.
func TestWorkGoesWithTheTide(t *testing.T) {
	begun := time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)
	at := func(d time.Duration) time.Time { return begun.Add(d) }
	tide := tide{begun: begun, storms: []span{{begun, at(4 * time.Minute)}, {at(time.Hour), at(time.Hour + 2*time.Minute)}}}
	for _, c := range []struct {
		name         string
		now, d, want time.Duration
	}{
		{"in a storm", time.Minute, 10 * time.Second, 10 * time.Second},
		{"by day", 2 * time.Hour, 10 * time.Second, quietSlow * 10 * time.Second},
		{"over the end of a storm", 4*time.Minute - time.Second, 2 * time.Second, time.Second + quietSlow*time.Second},
		{"into the next storm", time.Hour - quietSlow*time.Second, 3 * time.Second, quietSlow*time.Second + 2*time.Second},
		{"over the night", nightFrom - quietSlow*time.Second, 2 * time.Second, 2*quietSlow*time.Second + day - nightFrom},
		{"from the night on", nightFrom + time.Hour, time.Second, day - nightFrom - time.Hour + quietSlow*time.Second},
	} {
		if got := tide.until(at(c.now), c.d); got != c.want {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}

// The storms of a week are apart and one a day, and its work is what the budget
// says.
func TestAWeekHasItsBudget(t *testing.T) {
	begun := time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)
	var work time.Duration
	const seeds = 100
	for seed := range uint64(seeds) {
		tide := newTide(stream(seed, "tide"), begun, 7*day)
		if len(tide.storms) != 8 {
			t.Fatalf("seed %d: %d storms", seed, len(tide.storms))
		}
		for i, s := range tide.storms {
			if !s.from.Before(s.to) || i > 0 && s.from.Before(tide.storms[i-1].to) {
				t.Errorf("seed %d: storm %d is from %v to %v", seed, i, s.from, s.to)
			}
		}
		for at := begun; at.Before(begun.Add(7 * day)); {
			slow, end := tide.pace(at)
			if slow > 0 {
				work += end.Sub(at) / slow
			}
			at = end
		}
	}
	if got := work / seeds; got < 25*time.Minute || got > 32*time.Minute {
		t.Errorf("a week has the work of a storm of %v", got)
	}
}

// A run of days has quiet hours and nights, and ends as well as a short one.
func TestDaysAreQuiet(t *testing.T) {
	o := Options{Accounts: 2, DCs: 2, Duration: 2 * day}
	r := run(t, *first, o)
	if len(r.Complaints) > 0 {
		fail(t, r)
	}
	if again := run(t, *first, o); again.Hash != r.Hash {
		t.Error("it does not replay")
	}
	if r.Counts.Calls > 1500 || r.Counts.Calls < 50 {
		t.Errorf("%d calls in %v", r.Counts.Calls, r.Virtual)
	}
}

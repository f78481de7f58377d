package standing

import (
	"slices"
	"testing"
	"time"
)

func TestWhoAnAccountIs(t *testing.T) {
	type want struct {
		is, runs bool
	}
	cases := map[State]want{
		New: {}, SigningIn: {}, Revoked: {}, SignedOut: {},
		Connecting: {true, true}, Online: {true, true}, Waiting: {true, true}, Frozen: {true, true},
		Paused: {true, true}, SigningOut: {true, true}, Duplicated: {is: true}, Exported: {true, true},
	}
	check := func(s State, back State, want want) {
		t.Helper()
		m := Restore(Config{}, Snapshot{State: s, Back: back, UserID: 7})
		id, runs := m.User()
		if (id == 7) != want.is || runs != want.runs || id != 0 && id != 7 {
			t.Errorf("%v, back to %v: user %d, runs %v", s, back, id, runs)
		}
	}
	for s := range states {
		if s == Quarantined {
			continue
		}
		want, named := cases[s]
		if !named {
			t.Errorf("%v has no case", s)
		}
		check(s, New, want)
		check(Quarantined, s, want)
	}
	if id, runs := Restore(Config{}, Snapshot{State: Online}).User(); id != 0 || runs {
		t.Errorf("an account without a user is %d, runs %v", id, runs)
	}
}

func TestWhichAccountOfAUserRuns(t *testing.T) {
	day := func(n int) time.Time { return time.Date(2026, 1, n, 0, 0, 0, 0, time.UTC) }
	of := func(name string, created int, s State) *Contender {
		return &Contender{Account: name, Created: day(created), Snapshot: Snapshot{State: s, Back: Connecting, UserID: 7}}
	}
	// The first of each runs.
	cases := map[string][]*Contender{
		"added first":                  {of("b", 1, Online), of("a", 2, Online)},
		"added at once: by name":       {of("a", 1, Online), of("b", 1, Online)},
		"in service before paused":     {of("b", 2, Waiting), of("a", 1, Paused)},
		"paused before signing out":    {of("b", 2, Paused), of("a", 1, SigningOut)},
		"quarantined after all":        {of("c", 3, Frozen), of("b", 2, SigningOut), of("a", 1, Quarantined)},
		"duplicated after quarantined": {of("b", 2, Quarantined), of("a", 1, Duplicated)},
	}
	for name, want := range cases {
		got := slices.Clone(want)
		slices.Reverse(got)
		slices.SortFunc(got, (*Contender).Compare)
		if !slices.Equal(got, want) {
			t.Errorf("%s: %s comes first", name, got[0].Account)
		}
	}
}

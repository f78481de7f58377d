package world

import (
	"testing"
	"time"
)

// What is the same breach of a promise, and what is another.
func TestComplaintsAreOfAPromise(t *testing.T) {
	for _, c := range []struct {
		a, b string
		same bool
	}{
		{"call 12 must not run twice and ran 2 times: x", "call 7 must not run twice and ran 3 times: y", true},
		{"person-0 is not online: new since 4m12.88s: ", "robot-7 is not online: paused since 1h0m: ", true},
		{"3 temp keys live at 13m4.5s under perm key 6c7f70c8359b54cb of DC 2", "4 temp keys live at 1s under perm key a6c7f70c8359b54c of DC 1", true},
		{"orphan: {DC:3 Perm:-15 UserID:6000000002 Home:false}", "lost update: {At:2000-01-01}", false},
	} {
		if got := promise(c.a) == promise(c.b); got != c.same {
			t.Errorf("%q and %q: %v", promise(c.a), promise(c.b), got)
		}
	}
}

// A bad run is made smaller: less goes wrong in it, or for a shorter time, and it
// breaks the same promise when it is played again.
func TestABadRunIsShrunk(t *testing.T) {
	o := Options{Accounts: 2, DCs: 2, Plant: PlantSwallowUpdate}
	bad := run(t, 1, o)
	if len(bad.Complaints) == 0 {
		t.Fatal("the plant was not found")
	}
	s := Shrink(bad, o, 12, time.Now().Add(time.Minute))
	if s.Tries == 0 || s.Tries > 12 {
		t.Errorf("%d tries", s.Tries)
	}
	if !s.Options.smaller(o, bad.Counts.Gusts) {
		t.Errorf("%v and %v of %d gusts is not smaller", s.Options.Duration, s.Options.Only, bad.Counts.Gusts)
	}
	again := run(t, 1, s.Options)
	if again.Hash != s.Result.Hash || len(again.Complaints) == 0 || promise(again.Complaints[0]) != promise(s.Result.Complaints[0]) {
		t.Errorf("it does not replay: %v", again.Complaints)
	}
}

// smaller tells whether less happens than by other options, under which so many
// gusts came.
func (o Options) smaller(than Options, gusts int) bool {
	def(&than.Duration, defaultDuration)
	def(&o.Duration, defaultDuration)
	return o.Duration < than.Duration || o.Only != nil && len(o.Only) < gusts
}

package governor

import (
	"testing"
	"time"
)

func TestWhichFamilyWasReachedLast(t *testing.T) {
	const four, six = Families(1), Families(2)
	for _, tc := range []struct {
		name  string
		tried []Tried
		want  Tried
	}{
		{"nobody has tried", nil, Tried{}},
		{"one of them", []Tried{{Reached: four}}, Tried{Reached: four}},
		{"six fails, four answers", []Tried{{four, six}}, Tried{four, six}},
		{"what an outrun dial says is nothing", []Tried{{four, six}, {Reached: four}}, Tried{four, six}},
		{"six is back", []Tried{{four, six}, {Reached: six}}, Tried{Reached: four | six}},
		{"six is gone", []Tried{{Reached: six}, {Missed: six}}, Tried{Missed: six}},
		{"both are", []Tried{{four, six}, {Missed: four | six}}, Tried{Missed: four | six}},
		{"one of two addresses answers", []Tried{{four, four}}, Tried{Reached: four}},
	} {
		d := &record{}
		for _, tried := range tc.tried {
			d.note(tried)
		}
		if d.tried != tc.want {
			t.Errorf("%s: %+v, want %+v", tc.name, d.tried, tc.want)
		}
	}
}

func TestRoundTripsAreSmoothedByFamily(t *testing.T) {
	const four, six = Families(1), Families(2)
	at := time.Unix(1_700_000_000, 0)
	var p Pulse
	for i, took := range []time.Duration{80 * time.Millisecond, 160 * time.Millisecond} {
		p.Trip(at.Add(time.Duration(i)*time.Second), six, took)
	}
	p.Lose(four)
	p.Lose(four | six) // of which nobody knows by which
	p.Trip(at, 0, time.Second)
	want := [2]Trips{{Lost: 1}, {Latest: 160 * time.Millisecond, Smoothed: 90 * time.Millisecond, At: at.Add(time.Second)}}
	if got := p.now(); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
	if p.forget(); p.now() != [2]Trips{} {
		t.Error("something is known still")
	}
	var nobodys *Pulse
	nobodys.forget()
	nobodys.Trip(at, four, time.Second)
	if nobodys.now() != [2]Trips{} {
		t.Error("nobody's pulse knows something")
	}
}

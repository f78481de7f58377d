package governor

import "testing"

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

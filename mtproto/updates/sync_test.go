package updates

import (
	"testing"
	"time"
)

// TestSyncAsksUnlessThatIsUnderWay, from a place that is known or from none.
func TestSyncAsksUnlessThatIsUnderWay(t *testing.T) {
	now := time.Date(2026, 9, 1, 12, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		place *State
		want  OutputKind
	}{
		{nil, OutGetState},
		{&State{Pts: 7, Date: 1}, OutGetDifference},
	} {
		m := At(c.place)
		m.Sync(now)
		out, ok := m.Next()
		if !ok || out.Kind != c.want {
			t.Fatalf("from %v: %v, want %v", c.place, out.Kind, c.want)
		}
		m.Sync(now)
		if out, ok := m.Next(); ok {
			t.Errorf("from %v: asked twice: %v", c.place, out.Kind)
		}
		if got := m.Snapshot(); got.Known != (c.place != nil) || got.Missed != (c.place == nil) {
			t.Errorf("from %v: %+v", c.place, got)
		}
	}
}

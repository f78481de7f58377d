package updates

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestSyncAsksUnlessThatIsUnderWay, from a place that is known or from none.
func TestSyncAsksUnlessThatIsUnderWay(t *testing.T) {
	now := time.Date(2026, 9, 1, 12, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		from Snapshot
		want OutputKind
	}{
		{Snapshot{Missed: true}, OutGetState},
		{Snapshot{State: State{Pts: 7, Date: 1}, Known: true}, OutGetDifference},
	} {
		m := New(c.from)
		m.Sync(now)
		out, ok := m.Next()
		if !ok || out.Kind != c.want {
			t.Fatalf("from %v: %v, want %v", c.from, out.Kind, c.want)
		}
		m.Sync(now)
		if out, ok := m.Next(); ok {
			t.Errorf("from %v: asked twice: %v", c.from, out.Kind)
		}
		if diff := cmp.Diff(c.from, m.Snapshot()); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
	}
}

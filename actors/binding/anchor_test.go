package binding

import (
	"strings"
	"testing"
	"time"

	"github.com/mtfleet/mtfleet/persistence"
)

// TestTimesOfTheStoreAreOfThisProcess: they carry the monotonic clock, so that
// setting the clock on the wall changes nothing about what is due.
func TestTimesOfTheStoreAreOfThisProcess(t *testing.T) {
	now := time.Now()
	stored := func(d time.Duration) time.Time { return now.Add(d).Round(time.Microsecond).UTC() }
	perm := persistence.PermKey{Created: stored(-time.Hour), LastGoodBind: stored(-time.Minute)}
	guest := persistence.Guest{KeyDropped: stored(-time.Hour), RefusedUntil: stored(time.Hour)}
	got := Records{Perm: &perm, Guest: &guest}.anchored(now)
	for name, times := range map[string][2]time.Time{
		"created": {perm.Created, got.Perm.Created}, "bound": {perm.LastGoodBind, got.Perm.LastGoodBind},
		"dropped": {guest.KeyDropped, got.Guest.KeyDropped}, "refused until": {guest.RefusedUntil, got.Guest.RefusedUntil},
	} {
		if !times[1].Equal(times[0]) || !strings.Contains(times[1].String(), "m=") {
			t.Errorf("%s: %v became %v", name, times[0], times[1])
		}
	}
	if strings.Contains(perm.Created.String(), "m=") {
		t.Error("the record itself was changed")
	}
	if got := (Records{Guest: &persistence.Guest{}}).anchored(now); !got.Guest.RefusedUntil.IsZero() || got.Perm != nil {
		t.Errorf("nothing became %+v", got)
	}
}

package standing

import (
	"testing"
	"time"

	"github.com/mtfleet/mtfleet/mtproto/tgerr"
)

// TestAWaitWithKeysIsTheNextBindingsToo: what one binding was refused is told the
// next one that starts, each for its own method.
func TestAWaitWithKeysIsTheNextBindingsToo(t *testing.T) {
	for method, bound := range map[string]bool{"auth.bindTempAuthKey": true, "auth.dropTempAuthKeys": false} {
		m := Restore(Config{}, Snapshot{State: Online, HomeDC: 2, UserID: 1})
		m.Start(epoch)
		if bind, drop := m.KeyWaits(epoch, 2); !bind.IsZero() || !drop.IsZero() {
			t.Errorf("%s: held before it was refused", method)
		}
		m.KeyRefused(epoch, method, Where{DC: 2, Home: true}, tgerr.New(420, "FLOOD_WAIT_60"))
		bind, drop := m.KeyWaits(epoch, 2)
		if !bound {
			bind, drop = drop, bind
		}
		if bind.Before(epoch.Add(time.Minute)) || !drop.IsZero() {
			t.Errorf("%s: held until %v, the other until %v", method, bind, drop)
		}
		if m.State() != Online && m.State() != Connecting {
			t.Errorf("%s: it is %v", method, m.State())
		}
	}
}

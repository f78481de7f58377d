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
		if k := m.KeyWaits(epoch, 2); k != (KeyWaits{}) {
			t.Errorf("%s: held before it was refused", method)
		}
		m.KeyRefused(epoch, method, Where{DC: 2, Home: true}, tgerr.New(420, "FLOOD_WAIT_60"))
		k := m.KeyWaits(epoch, 2)
		bind, drop := k.Bind, k.Drop
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

// TestA401ToAnOrderToDropKeysIsOneOfTheLogin: it is asked for again by its slot, once
// the guest's authorization was carried over anew, or home was proved to be there.
func TestA401ToAnOrderToDropKeysIsOneOfTheLogin(t *testing.T) {
	for name, c := range map[string]struct {
		at   Where
		want OutputKind
	}{
		"on a guest DC the authorization is carried over": {Where{DC: 4, Temp: true}, OutUnauthorized},
		"at home it is asked whether that is so":          {Where{DC: 2, Home: true, Temp: true}, OutStatus},
	} {
		m := Restore(Config{}, Snapshot{State: Online, HomeDC: 2, UserID: 1})
		m.Start(epoch)
		for ok := true; ok; _, ok = m.Next() {
		}
		m.KeyRefused(epoch, "auth.dropTempAuthKeys", c.at, tgerr.New(401, "SESSION_REVOKED"))
		found := false
		for out, ok := m.Next(); ok; out, ok = m.Next() {
			found = found || out.Kind == c.want
			if out.Kind == OutSend {
				t.Errorf("%s: the order is sent by the account", name)
			}
		}
		if !found {
			t.Errorf("%s: it is not", name)
		}
	}
}

// TestAWaitThatIsOverByAnUnverifiedClockIsDoubted: a binding that starts is told of
// it, for the handshake it makes first says what the time is.
func TestAWaitThatIsOverByAnUnverifiedClockIsDoubted(t *testing.T) {
	for method, bind := range map[string]bool{"auth.bindTempAuthKey": true, "auth.dropTempAuthKeys": false} {
		m := Restore(Config{}, Snapshot{State: Online, HomeDC: 2, UserID: 1})
		m.Start(epoch)
		m.Clock(epoch, 0)
		m.KeyRefused(epoch, method, Where{DC: 2, Home: true}, tgerr.New(420, "FLOOD_WAIT_3600"))

		ahead := epoch.Add(90 * time.Minute) // by a clock that was set wrong
		m = Restore(Config{}, m.Snapshot())
		m.Start(ahead)
		k := m.KeyWaits(ahead, 2)
		want := KeyWaits{Doubt: Doubt{Ends: epoch.Add(time.Hour), Length: time.Hour}}
		if !bind {
			want = KeyWaits{Drop: ahead.Add(time.Hour)}
		}
		if k != want {
			t.Errorf("%s: a binding is told %+v, want %+v", method, k, want)
		}
		m.Clock(ahead, -90*time.Minute)
		k = m.KeyWaits(ahead, 2)
		if until := map[bool]time.Time{true: k.Bind, false: k.Drop}[bind]; !until.Equal(ahead.Add(time.Hour)) || k.Doubt != (Doubt{}) {
			t.Errorf("%s: when the time is known it is told %+v", method, k)
		}
	}
}

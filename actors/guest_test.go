package actors_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/mtfleet/mtfleet/actors"
	"github.com/mtfleet/mtfleet/mtproto/dctest"
	"github.com/mtfleet/mtfleet/mtproto/dctest/echo"
	"github.com/mtfleet/mtfleet/mtproto/tgerr"
	"github.com/mtfleet/mtfleet/persistence"
)

// This file is about carrying an authorization to a guest DC that does not take
// it.

// refusedBytes has imports refused for the bytes of the export.
func refusedBytes(count int) dctest.Fault {
	return dctest.Fault{Kind: dctest.FaultRPC, Method: "auth.importAuthorization", Code: 400, Text: "AUTH_BYTES_INVALID", Count: count}
}

// TestBytesThatAGuestDCRefusesAreExportedAnew: who called there need not know.
func TestBytesThatAGuestDCRefusesAreExportedAnew(t *testing.T) {
	for name, refusals := range map[string]int{"refused once": 1, "refused twice": 2} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				s, store := cluster(t, small), persistence.NewMemory()
				m := open(t, options(s, store))
				b := s.Descriptor().Bots[0]
				a := signInBot(t, m, "robot", b, actors.AccountOptions{})
				wait(t, a, actors.Online)
				inject(t, s, refusedBytes(refusals))
				begun := time.Now()
				call(t, a, actors.OnDC(dcID(b.DC%2+1)))
				if took := time.Since(begun); took > 30*time.Second {
					t.Errorf("the call took %v", took)
				}
				call(t, a)
				verdict(t, s, store)
			})
		})
	}
}

// TestAGuestDCThatRefusesForGoodTakesNoKeyPerCall: each caller is told soon what
// the server says. A key may be to blame, so one more is tried, and not one for
// each call; home has nothing to do with it.
func TestAGuestDCThatRefusesForGoodTakesNoKeyPerCall(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s, store := cluster(t, small), persistence.NewMemory()
		m := open(t, options(s, store))
		b := s.Descriptor().Bots[0]
		a := signInBot(t, m, "robot", b, actors.AccountOptions{})
		wait(t, a, actors.Online)
		other := actors.OnDC(dcID(b.DC%2 + 1))
		inject(t, s, refusedBytes(1_000_000))
		before := s.Counts()

		const every = 10 * time.Second
		for made := range int(time.Hour / every) {
			begun := time.Now()
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
			_, err := actors.Invoke(ctx, a, &echo.EchoRequest{ID: time.Now().UnixNano()}, other)
			cancel()
			if !tgerr.Is(err, "AUTH_BYTES_INVALID") || !errors.Is(err, actors.ErrNotSent) {
				t.Fatalf("call %d was told %v", made, err)
			}
			if took := time.Since(begun); took > 30*time.Second {
				t.Errorf("call %d was told after %v", made, took)
			}
			call(t, a)
			if st := a.Status(); st.State != actors.Online {
				t.Fatalf("the account is %v: %s", st.State, st.Why)
			}
			time.Sleep(time.Until(begun.Add(every)))
		}
		after := s.Counts()
		// The first perm key there belongs to any first call on a DC.
		if made := after.PermKeys - before.PermKeys; made > 2 {
			t.Errorf("%d perm keys in an hour, want the first and at most one further", made)
		}
		if after.Logins != before.Logins {
			t.Errorf("%d logins, want %d", after.Logins, before.Logins)
		}
	})
}

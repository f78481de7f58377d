package actors_test

import (
	"context"
	"testing"
	"time"

	"github.com/mtfleet/mtfleet/actors"
	"github.com/mtfleet/mtfleet/actors/actorstest"
	"github.com/mtfleet/mtfleet/actors/governor"
	"github.com/mtfleet/mtfleet/actors/runtime"
	"github.com/mtfleet/mtfleet/mtproto/dctest"
	"github.com/mtfleet/mtfleet/mtproto/dctest/serve"
	"github.com/mtfleet/mtfleet/persistence"
)

// TestAPermitDiesWithItsHolder: one key may be made at a time, and whoever makes it
// ends in the middle, in whichever way. The next has the permit at once, and not when
// a permit's longest time is over.
func TestAPermitDiesWithItsHolder(t *testing.T) {
	for name, end := range map[string]func(t *testing.T, a *actors.Account, clock *mine){
		"its account is removed": func(t *testing.T, a *actors.Account, _ *mine) {
			if err := a.Remove(soon(t), true); err != nil {
				t.Error(err)
			}
		},
		"its connection panics": func(t *testing.T, _ *actors.Account, clock *mine) {
			clock.plant([]string{"dcconn.(*conn).Receive"}, func() { panic("as planned") })
		},
		"its account panics": func(_ *testing.T, a *actors.Account, clock *mine) {
			clock.plant([]string{"account.(*account).Receive"}, func() { panic("as planned") })
			_ = later(func() error { return a.Remove(context.Background(), true) })
		},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				s := cluster(t, serve.Config{Core: dctest.Config{DCs: 1}, Bots: 2})
				o, clock := options(s, persistence.NewMemory()), &mine{Clock: runtime.RealClock()}
				o.Clock = clock
				o.Limits.KeysAtOnce, o.Limits.KeysAtOncePerDC = 1, 1
				m := open(t, o)
				silence := actorstest.Inject(t, s, dctest.Fault{Kind: dctest.FaultDrop})
				bots := s.Descriptor().Bots
				holder := add(t, m, "holder")
				_ = later(func() error {
					_, err := holder.SignIn(context.Background(), actors.BotToken(bots[0].Token))
					return err
				})
				next := add(t, m, "next")
				time.Sleep(time.Second)
				signedIn := later(func() error {
					_, err := next.SignIn(context.Background(), actors.BotToken(bots[1].Token))
					return err
				})
				time.Sleep(time.Second)
				if n := waiting(t, m, governor.MakeKey); n != 1 {
					t.Fatalf("%d wait for a key's permit", n)
				}
				if err := s.ClearFaults(silence); err != nil {
					t.Fatal(err)
				}
				end(t, holder, clock)
				inject(t, s, dctest.Fault{Kind: dctest.FaultDelay, Delay: dctest.Duration(time.Millisecond)}) // nothing is for ever at one instant
				begun := time.Now()
				if err := ended(t, "the sign-in", signedIn, time.Minute); err != nil {
					t.Error(err)
				}
				// A handshake without an answer would be given up after ten, two of which have passed.
				if took := time.Since(begun); took > 5*time.Second {
					t.Errorf("the next had its keys %v after the holder ended", took)
				}
				if n := clock.armed(); n > 0 {
					t.Error("nothing panicked")
				}
			})
		})
	}
}

// waiting counts tickets in the governor's queues.
func waiting(t *testing.T, m *actors.Manager, k governor.Kind) (n int) {
	t.Helper()
	census, err := m.Governor(soon(t))
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range census {
		n += s.Waiting[k]
	}
	return n
}

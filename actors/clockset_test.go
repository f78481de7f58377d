package actors_test

import (
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mtfleet/mtfleet/actors"
	"github.com/mtfleet/mtfleet/actors/governor"
	"github.com/mtfleet/mtfleet/actors/runtime"
	"github.com/mtfleet/mtfleet/mtproto/dctest"
	"github.com/mtfleet/mtfleet/mtproto/dctest/echo"
	"github.com/mtfleet/mtfleet/mtproto/dctest/serve"
	"github.com/mtfleet/mtfleet/persistence"
)

// clockOnTheWall is set while the manager runs; its readings carry nothing else.
type clockOnTheWall struct {
	runtime.Clock
	by atomic.Int64
}

func (c *clockOnTheWall) Now() time.Time {
	return c.Clock.Now().Add(time.Duration(c.by.Load())).Round(0)
}

// TestSettingTheClockStopsNothing: somebody sets the clock by a day while accounts
// wait for permits, for the server's waits and for their keys. All of it goes on
// in its own time.
func TestSettingTheClockStopsNothing(t *testing.T) {
	const day = 24 * time.Hour
	for _, tc := range []struct {
		name string
		sets []time.Duration
	}{
		{"back", []time.Duration{-day}},
		{"ahead", []time.Duration{day}},
		{"back, and right again", []time.Duration{-day, 0}},
		{"ahead, and right again", []time.Duration{day, 0}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				s := cluster(t, serve.Config{Core: dctest.Config{DCs: 2}, Bots: 5})
				store := persistence.NewMemory()
				o := options(s, store)
				o.Limits = governor.Limits{ConnectsPerDC: governor.Rate{PerSecond: 1, Burst: 1}}
				o.TempKeyLife = 2 * time.Hour
				clock := &clockOnTheWall{Clock: runtime.RealClock()}
				o.Clock = clock
				m := open(t, o)
				var all []*actors.Account
				for i, b := range s.Descriptor().Bots {
					a := signInBot(t, m, fmt.Sprintf("robot-%d", i), b, actors.AccountOptions{})
					wait(t, a, actors.Online)
					all = append(all, a)
				}
				for _, by := range tc.sets {
					inject(t, s, dctest.Fault{Kind: dctest.FaultRPC, Method: "testdc.echo", Code: 420, Text: "FLOOD_WAIT_600", Count: 1})
					_, err := actors.Invoke(soon(t), all[0], &echo.EchoRequest{ID: 1})
					var w *actors.WaitError
					if !errors.As(err, &w) {
						t.Fatalf("the call ended with %v", err)
					}
					inject(t, s, dctest.Fault{Kind: dctest.FaultCloseConns})
					time.Sleep(100 * time.Millisecond) // they wait for permits, one a second
					clock.by.Store(int64(by))
					time.Sleep(30 * time.Second)
					for _, a := range all {
						if st := a.Status(); !st.Bound {
							t.Errorf("%v after the clock was set to %v off %s is %v: %s", 30*time.Second, by, a.ID(), st.State, st.Why)
						}
					}
					if _, err := actors.Invoke(soon(t), all[0], &echo.EchoRequest{ID: 2}); !errors.As(err, &w) {
						t.Errorf("half a minute into a wait of ten a call ends with %v", err)
					}
					time.Sleep(10 * time.Minute)
					for _, a := range all {
						wait(t, a, actors.Online)
						call(t, a)
					}
				}
				before := s.Counts()
				time.Sleep(5 * time.Hour)
				after := s.Counts()
				if n := after.TempKeys - before.TempKeys; n < 2*len(all) || n > 5*len(all) {
					t.Errorf("%d accounts made %d temp keys of two hours in five", len(all), n)
				}
				if after.Logins != before.Logins || after.PermKeys != before.PermKeys {
					t.Errorf("it cost logins or keys: before %+v, after %+v", before, after)
				}
				for _, a := range all {
					call(t, a)
				}
			})
		})
	}
}

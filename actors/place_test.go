package actors_test

import (
	"testing"
	"time"

	"github.com/mtfleet/mtfleet/actors"
	"github.com/mtfleet/mtfleet/mtproto/dctest"
	"github.com/mtfleet/mtfleet/persistence/storetest"
)

// This file is about where an account stands in its updates, when its process
// dies.

// updatesOf gathers what an account's events tell of updates: those that came,
// in order, and whether a hole was told.
func updatesOf(t *testing.T, a *actors.Account, within time.Duration) (came []int32, hole bool) {
	t.Helper()
	events := a.Events(t.Context(), actors.Replay)
	done := time.After(within)
	got := make(chan actors.Event)
	go func() {
		for ev := range events {
			select {
			case got <- ev:
			case <-t.Context().Done():
				return
			}
		}
	}()
	for {
		select {
		case ev := <-got:
			switch ev.Kind {
			case actors.EventUpdate:
				came = append(came, ev.Pts)
			case actors.EventHole:
				hole = true
			}
		case <-done:
			return came, hole
		}
	}
}

// TestAProcessThatDiesAroundASignInLosesNoUpdate: it is killed at each moment of
// the first two seconds, and updates are pushed before, meanwhile and after.
func TestAProcessThatDiesAroundASignInLosesNoUpdate(t *testing.T) {
	for after := time.Duration(0); after <= 2*time.Second; after += 200 * time.Millisecond {
		t.Run(after.String(), func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				s, store := cluster(t, small), storetest.NewCrashing()
				m, err := actors.Open(options(s, store))
				if err != nil {
					t.Fatal(err)
				}
				b := s.Descriptor().Bots[0]
				inject(t, s, dctest.Fault{Kind: dctest.FaultDelay, Delay: dctest.Duration(far)})
				var pushed []int32
				push := func() {
					t.Helper()
					pts, err := s.PushUpdate(b.UserID)
					if err != nil {
						t.Fatal(err)
					}
					pushed = append(pushed, pts)
				}
				signInBot(t, m, "robot", b, actors.AccountOptions{})
				push()
				time.Sleep(after)
				push()
				store.Crash()
				push()
				closeManager(t, m)
				push()
				time.Sleep(time.Second)
				m = open(t, options(s, store.Restart()))
				a, _ := m.Account("robot")
				wait(t, a, actors.Online)
				push()
				came, hole := updatesOf(t, a, 30*time.Second)
				if hole {
					t.Error("a hole was told, and nothing is missing at the server")
				}
				// Those that were delivered by the process that died may come again.
				first := 0
				for first < len(pushed) && (len(came) == 0 || pushed[first] != came[0]) {
					first++
				}
				if first > 2 || len(came) != len(pushed)-first {
					t.Fatalf("pushed %v, came %v", pushed, came)
				}
				for i, pts := range came {
					if pts != pushed[first+i] {
						t.Errorf("pushed %v, came %v", pushed, came)
					}
				}
			})
		})
	}
}

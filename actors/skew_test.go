package actors_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/mtfleet/mtfleet/actors"
	"github.com/mtfleet/mtfleet/actors/runtime"
	"github.com/mtfleet/mtfleet/mtproto/dctest"
	"github.com/mtfleet/mtfleet/mtproto/dctest/echo"
	"github.com/mtfleet/mtfleet/mtproto/dctest/serve"
	"github.com/mtfleet/mtfleet/persistence"
)

// TestAnHourBetweenTheClocksIsLearned: ours is an hour off against the DCs', from the
// first connection on or from some moment, by whichever of the two that was set. A
// person signs in and a bot, both at home and as guests; keys are replaced in time, and
// no wait is passed early.
func TestAnHourBetweenTheClocksIsLearned(t *testing.T) {
	const (
		ours   = "our clock"
		theirs = "the DCs' clock"
	)
	for _, tc := range []struct {
		whose  string
		by     time.Duration
		before bool // before the first connection
	}{
		{ours, time.Hour, true}, {ours, -time.Hour, true},
		{ours, time.Hour, false}, {ours, -time.Hour, false},
		{theirs, time.Hour, false}, {theirs, -time.Hour, false},
	} {
		t.Run(fmt.Sprintf("%s by %v, before the first connection %v", tc.whose, tc.by, tc.before), func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				s, store := cluster(t, serve.Config{Core: dctest.Config{DCs: 2}, Persons: 1, Bots: 1}), persistence.NewMemory()
				clock := &clockOnTheWall{Clock: runtime.RealClock()}
				set := func() {
					if tc.whose == ours {
						clock.by.Store(int64(tc.by))
						return
					}
					inject(t, s, dctest.Fault{Kind: dctest.FaultSkew, Delay: dctest.Duration(tc.by)})
				}
				if tc.before {
					set()
				}
				o := options(s, store)
				o.Clock, o.TempKeyLife = clock, 2*time.Hour
				m := open(t, o)
				d := s.Descriptor()
				signInPhone(t, m, "alice", d.Phones[0], actors.AccountOptions{})
				signInBot(t, m, "robot", d.Bots[0], actors.AccountOptions{})
				homes := map[string]int{"alice": d.Phones[0].DC, "robot": d.Bots[0].DC}
				everywhere := func() {
					t.Helper()
					for _, a := range m.Accounts() {
						wait(t, a, actors.Online)
						call(t, a)
						call(t, a, actors.OnDC(dcID(homes[a.ID()]%2+1)))
					}
				}
				everywhere()
				before := s.Counts()

				// A wait of ten minutes, which the clock is set in the middle of.
				robot, _ := m.Account("robot")
				const length = 10 * time.Minute
				inject(t, s, dctest.Fault{Kind: dctest.FaultRPC, Method: "testdc.echo", Wait: dctest.Duration(length), Count: 1})
				var w *actors.WaitError
				if _, err := actors.Invoke(soon(t), robot, &echo.EchoRequest{ID: 1}); !errors.As(err, &w) {
					t.Fatalf("the call ended with %v", err)
				}
				ordered := time.Now()
				time.Sleep(time.Minute)
				if !tc.before {
					set()
				}
				for n := int64(2); ; n++ {
					_, err := actors.Invoke(soon(t), robot, &echo.EchoRequest{ID: n})
					passed := time.Since(ordered)
					if err == nil {
						if passed < length || passed > length+time.Minute {
							t.Errorf("a wait of %v was over after %v", length, passed)
						}
						break
					}
					if !errors.As(err, &w) || !errors.Is(err, actors.ErrNotSent) || passed > length+time.Minute {
						t.Fatalf("%v into a wait of %v a call ended with %v", passed, length, err)
					}
					time.Sleep(30 * time.Second)
				}

				everywhere()
				inject(t, s, dctest.Fault{Kind: dctest.FaultCloseConns})
				time.Sleep(time.Minute)
				everywhere()
				made := s.Counts().TempKeys
				for range 6 {
					time.Sleep(time.Hour)
					everywhere()
				}
				after := s.Counts()
				// Four slots, each of whose keys of two hours is replaced before its end.
				if n := after.TempKeys - made; n < 4*2 || n > 4*6 {
					t.Errorf("%d temp keys were made in six hours", n)
				}
				if after.PermKeys != before.PermKeys || after.Logins != before.Logins || after.BindErrors > before.BindErrors {
					t.Errorf("before %+v, after %+v", before, after)
				}
				// A session whose clock is wrong is told so at its first message, which
				// the server refuses. It is not a fault of ours, nor are msg_ids that
				// fall with the server's clock.
				wrong, sessions := 0, s.Counts().Sessions
				list, _ := s.Violations()
				for _, v := range list {
					if v.Rule == dctest.RuleMsgID {
						wrong++
						continue
					}
					t.Errorf("the test DC saw a violation: %+v", v)
				}
				if wrong > sessions {
					t.Errorf("%d messages of %d sessions had a time that the server refuses", wrong, sessions)
				}
				v := s.Ledger().Verdict(storeKeys(t, store), nil, time.Time{})
				if back := tc.whose == theirs && tc.by < 0; len(v.Orphans) > 0 || len(v.Overlaps) > 0 && !back {
					t.Errorf("the ledger's verdict: overlaps %+v, orphans %+v", v.Overlaps, v.Orphans)
				}
			})
		})
	}
}

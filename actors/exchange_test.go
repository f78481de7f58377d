package actors_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/mtfleet/mtfleet/actors"
	"github.com/mtfleet/mtfleet/mtproto/dctest"
	"github.com/mtfleet/mtfleet/mtproto/dctest/echo"
	"github.com/mtfleet/mtfleet/persistence"
)

// This file is about calls that take long, and what goes on around them.

// TestAConnectionWithACallPendingIsNotIdle: the answer of a guest DC comes after
// eight minutes; a guest that nobody uses is closed after five.
func TestAConnectionWithACallPendingIsNotIdle(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s, store := cluster(t, small), persistence.NewMemory()
		m := open(t, options(s, store))
		b := s.Descriptor().Bots[0]
		a := signInBot(t, m, "robot", b, actors.AccountOptions{})
		wait(t, a, actors.Online)
		other := actors.OnDC(dcID(b.DC%2 + 1))
		for _, policy := range []actors.Policy{actors.Once, actors.Repeatable} {
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Minute)
			begun := time.Now()
			_, err := actors.Invoke(ctx, a, &echo.EchoRequest{ID: time.Now().UnixNano(), DelayMs: 8 * 60_000}, other, actors.WithPolicy(policy))
			cancel()
			if err != nil {
				t.Errorf("after %v the call ended with %v", time.Since(begun), err)
			}
			if took := time.Since(begun); took > 9*time.Minute {
				t.Errorf("the call took %v", took)
			}
		}
		time.Sleep(10 * time.Minute)
		if n := s.ConnCount(); n != 1 {
			t.Errorf("%d connections, want home alone: the guest is idle", n)
		}
		verdict(t, s, store)
	})
}

// longCall is one of a row of calls as its caller saw it.
type longCall struct {
	id    int64
	delay time.Duration
	began time.Time
	took  time.Duration
	err   error
}

// TestLongCallsAcrossRotations: calls of up to fifteen seconds are made all the
// time, while keys of ten minutes are replaced several times. Where the bind cuts
// the old key off, a call may not last longer than the drain limit of ten
// seconds; where both keys live nobody notices.
func TestLongCallsAcrossRotations(t *testing.T) {
	for _, strict := range []bool{false, true} {
		t.Run(fmt.Sprintf("bind_strict %v", strict), func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				cfg := small
				cfg.Core.BindStrict = strict
				s, store := cluster(t, cfg), persistence.NewMemory()
				inject(t, s, dctest.Fault{Kind: dctest.FaultDelay, Delay: dctest.Duration(far)})
				o := options(s, store)
				o.TempKeyLife = 10 * time.Minute
				m := open(t, o)
				a := signInBot(t, m, "robot", s.Descriptor().Bots[0], actors.AccountOptions{})
				wait(t, a, actors.Online)
				// The first rotation finds out what the DC does.
				for s.Counts().Binds < 2 {
					time.Sleep(time.Minute)
				}
				time.Sleep(2 * time.Minute)
				begun, before := time.Now(), s.Counts()
				var calls []longCall
				ended := make(chan longCall, 10_000)
				made := 0
				for time.Since(begun) < 45*time.Minute {
					c := longCall{id: 1_000_000 + int64(made), delay: time.Duration(made%16) * time.Second, began: time.Now()}
					made++
					go func() {
						_, c.err = actors.Invoke(context.Background(), a, &echo.EchoRequest{ID: c.id, DelayMs: int32(c.delay / time.Millisecond)}, actors.WithPolicy(actors.Once))
						c.took = time.Since(c.began)
						ended <- c
					}()
					time.Sleep(700 * time.Millisecond)
				}
				time.Sleep(time.Minute)
				if len(ended) != made {
					t.Fatalf("%d of %d calls came to an end", len(ended), made)
				}
				for range made {
					calls = append(calls, <-ended)
				}
				rotations := s.Counts().Binds - before.Binds
				if rotations < 4 {
					t.Errorf("%d rotations, so this tests little", rotations)
				}
				unknown := 0
				var held []time.Duration
				for _, c := range calls {
					n := s.EchoCount(c.id)
					switch {
					case n > 1:
						t.Errorf("a call that must not run twice ran %d times", n)
					case c.err == nil:
						held = append(held, c.took-c.delay)
					case !strict:
						t.Errorf("a call of %v ended with %v", c.delay, c.err)
					case !errors.Is(c.err, actors.ErrMayHaveRun):
						t.Errorf("a call of %v ended with %v", c.delay, c.err)
					case c.delay < 10*time.Second-4*far:
						t.Errorf("a call of %v, which could end before the limit, ended after %v with %v", c.delay, c.took, c.err)
					default:
						unknown++
					}
				}
				slices.Sort(held)
				longest := held[len(held)-1]
				t.Logf("%d calls, %d rotations, %d unknown, held at most %v", made, rotations, unknown, longest)
				// A bind is one way and back, a save and the first query with its
				// header; then the difference goes before those that were held.
				if most := 10 * far; !strict && longest > most {
					t.Errorf("a call was held for %v, want %v at most", longest, most)
				}
				if most := 10*time.Second + 10*far; strict && longest > most {
					t.Errorf("a call was held for %v, want %v at most", longest, most)
				}
				// Within the limit before each bind there are 14 calls on their way, 5 in 16 of
				// them longer than the limit.
				if strict && unknown > rotations*10 {
					t.Errorf("%d calls ended as unknown in %d rotations", unknown, rotations)
				}
				verdict(t, s, store)
			})
		})
	}
}

package actors_test

import (
	"context"
	"testing"
	"time"

	"go.opentelemetry.io/otel/sdk/metric"

	"github.com/mtfleet/mtfleet/actors"
	"github.com/mtfleet/mtfleet/actors/runtime"
	"github.com/mtfleet/mtfleet/mtproto/dctest/api"
	"github.com/mtfleet/mtfleet/mtproto/dctest/serve"
	"github.com/mtfleet/mtfleet/persistence"
	"github.com/mtfleet/mtfleet/tl"
	"github.com/mtfleet/mtfleet/tl/tg"
)

func TestActorsThatPanicAreCountedByTheirKind(t *testing.T) {
	for kind, method := range map[string]string{
		"connection": "dcconn.(*conn).Receive", "binding": "binding.(*binding).Receive", "account": "account.(*account).Receive",
		"governor": "governor.(*Governor).Receive", "fleet": "actors.(*fleet).Receive",
	} {
		t.Run(kind, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				clock := &mine{Clock: runtime.RealClock()}
				s, m, read := metered(t, func(o *actors.Options) { o.Clock = clock })
				b := s.Descriptor().Bots[0]
				a := signInBot(t, m, "robot", b, actors.AccountOptions{})
				wait(t, a, actors.Online)
				clock.arm([]string{method}, 1)
				if kind == "fleet" {
					ctx, cancel := context.WithTimeout(t.Context(), time.Second)
					_, _ = m.Add(ctx, "another", actors.AccountOptions{})
					cancel()
				}
				if err := s.StopDC(b.DC, true); err != nil { // everybody has something to do
					t.Fatal(err)
				}
				time.Sleep(5 * time.Second)
				if err := s.StartDC(b.DC); err != nil {
					t.Fatal(err)
				}
				wait(t, a, actors.Online)
				time.Sleep(time.Minute)
				got := read()
				if clock.armed() != 0 {
					t.Fatal("nothing has panicked")
				}
				if n, all := sumOf(got, "mtfleet.actor_restarts", "kind="+kind), sumOf(got, "mtfleet.actor_restarts"); n != 1 || all != 1 {
					t.Errorf("%d of %d panics are counted as the %s's, want 1 of 1", n, all, kind)
				}
				if n := sumOf(got, "mtfleet.connections"); n != 1 {
					t.Errorf("after it %d connections are counted, want 1", n)
				}
			})
		})
	}
}

// pushed sends an account updates of a kind that counts in no box.
func pushed(t *testing.T, s *serve.Cluster, user int64, n int, date time.Time) {
	t.Helper()
	home, perm := homePerm(t, s.Ledger().Authorizations, user)
	body := &tg.Updates{Updates: make([]tl.Raw, n), Date: int32(date.Unix())}
	for i := range body.Updates {
		body.Updates[i] = tl.AppendUint32(nil, tg.UpdateLoginTokenID)
	}
	if err := s.Push(api.Push{DC: home, Perm: perm, Body: body.Append(nil)}); err != nil {
		t.Fatal(err)
	}
	time.Sleep(time.Second)
}

func TestHowLateUpdatesAreIsMeasured(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s, m, read := metered(t, nil)
		b := s.Descriptor().Bots[0]
		wait(t, signInBot(t, m, "robot", b, actors.AccountOptions{}), actors.Online)
		time.Sleep(time.Minute)
		before := read()
		pushed(t, s, b.UserID, 3, time.Now().Add(-90*time.Second))
		pushed(t, s, b.UserID, 2, time.Now().Add(time.Hour)) // that clock is ahead: as if there was no lag
		pushed(t, s, b.UserID, 1, time.Unix(0, 0))           // it does not say
		after := read()
		if n := sumOf(after, "mtfleet.update.lag") - sumOf(before, "mtfleet.update.lag"); n != 5 {
			t.Errorf("the lag of %d updates was measured, want 5", n)
		}
		if n := sumOf(after, "mtfleet.update.lag.sum") - sumOf(before, "mtfleet.update.lag.sum"); n < 3*90 || n > 3*92 {
			t.Errorf("three updates are late by %d s together, want 3 times 90", n)
		}
	})
}

func TestHolesInUpdatesAreCounted(t *testing.T) {
	bubble(t, func(t *testing.T) {
		store := persistence.NewMemory()
		s, m, read := metered(t, func(o *actors.Options) { o.Store = store })
		wait(t, signInBot(t, m, "robot", s.Descriptor().Bots[0], actors.AccountOptions{}), actors.Online)
		time.Sleep(time.Minute)
		if n := sumOf(read(), "mtfleet.update_holes"); n != 0 {
			t.Errorf("%d holes, and nothing was missed", n)
		}
		closeManager(t, m)
		owner, err := store.Claim("test") // its place among the updates is lost
		if err != nil {
			t.Fatal(err)
		}
		if err := store.Commit(persistence.Commit{Owner: owner, Delete: []persistence.Key{persistence.UpdatesKey("robot")}}); err != nil {
			t.Fatal(err)
		}
		reader := metric.NewManualReader()
		o := options(s, store)
		o.MeterProvider = metric.NewMeterProvider(metric.WithReader(reader))
		m = open(t, o)
		a, err := m.Account("robot")
		if err != nil {
			t.Fatal(err)
		}
		wait(t, a, actors.Online)
		time.Sleep(time.Minute)
		if n := sumOf(series(t, reader), "mtfleet.update_holes"); n != 1 {
			t.Errorf("%d holes are counted, want 1", n)
		}
	})
}

func TestEventsThatASlowReaderLosesAreCounted(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s, m, read := metered(t, nil)
		b := s.Descriptor().Bots[0]
		a := signInBot(t, m, "robot", b, actors.AccountOptions{})
		wait(t, a, actors.Online)
		time.Sleep(time.Minute)
		ctx, leave := context.WithCancel(t.Context())
		events := a.Events(ctx)
		pushed(t, s, b.UserID, 1000, time.Now())
		if n := sumOf(read(), "mtfleet.events_dropped"); n != 0 {
			t.Errorf("%d events are lost, and there is room for all", n)
		}
		for range 16 {
			pushed(t, s, b.UserID, 1000, time.Now())
		}
		lost := sumOf(read(), "mtfleet.events_dropped")
		leave()
		came, missed := int64(0), int64(0)
		for ev := range events {
			if ev.Kind == actors.EventMissed {
				missed += int64(ev.Missed)
			} else {
				came++
			}
		}
		if lost == 0 || lost != missed || lost+came != 17_000 {
			t.Errorf("%d events are counted as lost; the reader had %d of 17000, and was told that it missed %d", lost, came, missed)
		}
	})
}

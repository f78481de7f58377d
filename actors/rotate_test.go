package actors_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/mtfleet/mtfleet/actors"
	"github.com/mtfleet/mtfleet/actors/actorstest"
	"github.com/mtfleet/mtfleet/mtproto/dctest"
	"github.com/mtfleet/mtfleet/mtproto/dctest/echo"
	"github.com/mtfleet/mtfleet/mtproto/dctest/serve"
	"github.com/mtfleet/mtfleet/persistence"
	"github.com/mtfleet/mtfleet/tl"
)

// This file is about temp keys that their owner has replaced before their time.

// liveTemps counts the temp keys that a DC knows, and how many were made.
func liveTemps(s *serve.Cluster, at int) (live, made int) {
	for _, k := range s.Ledger().Keys {
		if k.Temp && k.DC == at {
			made++
			if k.Gone.IsZero() {
				live++
			}
		}
	}
	return live, made
}

// TestAKeyOfTheProcessBeforeIsDropped: one that was replaced and not dropped yet as
// the process ended, because a call was waited for under it.
func TestAKeyOfTheProcessBeforeIsDropped(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s, store := cluster(t, small), persistence.NewMemory()
		b := s.Descriptor().Bots[0]
		m := open(t, options(s, store))
		a := signInBot(t, m, "robot", b, actors.AccountOptions{})
		wait(t, a, actors.Online)
		a.Start(&echo.EchoRequest{ID: 1, DelayMs: 50_000}, func(tl.Raw, error) {})
		time.Sleep(time.Second)
		if err := a.Rotate(soon(t)); err != nil {
			t.Fatal(err)
		}
		actorstest.Close(t, m)
		if live, _ := liveTemps(s, b.DC); live != 2 {
			t.Fatalf("%d temp keys live as the process ends, want 2", live)
		}
		m = open(t, options(s, store))
		again, err := m.Account("robot")
		if err != nil {
			t.Fatal(err)
		}
		wait(t, again, actors.Online)
		time.Sleep(time.Second)
		if live, made := liveTemps(s, b.DC); live != 1 || made != 2 {
			t.Errorf("a second after the next process is online %d of %d temp keys live, want 1 of 2", live, made)
		}
	})
}

func TestAnOwnerRotatesTheTempKeys(t *testing.T) {
	robot := func(t *testing.T, o actors.AccountOptions) (*serve.Cluster, *actors.Account, serve.Bot) {
		s := cluster(t, small)
		b := s.Descriptor().Bots[0]
		a := signInBot(t, open(t, options(s, persistence.NewMemory())), "robot", b, o)
		wait(t, a, actors.Online)
		return s, a, b
	}
	// begin asks for a rotation, and sends what came of it.
	begin := func(a *actors.Account) <-chan error {
		done := make(chan error, 1)
		go func() { done <- a.Rotate(context.Background()) }()
		return done
	}
	for name, play := range map[string]func(*testing.T){
		"it waits until calls go under another key, and the old one is dropped": func(t *testing.T) {
			s, a, b := robot(t, actors.AccountOptions{})
			guest := b.DC%2 + 1
			call(t, a, actors.OnDC(dcID(guest)))
			for round := 1; round <= 3; round++ {
				if err := a.Rotate(soon(t)); err != nil {
					t.Fatal(err)
				}
				call(t, a)
				call(t, a, actors.OnDC(dcID(guest)))
				time.Sleep(time.Minute)
				for _, at := range []int{b.DC, guest} {
					if live, made := liveTemps(s, at); live != 1 || made != 1+round {
						t.Errorf("after rotation %d DC %d knows %d of %d temp keys, want 1 of %d", round, at, live, made, 1+round)
					}
				}
			}
		},
		"those who ask together share one": func(t *testing.T) {
			s, a, b := robot(t, actors.AccountOptions{})
			first, second := begin(a), begin(a)
			for _, done := range []<-chan error{first, second} {
				if err := <-done; err != nil {
					t.Error(err)
				}
			}
			if _, made := liveTemps(s, b.DC); made != 2 {
				t.Errorf("%d temp keys were made, want 2", made)
			}
		},
		"without PFS there is none to replace": func(t *testing.T) {
			_, a, _ := robot(t, actors.AccountOptions{NoPFS: true})
			var refused *actors.RotateError
			if err := a.Rotate(soon(t)); !errors.As(err, &refused) {
				t.Errorf("it says %v", err)
			}
		},
		"an account that is paused has no key in use": func(t *testing.T) {
			_, a, _ := robot(t, actors.AccountOptions{})
			if err := a.Pause(soon(t)); err != nil {
				t.Fatal(err)
			}
			var state *actors.StateError
			if err := a.Rotate(soon(t)); !errors.As(err, &state) || state.State != actors.Paused {
				t.Errorf("it says %v", err)
			}
		},
		"a pause ends one that waits for a DC which is down": func(t *testing.T) {
			s, a, b := robot(t, actors.AccountOptions{})
			if err := s.StopDC(b.DC, true); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Minute)
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			if err := a.Rotate(ctx); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("while the DC is down it says %v", err)
			}
			done := begin(a)
			time.Sleep(time.Second)
			if err := a.Pause(soon(t)); err != nil {
				t.Fatal(err)
			}
			var state *actors.StateError
			if err := <-done; !errors.As(err, &state) || state.State != actors.Paused {
				t.Errorf("the pause ends it with %v", err)
			}
		},
		"a wait of the server on binds is told with its end": func(t *testing.T) {
			s, a, _ := robot(t, actors.AccountOptions{})
			inject(t, s, dctest.Fault{Kind: dctest.FaultRPC, Method: "auth.bindTempAuthKey", Code: 420, Text: "FLOOD_WAIT_300", Count: 1})
			begun := time.Now()
			for range 2 {
				var wait *actors.WaitError
				if err := a.Rotate(soon(t)); !errors.As(err, &wait) || wait.Until.Sub(begun).Round(time.Minute) != 5*time.Minute {
					t.Fatalf("it says %v", err)
				}
			}
			call(t, a)
			time.Sleep(6 * time.Minute)
			if err := a.Rotate(soon(t)); err != nil {
				t.Errorf("after the wait it says %v", err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) { bubble(t, play) })
	}
}

package actors_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mtfleet/mtfleet/actors"
	"github.com/mtfleet/mtfleet/mtproto/dctest"
	"github.com/mtfleet/mtfleet/mtproto/dctest/api"
	"github.com/mtfleet/mtfleet/mtproto/dctest/serve"
	"github.com/mtfleet/mtfleet/persistence"
)

// scene is a cluster whose first bot is told things by a person, in a private chat
// and in channels. Every message is "BOX NUMBER".
type scene struct {
	s        *serve.Cluster
	bot      serve.Bot
	person   int64
	channels []int64
	said     map[string]int // messages by box
}

func newScene(t *testing.T, channels int) *scene {
	t.Helper()
	cfg := serve.Config{Core: dctest.Config{DCs: 2}, Persons: 1, Bots: 1}
	s := cluster(t, cfg)
	d := s.Descriptor()
	sc := &scene{s: s, bot: d.Bots[0], person: d.Phones[0].UserID, said: map[string]int{}}
	for n := range channels {
		id, err := s.AddChannel(api.NewChannel{Title: fmt.Sprint("c", n), Creator: sc.person, Members: []int64{sc.bot.UserID}})
		if err != nil {
			t.Fatal(err)
		}
		sc.channels = append(sc.channels, id)
	}
	return sc
}

// say writes one message into a box, the common one with -1.
func (sc *scene) say(t *testing.T, box int, how api.Delivery) {
	t.Helper()
	name := "common"
	if box >= 0 {
		name = fmt.Sprint("channel", box)
	}
	sc.said[name]++
	text := fmt.Sprint(name, " ", sc.said[name])
	var err error
	if box < 0 {
		_, err = sc.s.Say(sc.person, sc.bot.UserID, text, how)
	} else {
		_, err = sc.s.Post(sc.channels[box], sc.person, text, how)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// saidIn is what a message's event says: its box and number; empty for another.
func saidIn(t *testing.T, ev *actors.Event) (box string, n int) {
	t.Helper()
	form := actors.NewEventJSON(*ev, false)
	var u struct{ Message struct{ Message string } }
	if json.Unmarshal(form.Update, &u) != nil {
		return "", 0
	}
	box, number, _ := strings.Cut(u.Message.Message, " ")
	_, _ = fmt.Sscan(number, &n)
	if n == 0 {
		return "", 0
	}
	return box, n
}

// TestADurableConsumerIsToldEverythingThoughProcessesAreKilled: over many lives,
// of which each ends by a kill at any moment, and with a reader that goes away and
// acknowledges late, every message of every box is handed out at least once, in
// order in each life, and never again when it was acknowledged a while ago.
func TestADurableConsumerIsToldEverythingThoughProcessesAreKilled(t *testing.T) {
	for seed := range uint64(4) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				rng := rand.New(rand.NewPCG(seed, 1))
				sc, store := newScene(t, 3), persistence.NewMemory()
				m, err := actors.Open(options(sc.s, store))
				if err != nil {
					t.Fatal(err)
				}
				defer func() { closeManager(t, m) }()
				a := signInBot(t, m, "robot", sc.bot, actors.AccountOptions{})
				wait(t, a, actors.Online)
				if _, err := m.Consumer(t.Context(), actors.ConsumerOptions{Name: "c", Filter: &actors.Filter{Kinds: []actors.EventKind{actors.EventUpdate}}}); err != nil {
					t.Fatal(err)
				}
				synctest.Wait()
				for box := range 4 { // a channel is known from its first update on, and a few seconds later on disk
					sc.say(t, box-1, api.Delivery{})
				}
				time.Sleep(10 * time.Second)

				acked := map[string]int{} // by box, with the acknowledgement on disk
				high := map[string]int{}  // by box, handed out in any life
				for life := range 8 {
					last := map[string]int{}
					var fresh []actors.Event // handed out in this life, not acknowledged
					read := func(ev *actors.Event) {
						if ev.Kind == actors.EventHole || ev.Kind == actors.EventMissed {
							t.Fatalf("life %d: %+v", life, ev)
						}
						fresh = append(fresh, *ev)
						box, n := saidIn(t, ev)
						if box == "" {
							return
						}
						if n <= acked[box] {
							t.Fatalf("life %d: %s %d comes again, though %d was acknowledged", life, box, n, acked[box])
						}
						// An engine that begins anew, after a pause, goes back to what was
						// acknowledged; nothing is left out.
						if l, first := last[box], last[box] == 0; !first && n > l+1 || first && n > high[box]+1 {
							t.Fatalf("life %d: %s %d comes after %d, handed out before were %d", life, box, n, l, high[box])
						}
						last[box], high[box] = n, max(high[box], n)
					}
					for range rng.IntN(6) + 2 {
						c, err := m.Consumer(t.Context(), actors.ConsumerOptions{Name: "c"})
						if err != nil {
							t.Fatal(err)
						}
						// A reader comes for a while.
						clear(last)
						ctx, cancel := context.WithCancel(t.Context())
						done := make(chan struct{})
						var got []actors.Event
						go func() {
							defer close(done)
							for ev, err := range c.Events(ctx) {
								if err != nil {
									t.Error(err)
									return
								}
								got = append(got, ev)
							}
						}()
						for range rng.IntN(20) {
							sc.say(t, rng.IntN(4)-1, api.Delivery{Lost: rng.IntN(4) == 0, Twice: rng.IntN(4) == 0})
							time.Sleep(time.Duration(rng.IntN(400)) * time.Millisecond)
						}
						cancel()
						<-done
						fresh = nil
						for i := range got {
							read(&got[i])
						}
						if rng.IntN(3) > 0 && len(fresh) > 0 {
							n := rng.IntN(len(fresh))
							if err := c.Ack(fresh[n].Cursor); err != nil {
								t.Fatal(err)
							}
						}
						if rng.IntN(3) == 0 && len(fresh) > 0 {
							if err := c.Ack(fresh[len(fresh)-1].Cursor); err != nil {
								t.Fatal(err)
							}
							time.Sleep(5 * time.Second)
							if m.Consumers()[0].Lag == 0 { // whole deliveries, and on disk
								for _, ev := range fresh {
									if box, n := saidIn(t, &ev); box != "" {
										acked[box] = max(acked[box], n)
									}
								}
							}
						}
						if rng.IntN(4) == 0 {
							if err := a.Pause(soon(t)); err != nil {
								t.Fatal(err)
							}
							if err := a.Resume(soon(t)); err != nil {
								t.Fatal(err)
							}
						}
					}
					store = store.Reopen() // the kill: nothing more of this process reaches the disk
					closeManager(t, m)
					if m, err = actors.Open(options(sc.s, store)); err != nil {
						t.Fatal(err)
					}
					if a, err = m.Account("robot"); err != nil {
						t.Fatal(err)
					}
				}
				// At the end everything is handed out and acknowledged.
				c, err := m.Consumer(t.Context(), actors.ConsumerOptions{Name: "c"})
				if err != nil {
					t.Fatal(err)
				}
				ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
				defer cancel()
				last := map[string]int{}
				for ev, err := range c.Events(ctx) {
					if err != nil {
						t.Fatal(err)
					}
					if box, n := saidIn(t, &ev); box != "" {
						if l := last[box]; l > 0 && n > l+1 || l == 0 && n > high[box]+1 {
							t.Fatalf("at the end %s %d comes after %d", box, n, l)
						}
						last[box], high[box] = n, max(high[box], n)
					}
					if err := c.Ack(ev.Cursor); err != nil && !ev.Cursor.IsZero() {
						t.Fatal(err)
					}
				}
				for box, n := range sc.said {
					if high[box] != n {
						t.Errorf("%s: %d messages, handed out up to %d", box, n, high[box])
					}
				}
				if s := m.Consumers(); len(s) != 1 || s[0].Lag != 0 || s[0].Accounts != 1 {
					t.Errorf("the consumer is %+v", s)
				}
			})
		})
	}
}

// TestAConsumerThatStaysAwayHoldsNoMemory: what it is owed is bounded, the server
// keeps the rest, and it gets all of it when it comes.
func TestAConsumerThatStaysAwayHoldsNoMemory(t *testing.T) {
	bubble(t, func(t *testing.T) {
		sc, store := newScene(t, 1), persistence.NewMemory()
		m := open(t, options(sc.s, store))
		a := signInBot(t, m, "robot", sc.bot, actors.AccountOptions{})
		wait(t, a, actors.Online)
		c, err := m.Consumer(t.Context(), actors.ConsumerOptions{Name: "c", Filter: &actors.Filter{Kinds: []actors.EventKind{actors.EventUpdate}}})
		if err != nil {
			t.Fatal(err)
		}
		const n = 2000 // more than an account is owed at once
		for range n {
			sc.say(t, -1, api.Delivery{})
			time.Sleep(10 * time.Millisecond)
		}
		if s := m.Consumers()[0]; s.Lag > 700 || s.Lag < 400 || s.Attached {
			t.Errorf("the consumer is %+v", s)
		}
		got := 0
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		for ev, err := range c.Events(ctx) {
			if err != nil {
				t.Fatal(err)
			}
			if ev.Kind == actors.EventHole {
				t.Fatalf("%+v", ev)
			}
			if box, i := saidIn(t, &ev); box != "" {
				if got++; i != got {
					t.Fatalf("message %d comes after %d", i, got-1)
				}
			}
			if err := c.Ack(ev.Cursor); err != nil {
				t.Fatal(err)
			}
			if got == n {
				break
			}
		}
		if got != n {
			t.Errorf("%d messages of %d came", got, n)
		}
	})
}

// TestARemovedConsumerHoldsNothing: the place that waited for it is stored.
func TestARemovedConsumerHoldsNothing(t *testing.T) {
	bubble(t, func(t *testing.T) {
		sc, store := newScene(t, 0), persistence.NewMemory()
		m := open(t, options(sc.s, store))
		a := signInBot(t, m, "robot", sc.bot, actors.AccountOptions{})
		wait(t, a, actors.Online)
		time.Sleep(time.Minute)
		for _, name := range []string{"c", "d"} {
			if _, err := m.Consumer(t.Context(), actors.ConsumerOptions{Name: name}); err != nil {
				t.Fatal(err)
			}
		}
		before := stored(t, store, "robot").Updates.Pts
		sc.say(t, -1, api.Delivery{})
		sc.say(t, -1, api.Delivery{})
		time.Sleep(time.Minute)
		if got := stored(t, store, "robot").Updates.Pts; got != before {
			t.Errorf("the place has moved from %d to %d, and nobody acknowledged", before, got)
		}
		if err := m.RemoveConsumer(t.Context(), "c"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		if got := stored(t, store, "robot").Updates.Pts; got != before {
			t.Errorf("the place has moved from %d to %d, and one consumer is left", before, got)
		}
		// Another filter lets go of the account as well.
		if _, err := m.Consumer(t.Context(), actors.ConsumerOptions{Name: "d", Filter: &actors.Filter{Labels: []string{"env=prod"}}}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		if got := stored(t, store, "robot").Updates.Pts; got != before+2 {
			t.Errorf("the place is %d, want %d", got, before+2)
		}
		// And a label that it selects holds it again.
		if _, err := a.Label(soon(t), map[string]string{"env": "prod"}); err != nil {
			t.Fatal(err)
		}
		sc.say(t, -1, api.Delivery{})
		time.Sleep(time.Minute)
		if got := stored(t, store, "robot").Updates.Pts; got != before+2 {
			t.Errorf("the place has moved to %d", got)
		}
		var none *actors.NoConsumerError
		if err := m.RemoveConsumer(t.Context(), "c"); !errors.As(err, &none) {
			t.Error(err)
		}
		d, err := m.Consumer(t.Context(), actors.ConsumerOptions{Name: "d"})
		if err != nil {
			t.Fatal(err)
		}
		if err := d.PutAside(t.Context(), actors.DeadLetter{ID: "one"}); err != nil {
			t.Fatal(err)
		}
		if err := m.RemoveConsumer(t.Context(), "d"); err != nil {
			t.Fatal(err)
		}
		if err := d.PutAside(t.Context(), actors.DeadLetter{ID: "two"}); !errors.Is(err, actors.ErrConsumerRemoved) {
			t.Errorf("a removed consumer puts aside: %v", err)
		}
		if left, err := m.DeadLetters("d"); err != nil || len(left) != 0 {
			t.Errorf("%d dead letters of a removed consumer are left, %v", len(left), err)
		}
		time.Sleep(time.Minute)
		if got := stored(t, store, "robot").Updates.Pts; got != before+3 {
			t.Errorf("the place is %d, want %d", got, before+3)
		}
	})
}

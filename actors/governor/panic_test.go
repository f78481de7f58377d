package governor

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mtfleet/mtfleet/actors/runtime"
)

// crash makes the governor panic at a message.
func (w *world) crash() {
	w.g.Send(Want{&Ticket{Kind: SignIn, DC: 9, Granted: func() { panic("as planned") }}})
	synctest.Wait()
}

// TestAGovernorThatFailedIsReplaced tries what its successor must know: whoever
// waits is answered, nobody is granted what another still holds, and a DC that
// is down is not stormed.
func TestAGovernorThatFailedIsReplaced(t *testing.T) {
	for _, tc := range []struct {
		name string
		play func(t *testing.T, w *world)
	}{
		{"who waits and who comes meanwhile are served, in their order", func(t *testing.T, w *world) {
			for range 30 {
				w.want("before", Connect, 2, false, func(t *Ticket) { w.done(t, Worked) })
			}
			w.crash()
			served := len(w.grants("before"))
			for range 30 {
				w.want("meanwhile", Connect, 2, false, func(t *Ticket) { w.done(t, Worked) })
			}
			if len(w.grants("meanwhile")) != 0 {
				t.Fatal("there is a governor")
			}
			time.Sleep(10 * time.Second)
			before, meanwhile := w.grants("before"), w.grants("meanwhile")
			if len(before) != 30 || len(meanwhile) != 30 {
				t.Fatalf("%d and %d of 30 were served", len(before), len(meanwhile))
			}
			if before[29] > meanwhile[0] {
				t.Error("who waited longer came later")
			}
			all := append(before[served:], meanwhile...)
			for i := range len(all) - 26 { // 50 a second, and nothing at once
				if gap := all[i+26] - all[i]; gap < 500*time.Millisecond {
					t.Fatalf("26 connects in %v after it failed", gap)
				}
			}
		}},
		{"limits that were adjusted stay so", func(t *testing.T, w *world) {
			w.g.Send(Adjust{Limits{ConnectsPerDC: Rate{1, 1}, Connects: Rate{1, 1}}})
			w.crash()
			for range 30 {
				w.want("c", Connect, 2, false, func(t *Ticket) { w.done(t, Worked) })
			}
			time.Sleep(10500 * time.Millisecond)
			if n := len(w.grants("c")); n < 8 || n > 10 {
				t.Errorf("%d connects in ten seconds at one a second", n)
			}
		}},
		{"keys that are being made still count", func(t *testing.T, w *world) {
			var held []*Ticket
			for range 8 {
				held = append(held, w.want("held", MakeKey, 2, true, nil))
			}
			for range 8 {
				w.want("next", MakeKey, 2, true, nil)
			}
			w.crash()
			time.Sleep(5 * time.Second)
			if len(w.grants("held")) != 8 || len(w.grants("next")) != 0 {
				t.Fatalf("%d and %d keys at once", len(w.grants("held")), len(w.grants("next")))
			}
			w.done(held[0], Unknown)
			if n := len(w.grants("next")); n != 1 {
				t.Errorf("%d more when one is done", n)
			}
			time.Sleep(holdLimit)
			if n := len(w.grants("next")); n != 8 {
				t.Errorf("%d more when the others have had their time", n)
			}
		}},
		{"a permit given back meanwhile is free", func(t *testing.T, w *world) {
			var held []*Ticket
			for range 8 {
				held = append(held, w.want("held", MakeKey, 2, true, nil))
			}
			w.want("next", MakeKey, 2, true, nil)
			w.crash()
			for _, tk := range held {
				w.done(tk, Unknown)
			}
			time.Sleep(5 * time.Second)
			if n := len(w.grants("next")); n != 1 {
				t.Errorf("%d grants", n)
			}
		}},
		{"a wish withdrawn meanwhile is not granted", func(t *testing.T, w *world) {
			w.done(w.want("a", Connect, 2, false, nil), Failed)
			b := w.want("b", Connect, 2, false, nil)
			w.crash()
			w.done(b, Unknown)
			time.Sleep(10 * time.Second)
			if n := len(w.grants("b")); n != 0 {
				t.Errorf("%d grants", n)
			}
		}},
		{"a DC that is slowed down stays so", func(t *testing.T, w *world) {
			for range 5 {
				granted := make(chan *Ticket, 1)
				w.want("flooded", Connect, 2, false, func(t *Ticket) { granted <- t })
				w.done(<-granted, Flooded)
			}
			begun := time.Since(w.start)
			w.crash()
			w.want("after", Connect, 2, false, nil)
			w.want("after", Connect, 2, false, nil)
			time.Sleep(2 * time.Minute)
			after := w.grants("after")
			// 3, 6, 12, 24, 48 s: that is how long the fifth -429 slows it down.
			if len(after) == 0 || after[0]-begun < 48*time.Second {
				t.Errorf("dialled %v after the fifth -429", after[0]-begun)
			}
			if len(after) > 1 && after[1]-after[0] < holdLimit {
				t.Error("two probes at once")
			}
		}},
		{"the probe under way stays the only one", func(t *testing.T, w *world) {
			w.done(w.want("a", Connect, 2, false, nil), Failed)
			probe := w.want("probe", Connect, 2, false, nil)
			w.want("c", Connect, 2, false, nil)
			time.Sleep(time.Second)
			if len(w.grants("probe")) != 1 {
				t.Fatal("no probe after a second")
			}
			w.crash()
			time.Sleep(5 * time.Second)
			if len(w.grants("c")) != 0 {
				t.Fatal("a second probe")
			}
			w.done(probe, Worked)
			if len(w.grants("c")) != 1 {
				t.Error("the DC is up and nobody hears of it")
			}
		}},
		{"what accounts were told of their keys is remembered", func(t *testing.T, w *world) {
			since := time.Now()
			time.Sleep(time.Second)
			w.unknown(alice)
			w.unknown(bob)
			w.crash()
			time.Sleep(5 * time.Second)
			if !w.doubt(2, alice, since) {
				t.Error("bob's -404 is forgotten")
			}
		}},
		{"a question at which it fails is answered, and proves nothing", func(t *testing.T, w *world) {
			reply, asked := make(chan bool, 2), 0
			w.g.Send(Doubt{DC: 2, Who: alice, Since: time.Now(), Reply: func(others bool) {
				if asked++; asked == 1 {
					panic("as planned")
				}
				reply <- others
			}})
			if !<-reply {
				t.Error("nobody else has trouble, it says, and does not know")
			}
		}},
		{"again and again it fails, later and later, and never for good", func(t *testing.T, w *world) {
			for range 20 {
				w.crash()
				time.Sleep(5 * time.Minute)
			}
			w.want("in the end", Connect, 2, false, nil)
			time.Sleep(5*time.Minute + time.Second)
			if len(w.grants("in the end")) != 1 {
				t.Error("nobody paces any more")
			}
		}},
	} {
		t.Run(tc.name, func(t *testing.T) { run(t, Limits{}, func(w *world) { tc.play(t, w) }) })
	}
}

func TestACensusOfAClosedGovernorEnds(t *testing.T) {
	run(t, Limits{}, func(w *world) {
		w.crash()
		asked := make(chan error, 1)
		go func() {
			_, err := runtime.Ask(context.Background(), w.g, func(r runtime.Reply[[]DCStatus]) Message { return Census{r} })
			asked <- err
		}()
		synctest.Wait()
		if err := w.sys.Close(context.Background()); err != nil {
			t.Fatal(err)
		}
		if err := <-asked; !errors.Is(err, runtime.ErrStopped) {
			t.Errorf("the census ended with %v", err)
		}
	})
}

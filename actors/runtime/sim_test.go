package runtime

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
)

// simWorld runs three relays and a panicking child under one seed and returns
// what happened, in order.
func simWorld(seed uint64) string {
	var tr trace
	sim := NewSim(seed)
	s := NewSystem(Options{Sim: sim, Rand: sim})
	sink := SpawnRoot(s, &script[string]{receive: func(c *Context[string], m string) {
		tr.add("%s@%d", m, c.Now().UnixMilli()%100_000)
	}})
	for i := range 3 {
		r := SpawnRoot(s, &script[int]{
			started: func(c *Context[int]) {
				c.After(1, Jitter(c.Rand(), time.Second), 100)
				c.Go(func() int { return 200 })
			},
			receive: func(c *Context[int], m int) {
				sink.Send(fmt.Sprintf("%d:%d", i, m))
				if m == 2 {
					Spawn(c, &script[int]{started: func(*Context[int]) { panic("boom") }})
				}
			},
			child: func(_ *Context[int], _ ActorID, err error) { sink.Send(fmt.Sprintf("%d:lost", i)) },
		})
		for m := range 4 {
			r.Send(m)
		}
	}
	sim.Run()
	out := tr.String()
	if err := s.Close(context.Background()); err != nil || s.Len() != 0 {
		return "not closed"
	}
	return out
}

func TestSimReplays(t *testing.T) {
	distinct := map[string]bool{}
	for seed := range uint64(100) {
		a, b := simWorld(seed), simWorld(seed)
		if a != b {
			t.Fatalf("seed %d differs:\n%s\n%s", seed, a, b)
		}
		distinct[a] = true
	}
	if len(distinct) < 95 {
		t.Errorf("%d distinct runs of 100 seeds", len(distinct))
	}
}

// A system that crashes falls silent at once; another on the same Sim goes on,
// and so does its successor.
func TestSimCrash(t *testing.T) {
	sim := NewSim(7)
	world := NewSystem(Options{Sim: sim})
	var tr trace
	heard := SpawnRoot(world, &script[string]{receive: func(c *Context[string], m string) { tr.add("%s", m) }})
	live := func(name string) (*System, Ref[int]) {
		s := NewSystem(Options{Sim: sim})
		return s, SpawnRoot(s, &script[int]{
			started: func(c *Context[int]) {
				c.After(1, time.Second, 1)
				c.After(2, time.Minute, 2)
			},
			receive: func(c *Context[int], m int) {
				heard.Send(fmt.Sprintf("%s:%d", name, m))
				if m == 1 {
					c.GoIO(func() int { // waits for something that never comes
						sim.Wait(func() bool { return false })
						return 3
					})
				}
			},
			stopping: func(*Context[int]) { heard.Send(name + ":stopping") },
			lost:     func(int) { heard.Send(name + ":undelivered") },
		})
	}
	first, ref := live("first")
	sim.RunFor(2 * time.Second)
	ref.Send(4)
	first.Crash()
	ref.Send(5)
	second, _ := live("second")
	sim.RunFor(2 * time.Minute)
	if got, want := tr.String(), "first:1 second:1 second:2"; got != want {
		t.Errorf("heard %q, want %q", got, want)
	}
	if _, err := Ask(context.Background(), ref, func(Reply[int]) int { return 6 }); !errors.Is(err, ErrCrashed) {
		t.Errorf("a question to a crashed system: %v", err)
	}
	if err := first.Close(context.Background()); !errors.Is(err, ErrCrashed) {
		t.Errorf("closing a crashed system: %v", err)
	}
	second.Crash()
	if err := world.Close(context.Background()); err != nil {
		t.Error(err)
	}
	sim.Run()
	if len(sim.ready)+len(sim.timers)+len(sim.parked) > 0 {
		t.Errorf("left of systems that crashed: %d ready, %d timers, %d waiting", len(sim.ready), len(sim.timers), len(sim.parked))
	}
}

type question struct {
	n     int
	reply Reply[int]
}

// Questions are answered in virtual time, to the driver and to work that waits.
func TestSimAsk(t *testing.T) {
	sim := NewSim(1)
	s := NewSystem(Options{Sim: sim})
	slow := SpawnRoot(s, &script[question]{receive: func(c *Context[question], m question) {
		if m.n > 0 { // answer after as many seconds
			c.After(m.n, time.Duration(m.n)*time.Second, question{-m.n, m.reply})
		} else if m.n < 0 {
			m.reply.Send(-m.n, nil)
		}
	}})
	ask := func(ctx context.Context, n int) (int, error) {
		return Ask(ctx, slow, func(r Reply[int]) question { return question{n, r} })
	}
	bg := context.Background()
	begun := sim.Now()
	if got, err := ask(bg, 30); got != 30 || err != nil || sim.Now().Sub(begun) != 30*time.Second {
		t.Errorf("asked for 30: %d, %v after %v", got, err, sim.Now().Sub(begun))
	}
	var order trace
	asker := SpawnRoot(s, &script[int]{receive: func(c *Context[int], m int) {
		if m < 0 {
			order.add("%d", -m)
			return
		}
		c.GoIO(func() int {
			got, err := ask(bg, m)
			if err != nil {
				t.Error(err)
			}
			return -got
		})
	}})
	for _, n := range []int{3, 1, 2} {
		asker.Send(n)
	}
	sim.Run()
	if order.String() != "1 2 3" {
		t.Errorf("answers came as %s", order.String())
	}
	ctx, cancel := context.WithCancel(bg)
	sim.AfterFunc(time.Second, cancel)
	if _, err := ask(ctx, 5); !errors.Is(err, context.Canceled) {
		t.Errorf("a question that was given up: %v", err)
	}
	sim.Run()
	if _, err := ask(bg, 0); !errors.Is(err, ErrStuck) {
		t.Errorf("a question nobody answers: %v", err)
	}
	end := make(chan struct{})
	sim.AfterFunc(time.Second, func() { close(end) })
	if _, err := AskUntil(bg, slow, end, func(r Reply[int]) question { return question{0, r} }); !errors.Is(err, ErrStopped) {
		t.Errorf("a question whose end came: %v", err)
	}
	slow.Stop()
	if _, err := ask(bg, 5); !errors.Is(err, ErrStopped) {
		t.Errorf("a question to an actor that stopped: %v", err)
	}
	if err := s.Close(bg); err != nil {
		t.Error(err)
	}
}

// A frozen system stands still while others go on, and then does what has come
// meanwhile, late.
func TestSimFreeze(t *testing.T) {
	sim := NewSim(1)
	var tr trace
	begun := sim.Now()
	live := func(name string) (*System, Ref[int]) {
		s := NewSystem(Options{Sim: sim})
		return s, SpawnRoot(s, &script[int]{
			started: func(c *Context[int]) { c.After(1, time.Second, 1) },
			receive: func(c *Context[int], m int) {
				if m == 3 {
					c.GoIO(func() int {
						woken := c.Now().Add(time.Second)
						sim.AfterFunc(time.Second, func() {})
						sim.Wait(func() bool { return !sim.Now().Before(woken) })
						return 4
					})
				}
				tr.add("%s:%d@%v", name, m, sim.Now().Sub(begun).Truncate(time.Second))
			},
		})
	}
	first, ref := live("first")
	_, other := live("second")
	sim.RunFor(0)
	ref.Send(3)
	sim.RunFor(500 * time.Millisecond)
	first.Freeze()
	first.Freeze()
	ref.Send(2)
	other.Send(2)
	sim.RunFor(9500 * time.Millisecond)
	if got, want := tr.String(), "first:3@0s second:2@0s second:1@1s"; got != want {
		t.Errorf("heard %q, want %q", got, want)
	}
	first.Thaw()
	sim.RunFor(5 * time.Second)
	for _, late := range []string{"first:1@10s", "first:2@10s", "first:4@10s"} {
		if !strings.Contains(tr.String(), late) {
			t.Errorf("%s is not in %q", late, tr.String())
		}
	}
	first.Freeze()
	ref.Send(5)
	first.Crash()
	first.Thaw()
	sim.Run()
	if strings.Contains(tr.String(), ":5") {
		t.Error("a system that crashed while it was frozen goes on")
	}
}

// Who waits for a lock of a simulation gets it in turn.
func TestSimLocker(t *testing.T) {
	sim := NewSim(1)
	s := NewSystem(Options{Sim: sim})
	lock, held := sim.Locker(), 0
	var order trace
	ref := SpawnRoot(s, &script[int]{receive: func(c *Context[int], m int) {
		if m > 0 {
			c.GoIO(func() int {
				order.add("%d", m)
				lock.Lock()
				defer lock.Unlock()
				if held++; held != 1 {
					t.Errorf("%d have the lock", held)
				}
				until := sim.Now().Add(time.Minute)
				sim.AfterFunc(time.Minute, func() {})
				sim.Wait(func() bool { return !sim.Now().Before(until) })
				held--
				order.add("-%d", m)
				return 0
			})
		}
	}})
	for m := range 4 {
		ref.Send(m + 1)
	}
	sim.Run()
	got := strings.Fields(order.String())
	for i := range 4 {
		if len(got) != 8 || got[4+i] != "-"+got[i] {
			t.Fatalf("the order is %v", got)
		}
	}
}

// An actor that waits is a fault, and it is found.
func TestSimActorMayNotWait(t *testing.T) {
	sim := NewSim(1)
	panics := 0
	s := NewSystem(Options{Sim: sim, OnPanic: func(*PanicError) { panics++ }})
	other := SpawnRoot(s, &script[question]{receive: func(_ *Context[question], m question) { m.reply.Send(1, nil) }})
	SpawnRoot(s, &script[int]{started: func(*Context[int]) {
		_, _ = Ask(context.Background(), other, func(r Reply[int]) question { return question{1, r} })
	}})
	sim.Run()
	if panics != 1 {
		t.Errorf("%d panics", panics)
	}
	if err := s.Close(context.Background()); err != nil {
		t.Error(err)
	}
}

package runtime

import (
	"context"
	"fmt"
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

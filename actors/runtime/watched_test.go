package runtime

import (
	"context"
	"testing"
	"testing/synctest"
)

// Who watches hears of the end once, whether a panic or a stop brought it, and the
// one that outlives its supervisor goes on.
func TestAWatchedActorIsBelowNobodyAndItsEndIsHeardOf(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		type end struct {
			id     ActorID
			failed bool
		}
		s, ends := NewSystem(Options{}), make(chan end, 10)
		spawn := func() Ref[int] {
			a := &script[int]{receive: func(*Context[int], int) { panic("as planned") }}
			a.started = func(c *Context[int]) { Spawn(c, &script[string]{}) }
			return SpawnWatched(s, a, func(id ActorID, reason error) { ends <- end{id, reason != nil} })
		}
		var all []Ref[int]
		supervisor := SpawnRoot(s, &script[string]{receive: func(_ *Context[string], m string) {
			if m == "panic" {
				panic("as planned")
			}
			all = append(all, spawn(), spawn(), spawn())
		}})
		supervisor.Send("spawn")
		synctest.Wait()
		supervisor.Send("panic")
		<-supervisor.Done()
		synctest.Wait()
		if n := s.Len(); n != 6 {
			t.Fatalf("%d actors are left, want three with a child each", n)
		}
		all[0].Send(1)
		all[1].Stop()
		synctest.Wait()
		got := map[end]int{}
		for range len(ends) {
			got[<-ends]++
		}
		if len(got) != 2 || got[end{all[0].ID(), true}] != 1 || got[end{all[1].ID(), false}] != 1 {
			t.Errorf("heard %v of %d and %d", got, all[0].ID(), all[1].ID())
		}
		if err := s.Close(context.Background()); err != nil {
			t.Error(err)
		}
		if refused := spawn(); refused.Done() == nil {
			t.Error("no actor")
		} else {
			<-refused.Done()
		}
	})
}

package runtime

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// parkedWorkers returns how many workers are parked, and how many goroutines
// the system has in all.
func parkedWorkers(s *System) (parked, all int) {
	s.workers.mu.Lock()
	defer s.workers.mu.Unlock()
	return len(s.workers.parked), int(s.tally.n.Load())
}

// In a bubble, where Wait returns when every worker is parked: a stream of
// messages is the work of one of them, and parked ones hold up neither the
// clock nor the end of the bubble.
func TestWorkersAreReused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := NewSystem(Options{})
		var got atomic.Int64
		r := SpawnRoot(s, &script[int]{
			started: func(c *Context[int]) { c.After(1, time.Hour, 0) },
			receive: func(*Context[int], int) { got.Add(1) },
		})
		synctest.Wait()
		for range 100 {
			r.Send(1)
			synctest.Wait()
		}
		parked, all := parkedWorkers(s)
		if got.Load() != 100 || parked == 0 || parked > 2 || all != parked {
			t.Errorf("%d messages, %d workers parked of %d", got.Load(), parked, all)
		}
		time.Sleep(2 * time.Hour)
		synctest.Wait()
		if got.Load() != 101 {
			t.Error("no tick while workers were parked")
		}
		closeSystem(t, s)
		if _, all := parkedWorkers(s); all != 0 {
			t.Errorf("%d goroutines after Close", all)
		}
	})
}

// Actors that block delay nobody, however many they are; when they go on, no
// more workers stay than may be parked.
func TestBlockedActorsDelayNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := NewSystem(Options{})
		blocked := 4 * s.workers.keep
		release := make(chan struct{})
		for range blocked {
			SpawnRoot(s, &script[int]{receive: func(*Context[int], int) { <-release }}).Send(1)
		}
		synctest.Wait()
		var got atomic.Int64
		r := SpawnRoot(s, &script[int]{receive: func(*Context[int], int) { got.Add(1) }})
		for range 10 {
			r.Send(1)
			synctest.Wait()
		}
		if got.Load() != 10 {
			t.Errorf("%d messages of 10 beside %d blocked actors", got.Load(), blocked)
		}
		close(release)
		synctest.Wait()
		if parked, all := parkedWorkers(s); parked != s.workers.keep || all != parked {
			t.Errorf("%d workers parked of %d, want %d", parked, all, s.workers.keep)
		}
		closeSystem(t, s)
	})
}

// A method that ends its goroutine takes its worker along, and nothing else.
func TestGoexitEndsItsWorkerOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := NewSystem(Options{})
		for range 3 * s.workers.keep {
			r := SpawnRoot(s, &script[int]{receive: func(*Context[int], int) { goexit() }})
			r.Send(1)
			<-r.Done()
		}
		synctest.Wait()
		if parked, all := parkedWorkers(s); all != parked || parked > s.workers.keep {
			t.Errorf("%d workers parked of %d", parked, all)
		}
		closeSystem(t, s)
	})
}

// A Close that gives up leaves the goroutine of the wedged actor and no other;
// a second Close waits for that too. Messages still find their way.
func TestCloseBesideAWedgedActor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := NewSystem(Options{})
		release := make(chan struct{})
		lost := make(chan int, 1)
		other := SpawnRoot(s, &script[int]{lost: func(m int) { lost <- m }})
		SpawnRoot(s, &script[int]{receive: func(*Context[int], int) { <-release }}).Send(1)
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if err := s.Close(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Close beside a wedged actor: %v", err)
		}
		other.Send(7)
		if m := <-lost; m != 7 {
			t.Errorf("undelivered %d", m)
		}
		synctest.Wait()
		if parked, all := parkedWorkers(s); parked != 0 || all != 1 {
			t.Errorf("%d workers parked of %d after Close", parked, all)
		}
		close(release)
		closeSystem(t, s)
	})
}

// Workers are woken while others park and Close ends them all; each message
// is handled once, also those that come later.
func TestMessagesCrossingClose(t *testing.T) {
	const runs, senders, each = 30, 4, 200
	for range runs {
		s := NewSystem(Options{})
		var handled atomic.Int64
		var all sync.WaitGroup
		for i := range senders {
			r := SpawnRoot(s, &script[int]{
				receive: func(*Context[int], int) { handled.Add(1) },
				lost:    func(int) { handled.Add(1) },
			})
			all.Go(func() {
				for m := range each {
					r.Send(m)
					if m == i*each/senders {
						time.Sleep(100 * time.Microsecond) // the others run dry
					}
				}
			})
		}
		time.Sleep(50 * time.Microsecond)
		closeSystem(t, s)
		all.Wait()
		for deadline := time.Now().Add(10 * time.Second); handled.Load() < senders*each || s.tally.n.Load() > 0; {
			if time.Now().After(deadline) {
				t.Fatalf("%d messages of %d handled, %d goroutines left", handled.Load(), senders*each, s.tally.n.Load())
			}
			time.Sleep(time.Millisecond)
		}
	}
}

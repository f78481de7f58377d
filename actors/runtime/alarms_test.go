package runtime

import (
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

// The heap gives alarms back in the order of their times, whatever was moved and
// taken back before.
func TestAlarmsComeInOrder(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	l := &alarms{base: time.Now()}
	l.timer, l.set = time.AfterFunc(time.Hour, func() {}), 1
	defer l.timer.Stop()
	s := &System{}
	all := make([]*alarm, 300)
	due := map[*alarm]time.Duration{}
	for i := range all {
		all[i] = &alarm{core: &core{sys: s}, place: -1}
	}
	for range 5000 {
		a := all[rng.IntN(len(all))]
		if a.place >= 0 && rng.IntN(3) == 0 {
			l.remove(a.place)
			delete(due, a)
			continue
		}
		d := time.Duration(rng.IntN(50)) * time.Hour
		l.start(a, tick{}, l.base.Add(d))
		due[a] = d
	}
	if len(l.heap) != len(due) {
		t.Fatalf("%d alarms in the heap, of %d", len(l.heap), len(due))
	}
	var got []time.Duration
	for len(l.heap) > 0 {
		e := l.heap[0]
		if e.at != due[e.alarm] || e.place != 0 {
			t.Fatalf("an alarm of %v is in the heap for %v, at %d", due[e.alarm], e.at, e.place)
		}
		got = append(got, e.at)
		l.remove(0)
		if e.place != -1 {
			t.Fatal("an alarm that is out of the heap does not know it")
		}
	}
	if !slices.IsSorted(got) {
		t.Error("alarms in a wrong order")
	}
}

// Who is due together is woken together, and a method that does not return delays
// the others by a second.
func TestAWedgedActorDelaysWhoIsDueWithItBySeconds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := NewSystem(Options{})
		start, release := time.Now(), make(chan struct{})
		late := make(chan time.Duration, 100)
		for i := range 50 {
			SpawnRoot(s, &script[int]{
				started: func(c *Context[int]) { c.At(1, start.Add(time.Minute), 1) },
				receive: func(*Context[int], int) {
					if i%25 == 0 {
						<-release
					}
					late <- time.Since(start) - time.Minute
				},
			})
		}
		time.Sleep(time.Minute + 2*time.Second)
		synctest.Wait()
		if len(late) != 48 {
			t.Errorf("%d of 48 were woken beside two that do not return", len(late))
		}
		for len(late) > 0 {
			if d := <-late; d > 2*beginWithin {
				t.Errorf("one was woken %v late", d)
			}
		}
		close(release)
		closeSystem(t, s)
	})
}

// An actor that stops leaves no alarm behind, and a system whose timers have all
// come has no timer of the time package.
func TestAlarmsEndWithTheirActor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := NewSystem(Options{WedgeAfter: -1})
		var ticks int
		r := SpawnRoot(s, &script[int]{
			started: func(c *Context[int]) {
				c.After(1, time.Second, 1)
				c.After(2, time.Hour, 2)
			},
			receive: func(*Context[int], int) { ticks++ },
		})
		time.Sleep(time.Minute)
		synctest.Wait()
		if n, set := s.alarms.left(); ticks != 1 || n != 1 || set != time.Hour {
			t.Errorf("after one tick %d came, %d are left, and the timer is set for %v", ticks, n, set)
		}
		r.Stop()
		<-r.Done()
		if n, set := s.alarms.left(); n != 0 || set != 0 {
			t.Errorf("%d alarms are left, and the timer is set for %v", n, set)
		}
		closeSystem(t, s)
	})
}

// left is how many alarms there are, and when the first is due.
func (l *alarms) left() (n int, set time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.heap), l.set
}

// BenchmarkTimers is what it costs to move a timer away and back, with as many
// others as ten thousand accounts have.
func BenchmarkTimers(b *testing.B) {
	s := NewSystem(Options{})
	const others = 20_000
	for i := range others {
		SpawnRoot(s, &script[int]{started: func(c *Context[int]) { c.After(1, time.Hour+time.Duration(i)*time.Millisecond, 0) }})
	}
	for n, _ := s.alarms.left(); n < others; n, _ = s.alarms.left() {
		time.Sleep(time.Millisecond)
	}
	done := make(chan struct{})
	r := SpawnRoot(s, &script[int]{receive: func(c *Context[int], _ int) {
		for range b.N {
			c.After(1, 15*time.Minute, 1)
			c.After(1, 2*time.Hour, 1)
		}
		close(done)
	}})
	b.ReportAllocs()
	b.ResetTimer()
	r.Send(0)
	<-done
	b.StopTimer()
	closeSystem(b, s)
}

package runtime

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// script is an actor made of functions; nil ones do nothing.
type script[M any] struct {
	started  func(*Context[M])
	receive  func(*Context[M], M)
	stopping func(*Context[M])
	child    func(*Context[M], ActorID, error)
	lost     func(M)
}

func (s *script[M]) Started(c *Context[M]) {
	if s.started != nil {
		s.started(c)
	}
}

func (s *script[M]) Receive(c *Context[M], m M) {
	if s.receive != nil {
		s.receive(c, m)
	}
}

func (s *script[M]) Stopping(c *Context[M]) {
	if s.stopping != nil {
		s.stopping(c)
	}
}

func (s *script[M]) ChildStopped(c *Context[M], id ActorID, err error) {
	if s.child != nil {
		s.child(c, id, err)
	}
}

func (s *script[M]) Undelivered(m M) {
	if s.lost != nil {
		s.lost(m)
	}
}

// trace collects what actors did.
type trace struct {
	mu   sync.Mutex
	list []string
}

func (t *trace) add(format string, args ...any) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.list = append(t.list, fmt.Sprintf(format, args...))
}

func (t *trace) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return strings.Join(t.list, " ")
}

func closeSystem(t testing.TB, s *System) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	if err := s.Close(ctx); err != nil {
		t.Fatalf("Close: %v", err)
	}
	if n := s.Len(); n > 0 {
		t.Fatalf("%d actors alive after Close", n)
	}
}

func wait(t testing.TB, what string, ch <-chan struct{}) {
	t.Helper()
	select {
	case <-ch:
	case <-time.After(10 * time.Second):
		t.Fatalf("%s did not happen", what)
	}
}

func TestMessagesOfOneSenderArriveInOrder(t *testing.T) {
	s := NewSystem(Options{})
	const senders, each = 4, 5000
	last := make([]int, senders)
	var seen int
	all := make(chan struct{})
	r := SpawnRoot(s, &script[[2]int]{receive: func(_ *Context[[2]int], m [2]int) {
		if m[1] != last[m[0]]+1 {
			t.Errorf("sender %d: message %d after %d", m[0], m[1], last[m[0]])
		}
		last[m[0]] = m[1]
		if seen++; seen == senders*each {
			close(all)
		}
	}})
	for i := range senders {
		go func() {
			for n := range each {
				r.Send([2]int{i, n + 1})
			}
		}()
	}
	wait(t, "delivery of all messages", all)
	if d := r.Depth(); d != 0 {
		t.Errorf("depth %d after delivery", d)
	}
	closeSystem(t, s)
}

func TestPanicStopsTheActorAndOnlyIt(t *testing.T) {
	for _, where := range []string{"Started", "Receive", "Stopping", "ChildStopped", "work", "Undelivered"} {
		t.Run(where, func(t *testing.T) {
			var tr trace
			panics := make(chan *PanicError, 4)
			s := NewSystem(Options{OnPanic: func(e *PanicError) { panics <- e }})
			gone := make(chan error, 1)
			boom := func(at string) {
				if at == where {
					panic("secret " + at)
				}
			}
			child := &script[string]{
				started: func(c *Context[string]) {
					boom("Started")
					if where == "ChildStopped" {
						Spawn(c, &script[int]{started: func(c *Context[int]) { c.Stop() }})
					}
				},
				receive: func(c *Context[string], _ string) {
					if where == "work" {
						c.Go(func() string { panic(errors.New("secret work")) })
						return
					}
					boom("Receive")
					c.Stop()
				},
				stopping: func(*Context[string]) { tr.add("stopping"); boom("Stopping") },
				child:    func(*Context[string], ActorID, error) { boom("ChildStopped") },
				lost:     func(string) { boom("Undelivered") },
			}
			var sibling Ref[string]
			ready := make(chan struct{})
			SpawnRoot(s, &script[int]{
				started: func(c *Context[int]) {
					sibling = Spawn(c, &script[string]{})
					r := Spawn(c, child)
					if where != "ChildStopped" {
						r.Send("go")
						r.Send("left over")
					}
					close(ready)
				},
				child: func(_ *Context[int], _ ActorID, err error) { gone <- err },
			})
			wait(t, "spawn", ready)
			var reason error
			select {
			case reason = <-gone:
			case <-time.After(10 * time.Second):
				t.Fatal("the parent was not told")
			}
			if tr.String() != "stopping" {
				t.Errorf("Stopping calls: %q, want exactly one", tr.String())
			}
			e := <-panics
			if e.During != where || strings.Contains(e.Error(), "secret") || len(e.Stack) == 0 {
				t.Errorf("report %q, stack of %d bytes; want one during %s, without the value", e, len(e.Stack), where)
			}
			// After the stop has begun a panic is reported, but is not the reason of the stop.
			late := where == "Stopping" || where == "Undelivered"
			if pe := (*PanicError)(nil); errors.As(reason, &pe) == late {
				t.Errorf("reason %v", reason)
			}
			select {
			case <-sibling.Done():
				t.Error("the sibling stopped too")
			default:
			}
			closeSystem(t, s)
		})
	}
}

func TestGoexitInReceiveStopsTheActor(t *testing.T) {
	s := NewSystem(Options{})
	r := SpawnRoot(s, &script[int]{receive: func(*Context[int], int) { goexit() }})
	r.Send(1)
	wait(t, "stop", r.Done())
	closeSystem(t, s)
}

func TestStopOrder(t *testing.T) {
	var tr trace
	s := NewSystem(Options{})
	leaf := func(name string) *script[int] {
		return &script[int]{stopping: func(*Context[int]) { tr.add("%s", name) }}
	}
	ready := make(chan struct{})
	r := SpawnRoot(s, &script[int]{
		started: func(c *Context[int]) {
			Spawn(c, leaf("child"))
			close(ready)
		},
		stopping: func(*Context[int]) { tr.add("parent") },
		child:    func(*Context[int], ActorID, error) { tr.add("told") },
	})
	wait(t, "start", ready)
	r.Stop()
	wait(t, "stop", r.Done())
	if got := tr.String(); got != "parent child told" {
		t.Errorf("order %q", got)
	}
	closeSystem(t, s)
}

func TestUndeliveredGetsEveryMessageOnce(t *testing.T) {
	s := NewSystem(Options{})
	var mu sync.Mutex
	got := map[int]int{}
	note := func(m int) { mu.Lock(); got[m]++; mu.Unlock() }
	r := SpawnRoot(s, &script[int]{
		receive: func(c *Context[int], m int) {
			note(m)
			if m == 500 {
				c.Stop()
			}
		},
		lost: note,
	})
	for i := range 1000 {
		r.Send(i)
	}
	wait(t, "stop", r.Done())
	for i := 1000; i < 1100; i++ {
		r.Send(i) // to an actor long gone
	}
	closeSystem(t, s)
	mu.Lock()
	defer mu.Unlock()
	for i := range 1100 {
		if got[i] != 1 {
			t.Fatalf("message %d seen %d times", i, got[i])
		}
	}
}

func TestSpawnUnderStoppingParent(t *testing.T) {
	s := NewSystem(Options{})
	lost := make(chan int, 1)
	var late Ref[int]
	ready := make(chan struct{})
	r := SpawnRoot(s, &script[int]{started: func(*Context[int]) { close(ready) }, stopping: func(c *Context[int]) {
		late = Spawn(c, &script[int]{
			started: func(*Context[int]) { t.Error("a child started under a stopping parent") },
			lost:    func(m int) { lost <- m },
		})
		late.Send(7)
	}})
	wait(t, "start", ready)
	r.Stop()
	wait(t, "stop", r.Done())
	wait(t, "stop of the late child", late.Done())
	if m := <-lost; m != 7 {
		t.Errorf("undelivered %d", m)
	}
	closeSystem(t, s)
	after := SpawnRoot(s, &script[int]{started: func(*Context[int]) { t.Error("started after Close") }})
	wait(t, "refusal after Close", after.Done())
}

// A child that panics while its parent is being stopped is where the actor
// library, with restarts, revives what was stopped.
func TestNoZombies(t *testing.T) {
	s := NewSystem(Options{})
	const runs = 2000
	for i := range runs {
		var started, stopped int
		var child Ref[int]
		ready := make(chan struct{})
		r := SpawnRoot(s, &script[int]{started: func(c *Context[int]) {
			child = Spawn(c, &script[int]{
				started:  func(*Context[int]) { started++ },
				receive:  func(*Context[int], int) { panic(i) },
				stopping: func(*Context[int]) { stopped++ },
			})
			close(ready)
		}})
		<-ready
		go child.Send(1)
		r.Stop()
		wait(t, "stop", r.Done())
		<-child.Done()
		if started != 1 || stopped != 1 {
			t.Fatalf("run %d: started %d times, stopped %d times", i, started, stopped)
		}
	}
	closeSystem(t, s)
}

func TestPools(t *testing.T) {
	s := NewSystem(Options{Workers: 2})
	var mu sync.Mutex
	var running, most int
	results := make(chan int, 20)
	SpawnRoot(s, &script[int]{
		started: func(c *Context[int]) {
			for i := range 20 {
				c.Go(func() int {
					mu.Lock()
					running++
					most = max(most, running)
					mu.Unlock()
					time.Sleep(time.Millisecond)
					mu.Lock()
					running--
					mu.Unlock()
					return i
				})
			}
		},
		receive: func(_ *Context[int], m int) { results <- m },
	})
	var got []int
	for range 20 {
		got = append(got, <-results)
	}
	slices.Sort(got)
	if got[0] != 0 || got[19] != 19 || most > 2 {
		t.Errorf("results %v, %d at once", got, most)
	}
	// Work outlives its actor; the result is handed back.
	lost := make(chan int, 1)
	hold := make(chan struct{})
	r := SpawnRoot(s, &script[int]{
		started: func(c *Context[int]) { c.GoIO(func() int { <-hold; return 42 }); c.Stop() },
		lost:    func(m int) { lost <- m },
	})
	<-r.Done()
	close(hold)
	if m := <-lost; m != 42 {
		t.Errorf("undelivered result %d", m)
	}
	closeSystem(t, s)
}

func TestAsk(t *testing.T) {
	type question struct {
		n     int
		reply Reply[int]
	}
	s := NewSystem(Options{})
	r := SpawnRoot(s, &script[question]{receive: func(c *Context[question], q question) {
		switch {
		case q.n < 0:
			c.Stop()
		case q.n == 0: // never answered
		default:
			q.reply.Send(2*q.n, nil)
			q.reply.Send(-1, nil) // the second answer counts for nothing
		}
	}})
	ask := func(ctx context.Context, n int) (int, error) {
		return Ask(ctx, r, func(p Reply[int]) question { return question{n, p} })
	}
	if v, err := ask(t.Context(), 21); v != 42 || err != nil {
		t.Errorf("answer %d, %v", v, err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if _, err := ask(ctx, 0); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("no answer: %v", err)
	}
	if _, err := ask(t.Context(), -1); !errors.Is(err, ErrStopped) {
		t.Errorf("stopped: %v", err)
	}
	if _, err := ask(t.Context(), 1); !errors.Is(err, ErrStopped) {
		t.Errorf("long stopped: %v", err)
	}
	closeSystem(t, s)
}

func TestNilMessageIsRefused(t *testing.T) {
	s := NewSystem(Options{})
	r := SpawnRoot(s, &script[error]{receive: func(*Context[error], error) { t.Error("nil delivered") }})
	r.Send(nil)
	if r.Depth() != 0 {
		t.Error("nil queued")
	}
	closeSystem(t, s)
}

func TestBurstIsGivenBack(t *testing.T) {
	s := NewSystem(Options{})
	hold := make(chan struct{})
	done := make(chan struct{})
	const burst = 100_000
	r := SpawnRoot(s, &script[int]{receive: func(_ *Context[int], m int) {
		switch m {
		case 0:
			<-hold
		case burst:
			close(done)
		}
	}})
	for i := range burst + 1 {
		r.Send(i)
	}
	if d := r.Depth(); d < burst {
		t.Errorf("depth %d", d)
	}
	close(hold)
	wait(t, "the end of the burst", done)
	for deadline := time.Now().Add(5 * time.Second); ; time.Sleep(time.Millisecond) {
		r.c.mu.Lock()
		kept, idle := cap(r.c.in)+cap(r.c.out), !r.c.running
		r.c.mu.Unlock()
		if idle {
			if kept > 2*keepCap {
				t.Errorf("%d slots kept", kept)
			}
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("never idle")
		}
	}
	closeSystem(t, s)
}

func TestWedgeIsReported(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		reports := make(chan Wedged, 2)
		s := NewSystem(Options{OnWedged: func(w Wedged) { reports <- w }})
		release := make(chan struct{})
		var child Ref[int]
		r := SpawnRoot(s, &script[int]{started: func(c *Context[int]) {
			child = Spawn(c, &script[int]{receive: func(*Context[int], int) { wedgeHere(release) }})
		}})
		synctest.Wait()
		child.Send(1)
		w := <-reports
		if want := []ActorID{r.ID(), child.ID()}; !slices.Equal(w.Path, want) || w.For < 30*time.Second {
			t.Errorf("report of %v for %v, want %v", w.Path, w.For, want)
		}
		if !strings.Contains(string(w.Stack), "wedgeHere") {
			t.Errorf("stack:\n%s", w.Stack)
		}
		time.Sleep(time.Hour)
		if len(reports) > 0 {
			t.Error("reported twice")
		}
		close(release)
		closeSystem(t, s)
	})
}

//go:noinline
func wedgeHere(release chan struct{}) { <-release }

func TestKeeper(t *testing.T) {
	k := Keeper{}
	now := time.Unix(1e9, 0)
	worst := fullRand{}
	var got []time.Duration
	for range 5 {
		k.Started(now)
		d, tooOften := k.Failed(now, worst)
		if tooOften {
			t.Fatal("too often, early")
		}
		got = append(got, d.Round(time.Second))
		now = now.Add(d)
	}
	if want := []time.Duration{1e9, 2e9, 4e9, 8e9, 16e9}; !slices.Equal(got, want) {
		t.Errorf("delays %v, want %v", got, want)
	}
	if _, tooOften := k.Failed(now, worst); !tooOften {
		t.Error("six failures in a minute are not too many")
	}
	k.Started(now)
	now = now.Add(time.Hour)
	if d, tooOften := k.Failed(now, worst); tooOften || d.Round(time.Second) != time.Second {
		t.Errorf("after an hour of health: %v, %v", d, tooOften)
	}
	b := Backoff{Initial: time.Second, Max: 5 * time.Minute}
	for range 20 {
		b.Bound()
	}
	if d := b.Bound(); d != 5*time.Minute {
		t.Errorf("bound %v", d)
	}
}

// fullRand fails, and Jitter then returns its bound.
type fullRand struct{}

func (fullRand) Read([]byte) (int, error) { return 0, errors.New("no randomness") }

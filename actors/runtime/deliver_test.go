package runtime

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"testing"

	goruntime "runtime"
)

// goroutine names the one that calls.
func goroutine() string {
	b := make([]byte, 64)
	b = b[:goruntime.Stack(b, false)]
	name, _, _ := bytes.Cut(b, []byte(" ["))
	return string(name)
}

// place is where and in what order an actor was run.
type place struct {
	m    int
	on   string
	more bool
}

func TestDeliverRunsAnIdleActorOnTheCallersGoroutine(t *testing.T) {
	for name, c := range map[string]struct {
		busy   bool // when the message is delivered
		behind int  // messages that are sent while it is handled
		here   []int
		more   []bool
	}{
		"an idle actor":                           {here: []int{1}, more: []bool{false}},
		"with what is sent meanwhile":             {behind: 2, here: []int{1, 2, 3}, more: []bool{false, true, false}},
		"not with more than a few":                {behind: hereAtMost + 3, here: []int{1, 2, 3, 4, 5, 6, 7, 8}},
		"a busy actor is left to whoever runs it": {busy: true},
	} {
		t.Run(name, func(t *testing.T) {
			sys, behind := NewSystem(Options{}), c.behind
			done := make(chan place, 100)
			gate := make(chan struct{})
			begun := make(chan struct{})
			a := SpawnRoot[int](sys, &script[int]{receive: func(c *Context[int], m int) {
				if m == 0 {
					close(begun)
					<-gate
				}
				if m == 1 {
					for i := range behind {
						c.Self().Send(2 + i)
					}
				}
				done <- place{m, goroutine(), c.More()}
			}})
			a.Send(-1) // it has started once this is handled
			<-done
			idle(t, a)
			if c.busy {
				a.Send(0)
				<-begun
			}
			a.Deliver(1)
			if c.busy {
				close(gate)
				<-done
			}
			var here []int
			var more []bool
			for i := range 1 + c.behind {
				p := <-done
				if p.m != i+1 {
					t.Errorf("message %d came as number %d", p.m, i+1)
				}
				if p.on == goroutine() {
					here, more = append(here, p.m), append(more, p.more)
				}
			}
			if !slices.Equal(here, c.here) || c.more != nil && !slices.Equal(more, c.more) {
				t.Errorf("messages %v were handled here, more %v; want %v, %v", here, more, c.here, c.more)
			}
			if err := sys.Close(context.Background()); err != nil {
				t.Error(err)
			}
		})
	}
}

// idle waits until nobody runs the actor.
func idle[M any](t *testing.T, r Ref[M]) {
	t.Helper()
	for range 1_000_000 {
		r.c.mu.Lock()
		running := r.c.running
		r.c.mu.Unlock()
		if !running {
			return
		}
		goruntime.Gosched()
	}
	t.Fatal("it never becomes idle")
}

func TestWhatFailsInDeliverIsTheActorsAlone(t *testing.T) {
	for name, c := range map[string]struct {
		fail func()
		ends bool // the goroutine of who delivers
	}{
		"a panic":       {fail: func() { panic("a secret") }},
		"a Goexit":      {fail: goexit, ends: true},
		"nothing fails": {fail: func() {}},
	} {
		t.Run(name, func(t *testing.T) {
			sys, fail := NewSystem(Options{}), c.fail
			ended := make(chan error, 1)
			var a Ref[int]
			started := make(chan struct{})
			SpawnRoot[int](sys, &script[int]{
				started: func(c *Context[int]) {
					a = Spawn[int](c, &script[int]{receive: func(_ *Context[int], m int) {
						if m == 1 {
							fail()
						}
					}})
					close(started)
				},
				child: func(_ *Context[int], _ ActorID, err error) { ended <- err },
			})
			<-started
			a.Send(0)
			idle(t, a)
			returned := false
			over := make(chan struct{})
			go func() {
				defer close(over)
				a.Deliver(1)
				returned = true
			}()
			<-over
			if returned == c.ends {
				t.Errorf("Deliver returned: %v", returned)
			}
			if name == "nothing fails" {
				a.Stop()
			}
			var panicked *PanicError
			if err := <-ended; errors.As(err, &panicked) != (name != "nothing fails") {
				t.Errorf("its parent is told %v", err)
			}
			if err := sys.Close(context.Background()); err != nil {
				t.Error(err)
			}
		})
	}
}

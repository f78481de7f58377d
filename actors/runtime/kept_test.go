package runtime

import (
	"context"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// word is a message of these tests: an interface, as all message types are.
type word interface{ word() string }

type said string

func (s said) word() string { return string(s) }

// heard is what the children of a kept actor write down.
type heard struct {
	mu    sync.Mutex
	words []string
	alive int
	most  int // at once
}

func (h *heard) note(s string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.words = append(h.words, s)
}

func (h *heard) add(n int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.alive += n
	h.most = max(h.most, h.alive)
}

type listener struct {
	script[word]
	h *heard
}

func (l *listener) Dropped(m word) { l.h.note("dropped " + m.word()) }

// keep starts a kept listener in a bubble.
func keep(t *testing.T, f func(t *testing.T, s *System, r Ref[word], h *heard)) {
	synctest.Test(t, func(t *testing.T) {
		s, h := NewSystem(Options{}), &heard{}
		r := SpawnRoot(s, Keep(func() Actor[word] {
			l := &listener{h: h}
			l.started = func(*Context[word]) { h.add(1) }
			l.stopping = func(*Context[word]) { h.add(-1) }
			l.lost = func(m word) { h.note("lost " + m.word()) }
			l.receive = func(_ *Context[word], m word) {
				if strings.HasPrefix(m.word(), "panic") {
					panic("as planned")
				}
				h.note(m.word())
			}
			return l
		}))
		f(t, s, r, h)
		if err := s.Close(context.Background()); err != nil {
			t.Error(err)
		}
		if h.most != 1 {
			t.Errorf("%d at once", h.most)
		}
	})
}

func (h *heard) want(t *testing.T, want ...string) {
	t.Helper()
	synctest.Wait()
	h.mu.Lock()
	defer h.mu.Unlock()
	if !slices.Equal(h.words, want) {
		t.Errorf("heard %q, want %q", h.words, want)
	}
}

func TestAKeptActorMissesNothingButWhatItFailedAt(t *testing.T) {
	keep(t, func(t *testing.T, _ *System, r Ref[word], h *heard) {
		for _, w := range []said{"one", "panic", "two", "three"} {
			r.Send(w)
		}
		h.want(t, "one", "dropped panic")
		r.Send(said("four"))
		time.Sleep(time.Second)
		h.want(t, "one", "dropped panic", "two", "three", "four")
		r.Send(said("five"))
		h.want(t, "one", "dropped panic", "two", "three", "four", "five")
	})
}

func TestAKeptActorIsReplacedForEver(t *testing.T) {
	keep(t, func(t *testing.T, _ *System, r Ref[word], h *heard) {
		var want []string
		for range 30 {
			r.Send(said("panic"))
			time.Sleep(5 * time.Minute)
			r.Send(said("well"))
			want = append(want, "dropped panic", "well")
		}
		h.want(t, want...)
	})
}

func TestAKeptActorThatFailsOftenIsReplacedSeldom(t *testing.T) {
	keep(t, func(t *testing.T, s *System, r Ref[word], h *heard) {
		for range 1000 {
			r.Send(said("panic"))
		}
		time.Sleep(time.Hour)
		h.mu.Lock()
		defer h.mu.Unlock()
		// The delays are drawn from up to 1, 2, 4 ... 300 s: 150 s each in the long run.
		if n := len(h.words); n < 10 || n > 80 {
			t.Errorf("%d in an hour", n)
		}
		h.words = nil
	})
}

func TestWhatAKeptActorDidNotHearIsGivenBackAtTheEnd(t *testing.T) {
	for name, wait := range map[string]time.Duration{"while there is none": 0, "when there is one again": time.Minute} {
		t.Run(name, func(t *testing.T) {
			keep(t, func(t *testing.T, s *System, r Ref[word], h *heard) {
				r.Send(said("panic"))
				synctest.Wait()
				time.Sleep(wait)
				if wait == 0 {
					r.Send(said("early"))
					synctest.Wait()
				}
				if err := s.Close(context.Background()); err != nil {
					t.Fatal(err)
				}
				r.Send(said("late"))
				if wait == 0 {
					h.want(t, "dropped panic", "lost early", "lost late")
				} else {
					h.want(t, "dropped panic", "lost late")
				}
			})
		})
	}
}

func TestAKeptActorIsNamedByItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var named []string
		s := NewSystem(Options{OnPanic: func(p *PanicError) { named = append(named, p.Actor) }})
		r := SpawnRoot(s, Keep(func() Actor[word] {
			return &listener{script: script[word]{receive: func(*Context[word], word) { panic("as planned") }}, h: &heard{}}
		}))
		r.Send(said("panic"))
		synctest.Wait()
		if !slices.Equal(named, []string{"*runtime.listener"}) {
			t.Errorf("the panic is one of %q", named)
		}
		if err := s.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
}

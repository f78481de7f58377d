package governor

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mtfleet/mtfleet/actors/runtime"
)

// hall is a DC of whose connections it is chosen how they answer.
type hall struct {
	*world
	pulse *Pulse
	all   []*Witness

	way atomic.Int64 // a question to its answer, in nanoseconds

	mu     sync.Mutex
	deaf   map[uint64]bool // accounts whose sockets are dead
	busy   bool            // no ping leaves
	mute   bool            // the DC does not answer
	pings  int
	words  []Word
	spoken []time.Duration // when
}

// newHall makes one without connections, on a governor with another clock if any.
func newHall(t *testing.T, clock ...runtime.Clock) *hall {
	h := &hall{deaf: map[uint64]bool{}}
	h.way.Store(int64(40 * time.Millisecond))
	o := runtime.Options{}
	for _, c := range clock {
		o.Clock = c
	}
	h.world = &world{t: t, sys: runtime.NewSystem(o), start: time.Now(), when: map[string][]time.Duration{}}
	h.g = runtime.SpawnRoot[Message](h.sys, New(Limits{}, func(w Word) {
		h.set(func(h *hall) { h.words, h.spoken = append(h.words, w), append(h.spoken, time.Since(h.start)) })
	}))
	h.want("pulse", Connect, 2, true, func(t *Ticket) { h.pulse = t.Pulse; h.done(t, Worked) })
	synctest.Wait()
	return h
}

func (h *hall) end() {
	if err := h.sys.Close(context.Background()); err != nil {
		h.t.Error(err)
	}
	time.Sleep(time.Second) // answers under way
}

// inHall runs f with so many connections, one for each account.
func inHall(t *testing.T, n int, f func(h *hall)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		h := newHall(t)
		for i := range n {
			h.come(uint64(i + 1))
		}
		f(h)
		h.end()
	})
}

// come brings a connection on which the DC has answered.
func (h *hall) come(who uint64) *Witness {
	w := &Witness{DC: 2, Who: who}
	w.Ask = func(round uint32) { go h.ask(w, round) }
	h.all = append(h.all, w)
	h.pulse.Beat(time.Now())
	h.g.Send(Attend{w, time.Duration(h.way.Load())})
	return w
}

func (h *hall) ask(w *Witness, round uint32) {
	h.mu.Lock()
	h.pings++
	busy, dead := h.busy, h.deaf[w.Who]
	h.mu.Unlock()
	if busy {
		return
	}
	asked := time.Now()
	h.g.Send(Asked{w, round})
	time.Sleep(time.Duration(h.way.Load()))
	h.mu.Lock()
	dead = dead || h.mute
	h.mu.Unlock()
	if !dead {
		h.pulse.Beat(time.Now())
		h.g.Send(Took{w, time.Since(asked)})
	}
}

// set changes how the DC is.
func (h *hall) set(f func(h *hall)) {
	h.mu.Lock()
	defer h.mu.Unlock()
	f(h)
}

// goOn lets the DC answer again, also what it was asked meanwhile.
func (h *hall) goOn() {
	h.set(func(h *hall) { h.mute = false })
	h.pulse.Beat(time.Now())
}

// said returns and forgets what the governor said: s(ilent) and a(nswers), and
// how long after a time.
func (h *hall) said(since time.Duration) (kinds string, after []time.Duration) {
	synctest.Wait()
	h.mu.Lock()
	defer h.mu.Unlock()
	for i, w := range h.words {
		kinds += map[WordKind]string{IsSilent: "s", Answers: "a", Suspected: "?"}[w.Kind]
		after = append(after, h.spoken[i]-since)
	}
	h.words, h.spoken = nil, nil
	return kinds, after
}

func (h *hall) asked() int {
	synctest.Wait()
	h.mu.Lock()
	defer h.mu.Unlock()
	n := h.pings
	h.pings = 0
	return n
}

// Whenever it happens between two questions, and however slow the way, it is said
// within two seconds where answers take half a second at most.
func TestASilentDCIsSaidWithinTwoSeconds(t *testing.T) {
	for _, way := range []time.Duration{0, 40 * time.Millisecond, 250 * time.Millisecond} {
		for moment := range 8 {
			t.Run(fmt.Sprintf("%v at %d/8 s", way, moment), func(t *testing.T) {
				inHall(t, 350, func(h *hall) {
					h.way.Store(int64(way))
					time.Sleep(time.Minute + time.Duration(moment)*time.Second/8)
					if kinds, _ := h.said(0); kinds != "" {
						t.Fatalf("said of a DC that answers: %q", kinds)
					}
					h.set(func(h *hall) { h.mute = true })
					begun := time.Since(h.start)
					time.Sleep(4 * time.Second)
					kinds, after := h.said(begun)
					if kinds != "s" || after[0] > 2*time.Second {
						t.Fatalf("said %q after %v", kinds, after)
					}
					time.Sleep(time.Second)
					back := time.Since(h.start)
					h.goOn()
					time.Sleep(time.Minute)
					if kinds, after := h.said(back); kinds != "a" || after[0] > lookAgain {
						t.Errorf("of its end was said %q after %v", kinds, after)
					}
				})
			})
		}
	}
}

func TestWhatIsNoSilenceIsNotSaid(t *testing.T) {
	for _, tc := range []struct {
		name string
		of   int
		play func(h *hall)
	}{
		{"one socket is dead", 6, func(h *hall) { h.deaf[1] = true }},
		{"all are dead but two of eight: some of any four", 8, func(h *hall) {
			for who := range uint64(6) {
				if who%3 != 2 {
					h.deaf[who+1] = true
				}
			}
		}},
		{"answers begin to take long", 10, func(h *hall) { h.way.Store(int64(480 * time.Millisecond)) }},
		{"no ping leaves, for the uplink is busy", 10, func(h *hall) { h.busy, h.mute = true, true }},
		{"five accounts are no mass", 5, func(h *hall) { h.mute = true }},
		{"nobody has a connection any more", 10, func(h *hall) {
			h.mute = true
			for _, w := range h.all {
				h.g.Send(Leave{w})
			}
		}},
		{"one account has many connections", 0, func(h *hall) {
			for range 10 {
				h.come(7)
			}
			h.deaf[7] = true
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			inHall(t, tc.of, func(h *hall) {
				time.Sleep(5 * time.Second)
				h.set(tc.play)
				time.Sleep(time.Hour)
				if kinds, after := h.said(0); kinds != "" {
					t.Errorf("said %q at %v", kinds, after)
				}
			})
		})
	}
}

// Where answers always take as long, nothing is said of it before they do not come.
func TestALongWayIsNoSilence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const way = 900 * time.Millisecond
		h := newHall(t)
		h.way.Store(int64(way))
		for who := range uint64(10) {
			h.come(who + 1)
		}
		time.Sleep(time.Hour)
		if kinds, after := h.said(0); kinds != "" {
			t.Errorf("said %q at %v", kinds, after)
		}
		h.set(func(h *hall) { h.mute = true })
		begun := time.Since(h.start)
		time.Sleep(10 * time.Second)
		// An answer that was under way still comes.
		if kinds, after := h.said(begun); kinds != "s" || after[0] > way+quiet+3*patienceMost/2 {
			t.Errorf("said %q after %v", kinds, after)
		}
		h.end()
	})
}

// What a DC costs does not grow with its accounts, and is nothing where they hear
// it anyway, or are too few.
func TestAVigilCostsAPingASecondAtMost(t *testing.T) {
	for _, tc := range []struct {
		name  string
		of    int
		hears time.Duration // something else comes so often; 0: never
		most  int
	}{
		{"ten accounts", 10, 0, 60},
		{"a thousand that hear nothing but this", 1000, 0, 60},
		{"whose own pings are answered", 350, 170 * time.Millisecond, 0},
		{"five accounts", 5, 0, 0},
		{"none", 0, 0, 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			inHall(t, tc.of, func(h *hall) {
				time.Sleep(10 * time.Second)
				h.asked()
				done := make(chan struct{})
				if tc.hears > 0 {
					h.pulse.Beat(time.Now())
					go func() {
						for begun := time.Now(); time.Since(begun) < 2*time.Minute; time.Sleep(tc.hears) {
							h.pulse.Beat(time.Now())
						}
						close(done)
					}()
					time.Sleep(time.Minute)
					h.asked()
				} else {
					close(done)
				}
				time.Sleep(time.Minute)
				if n := h.asked(); n > tc.most {
					t.Errorf("%d pings in a minute, %d at most", n, tc.most)
				}
				<-done
			})
		})
	}
}

// A DC that stops again and again is said to be silent six times a minute at most.
func TestAFlappingDCIsSaidSeldom(t *testing.T) {
	inHall(t, 20, func(h *hall) {
		for range 60 {
			h.set(func(h *hall) { h.mute = true })
			time.Sleep(3 * time.Second)
			h.goOn()
			time.Sleep(time.Second)
		}
		if kinds, _ := h.said(0); len(kinds) < 20 || len(kinds) > 2*(240/10+1) {
			t.Errorf("said %d times in four minutes: %s", len(kinds), kinds)
		}
	})
}

// Who comes back after everybody has left makes the end known.
func TestANewConnectionEndsASilence(t *testing.T) {
	inHall(t, 10, func(h *hall) {
		time.Sleep(3 * time.Second)
		h.set(func(h *hall) { h.mute = true })
		time.Sleep(4 * time.Second)
		for _, w := range h.all {
			h.g.Send(Leave{w})
		}
		time.Sleep(time.Hour)
		if kinds, _ := h.said(0); kinds != "s" {
			t.Fatalf("said %q", kinds)
		}
		h.goOn()
		h.come(1)
		if kinds, after := h.said(time.Since(h.start)); kinds != "a" || after[0] != 0 {
			t.Errorf("of its end was said %q after %v", kinds, after)
		}
	})
}

// A governor that failed leaves its successor the witnesses and the silence.
func TestAVigilOutlivesItsGovernor(t *testing.T) {
	inHall(t, 10, func(h *hall) {
		time.Sleep(3 * time.Second)
		h.crash()
		time.Sleep(10 * time.Second)
		h.set(func(h *hall) { h.mute = true })
		time.Sleep(4 * time.Second)
		h.crash()
		time.Sleep(10 * time.Second)
		h.goOn()
		time.Sleep(time.Second)
		if kinds, _ := h.said(0); kinds != "sa" {
			t.Errorf("said %q", kinds)
		}
	})
}

// late is a clock whose timers fire late, as those of a process that does not run.
type late struct {
	runtime.Clock
	mu sync.Mutex
	by time.Duration
}

func (c *late) AfterFunc(d time.Duration, f func()) runtime.Timer {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.Clock.AfterFunc(d+c.by, f)
}

// What came while the process did not run is not read yet when its timers fire.
func TestAProcessThatDidNotRunIsNotTakenForASilentDC(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		clock := &late{Clock: runtime.RealClock()}
		h := newHall(t, clock)
		for who := range uint64(10) {
			h.come(who + 1)
		}
		clock.mu.Lock()
		clock.by = stalled + time.Millisecond
		clock.mu.Unlock()
		h.set(func(h *hall) { h.mute = true })
		time.Sleep(time.Minute)
		if n := len(h.words); n != 0 {
			t.Errorf("%d words", n)
		}
		h.end()
	})
}

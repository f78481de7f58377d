package runtime

import (
	"container/heap"
	"math/rand/v2"
	"time"
)

// A Sim runs the actors of one [System] on the goroutine of its caller, one
// message at a time, under a virtual clock, in an order that depends on its
// seed and on nothing else: the same seed replays the same run. Actors under
// it must take time, randomness and everything that waits from outside, and
// must not range over maps where order matters.
type Sim struct {
	rng    *rand.Rand
	chacha *rand.ChaCha8
	now    time.Time
	ready  []*core
	timers simHeap
	seq    uint64
}

// NewSim returns a simulation; pass it in [Options]. Its clock starts at
// 2000-01-01 00:00 UTC, as that of a testing/synctest bubble does.
func NewSim(seed uint64) *Sim {
	var key [32]byte
	for i := range 8 {
		key[i] = byte(seed >> (8 * i))
	}
	c := rand.NewChaCha8(key)
	return &Sim{rng: rand.New(c), chacha: c, now: time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)}
}

// Read fills p with seeded bytes: use the Sim as [Options].Rand.
func (s *Sim) Read(p []byte) (int, error) { return s.chacha.Read(p) }

// Now returns the virtual time.
func (s *Sim) Now() time.Time { return s.now }

// AfterFunc calls f from Step when the virtual clock has reached d from now.
func (s *Sim) AfterFunc(d time.Duration, f func()) Timer {
	s.seq++
	t := &simTimer{sim: s, at: s.now.Add(d), seq: s.seq, f: f}
	heap.Push(&s.timers, t)
	return t
}

// Step delivers one message to an actor chosen by the seed; when no actor has
// one, it advances the clock to the next timer and runs that. It returns false
// when nothing is left to do.
func (s *Sim) Step() bool {
	if n := len(s.ready); n > 0 {
		i := s.rng.IntN(n)
		c := s.ready[i]
		s.ready[i] = s.ready[n-1]
		s.ready[n-1] = nil
		s.ready = s.ready[:n-1]
		if c.step() {
			s.ready = append(s.ready, c) // the next step finds out whether it has more
		}
		return true
	}
	if len(s.timers) == 0 {
		return false
	}
	t := heap.Pop(&s.timers).(*simTimer)
	s.now = t.at
	t.f()
	return true
}

// Run steps until nothing is left to do. An actor that always has a timer
// outstanding makes it run for ever: use RunFor then.
func (s *Sim) Run() {
	for s.Step() {
	}
}

// RunFor steps until d of virtual time has passed.
func (s *Sim) RunFor(d time.Duration) {
	end := s.now.Add(d)
	for len(s.ready) > 0 || len(s.timers) > 0 && !s.timers[0].at.After(end) {
		s.Step()
	}
	s.now = end
}

// delay is how long one piece of pool work takes.
func (s *Sim) delay() time.Duration { return time.Duration(s.rng.Int64N(int64(simDelay))) }

type simTimer struct {
	sim   *Sim
	at    time.Time
	seq   uint64
	f     func()
	index int // in the heap; -1 when out of it
}

// Stop implements [Timer].
func (t *simTimer) Stop() bool {
	if t.index < 0 {
		return false
	}
	heap.Remove(&t.sim.timers, t.index)
	return true
}

type simHeap []*simTimer

func (h simHeap) Len() int { return len(h) }
func (h simHeap) Less(i, j int) bool {
	if h[i].at.Equal(h[j].at) {
		return h[i].seq < h[j].seq
	}
	return h[i].at.Before(h[j].at)
}
func (h simHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].index, h[j].index = i, j
}
func (h *simHeap) Push(x any) {
	t := x.(*simTimer)
	t.index = len(*h)
	*h = append(*h, t)
}
func (h *simHeap) Pop() any {
	old := *h
	t := old[len(old)-1]
	old[len(old)-1] = nil
	*h = old[:len(old)-1]
	t.index = -1
	return t
}

package runtime

import (
	"container/heap"
	"math/rand/v2"
	"slices"
	"sync"
	"time"
)

// A Sim runs the actors of one or several [System]s on the goroutine of its
// caller, one message at a time, under a virtual clock, in an order that
// depends on its seed and on nothing else: the same seed replays the same run.
// Actors under it must take time, randomness and everything that waits from
// outside, and must not range over maps where order matters.
//
// Several systems live on one Sim beside or after each other: one that crashed
// ([System.Crash]), its successor, and the world around both.
//
// Who waits for an actor waits in virtual time. [Ask], [System.Close] and
// [Sim.Wait] step the Sim when its driver calls them; within the work of
// [Context.GoIO] they let the Sim go on and return when it is their turn again.
// Anywhere else, in an actor or a timer, they panic: nothing there may wait.
//
// A Sim has one goroutine: its driver's. Nothing of it, and no actor's Ref, may
// be used from another.
type Sim struct {
	rng    *rand.Rand
	chacha *rand.ChaCha8
	now    time.Time
	ready  []runnable
	timers simHeap
	seq    uint64

	parked  []*process // waiting, in the order they began to
	current *process   // that runs now
	depth   int        // above 0 while an actor, a timer or a process runs
}

// runnable is what a Sim can run a piece of: an actor's mailbox or a process.
type runnable interface {
	// simStep runs one piece; it reports whether there may be more.
	simStep() bool
	owner() *System
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

// Read fills p with seeded bytes: the Sim is the [Options].Rand of its systems
// unless they have another.
func (s *Sim) Read(p []byte) (int, error) { return s.chacha.Read(p) }

// Now returns the virtual time.
func (s *Sim) Now() time.Time { return s.now }

// AfterFunc calls f from Step when the virtual clock has reached d from now.
func (s *Sim) AfterFunc(d time.Duration, f func()) Timer { return s.after(nil, d, f) }

// after is AfterFunc for a system, with which the timer ends.
func (s *Sim) after(owner *System, d time.Duration, f func()) *simTimer {
	s.seq++
	t := &simTimer{sim: s, owner: owner, at: s.now.Add(max(d, 0)), seq: s.seq, f: f}
	heap.Push(&s.timers, t)
	return t
}

// Step delivers one message to an actor chosen by the seed; when no actor has
// one, it advances the clock to the next timer and runs that. It returns false
// when nothing is left to do.
func (s *Sim) Step() bool {
	if s.depth > 0 {
		panic("runtime: an actor or a timer of a simulation waits")
	}
	if n := len(s.ready); n > 0 {
		i := s.rng.IntN(n)
		r := s.ready[i]
		s.ready[i] = s.ready[n-1]
		s.ready[n-1] = nil
		s.ready = s.ready[:n-1]
		more := false
		s.inside(func() { more = r.simStep() })
		if more && !r.owner().crashed {
			s.enqueue(r) // the next step finds out whether it has more
		}
		s.unpark()
		return true
	}
	if len(s.timers) == 0 {
		return false
	}
	t := heap.Pop(&s.timers).(*simTimer)
	s.now = t.at
	if t.owner != nil && t.owner.frozen {
		t.owner.held.timers = append(t.owner.held.timers, t)
		return true
	}
	s.inside(t.f)
	s.unpark()
	return true
}

// enqueue has a piece of something run by a later step.
func (s *Sim) enqueue(r runnable) {
	if sys := r.owner(); sys.frozen {
		sys.held.ready = append(sys.held.ready, r)
		return
	}
	s.ready = append(s.ready, r)
}

// simHeld is what a frozen system would run.
type simHeld struct {
	ready  []runnable
	timers []*simTimer // that have come meanwhile
}

// Freeze has nothing of a system under a [Sim] run until [System.Thaw], as SIGSTOP
// does with a process: what others send it waits, its timers that come meanwhile are
// late, and its clock goes on. It does nothing to a system that is frozen, or
// crashed.
func (s *System) Freeze() {
	if s.opts.Sim == nil {
		panic("runtime: only a simulated system can be frozen")
	}
	if s.frozen || s.crashed {
		return
	}
	s.frozen = true
	sim := s.opts.Sim
	ready := sim.ready
	sim.ready = nil
	for _, r := range ready {
		sim.enqueue(r)
	}
}

// Thaw ends what Freeze began.
func (s *System) Thaw() {
	if !s.frozen {
		return
	}
	sim, held := s.opts.Sim, s.held
	s.frozen, s.held = false, simHeld{}
	sim.ready = append(sim.ready, held.ready...)
	for _, t := range held.timers { // in their order, by seq
		t.at = sim.now
		heap.Push(&sim.timers, t)
	}
}

// Locker returns a lock for what runs under the Sim and may wait while it holds it:
// one of sync would stop all of the Sim. Who waits for it gets it in turn.
func (s *Sim) Locker() sync.Locker { return &simLock{sim: s} }

type simLock struct {
	sim         *Sim
	next, taken uint64 // places in the queue
}

// Lock implements [sync.Locker].
func (l *simLock) Lock() {
	place := l.next
	l.next++
	if !l.sim.Wait(func() bool { return l.taken == place }) {
		panic("runtime: a lock of a simulation is never given back")
	}
}

// Unlock implements [sync.Locker].
func (l *simLock) Unlock() { l.taken++ }

func (s *Sim) inside(f func()) {
	s.depth++
	defer func() { s.depth-- }()
	f()
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

// Wait returns true when ready does: at once, or after as many steps as it
// takes. It returns false when nothing is left to do before that. ready is
// asked after every step, so it must be cheap and change nothing until it
// returns true.
func (s *Sim) Wait(ready func() bool) bool {
	if s.current != nil {
		s.current.wait(ready)
		return true
	}
	for !ready() {
		if !s.Step() {
			return false
		}
	}
	return true
}

// delay is how long one piece of pool work takes.
func (s *Sim) delay() time.Duration { return time.Duration(s.rng.Int64N(int64(simDelay))) }

// crash forgets everything that belongs to a system.
func (s *Sim) crash(sys *System) {
	s.ready = slices.DeleteFunc(s.ready, func(r runnable) bool { return r.owner() == sys })
	sys.frozen, sys.held = false, simHeld{}
	kept := s.timers[:0]
	for _, t := range s.timers {
		if t.owner == sys {
			t.index = -1
			continue
		}
		t.index = len(kept)
		kept = append(kept, t)
	}
	clear(s.timers[len(kept):])
	s.timers = kept
	heap.Init(&s.timers)
	var dead []*process
	s.parked = slices.DeleteFunc(s.parked, func(p *process) bool {
		if p.sys == sys {
			dead = append(dead, p)
		}
		return p.sys == sys
	})
	for _, p := range dead {
		p.kill()
	}
}

// simClock is the clock of one system of a Sim: its timers end with it.
type simClock struct{ sys *System }

func (c simClock) Now() time.Time { return c.sys.opts.Sim.now }

func (c simClock) AfterFunc(d time.Duration, f func()) Timer {
	if c.sys.crashed {
		return &simTimer{index: -1}
	}
	return c.sys.opts.Sim.after(c.sys, d, f)
}

type simTimer struct {
	sim   *Sim
	owner *System // nil: the driver's
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

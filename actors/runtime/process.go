package runtime

import "iter"

// process is a function that may wait under a [Sim]: work of the pool for
// waiting. It is a coroutine, so that "wait" can mean "let the Sim go on": no
// two of them, and no actor beside one, ever run at the same time.
type process struct {
	sim   *Sim
	sys   *System
	next  func() (struct{}, bool)
	stop  func()
	yield func(struct{}) bool
	ready func() bool // what it waits for
}

// killed unwinds a process whose system crashed while it waited.
type killed struct{}

// start runs f as a process of sys until it ends or waits.
func (s *Sim) start(sys *System, f func()) {
	p := &process{sim: s, sys: sys}
	p.next, p.stop = iter.Pull(func(yield func(struct{}) bool) {
		p.yield = yield
		defer func() {
			if r := recover(); r != nil && r != (killed{}) {
				panic(r)
			}
		}()
		f()
	})
	p.simStep()
}

// simStep goes on until the process waits again or ends.
func (p *process) simStep() bool {
	s := p.sim
	outer := s.current
	s.current = p
	_, waits := p.next()
	s.current = outer
	if waits {
		s.parked = append(s.parked, p)
	}
	return false
}

func (p *process) owner() *System { return p.sys }

// wait lets the Sim go on until ready holds.
func (p *process) wait(ready func() bool) {
	if ready() {
		return
	}
	p.ready = ready
	if !p.yield(struct{}{}) {
		panic(killed{})
	}
}

func (p *process) kill() { p.stop() }

// unpark lets the processes run again that have what they waited for.
func (s *Sim) unpark() {
	if len(s.parked) == 0 {
		return
	}
	kept := s.parked[:0]
	for _, p := range s.parked {
		if !p.sys.frozen && p.ready() {
			p.ready = nil
			s.enqueue(p)
			continue
		}
		kept = append(kept, p)
	}
	clear(s.parked[len(kept):])
	s.parked = kept
}

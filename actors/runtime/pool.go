package runtime

import (
	"sync"
	"time"
)

// pool runs functions on at most limit goroutines, which exist only while
// there is work. Its queue has no bound of its own: an actor has few pieces of
// work outstanding, and expensive ones need a permit first.
type pool struct {
	sys   *System
	limit int
	waits bool // its work may wait

	mu    sync.Mutex
	busy  int
	queue []job
}

type job struct {
	owner *core
	f     func()
}

func (p *pool) run(owner *core, f func()) {
	if p.sys.opts.Sim != nil {
		p.simulate(job{owner, f})
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.queue = append(p.queue, job{owner, f})
	if p.busy < p.limit {
		p.busy++
		p.sys.tally.add()
		go p.work()
	}
}

// simulate runs the job after a delay that the seed decides. Under a Sim the
// pool has no limit: there is nothing to run in parallel.
func (p *pool) simulate(j job) {
	sys := p.sys
	if sys.crashed {
		return
	}
	sys.simJobs++
	do := func() {
		defer func() { sys.simJobs-- }()
		j.do()
	}
	sim := sys.opts.Sim
	sim.after(sys, sim.delay(), func() {
		if p.waits {
			sim.start(sys, do)
			return
		}
		do()
	})
}

func (p *pool) work() {
	idle := false
	defer func() {
		if !idle { // a job ended this goroutine by runtime.Goexit
			p.sys.tally.add()
			go p.work()
		}
		p.sys.tally.done()
	}()
	for {
		p.mu.Lock()
		if len(p.queue) == 0 {
			p.queue = nil
			p.busy--
			p.mu.Unlock()
			idle = true
			return
		}
		j := p.queue[0]
		p.queue[0] = job{}
		p.queue = p.queue[1:]
		p.mu.Unlock()
		j.do()
	}
}

// do runs the job; its panic is the owner's.
func (j job) do() {
	normal := false
	defer func() {
		if !normal {
			j.owner.PostSystemMessage(workPanicked{newPanicError(j.owner.typeName(), "work", recover())})
		}
	}()
	j.f()
	normal = true
}

// workPanicked is the system message that makes a panic in work the actor's.
type workPanicked struct{ err *PanicError }

// simDelay bounds how long work takes in a simulation.
const simDelay = 20 * time.Millisecond

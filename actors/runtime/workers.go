package runtime

import (
	"slices"
	"sync"
)

// workers run mailboxes, each on a goroutine that is kept for the next one. A
// new goroutine per wake-up would do the same, but handling a message needs
// more stack than a goroutine begins with, and growing it, copy by copy, costs
// more than most messages do.
//
// A mailbox goes to a parked worker, or to a new one if none is parked. So a
// method that does not return holds its own worker and delays nobody, or for a
// second those whose timers were due together with its own: only they queue up.
//
// A parked worker takes no CPU time, and of memory its stack: some 8 KiB, and
// half of that after a garbage collection. Hence no time limit on parking.
type workers struct {
	tally *tally
	keep  int // how many may be parked

	mu     sync.Mutex
	parked []chan *core // each of capacity 1, so that handing over never blocks
	due    []*core      // woken together, see startAll; the first is the next
	closed bool
}

// parkedPerProc bounds how many workers are parked, by GOMAXPROCS: more than
// that seldom run at once. Under load, 16 times as many were no better.
const parkedPerProc = 4

// start lets a worker run c.
func (w *workers) start(c *core) {
	if wake := w.unpark(); wake != nil {
		wake <- c
		return
	}
	w.tally.add()
	go w.work(c)
}

// startAll lets one worker run all of those, one after the other: they were woken
// together, and each would wake another thread for a moment's work. Any worker that
// is done with something takes its share. It reports whether somebody still waits;
// if somebody did before, another worker comes to help.
func (w *workers) startAll(all []awake) (waiting bool) {
	w.mu.Lock()
	start := min(len(w.due), 1) + min(len(all), 1)
	w.due = slices.Grow(w.due, len(all))
	for _, a := range all {
		w.due = append(w.due, a.core)
	}
	w.mu.Unlock()
	for range start {
		w.mu.Lock()
		c := w.nextDueLocked()
		waiting = len(w.due) > 0
		w.mu.Unlock()
		if c != nil {
			w.start(c)
		}
	}
	return waiting
}

// nextDueLocked takes the next of those who were woken together; nil if nobody waits.
func (w *workers) nextDueLocked() *core {
	if len(w.due) == 0 {
		return nil
	}
	c := w.due[0]
	w.due[0] = nil
	if w.due = w.due[1:]; len(w.due) == 0 {
		w.due = nil
	}
	return c
}

// work runs c and then whatever it is woken for. A method that ends its
// goroutine by runtime.Goexit ends the worker.
func (w *workers) work(c *core) {
	defer w.tally.done()
	var wake chan *core
	for c != nil {
		c.run()
		c, wake = w.next(wake)
	}
}

// next waits until the worker is to run something; nil if it is to end. It makes
// the channel of a worker that has none.
func (w *workers) next(wake chan *core) (*core, chan *core) {
	w.mu.Lock()
	c := w.nextDueLocked()
	if c != nil || w.closed || len(w.parked) >= w.keep {
		w.mu.Unlock()
		return c, wake
	}
	if wake == nil {
		wake = make(chan *core, 1)
	}
	w.parked = append(w.parked, wake)
	w.mu.Unlock()
	return <-wake, wake
}

// unpark takes the worker parked last, whose stack is least likely to have
// been shrunk by the garbage collector; nil if there is none.
func (w *workers) unpark() chan *core {
	w.mu.Lock()
	defer w.mu.Unlock()
	last := len(w.parked) - 1
	if last < 0 {
		return nil
	}
	wake := w.parked[last]
	w.parked = w.parked[:last]
	return wake
}

// release ends the parked workers, and from now on each other one when it is
// done.
func (w *workers) release() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.closed = true
	for _, wake := range w.parked {
		close(wake)
	}
	w.parked = nil
}

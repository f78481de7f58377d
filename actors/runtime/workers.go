package runtime

import "sync"

// workers run mailboxes, each on a goroutine that is kept for the next one. A
// new goroutine per wake-up would do the same, but handling a message needs
// more stack than a goroutine begins with, and growing it, copy by copy, costs
// more than most messages do.
//
// There is no queue: a mailbox goes to a parked worker, or to a new one if
// none is parked. So a method that does not return holds its own worker and
// delays nobody.
//
// A parked worker takes no CPU time, and of memory its stack: some 8 KiB, and
// half of that after a garbage collection. Hence no time limit on parking.
type workers struct {
	tally *tally
	keep  int // how many may be parked

	mu     sync.Mutex
	parked []chan *core // each of capacity 1, so that handing over never blocks
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

// work runs c and then whatever it is woken for. A method that ends its
// goroutine by runtime.Goexit ends the worker.
func (w *workers) work(c *core) {
	defer w.tally.done()
	var wake chan *core
	for c != nil {
		c.run()
		if wake = w.park(wake); wake == nil {
			return
		}
		c = <-wake
	}
}

// park returns where the worker is to wait, or nil if it is to end. It makes
// the channel of a worker that has none.
func (w *workers) park(wake chan *core) chan *core {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed || len(w.parked) >= w.keep {
		return nil
	}
	if wake == nil {
		wake = make(chan *core, 1)
	}
	w.parked = append(w.parked, wake)
	return wake
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

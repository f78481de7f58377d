package runtime

import (
	"bytes"
	"fmt"
	"regexp"
	goruntime "runtime"
	"sync"
	"time"
)

// Wedged reports an actor whose method has been running for too long. Its
// goroutine cannot be ended from outside, so such an actor cannot be stopped,
// nor can its parents be waited for.
type Wedged struct {
	Actor string        // Go type of the actor
	Path  []ActorID     // from the root actor down to the wedged one
	For   time.Duration // at least this long
	Stack []byte        // stack of its goroutine; nil if it could not be found
}

// wedgeScan looks at all actors a few times per WedgeAfter. An actor that is in
// the same run of a method at successive scans has been in it for the time
// between them; so no message pays for reading the clock.
type wedgeScan struct {
	mu     sync.Mutex
	sys    *System
	timer  Timer
	closed bool
	seen   map[*core]sighting
	due    time.Time     // of the timer
	leap   time.Duration // of the clock, see nap
}

type sighting struct {
	begun    uint32
	since    time.Time
	reported bool
}

const scansPerWedge = 4

func (w *wedgeScan) start(s *System) {
	if s.opts.WedgeAfter < 0 || s.opts.OnWedged == nil && s.opts.OnWoken == nil {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.sys, w.leap = s, s.leap()
	w.armLocked()
}

func (w *wedgeScan) armLocked() {
	every := w.sys.opts.WedgeAfter / scansPerWedge
	w.due = w.sys.opts.Clock.Now().Add(every)
	w.timer = w.sys.opts.Clock.AfterFunc(every, w.tick)
}

func (w *wedgeScan) stop() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.closed = true
	if w.timer != nil {
		w.timer.Stop()
	}
}

func (w *wedgeScan) tick() {
	w.mu.Lock()
	if w.closed {
		w.mu.Unlock()
		return
	}
	now := w.sys.opts.Clock.Now()
	slept := w.nap(now)
	found := w.scan(now)
	w.armLocked()
	w.mu.Unlock()
	if slept >= asleep && w.sys.opts.OnWoken != nil {
		w.sys.opts.OnWoken(slept)
	}
	for _, f := range found {
		if w.sys.opts.OnWedged != nil {
			w.sys.opts.OnWedged(f)
		}
	}
}

// asleep is how late a scan is, or by how much the clock has been set ahead, when
// this process did not run. Less than a busy machine takes would have every
// connection asked at the worst moment; sockets outlive less than that.
const asleep = 30 * time.Second

// nap returns for how long this process did not run before a scan, and has no actor
// blamed for it. There are two ways to sleep: the clock by which timers run stands
// still (a suspended Linux) and the one on the wall has leapt when it goes on; or it
// runs on (a stopped process, or a system whose timers count the sleep), and every
// timer is late.
func (w *wedgeScan) nap(now time.Time) time.Duration {
	leap := w.sys.leap()
	late, ahead := now.Sub(w.due), leap-w.leap
	w.leap = leap
	if late >= asleep {
		for c, seen := range w.seen {
			seen.since = seen.since.Add(late)
			w.seen[c] = seen
		}
	}
	return max(late, ahead)
}

func (w *wedgeScan) scan(now time.Time) (found []Wedged) {
	busy := make(map[*core]sighting)
	s := w.sys
	s.liveMu.Lock()
	for c := s.live; c != nil; c = c.next {
		begun := c.begun.Load()
		if begun%2 == 0 {
			continue
		}
		was, ok := w.seen[c]
		if !ok || was.begun != begun {
			was = sighting{begun: begun, since: now}
		}
		busy[c] = was
	}
	s.liveMu.Unlock()
	w.seen = busy
	for c, seen := range busy {
		if seen.reported || now.Sub(seen.since) < s.opts.WedgeAfter {
			continue
		}
		seen.reported = true
		busy[c] = seen
		found = append(found, Wedged{Actor: c.typeName(), Path: c.path(), For: now.Sub(seen.since), Stack: c.stack()})
	}
	return found
}

// path lists the ancestors of c below the top of the tree, then c.
func (c *core) path() []ActorID {
	if c.parent == nil {
		return nil
	}
	return append(c.parent.path(), c.id)
}

// maxDump bounds the dump of all stacks in which one is looked for: 64 MiB is
// some 30,000 goroutines.
const maxDump = 64 << 20

// stack finds the goroutine that runs c by the receiver printed in its frame.
func (c *core) stack() []byte {
	var dump []byte
	for size := 1 << 20; size <= maxDump; size *= 2 {
		dump = make([]byte, size)
		if n := goruntime.Stack(dump, true); n < size {
			dump = dump[:n]
			break
		}
	}
	// Which of these frames shows its arguments depends on inlining.
	frame := regexp.MustCompile(fmt.Sprintf(`\(\*core\)\.(run|step|handle|guard|Receive)\(%p\b`, c))
	for g := range bytes.SplitSeq(dump, []byte("\n\n")) {
		if frame.Match(g) {
			return bytes.Clone(g)
		}
	}
	return nil
}

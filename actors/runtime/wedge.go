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
}

type sighting struct {
	begun    uint32
	since    time.Time
	reported bool
}

const scansPerWedge = 4

func (w *wedgeScan) start(s *System) {
	if s.opts.WedgeAfter < 0 || s.opts.OnWedged == nil {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.sys = s
	w.armLocked()
}

func (w *wedgeScan) armLocked() {
	w.timer = w.sys.opts.Clock.AfterFunc(w.sys.opts.WedgeAfter/scansPerWedge, w.tick)
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
	found := w.scan(w.sys.opts.Clock.Now())
	w.armLocked()
	w.mu.Unlock()
	for _, f := range found {
		w.sys.opts.OnWedged(f)
	}
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

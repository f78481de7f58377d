package runtime

import (
	"sync"
	"time"
)

// alarms are the timers of all actors of a system that runs by the time package:
// one heap, and one timer of the time package for the first of them. What is due
// together is woken together, by one goroutine and one wake of the process. With a
// timer of the time package for each, a thousand idle connections wake the process
// as often as all of them together have something to do, and that costs more than
// what they do.
type alarms struct {
	sys  *System   // nil: not used
	base time.Time // what at counts from

	mu    sync.Mutex // guards the following fields
	heap  []alarmAt  // a heap of four branches by at, so that siblings share a cache line
	timer *time.Timer
	set   time.Duration // for when; zero: the timer does not stand
	watch time.Duration // when the last of what was woken together must have begun; zero: nothing was
	spare []awake       // for the next time
}

// alarm is one timer of one actor, which reuses it. Its Stop is cheap, and leaves
// nothing behind.
type alarm struct {
	core  *core
	place int32 // in the heap; -1 out of it
	tick
}

type alarmAt struct {
	at time.Duration
	*alarm
}

// awake is an actor and the tick that wakes it.
type awake struct {
	*core
	tick
}

const (
	// beginWithin is how long what is woken together may take to begin with the last.
	// Then a method may be in the way that does not return.
	beginWithin = time.Second
	// keepAwake bounds the list that is kept for the next time: of a second's pings of
	// 15,000 connections.
	keepAwake = 256
)

// used reports whether the system's timers are here: under a clock of somebody
// else's, and in a simulation, an actor's timer is the clock's.
func (l *alarms) used() bool { return l.sys != nil }

// start has a tick come at a time, instead of what the alarm was set for.
func (l *alarms) start(a *alarm, t tick, at time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	a.tick = t
	if a.place < 0 {
		a.place = int32(len(l.heap))
		l.heap = append(l.heap, alarmAt{})
	}
	l.sift(a.place, alarmAt{at.Sub(l.base), a})
	l.arm()
}

// Stop implements [Timer].
func (a *alarm) Stop() bool {
	l := &a.core.sys.alarms
	l.mu.Lock()
	defer l.mu.Unlock()
	if a.place < 0 {
		return false
	}
	l.remove(a.place)
	l.arm()
	return true
}

func (l *alarms) remove(place int32) {
	last := len(l.heap) - 1
	moved := l.heap[last]
	l.heap[place].place = -1
	l.heap[last] = alarmAt{}
	l.heap = l.heap[:last]
	if int(place) < last {
		l.sift(place, moved)
	}
}

// sift puts an entry where it belongs, from the free place on.
func (l *alarms) sift(place int32, e alarmAt) {
	for place > 0 {
		above := (place - 1) / 4
		if l.heap[above].at <= e.at {
			break
		}
		l.put(place, l.heap[above])
		place = above
	}
	for {
		below := 4*place + 1
		least := below
		for k := below + 1; k < min(below+4, int32(len(l.heap))); k++ {
			if l.heap[k].at < l.heap[least].at {
				least = k
			}
		}
		if int(least) >= len(l.heap) || l.heap[least].at >= e.at {
			break
		}
		l.put(place, l.heap[least])
		place = least
	}
	l.put(place, e)
}

func (l *alarms) put(place int32, e alarmAt) {
	l.heap[place] = e
	e.place = place
}

// arm sets the timer for the first alarm.
func (l *alarms) arm() {
	at := l.watch
	if len(l.heap) > 0 && (at == 0 || l.heap[0].at < at) {
		at = max(l.heap[0].at, 1)
	}
	if at == l.set {
		return
	}
	l.set = at
	switch {
	case at == 0:
		l.timer.Stop()
	case l.timer == nil:
		l.timer = time.AfterFunc(at-time.Since(l.base), l.fire)
	default:
		l.timer.Reset(at - time.Since(l.base))
	}
}

// fire wakes whoever is due. It may run beside itself.
func (l *alarms) fire() {
	l.mu.Lock()
	due := l.spare[:0]
	l.spare, l.set, l.watch = nil, 0, 0
	now := time.Since(l.base)
	for len(l.heap) > 0 && l.heap[0].at <= now {
		a := l.heap[0].alarm
		due = append(due, awake{a.core, a.tick})
		l.remove(0)
	}
	l.mu.Unlock()

	idle := due[:0]
	for _, d := range due {
		if d.post(d.tick) {
			idle = append(idle, d)
		}
	}
	waiting := l.sys.workers.startAll(idle)

	l.mu.Lock()
	defer l.mu.Unlock()
	if waiting {
		l.watch = now + beginWithin
	}
	clear(due)
	if cap(due) <= keepAwake {
		l.spare = due
	}
	l.arm()
}

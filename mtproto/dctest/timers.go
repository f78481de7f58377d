package dctest

import (
	"container/heap"
	"time"
)

// timers is the cluster's agenda: functions by due time, first in first out among equals. An entry is never removed;
// what it runs looks whether it is still wanted.
type timers struct {
	list timerHeap
	seq  uint64
}

type timer struct {
	at  time.Time
	seq uint64
	run func(now time.Time)
}

type timerHeap []timer

func (h timerHeap) Len() int { return len(h) }
func (h timerHeap) Less(i, j int) bool {
	if !h[i].at.Equal(h[j].at) {
		return h[i].at.Before(h[j].at)
	}
	return h[i].seq < h[j].seq
}
func (h timerHeap) Swap(i, j int) { h[i], h[j] = h[j], h[i] }
func (h *timerHeap) Push(x any)   { *h = append(*h, x.(timer)) }
func (h *timerHeap) Pop() any {
	old := *h
	n := len(old) - 1
	t := old[n]
	old[n] = timer{}
	*h = old[:n]
	return t
}

func (t *timers) add(at time.Time, run func(now time.Time)) {
	t.seq++
	heap.Push(&t.list, timer{at, t.seq, run})
}

// next returns when the first entry is due; zero if there is none.
func (t *timers) next() time.Time {
	if len(t.list) == 0 {
		return time.Time{}
	}
	return t.list[0].at
}

// due takes the first entry if it is due.
func (t *timers) due(now time.Time) (func(time.Time), bool) {
	if len(t.list) == 0 || t.list[0].at.After(now) {
		return nil, false
	}
	return heap.Pop(&t.list).(timer).run, true
}

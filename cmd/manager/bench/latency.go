package bench

import (
	"sync"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// Latency is how long calls took. It holds any number of them in 170 KiB, each to
// three digits. It is safe for concurrent use.
type Latency struct {
	mu sync.Mutex
	h  *hdrhistogram.Histogram
}

// latencyMost is as long as a call can take that is told from a longer one.
const latencyMost = 10 * time.Minute

// NewLatency returns one without calls.
func NewLatency() *Latency {
	return &Latency{h: hdrhistogram.New(int64(time.Microsecond), int64(latencyMost), 3)}
}

// Record adds a call.
func (l *Latency) Record(took time.Duration) { l.add(took, 1) }

func (l *Latency) add(took time.Duration, n int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	_ = l.h.RecordValues(int64(min(max(took, 0), latencyMost)), n) // which is in its range
}

// Count is how many calls there are.
func (l *Latency) Count() int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.h.TotalCount()
}

// Quantile is how long the q of all calls took at most, 0 <= q <= 1.
func (l *Latency) Quantile(q float64) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.h.TotalCount() == 0 {
		return 0
	}
	return time.Duration(l.h.ValueAtPercentile(q * 100))
}

// A Bar is how many calls took between From and To.
type Bar struct {
	From, To time.Duration
	Count    int64
}

// Bars are those that hold calls, shortest first.
func (l *Latency) Bars() (list []Bar) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, b := range l.h.Distribution() {
		if b.Count > 0 {
			list = append(list, Bar{time.Duration(b.From), time.Duration(b.To), b.Count})
		}
	}
	return list
}

// Corrected is what callers would have met who call every so often, whether the call
// before has ended or not. A caller in a closed loop makes no call while it waits for
// one that is stuck, and leaves out the very calls that would have been slow
// (coordinated omission): for each call that took longer than the interval those are
// put in that were to be made meanwhile, each shorter by an interval than the one
// before. An open loop, which takes a call's time from when it was due, needs none of
// it. An interval of 0 corrects nothing.
func (l *Latency) Corrected(interval time.Duration) *Latency {
	out := NewLatency()
	for _, b := range l.Bars() {
		out.add(b.To, b.Count)
		for left := b.To - interval; interval > 0 && left >= interval; left -= interval {
			out.add(left, b.Count)
		}
	}
	return out
}

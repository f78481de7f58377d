package main

import (
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"strings"
)

// A fleet that grows puts what stays between what is garbage soon, and nothing moves
// it together again: by Go's default, which lets garbage grow to what lives, four
// tenths of the heap end as gaps. So garbage is collected often while what lives
// grows, and as by default when it does not: calls make garbage alone.
const (
	densePercent  = 25
	normalPercent = 100
	// denseRoom is what may always be allocated between two collections: those of a
	// small heap are not worth much, and would come all the time.
	denseRoom = 8 << 20
	// A collection that finds a fiftieth more than the last one did has found growth;
	// a sign-in leaves a fifth of what it allocates, so that a growing heap finds a
	// twentieth more each time when it is collected often.
	growthShare = 50
)

// garbagePercent is how much may be allocated until the next collection, in percent
// of what lives, after one that found live bytes where the one before found last.
func garbagePercent(live, last uint64) int {
	if live < last+last/growthShare {
		return normalPercent
	}
	return int(min(max(densePercent, denseRoom*100/max(live, 1)), normalPercent))
}

// garbagePace hears of each collection and sets the pace of the next one.
type garbagePace struct {
	last    uint64
	percent int
	sample  []metrics.Sample
}

// paceGarbage keeps the heap of this process dense, unless its owner has set a pace.
func paceGarbage(env []string) {
	for _, kv := range env {
		if strings.HasPrefix(kv, "GOGC=") {
			return
		}
	}
	p := &garbagePace{percent: normalPercent, sample: []metrics.Sample{{Name: "/gc/heap/live:bytes"}}}
	p.await()
}

// await has collected called after the next collection, which finds that nobody has
// the sentinel.
func (p *garbagePace) await() {
	sentinel := new([64]byte)
	runtime.AddCleanup(sentinel, (*garbagePace).collected, p)
}

func (p *garbagePace) collected() {
	metrics.Read(p.sample)
	live := p.sample[0].Value.Uint64()
	if percent := garbagePercent(live, p.last); percent != p.percent {
		p.percent = percent
		debug.SetGCPercent(percent) // stops the world, for some microseconds
	}
	p.last = live
	p.await()
}

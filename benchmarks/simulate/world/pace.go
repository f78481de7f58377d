package world

import (
	"time"

	"github.com/mtfleet/mtfleet/actors/governor"
)

// Limits are the budgets of a run: those of production, or, in half of the seeds,
// so small ones that ten accounts feel them.
func Limits(seed uint64) governor.Limits {
	l := governor.Limits{
		ConnectsPerDC: governor.Rate{PerSecond: 50, Burst: 10}, Connects: governor.Rate{PerSecond: 100, Burst: 20},
		KeysPerDC: governor.Rate{PerSecond: 50, Burst: 8}, Keys: governor.Rate{PerSecond: 100, Burst: 16},
	}
	if seed/32%2 == 0 {
		l.ConnectsPerDC, l.Connects = governor.Rate{PerSecond: 5, Burst: 2}, governor.Rate{PerSecond: 10, Burst: 4}
		l.KeysPerDC, l.Keys = governor.Rate{PerSecond: 5, Burst: 2}, governor.Rate{PerSecond: 10, Burst: 4}
	}
	return l
}

// bucket counts what happens in one life of the manager against a rate.
type bucket struct {
	rate   governor.Rate
	tokens float64
	at     time.Time
}

// slackTokens is by how many a bucket may be overdrawn: a permit is used some
// milliseconds after it was given, and one that was given late is used together
// with the next.
const slackTokens = 1

// take counts one more; false when there are more than the rate allows.
func (b *bucket) take(now time.Time) bool {
	most := float64(b.rate.Burst)
	if b.at.IsZero() {
		b.tokens = most
	} else {
		b.tokens = min(b.tokens+now.Sub(b.at).Seconds()*b.rate.PerSecond, most)
	}
	b.at = now
	b.tokens--
	return b.tokens >= -slackTokens
}

// paced are the budgets of one life of the manager.
type paced struct {
	limits   governor.Limits
	connects map[way]*bucket
	all      *bucket
}

// way is a DC by a route; its addresses for media count by themselves.
type way struct {
	dc    int
	by    *relay
	media bool
}

func newPaced(l governor.Limits) *paced {
	return &paced{limits: l, connects: map[way]*bucket{}, all: &bucket{rate: l.Connects}}
}

// dials counts a dial; false when there are too many.
func (p *paced) dials(now time.Time, to way) bool {
	b := p.connects[to]
	if b == nil {
		b = &bucket{rate: p.limits.ConnectsPerDC}
		p.connects[to] = b
	}
	one, all := b.take(now), p.all.take(now)
	return one && all
}

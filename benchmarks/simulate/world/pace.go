package world

import (
	"encoding/binary"
	"slices"
	"time"

	"github.com/mtfleet/mtfleet/actors/governor"
)

// Limits are the budgets of a run: those of production, or, in half of the seeds,
// so small ones that ten accounts feel them.
func Limits(seed uint64) governor.Limits {
	l := governor.Limits{
		ConnectsPerDC: governor.Rate{PerSecond: 50, Burst: 10}, Connects: governor.Rate{PerSecond: 100, Burst: 20},
		KeysPerDC: governor.Rate{PerSecond: 50, Burst: 8}, Keys: governor.Rate{PerSecond: 100, Burst: 16},
		SignInsPerDC: governor.Rate{PerSecond: 10, Burst: 5}, SignIns: governor.Rate{PerSecond: 20, Burst: 10},
	}
	if seed/32%2 == 0 {
		l.ConnectsPerDC, l.Connects = governor.Rate{PerSecond: 5, Burst: 2}, governor.Rate{PerSecond: 10, Burst: 4}
		// Fewer than connects: who makes a key connects for it more often than not.
		l.KeysPerDC, l.Keys = governor.Rate{PerSecond: 1, Burst: 1}, governor.Rate{PerSecond: 2, Burst: 2}
		l.SignInsPerDC, l.SignIns = governor.Rate{PerSecond: 0.2, Burst: 1}, governor.Rate{PerSecond: 0.2, Burst: 1}
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
	limits         governor.Limits
	connects, keys buckets
	making         []making // keys that were begun, not yet held against keys
	begun          time.Time
	signIns        int // that have shown a step, or ended, in this life
}

// buckets count one kind of thing, by each way and in all.
type buckets struct {
	each governor.Rate
	ways map[way]*bucket
	all  bucket
}

// way is a DC by a route; its addresses for media count by themselves.
type way struct {
	dc    int
	by    *relay
	media bool
}

func newPaced(l governor.Limits, now time.Time) *paced {
	return &paced{
		limits: l, begun: now,
		connects: buckets{each: l.ConnectsPerDC, ways: map[way]*bucket{}, all: bucket{rate: l.Connects}},
		keys:     buckets{each: l.KeysPerDC, ways: map[way]*bucket{}, all: bucket{rate: l.Keys}},
	}
}

// take counts one; false when there are too many.
func (b *buckets) take(now time.Time, by way) bool {
	at := b.ways[by]
	if at == nil {
		at = &bucket{rate: b.each}
		b.ways[by] = at
	}
	one, all := at.take(now), b.all.take(now)
	return one && all
}

// turn counts a sign-in that has shown its first step, or has ended: it had its
// turn before, however long ago. So there are never more of them in a life than its
// whole time allows.
func (p *paced) turn(now time.Time) bool {
	p.signIns++
	l := p.limits.SignIns
	return float64(p.signIns) <= float64(l.Burst)+now.Sub(p.begun).Seconds()*l.PerSecond
}

// making is a key that was begun.
type making struct {
	at time.Time
	by way
}

// What a key is made by. Who only asks whether a DC answers goes no farther than the
// first.
const (
	reqPQ       = 0xbe7e8ef1
	reqDHParams = 0xd712e4be
)

// sends looks at a packet that leaves: one without a key that goes on to make a new one,
// which was begun when it asked for that, and is not sent again for want of an answer.
func (n *network) sends(l *link, packet []byte) {
	const head = 8 + 8 + 4 // key id, msg_id, length
	if len(packet) < head+4+len(l.nonce) || binary.LittleEndian.Uint64(packet) != 0 {
		return
	}
	nonce := [16]byte(packet[head+4:])
	switch binary.LittleEndian.Uint32(packet[head:]) {
	case reqPQ:
		if nonce != l.nonce {
			l.nonce, l.asked = nonce, n.sim.Now()
		}
	case reqDHParams:
		if nonce == l.nonce && !l.asked.IsZero() {
			n.making = append(n.making, making{l.asked, way{l.dc, l.by, l.media}})
			l.asked = time.Time{}
		}
	}
}

// auditKeys holds the keys that were begun against the budget.
func (n *network) auditKeys() {
	slices.SortStableFunc(n.making, func(a, b making) int { return a.at.Compare(b.at) })
	for _, k := range n.making {
		if !n.keys.take(k.at, k.by) {
			n.complain("a key was made at DC %d more often than the budget allows, after %v", k.by.dc, k.at.Sub(n.rec.begun))
		}
	}
	n.making = nil
}

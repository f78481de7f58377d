package governor

import "time"

// A Rate is a token bucket: PerSecond permits in the long run, Burst at once
// after a pause.
type Rate struct {
	PerSecond float64
	Burst     int
}

// Limits are the budgets; a DC counts once for each route. Zero fields have the
// defaults named.
type Limits struct {
	// ConnectsPerDC; zero: 50 a second, 10 at once. Connects for all DCs
	// together; zero: 100 a second, 20 at once.
	ConnectsPerDC, Connects Rate
	// KeysPerDC; zero: 50 a second, 8 at once. Keys for all DCs; zero: 100 a
	// second, 16 at once.
	KeysPerDC, Keys Rate
	// KeysAtOnce is how many keys are being made at any moment; zero: 16.
	// KeysAtOncePerDC is how many of them may be of one DC; zero: half, rounded up,
	// but not less than four. So a DC whose handshakes never end leaves the others
	// their part. A key that has been in the making for 2 s waits for its DC and
	// not for this machine: it does not count among KeysAtOnce any more, and
	// still among its DC's. And a DC on which none is being made may always have
	// one. With D DCs at most KeysAtOnce + D - 1 are made that count, and D x
	// KeysAtOncePerDC in all: 20 and 40 with five. By R routes D is R times as
	// many, and those that count are what Keys gives in keySlow: 216 by default.
	KeysAtOncePerDC, KeysAtOnce int
	// SignInsPerDC; zero: 10 a second, 5 at once. SignIns for all DCs; zero:
	// 20 a second, 10 at once.
	SignInsPerDC, SignIns Rate
}

func (l Limits) withDefaults() Limits {
	rate := func(r *Rate, perSecond float64, burst int) {
		if r.PerSecond <= 0 {
			r.PerSecond = perSecond
		}
		if r.Burst <= 0 {
			r.Burst = burst
		}
	}
	rate(&l.ConnectsPerDC, 50, 10)
	rate(&l.Connects, 100, 20)
	rate(&l.KeysPerDC, 50, 8)
	rate(&l.Keys, 100, 16)
	rate(&l.SignInsPerDC, 10, 5)
	rate(&l.SignIns, 20, 10)
	if l.KeysAtOnce <= 0 {
		l.KeysAtOnce = 16
	}
	if l.KeysAtOncePerDC <= 0 {
		l.KeysAtOncePerDC = max((l.KeysAtOnce+1)/2, 4)
	}
	l.KeysAtOncePerDC = min(l.KeysAtOncePerDC, l.KeysAtOnce)
	return l
}

const (
	probeFirst = time.Second
	probeMax   = 8 * time.Second
	floodFirst = 3 * time.Second
	floodMax   = 60 * time.Second

	// floodMemory is how long after a -429 the next one continues its
	// doubling, even if connections worked in between.
	floodMemory = 2 * time.Minute

	// holdLimit is how long a permit may be kept: longer than a dial (8 s) and
	// a handshake (10 s). A holder that never says Done is wedged, and must
	// not keep others waiting.
	holdLimit = 30 * time.Second

	// connectsAtOnce dials are under way at any moment, and connectsAtOncePerDC of
	// one DC, until the first answer. At the default rates that is never reached:
	// 50 a second are 100 in connectSlow. It is where this machine has less to spare
	// than the budget allows: connections that all wait for its CPU would run into
	// their limits together, and all that was spent on them would be spent again.
	// A dial that takes longer than connectSlow waits for its DC, and counts no more;
	// and a DC with fewer than connectsAlways may always have another, so that DCs
	// which do not answer leave the others their part. With D of them, each once for
	// every route, at most connectsAtOnce + D x connectsAlways dials count.
	connectsAtOnce      = 1024
	connectsAtOncePerDC = connectsAtOnce / 2
	connectsAlways      = 16
	connectSlow         = 2 * time.Second

	// keySlow is after which time a key in the making waits for its DC: four
	// round trips to the farthest take 1.2 s, the arithmetic some 20 ms.
	keySlow = 2 * time.Second
)

// bucket is a Rate at work.
type bucket struct {
	Rate
	tokens float64
	at     time.Time
}

// newBucket makes a full bucket, or one that is empty now.
func newBucket(r Rate, full bool, now time.Time) bucket {
	b := bucket{Rate: r, at: now}
	if full {
		b.tokens = float64(r.Burst)
	}
	return b
}

func (b *bucket) fill(now time.Time) {
	if passed := now.Sub(b.at); passed > 0 { // less, if a clock was set back
		b.tokens += passed.Seconds() * b.PerSecond
	}
	b.tokens, b.at = min(b.tokens, float64(b.Burst)), now
}

// wait returns after which time there is a token; zero means now.
func (b *bucket) wait(now time.Time) time.Duration {
	b.fill(now)
	if b.tokens >= 1 {
		return 0
	}
	// Rounded up, so that the token is there when the time has come.
	return time.Duration((1-b.tokens)/b.PerSecond*float64(time.Second)) + time.Microsecond
}

func (b *bucket) take() { b.tokens-- }

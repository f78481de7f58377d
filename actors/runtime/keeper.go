package runtime

import (
	"io"
	"time"

	"github.com/cenkalti/backoff/v4"
)

// A Backoff gives growing delays: each is drawn from [0, d], where d starts at
// Initial and doubles up to Max, so that many who failed together do not come
// back together. It belongs to one actor. Until the first failure it costs its
// two fields.
type Backoff struct {
	Initial, Max time.Duration
	b            *backoff.ExponentialBackOff
}

// Next returns the next delay.
func (b *Backoff) Next(rand io.Reader) time.Duration { return Jitter(rand, b.Bound()) }

// Bound advances as Next does and returns d itself.
func (b *Backoff) Bound() time.Duration {
	if b.b == nil {
		b.b = backoff.NewExponentialBackOff(
			backoff.WithInitialInterval(b.Initial),
			backoff.WithMaxInterval(b.Max),
			backoff.WithMultiplier(2),
			backoff.WithRandomizationFactor(0),
			backoff.WithMaxElapsedTime(0),
		)
	}
	d := b.b.NextBackOff()
	if d == backoff.Stop { // cannot happen without a MaxElapsedTime; never "at once"
		return b.Max
	}
	return d
}

// Reset starts again at Initial. Call it after health that lasted, not at the
// first sign of it.
func (b *Backoff) Reset() { b.b = nil }

// A Keeper decides when a child that failed is started again, and when it has
// failed too often to be. The zero Keeper uses the defaults named at its
// fields. It belongs to one actor.
type Keeper struct {
	Initial time.Duration // bound of the first delay; zero: 1 s
	Max     time.Duration // bound of all delays; zero: 5 min
	Healthy time.Duration // a child that lived this long starts again at Initial; zero: 1 min
	Window  time.Duration // failures older than this are forgotten; zero: 10 min
	Limit   int           // this many failures in a window are too many; zero: 6

	backoff  Backoff
	started  time.Time
	failures []time.Time // at most Limit
}

func (k *Keeper) defaults() {
	def := func(d *time.Duration, v time.Duration) {
		if *d == 0 {
			*d = v
		}
	}
	def(&k.Initial, time.Second)
	def(&k.Max, 5*time.Minute)
	def(&k.Healthy, time.Minute)
	def(&k.Window, 10*time.Minute)
	if k.Limit == 0 {
		k.Limit = 6
	}
	k.backoff.Initial, k.backoff.Max = k.Initial, k.Max
}

// Started notes that the child was started.
func (k *Keeper) Started(now time.Time) { k.started = now }

// Failed notes that the child is gone after a failure. It returns after which
// delay to start it again, or tooOften when it should not be.
func (k *Keeper) Failed(now time.Time, rand io.Reader) (delay time.Duration, tooOften bool) {
	k.defaults()
	kept := k.failures[:0]
	for _, t := range k.failures {
		if now.Sub(t) < k.Window {
			kept = append(kept, t)
		}
	}
	k.failures = append(kept, now)
	if len(k.failures) >= k.Limit {
		k.failures = nil
		return 0, true
	}
	if !k.started.IsZero() && now.Sub(k.started) >= k.Healthy {
		k.backoff.Reset()
	}
	return k.backoff.Next(rand), false
}

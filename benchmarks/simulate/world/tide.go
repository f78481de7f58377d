package world

import (
	"math/rand/v2"
	"slices"
	"time"
)

// A tide spreads the work of a run over its time: what people, operators and
// faults do. A short run is one storm. A long one is paced, so that a week costs
// seconds and still has what happens close in time: a storm of some minutes once
// a day, in which everything comes as often as in a short run; by day quietSlow
// times less often; at night two thirds of the accounts are paused, and nothing
// happens but what the manager and the DCs do by themselves.
//
// The budget of a week, whatever the number of accounts: a storm of 4 minutes, 7
// of 1 to 4 and 112 quiet hours, together worth 29 minutes of storm: some 230
// gusts, and some 430 calls of each account.
type tide struct {
	begun  time.Time
	storms []span // in order, apart; nil: nothing is paced
}

// span is from a time up to another.
type span struct{ from, to time.Time }

const (
	// denseMost is the length up to which a run is one storm.
	denseMost = 3 * time.Hour
	// quietSlow is how much slower all work goes between storms.
	quietSlow = 900
	// nightFrom is when the night begins that ends a day of the run.
	nightFrom = 16 * time.Hour
	day       = 24 * time.Hour
	// stormLeast and stormMost are how long a storm lasts.
	stormLeast, stormMost = time.Minute, 4 * time.Minute
	// keyLife is about how long a temp key of a day serves, see mtproto/pfs: from
	// 21 h 38 min to 23 h. Accounts that signed in together have their first
	// rotations then.
	keyLife, keySpread = 21*time.Hour + 40*time.Minute, 80 * time.Minute
)

// newTide draws the storms of a run of that length. The first is its beginning,
// when everybody signs in. Half of the others come when rotations are due.
func newTide(r *rand.Rand, begun time.Time, length time.Duration) tide {
	t := tide{begun: begun, storms: []span{{begun, begun.Add(stormMost)}}}
	for n := time.Duration(1); n*day <= length; n++ {
		from := begun.Add((n-1)*day + time.Duration(r.Int64N(int64(day))))
		if r.IntN(2) == 0 {
			from = begun.Add(n*keyLife + time.Duration(r.Int64N(int64(keySpread))))
		}
		to := from.Add(stormLeast + time.Duration(r.Int64N(int64(stormMost-stormLeast))))
		t.storms = append(t.storms, span{from, to})
	}
	slices.SortFunc(t.storms, func(a, b span) int { return a.from.Compare(b.from) })
	for i := 1; i < len(t.storms); i++ { // apart
		if last := t.storms[i-1].to; t.storms[i].from.Before(last) {
			t.storms[i].from = last
			t.storms[i].to = last.Add(max(t.storms[i].to.Sub(last), stormLeast))
		}
	}
	return t
}

// until is how long it takes from now until work that takes d in a storm is due.
func (t tide) until(now time.Time, d time.Duration) time.Duration {
	if t.storms == nil {
		return d
	}
	at := now
	for {
		slow, end := t.pace(at)
		if slow > 0 && !at.Add(d*slow).After(end) {
			return at.Add(d * slow).Sub(now)
		}
		if slow > 0 {
			d -= end.Sub(at) / slow
		}
		at = end
	}
}

// pace is how many times slower than in a storm work goes at a time, 0 when it
// rests, and until when.
func (t tide) pace(at time.Time) (slow time.Duration, end time.Time) {
	today := t.begun.Add(at.Sub(t.begun).Truncate(day))
	slow, end = quietSlow, today.Add(nightFrom)
	if !at.Before(end) {
		slow, end = 0, today.Add(day)
	}
	for _, s := range t.storms {
		switch {
		case at.Before(s.from):
			return slow, earlier(end, s.from)
		case at.Before(s.to):
			return 1, s.to
		}
	}
	return slow, end
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

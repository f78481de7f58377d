package pfs

import "time"

// The pace of repeated attempts: "1st immediate, then 1, 2, 4 … 60 s".
const (
	paceFirst = time.Second
	paceMost  = time.Minute
	// A failure this long after the last one begins a new count, so that a
	// server that loses a key once a day always gets the immediate answer.
	paceCalm = 10 * time.Minute
	// paceExcused bounds the pause after a bind that was refused under a key which
	// has earned another try: that may go on for a day, and each try is a new key.
	// A pause is no longer than it has lasted, so a DC that errs for ten minutes is
	// asked again within twenty; a day of it costs 105 keys, not 1,440.
	paceExcused = 15 * time.Minute
	// paceUnbound bounds the pause after a key that the DC refused as unbound.
	// The DC is there and answers at once, and calls wait: 25 such keys in a row
	// cost them 0 + 1 + 2 + 4 + 8 + 20 x 16 s, less than six minutes.
	paceUnbound = 16 * time.Second
)

// pace spaces out attempts of one kind.
type pace struct {
	failures int
	last     time.Time
}

// after counts a failure and returns when to try again. The first failure
// after a calm time is answered at once when atOnce is set.
func (p *pace) after(now time.Time, atOnce bool) time.Time {
	return p.within(now, atOnce, paceMost)
}

// within is after with a bound of its own.
func (p *pace) within(now time.Time, atOnce bool, most time.Duration) time.Time {
	if p.failures > 0 && now.Sub(p.last) > paceCalm {
		p.failures = 0
	}
	n := p.failures
	if atOnce {
		n--
	}
	p.failures++
	if n < 0 {
		p.last = now
		return now
	}
	delay := min(paceFirst<<min(n, 10), most) // 1 s << 10 is past the most
	p.last = now.Add(delay)
	return p.last
}

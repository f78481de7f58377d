package pfs

import "time"

// The pace of repeated attempts: "1st immediate, then 1, 2, 4 … 60 s".
const (
	paceFirst = time.Second
	paceMost  = time.Minute
	// A failure this long after the last one begins a new count, so that a
	// server that loses a key once a day always gets the immediate answer.
	paceCalm = 10 * time.Minute
)

// pace spaces out attempts of one kind.
type pace struct {
	failures int
	last     time.Time
}

// after counts a failure and returns when to try again. The first failure
// after a calm time is answered at once when atOnce is set.
func (p *pace) after(now time.Time, atOnce bool) time.Time {
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
	delay := paceMost
	if n < 6 { // 1 s << 6 is past the most
		delay = min(paceFirst<<n, paceMost)
	}
	p.last = now.Add(delay)
	return p.last
}

package governor

import "time"

// doubtMemory is how long a -404 under a perm key speaks against its DC:
// longer than the pause between the two questions of a proof.
const doubtMemory = 15 * time.Minute

// witnesses holds the latest word of each of two accounts: those who spoke
// last, the later one first. Two are all that is ever needed: the latest word
// of anybody but one account is always among them.
type witnesses [2]witness

type witness struct {
	who uint64
	at  time.Time
}

// add takes a word down. One of nobody, or of no known time, is no use.
func (w *witnesses) add(who uint64, at time.Time) {
	switch {
	case who == 0 || at.IsZero():
	case w[0].who == who:
		w[0].at = latest(w[0].at, at)
	case !at.Before(w[0].at):
		w[0], w[1] = witness{who, at}, w[0]
	case w[1].who == who:
		w[1].at = latest(w[1].at, at)
	case !at.Before(w[1].at):
		w[1] = witness{who, at}
	}
}

// but returns the latest word of anybody but one account, zero for none.
func (w *witnesses) but(who uint64) time.Time {
	if w[0].who != who {
		return w[0].at
	}
	return w[1].at
}

func latest(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// doubtful answers [Doubt].
func (d *record) doubtful(now time.Time, who uint64, since time.Time) bool {
	unknown := d.unknown.but(who)
	if unknown.IsZero() || now.Sub(unknown) > doubtMemory {
		return false
	}
	return !d.answered.but(who).After(since)
}

package persistence

import "time"

// This file is how the nodes of a cluster find out that their store has forgotten the
// last changes of owners: one that was restored, or whose standby took over without the
// last transactions. Each change has a number and a nonce; a node remembers the highest
// that it saw, and has it looked for whenever it asks for something.

const (
	// EpochLeap is how far epochs are moved on when some may have been forgotten: more
	// than a fleet gives away in years.
	EpochLeap = 1 << 20
	// KeptChanges is how many changes a store remembers by their numbers. A node looks a
	// few times during a lease of a second to minutes, so it would have to be slept
	// through by 10,000 changes to be missed.
	KeptChanges = 10_000
)

// Change is the last change of owners, and what may not be forgotten with it: what a
// Cluster is at, or what a node has seen of it.
type Change struct {
	Seq     int64         // the number of the change
	Nonce   int64         // tells it from another one of that number
	Epoch   uint64        // the last that was given away
	Longest time.Duration // a lease that may last, with its grace
}

// Highest is what was seen in two answers.
func (c Change) Highest(o Change) Change {
	if o.Seq >= c.Seq {
		c.Seq, c.Nonce = o.Seq, o.Nonce
	}
	c.Epoch, c.Longest = max(c.Epoch, o.Epoch), max(c.Longest, o.Longest)
	return c
}

// ForgottenBy reports whether a store that is at now has forgotten c, which it showed
// before. nonce is that of its change with c's number, and c's own where it does not
// remember it.
func (c Change) ForgottenBy(now Change, nonce int64) bool {
	return now.Seq < c.Seq || now.Epoch < c.Epoch || nonce != c.Nonce
}

// Anew is what a store that has forgotten seen goes on from when all nodes have lost
// everything: no epoch of before comes again, and nothing is free for as long as the
// longest lease that may have been given lasts.
func (c Change) Anew(seen Change) Change {
	c.Seq, c.Longest = max(c.Seq, seen.Seq), max(c.Longest, seen.Longest)
	return c.Leap(seen)
}

// Leap moves the epochs on for a store that may not know the last of them.
func (c Change) Leap(seen Change) Change {
	c.Epoch = max(c.Epoch, seen.Epoch) + EpochLeap
	return c
}

// Next is the next change.
func (c Change) Next(nonce int64) Change {
	c.Seq++
	c.Nonce = nonce
	return c
}

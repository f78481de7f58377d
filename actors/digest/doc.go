// Package digest turns what happens to the accounts of a manager into the lines
// an operator reads: one for each account whose state changes, and one for all
// of them when many change at once.
//
// It is pure, as the engines below mtproto are: inputs are methods with now
// first, outputs are pulled with Next in order, Deadline says when Advance is
// wanted. One owner, no lock; the fleet actor is the owner.
//
//	d := digest.New()
//	d.Status(now, "alice", digest.Account{...})   // whenever a status is published
//	for line, ok := d.Next(); ok; line, ok = d.Next() { ... }
//	// at d.Deadline(): d.Advance(now)
//
// What an account's owner did is told at once. Any other change is held for one
// second: up to five of a kind in it are told one by one, more of them as one
// line, and then the single lines are debug. Each state is such a kind, so that
// there are at most five lines a second for each, however many accounts there
// are.
//
// The loss of a DC is one too. Up to five that last at the same time are held
// for seven seconds after the latest of them, in which most are over, and which
// is what it takes to find out whether a DC that was silent to two accounts is
// silent to all; with the sixth they are one line, a second later. So a mass is
// one line, within two seconds.
//
// That a DC answers nobody is known before that, see [Digest.Silent]: what is held
// then, and who is online there, is one line at once.
//
// A loss that was told as one line is an outage of that DC. Its end is told when
// nobody is without the DC any more, or when for a second nobody has come back;
// then with how many are still away. While many are, that is told again every
// ten seconds at most, and only when it has changed.
package digest

import "time"

const (
	// hold is how long a change waits for others of its kind.
	hold = time.Second
	// holdLoss is how long losses of a DC wait while they are few: five seconds
	// for its other connections to have no answer, one until that is known of
	// all, and one to spare.
	holdLoss = 7 * time.Second
	// holdMost bounds how long the first of them waits when others follow it.
	holdMost = 30 * time.Second
	// alone is how many changes of one kind in that time are told one by one.
	alone = 5
	// again is the least time between two lines about one outage.
	again = 10 * time.Second
	// patience is how long accounts that start may take, with none of them coming
	// online, before it is told that they are not.
	patience = 10 * time.Second
	// reasonsMost bounds the reasons that are counted to find the most frequent;
	// the words of others are not looked at.
	reasonsMost = 32
)

package standing

import (
	"cmp"
	"fmt"
	"time"
)

// One user, one account: two accounts that are one user would take each other's
// place in whatever the server counts per user, and an owner would not know
// which of them to ask. A second sign-in is undone (login does that); of two
// accounts that are in a store already (put together by hand or from a damaged
// one, or of an earlier version) one runs and the others are quarantined.

// User is who the account is or may be at the server, 0 for nobody, and whether
// it is in service as that user or can be put there. A sign-in under way is
// nobody yet. A Duplicated account is its user still, for its owner is to find
// out first who else used its keys.
func (m *Machine) User() (id int64, runs bool) { return userOf(m.state, m.back, m.userID) }

func userOf(state, back State, user int64) (id int64, runs bool) {
	if state == Quarantined {
		state = back
	}
	switch {
	case signedInStates.has(state):
		return user, user != 0
	case state == Duplicated:
		return user, false
	}
	return 0, false
}

// A Contender is an account as its records tell it, before any of a store is
// started.
type Contender struct {
	Account  string
	Created  time.Time // when it was added
	Snapshot Snapshot
}

// User is Machine.User of that account.
func (c *Contender) User() (id int64, runs bool) {
	return userOf(c.Snapshot.State, c.Snapshot.Back, c.Snapshot.UserID)
}

// Compare orders accounts of one user: the first of them runs. One in service
// comes first, so that a second one changes nothing for who uses it; then the
// one that was added first.
func (c *Contender) Compare(o *Contender) int {
	return cmp.Or(cmp.Compare(c.rank(), o.rank()), c.Created.Compare(o.Created), cmp.Compare(c.Account, o.Account))
}

func (c *Contender) rank() int {
	switch s := c.Snapshot.State; {
	case liveStates.has(s):
		return 0
	case s == Paused:
		return 1
	case s == SigningOut, s == Exported: // it will not be that user for long, or is it elsewhere
		return 2
	case s == Quarantined:
		return 3
	}
	return 4
}

const adviceSecond = "keep one: log this account out, or log the other out and then resume this one"

// second is why an account does not run beside another of its user.
func second(other string) string {
	return fmt.Sprintf("account %q is the same user and comes first: one in service before others, then the one that was added first", other)
}

// BecomeSecond takes an account out of service whose user another account is, on another
// node of a cluster: it was found out when this one was signed in.
func (m *Machine) BecomeSecond(now time.Time, other string) {
	if m.SignedIn() {
		m.Quarantine(now, fmt.Sprintf("account %q, on another node, is the same user, and this one was signed in after it", other), adviceSecond)
	}
}

// StartSecond takes the place of Start for an account whose user another account
// is, which runs. A logout under way goes on; only when it comes to nothing is
// the account quarantined.
func (m *Machine) StartSecond(now time.Time, other string) {
	if m.state == SigningOut {
		m.back = Quarantined
		m.Start(now)
		return
	}
	if m.started {
		return
	}
	m.started = true
	m.restoreWaits(now)
	why, back, known := second(other), m.backFromQuarantine(), m.state == Quarantined
	known = known && m.why == why
	m.become(now, Quarantined, why, adviceSecond, time.Time{})
	if m.back = back; !known {
		m.save(now, Changes{Account: true}, false)
	}
}

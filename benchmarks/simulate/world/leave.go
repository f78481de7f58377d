package world

import (
	"slices"
	"time"

	"github.com/mtfleet/mtfleet/mtproto/dctest/api"
)

// absence is a time in which an account was logged out on purpose.
type absence struct {
	user      int64
	from, end time.Time // end is zero while it lasts
}

// owedMost is how long an update may be on its way to an account whose DC can
// hardly be reached. What was logged so long before a logout was asked for may
// have gone with the login.
const owedMost = 15 * time.Minute

// leaves notes that an account is logged out on purpose from now on.
func (j *judge) leaves(account string, user int64, now time.Time) {
	j.leaving[account] = true
	j.Relogins = true
	j.absences = append(j.absences, absence{user: user, from: now.Add(-owedMost)})
}

// isBack notes that it is signed in again.
func (j *judge) isBack(account string, user int64, now time.Time) {
	delete(j.leaving, account)
	delete(j.waits, account) // removed with it, perhaps, or of another DC
	for i := range j.absences {
		if a := &j.absences[i]; a.user == user && a.end.IsZero() {
			a.end = now
		}
	}
}

// absent tells whether an update was logged while its user logged out.
func (j *judge) absent(u api.UpdateRecord) bool {
	return slices.ContainsFunc(j.absences, func(a absence) bool {
		return a.user == u.UserID && u.At.After(a.from) && (a.end.IsZero() || !u.At.After(a.end))
	})
}

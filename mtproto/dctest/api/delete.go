package api

import (
	"strconv"
	"time"

	"github.com/mtfleet/mtfleet/tl/tg"
)

// deleteWait is how long who does not know the password has to wait for the end of an account whose owner is there:
// a password of that age, and a session used within that time.
const deleteWait = 7 * 24 * time.Hour

// deleteAccount answers account.deleteAccount: at once for who proves the password, or where there is none; otherwise the
// owner has a week to hear of it. It needs at least the first factor: before that there is nobody to delete.
func (c *call) deleteAccount(q *tg.AccountDeleteAccountRequest) (bool, *Error) {
	u, now := c.user, c.req.Now
	if proof, ok := q.Password.Get(); ok {
		if !u.hasPassword() {
			return false, errPasswordInvalid
		}
		if err := c.prove(proof); err != nil {
			return false, err
		}
	} else if u.hasPassword() && now.Sub(u.twoStep.setAt) >= deleteWait && u.usedSince(now.Add(-deleteWait)) {
		if u.deleteAt.IsZero() {
			u.deleteAt = now.Add(deleteWait)
			_, _ = c.b.tell(now, u, "Somebody asked to delete this account. It will be deleted in a week.") // a full log hears nothing
		}
		if left := u.deleteAt.Sub(now); left > 0 {
			return false, &Error{420, "2FA_CONFIRM_WAIT_" + strconv.FormatInt(wholeSeconds(left), 10)}
		}
	}
	if err := c.b.Deactivate(now, u.id); err != nil {
		return false, errCallFail
	}
	return true, nil
}

// usedSince says whether a signed-in session of the account was used after t.
func (u *user) usedSince(t time.Time) bool {
	for _, row := range u.rows {
		if row.kind == kindHome && row.active.After(t) {
			return true
		}
	}
	return false
}

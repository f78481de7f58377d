package tgerr

import (
	"errors"
	"time"
)

// Until returns the end of the wait that err demands, and whether it demands
// one: the server's own words, which count from now, or an error with a
// WaitUntil method in its tree, which is how a wait comes back that was imposed
// earlier and is still remembered. The same query is not sent before that time.
func Until(err error, now time.Time) (time.Time, bool) {
	var remembered interface{ WaitUntil() time.Time }
	if errors.As(err, &remembered) {
		return remembered.WaitUntil(), true
	}
	e, _ := As(err)
	wait, ok := e.Wait()
	if !ok {
		return time.Time{}, false
	}
	return now.Add(wait), true
}

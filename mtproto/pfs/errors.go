package pfs

import (
	"errors"
	"fmt"
	"time"
)

// ErrGone is in the tree of OutGone's error.
var ErrGone = errors.New("the server no longer knows the perm key")

// ErrNoPFS answers a Rotate where calls go under the perm key itself.
var ErrNoPFS = errors.New("there is no temp key to rotate: its calls go under the perm key itself, for PFS is off")

// A BindWaitError answers a Rotate while the server imposes a wait on binds. The
// old key goes on serving; a rotation that is due goes on after the wait.
type BindWaitError struct {
	// Until is the end of the wait, in local time.
	Until time.Time
}

// WaitUntil returns Until; see tgerr.Until.
func (e *BindWaitError) WaitUntil() time.Time { return e.Until }

func (e *BindWaitError) Error() string {
	return "no temp key may be bound before " + e.Until.UTC().Format(time.RFC3339) + ", by order of the server: the old one serves meanwhile"
}

// A DropWaitError answers a Rotate while the server imposes a wait on the order to
// drop old temp keys, and there is one to drop: another would be one too many.
type DropWaitError struct {
	// Until is the end of the wait, in local time.
	Until time.Time
}

// WaitUntil returns Until; see tgerr.Until.
func (e *DropWaitError) WaitUntil() time.Time { return e.Until }

func (e *DropWaitError) Error() string {
	return "no temp key is made before " + e.Until.UTC().Format(time.RFC3339) + ": until then the server refuses to drop the one before it; the present one serves meanwhile"
}

// A ForeignKeyError says that a perm key was made under an RSA key that the DC
// table does not have. The login is not lost: it belongs to another
// environment, and is what it was when the settings are.
type ForeignKeyError struct {
	// Fingerprint is that of the RSA key the perm key was made under.
	Fingerprint int64
}

func (e *ForeignKeyError) Error() string {
	return fmt.Sprintf("the perm key was made in another environment, under RSA key %016x, which the DC table does not have: "+
		"check the DC table and the store; nothing was connected and nothing was deleted", uint64(e.Fingerprint))
}

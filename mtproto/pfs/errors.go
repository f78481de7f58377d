package pfs

import (
	"errors"
	"fmt"
)

// ErrGone is in the tree of OutGone's error.
var ErrGone = errors.New("the server no longer knows the perm key")

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

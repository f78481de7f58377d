package backup

import "fmt"

// DamagedError says that a backup is not as it was written, or is none.
type DamagedError struct {
	Why string // one clause
	Err error  // the cause, if there is one besides
}

func damaged(err error, why string) error { return &DamagedError{Why: why, Err: err} }

// Error says what is wrong and what to do.
func (e *DamagedError) Error() string {
	s := "persistence: the backup cannot be used: " + e.Why
	if e.Err != nil {
		s += fmt.Sprintf(" (%v)", e.Err)
	}
	return s + ": take an older one, or another copy of it"
}

// Unwrap returns the cause.
func (e *DamagedError) Unwrap() error { return e.Err }

// IdentityError says that a backup was encrypted to others than who wants to read
// it.
type IdentityError struct{ Err error }

// Error says what to do.
func (e *IdentityError) Error() string {
	return "persistence: the backup was encrypted to other recipients: give the identity of one of them"
}

// Unwrap returns what age says.
func (e *IdentityError) Unwrap() error { return e.Err }

// VersionError says that a newer program wrote the backup.
type VersionError struct {
	Format, Known int
	Program       string // the version that wrote it
}

// Error says what to do.
func (e *VersionError) Error() string {
	return fmt.Sprintf("persistence: the backup has format %d, and this program knows formats up to %d: use version %s of it or a later one", e.Format, e.Known, e.Program)
}

// KeyError says that a text is no age recipient or no file of age identities. It
// does not repeat the text.
type KeyError struct {
	What   string // which text
	Reason string
}

// Error names it.
func (e *KeyError) Error() string { return "persistence: " + e.What + ": " + e.Reason }

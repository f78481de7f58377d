package persistence

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// ErrClosed is returned by every method of a store after Close.
var ErrClosed = errors.New("persistence: the store is closed")

// StaleOwnerError says that a commit came from an owner whose claim has been
// replaced, or who never had one. Whoever gets it must stop writing, and stop
// using the keys of its accounts: somebody else does.
type StaleOwnerError struct {
	Owner   Owner // who tried
	Current Owner // who owns the store, or the account
	// Account is set where it is about one account of a Cluster, and the owner may
	// still have others.
	Account AccountID
}

// Error names both owners.
func (e *StaleOwnerError) Error() string {
	if e.Account != "" {
		return fmt.Sprintf("persistence: commit of %v refused: account %q belongs to %v", e.Owner, string(e.Account), e.Current)
	}
	return fmt.Sprintf("persistence: commit of %v refused: the store belongs to %v", e.Owner, e.Current)
}

// VersionError says that a record was written by a newer program. It is left as
// it is: reading it would lose what we do not know, and so would writing over it.
type VersionError struct {
	Key     Key
	Version uint16 // what the record has
	Known   uint16 // the newest we know, or what was to be written over it
}

// Error names the record and both versions.
func (e *VersionError) Error() string {
	return fmt.Sprintf("persistence: %v: the record has format version %d, this program knows %d: use the newer mtfleet that wrote it (the record is left as it is)",
		e.Key, e.Version, e.Known)
}

// CorruptError says that a record exists and cannot be read. It contains nothing
// of the record.
type CorruptError struct {
	Key Key
	Why string
}

// Error names the record, the reason and what to do.
func (e *CorruptError) Error() string {
	return fmt.Sprintf("persistence: %v: the record is corrupt: %s: restore the store from a backup, or remove this account and sign in again (other accounts are not affected)",
		e.Key, e.Why)
}

// InvalidError says that something cannot be stored, and why.
type InvalidError struct {
	Key    Key // zero when it is not about a record
	Reason string
}

// Error names the record, as far as it is known, and the reason.
func (e *InvalidError) Error() string {
	switch {
	case e.Key == (Key{}):
		return "persistence: " + e.Reason
	case e.Key.Kind == 0:
		return fmt.Sprintf("persistence: account id %q: %s", string(e.Key.Account), e.Reason)
	}
	return fmt.Sprintf("persistence: %v: %s", e.Key, e.Reason)
}

// TooLargeError says that a commit does not fit in one transaction, which is the
// only way to keep it all or nothing.
type TooLargeError struct {
	Items int // records and deletions
	Bytes int
}

// Error gives the sizes and the limits.
func (e *TooLargeError) Error() string {
	return fmt.Sprintf("persistence: commit of %d records and %d bytes is too large: the limits are %d records, %d bytes, and %d bytes for one record",
		e.Items, e.Bytes, MaxCommitItems, MaxCommitSize, MaxRecordSize)
}

// WriteError says that the disk failed while a commit was being written. Whether
// the commit is there will be known when the store has been opened again.
type WriteError struct{ Err error }

// Error gives the cause.
func (e *WriteError) Error() string {
	return fmt.Sprintf("persistence: write failed, the outcome of the commit is not known: %v", e.Err)
}

// Unwrap returns the cause.
func (e *WriteError) Unwrap() error { return e.Err }

// LockedError says that another process has the store open.
type LockedError struct {
	Dir string
	PID int // of the other process; 0 when it is not known
}

// Error says where the store is, who has it, and what to do.
func (e *LockedError) Error() string {
	who := "another process"
	if e.PID != 0 {
		who = fmt.Sprintf("another process (pid %d)", e.PID)
	}
	return fmt.Sprintf("persistence: the store in %s is in use by %s: stop that process, or send your command to it", e.Dir, who)
}

// MasterKeyError says that the master key cannot be had, or is not the one the
// store was sealed with. It never contains the key.
type MasterKeyError struct {
	Source string // where the key came from or should come from
	Reason string
}

// Error names the source, the reason and what to do.
func (e *MasterKeyError) Error() string {
	return fmt.Sprintf("persistence: master key from %s: %s", e.Source, e.Reason)
}

// RecordsError is everything that is wrong with several records of an account.
type RecordsError struct{ Errs []error }

// Error names each record, on one line.
func (e *RecordsError) Error() string {
	texts := make([]string, len(e.Errs))
	for i, err := range e.Errs {
		texts[i] = strings.TrimPrefix(err.Error(), "persistence: ")
	}
	return fmt.Sprintf("persistence: %d records: %s", len(texts), strings.Join(texts, "; "))
}

// Unwrap returns what is wrong with each.
func (e *RecordsError) Unwrap() []error { return e.Errs }

// JoinRecords makes one error of those of several records: nil when there are
// none, the error itself when there is one.
func JoinRecords(errs ...error) error {
	errs = slices.DeleteFunc(slices.Clone(errs), func(err error) bool { return err == nil })
	switch len(errs) {
	case 0:
		return nil
	case 1:
		return errs[0]
	}
	return &RecordsError{errs}
}

// BadKeys returns the keys of the records that an error of Load, or of Decode,
// is about.
func BadKeys(err error) []Key {
	switch e := err.(type) {
	case nil:
		return nil
	case *CorruptError:
		return []Key{e.Key}
	case *VersionError:
		return []Key{e.Key}
	case interface{ Unwrap() []error }:
		var keys []Key
		for _, one := range e.Unwrap() {
			keys = append(keys, BadKeys(one)...)
		}
		return keys
	case interface{ Unwrap() error }:
		return BadKeys(e.Unwrap())
	}
	return nil
}

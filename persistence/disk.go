package persistence

import "fmt"

// FullError says that a store took nothing because its file system has not the
// room for it. Nothing was written, so the outcome of the commit is known. It
// goes on by itself when there is room again.
type FullError struct {
	Dir string
	// Free is what there is and Needed what there must be: bytes, or files when
	// Inodes is set. Needed is no more than Free where a quota is the limit.
	Free, Needed int64
	Inodes       bool
	// Doing is what the room is needed for; empty for a commit.
	Doing string
	// Err is the system's own refusal; nil when the store refused before it had to.
	Err error
}

// Error says where, how much there is and how much is needed.
func (e *FullError) Error() string {
	doing := ""
	if e.Doing != "" {
		doing = " " + e.Doing
	}
	if e.Inodes {
		return fmt.Sprintf("persistence: the disk with %s is full%s: %d more files can be made, %d are needed: delete files there", e.Dir, doing, e.Free, e.Needed)
	}
	why := ""
	if e.Err != nil {
		why = " (" + e.Err.Error() + ")"
	}
	return fmt.Sprintf("persistence: the disk with %s is full%s: %s free, %s needed%s: make room there", e.Dir, doing, Size(e.Free), Size(e.Needed), why)
}

// Unwrap returns the system's refusal.
func (e *FullError) Unwrap() error { return e.Err }

// DiskError says that a store took nothing because its directory cannot be
// written: it is gone, read-only, or the disk fails. Nothing was written.
type DiskError struct {
	Dir   string
	Doing string // "looking at the directory"
	Err   error
}

// Error says where, and what the system said.
func (e *DiskError) Error() string {
	return fmt.Sprintf("persistence: the store in %s cannot be written: %s: %v", e.Dir, e.Doing, e.Err)
}

// Unwrap returns the system's error.
func (e *DiskError) Unwrap() error { return e.Err }

// CloseError says that a store was left as it is instead of being closed in
// order, because its disk is full or fails. What was committed is in its log, and
// the next Open reads it from there. The directory stays locked until the
// process ends.
type CloseError struct {
	Dir string
	Err error
}

// Error says why, and what is not lost.
func (e *CloseError) Error() string {
	return fmt.Sprintf("persistence: the store in %s was not closed in order; what was committed is in its log and the next start reads it there: %v", e.Dir, e.Err)
}

// Unwrap returns the reason.
func (e *CloseError) Unwrap() error { return e.Err }

// Room is what a store has for what it writes, in bytes.
type Room struct {
	Free   int64 // -1 when it is not known
	Needed int64 // below it commits are refused
}

// Prober is a Store that can tell, without writing a record, whether it would
// take one. Probe does not wait for commits under way; the error is what a
// commit would be refused with.
type Prober interface {
	Probe() (Room, error)
}

// Size returns a number of bytes as people read it: "12.5 MB".
func Size(n int64) string {
	switch {
	case n < 0:
		return "an unknown number of bytes"
	case n < 10_000:
		return fmt.Sprintf("%d bytes", n)
	case n < 10_000_000:
		return fmt.Sprintf("%.1f MB", float64(n)/1e6)
	}
	return fmt.Sprintf("%d MB", n/1_000_000)
}

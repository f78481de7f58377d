package persistence

import (
	"errors"
	"fmt"
)

// FullError says that a store took nothing because its file system has not the
// room for it. Nothing was written, so the outcome of the commit is known. It
// goes on by itself when there is room again.
type FullError struct {
	Dir string
	// Free is what there is and Needed what there must be: bytes, or files when
	// Inodes is set. Needed is no more than Free where a quota is the limit.
	Free, Needed int64
	Inodes       bool
	// Doing is what the room is needed for, as in "to merge its tables"; empty for
	// a commit.
	Doing string
	// Err is the system's own refusal; nil when the store refused before it had to.
	Err error
}

// Error says where, how much there is and how much is needed.
func (e *FullError) Error() string {
	is := "is full"
	if e.Doing != "" {
		is = "has no room " + e.Doing
	}
	if e.Inodes {
		return fmt.Sprintf("persistence: the disk with %s %s: %d more files can be made there, %d are needed: delete files there", e.Dir, is, e.Free, e.Needed)
	}
	why := ""
	if e.Err != nil {
		why = " (" + e.Err.Error() + ")"
	}
	return fmt.Sprintf("persistence: the disk with %s %s: %s free, %s needed%s: make room there", e.Dir, is, Size(e.Free), Size(e.Needed), why)
}

// Unwrap returns the system's refusal.
func (e *FullError) Unwrap() error { return e.Err }

// DiskError says that a store took or gave nothing because its directory is gone
// or read-only, or the disk fails. Nothing was written.
type DiskError struct {
	Dir   string
	Doing string // "looking at the directory"
	Err   error
}

// Error says where, and what the system said.
func (e *DiskError) Error() string {
	return fmt.Sprintf("persistence: the store in %s cannot be used: %s: %v", e.Dir, e.Doing, e.Err)
}

// Unwrap returns the system's error.
func (e *DiskError) Unwrap() error { return e.Err }

// CloseError says that a store was left as it is instead of being closed in
// order, because its disk is full or fails. What was committed is in its log, and
// the next Open reads it from there. Let the process end: until then the
// directory is locked.
type CloseError struct {
	Dir string
	Err error
}

// Error says why, and where what was committed is.
func (e *CloseError) Error() string {
	where := "what was committed is in its log, where the next start reads it"
	var disk *DiskError
	if errors.As(e.Err, &disk) {
		where = "what was committed is there only if the directory comes back as it was"
	}
	return fmt.Sprintf("persistence: the store in %s was left as it is; %s: %v", e.Dir, where, e.Err)
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

// Sizer is a Store that can tell how many bytes of disk it takes.
type Sizer interface {
	DiskUse() (int64, error)
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

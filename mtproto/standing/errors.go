package standing

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/mtfleet/mtfleet/mtproto/dc"
	"github.com/mtfleet/mtfleet/mtproto/tgerr"
)

// StateError ends a call, or refuses a wish, that an account in this state
// cannot take. Nothing was sent.
type StateError struct {
	State State
	Why   string
}

func (e *StateError) Error() string {
	if e.Why == "" {
		return fmt.Sprintf("the account is %s: nothing was sent", e.State)
	}
	return fmt.Sprintf("the account is %s (%s): nothing was sent", e.State, e.Why)
}

// NotSent reports that the server did not execute the call.
func (e *StateError) NotSent() bool { return true }

// WaitError ends a call that the server ordered to wait. Nothing more is sent
// for this method before Until, also after a restart, unless Err is a wait of
// this call's target alone.
type WaitError struct {
	Method string
	Until  time.Time // local time
	Err    error     // the server's error, nil when the wait was remembered
}

func (e *WaitError) Error() string {
	return fmt.Sprintf("the server ordered to wait with %s until %s", e.Method, e.Until.UTC().Format(time.RFC3339))
}

// Unwrap returns the server's own error.
func (e *WaitError) Unwrap() error { return e.Err }

// WaitUntil returns Until. Engines that know no standing find it by this.
func (e *WaitError) WaitUntil() time.Time { return e.Until }

// NotSent reports that the server did not execute the call.
func (e *WaitError) NotSent() bool { return true }

// RotateError says why the temp keys of an account were not replaced.
type RotateError struct{ Err error }

func (e *RotateError) Error() string { return "the temp keys were not replaced: " + e.Err.Error() }

// Unwrap returns the reason.
func (e *RotateError) Unwrap() error { return e.Err }

// NoDCError ends a call for a DC that is not in the table.
type NoDCError struct{ DC dc.ID }

func (e *NoDCError) Error() string {
	return fmt.Sprintf("there is no %v in the table: the call was not sent", e.DC)
}

// NotSent reports that the server did not execute the call.
func (e *NoDCError) NotSent() bool { return true }

// RanError ends a call that may run twice and was sent before: an earlier try
// may have run, and Err says why nothing was sent of the last one.
type RanError struct{ Err error }

func (e *RanError) Error() string { return e.Err.Error() + "; an earlier try may have run" }

// Unwrap returns what this package says; what others say may have in its tree
// that the server did not execute the call.
func (e *RanError) Unwrap() error {
	switch e.Err.(type) {
	case *StateError, *WaitError, *NoDCError:
		return e.Err
	}
	return nil
}

// NotSent reports that it is not certain.
func (e *RanError) NotSent() bool { return false }

// AfterTries is what to tell who asked: err, but never that the server did not
// execute a call of which an earlier try may have run.
func (c *Call) AfterTries(err error) error {
	if c.Ran && notSent(err) {
		return &RanError{err}
	}
	return err
}

var (
	// ErrParked is what Admit says of a call that the machine keeps until it
	// knows the time. OutSend or OutEnd follows, unless Canceled comes first.
	ErrParked = errors.New("the call waits until the time is known")

	// ErrSignedIn refuses to remove an account whose keys are still logged in.
	ErrSignedIn = errors.New("the account is signed in: log it out first, or force it (the server keeps the authorization then)")
)

// NeedsPolicy reports whether an error is more than the business of who asked:
// then Ended is to be told of it.
func NeedsPolicy(err error) bool {
	if err == nil {
		return false
	}
	e, ok := answered(err)
	if !ok {
		return givenBack(err)
	}
	switch e.Class() {
	case tgerr.ClassRetry, tgerr.ClassWait, tgerr.ClassMigrate, tgerr.ClassUnbound, tgerr.ClassRevoked,
		tgerr.ClassDeactivated, tgerr.ClassDuplicated, tgerr.ClassFrozen:
		return true
	}
	return false
}

// answered returns the server's answer to a query. An error of our own that says
// by NotSent that the query was not sent has none, also when it has the server's
// words about something else in its tree: why a guest DC cannot be used.
func answered(err error) (*tgerr.Error, bool) {
	if notSent(err) {
		return nil, false
	}
	return tgerr.As(err)
}

// givenBack reports whether a query came back from a connection that was
// replaced.
func givenBack(err error) bool {
	var e interface{ GivenBack() bool }
	return errors.As(err, &e) && e.GivenBack()
}

// notSent reports whether the server certainly did not execute a query.
func notSent(err error) bool {
	var e interface{ NotSent() bool }
	return errors.As(err, &e) && e.NotSent()
}

// serverWords is what an error says to an operator: the server's words if it
// was the server.
func serverWords(err error) string {
	if err == nil {
		return ""
	}
	e, ok := tgerr.As(err)
	if !ok {
		return err.Error()
	}
	_, words, ok := strings.Cut(e.Error(), "server answered ") // 420 FLOOD_WAIT (30)
	if !ok {
		words = e.Error()
	}
	return "the server said " + words
}

// SubjectID names a phone number or a bot token where a wait about it is
// stored: names of records are not sealed, so it is a hash with a salt of the
// store, 32 hex characters.
func SubjectID(salt []byte, s string) string {
	h := sha256.New()
	h.Write(salt)
	h.Write([]byte{0})
	h.Write([]byte(s))
	return hex.EncodeToString(h.Sum(nil)[:16])
}

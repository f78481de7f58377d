package mtproto

import (
	"errors"
	"fmt"
	"time"
)

// What the server may have done with a query that ended here. Exactly one of the two is in the tree of every error of
// OutFailed that is no *tgerr.Error.
var (
	// ErrNotSent: the server has certainly not executed the query.
	ErrNotSent = errors.New("mtproto: the server did not execute the query")
	// ErrMayHaveRun: the server may have executed the query, and its answer will not come.
	ErrMayHaveRun = errors.New("mtproto: the server may have executed the query")
)

// Why a query ended here.
var (
	// ErrCanceled: Cancel was called.
	ErrCanceled = errors.New("mtproto: canceled")
	// ErrClosed: Close was called.
	ErrClosed = errors.New("mtproto: session closed")
	// ErrQueueFull: Config.MaxInFlight and Config.MaxQueued queries are already pending.
	ErrQueueFull = errors.New("mtproto: too many queries waiting")
	// ErrDuplicateID: another pending query has the same QueryID. The other one goes on.
	ErrDuplicateID = errors.New("mtproto: query id already in use")
	// ErrBody: a query's body is no TL value: it is empty or not a multiple of 4 bytes.
	ErrBody = errors.New("mtproto: query is not a TL value")
	// ErrSessionLost: the session under which the query was sent is gone.
	ErrSessionLost = errors.New("mtproto: session lost")
	// ErrForgotten: the server cannot tell any more whether it received the query.
	ErrForgotten = errors.New("mtproto: the server forgot the query")
	// ErrDropped: the server dropped the answer of the query.
	ErrDropped = errors.New("mtproto: the server dropped the answer")
)

// Why a binding failed, when it was not the server's *tgerr.Error.
var (
	// ErrBindRefused: the server answered boolFalse.
	ErrBindRefused = errors.New("mtproto: binding refused")
	// ErrBindAttempts: the message that carried the binding was rejected three times.
	ErrBindAttempts = errors.New("mtproto: binding rejected three times before it was read")
	// ErrBindPerm: the session runs under a perm key.
	ErrBindPerm = errors.New("mtproto: a perm key cannot be bound")
	// ErrBindBusy: another binding is outstanding. That one goes on.
	ErrBindBusy = errors.New("mtproto: another binding is outstanding")
)

// QueryError is the error of a query that ended without the server's answer.
type QueryError struct {
	// Reason says what happened: ErrCanceled, ErrClosed, ErrSessionLost, a *TooLargeError, a *BadMsgError, ...
	Reason error
	// Fate is ErrNotSent or ErrMayHaveRun.
	Fate error
}

// Error joins reason and fate.
func (e *QueryError) Error() string {
	if e.Fate == ErrMayHaveRun {
		return e.Reason.Error() + "; the server may have executed the query"
	}
	return e.Reason.Error() + "; the server did not execute the query"
}

// Unwrap gives both to errors.Is and errors.As.
func (e *QueryError) Unwrap() []error { return []error{e.Reason, e.Fate} }

// NotSent reports whether the server certainly did not execute the query. By this and GivenBack engines that know
// nothing of sessions find out what became of it.
func (e *QueryError) NotSent() bool { return e.Fate == ErrNotSent }

// GivenBack reports whether the query came back from a session that was closed: another one may take it.
func (e *QueryError) GivenBack() bool { return e.Reason == ErrClosed }

// TooLargeError says that a query is larger than what the server accepts in one message. It is refused here because the
// server would close the connection, again and again.
type TooLargeError struct {
	Size, Limit int // bytes, with header and prefix
}

// Error gives both numbers.
func (e *TooLargeError) Error() string {
	return fmt.Sprintf("mtproto: query of %d bytes, the limit is %d", e.Size, e.Limit)
}

// BadMsgError says that the server rejected the form of the message that carried a query, with a code that resending
// cannot cure. It means a mistake in this package.
type BadMsgError struct {
	// Code is the error_code of bad_msg_notification
	// (https://core.telegram.org/mtproto/service_messages_about_messages#notice-of-ignored-error-message).
	Code int
}

// Error gives the code.
func (e *BadMsgError) Error() string {
	return fmt.Sprintf("mtproto: message rejected with bad_msg code %d", e.Code)
}

// ResultError says that a result could not be unpacked or read. The query was executed.
type ResultError struct {
	Err error
}

// Error gives the cause.
func (e *ResultError) Error() string { return "mtproto: unreadable result: " + e.Err.Error() }

// Unwrap gives the cause.
func (e *ResultError) Unwrap() error { return e.Err }

// PacketError says that a packet broke the rules so that the connection cannot be trusted any more.
type PacketError struct {
	// What names the rule.
	What string
	// Err is the cause, when there is one: a *crypt.DecryptError, a *tl.ParseError.
	Err error
}

// Error names the rule; it holds no byte of the packet.
func (e *PacketError) Error() string {
	if e.Err != nil {
		return "mtproto: bad packet: " + e.What + ": " + e.Err.Error()
	}
	return "mtproto: bad packet: " + e.What
}

// Unwrap gives the cause.
func (e *PacketError) Unwrap() error { return e.Err }

// TimeoutError says that the connection has fallen silent.
type TimeoutError struct {
	// What was waited for: "pong", "any packet" or "answer to the binding".
	What string
	// After is how long.
	After time.Duration
}

// Error says both.
func (e *TimeoutError) Error() string {
	return fmt.Sprintf("mtproto: no %s for %v", e.What, e.After)
}

// ResetLimitError says that the server made us begin a new session more often than is sensible, or refused all we sent.
// Reconnect with full backoff.
type ResetLimitError struct {
	// Code is the bad_msg code that asked for one reset too many, 0 when it was something else.
	Code int
	// Refused says that it was not the sessions: everything was refused.
	Refused bool
}

// Error gives the code.
func (e *ResetLimitError) Error() string {
	if e.Refused {
		return fmt.Sprintf("mtproto: the server refuses every message, the last with bad_msg code %d", e.Code)
	}
	return fmt.Sprintf("mtproto: more than %d session resets in a minute, the last for bad_msg code %d", maxResetsPerMinute, e.Code)
}

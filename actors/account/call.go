package account

import (
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/mtfleet/mtfleet/mtproto"
	"github.com/mtfleet/mtfleet/mtproto/dc"
)

// Call is one API query on its way through an account. It ends exactly once:
// with a result, the server's error (*tgerr.Error), or a local error that says
// whether the server may have executed it.
type Call struct {
	// Method is the TL name of the query, for flood waits and spans.
	Method string
	// Body is the boxed query without wrappers. Nobody changes it after Send.
	Body []byte
	// Policy says whether the query may run twice.
	Policy mtproto.Policy
	// DC is where the query must run; zero is the home DC.
	DC dc.ID
	// Done is called once, with how the call ended, from within an actor: it
	// must not wait. The account's own queries have none.
	Done func(body []byte, err error)

	id    mtproto.QueryID
	ended atomic.Bool

	// The fields below belong to the account's actor.
	then      func(body []byte, err error) // set for a query of the account's own
	anonymous bool                         // may run before the account is signed in
	retries   int                          // repeats after 5xx
	hops      int                          // DCs changed by 303
}

// lastQuery numbers calls; an id is unique within the process, so that it can
// follow a call from one DC connection to the next.
var lastQuery atomic.Uint64

// NewCall prepares a call; set its Done and send it with a Ref.
func NewCall(method string, body []byte, policy mtproto.Policy, at dc.ID) *Call {
	return &Call{
		Method: method, Body: body, Policy: policy, DC: at,
		id: mtproto.QueryID(lastQuery.Add(1)),
	}
}

// Abandon ends a call whose account is gone and did not end it.
func (c *Call) Abandon(err error) { c.finish(nil, err) }

// finish ends the call; later endings are ignored, so that a late answer and a
// stopping actor cannot both reach the caller.
func (c *Call) finish(body []byte, err error) {
	if !c.ended.CompareAndSwap(false, true) {
		return
	}
	if c.Done != nil {
		c.Done(body, err)
	}
}

// end ends a call from within the account's actor, its own ones too.
func (c *Call) end(body []byte, err error) {
	if c.then != nil {
		c.then(body, err)
		return
	}
	c.finish(body, err)
}

// StateError ends a call or a wish that an account in this state cannot take. Nothing
// was sent.
type StateError struct {
	State State
	Why   string
}

func (e *StateError) Error() string {
	if e.Why == "" {
		return fmt.Sprintf("account: is %s: nothing was sent", e.State)
	}
	return fmt.Sprintf("account: is %s (%s): nothing was sent", e.State, e.Why)
}

// WaitError ends a call that the server ordered to wait. Nothing more is sent
// for this method before Until, also after a restart.
type WaitError struct {
	Method string
	Until  time.Time
	Err    error // the server's error, nil when the wait was remembered
}

func (e *WaitError) Error() string {
	return fmt.Sprintf("account: the server asked to wait with %s until %s", e.Method, e.Until.UTC().Format(time.RFC3339))
}

// Unwrap returns the server's own error.
func (e *WaitError) Unwrap() error { return e.Err }

// BusyError ends a call that found Limit calls held for a DC that is not ready.
type BusyError struct{ Limit int }

func (e *BusyError) Error() string {
	return fmt.Sprintf("account: %d calls already wait for this DC: the call was not sent", e.Limit)
}

// ErrStopped ends calls of an account that was stopped before it sent them.
var ErrStopped = errors.New("account: stopped: the call was not sent")

// Policy says what may happen to a query when it is not known whether the
// server executed it; see mtproto.Policy.
type Policy = mtproto.Policy

// The policies of a call.
const (
	Once       = mtproto.Once
	Repeatable = mtproto.Repeatable
)

// What every local error of a call says of the server.
var (
	// ErrNotSent: the server did not execute the call.
	ErrNotSent = mtproto.ErrNotSent
	// ErrMayHaveRun: the server may have executed the call.
	ErrMayHaveRun = mtproto.ErrMayHaveRun
)

package account

import (
	"errors"
	"sync/atomic"

	"github.com/mtfleet/mtfleet/actors/binding"
	"github.com/mtfleet/mtfleet/actors/bindings"
	"github.com/mtfleet/mtfleet/actors/feed"
	"github.com/mtfleet/mtfleet/actors/runtime"
	"github.com/mtfleet/mtfleet/actors/signin"
	"github.com/mtfleet/mtfleet/mtproto/dc"
	"github.com/mtfleet/mtfleet/mtproto/standing"
	"github.com/mtfleet/mtfleet/mtproto/updates"
	"github.com/mtfleet/mtfleet/tl"
	"github.com/mtfleet/mtfleet/tl/tg"
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
	Policy Policy
	// DC is where the query must run; zero is the home DC.
	DC dc.ID
	// Media sends it by the DC's connection for media, where there is one.
	Media bool
	// Done is called once, with how the call ended, from within an actor: it
	// must not wait. The account's own queries have none.
	Done func(body []byte, err error)

	ended atomic.Bool

	// The fields below belong to the account's actor.
	proves  bool                 // a result, at home, is to be told to standing
	query   standing.Call        // what standing knows of it; its ID is the call's
	own     *ownCall             // nil for a caller's
	account runtime.Ref[Message] // where it comes back to
	era     uint64               // of the feed's when it was sent, see Met
}

// ownCall says which of the account's engines asked a query, and as what.
type ownCall struct {
	step     signin.Question
	question feed.Question
	binding  *bindings.Binding // that asked for an errand
	errand   binding.ErrandID
}

// lastQuery numbers calls; an id is unique within the process, so that it can
// follow a call from one DC connection to the next.
var lastQuery atomic.Uint64

// NewCall prepares a call; set its Done and send it with a Ref.
func NewCall(method string, body []byte, policy Policy, at dc.ID) *Call {
	return &Call{
		Method: method, Body: body, Policy: policy, DC: at,
		query: standing.Call{
			ID: standing.CallID(lastQuery.Add(1)), Method: method, DC: at, Repeatable: policy == Repeatable,
		},
	}
}

// newOwn is a query of the account's own engines, for what is in q.
func newOwn(q standing.Call, query tl.Object, own ownCall) *Call {
	policy := Once
	if q.Repeatable {
		policy = Repeatable
	}
	call := NewCall(query.TypeName(), query.Append(nil), policy, q.DC)
	q.ID, q.Method = call.query.ID, call.Method
	call.query, call.own = q, &own
	return call
}

// learns reports whether a result says something of updates, which comes by no
// push: they are handed on before the caller has it.
func (c *Call) learns(body []byte, on binding.Where) bool {
	return c.own == nil && on.Home && updates.Concerns(body)
}

// id names the call to bindings and connections.
func (c *Call) id() binding.QueryID { return binding.QueryID(c.query.ID) }

// Abandon ends a call whose account is gone and did not end it.
func (c *Call) Abandon(err error) { c.finish(nil, err) }

// finish ends the call; later endings are ignored, so that a late answer and a
// stopping actor cannot both reach the caller.
func (c *Call) finish(body []byte, err error) {
	if !c.ended.CompareAndSwap(false, true) {
		return
	}
	if c.Done != nil {
		c.Done(body, c.query.AfterTries(err))
	}
}

type (
	// StateError ends a call or a wish that an account in this state cannot
	// take. Nothing was sent.
	StateError = standing.StateError
	// WaitError ends a call that the server ordered to wait. Nothing more is
	// sent for this method before Until, also after a restart.
	WaitError = standing.WaitError
	// RanError ends a call that was sent before, when nothing was sent of its
	// last try.
	RanError = standing.RanError
	// BusyError ends a call that found too many held for a DC that is not ready.
	BusyError = binding.BusyError
	// Policy says what may happen to a query when it is not known whether the
	// server executed it; see mtproto.Policy.
	Policy = binding.Policy
)

// The policies of a call.
const (
	Once       = binding.Once
	Repeatable = binding.Repeatable
)

// PolicyOf is the policy of a query, which calls a method, for which none was
// chosen: Repeatable for the API's methods that only read, and for a query of
// another schema that says so by a method Repeatable() bool.
func PolicyOf(method string, query tl.Object) Policy {
	repeatable := tg.Repeatable(method)
	if own, ok := query.(interface{ Repeatable() bool }); ok {
		repeatable = own.Repeatable()
	}
	if repeatable {
		return Repeatable
	}
	return Once
}

var (
	// ErrNotSent and ErrMayHaveRun: what every local error of a call says of the
	// server.
	ErrNotSent    = binding.ErrNotSent
	ErrMayHaveRun = binding.ErrMayHaveRun

	// ErrStopped ends calls and wishes of an account that was stopped before it
	// did anything for them.
	ErrStopped error = &binding.QueryError{Reason: errors.New("the account was stopped"), Fate: ErrNotSent}
	// ErrUnheard is ErrStopped of what the account's actor never began with.
	ErrUnheard error = &unheardError{ErrStopped}
	// ErrSignedIn refuses to remove an account whose keys are still logged in.
	ErrSignedIn = standing.ErrSignedIn
	// errLeft ends a call whose caller did not wait for it.
	errLeft error = &binding.QueryError{Reason: errors.New("the caller did not wait"), Fate: ErrMayHaveRun}
)

type unheardError struct{ error }

func (e *unheardError) Unwrap() error { return e.error }

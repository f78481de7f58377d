package dcconn

import "github.com/mtfleet/mtfleet/mtproto"

// What an owner of connections needs of a session, under names of this
// package, so that it need not know package mtproto.
type (
	// QueryID names a call; see mtproto.QueryID.
	QueryID = mtproto.QueryID
	// Policy says whether a call may run twice; see mtproto.Policy.
	Policy = mtproto.Policy
	// SessionConfig is what a session begins with; see mtproto.Config.
	SessionConfig = mtproto.Config
	// Snapshot is what is worth keeping of a session; see mtproto.Snapshot.
	Snapshot = mtproto.Snapshot
	// Salt is a server salt; see mtproto.Salt.
	Salt = mtproto.Salt
	// QueryError ends a call without the server's answer; see mtproto.QueryError.
	QueryError = mtproto.QueryError
)

// The policies of a call.
const (
	Once       = mtproto.Once
	Repeatable = mtproto.Repeatable
)

// What an error that is not the server's says of a call, and why it ended.
var (
	ErrNotSent    = mtproto.ErrNotSent
	ErrMayHaveRun = mtproto.ErrMayHaveRun
	ErrClosed     = mtproto.ErrClosed
	ErrCanceled   = mtproto.ErrCanceled
)

package mtproto

import "time"

// OutputKind says what an Output asks of the owner.
type OutputKind uint8

const (
	// OutPacket: send Packet, an encrypted packet, on the current connection. It needs framing only.
	OutPacket OutputKind = iota + 1

	// OutResult: Query is answered. Body is the boxed result, unpacked; it may be of a constructor nobody knows.
	OutResult

	// OutFailed: Query has ended without a result. Err is a *tgerr.Error when the server answered; otherwise errors.Is
	// finds either ErrNotSent or ErrMayHaveRun in it, and the reason beside it.
	OutFailed

	// OutUpdates: the server sent something that is no answer and no service message. Body is one boxed value, unpacked,
	// most often of type Updates; its constructor may be unknown.
	OutUpdates

	// OutGap: updates may have been missed (the server began a new session, or a message came too late to be told from a
	// repetition). If this session receives updates, run updates.getDifference.
	OutGap

	// OutSave: what Snapshot returns has changed enough to be worth storing. Nothing is lost if it is not stored but a
	// round trip after the next start. At most one is pending at a time, and it comes after everything else.
	OutSave

	// OutBound: the DC has bound the temp key. Queries flow from now on.
	OutBound

	// OutBindFailed: the binding has failed and is not tried again unless Bind is called; queries go on waiting. Err is the
	// server's *tgerr.Error, ErrBindRefused or ErrBindAttempts; or Bind should not have been called: ErrBindPerm,
	// ErrBindBusy, ErrClosed.
	OutBindFailed

	// OutReconnect: this connection is of no use any more: close it, call Disconnected, dial again. The session and its
	// queries stay. Err says why: *TimeoutError, *PacketError or *ResetLimitError (the last deserves full backoff). After
	// it the Session ignores packets and sends nothing until Disconnected and Connected.
	OutReconnect

	// OutClock: the first valid packet of this connection has come, so that the DC is known to answer under the auth key,
	// or the server's time has moved enough to be worth saving, or at all and the packet brings an order to wait. Offset is
	// server time minus the owner's. It comes before whatever else the packet brought.
	OutClock

	// OutPong: the ping that Ping asked for is answered, if only by a rejection.
	OutPong
)

var outputNames = [...]string{
	OutPacket: "packet", OutResult: "result", OutFailed: "failed", OutUpdates: "updates", OutGap: "gap", OutSave: "save",
	OutBound: "bound", OutBindFailed: "bind failed", OutReconnect: "reconnect",
	OutClock: "clock", OutPong: "pong",
}

// String names the kind.
func (k OutputKind) String() string {
	if int(k) < len(outputNames) && outputNames[k] != "" {
		return outputNames[k]
	}
	return "unknown output"
}

// Output is one thing the world should do. Which fields are set depends on Kind. Its bytes are valid until the next input;
// Body may alias the packet last given to Receive.
type Output struct {
	Kind   OutputKind
	Packet []byte        // OutPacket
	Query  QueryID       // OutResult, OutFailed
	Body   []byte        // OutResult, OutUpdates
	Err    error         // OutFailed, OutBindFailed, OutReconnect
	Offset time.Duration // OutClock
}

// Snapshot is what is worth keeping of a Session: for the next Session under the same key, in this process or another.
type Snapshot struct {
	// SessionID is the current session id. It is not meant to be used again; it is there for logs and tests.
	SessionID int64
	// Salts go into Config.Salts of the next Session under the same key, and of no other.
	Salts []Salt
	// TimeOffset is server time minus local time, and OffsetKnown whether it has been measured.
	TimeOffset  time.Duration
	OffsetKnown bool
	// HeaderConfirmed says that the server knows Config.Header under this key.
	HeaderConfirmed bool
}

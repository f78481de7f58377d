package dctest

import (
	"fmt"
	"time"
)

// FaultKind names what goes wrong.
type FaultKind string

// The faults. Each line says which fields of Fault it reads besides DC, Perm and Conn, which narrow where it applies.
const (
	// FaultDrop loses packets. Direction, Count, Every, For.
	FaultDrop FaultKind = "drop"
	// FaultDelay holds packets for Delay, keeping their order. Direction, Count, For.
	FaultDelay FaultKind = "delay"
	// FaultStall holds every packet of a connection until For has passed. Direction.
	FaultStall FaultKind = "stall"
	// FaultPause stops reading from connections for For: their writes back up.
	FaultPause FaultKind = "pause"
	// FaultCut sends the first Bytes bytes of an outgoing frame and closes the connection. Count.
	FaultCut FaultKind = "cut"
	// FaultDuplicate delivers packets twice. Direction, Count, Every, For.
	FaultDuplicate FaultKind = "duplicate"
	// FaultReorder delivers a packet after the next one (or after a second, if there is none). Direction, Count, Every, For.
	FaultReorder FaultKind = "reorder"
	// FaultCloseConns closes connections now.
	FaultCloseConns FaultKind = "close_conns"
	// FaultRefuse closes new connections at once. Count, For.
	FaultRefuse FaultKind = "refuse"
	// FaultTransport answers the next Count packets with the transport error Code and closes.
	FaultTransport FaultKind = "transport_error"
	// FaultTransportConn answers the first packet of the next Count connections with the transport error Code.
	FaultTransportConn FaultKind = "transport_error_conn"

	// FaultForgetTemp forgets temp keys (of Perm, or all).
	FaultForgetTemp FaultKind = "forget_temp_keys"
	// FaultForgetPerm forgets the perm key Perm, its temp keys and its authorization.
	FaultForgetPerm FaultKind = "forget_perm_key"
	// FaultForgetSessions forgets sessions but keeps keys.
	FaultForgetSessions FaultKind = "forget_sessions"
	// FaultNewSalts replaces salts; the old ones are refused at once.
	FaultNewSalts FaultKind = "new_salts"
	// FaultSkew sets the DC's clock ahead by Delay (behind, if negative). A zero Delay sets it right.
	FaultSkew FaultKind = "clock_skew"
	// FaultRestart closes all connections and forgets sessions and, unless KeepTempKeys, temp keys.
	FaultRestart FaultKind = "restart"

	// FaultRPC answers the next Count queries of Method ("" for any) with rpc_error Code Text. With Wait the text is
	// FLOOD_WAIT_n, the code 420, and the same account is refused until it has passed, each time with what remains.
	FaultRPC FaultKind = "rpc_error"
	// FaultBindInvalid answers the next Count binds with ENCRYPTED_MESSAGE_INVALID.
	FaultBindInvalid FaultKind = "bind_invalid"
	// FaultBindSalt answers the next Count binds with bad_server_salt and a new salt.
	FaultBindSalt FaultKind = "bind_bad_salt"
	// FaultBadMsg answers the next Count packets with bad_msg_notification Code.
	FaultBadMsg FaultKind = "bad_msg"
	// FaultDHRetry answers the next Count key creations with dh_gen_retry.
	FaultDHRetry FaultKind = "dh_gen_retry"
	// FaultNoReply executes the next Count queries of Method ("" for any) but loses the answers for good; the answer
	// is not remembered either.
	FaultNoReply FaultKind = "no_reply"
	// FaultSlow holds the answers of the next Count queries of Method ("" for any) for Delay.
	FaultSlow FaultKind = "slow_answer"

	// FaultPushLost loses what the DC pushes of its own initiative: updates that only a difference brings. Count, Every, For.
	FaultPushLost FaultKind = "push_lost"
	// FaultPushTwice pushes twice, as two messages. Count, Every, For.
	FaultPushTwice FaultKind = "push_twice"
	// FaultPushReorder pushes after the next push to the same session (or after a second, if there is none). Count, Every,
	// For.
	FaultPushReorder FaultKind = "push_reorder"
)

// Direction narrows a packet fault.
type Direction string

// The directions, as the server sees them. The empty one is both.
const (
	In  Direction = "in"  // from clients
	Out Direction = "out" // to clients
)

// Duration is a time.Duration that JSON writes as "1.5s".
type Duration time.Duration

// MarshalText implements encoding.TextMarshaler.
func (d Duration) MarshalText() ([]byte, error) { return []byte(time.Duration(d).String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (d *Duration) UnmarshalText(b []byte) error {
	v, err := time.ParseDuration(string(b))
	if err != nil {
		return fmt.Errorf("dctest: duration: %w", err)
	}
	*d = Duration(v)
	return nil
}

// Fault is one thing that goes wrong, as data. Fields that a kind does not read are ignored.
type Fault struct {
	Kind FaultKind `json:"kind"`

	// Where: zero values mean everywhere.
	DC   int    `json:"dc,omitempty"`
	Perm int64  `json:"perm,string,omitempty"` // connections, queries and keys of this perm key (or its temp keys)
	Conn ConnID `json:"conn,omitempty"`

	// How often: the fault ends after Count hits or when For has passed, whichever is first. With both zero a packet
	// fault lasts until ClearFaults and a counted fault happens once.
	Count int      `json:"count,omitempty"`
	For   Duration `json:"for,omitempty"`
	Every int      `json:"every,omitempty"` // hit every n-th candidate only; 0 and 1 mean each

	Direction    Direction `json:"direction,omitempty"`
	Delay        Duration  `json:"delay,omitempty"`
	Bytes        int       `json:"bytes,omitempty"`
	Code         int       `json:"code,omitempty"`
	Text         string    `json:"text,omitempty"`
	Method       string    `json:"method,omitempty"`
	Wait         Duration  `json:"wait,omitempty"`
	KeepTempKeys bool      `json:"keep_temp_keys,omitempty"`
	Media        bool      `json:"media,omitempty"` // of FaultForgetTemp: only those made for media
}

// A FaultError says why a Fault was refused.
type FaultError struct {
	Kind   FaultKind
	Reason string
}

// Error implements error.
func (e *FaultError) Error() string {
	return fmt.Sprintf("dctest: fault %q: %s", string(e.Kind), e.Reason)
}

// Package echo is the client side of testdc.echo, the one call of the test cluster that the real API does not have.
//
// The schema is echo.tl; the codec is written by hand, because it is two short lines and never changes. A request is
// a tl.Query like the generated ones, so it goes through every layer a real call goes through. It may be repeated:
// the cluster's ledger counts how often each id ran.
package echo

import (
	"time"

	"github.com/mtfleet/mtfleet/tl"
)

// Constructor ids of echo.tl.
const (
	EchoedID  uint32 = 0x3db98ff9
	RequestID uint32 = 0x6d610a18
)

// MaxDelay is the longest DelayMs the cluster honours; more is cut to it.
const MaxDelay = 60 * time.Second

// Echoed is testdc.echoed: what testdc.echo answers.
type Echoed struct {
	ID      int64  // as in the request
	UserID  int64  // the user the perm key is authorized for; 0 if none
	DC      int32  // the DC that answered
	Payload []byte // as in the request
}

// EchoRequest is testdc.echo.
type EchoRequest struct {
	ID      int64  // chosen by the caller; the ledger counts executions per id
	DelayMs int32  // how long the cluster holds the answer back, in milliseconds
	Payload []byte // returned as is
}

var (
	_ tl.Object         = (*Echoed)(nil)
	_ tl.Query[*Echoed] = (*EchoRequest)(nil)
)

// TypeID implements tl.Object.
func (*Echoed) TypeID() uint32 { return EchoedID }

// TypeName implements tl.Object.
func (*Echoed) TypeName() string { return "testdc.echoed" }

// Append implements tl.Object.
func (e *Echoed) Append(b []byte) []byte {
	b = tl.AppendUint32(b, EchoedID)
	b = tl.AppendInt64(b, e.ID)
	b = tl.AppendInt64(b, e.UserID)
	b = tl.AppendInt32(b, e.DC)
	return tl.AppendBytes(b, e.Payload)
}

// Parse implements tl.Object.
func (e *Echoed) Parse(r *tl.Reader) {
	*e = Echoed{}
	if !r.Expect(EchoedID, "testdc.echoed") {
		return
	}
	e.ID = r.Int64()
	e.UserID = r.Int64()
	e.DC = r.Int32()
	e.Payload = r.Bytes()
}

// TypeID implements tl.Object.
func (*EchoRequest) TypeID() uint32 { return RequestID }

// TypeName implements tl.Object.
func (*EchoRequest) TypeName() string { return "testdc.echo" }

// Append implements tl.Object.
func (q *EchoRequest) Append(b []byte) []byte {
	b = tl.AppendUint32(b, RequestID)
	b = tl.AppendInt64(b, q.ID)
	b = tl.AppendInt32(b, q.DelayMs)
	return tl.AppendBytes(b, q.Payload)
}

// Parse implements tl.Object.
func (q *EchoRequest) Parse(r *tl.Reader) {
	*q = EchoRequest{}
	if !r.Expect(RequestID, "testdc.echo") {
		return
	}
	q.ID = r.Int64()
	q.DelayMs = r.Int32()
	q.Payload = r.Bytes()
}

// Repeatable says that a client may send an echo again when its answer is lost: it changes nothing but the ledger.
func (*EchoRequest) Repeatable() bool { return true }

// ParseResult implements tl.Query.
func (*EchoRequest) ParseResult(r *tl.Reader) *Echoed {
	e := new(Echoed)
	e.Parse(r)
	return e
}

// AppendResult implements tl.Query.
func (*EchoRequest) AppendResult(b []byte, result *Echoed) []byte { return result.Append(b) }

// Delay returns how long the cluster holds the answer back.
func (q *EchoRequest) Delay() time.Duration {
	d := time.Duration(q.DelayMs) * time.Millisecond
	return min(max(d, 0), MaxDelay)
}

package wire

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"

	"github.com/mtfleet/mtfleet/mtproto/dc"
)

// ErrClosed is the reason of a connection that was closed by [Conn.Close].
var ErrClosed = errors.New("wire: connection closed")

// ErrNoTarget is the error of a dial when the DC has no address.
var ErrNoTarget error = noTarget{}

type noTarget struct{}

func (noTarget) Error() string { return "wire: no address for this DC" }

// BlamesNobody says that the DC was not asked.
func (noTarget) BlamesNobody() {}

// CodeError is an error code sent by the server in place of a packet. The
// connection is closed.
type CodeError struct{ Code int32 }

// The codes with a reaction of their own
// (https://core.telegram.org/mtproto/mtproto-transports#transport-errors).
const (
	CodeKeyUnknown = -404 // auth key unknown, or a handshake message refused
	CodeFlood      = -429 // too many connections
	CodeInvalidDC  = -444 // the address does not serve the DC named
)

// Error gives the code and its meaning.
func (e *CodeError) Error() string {
	switch e.Code {
	case CodeKeyUnknown:
		return "wire: the server answered -404 (auth key unknown)"
	case CodeFlood:
		return "wire: the server answered -429 (too many connections)"
	case CodeInvalidDC:
		return "wire: the server answered -444 (this address does not serve the DC)"
	}
	return fmt.Sprintf("wire: the server answered %d", e.Code)
}

// TransportCode returns the code.
func (e *CodeError) TransportCode() int32 { return e.Code }

// QueueError says that the server reads more slowly than we write.
type QueueError struct{ Queued, Limit int } // bytes

// Error gives both numbers.
func (e *QueueError) Error() string {
	return fmt.Sprintf("wire: %d bytes queued for writing, the limit is %d", e.Queued, e.Limit)
}

// FencedError says that this process may not use sockets now; Err is what the
// fence answered.
type FencedError struct{ Err error }

// Error gives the reason.
func (e *FencedError) Error() string { return "wire: silenced: " + e.Err.Error() }

// Unwrap returns the reason.
func (e *FencedError) Unwrap() error { return e.Err }

// BlamesNobody says that the DC was not asked.
func (e *FencedError) BlamesNobody() {}

// DialPanicError says that the dialer, the fence or the source of randomness
// panicked during a dial; Value is the type of what it panicked with.
type DialPanicError struct{ Value string }

// Error names the type.
func (e *DialPanicError) Error() string { return "wire: the dialer panicked with a " + e.Value }

// NotLoopbackError refuses an address outside this machine.
type NotLoopbackError struct {
	Addr netip.AddrPort
	URL  string // of a WebSocket, in place of Addr
}

// Error gives the address and what to do.
func (e *NotLoopbackError) Error() string {
	if e.URL != "" {
		return "wire: " + e.URL + " does not name a loopback address: load and tests are for this machine only"
	}
	return fmt.Sprintf("wire: %v is not a loopback address: load and tests are for this machine only", e.Addr)
}

// BlamesNobody says that the DC was not asked.
func (e *NotLoopbackError) BlamesNobody() {}

// DialError lists why each address of a DC could not be reached.
type DialError struct {
	Attempts []Attempt
	missed   dc.Families
}

// Missed returns the families of the addresses that failed. Those that there is no
// way to from this machine, and what the caller gave up, are not among them.
func (e *DialError) Missed() dc.Families { return e.missed }

// An Attempt is one address that could not be reached.
type Attempt struct {
	Addr netip.AddrPort
	URL  string // of a WebSocket, which has no Addr
	Err  error
}

// Error lists the addresses with their errors.
func (e *DialError) Error() string {
	parts := make([]string, len(e.Attempts))
	for i, a := range e.Attempts {
		parts[i] = a.Err.Error()
		where := a.URL
		if a.Addr.IsValid() {
			where = a.Addr.String()
		}
		if !strings.Contains(parts[i], where) {
			parts[i] = where + ": " + parts[i]
		}
	}
	return "wire: no address answers: " + strings.Join(parts, "; ")
}

// Unwrap returns the errors of all addresses.
func (e *DialError) Unwrap() []error {
	errs := make([]error, len(e.Attempts))
	for i, a := range e.Attempts {
		errs[i] = a.Err
	}
	return errs
}

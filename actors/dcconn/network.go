package dcconn

import (
	"context"
	"errors"

	"github.com/mtfleet/mtfleet/mtproto/dc"
	"github.com/mtfleet/mtfleet/mtproto/proxy"
)

// Network makes sockets. actors/wire is one, over TCP; a simulation is
// another. It is safe for concurrent use.
//
// One that also has Media(dc.ID) bool tells whether it reaches addresses for media
// alone, where the table of DCs has them: a network with addresses of its own may not.
type Network interface {
	// Dial begins to connect to the first of the targets that answers and
	// returns at once. dcWire is the DC's number in an obfuscated header
	// (dc.Wire). With via nothing is sent but through that proxy. done is called exactly once, never from within Dial, from any
	// goroutine, with a socket or an error; it does not wait. cancel gives the
	// attempt up (done is still called); it may be called at any time.
	Dial(targets []dc.Target, dcWire int, via *proxy.Via, done func(Socket, error)) (cancel func())
}

// Socket carries packets. Its methods are safe for concurrent use and do not
// block.
//
// It and Handler are names for unnamed types, so that a network need not
// import this package to make one. One that also has Dialed() dc.Target tells
// which of the addresses answered, which is then tried first; one that has Missed()
// dc.Families, and an error of a dial that has it, which families did not.
//
// A Handler of this package's also has Serve(p []byte): Packet for a goroutine that
// serves this socket alone and holds no lock. The connection's actor may run on it.
type Socket = interface {
	// Start begins to deliver; call it once. Before it, Send already works.
	Start(Handler)
	// Send queues a packet for writing; its bytes are the caller's again when it
	// returns. It takes a packet whatever Room says, up to a bound at which the
	// socket ends. An error says that the socket has ended.
	Send(packet []byte) error
	// Room is how many bytes the socket takes now without a queue of its own
	// growing past its limit. It is largest when the queue is empty, and below
	// zero when a large packet was sent past it.
	Room() int
	// Release gives back the credit of a delivered packet of n bytes.
	Release(n int)
	// Close ends the socket; Closed follows. It may be called again.
	Close()
}

// Handler is what a socket delivers to. Its methods must not wait.
type Handler = interface {
	// Packet receives one packet and owns its bytes. Packets come one at a time,
	// in order. Release must follow, then or later.
	Packet(p []byte)
	// Writable says that Room has grown since it was last seen smaller than its
	// largest. It may come at the same time as the others, and late.
	Writable()
	// Closed is called once, whatever ended the socket, and no packet after it.
	// For what its error may say beyond words see [CodeOf] and [Blameless].
	Closed(err error)
}

// The transport error codes with a reaction of their own
// (https://core.telegram.org/mtproto/mtproto-transports#transport-errors).
const (
	CodeKeyUnknown = -404 // auth key unknown, or a handshake message refused
	CodeFlood      = -429 // too many connections
	CodeInvalidDC  = -444 // the address does not serve the DC named
)

// Coded is an error that stands for a code the server sent in place of a
// packet.
type Coded interface {
	error
	TransportCode() int32
}

// Blameless is an error of a dial or a socket that says nothing about the DC:
// it was never asked. BlamesNobody is there to tell such types from others.
type Blameless interface {
	error
	BlamesNobody()
}

// CodeOf returns the transport error code in an error, 0 when it is none.
func CodeOf(err error) int32 {
	if coded := Coded(nil); errors.As(err, &coded) {
		return coded.TransportCode()
	}
	return 0
}

// ours reports whether an error says nothing about the DC.
func ours(err error) bool {
	var blameless Blameless
	return errors.As(err, &blameless) || errors.Is(err, context.Canceled)
}

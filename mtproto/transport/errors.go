package transport

import (
	"errors"
	"fmt"
)

// The causes a [FrameError] wraps. All of them mean that the stream cannot be
// read any further: the connection has to be closed.
var (
	// ErrTooLong is a frame longer than MaxPacket.
	ErrTooLong = errors.New("frame is too long")
	// ErrLength is a frame length that this framing does not allow: zero, too
	// short for its own header, or not a multiple of four.
	ErrLength = errors.New("frame length is not allowed")
	// ErrSequence is a frame of the full transport that is not the next one.
	ErrSequence = errors.New("frame is out of sequence")
	// ErrChecksum is a frame of the full transport whose CRC32 is wrong.
	ErrChecksum = errors.New("frame checksum is wrong")
	// ErrPreamble is a client's opening that names no framing we speak: an
	// HTTP request, a TLS hello, or an obfuscated header with an unknown tag
	// (which is also what a wrong secret looks like).
	ErrPreamble = errors.New("opening bytes name no known transport")
)

// ErrUndetected is returned by Encode on the server's side before the client's
// first packet has been read: until then the framing is not known.
var ErrUndetected = errors.New("transport: the client has not chosen a transport yet")

// FrameError says that the peer's bytes do not follow the framing. Err is one
// of the causes above.
type FrameError struct {
	Kind   Kind  // the framing in use, 0 when it is not known yet
	Length int64 // the length the frame claimed, when the cause is about it
	Err    error
}

// Error names the framing, the cause and, where there is one, the length.
func (e *FrameError) Error() string {
	kind := e.Kind.String()
	switch e.Err {
	case ErrTooLong:
		return fmt.Sprintf("transport: %s: frame is too long: %d bytes, the limit is %d", kind, e.Length, MaxPacket)
	case ErrLength:
		return fmt.Sprintf("transport: %s: frame length is not allowed: %d", kind, e.Length)
	case ErrPreamble:
		return "transport: " + e.Err.Error()
	}
	return fmt.Sprintf("transport: %s: %v", kind, e.Err)
}

// Unwrap returns the cause.
func (e *FrameError) Unwrap() error { return e.Err }

// PacketError says that a packet given to Encode cannot be framed: it is empty,
// longer than MaxPacket, or not a multiple of four bytes. Nothing was encoded.
type PacketError struct {
	Kind   Kind
	Length int
}

// Error names the framing and the length.
func (e *PacketError) Error() string {
	return fmt.Sprintf("transport: %v cannot frame a packet of %d bytes: it must be a multiple of 4 between 4 and %d", e.Kind, e.Length, MaxPacket)
}

// ConfigError says which part of a Config does not fit.
type ConfigError struct{ Reason string }

// Error gives the reason.
func (e *ConfigError) Error() string { return "transport: " + e.Reason }

// SecretError says why an MTProxy secret cannot be used. It never contains the
// secret.
type SecretError struct{ Reason string }

// Error gives the reason.
func (e *SecretError) Error() string { return "transport: MTProxy secret: " + e.Reason }

package dctest

// ConnID names one transport connection; the caller chooses it and never uses it twice.
type ConnID uint64

// OutputKind says what an Output asks for.
type OutputKind uint8

// The kinds of output.
const (
	// OutPacket sends Packet on Conn. With Cut >= 0 only the first Cut bytes of its frame are sent, then Conn closes.
	OutPacket OutputKind = iota + 1
	// OutError sends the transport error Code (negative, or 0) on Conn. A close follows as its own output.
	OutError
	// OutQuickAck sends the quick-ack token Code on Conn, as its transport frames it.
	OutQuickAck
	// OutClose closes Conn after what was sent before. The caller still reports Closed.
	OutClose
	// OutWork runs Work.Do anywhere, off the owner's goroutine, and brings the answer back with Done.
	OutWork
	// OutPause stops reading from Conn (its peer's writes back up) until OutResume.
	OutPause
	// OutResume reads from Conn again.
	OutResume
)

// String returns the kind's name.
func (k OutputKind) String() string {
	switch k {
	case OutPacket:
		return "packet"
	case OutError:
		return "error"
	case OutQuickAck:
		return "quick-ack"
	case OutClose:
		return "close"
	case OutWork:
		return "work"
	case OutPause:
		return "pause"
	case OutResume:
		return "resume"
	}
	return "unknown"
}

// Output is one thing the world should do. Which fields are set depends on Kind.
type Output struct {
	Kind   OutputKind
	Conn   ConnID
	Packet []byte // OutPacket; the caller owns it
	Cut    int    // OutPacket; bytes of the frame to send before closing, -1 for all
	Code   int32  // OutError, OutQuickAck
	Work   Work   // OutWork
}

// Work is heavy arithmetic (modular exponentiation). Do is safe to call from any goroutine, once.
type Work struct {
	ID uint64
	Do func() WorkResult
}

// WorkResult is what Do returned, for Done.
type WorkResult struct {
	id    uint64
	value any
}

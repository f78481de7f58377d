package tl

import (
	"encoding/binary"
	"fmt"
	"log/slog"
)

// Raw is the exact bytes of one boxed value, id first.
type Raw []byte

// ID is the constructor id, or 0 if there is none.
func (r Raw) ID() uint32 {
	if len(r) < 4 {
		return 0
	}
	return binary.LittleEndian.Uint32(r)
}

// String says what the value is and how long, and nothing of what is in it.
func (r Raw) String() string { return fmt.Sprintf("raw(%08x, %d bytes)", r.ID(), len(r)) }

// GoString is String.
func (r Raw) GoString() string { return r.String() }

// LogValue is String.
func (r Raw) LogValue() slog.Value { return slog.StringValue(r.String()) }

package runtime

import (
	"encoding/binary"
	"io"
	"time"
)

// A Clock tells the time and runs functions later.
type Clock interface {
	// Now returns the current time.
	Now() time.Time
	// AfterFunc calls f once, in a goroutine of its own, when d has passed.
	AfterFunc(d time.Duration, f func()) Timer
}

// A Timer is a pending call of [Clock.AfterFunc].
type Timer interface {
	// Stop prevents the call; it reports whether it was in time.
	Stop() bool
}

// RealClock returns the clock of the time package. Inside a testing/synctest
// bubble that clock is the bubble's.
func RealClock() Clock { return realClock{} }

type realClock struct{}

func (realClock) Now() time.Time { return time.Now() }

func (realClock) AfterFunc(d time.Duration, f func()) Timer { return time.AfterFunc(d, f) }

// Jitter draws a duration uniformly from [0, d]. If rand fails it returns d.
func Jitter(rand io.Reader, d time.Duration) time.Duration {
	if d <= 0 {
		return 0
	}
	var b [8]byte
	if _, err := io.ReadFull(rand, b[:]); err != nil {
		return d
	}
	// The bias of the remainder is d/2^64: nothing.
	return time.Duration(binary.LittleEndian.Uint64(b[:]) % (uint64(d) + 1))
}

// Uniform draws from [0, 1).
func Uniform(rand io.Reader) float64 {
	var b [8]byte
	_, _ = io.ReadFull(rand, b[:])
	return float64(binary.LittleEndian.Uint64(b[:])>>11) / (1 << 53)
}

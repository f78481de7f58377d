package bench

import (
	"context"
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/mtfleet/mtfleet/actors/wire"
)

// Line is a dialer that counts and can be cut, for wire.Config.Dialer. It hands its
// sockets out as they are, so that it costs a connection nothing. It is safe for
// concurrent use.
type Line struct {
	inner    wire.Dialer
	remember bool
	cut      atomic.Bool
	dials    atomic.Int64

	mu    sync.Mutex // guards the following fields
	conns []net.Conn
	back  time.Time
}

// NewLine returns a line that dials as the manager does. One that remembers its
// sockets can say what they carried; it is for hundreds of them.
func NewLine(remember bool) *Line { return NewLineOver(wire.NewDialer(), remember) }

// NewLineOver returns a line that dials by another dialer.
func NewLineOver(inner wire.Dialer, remember bool) *Line {
	return &Line{inner: inner, remember: remember}
}

// ErrCut is what is dialled while the line is cut.
var ErrCut = errors.New("bench: the line is cut")

// DialContext implements wire.Dialer.
func (l *Line) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	l.dials.Add(1)
	if l.cut.Load() {
		return nil, ErrCut
	}
	l.wentThrough()
	c, err := l.inner.DialContext(ctx, network, address)
	if err == nil && l.remember {
		l.mu.Lock()
		l.conns = append(l.conns, c)
		l.mu.Unlock()
	}
	return c, err
}

// Cut lets no further dial through, or all of them again. Sockets that are open stay
// so: the other side closes them.
func (l *Line) Cut(cut bool) {
	l.mu.Lock()
	l.back = time.Time{}
	l.mu.Unlock()
	l.cut.Store(cut)
}

// Back is when the first dial went through since Cut was called; zero before it.
func (l *Line) Back() time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.back
}

func (l *Line) wentThrough() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.back.IsZero() {
		l.back = time.Now()
	}
}

// Dials is how often somebody dialled, whatever came of it.
func (l *Line) Dials() int64 { return l.dials.Load() }

// Traffic is what the sockets that are open have carried so far, without headers, as
// the system counts it: sent and acknowledged, and received. It is 0 where the system
// does not tell, and for a line that does not remember.
func (l *Line) Traffic() (sent, received uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, c := range l.conns {
		s, r := carried(c)
		sent, received = sent+s, received+r
	}
	return sent, received
}

package wire

import (
	"context"
	"io"
	"net"
	"time"

	"github.com/mtfleet/mtfleet/mtproto/transport"
)

// A Dialer opens connections; *net.Dialer is one. The simulation and tests
// bring their own.
type Dialer interface {
	DialContext(ctx context.Context, network, address string) (net.Conn, error)
}

// Config says how connections are made. It is shared by all connections and
// not changed.
type Config struct {
	// Dialer opens the sockets; nil means a *net.Dialer.
	Dialer Dialer
	// Kind is the framing; zero means Intermediate. A target with a secret may
	// force Padded.
	Kind transport.Kind
	// Obfuscated wraps every connection in obfuscated2, also where the target
	// does not ask for it.
	Obfuscated bool
	// Rand makes obfuscation headers and padding; it must be safe for
	// concurrent use.
	Rand io.Reader
	// RequireLoopback refuses every address that is not on this machine's
	// loopback, at each dial.
	RequireLoopback bool
	// Fence, if set, is asked before each dial and each write to a socket. With
	// an error it silences the process at once: the dial or the connection ends
	// with a *FencedError. It must be quick and safe for concurrent use.
	Fence func() error

	// ConnectTimeout bounds one Dial over all its targets. Zero means 8 s.
	ConnectTimeout time.Duration
	// Stagger is the head start a target has over the next. Zero means 300 ms.
	Stagger time.Duration
	// WriteTimeout bounds one write to the socket: a peer that has stopped
	// reading is given up after it. Zero means 15 s.
	WriteTimeout time.Duration
	// QueueLimit bounds the bytes queued for writing. Zero means 4 MiB: four
	// of the largest messages the server accepts. At the bound the connection
	// is closed with a *QueueError.
	QueueLimit int
	// Credits bounds the packets delivered and not released. Zero means 32.
	// Without credits the reader waits, and TCP makes the server wait.
	Credits int
	// CreditBytes bounds their bytes. Zero means 1 MiB; a single packet may be
	// larger (16 MiB), then it is delivered alone.
	CreditBytes int
}

const (
	// maxRaced bounds the targets one Dial tries. Each may become a SYN, and
	// one permit of the governor pays for all of them.
	maxRaced = 3

	defaultConnectTimeout = 8 * time.Second
	defaultStagger        = 300 * time.Millisecond
	defaultWriteTimeout   = 15 * time.Second
	defaultQueueLimit     = 4 << 20
	defaultCredits        = 32
	defaultCreditBytes    = 1 << 20
)

func (c Config) withDefaults() Config {
	if c.Dialer == nil {
		c.Dialer = &net.Dialer{}
	}
	if c.Kind == 0 {
		c.Kind = transport.Intermediate
	}
	orDuration := func(d *time.Duration, v time.Duration) {
		if *d <= 0 {
			*d = v
		}
	}
	orDuration(&c.ConnectTimeout, defaultConnectTimeout)
	orDuration(&c.Stagger, defaultStagger)
	orDuration(&c.WriteTimeout, defaultWriteTimeout)
	orInt := func(n *int, v int) {
		if *n <= 0 {
			*n = v
		}
	}
	orInt(&c.QueueLimit, defaultQueueLimit)
	orInt(&c.Credits, defaultCredits)
	orInt(&c.CreditBytes, defaultCreditBytes)
	return c
}

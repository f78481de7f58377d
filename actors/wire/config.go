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
	// Dialer opens the sockets; nil means NewDialer.
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
	// WebSocket, if set, carries every connection inside a WebSocket, to the
	// addresses that it has; those of the table are not dialled then.
	WebSocket *WebSocket
	// Fence, if set, is asked before each dial and each write to a socket. With
	// an error it silences the process at once: the dial or the connection ends
	// with a *FencedError. It must be quick and safe for concurrent use.
	Fence func() error

	// Sockets bounds the connections and dials under way; at the bound a dial ends
	// with a *DescriptorError. Zero: what the process has file descriptors for, see
	// SocketsWithin; not bounded with a Dialer, whose sockets may be no files.
	Sockets int
	// OnShortage, if set, is told when a dial found no file descriptor: once, and
	// again when there were enough of them for a minute. It must not block, and may
	// be called from any goroutine.
	OnShortage func(*DescriptorError)

	// ConnectTimeout bounds one Dial over all its targets. Zero means 8 s.
	ConnectTimeout time.Duration
	// Stagger is the head start a target has over the next. Zero means 300 ms.
	Stagger time.Duration
	// WriteTimeout bounds the writing of 32 KiB to the socket: a peer that has
	// stopped reading is given up after it. Zero means 15 s, that is 2 KiB/s.
	WriteTimeout time.Duration
	// Queue is how many bytes Room allows to be queued for writing. Zero means
	// 128 KiB; see defaultQueue.
	Queue int
	// QueueLimit bounds them against who does not ask for Room. Zero means
	// 4 MiB: four of the largest messages the server accepts. At the bound the
	// connection is closed with a *QueueError.
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

	// unackedLimit is how long the other side's kernel may leave what was sent
	// unacknowledged: a path that is gone ends a socket then and not after the
	// kernel's quarter of an hour, also one on which nobody waits for an answer.
	// Twice what a session waits for a pong, so that it is the session that finds
	// most of them, and a path may be away for as long as one that is slow.
	unackedLimit = 30 * time.Second

	defaultConnectTimeout = 8 * time.Second
	defaultStagger        = 300 * time.Millisecond
	defaultWriteTimeout   = 15 * time.Second
	defaultQueueLimit     = 4 << 20
	// defaultQueue keeps a thin uplink busy and the way out short: at 1 Mbit/s
	// (128 KiB/s) what is written now leaves within 1 s, and behind a file part
	// of 512 KiB that went past it within 5 s. Answers come back in a fraction of
	// a second, so that what asks for Room refills it long before it is empty.
	defaultQueue = 128 << 10
	// kernelQueue is what the kernel may hold of ours beside it, for the same
	// reason: it would take 4 MiB, half a minute at 1 Mbit/s. At a round trip of
	// 100 ms it is good for more than 1 MiB/s a connection.
	kernelQueue = 128 << 10
	// writePiece is how much is written at once: each piece is progress, which
	// restarts the clock of WriteTimeout.
	writePiece         = 32 << 10
	defaultCredits     = 32
	defaultCreditBytes = 1 << 20
)

// keepAlive asks the other side's kernel where nothing was said for a while. An idle
// session pings once a minute by itself: it is the connections that only listen that
// need this, and the default of 15 s would cost 10,000 accounts 667 packets a
// second. It is given up after 30 s without an answer.
var keepAlive = net.KeepAliveConfig{Enable: true, Idle: 75 * time.Second, Interval: 10 * time.Second, Count: 3}

// NewDialer returns the dialer of a network that was given none, for one that is put
// around it: keep-alives and, where the system has it, a limit on what is not
// acknowledged.
func NewDialer() *net.Dialer { return &net.Dialer{KeepAliveConfig: keepAlive, Control: limitUnacked} }

func (c Config) withDefaults() Config {
	if c.Dialer == nil {
		c.Dialer = NewDialer()
		if limit, ok := DescriptorLimit(); ok && c.Sockets == 0 {
			c.Sockets = SocketsWithin(limit)
		}
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
	orInt(&c.Queue, defaultQueue)
	orInt(&c.QueueLimit, defaultQueueLimit)
	orInt(&c.Credits, defaultCredits)
	orInt(&c.CreditBytes, defaultCreditBytes)
	return c
}

package wire

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/mtfleet/mtfleet/mtproto/dc"
	"github.com/mtfleet/mtfleet/mtproto/proxy"
	"github.com/mtfleet/mtfleet/mtproto/transport"
)

// A Network makes connections with one configuration. It is safe for
// concurrent use.
type Network struct {
	cfg     Config
	running sync.WaitGroup // goroutines: attempts, readers, writers
	sockets atomic.Int64   // there are, or are being made
	idle    lot            // connections without a reader

	mu      sync.Mutex // guards shortAt
	shortAt time.Time  // when one could not be made for want of a file descriptor
}

// New returns a Network; see [Config] for the defaults.
func New(cfg Config) *Network {
	w := &Network{cfg: cfg.withDefaults()}
	w.idle.net = w
	return w
}

// Wait returns when every goroutine of the network is gone, or ctx is done. Call
// it when nobody dials any more and all connections were closed: they end soon
// after Close, not within it.
func (w *Network) Wait(ctx context.Context) error {
	done := make(chan struct{})
	go func() {
		w.running.Wait()
		close(done)
	}()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Dial begins to connect to the first of the targets that answers, and returns
// at once. Each target has a head start over the next, which a failure ends at
// once; at most three are tried. dcWire is the DC's number in an obfuscated
// header (dc.Wire). With via every byte goes through that proxy, or nowhere: an
// MTProxy picks the DC by dcWire, whatever the targets are. done is called exactly
// once, from another goroutine, with a *[Conn] or an error: when a connection
// stands, all targets have failed, the time is over, or cancel was called.
func (w *Network) Dial(targets []dc.Target, dcWire int, via *proxy.Via, done func(Socket, error)) (cancel func()) {
	ctx, cancel := context.WithCancel(context.Background())
	w.running.Go(func() {
		defer cancel()
		conn, err := w.dial(ctx, targets, dcWire, via)
		if err != nil {
			done(nil, err) // not conn: a nil *Conn is a Socket that is not nil
			return
		}
		done(conn, nil)
	})
	return cancel
}

// dial is Dial on the caller's goroutine. It calls code of others, whose panic
// is the failure of this dial and not the process's.
func (w *Network) dial(ctx context.Context, targets []dc.Target, dcWire int, via *proxy.Via) (conn *Conn, err error) {
	defer func() {
		if v := recover(); v != nil {
			conn, err = nil, panicked(v)
		}
	}()
	c := &w.cfg
	goals, err := c.goals(targets, dcWire, via)
	if err != nil {
		return nil, err
	}
	if err := c.fence(); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, c.ConnectTimeout)
	defer cancel()
	d := &race{net: w, targets: goals, via: via, stagger: c.Stagger, won: make(chan raced)}
	if via != nil || c.WebSocket != nil {
		d.stagger *= fartherStagger
	}
	t, socket, err := d.run(ctx)
	if err != nil {
		return nil, err
	}
	defer func() {
		if conn == nil {
			w.drop(socket) // nothing was sent on it
		}
	}()
	if conn, err = w.newConn(t, socket, dcWire); conn != nil {
		conn.missed = d.missed(false)
	}
	return conn, err
}

// panicked makes an error of what somebody else's code panicked with: only its
// type, for the value may hold a secret.
func panicked(v any) error { return &DialPanicError{Value: fmt.Sprintf("%T", v)} }

func (c *Config) fence() error {
	if c.Fence == nil {
		return nil
	}
	if err := c.Fence(); err != nil {
		return &FencedError{err}
	}
	return nil
}

// race is one Dial under way.
type race struct {
	net     *Network
	targets []goal
	via     *proxy.Via // nil: directly
	stagger time.Duration
	won     chan raced // unbuffered: who is not taken closes its socket

	started int       // of targets
	running int       // of those started
	sent    int       // of those started, to which something may have been sent
	failed  []Attempt // the others
	short   error     // this machine had no socket for one
}

type raced struct {
	target goal
	socket net.Conn
	err    error
}

// run starts attempts one by one and returns the first that succeeds. The
// others see ctx end, which the caller cancels.
func (r *race) run(ctx context.Context) (goal, net.Conn, error) {
	stagger := time.NewTimer(r.stagger)
	defer stagger.Stop()
	r.start(ctx)
	for {
		select {
		case <-stagger.C:
			if r.start(ctx) {
				stagger.Reset(r.stagger)
			}
		case a := <-r.won:
			if a.err == nil {
				return a.target, a.socket, nil
			}
			r.lost(a)
			if r.start(ctx) {
				stagger.Reset(r.stagger)
			} else if r.running == 0 {
				return goal{}, nil, r.error(r.missed(false))
			}
		case <-ctx.Done():
			missed := r.missed(errors.Is(ctx.Err(), context.DeadlineExceeded))
			r.failed = append(r.failed, r.targets[r.started-1].attempt(ctx.Err()))
			return goal{}, nil, r.error(missed)
		}
	}
}

// start begins with the next target; it reports whether there was one.
func (r *race) start(ctx context.Context) bool {
	if r.started == len(r.targets) || r.sent == maxRaced || r.short != nil {
		return false
	}
	t := r.targets[r.started]
	r.started++
	r.running++
	r.sent++
	r.net.running.Go(func() { r.attempt(ctx, t) })
	return true
}

// lost notes an attempt that failed.
func (r *race) lost(a raced) {
	r.running--
	if noWay(a.err) {
		r.sent--
	}
	if short := shortage(a.err); short {
		r.short = a.err
	}
	r.failed = append(r.failed, a.target.attempt(a.err))
}

func (r *race) error(missed dc.Families) error {
	if r.short != nil {
		return r.net.exhausted(r.short)
	}
	return &DialError{r.failed, missed}
}

// missed returns the families of the addresses whose failure says something of
// the DC; with over, also of those that have not answered in all the time.
func (r *race) missed(over bool) (f dc.Families) {
	for _, t := range r.targets[:r.started] {
		i := slices.IndexFunc(r.failed, func(a Attempt) bool { return a.Addr == t.Addr })
		if i < 0 && over || i >= 0 && !ours(r.failed[i].Err) {
			f |= dc.Family(t.Addr.Addr())
		}
	}
	return f
}

// ours reports whether an attempt failed for a reason of this machine's.
func ours(err error) bool {
	var blameless interface{ BlamesNobody() }
	return noWay(err) || shortage(err) || errors.Is(err, context.Canceled) || errors.As(err, &blameless)
}

// noWay reports whether an address could not even be tried.
func noWay(err error) bool {
	return errors.Is(err, syscall.ENETUNREACH) || errors.Is(err, syscall.EADDRNOTAVAIL) || errors.Is(err, syscall.EAFNOSUPPORT)
}

func (r *race) attempt(ctx context.Context, t goal) {
	a := raced{target: t}
	if r.net.cfg.RequireLoopback && !t.loopback() {
		a.err = &NotLoopbackError{Addr: t.Addr, URL: t.url()}
	} else {
		a.socket, a.err = r.dial(ctx, t)
	}
	if a.err == nil && ctx.Err() != nil { // too late, whoever else won
		r.net.drop(a.socket)
		return
	}
	select {
	case r.won <- a:
	case <-ctx.Done():
		if a.socket != nil {
			r.net.drop(a.socket)
		}
	}
}

// drop closes a socket and gives its place back.
func (w *Network) drop(socket net.Conn) {
	_ = socket.Close() // there is nothing left to do about it
	w.giveBack()
}

// dial calls the dialer, which is somebody else's code: a panic in it is one
// attempt's failure and not the process's.
func (r *race) dial(ctx context.Context, t goal) (socket net.Conn, err error) {
	if err := r.net.take(); err != nil {
		return nil, err
	}
	defer func() {
		if v := recover(); v != nil {
			socket, err = nil, panicked(v)
		}
		if err != nil {
			r.net.giveBack()
		}
	}()
	return r.net.reach(ctx, t, r.via)
}

// newConn chooses the framing for a target. A secret may come with demands of
// its own: 0xdd before it means the padded framing.
func (w *Network) newConn(t goal, socket net.Conn, dcWire int) (*Conn, error) {
	c := &w.cfg
	tc := transport.Config{
		Kind: c.Kind, Obfuscated: c.Obfuscated || t.Obfuscated || t.web != nil, DC: dcWire, Secret: t.Secret, Rand: c.Rand,
	}
	if len(t.Secret) > 0 {
		s, err := transport.DecodeSecret(t.Secret)
		if err != nil {
			return nil, err
		}
		tc.Secret = s.Inner().Bytes()
		if s.Padded {
			tc.Kind = transport.Padded
		}
	}
	if tc.Kind == transport.Full && !t.Addr.IsValid() {
		tc.Kind = transport.Intermediate // an MTProxy and a WebSocket take obfuscated streams alone
	}
	if tc.Kind == transport.Full {
		tc.Obfuscated = len(t.Secret) > 0 // full is never obfuscated; with a secret the codec says so
	}
	codec, err := transport.NewClient(tc)
	if err != nil {
		return nil, err
	}
	conn := &Conn{net: w, socket: socket, codec: codec}
	if t.Addr.IsValid() { // an MTProxy's is nobody's address, and has its secret
		conn.Target = t.Target
	}
	conn.credit.L = &conn.mu
	return conn, nil
}

package wire

import (
	"errors"
	"net"
	"sync"
	"time"

	"github.com/mtfleet/mtfleet/mtproto/dc"
	"github.com/mtfleet/mtfleet/mtproto/transport"
)

// A Socket is what a Dial makes, a *[Conn]. It and Handler are names for
// unnamed types, so that who uses them may declare the same without importing
// this package.
type Socket = interface {
	Start(Handler)
	Send(packet []byte) error
	Room() int
	Release(n int)
	Close()
}

// A Handler receives what a connection delivers. Its methods must not wait.
// Packet and Closed are called from the connection's reader, one at a time;
// Writable comes from its writer, also beside them or after Closed.
//
// One that also has Serve(packet []byte) gets packets that follow one another by
// that instead of Packet, and may take its time in it: the reader's goroutine is its
// own then, and has the stack for it.
type Handler = interface {
	// Packet receives one packet and owns its bytes. It must be followed by
	// Release, then or later, from any goroutine.
	Packet(packet []byte)
	// Writable says that Room has grown since it was last seen smaller than
	// with an empty queue.
	Writable()
	// Closed is called once, last, whatever ended the connection: [ErrClosed]
	// after Close, a *CodeError, *QueueError, *FencedError, a transport's
	// *FrameError, or the socket's error (io.EOF when the server closed it).
	Closed(err error)
}

// A Conn is one TCP connection that carries packets. Its methods are safe for
// concurrent use.
type Conn struct {
	// Target is the address that answered, zero behind an MTProxy.
	Target dc.Target

	net    *Network
	socket net.Conn
	codec  *transport.Codec // its reading half belongs to the reader, its encoding half is under mu
	in     feed             // the reader's
	known  bool             // to the poller; the reader's

	mu      sync.Mutex
	handler Handler     // nil before Start
	reason  error       // why it is closed; nil while open
	out     []byte      // framed bytes to write
	leaving int         // bytes taken from out to be written, and not written yet
	writing bool        // the writer exists, or a sender writes
	watched bool        // Room was seen small: tell when it grows
	missed  dc.Families // see Missed; not under mu, it does not change
	parked  uint64      // its number in the lot, where nobody reads; 0: somebody does
	held    int         // packets delivered and not released
	bytes   int         // their bytes
	credit  sync.Cond   // held or bytes fell, or the connection was closed
}

// Dialed returns the target that answered, zero behind an MTProxy.
func (c *Conn) Dialed() dc.Target { return c.Target }

// Missed returns the families of the addresses that failed before this one
// answered. Those that were outrun, or that there is no way to from this machine,
// are not among them.
func (c *Conn) Missed() dc.Families { return c.missed }

// Start begins to read; call it once. Before it, Send already works.
func (c *Conn) Start(h Handler) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.handler != nil {
		return
	}
	c.handler, c.in.socket = h, c.socket
	c.net.running.Add(1)
	go c.wait()
}

// Room is how many bytes of [Config.Queue] are free: all of them when nothing
// waits to be written, less than none when a large packet went past it. When it
// is not all of them, the handler's Writable follows once it has grown.
func (c *Conn) Room() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	queued := len(c.out) + c.leaving
	if queued > 0 {
		c.watched = true
	}
	return c.net.cfg.Queue - queued
}

// Release gives back the credit of a packet of n bytes that was delivered.
func (c *Conn) Release(n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.held--
	c.bytes -= n
	c.credit.Signal()
}

// Close closes the connection; the reader then ends with Closed(ErrClosed). It
// may be called again.
func (c *Conn) Close() { c.close(ErrClosed) }

func (c *Conn) close(reason error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closeLocked(reason)
}

// closeLocked closes the socket for the first reason given. Reader and writer
// notice by its errors; later reasons are consequences of the first.
func (c *Conn) closeLocked(reason error) {
	if c.reason != nil {
		return
	}
	c.reason = reason
	c.out = nil
	c.net.drop(c.socket)
	c.credit.Broadcast()
	if c.parked != 0 {
		c.net.idle.leave(c.parked)
		c.parked = 0
		go c.wait() // finds it closed
	}
}

func (c *Conn) why() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.reason
}

// feed is what the codec reads from. Between packets it does not wait but
// answers errIdle, so that waiting can happen elsewhere.
type feed struct {
	socket  net.Conn
	between bool      // wait elsewhere
	at      time.Time // of the last read that brought something
	first   []byte
	buf     [128]byte // holds a pong or a short answer whole
}

var errIdle = errors.New("wire: nothing to read yet")

func (f *feed) Read(p []byte) (int, error) {
	if len(f.first) > 0 {
		n := copy(p, f.first)
		f.first = f.first[n:]
		return n, nil
	}
	if f.between {
		return 0, errIdle
	}
	return f.socket.Read(p)
}

// wait is the reader of an idle connection that is not in the lot, or of one on which
// something has come. Handling a packet needs more than the 2 KiB of stack a
// goroutine begins with, and a stack that has grown to 4 KiB does not shrink again: so
// the goroutine that handled packets ends, and a new one waits. (Once most goroutines
// are idle readers, the run-time lets new ones begin with 2 KiB.)
func (c *Conn) wait() {
	defer c.net.running.Done()
	n, err := c.socket.Read(c.in.buf[:])
	c.read(n, err)
}

// busyWithin is how soon after another a packet comes on a connection that is busy.
// There the goroutine stays, with the stack it has: growing one costs more than
// handling most packets. Once a connection is idle, the next pong ends it.
const busyWithin = time.Second

// read is the reader with n bytes in the feed's buffer.
func (c *Conn) read(n int, err error) {
	f := &c.in
	for n > 0 || err == nil {
		now := time.Now()
		busy := now.Sub(f.at) < busyWithin
		f.first, f.between, f.at = f.buf[:n], n == 0, now
		if !c.deliver(busy) {
			c.handler.Closed(c.why())
			return
		}
		if !busy {
			c.rest()
			c.net.running.Add(1)
			if !c.net.idle.park(c) {
				go c.wait()
			}
			return
		}
		n, err = f.socket.Read(f.buf[:])
	}
	c.close(err)
	c.handler.Closed(c.why())
}

// rest lets go of what an idle connection does not need. Only the reader calls it.
func (c *Conn) rest() {
	c.codec.RestReading()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.codec.RestEncoding()
}

// deliver hands on packets until it would have to wait for the next one; it
// returns false at the end of the connection.
func (c *Conn) deliver(busy bool) bool {
	f, serve := &c.in, c.handler.Packet
	if own, ok := c.handler.(interface{ Serve(packet []byte) }); ok && busy {
		serve = own.Serve
	}
	for {
		packet, err := c.codec.ReadPacket(f, nil)
		switch {
		case err == errIdle:
			return true
		case err != nil:
			c.close(err)
			return false
		}
		f.between = true
		if code, ok := transport.ErrorCode(packet); ok {
			c.close(&CodeError{code})
			return false
		}
		if !c.takeCredit(len(packet)) {
			return false
		}
		serve(packet)
	}
}

// takeCredit waits until a packet of n bytes may be delivered; it returns
// false when the connection was closed meanwhile.
func (c *Conn) takeCredit(n int) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	for c.reason == nil && c.held > 0 && (c.held >= c.net.cfg.Credits || c.bytes+n > c.net.cfg.CreditBytes) {
		c.credit.Wait()
	}
	c.held++
	c.bytes += n
	return c.reason == nil
}

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

	mu      sync.Mutex
	handler Handler     // nil before Start
	reason  error       // why it is closed; nil while open
	out     []byte      // framed bytes to write
	leaving int         // bytes the writer has taken from out and not written yet
	writing bool        // the writer exists
	watched bool        // Room was seen small: tell when it grows
	missed  dc.Families // see Missed; not under mu, it does not change
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
	c.handler = h
	c.net.running.Add(1)
	go c.wait(&feed{socket: c.socket}, h)
}

// Send frames a packet and queues it for writing. It does not block, and the
// packet is the caller's again when it returns. The error is why the
// connection is closed, or a *transport.PacketError, after which it goes on.
func (c *Conn) Send(packet []byte) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.reason != nil {
		return c.reason
	}
	if n := len(c.out) + c.leaving + len(packet); n > c.net.cfg.QueueLimit && n > len(packet) {
		err := &QueueError{Queued: n, Limit: c.net.cfg.QueueLimit}
		c.closeLocked(err)
		return err
	}
	out, err := c.codec.Encode(c.out, packet)
	if err != nil {
		return err
	}
	c.out = out
	if !c.writing {
		c.writing = true
		c.net.running.Go(c.write)
	}
	return nil
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
	between bool // wait elsewhere
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

// wait is the reader while the connection is idle. Handling a packet needs
// more than the 2 KiB of stack a goroutine begins with, and a stack that has
// grown to 4 KiB does not shrink again: so the goroutine that handled packets
// ends, and a new one waits. (Once most goroutines are idle readers, the run-time
// lets new ones begin with 2 KiB.)
func (c *Conn) wait(f *feed, h Handler) {
	n, err := f.socket.Read(f.buf[:])
	c.read(f, h, n, err)
	c.net.running.Done()
}

// read is the reader with n bytes in the feed's buffer.
func (c *Conn) read(f *feed, h Handler, n int, err error) {
	if n == 0 && err != nil {
		c.close(err)
	} else {
		f.first, f.between = f.buf[:n], n == 0
		if c.deliver(f, h) {
			c.net.running.Add(1)
			go c.wait(f, h)
			return
		}
	}
	h.Closed(c.why())
}

// deliver hands on packets until it would have to wait for the next one; it
// returns false at the end of the connection.
func (c *Conn) deliver(f *feed, h Handler) bool {
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
		h.Packet(packet)
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

// write writes what is queued, then ends.
func (c *Conn) write() {
	var spare []byte
	for {
		c.mu.Lock()
		if len(c.out) == 0 || c.reason != nil {
			c.writing = false
			c.out, c.leaving = nil, 0 // an idle connection keeps no buffer
			c.mu.Unlock()
			return
		}
		out := c.out
		c.out, c.leaving = spare, len(out)
		c.mu.Unlock()

		for rest := out; len(rest) > 0; {
			n := min(len(rest), writePiece)
			if err := c.writeSocket(rest[:n]); err != nil {
				c.close(err)
				break
			}
			rest = rest[n:]
			c.wrote(n)
		}
		spare = out[:0]
	}
}

// wrote notes that n bytes have left, and tells who watches.
func (c *Conn) wrote(n int) {
	c.mu.Lock()
	c.leaving -= n
	tell := c.watched && c.handler != nil && c.reason == nil
	if tell {
		c.watched = false
	}
	h := c.handler
	c.mu.Unlock()
	if tell {
		h.Writable()
	}
}

// writeSocket is the one place where bytes leave for a socket.
func (c *Conn) writeSocket(b []byte) error {
	if err := c.net.cfg.fence(); err != nil {
		return err
	}
	if err := c.socket.SetWriteDeadline(time.Now().Add(c.net.cfg.WriteTimeout)); err != nil {
		return err
	}
	_, err := c.socket.Write(b)
	return err
}

package wire

import (
	"sync"
	"time"
)

// Send frames a packet, and writes it where the socket takes it at once; what it
// does not is queued. It does not block, and the packet is the caller's again when
// it returns. The error is why the connection is closed, or a *transport.PacketError,
// after which it goes on.
func (c *Conn) Send(packet []byte) error {
	c.mu.Lock()
	if err := c.queueLocked(packet); err != nil || c.writing {
		c.mu.Unlock()
		return err
	}
	c.writing = true
	if socket := plainTCP(c.socket); socket != nil {
		out := c.out
		c.out, c.leaving = nil, len(out)
		c.mu.Unlock()
		if done, err := c.writeFirst(out); done {
			return err
		}
	} else {
		c.mu.Unlock()
	}
	c.net.running.Go(c.write)
	return nil
}

// queueLocked frames a packet behind what waits to be written.
func (c *Conn) queueLocked(packet []byte) error {
	if c.reason != nil {
		return c.reason
	}
	if n := len(c.out) + c.leaving + len(packet); n > c.net.cfg.QueueLimit && n > len(packet) {
		err := &QueueError{Queued: n, Limit: c.net.cfg.QueueLimit}
		c.closeLocked(err)
		return err
	}
	out := c.out
	if out == nil {
		out = takeBuffer()
	}
	framed, err := c.codec.Encode(out, packet)
	if err != nil {
		if c.out == nil {
			giveBuffer(out)
		}
		return err
	}
	c.out = framed
	return nil
}

// writeFirst is the sender's try to write what it found the socket free for. It is
// done when nothing is left for a writer; the error is why the connection is closed.
func (c *Conn) writeFirst(out []byte) (done bool, err error) {
	n, err := c.writeSome(out[:min(len(out), writePiece)])
	if err != nil {
		c.close(err)
	}
	c.mu.Lock()
	if c.reason != nil {
		c.leaving, c.writing = 0, false
		defer c.mu.Unlock()
		return true, c.reason
	}
	if n < len(out) { // it goes before what others sent meanwhile
		c.out = append(out[n:], c.out...)
	} else {
		giveBuffer(out)
	}
	c.leaving = 0
	c.writing = len(c.out) > 0
	done = !c.writing
	c.mu.Unlock()
	if n > 0 {
		c.wrote(0) // tells who watches
	}
	return done, nil
}

// write is the writer: it writes what is queued, then ends.
func (c *Conn) write() {
	var spare []byte
	for {
		c.mu.Lock()
		if len(c.out) == 0 || c.reason != nil {
			c.writing = false
			giveBuffer(c.out)
			c.out, c.leaving = nil, 0 // an idle connection keeps no buffer
			if c.reason == nil && plainTCP(c.socket) != nil {
				_ = c.socket.SetWriteDeadline(time.Time{}) // it would refuse what is written at once when it has passed
			}
			c.mu.Unlock()
			giveBuffer(spare)
			return
		}
		out := c.out
		c.out, c.leaving = spare, len(out)
		c.mu.Unlock()

		for rest := out; len(rest) > 0; {
			n := min(len(rest), writePiece)
			if err := c.writeAll(rest[:n]); err != nil {
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

// writeAll and writeSome are the two places where bytes leave for a socket: all of
// them, for which it may wait, or as many as it takes at once.
func (c *Conn) writeAll(b []byte) error {
	if err := c.net.cfg.fence(); err != nil {
		return err
	}
	if err := c.socket.SetWriteDeadline(time.Now().Add(c.net.cfg.WriteTimeout)); err != nil {
		return err
	}
	_, err := c.socket.Write(b)
	return err
}

func (c *Conn) writeSome(b []byte) (int, error) {
	if err := c.net.cfg.fence(); err != nil {
		return 0, err
	}
	return writeOnce(plainTCP(c.socket), b)
}

// buffer holds what is written at once. Buffers are everybody's: an idle connection
// has none, and one that outgrows its buffer leaves it to the garbage collector.
type buffer [2 << 10]byte

var buffers = sync.Pool{New: func() any { return new(buffer) }}

func takeBuffer() []byte { return buffers.Get().(*buffer)[:0] }

// giveBuffer takes back one of takeBuffer's, whole, and nothing else.
func giveBuffer(b []byte) {
	if cap(b) == len(buffer{}) {
		buffers.Put((*buffer)(b[:cap(b)]))
	}
}

package serve

import (
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/mtfleet/mtfleet/mtproto/dctest"
	"github.com/mtfleet/mtfleet/mtproto/transport"
)

const (
	// connCredits is how many packets of one connection may wait for the owner; then its reader waits too.
	connCredits = 16
	// maxQueued is how many bytes may wait for a client that does not read; more closes its connection.
	maxQueued = 64 << 20
	// writeTimeout is how long one write may take.
	writeTimeout = 30 * time.Second
	// drainTimeout is how long a closed connection is read on, so that the client gets what was sent last instead of
	// a reset.
	drainTimeout = time.Second
	// readChunk is the largest read at once of a connection that is being drained.
	readChunk = 4 << 10
)

// conn is one connection of a client.
type conn struct {
	s       *Cluster
	id      dctest.ConnID
	dc      int
	media   bool // it came to an address for media
	remote  string
	net     net.Conn
	codec   *transport.Codec
	credits chan struct{}
	by      *Proxy // nil: it came directly
	first   []byte // the packet that a proxy has read already
	web     bool   // it came in a WebSocket

	draining atomic.Bool // nothing that comes in counts any more

	mu      sync.Mutex
	queue   []dctest.Output
	queued  int // bytes
	writing bool
	resume  chan struct{} // not nil while reading is paused; closed to go on
}

// accept takes a new connection into the cluster; false, and it is closed, when there is no room.
func (s *Cluster) accept(dc int, media bool, nc net.Conn, remote string) bool {
	_, web := nc.(*webSocket)
	codec, err := transport.NewServer(transport.ServerConfig{Rand: s.cfg.Core.Rand})
	if err != nil {
		_ = nc.Close()
		return false
	}
	c := &conn{s: s, dc: dc, media: media, remote: remote, net: nc, codec: codec, credits: make(chan struct{}, connCredits), web: web}
	if !s.admit(c) {
		_ = nc.Close()
		return false
	}
	s.box.post(event{kind: evOpen, conn: c})
	go c.read()
	return true
}

// admit counts a connection among the open ones, and its reader among what Close
// waits for; false when there is no room.
func (s *Cluster) admit(c *conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed || len(s.open) >= s.cfg.MaxConns {
		return false
	}
	s.nextConn++
	c.id = s.nextConn
	s.open[c] = struct{}{}
	s.wg.Add(1)
	return true
}

// read hands packets to the owner until the connection ends.
func (c *conn) read() {
	defer c.s.wg.Done()
	defer c.finish()
	for first := true; ; first = false {
		if !c.awaitResume() {
			return
		}
		packet, err := c.next()
		if err == nil && c.web && !c.codec.Obfuscated() {
			err = errNotObfuscated
		}
		if err != nil {
			if text := malformed(err); text != "" {
				c.s.box.post(event{kind: evMalformed, conn: c, text: text})
			}
			break
		}
		if c.draining.Load() {
			break
		}
		e := event{kind: evPacket, conn: c, packet: packet, ask: c.codec.QuickAckRequested()}
		if first {
			e.wire = c.codec.DC()
		}
		select {
		case c.credits <- struct{}{}:
		case <-c.s.quit:
			return
		}
		if !c.s.box.post(e) {
			return
		}
	}
	c.drain()
}

// malformed says what was wrong with what a client sent; "" when its connection only ended.
func malformed(err error) string {
	var frame *transport.FrameError
	var web *webError
	switch {
	case errors.As(err, &frame):
		return frame.Error()
	case errors.As(err, &web):
		return web.Error()
	}
	return ""
}

// next reads a packet, the first one of who came through a proxy from there.
func (c *conn) next() (packet []byte, err error) {
	if packet, c.first = c.first, nil; packet != nil {
		return packet, nil
	}
	return c.codec.ReadPacket(c.net, nil)
}

// drain reads what still comes after a close of our own side, until the client closes too or time is up.
func (c *conn) drain() {
	if !c.draining.Load() {
		return
	}
	buf := make([]byte, readChunk)
	for {
		if _, err := c.net.Read(buf); err != nil {
			return
		}
	}
}

// finish reports the end of the connection.
func (c *conn) finish() {
	_ = c.net.Close()
	c.gone()
	c.s.box.post(event{kind: evClosed, conn: c})
}

// leave ends a connection that the core never heard of.
func (c *conn) leave() {
	_ = c.net.Close()
	c.gone()
	c.s.wg.Done()
}

// gone forgets a connection.
func (c *conn) gone() {
	c.s.mu.Lock()
	delete(c.s.open, c)
	c.s.mu.Unlock()
	if c.by != nil {
		c.by.forget(c)
	}
}

// abort closes the socket at once; reader and writer see an error.
func (c *conn) abort() {
	c.draining.Store(true)
	c.mu.Lock()
	nc := c.net // a proxy may be putting another around it
	c.mu.Unlock()
	_ = nc.Close()
	c.pause(false)
}

// pause stops the reader before its next packet, or lets it go on.
func (c *conn) pause(on bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case on && c.resume == nil:
		c.resume = make(chan struct{})
	case !on && c.resume != nil:
		close(c.resume)
		c.resume = nil
	}
}

// awaitResume waits while reading is paused; false when the cluster closes meanwhile.
func (c *conn) awaitResume() bool {
	c.mu.Lock()
	resume := c.resume
	c.mu.Unlock()
	if resume == nil {
		return true
	}
	select {
	case <-resume:
		return true
	case <-c.s.quit:
		return false
	}
}

// enqueue queues one output and starts the writer if it does not run.
func (c *conn) enqueue(o dctest.Output) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.queue = append(c.queue, o)
	c.queued += len(o.Packet)
	if c.queued > maxQueued {
		_ = c.net.Close()
	}
	if c.writing {
		return
	}
	c.writing = true
	c.s.wg.Add(1)
	go c.write()
}

// write writes until the queue is empty.
func (c *conn) write() {
	defer c.s.wg.Done()
	var buf []byte
	for {
		c.mu.Lock()
		batch := c.queue
		c.queue, c.queued = nil, 0
		if len(batch) == 0 {
			c.writing = false
			c.mu.Unlock()
			return
		}
		c.mu.Unlock()
		buf = buf[:0]
		for _, o := range batch {
			var last bool
			if buf, last = c.encode(buf, o); last {
				c.put(buf)
				c.shut()
				buf = buf[:0]
			}
		}
		c.put(buf)
	}
}

// encode frames one output; last says that the connection closes after it.
func (c *conn) encode(buf []byte, o dctest.Output) (out []byte, last bool) {
	var err error
	start := len(buf)
	switch o.Kind {
	case dctest.OutPacket:
		buf, err = c.codec.Encode(buf, o.Packet)
		if err == nil && o.Cut >= 0 {
			return buf[:min(start+o.Cut, len(buf))], true
		}
	case dctest.OutError:
		buf, err = c.codec.AppendError(buf, o.Code)
	case dctest.OutQuickAck:
		buf, err = c.codec.AppendQuickAck(buf, uint32(o.Code))
	default:
		return buf, true
	}
	return buf, err != nil
}

// put writes to the socket; an error closes it, and the reader will tell.
func (c *conn) put(b []byte) {
	if len(b) == 0 {
		return
	}
	_ = c.net.SetWriteDeadline(time.Now().Add(writeTimeout))
	if _, err := c.net.Write(b); err != nil {
		_ = c.net.Close()
	}
}

// shut closes our side in an orderly way and tells the owner that the connection is over.
func (c *conn) shut() {
	c.draining.Store(true)
	c.pause(false)
	c.s.box.post(event{kind: evClosed, conn: c})
	half, ok := c.net.(interface{ CloseWrite() error })
	if !ok || half.CloseWrite() != nil {
		_ = c.net.Close()
		return
	}
	_ = c.net.SetReadDeadline(time.Now().Add(drainTimeout))
}

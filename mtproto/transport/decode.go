package transport

import (
	"encoding/binary"
	"hash/crc32"
	"io"
)

const (
	abridgedLong = 0x7f    // first byte of a long abridged header
	quickAckBit  = 1 << 31 // in a length: request, or this is no length

	// minPacket is the shortest real packet: a plain one without a body
	// (key id, msg_id, length). Everything shorter is a control packet, also
	// an error code with all of its 15 bytes of padding.
	minPacket = 20

	// bufLen is the read buffer inside the codec. 256 bytes hold an
	// obfuscated header and most small packets (a pong is about 100 bytes),
	// which then need one read instead of two.
	bufLen = 256

	// firstChunk is the most that is allocated on the word of a header alone.
	// A longer body grows fourfold each time its chunk has been filled, so a
	// peer has to send what it wants us to hold.
	firstChunk = 64 << 10

	// maxEmptyReads bounds readers that return nothing and no error.
	maxEmptyReads = 100
)

// decoder is the reading half of a codec.
type decoder struct {
	dec  *keyStream // nil when not obfuscated
	err  error      // a framing error is final
	seq  uint32     // full: number of the next frame
	asks bool       // the packet last returned wants a quick ack

	buf        *[bufLen]byte // nil while the connection rests
	start, end int           // buf[start:end] is read, decrypted, not consumed

	frame  header // the frame under way, consumed 0 when between frames
	body   []byte // its body so far; len is what is allocated
	filled int    // bytes of body that have arrived
}

// what a header announces.
type frameType uint8

const (
	framePacket    frameType = iota // size bytes follow
	frameQuickAck                   // an unframed quick ack: nothing follows
	frameBareError                  // full: an unframed error code
)

// header is a frame's header, parsed.
type header struct {
	what     frameType
	consumed int    // bytes of the header itself
	size     int    // bytes that follow: packet, padding, checksum
	code     int32  // of frameBareError
	asks     bool   // the client asks for a quick ack
	seq      uint32 // full
}

// ReadPacket reads until one packet is complete and returns it; the caller owns
// it. It blocks as r does. alloc supplies the memory (nil means make) and is
// called when a packet's header has arrived, with the packet's length or, for a
// packet above 64 KiB, with growing parts of it; it must return a slice of at
// least the length asked for.
//
// On the client's side no-ops and quick acks are skipped, and an error code
// comes as a packet of exactly four bytes, for [ErrorCode]. Padding is cut off
// where the packet itself tells its length.
//
// A framing violation is a *FrameError and final. An error of r is returned as
// it is and loses nothing: the next call continues in mid-frame. The end of the
// stream is io.EOF between packets and io.ErrUnexpectedEOF within one.
func (c *Codec) ReadPacket(r io.Reader, alloc func(n int) []byte) ([]byte, error) {
	d := &c.in
	for d.err == nil {
		if d.frame.consumed == 0 {
			if err := c.readHeader(r); err != nil {
				return nil, err
			}
		}
		h := d.frame
		switch h.what {
		case frameQuickAck:
			d.frame = header{}
			continue
		case frameBareError:
			d.err = io.EOF // what follows is no frame, and the server closes
			return binary.LittleEndian.AppendUint32(nil, uint32(h.code)), nil
		}
		if err := d.readBody(r, alloc); err != nil {
			return nil, err
		}
		packet, ok, err := c.finish()
		if err != nil {
			d.err = err
			break
		}
		if ok {
			return packet, nil
		}
	}
	return nil, d.err
}

// QuickAckRequested tells whether the packet that ReadPacket returned last asks
// for a quick ack. Only a client's packets do.
func (c *Codec) QuickAckRequested() bool { return c.in.asks }

// ErrorCode returns the transport error code in a packet, with or without
// padding. ok is false for real packets, and for what asks for no reaction:
// no-ops (0) and quick acks (-1).
func ErrorCode(packet []byte) (code int32, ok bool) {
	if len(packet) < 4 || len(packet) >= minPacket {
		return 0, false
	}
	code = int32(binary.LittleEndian.Uint32(packet))
	return code, code != 0 && code != -1
}

// readHeader fills the buffer until the next frame's header is known, on a
// server first the opening.
func (c *Codec) readHeader(r io.Reader) error {
	d := &c.in
	for {
		need, err := c.parseBuffered()
		if err != nil {
			d.err = err
			return err
		}
		if need == 0 {
			return nil
		}
		if err := d.fill(r, need); err != nil {
			return err
		}
	}
}

func (c *Codec) parseBuffered() (need int, err error) {
	d := &c.in
	if c.kind == 0 {
		if need, err = c.detectBuffered(); err != nil || need != 0 {
			return need, err
		}
	}
	h, need, err := parseHeader(c.kind, c.server, d.buffered())
	if err != nil || need != 0 {
		return need, err
	}
	if c.kind == Full && h.what == framePacket && h.seq != d.seq {
		return 0, &FrameError{Kind: Full, Err: ErrSequence}
	}
	d.consume(h.consumed)
	d.frame, d.body, d.filled = h, nil, 0
	return 0, nil
}

// parseHeader reads a frame's header from the start of b, or returns how many
// bytes it has to see. fromClient tells which direction the bytes go: a set top
// bit is a client's request and a server's quick ack.
func parseHeader(k Kind, fromClient bool, b []byte) (h header, need int, err error) {
	switch k {
	case Abridged:
		h, need = parseAbridged(fromClient, b)
	case Full:
		h, need = parseFull(b)
	default:
		h, need = parseIntermediate(fromClient, b)
	}
	if need != 0 || h.what == frameQuickAck {
		return h, need, nil
	}
	if h.what == frameBareError {
		if fromClient {
			return h, 0, &FrameError{Kind: k, Length: int64(h.code), Err: ErrLength}
		}
		return h, 0, nil
	}
	return h, 0, checkSize(k, h.size)
}

func checkSize(k Kind, size int) error {
	minimum, limit, claimed := 4, MaxPacket, int64(size)
	switch k {
	case Full:
		minimum, limit, claimed = minimum+4, limit+4, claimed+8
	case Padded:
		limit += maxPadding
	}
	switch {
	case size > limit:
		return &FrameError{Kind: k, Length: claimed, Err: ErrTooLong}
	case size < minimum, k != Padded && size%4 != 0:
		return &FrameError{Kind: k, Length: claimed, Err: ErrLength}
	}
	return nil
}

func parseAbridged(fromClient bool, b []byte) (h header, need int) {
	if len(b) < 1 {
		return h, 1
	}
	top := b[0]&0x80 != 0
	if top && !fromClient {
		if len(b) < 4 {
			return h, 4
		}
		return header{what: frameQuickAck, consumed: 4}, 0
	}
	n := int(b[0] &^ 0x80)
	if n < abridgedLong {
		return header{consumed: 1, size: 4 * n, asks: top}, 0
	}
	if len(b) < 4 {
		return h, 4
	}
	n = int(b[1]) | int(b[2])<<8 | int(b[3])<<16
	return header{consumed: 4, size: 4 * n, asks: top}, 0
}

// parseIntermediate reads the header of the intermediate and the padded
// framing. A padded quick ack should come framed; some servers send it
// unframed, which is unambiguous too.
func parseIntermediate(fromClient bool, b []byte) (h header, need int) {
	if len(b) < 4 {
		return h, 4
	}
	n := binary.LittleEndian.Uint32(b)
	top := n&quickAckBit != 0
	if top && !fromClient {
		return header{what: frameQuickAck, consumed: 4}, 0
	}
	return header{consumed: 4, size: int(n &^ quickAckBit), asks: top}, 0
}

func parseFull(b []byte) (h header, need int) {
	if len(b) < 4 {
		return h, 4
	}
	n := int32(binary.LittleEndian.Uint32(b))
	if n < 0 {
		return header{what: frameBareError, consumed: 4, code: n}, 0
	}
	if len(b) < 8 {
		return h, 8
	}
	return header{consumed: 8, size: int(n) - 8, seq: binary.LittleEndian.Uint32(b[4:])}, 0
}

// finish checks the complete frame and returns its packet; ok is false when
// there is nothing to hand up.
func (c *Codec) finish() (packet []byte, ok bool, err error) {
	d := &c.in
	h, packet := d.frame, d.body
	d.frame, d.body, d.filled, d.asks = header{}, nil, 0, h.asks
	switch c.kind {
	case Full:
		n := len(packet) - 4
		if checksum(h, packet[:n]) != binary.LittleEndian.Uint32(packet[n:]) {
			return nil, false, &FrameError{Kind: Full, Err: ErrChecksum}
		}
		packet = packet[:n]
		d.seq++
	case Padded:
		packet = trimPadding(packet)
	}
	if c.server || len(packet) >= minPacket {
		return packet, true, nil
	}
	if _, ok := ErrorCode(packet); ok {
		return packet[:4], true, nil
	}
	return nil, false, nil
}

// checksum is the CRC32 over length, sequence number and packet.
func checksum(h header, packet []byte) uint32 {
	var head [8]byte
	binary.LittleEndian.PutUint32(head[:], uint32(h.size+8))
	binary.LittleEndian.PutUint32(head[4:], h.seq)
	return crc32.Update(crc32.ChecksumIEEE(head[:]), crc32.IEEETable, packet)
}

// trimPadding cuts off what the padded framing added. The frame does not say how
// much that is; the packet does: an encrypted one is 24 bytes and whole AES
// blocks, a plain one carries its length. Anything else stays as it is.
func trimPadding(p []byte) []byte {
	if len(p) < minPacket {
		return p
	}
	if binary.LittleEndian.Uint64(p) != 0 {
		if len(p) >= 24 {
			p = p[:len(p)-(len(p)-24)%16]
		}
		return p
	}
	whole := minPacket + int64(binary.LittleEndian.Uint32(p[16:]))
	if extra := int64(len(p)) - whole; extra >= 0 && extra <= maxPadding {
		p = p[:whole]
	}
	return p
}

// readBody completes the body of the frame under way.
func (d *decoder) readBody(r io.Reader, alloc func(int) []byte) error {
	for d.filled < d.frame.size {
		if d.filled == len(d.body) {
			d.grow(alloc)
		}
		if d.start < d.end {
			n := copy(d.body[d.filled:], d.buffered())
			d.consume(n)
			d.filled += n
			continue
		}
		n, err := d.read(r, d.body[d.filled:])
		d.filled += n
		if n == 0 {
			return unexpected(err)
		}
	}
	return nil
}

// grow makes room for the next part of the body.
func (d *decoder) grow(alloc func(int) []byte) {
	n := min(d.frame.size, max(firstChunk, 4*d.filled))
	var b []byte
	if alloc != nil {
		b = alloc(n)
	}
	if len(b) < n {
		b = make([]byte, n)
	}
	b = b[:n]
	copy(b, d.body[:d.filled])
	d.body = b
}

// fill reads until the buffer holds need bytes. need is at most initLen, so
// there is always room.
func (d *decoder) fill(r io.Reader, need int) error {
	if d.buf == nil {
		d.buf = new([bufLen]byte)
	}
	for d.end-d.start < need {
		if d.start > 0 {
			copy(d.buf[:], d.buffered())
			d.start, d.end = 0, d.end-d.start
		}
		n, err := d.read(r, d.buf[d.end:])
		d.end += n
		if n == 0 {
			if d.end > d.start {
				err = unexpected(err)
			}
			return err
		}
	}
	return nil
}

// read reads once into b and decrypts what came. n is 0 only with an error; an
// error that comes with bytes is left for the next read to report.
func (d *decoder) read(r io.Reader, b []byte) (n int, err error) {
	for range maxEmptyReads {
		n, err = r.Read(b)
		if n > 0 {
			d.decrypt(b[:n])
			return n, nil
		}
		if err != nil {
			return 0, err
		}
	}
	return 0, io.ErrNoProgress
}

func (d *decoder) buffered() []byte {
	if d.buf == nil {
		return nil
	}
	return d.buf[d.start:d.end]
}

// rest lets go of what the next byte brings back.
func (d *decoder) rest() {
	d.dec.rest()
	if d.start == d.end {
		d.buf, d.start, d.end = nil, 0, 0
	}
}

func (d *decoder) consume(n int) { d.start += n }

func (d *decoder) decrypt(b []byte) {
	if d.dec != nil {
		d.dec.XORKeyStream(b, b)
	}
}

// unexpected turns the end of the stream within a frame into an error of its own.
func unexpected(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

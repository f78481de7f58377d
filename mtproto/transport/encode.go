package transport

import (
	"encoding/binary"
	"hash/crc32"
	"io"
)

const (
	// maxPadding is the most that Padded puts behind a packet.
	maxPadding = 15
	// maxQuickAckPadding is the most it puts behind a quick ack: the whole
	// frame is 8..16 bytes.
	maxQuickAckPadding = 8
	// fullOverhead is length, sequence number and CRC32 of a full frame.
	fullOverhead = 12
)

// Encode appends the packet as one frame to dst and returns the extended
// slice: what to write to the connection, in order, whole. The first call also
// appends the client's opening (tag or obfuscated header). The error is a
// *PacketError, ErrUndetected, or the one of the random source; dst is then
// returned as it was and nothing has to be sent.
func (c *Codec) Encode(dst, packet []byte) ([]byte, error) {
	if n := len(packet); n == 0 || n > MaxPacket || n%4 != 0 {
		return dst, &PacketError{c.kind, n}
	}
	return c.append(dst, packet, maxPadding)
}

// AppendError appends a transport error code (-404, -429, ...) in the form that
// this framing gives it. A server closes the connection after it.
func (c *Codec) AppendError(dst []byte, code int32) ([]byte, error) {
	word := binary.LittleEndian.AppendUint32(nil, uint32(code))
	if c.kind != Full {
		return c.append(dst, word, maxPadding)
	}
	// Unframed: the code stands where length, sequence number and the next
	// word would be (seen in LonamiWebs/Telethon#4042).
	for range 3 {
		dst = append(dst, word...)
	}
	return dst, nil
}

// AppendQuickAck appends the server's quick ack for a packet that asked for one.
// Bit 31 of the token is set whatever the caller passes. The full transport has
// no quick acks: dst comes back unchanged.
func (c *Codec) AppendQuickAck(dst []byte, token uint32) ([]byte, error) {
	token |= quickAckBit
	switch c.kind {
	case 0:
		return dst, ErrUndetected
	case Padded:
		framed := binary.LittleEndian.AppendUint32([]byte{0xff, 0xff, 0xff, 0xff}, token)
		return c.append(dst, framed, maxQuickAckPadding)
	case Full:
		return dst, nil
	}
	start := len(dst)
	if c.kind == Abridged {
		// Big-endian, so that the first byte has its top bit set, which no
		// length byte from a server has.
		dst = binary.BigEndian.AppendUint32(dst, token)
	} else {
		dst = binary.LittleEndian.AppendUint32(dst, token)
	}
	c.encrypt(dst[start:])
	return dst, nil
}

// append frames one payload; paddingMax matters to Padded only.
func (c *Codec) append(dst, payload []byte, paddingMax int) ([]byte, error) {
	padding := 0
	switch c.kind {
	case 0:
		return dst, ErrUndetected
	case Padded:
		var err error
		if padding, err = c.drawPadding(paddingMax); err != nil {
			return dst, err
		}
	}
	if c.preamble != nil {
		dst = append(dst, c.preamble...) // an obfuscated one is encrypted already
		c.preamble = nil
	}
	start := len(dst)
	dst = c.appendHeader(dst, len(payload)+padding)
	dst = append(dst, payload...)
	dst = append(dst, c.pad[1:1+padding]...)
	if c.kind == Full {
		dst = binary.LittleEndian.AppendUint32(dst, crc32.ChecksumIEEE(dst[start:]))
	}
	c.encrypt(dst[start:])
	return dst, nil
}

func (c *Codec) appendHeader(dst []byte, n int) []byte {
	switch c.kind {
	case Abridged:
		if n /= 4; n < abridgedLong {
			return append(dst, byte(n))
		}
		return append(dst, abridgedLong, byte(n), byte(n>>8), byte(n>>16))
	case Full:
		dst = binary.LittleEndian.AppendUint32(dst, uint32(n+fullOverhead))
		dst = binary.LittleEndian.AppendUint32(dst, c.outSeq)
		c.outSeq++
		return dst
	}
	return binary.LittleEndian.AppendUint32(dst, uint32(n))
}

// drawPadding fills c.pad: a random count of at most limit, then that many
// random bytes from c.pad[1] on.
func (c *Codec) drawPadding(limit int) (int, error) {
	if c.rand == nil {
		return 0, &ConfigError{"padded needs a source of randomness"}
	}
	if _, err := io.ReadFull(c.rand, c.pad[:]); err != nil {
		return 0, err
	}
	return int(c.pad[0]) % (limit + 1), nil
}

func (c *Codec) encrypt(b []byte) {
	if c.enc != nil {
		c.enc.XORKeyStream(b, b)
	}
}

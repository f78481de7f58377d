package handshake

import (
	"crypto/sha1"
	"crypto/subtle"
	"encoding/binary"
	"fmt"
	"io"
	"math/bits"
	"time"

	"github.com/mtfleet/mtfleet/mtproto/crypt"
	"github.com/mtfleet/mtfleet/tl"
)

// plainHeader is auth_key_id (0), msg_id and the length of the body.
const plainHeader = 8 + 8 + 4

const (
	// maxPlain bounds a plain packet: the largest honest one has 672 bytes, and junk is tolerated. It bounds the time that
	// hashing and decrypting a hostile one take, to some 50 microseconds.
	maxPlain = 16 << 10
	// maxEncrypted bounds encrypted data inside one: 592 bytes are honest.
	maxEncrypted = 4 << 10
)

// The low two bits of a plain msg_id.
const (
	msgIDMask   = 3
	msgIDClient = 0
	msgIDAnswer = 1
	// msgIDAny is what a server asks of clients: nothing. Shipped ones send 0 in a handshake, and 1 in probes.
	msgIDAny = -1
)

// msgIDs makes msg_ids for one sender: the time in units of 2^-32 seconds, with kind in the two low bits, strictly
// increasing even when the clock stands or goes back.
type msgIDs struct{ last int64 }

func (g *msgIDs) next(now time.Time, kind int64) int64 {
	id := now.Unix()<<32 | int64(now.Nanosecond())
	if id |= msgIDMask; id <= g.last {
		id = g.last + 4
	}
	g.last = id
	return id&^msgIDMask | kind
}

// appendPlain appends the plain packet that carries body.
func appendPlain(dst []byte, msgID int64, body []byte) []byte {
	dst = binary.LittleEndian.AppendUint64(dst, 0)
	dst = binary.LittleEndian.AppendUint64(dst, uint64(msgID))
	dst = binary.LittleEndian.AppendUint32(dst, uint32(len(body)))
	return append(dst, body...)
}

// parsePlain checks the envelope and the kind of msg_id (msgIDAny for none), and cuts out the body. Real servers put random bytes into the
// length behind the object, other clients behind the length: whoever parses the body must stop where the object ends.
func parsePlain(packet []byte, kind int64) (body []byte, err error) {
	if len(packet) < plainHeader || len(packet) > maxPlain {
		return nil, ErrEnvelope
	}
	le := binary.LittleEndian
	length := le.Uint32(packet[16:])
	if le.Uint64(packet) != 0 || length == 0 || uint64(length) > uint64(len(packet)-plainHeader) {
		return nil, ErrEnvelope
	}
	if id := int64(le.Uint64(packet[8:])); kind != msgIDAny && (id <= 0 || id&msgIDMask != kind) {
		return nil, ErrMsgID
	}
	return packet[plainHeader : plainHeader+int(length)], nil
}

// parse reads one object from the start of body and returns its length.
func parse(body []byte, o tl.Object) (n int, err error) {
	r := tl.NewReader(body)
	o.Parse(r)
	if err := r.Err(); err != nil {
		return 0, err
	}
	return r.Offset(), nil
}

// bodyID reads the constructor id of a body; 0, which nothing has, when there is none.
func bodyID(body []byte) uint32 {
	if len(body) < 4 {
		return 0
	}
	return binary.LittleEndian.Uint32(body)
}

// checkNonces compares both nonces in constant time.
func checkNonces(nonce, serverNonce, wantNonce, wantServerNonce *[16]byte) error {
	if subtle.ConstantTimeCompare(nonce[:], wantNonce[:]) != 1 {
		return ErrNonce
	}
	if subtle.ConstantTimeCompare(serverNonce[:], wantServerNonce[:]) != 1 {
		return ErrServerNonce
	}
	return nil
}

// sealHashed is SHA1(object) ‖ object ‖ 0..15 random bytes under the temporary key: how both DH messages travel.
func sealHashed(object []byte, key, iv *[32]byte, rand io.Reader) ([]byte, error) {
	sum := sha1.Sum(object)
	data := append(sum[:], object...)
	end := len(data)
	data = append(data, make([]byte, -end&15)...)
	if _, err := io.ReadFull(rand, data[end:]); err != nil {
		return nil, randomError(err)
	}
	return data, crypt.EncryptIGE(key, iv, data)
}

// openHashed is the inverse of sealHashed: it decrypts a copy, parses o and checks that the hash covers exactly o and that
// no more than padding follows. Every failure is ErrEncrypted.
func openHashed(encrypted []byte, key, iv *[32]byte, o tl.Object) error {
	if len(encrypted) <= sha1.Size || len(encrypted) > maxEncrypted {
		return ErrEncrypted
	}
	data := append([]byte(nil), encrypted...)
	defer clear(data)
	if err := crypt.DecryptIGE(key, iv, data); err != nil {
		return ErrEncrypted
	}
	object := data[sha1.Size:]
	n, err := parse(object, o)
	if err != nil || len(object)-n >= 16 {
		return ErrEncrypted
	}
	sum := sha1.Sum(object[:n])
	if subtle.ConstantTimeCompare(sum[:], data[:sha1.Size]) != 1 {
		return ErrEncrypted
	}
	return nil
}

// minimal is the shortest big-endian form of n, as pq, p and q travel.
func minimal(n uint64) []byte {
	b := binary.BigEndian.AppendUint64(nil, n)
	return b[bits.LeadingZeros64(n)/8:]
}

// parseMinimal reads a number below 2^64 in its shortest form.
func parseMinimal(b []byte) (n uint64, ok bool) {
	if len(b) == 0 || len(b) > 8 || b[0] == 0 {
		return 0, false
	}
	for _, c := range b {
		n = n<<8 | uint64(c)
	}
	return n, true
}

func randomError(err error) error { return fmt.Errorf("reading randomness: %w", err) }

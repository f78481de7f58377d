package crypt

import (
	"crypto/subtle"
	"encoding/binary"
	"errors"
	"io"
	"slices"
)

const (
	// headerSize is auth_key_id and msg_key, in front of every encrypted packet.
	headerSize = 8 + 16
	// minEncrypted is the least a packet can carry: the 32-byte inner header and 12 bytes of padding, in whole blocks.
	minEncrypted = 48
	// minPadding and maxPaddingBlocks bound what AppendEncrypted adds: 12..27 bytes to fill the block, then 0..15 blocks
	// more, so that the length of a packet says little about its content. At most 27 + 15·16 = 267 of the legal 1024.
	minPadding       = 12
	maxPaddingBlocks = 15
)

// Reasons of a DecryptError.
var (
	// ErrShortPacket: the packet cannot hold a header, a message and its padding.
	ErrShortPacket = errors.New("packet too short")
	// ErrKeyID: the packet belongs to another auth key.
	ErrKeyID = errors.New("packet of another auth key")
	// ErrMsgKey: the msg_key does not match what was decrypted. The packet was damaged or forged: drop the connection.
	ErrMsgKey = errors.New("msg_key mismatch")
)

// DecryptError says that a packet was not written by the holder of the auth key. Nothing of its content was used.
type DecryptError struct {
	// Err is ErrShortPacket, ErrKeyID or ErrMsgKey.
	Err error
}

// Error gives the reason; it holds no byte of the packet.
func (e *DecryptError) Error() string { return "crypt: decrypt: " + e.Err.Error() }

// Unwrap gives the reason to errors.Is.
func (e *DecryptError) Unwrap() error { return e.Err }

// PacketKeyID reads the auth_key_id at the start of a packet: 0 for a plain one. ok is false when there are no 8 bytes.
func PacketKeyID(packet []byte) (id KeyID, ok bool) {
	if len(packet) < 8 {
		return 0, false
	}
	return KeyID(binary.LittleEndian.Uint64(packet)), true
}

// AppendEncrypted appends to dst the whole packet for one message: auth_key_id, msg_key, ciphertext. The plaintext is the
// 32-byte inner header and the body, without padding; 12 to 267 random bytes are added (legal are 12 to 1024). It must not
// overlap dst's spare capacity. It fails only when rand does; dst is then returned unchanged.
func AppendEncrypted(dst []byte, k *AuthKey, from Side, plaintext []byte, rand io.Reader) ([]byte, error) {
	fill := minPadding + (-(len(plaintext) + minPadding))&15
	most := fill + 16*maxPaddingBlocks
	start := len(dst)
	dst = slices.Grow(dst, headerSize+len(plaintext)+most+1)
	dst = append(dst, make([]byte, headerSize)...)
	dst = append(dst, plaintext...)
	end := len(dst)
	dst = append(dst, make([]byte, most+1)...)
	// One read for the padding and for the byte that decides how much of it is kept.
	if _, err := io.ReadFull(rand, dst[end:]); err != nil {
		return dst[:start], err
	}
	extra := int(dst[len(dst)-1]) % (maxPaddingBlocks + 1)
	dst = dst[:end+fill+16*extra]
	seal(k, from, dst[start:])
	return dst, nil
}

// seal turns a packet whose content from headerSize on is the padded plaintext into the encrypted packet, in place.
func seal(k *AuthKey, from Side, packet []byte) {
	large := msgKeyLarge(k, from, packet[headerSize:])
	msgKey := [16]byte(large[8:24])
	binary.LittleEndian.PutUint64(packet, uint64(k.id))
	copy(packet[8:], msgKey[:])
	key, iv := deriveV2(k, from, &msgKey)
	encryptIGE(newAES(&key), &iv, packet[headerSize:])
}

// Decrypt appends to dst everything a packet carries: the 32-byte inner header, the body and the padding, exactly as they
// were sent. The msg_key is verified in constant time before the bytes are returned; the inner length, the amount of
// padding and all else are for the caller to check. Up to 15 bytes of transport padding after the ciphertext are ignored.
// The error is a *DecryptError, and dst is then returned unchanged.
func Decrypt(dst []byte, k *AuthKey, from Side, packet []byte) ([]byte, error) {
	if len(packet) < headerSize+minEncrypted {
		return dst, &DecryptError{ErrShortPacket}
	}
	if id, _ := PacketKeyID(packet); id != k.id {
		return dst, &DecryptError{ErrKeyID}
	}
	msgKey := [16]byte(packet[8:headerSize])
	n := (len(packet) - headerSize) &^ 15
	start := len(dst)
	dst = append(dst, packet[headerSize:headerSize+n]...)
	plaintext := dst[start:]

	key, iv := deriveV2(k, from, &msgKey)
	decryptIGE(newAES(&key), &iv, plaintext)
	large := msgKeyLarge(k, from, plaintext)
	if subtle.ConstantTimeCompare(large[8:24], msgKey[:]) != 1 {
		clear(plaintext)
		return dst[:start], &DecryptError{ErrMsgKey}
	}
	return dst, nil
}

// QuickAckToken is the token by which a DC confirms that it received a message, computed from the padded plaintext (what
// Decrypt returns): the first 32 bits of the hash whose middle is the msg_key, with the top bit set
// (https://core.telegram.org/mtproto/mtproto-transports#quick-ack).
func QuickAckToken(k *AuthKey, from Side, padded []byte) uint32 {
	large := msgKeyLarge(k, from, padded)
	return binary.LittleEndian.Uint32(large[:4]) | 1<<31
}

package transport

import (
	"crypto/sha256"
	"encoding/binary"
	"io"
)

const (
	initLen = 64 // the obfuscated header
	// maxInitDraws bounds the search for an allowed header. One draw fails
	// with a probability of about 1/256, so 64 failures in a row mean that
	// the random source is broken.
	maxInitDraws = 64
)

// First words that an obfuscated header must not have, because a server would
// take them for something else; little-endian, as they are read.
const (
	wordHEAD = 0x44414548
	wordPOST = 0x54534f50
	wordGET  = 0x20544547
	wordOPTI = 0x4954504f // OPTIONS
	wordTLS  = 0x02010316 // a TLS record with a ClientHello of 512 bytes
)

// newInit draws the 64 bytes from which both keys come.
func newInit(rand io.Reader) (init [initLen]byte, err error) {
	for range maxInitDraws {
		if _, err = io.ReadFull(rand, init[:]); err != nil {
			return init, err
		}
		if allowedInit(init[:]) {
			return init, nil
		}
	}
	return init, &ConfigError{"the random source repeats itself: no obfuscated header can be made of it"}
}

// allowedInit tells whether a server would read these bytes as obfuscated2.
func allowedInit(init []byte) bool {
	if init[0] == 0xef {
		return false
	}
	switch binary.LittleEndian.Uint32(init) {
	case wordHEAD, wordPOST, wordGET, wordOPTI, wordTLS, Intermediate.tag(), Padded.tag():
		return false
	}
	return binary.LittleEndian.Uint32(init[4:]) != 0
}

// streams derives the two key streams of an obfuscated header: toServer for
// what the client sends, toClient for what the server sends. Both start at the
// first byte of their direction, which for the client is the header itself.
func streams(init []byte, secret []byte) (toServer, toClient *keyStream) {
	var reversed [48]byte
	for i := range reversed {
		reversed[i] = init[8+47-i]
	}
	return ctr(init[8:56], secret), ctr(reversed[:], secret)
}

// ctr makes one stream from 32 bytes of key and 16 of counter.
func ctr(material []byte, secret []byte) *keyStream {
	s := &keyStream{key: [32]byte(material), counter: [16]byte(material[32:48])}
	if secret != nil {
		s.key = sha256.Sum256(append(s.key[:], secret...))
	}
	return s
}

// obfuscate builds the header to send and the client's two streams. The sending
// stream has already passed the header: it must not be restarted.
func obfuscate(init [initLen]byte, k Kind, dc int16, secret []byte) (header [initLen]byte, enc, dec *keyStream) {
	enc, dec = streams(init[:], secret)
	binary.LittleEndian.PutUint32(init[56:], k.tag())
	binary.LittleEndian.PutUint16(init[60:], uint16(dc))
	enc.XORKeyStream(header[:], init[:])
	copy(header[:56], init[:56])
	return header, enc, dec
}

// deobfuscate reads a client's header on the server's side. The kind is 0 when
// the tag is unknown.
func deobfuscate(header []byte, secret []byte) (k Kind, dc int16, enc, dec *keyStream) {
	dec, enc = streams(header, secret)
	var plain [initLen]byte
	dec.XORKeyStream(plain[:], header[:initLen])
	k = kindOfTag(binary.LittleEndian.Uint32(plain[56:]))
	return k, int16(binary.LittleEndian.Uint16(plain[60:])), enc, dec
}

package transport

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/binary"
	"math/bits"
)

// keyStream is the AES-256-CTR stream of one direction. At rest it is a key, a
// counter and a place, 56 bytes; the cipher of these, with its expanded key, takes
// some 500, and is made when the next byte comes.
type keyStream struct {
	key     [32]byte
	counter [16]byte // of the first byte, big-endian
	place   uint64   // bytes so far
	cipher  cipher.Stream
}

// XORKeyStream goes on where it was.
func (s *keyStream) XORKeyStream(dst, src []byte) {
	if s.cipher == nil {
		s.wake()
	}
	s.cipher.XORKeyStream(dst, src)
	s.place += uint64(len(src))
}

// rest lets the cipher go. A nil stream has none.
func (s *keyStream) rest() {
	if s != nil {
		s.cipher = nil
	}
}

func (s *keyStream) wake() {
	block, err := aes.NewCipher(s.key[:])
	if err != nil {
		panic("transport: AES refused a key of 32 bytes") // cannot happen: the size is in the type
	}
	high, low := binary.BigEndian.Uint64(s.counter[:]), binary.BigEndian.Uint64(s.counter[8:])
	low, carry := bits.Add64(low, s.place/aes.BlockSize, 0)
	var at, begun [aes.BlockSize]byte
	binary.BigEndian.PutUint64(at[:], high+carry)
	binary.BigEndian.PutUint64(at[8:], low)
	s.cipher = cipher.NewCTR(block, at[:])
	used := begun[:s.place%aes.BlockSize]
	s.cipher.XORKeyStream(used, used)
}

package crypt

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/binary"
	"errors"
)

// ErrBlockSize says that data given to AES-IGE is not a whole number of 16-byte blocks.
var ErrBlockSize = errors.New("crypt: data is not a multiple of 16 bytes")

// EncryptIGE encrypts buf in place with AES-256 in IGE mode (infinite garble extension).
// The iv is iv1 ‖ iv2: what stands for the ciphertext block and the plaintext block before the first.
// It fails only with ErrBlockSize, leaving buf as it was.
func EncryptIGE(key, iv *[32]byte, buf []byte) error {
	if len(buf)%aes.BlockSize != 0 {
		return ErrBlockSize
	}
	encryptIGE(newAES(key), iv, buf)
	return nil
}

// DecryptIGE is the inverse of EncryptIGE, in place, with the same key and iv.
func DecryptIGE(key, iv *[32]byte, buf []byte) error {
	if len(buf)%aes.BlockSize != 0 {
		return ErrBlockSize
	}
	decryptIGE(newAES(key), iv, buf)
	return nil
}

func newAES(key *[32]byte) cipher.Block {
	block, err := aes.NewCipher(key[:])
	if err != nil {
		panic("crypt: BUG: " + err.Error()) // 32 bytes are always a legal AES key
	}
	return block
}

// encryptIGE computes c[i] = E(p[i] XOR c[i-1]) XOR p[i-1]. The two previous blocks live in registers and the cipher
// works in place, so no block needs memory of its own.
func encryptIGE(block cipher.Block, iv *[32]byte, buf []byte) {
	le := binary.LittleEndian
	c0, c1 := le.Uint64(iv[0:]), le.Uint64(iv[8:])
	p0, p1 := le.Uint64(iv[16:]), le.Uint64(iv[24:])
	for len(buf) >= aes.BlockSize {
		b := buf[:aes.BlockSize:aes.BlockSize]
		n0, n1 := le.Uint64(b[0:]), le.Uint64(b[8:])
		le.PutUint64(b[0:], n0^c0)
		le.PutUint64(b[8:], n1^c1)
		block.Encrypt(b, b)
		c0, c1 = le.Uint64(b[0:])^p0, le.Uint64(b[8:])^p1
		le.PutUint64(b[0:], c0)
		le.PutUint64(b[8:], c1)
		p0, p1 = n0, n1
		buf = buf[aes.BlockSize:]
	}
}

// decryptIGE computes p[i] = D(c[i] XOR p[i-1]) XOR c[i-1].
func decryptIGE(block cipher.Block, iv *[32]byte, buf []byte) {
	le := binary.LittleEndian
	c0, c1 := le.Uint64(iv[0:]), le.Uint64(iv[8:])
	p0, p1 := le.Uint64(iv[16:]), le.Uint64(iv[24:])
	for len(buf) >= aes.BlockSize {
		b := buf[:aes.BlockSize:aes.BlockSize]
		n0, n1 := le.Uint64(b[0:]), le.Uint64(b[8:])
		le.PutUint64(b[0:], n0^p0)
		le.PutUint64(b[8:], n1^p1)
		block.Decrypt(b, b)
		p0, p1 = le.Uint64(b[0:])^c0, le.Uint64(b[8:])^c1
		le.PutUint64(b[0:], p0)
		le.PutUint64(b[8:], p1)
		c0, c1 = n0, n1
		buf = buf[aes.BlockSize:]
	}
}

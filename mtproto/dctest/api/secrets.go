package api

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"io"
)

// stream is a repeatable byte stream: SHA-256 of label, seed and a counter, block after block.
type stream struct {
	key   [32]byte
	block uint64
	buf   []byte
}

func newStream(seed uint64, label string) *stream {
	var b [8]byte
	binary.LittleEndian.PutUint64(b[:], seed)
	return &stream{key: sha256.Sum256(append(b[:], label...))}
}

// Read implements io.Reader; it never fails and always fills p.
func (s *stream) Read(p []byte) (int, error) {
	n := len(p)
	for len(p) > 0 {
		if len(s.buf) == 0 {
			in := binary.LittleEndian.AppendUint64(append([]byte{}, s.key[:]...), s.block)
			s.block++
			sum := sha256.Sum256(in)
			s.buf = sum[:]
		}
		k := copy(p, s.buf)
		p, s.buf = p[k:], s.buf[k:]
	}
	return n, nil
}

func (s *stream) uint64() uint64 {
	var b [8]byte
	_, _ = s.Read(b[:]) // a stream never fails
	return binary.LittleEndian.Uint64(b[:])
}

func (s *stream) bytes(n int) []byte {
	b := make([]byte, n)
	_, _ = s.Read(b)
	return b
}

// text draws n characters of alphabet; the bias of the modulus does not matter for test data.
func (s *stream) text(n int, alphabet string) string {
	b := make([]byte, n)
	_, _ = s.Read(b)
	for i := range b {
		b[i] = alphabet[int(b[i])%len(alphabet)]
	}
	return string(b)
}

// random returns n bytes that are handed out once. A source that fails is replaced by the seeded stream: the cluster has
// nobody to report to in the middle of a query, and a test server may be guessed.
func (b *Backend) random(n int) []byte {
	p := make([]byte, n)
	if b.cfg.Rand != nil {
		if _, err := io.ReadFull(b.cfg.Rand, p); err == nil {
			return p
		}
	}
	_, _ = b.fallback.Read(p)
	return p
}

// randomHash returns a non-zero 64-bit handle.
func (b *Backend) randomHash() int64 {
	for {
		if h := int64(binary.LittleEndian.Uint64(b.random(8))); h != 0 {
			return h
		}
	}
}

// randomHex returns 2n hex digits.
func (b *Backend) randomHex(n int) string { return hex.EncodeToString(b.random(n)) }

package seal

import (
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"

	"golang.org/x/crypto/chacha20poly1305"

	"github.com/mtfleet/mtfleet/persistence"
)

// Format is the format of sealed values that this program writes, and the newest
// it reads.
const Format = 1

// A sealed value:
//
//	0      format, 1
//	1..5   key id: which master key
//	5..7   version of the record's own format, little-endian
//	7..31  nonce, random
//	31..   ciphertext and its 16 bytes of authentication
const (
	HeaderLen = 1 + keyIDLen + 2                                  // bytes before the nonce
	AuthLen   = chacha20poly1305.Overhead                         // bytes at the end
	Overhead  = HeaderLen + chacha20poly1305.NonceSizeX + AuthLen // bytes beside the record's

	keyIDLen = 4
)

// Sealer seals and opens values. It is safe for concurrent use.
type Sealer struct {
	aead  cipher.AEAD
	keyID [keyIDLen]byte
}

// New returns the sealer of a master key.
func New(master MasterKey) (*Sealer, error) {
	key, err := hkdf.Key(sha256.New, master[:], nil, "mtfleet store: seal records", chacha20poly1305.KeySize)
	if err != nil {
		return nil, err
	}
	aead, err := chacha20poly1305.NewX(key)
	if err != nil {
		return nil, err
	}
	id, err := hkdf.Key(sha256.New, master[:], nil, "mtfleet store: key id", keyIDLen)
	if err != nil {
		return nil, err
	}
	return &Sealer{aead: aead, keyID: [keyIDLen]byte(id)}, nil
}

// Seal returns the value to store for the record. A nonce of 24 random bytes
// never repeats in practice, whatever the number of records.
func (s *Sealer) Seal(r persistence.Record) ([]byte, error) {
	b := make([]byte, HeaderLen+chacha20poly1305.NonceSizeX, Overhead+len(r.Data))
	b[0] = Format
	copy(b[1:], s.keyID[:])
	binary.LittleEndian.PutUint16(b[1+keyIDLen:], r.Version)
	nonce := b[HeaderLen:]
	if _, err := rand.Read(nonce); err != nil {
		return nil, err
	}
	return s.aead.Seal(b, nonce, r.Data, associated(r.Key, b[:HeaderLen])), nil
}

// Open is the reverse of Seal. The error is a *persistence.CorruptError or, when a newer
// program sealed the value, a *persistence.VersionError.
func (s *Sealer) Open(k persistence.Key, b []byte) (persistence.Record, error) {
	r := persistence.Record{Key: k}
	version, err := Peek(k, b)
	if err != nil {
		return r, err
	}
	if len(b) < Overhead {
		return r, &persistence.CorruptError{Key: k, Why: "it is too short"}
	}
	if id := b[1 : 1+keyIDLen]; string(id) != string(s.keyID[:]) {
		return r, &persistence.CorruptError{Key: k, Why: "it was sealed with another master key (id " + hex.EncodeToString(id) + ")"}
	}
	nonce, sealed := b[HeaderLen:HeaderLen+chacha20poly1305.NonceSizeX], b[HeaderLen+chacha20poly1305.NonceSizeX:]
	data, err := s.aead.Open(nil, nonce, sealed, associated(k, b[:HeaderLen]))
	if err != nil {
		return r, &persistence.CorruptError{Key: k, Why: "its seal does not open"}
	}
	r.Version, r.Data = version, data
	return r, nil
}

// OfAnotherKey tells whether a sealed value names another master key.
func (s *Sealer) OfAnotherKey(b []byte) bool {
	return len(b) >= HeaderLen && b[0] == Format && [keyIDLen]byte(b[1:]) != s.keyID
}

// Peek reads the record's version from the clear header. Nothing vouches for it but
// the seal: Open does. The errors are those of Open.
func Peek(k persistence.Key, b []byte) (version uint16, err error) {
	switch {
	case len(b) < 1:
		return 0, &persistence.CorruptError{Key: k, Why: "it is empty"}
	case b[0] > Format:
		return 0, &persistence.VersionError{Key: k, Version: uint16(b[0]), Known: Format}
	case b[0] < Format:
		return 0, &persistence.CorruptError{Key: k, Why: "its header is wrong"}
	case len(b) < HeaderLen:
		return 0, &persistence.CorruptError{Key: k, Why: "it is too short"}
	}
	return binary.LittleEndian.Uint16(b[1+keyIDLen:]), nil
}

// associated is what a seal covers besides the data. Lengths go first, so that
// no two keys give the same bytes.
func associated(k persistence.Key, header []byte) []byte {
	b := make([]byte, 0, len(header)+3+len(k.Account)+len(k.Sub))
	b = append(b, header...)
	b = append(b, byte(k.Kind), byte(len(k.Account)))
	b = append(b, k.Account...)
	b = append(b, byte(len(k.Sub)))
	return append(b, k.Sub...)
}

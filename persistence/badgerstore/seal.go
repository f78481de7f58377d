package badgerstore

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

// sealFormat is the format of sealed values that this program writes, and the
// newest it reads.
const sealFormat = 1

// A sealed value:
//
//	0      format, 1
//	1..5   key id: which master key
//	5..7   version of the record's own format, little-endian
//	7..31  nonce, random
//	31..   ciphertext and its 16 bytes of authentication
const (
	headerLen = 1 + keyIDLen + 2
	keyIDLen  = 4
	authLen   = chacha20poly1305.Overhead
	overhead  = headerLen + chacha20poly1305.NonceSizeX + authLen
)

// sealer seals and opens values. It is safe for concurrent use.
type sealer struct {
	aead  cipher.AEAD
	keyID [keyIDLen]byte
}

func newSealer(master MasterKey) (*sealer, error) {
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
	return &sealer{aead: aead, keyID: [keyIDLen]byte(id)}, nil
}

// seal returns the value to store for the record. A nonce of 24 random bytes
// never repeats in practice, whatever the number of records.
func (s *sealer) seal(r persistence.Record) ([]byte, error) {
	b := make([]byte, headerLen+chacha20poly1305.NonceSizeX, overhead+len(r.Data))
	b[0] = sealFormat
	copy(b[1:], s.keyID[:])
	binary.LittleEndian.PutUint16(b[1+keyIDLen:], r.Version)
	nonce := b[headerLen:]
	if _, err := rand.Read(nonce); err != nil {
		return nil, err
	}
	return s.aead.Seal(b, nonce, r.Data, associated(r.Key, b[:headerLen])), nil
}

// open is the reverse. The error is a *persistence.CorruptError or, when a newer
// program sealed the value, a *persistence.VersionError.
func (s *sealer) open(k persistence.Key, b []byte) (persistence.Record, error) {
	r := persistence.Record{Key: k}
	version, err := peek(k, b)
	if err != nil {
		return r, err
	}
	if len(b) < overhead {
		return r, &persistence.CorruptError{Key: k, Why: "it is too short"}
	}
	if id := b[1 : 1+keyIDLen]; string(id) != string(s.keyID[:]) {
		return r, &persistence.CorruptError{Key: k, Why: "it was sealed with another master key (id " + hex.EncodeToString(id) + ")"}
	}
	nonce, sealed := b[headerLen:headerLen+chacha20poly1305.NonceSizeX], b[headerLen+chacha20poly1305.NonceSizeX:]
	data, err := s.aead.Open(nil, nonce, sealed, associated(k, b[:headerLen]))
	if err != nil {
		return r, &persistence.CorruptError{Key: k, Why: "its seal does not open"}
	}
	r.Version, r.Data = version, data
	return r, nil
}

// peek reads the record's version from the clear header.
func peek(k persistence.Key, b []byte) (version uint16, err error) {
	switch {
	case len(b) < 1:
		return 0, &persistence.CorruptError{Key: k, Why: "it is empty"}
	case b[0] > sealFormat:
		return 0, &persistence.VersionError{Key: k, Version: uint16(b[0]), Known: sealFormat}
	case b[0] < sealFormat:
		return 0, &persistence.CorruptError{Key: k, Why: "its header is wrong"}
	case len(b) < headerLen:
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

package crypt

import (
	"crypto/sha1"
	"crypto/subtle"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
)

// KeySize is the length of an auth key, of the DH prime and of every number modulo it, in bytes.
const KeySize = 256

// ErrKeySize says that bytes offered as an auth key are not KeySize long. A shorter number must be padded on the left
// with zeros before its hash means anything.
var ErrKeySize = errors.New("crypt: an auth key has 256 bytes")

// KeyID is the auth_key_id: the low 64 bits of the SHA-1 of an auth key. It is public; it starts every encrypted packet.
type KeyID int64

// String gives the eight bytes as they stand on the wire, in hexadecimal.
func (id KeyID) String() string {
	b := binary.LittleEndian.AppendUint64(nil, uint64(id))
	return hex.EncodeToString(b)
}

// AuthKey is a 2048-bit key shared with one DC, perm or temp. It does not change after it was made, except by Wipe.
type AuthKey struct {
	value [KeySize]byte
	aux   [8]byte
	id    KeyID
}

// NewAuthKey takes a copy of the 256 bytes of a key. It fails with ErrKeySize.
func NewAuthKey(value []byte) (*AuthKey, error) {
	if len(value) != KeySize {
		return nil, ErrKeySize
	}
	k := new(AuthKey)
	copy(k.value[:], value)
	sum := sha1.Sum(k.value[:])
	copy(k.aux[:], sum[:8])
	k.id = KeyID(binary.LittleEndian.Uint64(sum[12:]))
	return k, nil
}

// ID is the auth_key_id.
func (k *AuthKey) ID() KeyID { return k.id }

// AuxHash is the auth_key_aux_hash: the first eight bytes of the key's SHA-1. It enters the new_nonce hashes and, as a
// little-endian long, the retry_id.
func (k *AuthKey) AuxHash() [8]byte { return k.aux }

// Bytes returns a copy of the secret, for the store.
func (k *AuthKey) Bytes() []byte { return append([]byte(nil), k.value[:]...) }

// Equal compares two keys in constant time.
func (k *AuthKey) Equal(other *AuthKey) bool {
	return subtle.ConstantTimeCompare(k.value[:], other.value[:]) == 1
}

// Wipe overwrites the secret with zeros. The key must not be used afterwards, by anybody.
func (k *AuthKey) Wipe() { clear(k.value[:]) }

// String names the key by its id; the secret stays inside.
func (k AuthKey) String() string { return "AuthKey(" + k.id.String() + ")" }

// GoString is String.
func (k AuthKey) GoString() string { return k.String() }

// Format answers every verb with String, so that %x and %d show no byte of the secret.
func (k AuthKey) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(k.String())) }

// MarshalText is String: loggers and JSON print the id. It is not a way to store a key; Bytes is.
func (k AuthKey) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

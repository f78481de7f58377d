package foreign

import (
	"crypto/pbkdf2"
	"crypto/sha1"
	"crypto/sha512"
	"crypto/subtle"
	"encoding/binary"

	"github.com/mtfleet/mtfleet/mtproto/crypt"
)

// How Telegram Desktop derives a key from a passcode. They are constants of the program, not of the file, so that no
// file can ask for more work: 100,000 rounds for each of four blocks of SHA-512 take about a tenth of a second.
const (
	tdSaltSize = 32

	tdRounds       = 100_000
	tdRoundsNoPass = 1 // there is nothing to guess

	tdOldRounds       = 4000 // until 2020, with SHA-1
	tdOldRoundsNoPass = 4
)

// passcodeKey is the key that locks the local key.
func passcodeKey(passcode, salt []byte) (*crypt.AuthKey, error) {
	h := sha512.New()
	h.Write(salt)
	h.Write(passcode)
	h.Write(salt)
	rounds := tdRounds
	if len(passcode) == 0 {
		rounds = tdRoundsNoPass
	}
	return derived(pbkdf2.Key(sha512.New, string(h.Sum(nil)), salt, rounds, crypt.KeySize))
}

// oldPasscodeKey is passcodeKey as it was before 2020.
func oldPasscodeKey(passcode, salt []byte) (*crypt.AuthKey, error) {
	rounds := tdOldRounds
	if len(passcode) == 0 {
		rounds = tdOldRoundsNoPass
	}
	return derived(pbkdf2.Key(sha1.New, string(passcode), salt, rounds, crypt.KeySize))
}

func derived(value []byte, err error) (*crypt.AuthKey, error) {
	if err != nil {
		return nil, bad(TData, ReasonMalformed, "passcode", "no key can be derived from it on this machine")
	}
	defer clear(value)
	return crypt.NewAuthKey(value)
}

// decryptLocal opens msg_key ‖ ciphertext under a 256-byte local key: AES-IGE by the key derivation of MTProto 1 as a
// server uses it, the msg_key being SHA-1 of the plain text with its padding. The plain text begins with its length,
// which counts itself. ok is false when the key is not the one, or the data is damaged; the two look the same.
func decryptLocal(encrypted []byte, key *crypt.AuthKey) (data []byte, ok bool) {
	const head = 16
	if len(encrypted) <= head || len(encrypted)%head != 0 {
		return nil, false
	}
	msgKey := [head]byte(encrypted)
	aesKey, iv := crypt.DeriveV1(key, crypt.Server, &msgKey)
	plain := append([]byte(nil), encrypted[head:]...)
	if err := crypt.DecryptIGE(&aesKey, &iv, plain); err != nil {
		return nil, false
	}
	sum := sha1.Sum(plain)
	n := int(binary.LittleEndian.Uint32(plain))
	if subtle.ConstantTimeCompare(sum[:head], msgKey[:]) != 1 || n < 4 || n > len(plain) || n <= len(plain)-head {
		clear(plain)
		return nil, false
	}
	return plain[4:n], true
}

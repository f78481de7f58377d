package crypt

import (
	"bytes"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"slices"
)

const (
	// MaxRSAPadData is the most that RSAPad carries, in bytes. The inner data of a handshake stays below it.
	MaxRSAPadData = 144

	rsaPadded = 192 // data and random bytes
	rsaHashed = rsaPadded + sha256.Size
	// maxRSATries bounds the search for a block below the modulus. One try fails with probability 1 - n/2^2048, less than
	// a half for any modulus (9 % and 22 % for Telegram's two keys), so 128 failures mean a broken source of randomness.
	maxRSATries = 128
)

// ErrRSAPad says that a block was not made by RSAPad for this key. One error for every cause: a server that told them
// apart would be an oracle.
var ErrRSAPad = errors.New("crypt: RSA_PAD block is not valid for this key")

// RSAPad encrypts data for the holder of pub: the RSA_PAD of https://core.telegram.org/mtproto/auth_key step 4.1. The
// result always has 256 bytes, zeros on the left included. From rand it reads the padding of the data (192 - len(data)
// bytes) and 32 bytes for each try. It fails when data is longer than MaxRSAPadData or rand fails.
func RSAPad(rand io.Reader, pub *PublicKey, data []byte) ([]byte, error) {
	if len(data) > MaxRSAPadData {
		return nil, fmt.Errorf("crypt: RSA_PAD takes at most %d bytes, not %d", MaxRSAPadData, len(data))
	}
	var padded [rsaPadded]byte
	defer clear(padded[:])
	if _, err := io.ReadFull(rand, padded[copy(padded[:], data):]); err != nil {
		return nil, err
	}
	var block [KeySize]byte // temp_key XOR SHA256(ae), then ae
	defer clear(block[:])
	for range maxRSATries {
		if err := fillRSABlock(&block, &padded, rand); err != nil {
			return nil, err
		}
		if bytes.Compare(block[:], pub.n) < 0 {
			return pub.encrypt(block[:])
		}
	}
	return nil, errors.New("crypt: RSA_PAD found no block below the modulus: randomness is broken")
}

func fillRSABlock(block *[KeySize]byte, padded *[rsaPadded]byte, rand io.Reader) error {
	var tempKey, zeroIV [32]byte
	defer clear(tempKey[:])
	if _, err := io.ReadFull(rand, tempKey[:]); err != nil {
		return err
	}
	ae := block[32:]
	copy(ae, padded[:])
	slices.Reverse(ae[:rsaPadded])
	hash := rsaPadHash(&tempKey, padded[:])
	copy(ae[rsaPadded:], hash[:])
	encryptIGE(newAES(&tempKey), &zeroIV, ae)
	mask := sha256.Sum256(ae)
	subtle.XORBytes(block[:32], tempKey[:], mask[:])
	return nil
}

// RSAUnpad is the server's half of RSAPad: it returns the 192 bytes of data and random padding. It fails with ErrRSAPad,
// whatever was wrong. About a millisecond.
func RSAUnpad(priv *PrivateKey, c []byte) ([]byte, error) {
	if len(c) != KeySize {
		return nil, ErrRSAPad
	}
	block, err := priv.decrypt(c)
	if err != nil {
		return nil, ErrRSAPad
	}
	return rsaUnpad(block)
}

// rsaUnpad opens a decrypted block in place.
func rsaUnpad(block []byte) ([]byte, error) {
	ae := block[32:]
	var tempKey, zeroIV [32]byte
	defer clear(tempKey[:])
	mask := sha256.Sum256(ae)
	subtle.XORBytes(tempKey[:], block[:32], mask[:])
	decryptIGE(newAES(&tempKey), &zeroIV, ae)
	padded, got := ae[:rsaPadded:rsaPadded], ae[rsaPadded:rsaHashed]
	slices.Reverse(padded)
	want := rsaPadHash(&tempKey, padded)
	if subtle.ConstantTimeCompare(want[:], got) != 1 {
		clear(padded)
		return nil, ErrRSAPad
	}
	return padded, nil
}

// RSAOpen is RSAUnpad for a server that serves clients of before RSA_PAD too. Their block is one zero byte, SHA1(object),
// the object and random bytes (the auth_key page before 2021, "data_with_hash"): then data is the 235 bytes behind the
// hash, and hash is not nil. The caller, who alone knows where the object ends, must compare it. It fails with
// ErrRSAPad. About a millisecond.
func RSAOpen(priv *PrivateKey, c []byte) (data []byte, hash *[sha1.Size]byte, err error) {
	if len(c) != KeySize {
		return nil, nil, ErrRSAPad
	}
	block, err := priv.decrypt(c)
	if err != nil {
		return nil, nil, ErrRSAPad
	}
	old := bytes.Clone(block)
	if data, err = rsaUnpad(block); err == nil {
		clear(old)
		return data, nil, nil
	}
	if old[0] != 0 {
		clear(old)
		return nil, nil, ErrRSAPad
	}
	hash = new([sha1.Size]byte)
	copy(hash[:], old[1:])
	return old[1+sha1.Size:], hash, nil
}

// rsaPadHash is SHA256(temp_key ‖ data with padding).
func rsaPadHash(tempKey *[32]byte, padded []byte) (sum [sha256.Size]byte) {
	h := sha256.New()
	h.Write(tempKey[:])
	h.Write(padded)
	h.Sum(sum[:0])
	return sum
}

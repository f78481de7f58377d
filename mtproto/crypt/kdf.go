package crypt

import (
	"crypto/sha1"
	"crypto/sha256"
)

// Side says who sends a message; both key derivations read other parts of the auth key for each direction.
type Side int

const (
	// Client is the sender of messages to a DC (x = 0 in the specification).
	Client Side = 0
	// Server is the sender of messages from a DC (x = 8).
	Server Side = 1
)

// x is the offset into the auth key. Anything but Server counts as Client, so that no value can read out of bounds.
func (s Side) x() int {
	if s == Server {
		return 8
	}
	return 0
}

// msgKeyLarge hashes the padded plaintext of a message; bytes 8..24 are its msg_key.
func msgKeyLarge(k *AuthKey, from Side, padded []byte) (sum [sha256.Size]byte) {
	x := from.x()
	h := sha256.New()
	h.Write(k.value[88+x : 120+x])
	h.Write(padded)
	h.Sum(sum[:0])
	return sum
}

// deriveV2 is the MTProto 2.0 key derivation (https://core.telegram.org/mtproto/description#defining-aes-key-and-initialization-vector).
func deriveV2(k *AuthKey, from Side, msgKey *[16]byte) (key, iv [32]byte) {
	x := from.x()
	var in [52]byte
	copy(in[:], msgKey[:])
	copy(in[16:], k.value[x:x+36])
	a := sha256.Sum256(in[:])
	copy(in[:], k.value[40+x:76+x])
	copy(in[36:], msgKey[:])
	b := sha256.Sum256(in[:])
	clear(in[:])

	copy(key[0:], a[0:8])
	copy(key[8:], b[8:24])
	copy(key[24:], a[24:32])
	copy(iv[0:], b[0:8])
	copy(iv[8:], a[8:24])
	copy(iv[24:], b[24:32])
	return key, iv
}

// DeriveV1 is the MTProto 1.0 key derivation. The inner part of auth.bindTempAuthKey uses it, and so does Telegram Desktop
// for what it keeps on disk (as Server).
func DeriveV1(k *AuthKey, from Side, msgKey *[16]byte) (key, iv [32]byte) {
	x := from.x()
	var in [48]byte
	copy(in[:], msgKey[:])
	copy(in[16:], k.value[x:x+32])
	a := sha1.Sum(in[:])
	copy(in[:], k.value[32+x:48+x])
	copy(in[16:], msgKey[:])
	copy(in[32:], k.value[48+x:64+x])
	b := sha1.Sum(in[:])
	copy(in[:], k.value[64+x:96+x])
	copy(in[32:], msgKey[:])
	c := sha1.Sum(in[:])
	copy(in[:], msgKey[:])
	copy(in[16:], k.value[96+x:128+x])
	d := sha1.Sum(in[:])
	clear(in[:])

	copy(key[0:], a[0:8])
	copy(key[8:], b[8:20])
	copy(key[20:], c[4:16])
	copy(iv[0:], a[8:20])
	copy(iv[12:], b[0:8])
	copy(iv[20:], c[16:20])
	copy(iv[24:], d[0:8])
	return key, iv
}

// TmpKeyIV derives the AES key and iv that protect the two DH messages of a handshake
// (https://core.telegram.org/mtproto/auth_key, step 6). The caller wipes them when the handshake is over.
func TmpKeyIV(newNonce *[32]byte, serverNonce *[16]byte) (key, iv [32]byte) {
	return tmpKeyIV(newNonce[:], serverNonce[:])
}

// tmpKeyIV takes slices because a published vector has a new_nonce of 16 bytes.
func tmpKeyIV(newNonce, serverNonce []byte) (key, iv [32]byte) {
	ns := sha1Of(newNonce, serverNonce)
	sn := sha1Of(serverNonce, newNonce)
	nn := sha1Of(newNonce, newNonce)
	copy(key[0:], ns[:])
	copy(key[20:], sn[0:12])
	copy(iv[0:], sn[12:20])
	copy(iv[8:], nn[:])
	copy(iv[28:], newNonce[0:4])
	return key, iv
}

// NewNonceHash is new_nonce_hashN = SHA1(new_nonce ‖ byte(n) ‖ auth_key_aux_hash)[4:20], with which the server proves
// that it knows the key: n is 1 in dh_gen_ok, 2 in dh_gen_retry, 3 in dh_gen_fail.
func NewNonceHash(n byte, newNonce *[32]byte, aux [8]byte) (hash [16]byte) {
	sum := sha1Of(newNonce[:], []byte{n}, aux[:])
	copy(hash[:], sum[4:20])
	return hash
}

// FailNonceHash is SHA1(new_nonce)[4:20], carried by the historic server_DH_params_fail.
func FailNonceHash(newNonce *[32]byte) (hash [16]byte) {
	sum := sha1.Sum(newNonce[:])
	copy(hash[:], sum[4:20])
	return hash
}

// FirstSalt is the first server salt of a new auth key: new_nonce[0:8] XOR server_nonce[0:8] as a little-endian long.
func FirstSalt(newNonce *[32]byte, serverNonce *[16]byte) int64 {
	var salt uint64
	for i := 7; i >= 0; i-- {
		salt = salt<<8 | uint64(newNonce[i]^serverNonce[i])
	}
	return int64(salt)
}

func sha1Of(parts ...[]byte) (sum [sha1.Size]byte) {
	h := sha1.New()
	for _, p := range parts {
		h.Write(p)
	}
	h.Sum(sum[:0])
	return sum
}

package crypt

import (
	"crypto/sha1"
	"crypto/subtle"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

const (
	// BindInnerSize is the length of a serialized bind_auth_key_inner.
	BindInnerSize = 40
	// BindMessageSize is the length of the encrypted_message of auth.bindTempAuthKey.
	BindMessageSize = headerSize + bindPadded

	bindHeader = 16 + 8 + 4 + 4             // random, msg_id, seqno, length
	bindPlain  = bindHeader + BindInnerSize // what the msg_key is computed over
	bindPadded = bindPlain + 8
)

// ErrBindMessage says that an encrypted_message was not made with the perm key it names, or is malformed. One error for
// every cause: a server must not tell them apart.
var ErrBindMessage = errors.New("crypt: bind message does not belong to the perm key")

// EncryptBind makes the encrypted_message of auth.bindTempAuthKey: inner (a serialized bind_auth_key_inner, 40 bytes)
// under the perm key, with the rules of MTProto 1.0 (https://core.telegram.org/method/auth.bindTempAuthKey). msgID is the
// msg_id of the outer message that will carry the request; a new msg_id needs a new bind message. It fails when inner has
// another length or rand fails.
func EncryptBind(perm *AuthKey, msgID int64, inner []byte, rand io.Reader) ([]byte, error) {
	if len(inner) != BindInnerSize {
		return nil, fmt.Errorf("crypt: bind_auth_key_inner has %d bytes, not %d", len(inner), BindInnerSize)
	}
	packet := make([]byte, BindMessageSize)
	plain := packet[headerSize:]
	// 16 random bytes stand where salt and session id would be.
	if _, err := io.ReadFull(rand, plain[:16]); err != nil {
		return nil, err
	}
	binary.LittleEndian.PutUint64(plain[16:], uint64(msgID))
	binary.LittleEndian.PutUint32(plain[24:], 0) // seqno
	binary.LittleEndian.PutUint32(plain[28:], BindInnerSize)
	copy(plain[bindHeader:], inner)
	if _, err := io.ReadFull(rand, plain[bindPlain:]); err != nil {
		return nil, err
	}
	// Version 1: the padding is not hashed.
	msgKey := msgKeyV1(plain[:bindPlain])
	binary.LittleEndian.PutUint64(packet, uint64(perm.id))
	copy(packet[8:], msgKey[:])
	key, iv := DeriveV1(perm, Client, &msgKey)
	encryptIGE(newAES(&key), &iv, plain)
	return packet, nil
}

// DecryptBind is the server's half of EncryptBind: it returns the msg_id, the seqno (which must be 0) and the 40 bytes of
// bind_auth_key_inner for the caller to compare with the request. It fails with ErrBindMessage.
func DecryptBind(perm *AuthKey, encrypted []byte) (msgID int64, seqNo int32, inner []byte, err error) {
	if id, _ := PacketKeyID(encrypted); len(encrypted) != BindMessageSize || id != perm.id {
		return 0, 0, nil, ErrBindMessage
	}
	msgKey := [16]byte(encrypted[8:headerSize])
	plain := append([]byte(nil), encrypted[headerSize:]...)
	key, iv := DeriveV1(perm, Client, &msgKey)
	decryptIGE(newAES(&key), &iv, plain)
	want := msgKeyV1(plain[:bindPlain])
	if subtle.ConstantTimeCompare(want[:], msgKey[:]) != 1 || binary.LittleEndian.Uint32(plain[28:]) != BindInnerSize {
		return 0, 0, nil, ErrBindMessage
	}
	msgID = int64(binary.LittleEndian.Uint64(plain[16:]))
	seqNo = int32(binary.LittleEndian.Uint32(plain[24:]))
	return msgID, seqNo, plain[bindHeader:bindPlain:bindPlain], nil
}

// msgKeyV1 is SHA1(plaintext without padding)[4:20].
func msgKeyV1(plain []byte) [16]byte {
	sum := sha1.Sum(plain)
	return [16]byte(sum[4:20])
}

package foreign

import (
	"encoding/base64"
	"encoding/binary"
	"math"
)

// Pyrogram's strings, and those of Pyrofork, Hydrogram and Kurigram, are URL-safe base64 without padding of one of
//
//	dc u8 · api_id u32 · test_mode bool · key 256 · user_id u64 · is_bot bool
//	dc u8 ·              test_mode bool · key 256 · user_id u64 · is_bot bool   (old, 64-bit ids)
//	dc u8 ·              test_mode bool · key 256 · user_id u32 · is_bot bool   (old, 32-bit ids)
//
// all big-endian. The length tells them apart.
const (
	pyrogramNow = 1 + 4 + 1 + keySize + 8 + 1
	pyrogram64  = 1 + 1 + keySize + 8 + 1
	pyrogram32  = 1 + 1 + keySize + 4 + 1
)

func parsePyrogram(text []byte) (Session, error) {
	s := Session{Format: Pyrogram}
	data, ok := decode64(text)
	if !ok {
		return s, errBase64(Pyrogram)
	}
	defer clear(data)
	switch len(data) {
	case pyrogramNow, pyrogram64, pyrogram32:
	default:
		return s, bad(Pyrogram, ReasonMalformed, "", "it holds %d bytes, not %d, %d or %d: %s", len(data), pyrogramNow, pyrogram64, pyrogram32, cutOrLonger(len(data), pyrogramNow))
	}
	b := data
	take := func(n int) []byte {
		head := b[:n]
		b = b[n:]
		return head
	}
	s.DC = int(take(1)[0])
	if len(data) == pyrogramNow {
		id := binary.BigEndian.Uint32(take(4))
		if id > math.MaxInt32 {
			return s, bad(Pyrogram, ReasonMalformed, "api_id", "it is not the id of an app: the string is damaged")
		}
		s.APIID = int(id)
	}
	var err error
	if s.Test, err = pyrogramBool("test_mode", take(1)[0]); err != nil {
		return s, err
	}
	if err := s.setKey(take(keySize)); err != nil {
		return s, err
	}
	if len(data) == pyrogram32 {
		s.UserID = int64(binary.BigEndian.Uint32(take(4)))
	} else if s.UserID = int64(binary.BigEndian.Uint64(take(8))); s.UserID < 0 {
		s.UserID = math.MaxInt64 // refused by check; -1 would be too, and this says the same of every one
	}
	s.Bot, err = pyrogramBool("is_bot", take(1)[0])
	return s, err
}

func pyrogramBool(field string, b byte) (Tristate, error) {
	if b > 1 {
		return Unknown, bad(Pyrogram, ReasonMalformed, field, "it is neither yes nor no: the string is damaged")
	}
	return tristate(b == 1), nil
}

func encodePyrogram(s *Session) ([]byte, error) {
	if s.APIID <= 0 || int64(s.APIID) > math.MaxInt32 {
		return nil, bad(Pyrogram, ReasonMissing, "api_id", "a Pyrogram string has the api_id of the app that uses it, and the session has none")
	}
	if s.UserID == 0 || s.Bot == Unknown {
		return nil, bad(Pyrogram, ReasonMissing, "user", "a Pyrogram string says who is signed in and whether it is a bot, and the session does not")
	}
	data := make([]byte, 0, pyrogramNow)
	defer func() { clear(data) }()
	data = append(data, byte(s.DC))
	data = binary.BigEndian.AppendUint32(data, uint32(s.APIID))
	data = append(data, flag(s.Test == Yes))
	data = appendKey(data, &s.Key)
	data = binary.BigEndian.AppendUint64(data, uint64(s.UserID))
	data = append(data, flag(s.Bot == Yes))
	return base64.RawURLEncoding.AppendEncode(nil, data), nil
}

func flag(b bool) byte {
	if b {
		return 1
	}
	return 0
}

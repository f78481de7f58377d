package foreign

import (
	"encoding/base64"
	"net/netip"

	"github.com/mtfleet/mtfleet/tl"
)

// An mtcute string is URL-safe base64 without padding of
//
//	3 · flags i32 · bytes(main DC) · [bytes(media DC)] · [user id i64 · is bot Bool] · bytes(key)
//
// and a DC is version u8 · id u8 · flags u8 · string(address) · port i32; numbers are little-endian, strings, bytes and
// Bool as in TL (@mtcute/core, highlevel/utils/string-session and utils/dcs).
const (
	mtcuteVersion = 3

	mtcuteSelf    = 1 // flags of a session
	mtcuteTestOld = 2
	mtcuteMedia   = 4

	mtcuteDCVersion = 2 // version 1 had no flag for the test servers
	mtcuteDCIPv6    = 1 // flags of a DC
	mtcuteDCMedia   = 2
	mtcuteDCTest    = 4
)

func parseMTCute(text []byte) (Session, error) {
	s := Session{Format: MTCute}
	data, ok := decode64(text)
	if !ok {
		return s, errBase64(MTCute)
	}
	defer clear(data)
	if len(data) == 0 || data[0] != mtcuteVersion {
		return s, bad(MTCute, ReasonVersion, "", "it is not of version %d: sign in with a current mtcute once and export it again", mtcuteVersion)
	}
	r := tl.NewReader(data[1:])
	flags := r.Uint32()
	if flags&^(mtcuteSelf|mtcuteTestOld|mtcuteMedia) != 0 {
		return s, bad(MTCute, ReasonVersion, "flags", "it has flags that are not known here: it is damaged, or of a newer mtcute")
	}
	main := r.BytesView()
	var media []byte
	if flags&mtcuteMedia != 0 {
		media = r.BytesView()
	}
	if flags&mtcuteSelf != 0 {
		s.UserID = r.Int64()
		s.Bot = tristate(r.Bool())
	}
	key := r.BytesView()
	if r.End() != nil {
		return s, bad(MTCute, ReasonMalformed, "", "its parts do not fit its length: %s", "its end is missing or something follows it; copy it whole and alone")
	}
	test, err := s.setMTCuteDC(main)
	if err != nil {
		return s, err
	}
	if media != nil {
		other := Session{Format: MTCute}
		if otherTest, err := other.setMTCuteDC(media); err != nil {
			return s, err
		} else if otherTest != test && flags&mtcuteTestOld == 0 {
			return s, bad(MTCute, ReasonMalformed, "media DC", "it is of the test servers and the main DC is not, or the other way round")
		}
		s.Dropped = append(s.Dropped, "the address of the media DC")
	}
	s.Test = tristate(test || flags&mtcuteTestOld != 0)
	err = s.setKey(key)
	return s, err
}

// setMTCuteDC reads a DC into the session and says whether it is a test DC.
func (s *Session) setMTCuteDC(blob []byte) (test bool, err error) {
	if len(blob) < 3 || blob[0] != 1 && blob[0] != mtcuteDCVersion {
		return false, bad(MTCute, ReasonMalformed, "DC", "it is not a DC of a version that is known here")
	}
	r := tl.NewReader(blob[3:])
	host, port := r.String(), r.Int32()
	if r.End() != nil {
		return false, bad(MTCute, ReasonMalformed, "DC", "its parts do not fit its length: the string is damaged")
	}
	s.DC = int(blob[1])
	if s.Addr, err = joinAddr(MTCute, host, int(port)); err != nil {
		return false, err
	}
	return blob[0] == mtcuteDCVersion && blob[2]&mtcuteDCTest != 0, nil
}

func encodeMTCute(s *Session) ([]byte, error) {
	if s.UserID != 0 && s.Bot == Unknown {
		return nil, bad(MTCute, ReasonMissing, "user", "an mtcute string says whether its user is a bot, and the session does not")
	}
	host, port, err := s.address(MTCute)
	if err != nil {
		return nil, err
	}
	var dcFlags byte
	if ip, err := netip.ParseAddr(host); err == nil && ip.Is6() {
		dcFlags |= mtcuteDCIPv6
	}
	if s.Test == Yes {
		dcFlags |= mtcuteDCTest
	}
	blob := tl.AppendString([]byte{mtcuteDCVersion, byte(s.DC), dcFlags}, host)
	blob = tl.AppendInt32(blob, int32(port))
	var flags int32
	if s.UserID != 0 {
		flags |= mtcuteSelf
	}
	data := make([]byte, 0, 1+4+len(blob)+8+12+4+keySize)
	defer func() { clear(data) }()
	data = tl.AppendInt32(append(data, mtcuteVersion), flags)
	data = tl.AppendBytes(data, blob)
	if s.UserID != 0 {
		data = tl.AppendInt64(data, s.UserID)
		data = tl.AppendBool(data, s.Bot == Yes)
	}
	data = tl.AppendBytes(data, s.Key[:])
	return base64.RawURLEncoding.AppendEncode(nil, data), nil
}

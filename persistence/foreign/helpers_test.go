package foreign

import (
	"encoding/base64"
	"encoding/binary"
	"reflect"
	"testing"

	"github.com/mtfleet/mtfleet/tl"
)

func same(t *testing.T, got, want Session) {
	t.Helper()
	if got.Key != want.Key {
		t.Error("the key is another")
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("read  %+v\nwant  %+v", got, want)
	}
}

// oldPyrogram is the sample as Pyrogram before 2.0 wrote it.
func oldPyrogram(idSize int) string {
	s := sample()
	data := append([]byte{byte(s.DC), 0}, s.Key[:]...)
	if idSize == 8 {
		data = binary.BigEndian.AppendUint64(data, uint64(s.UserID))
	} else {
		data = binary.BigEndian.AppendUint32(data, uint32(s.UserID))
	}
	return base64.RawURLEncoding.EncodeToString(append(data, 0))
}

// mtcuteWithMedia is the sample as mtcute writes it when media has a DC address of its own, as in production.
func mtcuteWithMedia() string {
	s := sample()
	dc := func(flags byte, host string) []byte {
		return tl.AppendInt32(tl.AppendString([]byte{mtcuteDCVersion, 2, flags}, host), 443)
	}
	data := tl.AppendInt32([]byte{mtcuteVersion}, mtcuteSelf|mtcuteMedia)
	data = tl.AppendBytes(data, dc(0, "149.154.167.50"))
	data = tl.AppendBytes(data, dc(mtcuteDCMedia, "149.154.167.222"))
	data = tl.AppendBool(tl.AppendInt64(data, s.UserID), false)
	data = tl.AppendBytes(data, s.Key[:])
	return base64.RawURLEncoding.EncodeToString(data)
}

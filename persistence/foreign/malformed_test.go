package foreign

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/mtfleet/mtfleet/tl"
)

// malformed is one text that must be refused, and how.
type malformed struct {
	name   string
	format Format // what the error is about
	reason Reason
	text   string
}

// changed makes malformed texts of a format that is base64 of bytes at known places.
func changed(f Format, prefix string, enc *base64.Encoding, data []byte, changes []change) []malformed {
	var list []malformed
	for _, c := range changes {
		list = append(list, malformed{c.name, f, c.reason, prefix + enc.EncodeToString(c.to(bytes.Clone(data)))})
	}
	return list
}

type change struct {
	name   string
	reason Reason
	to     func([]byte) []byte
}

func set(at int, values ...byte) func([]byte) []byte {
	return func(b []byte) []byte { copy(b[at:], values); return b }
}

func zero(from int) func([]byte) []byte {
	return func(b []byte) []byte { clear(b[from : from+keySize]); return b }
}

func cut(n int) func([]byte) []byte { return func(b []byte) []byte { return b[:len(b)-n] } }

func longer(n int) func([]byte) []byte {
	return func(b []byte) []byte { return append(b, make([]byte, n)...) }
}

func decoded(t *testing.T, f Format) []byte {
	t.Helper()
	text := strings.TrimPrefix(written(f)(), "1")
	data, ok := decode64([]byte(text))
	if !ok {
		t.Fatal("what is written is no base64")
	}
	return data
}

func telethonMalformed(t *testing.T) []malformed {
	text, data := written(Telethon)(), decoded(t, Telethon)
	return append(changed(Telethon, "1", base64.URLEncoding, data, []change{
		{"no DC", ReasonDC, set(0, 0)},
		{"a CDN's DC", ReasonDC, set(0, 203)},
		{"no address", ReasonMalformed, set(1, 0, 0, 0, 0)},
		{"a multicast address", ReasonMalformed, set(1, 224, 0, 0, 1)},
		{"port 0", ReasonMalformed, set(5, 0, 0)},
		{"a key of zeros", ReasonKey, zero(7)},
		{"three bytes short", ReasonMalformed, cut(3)},
		{"three bytes long", ReasonMalformed, longer(3)},
		{"a test server's address with DC 5", ReasonDC, set(0, 5, 149, 154, 167, 40)},
	}),
		malformed{"half of it", Telethon, ReasonMalformed, text[:180]},
		malformed{"one character missing inside", Telethon, ReasonMalformed, text[:100] + text[101:]},
		malformed{"two of them", Telethon, ReasonMalformed, strings.TrimRight(text, "=") + text},
		malformed{"an equals sign inside", Telethon, ReasonMalformed, text[:100] + "=" + text[101:]},
	)
}

func gramJSMalformed(t *testing.T) []malformed {
	data := decoded(t, GramJS)
	return changed(GramJS, "1", base64.StdEncoding, data, []change{
		{"no DC", ReasonDC, set(0, 0)},
		{"DC 6", ReasonDC, set(0, 6)},
		{"a length too long for it", ReasonMalformed, set(2, 15)},
		{"a length too short for it", ReasonMalformed, set(2, 13)},
		{"an address with a blank in it", ReasonMalformed, set(5, ' ')},
		{"an address of five numbers", ReasonMalformed, set(3, []byte("1.1.1.1.1.1.1")...)},
		{"port 0", ReasonMalformed, set(3+14, 0, 0)},
		{"a key of zeros", ReasonKey, zero(3 + 14 + 2)},
		{"a key of 255 bytes", ReasonMalformed, cut(1)},
		{"little after the address", ReasonMalformed, cut(200)},
		{"a byte after it", ReasonMalformed, longer(1)},
	})
}

func pyrogramMalformed(t *testing.T) []malformed {
	text, data := written(Pyrogram)(), decoded(t, Pyrogram)
	old, _ := decode64([]byte(oldPyrogram(4)))
	list := changed(Pyrogram, "", base64.RawURLEncoding, data, []change{
		{"an api_id above 31 bits", ReasonMalformed, set(1, 0xff)},
		{"test_mode 2", ReasonMalformed, set(5, 2)},
		{"is_bot 7", ReasonMalformed, set(270, 7)},
		{"a negative user id", ReasonMalformed, set(262, 0xff)},
		{"a user id above 52 bits", ReasonMalformed, set(263, 0x10)},
		{"a key of zeros", ReasonKey, zero(6)},
		{"DC 4 of the test servers", ReasonDC, func(b []byte) []byte { b[0], b[5] = 4, 1; return b }},
		{"two bytes short", ReasonMalformed, cut(2)},
		{"ten bytes long", ReasonMalformed, longer(10)},
	})
	list = append(list, changed(Pyrogram, "", base64.RawURLEncoding, old, []change{
		{"old: test_mode 9", ReasonMalformed, set(1, 9)},
		{"old: is_bot 2", ReasonMalformed, set(262, 2)},
		{"old: a key of zeros", ReasonKey, zero(2)},
	})...)
	return append(list, malformed{"a line missing", Pyrogram, ReasonMalformed, text[:76] + text[152:]})
}

func mtcuteMalformed(t *testing.T) []malformed {
	data := decoded(t, MTCute)
	const blob = 1 + 4 + 1 // the DC, behind its length
	return changed(MTCute, "", base64.RawURLEncoding, data, []change{
		{"a flag that is not known", ReasonVersion, set(1, 0x41)},
		{"a media DC said and none there", ReasonMalformed, set(1, 5)},
		{"no self said and one there", ReasonMalformed, set(1, 0)},
		{"a DC of version 9", ReasonMalformed, set(blob, 9)},
		{"DC 0", ReasonDC, set(blob+1, 0)},
		{"DC 9", ReasonDC, set(blob+1, 9)},
		{"an address with a slash", ReasonMalformed, set(blob+4, '/')},
		{"a port above 16 bits", ReasonMalformed, set(blob+3+16, 0, 0, 2, 0)},
		{"neither yes nor no", ReasonMalformed, set(blob+23+8, 1, 2, 3, 4)},
		{"a key of zeros", ReasonKey, func(b []byte) []byte { clear(b[len(b)-keySize:]); return b }},
		{"twelve bytes short", ReasonMalformed, cut(12)},
		{"four bytes long", ReasonMalformed, longer(4)},
		{"a negative user", ReasonMalformed, set(blob+23, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff)},
	})
}

func mtkrutoMalformed(t *testing.T) []malformed {
	s := sample()
	pack := func(dc string, key []byte) string {
		return base64.RawURLEncoding.EncodeToString(packZeros(tl.AppendBytes(tl.AppendString(nil, dc), key)))
	}
	bomb := []byte{1, '2'}
	for range 100 {
		bomb = append(bomb, 0, 255)
	}
	data := decoded(t, MTKruto)
	return append(changed(MTKruto, "", base64.RawURLEncoding, data, []change{
		{"a run without a length", ReasonMalformed, func(b []byte) []byte { return append(b[:len(b)-1], 0) }},
		{"a run of no length", ReasonMalformed, func(b []byte) []byte { return append(b[:len(b)-2], 0, 0) }},
		{"ten bytes short", ReasonMalformed, cut(10)},
		{"a byte long", ReasonTooLarge, func(b []byte) []byte { return append(b, 1, 2, 3, 4, 5, 6, 7, 8, 9) }},
		{"another length of the key", ReasonMalformed, set(5, 0xff, 0xff)},
	}),
		malformed{"a run-length bomb", MTKruto, ReasonTooLarge, base64.RawURLEncoding.EncodeToString(bomb)},
		malformed{"DC 0", MTKruto, ReasonDC, pack("0", s.Key[:])},
		malformed{"DC 6", MTKruto, ReasonDC, pack("6", s.Key[:])},
		malformed{"DC 5 of the test servers", MTKruto, ReasonDC, pack("5-test", s.Key[:])},
		malformed{"a DC with another ending", MTKruto, ReasonMalformed, pack("2-tset", s.Key[:])},
		malformed{"a key of 255 bytes", MTKruto, ReasonKey, pack("2", s.Key[1:])},
		malformed{"a key of zeros, which leaves little", "", ReasonUnrecognised, pack("2", make([]byte, 256))},
	)
}

func gogramMalformed(t *testing.T) []malformed {
	s := sample()
	object := func(edit func(map[string]any)) string {
		m := map[string]any{"key": s.Key[:], "hash": s.keyID(), "dc_id": 2, "ip_addr": s.Addr, "app_id": 12345}
		edit(m)
		text, err := json.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		return gogramJSON + base64.RawURLEncoding.EncodeToString(text)
	}
	put := func(field string, value any) string { return object(func(m map[string]any) { m[field] = value }) }
	list := []malformed{
		{"no key", Gogram, ReasonKey, object(func(m map[string]any) { delete(m, "key") })},
		{"a short key", Gogram, ReasonKey, put("key", s.Key[:255])},
		{"a key of zeros", Gogram, ReasonKeyID, put("key", make([]byte, 256))},
		{"another key's id", Gogram, ReasonKeyID, put("hash", make([]byte, 8))},
		{"a short key id", Gogram, ReasonKeyID, put("hash", []byte{1})},
		{"DC 0", Gogram, ReasonDC, put("dc_id", 0)},
		{"a DC that is a text", Gogram, ReasonMalformed, put("dc_id", "2")},
		{"an address without a port", Gogram, ReasonMalformed, put("ip_addr", "149.154.167.50")},
		{"an address with a path", Gogram, ReasonMalformed, put("ip_addr", "a/b:443")},
		{"a negative app", Gogram, ReasonMalformed, put("app_id", -1)},
		{"half of it", Gogram, ReasonMalformed, written(Gogram)()[:200]},
		{"no base64", Gogram, ReasonMalformed, gogramJSON + strings.Repeat("=", 60)},
		{"the prefix alone", Gogram, ReasonMalformed, gogramJSON},
	}
	for name, parts := range map[string][]string{
		"old: no fields":         {"nothing"},
		"old: a short key":       {string(s.Key[:100]), string(s.keyID()), s.Addr, "2", "1"},
		"old: three fields":      {string(s.Key[:]), string(s.keyID()), s.Addr},
		"old: a DC that is none": {string(s.Key[:]), string(s.keyID()), s.Addr, "two", "1"},
	} {
		list = append(list, malformed{name, Gogram, ReasonMalformed, gogramFields + base64.RawURLEncoding.EncodeToString([]byte(strings.Join(parts, ":_:")))})
	}
	return list
}

func gotdMalformed(t *testing.T) []malformed {
	s := sample()
	object := func(edit func(outer, data map[string]any)) string {
		data := map[string]any{"Config": map[string]any{}, "DC": 2, "Addr": s.Addr, "AuthKey": s.Key[:], "AuthKeyID": s.keyID(), "Salt": 1}
		outer := map[string]any{"Version": 1, "Data": data}
		edit(outer, data)
		text, err := json.Marshal(outer)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	put := func(field string, value any) string {
		return object(func(_, data map[string]any) { data[field] = value })
	}
	return []malformed{
		{"version 2", GoTD, ReasonVersion, object(func(outer, _ map[string]any) { outer["Version"] = 2 })},
		{"no version", GoTD, ReasonUnrecognised, object(func(outer, _ map[string]any) { delete(outer, "Version") })},
		{"no data", GoTD, ReasonUnrecognised, object(func(outer, _ map[string]any) { delete(outer, "Data") })},
		{"no key", GoTD, ReasonKey, object(func(_, data map[string]any) { delete(data, "AuthKey") })},
		{"a long key", GoTD, ReasonKey, put("AuthKey", make([]byte, 257))},
		{"another key's id", GoTD, ReasonKeyID, put("AuthKeyID", []byte("12345678"))},
		{"no key id", GoTD, ReasonKeyID, put("AuthKeyID", nil)},
		{"DC -2", GoTD, ReasonDC, put("DC", -2)},
		{"DC 4 of the test servers", GoTD, ReasonDC, object(func(_, data map[string]any) {
			data["DC"], data["Config"], data["Addr"] = 4, map[string]any{"TestMode": true}, ""
		})},
		{"an address that is none", GoTD, ReasonMalformed, put("Addr", "[::1:443")},
		{"half of it", GoTD, ReasonMalformed, written(GoTD)()[:300]},
		{"something behind it", GoTD, ReasonMalformed, written(GoTD)() + "{}"},
		{"deeply nested", GoTD, ReasonMalformed, strings.Repeat(`{"Data":`, 20000)},
	}
}

func gotgprotoMalformed(t *testing.T) []malformed {
	wrap := func(text string) string { return base64.StdEncoding.EncodeToString([]byte(text)) }
	envelope := func(version int, data string) string {
		return wrap(fmt.Sprintf(`{"Version":%d,"Data":%q}`, version, wrap(data)))
	}
	inner := written(GoTD)()
	list := []malformed{
		{"version 3", GoTGProto, ReasonVersion, envelope(3, inner)},
		{"no data", GoTGProto, ReasonKey, wrap(`{"Version":1,          "Data":null}`)},
		{"data that is no base64", GoTGProto, ReasonMalformed, wrap(`{"Version":1,"Data":"*************************"}`)},
		{"half of it", GoTGProto, ReasonMalformed, written(GoTGProto)()[:400]},
		{"a list", GoTGProto, ReasonMalformed, wrap(`{"Version":[1,2,3],"Data":[1,2,3,4,5,6,7,8]}`)},
		{"not gotd's JSON inside", GoTGProto, ReasonMalformed, envelope(1, "a plain text of some length")},
		{"other JSON inside", GoTGProto, ReasonUnrecognised, envelope(1, `{"some":"thing","of":"length"}`)},
	}
	for _, m := range gotdMalformed(t)[:6] {
		if m.reason != ReasonUnrecognised {
			list = append(list, malformed{"inside: " + m.name, GoTGProto, m.reason, envelope(1, m.text)})
		}
	}
	return list
}

func otherMalformed() []malformed {
	return []malformed{
		{"nothing", "", ReasonUnrecognised, ""},
		{"blanks", "", ReasonUnrecognised, " \n\t "},
		{"empty quotes", "", ReasonUnrecognised, `""`},
		{"one quote", "", ReasonUnrecognised, `"`},
		{"a word", "", ReasonUnrecognised, "telethon"},
		{"a sentence", "", ReasonUnrecognised, "please sign me in, here is my session, thank you very much indeed!"},
		{"a bot's token", "", ReasonUnrecognised, "123456789:AAE4wYHK3hTPl0cUAYyFNlQs0EwjrJqNhRk"},
		{"long base64 of nothing known", "", ReasonUnrecognised, strings.Repeat("Z", 360)},
		{"a picture", "", ReasonUnrecognised, "\x89PNG\r\n\x1a\n" + strings.Repeat("\x00", 400)},
		{"a megabyte", "", ReasonTooLarge, strings.Repeat("A", 1<<20)},
		{"an SQLite file", "", ReasonOtherDoor, "SQLite format 3\x00" + strings.Repeat("\x00", 4080)},
		{"a large SQLite file", "", ReasonOtherDoor, "SQLite format 3\x00" + strings.Repeat("\x00", 1<<20)},
		{"a file of tdata", TData, ReasonOtherDoor, "TDF$" + strings.Repeat("\x00", 400)},
		{"a file of a GramJS store", GramJSStore, ReasonOtherDoor, `{"type":"Buffer","data":[1,2,3]}`},
		{"MadelineProto's file", "", ReasonUnreadable, "<?php __HALT_COMPILER();\x03"},
		{"JSON of something else", GoTD, ReasonUnrecognised, `{"name":"x"}`},
	}
}

func TestMalformedTextsAreRefusedWithTheReason(t *testing.T) {
	tables := map[string][]malformed{
		"telethon": telethonMalformed(t), "gramjs": gramJSMalformed(t), "pyrogram": pyrogramMalformed(t), "mtcute": mtcuteMalformed(t),
		"mtkruto": mtkrutoMalformed(t), "gogram": gogramMalformed(t), "gotd": gotdMalformed(t), "gotgproto": gotgprotoMalformed(t),
		"others": otherMalformed(),
	}
	for name, table := range tables {
		if len(table) < 10 {
			t.Errorf("%s: only %d malformed texts", name, len(table))
		}
		for _, m := range table {
			t.Run(name+"/"+m.name, func(t *testing.T) {
				_, err := ParseText([]byte(m.text))
				var e *Error
				if !errors.As(err, &e) {
					t.Fatalf("the error is %T: %v", err, err)
				}
				if e.Format != m.format || e.Reason != m.reason {
					t.Errorf("refused as %q, %q: %v\nwant %q, %q", e.Format, e.Reason, e, m.format, m.reason)
				}
				quotesNothing(t, err, m.text)
			})
		}
	}
}

// quotesNothing checks that an error is one line and repeats neither twelve characters of a text nor four bytes of the
// sample's key in hexadecimal.
func quotesNothing(t *testing.T, err error, text string) {
	t.Helper()
	said := err.Error()
	if strings.ContainsAny(said, "\n\r") || len(said) > 400 {
		t.Errorf("the error is no short line: %q", said)
	}
	for i := 0; i+12 <= min(len(text), 4096); i++ {
		if strings.Contains(said, text[i:i+12]) {
			t.Fatalf("the error repeats %q of the input: %s", text[i:i+12], said)
		}
	}
	s := sample()
	for i := 0; i+4 <= len(s.Key); i++ {
		if strings.Contains(said, hex.EncodeToString(s.Key[i:i+4])) {
			t.Fatalf("the error repeats the key: %s", said)
		}
	}
}

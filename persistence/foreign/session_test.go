package foreign

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// oldGogram is the payload of the sample as gogram wrote it before it used JSON.
func oldGogram(sep, addr string) string {
	s := sample()
	return strings.Join([]string{string(s.Key[:]), string(s.keyID()), addr, "2", "12345"}, sep)
}

func TestGogramsOlderStringsAreReadWithEitherSeparator(t *testing.T) {
	for _, sep := range []string{":_:", "::"} {
		for _, addr := range []string{"149.154.167.50:443", "[2001:67c:4e8:f002::a]:443"} {
			s, err := ParseText([]byte(gogramFields + base64.RawURLEncoding.EncodeToString([]byte(oldGogram(sep, addr)))))
			if err != nil {
				t.Errorf("%s, %s: %v", sep, addr, err)
				continue
			}
			want := sample()
			want.Format, want.UserID, want.Bot, want.Addr = Gogram, 0, Unknown, addr
			same(t, s, want)
		}
	}
}

// carries says what a format keeps of a session.
var carries = map[Format]func(*Session){
	Telethon:  func(s *Session) { s.UserID, s.Bot, s.APIID = 0, Unknown, 0 },
	GramJS:    func(s *Session) { s.UserID, s.Bot, s.APIID = 0, Unknown, 0 },
	Pyrogram:  func(s *Session) { s.Addr = "" },
	MTCute:    func(s *Session) { s.APIID = 0 },
	MTKruto:   func(s *Session) { s.UserID, s.Bot, s.APIID, s.Addr = 0, Unknown, 0, "" },
	Gogram:    func(s *Session) { s.UserID, s.Bot = 0, Unknown },
	GoTD:      func(s *Session) { s.UserID, s.Bot, s.APIID = 0, Unknown, 0 },
	GoTGProto: func(s *Session) { s.UserID, s.Bot, s.APIID = 0, Unknown, 0 },
}

func TestEveryWrittenSessionIsReadAsWhatItsFormatCarries(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	addresses := map[bool][]string{
		false: {"149.154.167.50:443", "149.154.167.91:80", "[2001:67c:4e8:f002::a]:443"},
		true:  {"149.154.167.40:443", "149.154.175.10:80", "[2001:67c:4e8:f002::e]:443"},
	}
	for f, keeps := range carries {
		for round := range 500 {
			test := random.IntN(3) == 0
			s := Session{DC: 1 + random.IntN(3), Test: tristate(test), UserID: 1 + random.Int64N(maxUserID), Bot: tristate(random.IntN(2) == 0), APIID: 1 + random.IntN(1<<31-1)}
			if !test {
				s.DC = 1 + random.IntN(5)
			}
			s.Addr = addresses[test][random.IntN(3)]
			zeros := random.IntN(4) // runs of zeros matter to MTKruto
			for i := range s.Key {
				if s.Key[i] = byte(random.Uint32()); zeros > 0 && random.IntN(zeros+1) == 0 {
					s.Key[i] = 0
				}
			}
			s.Key[random.IntN(256)] = 1
			text, err := Encode(f, s)
			if err != nil {
				t.Fatalf("%s, round %d: %v", f, round, err)
			}
			got, err := ParseText(text)
			if isReason(err, ReasonAmbiguous) { // a key full of zeros may be
				got, err = ParseTextAs(f, text)
			}
			if err != nil {
				t.Fatalf("%s, round %d: %v", f, round, err)
			}
			want := s
			want.Format = f
			keeps(&want)
			got.Dropped = nil
			if !reflect.DeepEqual(got, want) {
				t.Fatalf("%s, round %d: read %+v\nwant %+v", f, round, got, want)
			}
		}
	}
}

func TestTheTableOfFormatsIsWhatThePackageDoes(t *testing.T) {
	seen := map[Format]bool{}
	for _, info := range Formats() {
		if seen[info.Name] || info.What == "" || !info.Read {
			t.Errorf("%s is listed twice, without words, or as not read", info.Name)
		}
		seen[info.Name] = true
		_, err := Encode(info.Name, sample())
		if wrote := err == nil; wrote != info.Write {
			t.Errorf("%s: written %t, the table says %t: %v", info.Name, wrote, info.Write, err)
		}
		text := slices.ContainsFunc(textFormats, func(f textFormat) bool { return f.format == info.Name })
		if _, err := ParseTextAs(info.Name, []byte("x")); text == isReason(err, ReasonOtherDoor) {
			t.Errorf("%s: a text is read %t: %v", info.Name, text, err)
		}
	}
}

func isReason(err error, r Reason) bool {
	var e *Error
	return errors.As(err, &e) && e.Reason == r
}

func TestASessionWithoutWhatAFormatNeedsIsNotWritten(t *testing.T) {
	for name, c := range map[string]struct {
		format Format
		change func(*Session)
		reason Reason
	}{
		"pyrogram: no app":          {Pyrogram, func(s *Session) { s.APIID = 0 }, ReasonMissing},
		"pyrogram: no user":         {Pyrogram, func(s *Session) { s.UserID = 0 }, ReasonMissing},
		"pyrogram: bot or not":      {Pyrogram, func(s *Session) { s.Bot = Unknown }, ReasonMissing},
		"mtcute: bot or not":        {MTCute, func(s *Session) { s.Bot = Unknown }, ReasonMissing},
		"telethon: the name of one": {Telethon, func(s *Session) { s.Addr = "vesta.web.telegram.org:443" }, ReasonMissing},
		"gramjs: a long name":       {GramJS, func(s *Session) { s.Addr = strings.Repeat("a", 101) + ":443" }, ReasonMissing},
		"gramjs: a broken address":  {GramJS, func(s *Session) { s.Addr = "nowhere" }, ReasonMalformed},
		"no key":                    {Telethon, func(s *Session) { s.Key = Key{} }, ReasonKey},
		"no DC":                     {Telethon, func(s *Session) { s.DC = 0 }, ReasonDC},
		"a format that is none":     {"telegram", func(*Session) {}, ReasonUnrecognised},
		"a file":                    {PyrogramSQLite, func(*Session) {}, ReasonNotWritten},
		"a folder":                  {TData, func(*Session) {}, ReasonOtherDoor},
	} {
		s := sample()
		c.change(&s)
		if text, err := Encode(c.format, s); !isReason(err, c.reason) || text != nil {
			t.Errorf("%s: %v, want %s", name, err, c.reason)
		}
	}
}

func TestASessionWithoutAnAddressIsWrittenWithTheBuiltInOne(t *testing.T) {
	for _, f := range []Format{Telethon, GramJS, MTCute, Gogram} {
		for _, test := range []Tristate{No, Yes} {
			for id := 1; id <= maxTestDC; id++ {
				s := sample()
				s.DC, s.Test, s.Addr = id, test, ""
				text, err := Encode(f, s)
				if err != nil {
					t.Fatal(err)
				}
				got, err := ParseText(text)
				if err != nil {
					t.Fatal(err)
				}
				if got.Addr == "" || got.Test != test || got.DC != id {
					t.Errorf("%s, DC %d, test %s: read %+v", f, id, test, got)
				}
			}
		}
	}
}

func TestWritingLeavesTheCallersKeysAlone(t *testing.T) {
	s := sample()
	s.Guests = []GuestKey{{DC: 4, Key: s.Key}}
	for _, info := range Formats() {
		if _, err := Encode(info.Name, s); err != nil && info.Write {
			t.Fatal(err)
		}
	}
	var random counting
	if _, err := EncodeDir(TData, []Session{s}, nil, &random); err != nil {
		t.Fatal(err)
	}
	if s.Key != sample().Key || s.Guests[0].Key != sample().Key {
		t.Error("a key of the caller's was wiped")
	}
}

// An MTKruto string of DC 1 whose run-length code has 271 bytes, with a lone zero eight bytes before a last byte of 1, is
// also a Pyrogram string: of an app with an unlikely id, and a user with a possible one.
func TestAStringThatFitsTwoFormatsIsRefusedWithBothUnlessToldWhich(t *testing.T) {
	s := sample()
	for i := range s.Key {
		s.Key[i] = byte(i%255) + 1
	}
	for i := range 4 {
		s.Key[10+20*i] = 0
	}
	s.Key[248], s.Key[255] = 0, 1
	s.DC = 1
	text, err := Encode(MTKruto, s)
	if err != nil {
		t.Fatal(err)
	}
	_, err = ParseText(text)
	var e *Error
	if !errors.As(err, &e) || e.Reason != ReasonAmbiguous || !slices.Equal(e.Candidates, []Format{MTKruto, Pyrogram}) {
		t.Fatalf("refused with %v", err)
	}
	if !strings.Contains(e.Error(), "mtkruto or pyrogram") {
		t.Errorf("the error does not name both: %v", e)
	}
	quotesNothing(t, err, string(text))
	one, err := ParseTextAs(MTKruto, text)
	if err != nil || one.Key != s.Key || one.DC != 1 {
		t.Errorf("as MTKruto: %v", err)
	}
	other, err := ParseTextAs(Pyrogram, text)
	if err != nil || other.Key == s.Key || other.APIID != 0x310002fe {
		t.Errorf("as Pyrogram: %+v, %v", other, err)
	}
}

func TestNoWayOfPrintingShowsAKey(t *testing.T) {
	s := sample()
	s.Guests = []GuestKey{{DC: 4, Key: s.Key}}
	var out bytes.Buffer
	logger := slog.New(slog.NewJSONHandler(&out, nil))
	logger.Info("x", "key", s.Key, "session", s, "guests", s.Guests)
	slog.New(slog.NewTextHandler(&out, nil)).Info("x", "key", s.Key, "session", s)
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%X", "%d", "%q", "%c", "%U", "%o", "%b"} {
		fmt.Fprintf(&out, verb+"\n", s.Key)
		fmt.Fprintf(&out, verb+"\n", &s.Key)
		fmt.Fprintf(&out, verb+"\n", s)
		fmt.Fprintf(&out, verb+"\n", &s)
	}
	text, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	out.Write(text)
	out.WriteString(s.Key.String() + s.Key.GoString())
	for _, shown := range []string{"0a0b0c0d", "0A0B0C0D", "10 11 12", "10, 11, 12", "10,11,12", "CgsMDQ", "a b c d", "0xa, 0xb", "\\n\\v\\f", "012 013 014", "1010 1011 1100", "U+000A U+000B", "\x0b\x0c\x0d\x0e"} {
		if strings.Contains(out.String(), shown) {
			t.Errorf("%q was printed", shown)
		}
	}
	if !strings.Contains(out.String(), redacted) {
		t.Error("the marker is missing")
	}
}

func TestWipingLeavesNoKey(t *testing.T) {
	s := sample()
	s.Guests = []GuestKey{{DC: 4, Key: s.Key}}
	s.Wipe()
	if s.Key != (Key{}) || s.Guests[0].Key != (Key{}) {
		t.Error("a key is left")
	}
}

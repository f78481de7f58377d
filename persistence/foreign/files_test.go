package foreign

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The files in testdata/js were written by GramJS and mtcute (benchmarks/peers/js/sessions.mjs), those in
// testdata/telethon by Telethon (sqlitefile/testdata/make.py); all of the sample account.

func TestStringsThatTheLibrariesWroteAreRead(t *testing.T) {
	short := func(s *Session) { s.UserID, s.Bot, s.APIID = 0, Unknown, 0 }
	for file, c := range map[string]struct {
		format Format
		change func(*Session)
	}{
		"telethon/ipv4.txt":      {Telethon, short},
		"telethon/ipv6.txt":      {Telethon, func(s *Session) { short(s); s.Addr = "[2001:67c:4e8:f002::a]:443" }},
		"telethon/test.txt":      {Telethon, func(s *Session) { short(s); s.Addr, s.Test = "149.154.167.40:443", Yes }},
		"js/gramjs-2.26.22.txt":  {GramJS, short},
		"js/gramjs-2.22.2.txt":   {GramJS, short},
		"js/gramjs-2.11.7.txt":   {GramJS, short},
		"js/gramjs-browser.txt":  {GramJS, func(s *Session) { short(s); s.DC, s.Addr, s.Test = 4, "vesta.web.telegram.org:443", Unknown }},
		"js/mtcute.txt":          {MTCute, func(s *Session) { s.APIID = 0 }},
		"js/mtcute-media.txt":    {MTCute, func(s *Session) { s.APIID, s.Dropped = 0, []string{"the address of the media DC"} }},
		"js/mtcute-no-self.txt":  {MTCute, func(s *Session) { short(s); s.Dropped = []string{"the address of the media DC"} }},
		"js/mtcute-test-bot.txt": {MTCute, func(s *Session) { s.APIID, s.Test, s.Bot, s.Addr = 0, Yes, Yes, "149.154.167.40:443" }},
		"js/pyrogram.txt":        {Pyrogram, func(s *Session) { s.Addr = "" }},
		"js/pyrogram-old.txt":    {Pyrogram, func(s *Session) { s.Addr, s.APIID = "", 0 }},
		"js/mtkruto.txt":         {MTKruto, func(s *Session) { short(s); s.Addr = "" }},
		"js/mtkruto-test.txt":    {MTKruto, func(s *Session) { short(s); s.Addr, s.Test = "", Yes }},
	} {
		t.Run(file, func(t *testing.T) {
			text, err := os.ReadFile(filepath.Join("testdata", file))
			if err != nil {
				t.Fatal(err)
			}
			want := sample()
			c.change(&want)
			want.Format = c.format
			got, err := ParseText(text)
			if err != nil {
				t.Fatal(err)
			}
			same(t, got, want)
		})
	}
}

func TestWhatPeoplePasteAroundAStringDoesNotMatter(t *testing.T) {
	text := written(Telethon)()
	for name, pasted := range map[string]string{
		"a line":                text + "\n",
		"blanks":                "  \t" + text + " \r\n\r\n",
		"double quotes":         `"` + text + `"`,
		"single quotes":         "'" + text + "'\n",
		"a code span":           "`" + text + "`",
		"typographic quotes":    "“" + text + "”",
		"a byte order mark":     "\xef\xbb\xbf" + text,
		"lines of 76":           text[:76] + "\r\n" + text[76:152] + "\r\n" + text[152:],
		"no padding":            strings.TrimRight(text, "="),
		"the standard alphabet": strings.NewReplacer("-", "+", "_", "/").Replace(text),
	} {
		t.Run(name, func(t *testing.T) {
			got, err := ParseText([]byte(pasted))
			if err != nil {
				t.Fatal(err)
			}
			if got.Format != Telethon || got.Key != sample().Key {
				t.Error("it was read as something else")
			}
		})
	}
}

func TestTheFolderOfGramJSIsRead(t *testing.T) {
	list, err := ParseDir(os.DirFS("testdata/js/store"), nil)
	if err != nil {
		t.Fatal(err)
	}
	want := sample()
	want.Format, want.UserID, want.Bot, want.APIID = GramJSStore, 0, Unknown, 0
	want.Dropped = []string{"the peers that GramJS has seen"}
	if len(list) != 1 {
		t.Fatalf("%d sessions", len(list))
	}
	same(t, list[0], want)
}

func TestATDataFolderIsReadWithItsAccountsAndGuestKeys(t *testing.T) {
	for _, c := range []struct{ dir, passcode string }{{"testdata/js/tdata", ""}, {"testdata/js/tdata-passcode", "correct horse"}} {
		t.Run(c.dir, func(t *testing.T) {
			list, err := ParseDir(os.DirFS(c.dir), []byte(c.passcode))
			if err != nil {
				t.Fatal(err)
			}
			if len(list) != 2 {
				t.Fatalf("%d accounts", len(list))
			}
			var other Key
			for i := range other {
				other[i] = byte(255 - i)
			}
			first := sample()
			first.Format, first.Addr, first.APIID, first.Bot, first.Test = TData, "", 0, Unknown, Unknown
			first.Guests = []GuestKey{{DC: 4, Key: other}}
			first.Dropped = []string{"1 keys that Telegram Desktop was to destroy", "everything else that Telegram Desktop keeps"}
			same(t, list[0], first)
			second := Session{Format: TData, DC: 4, UserID: 777000124, Key: other, Dropped: []string{"everything else that Telegram Desktop keeps"}}
			same(t, list[1], second)
		})
	}
}

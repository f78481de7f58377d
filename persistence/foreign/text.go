package foreign

import (
	"bytes"
	"slices"
)

// MaxText is the longest text that is looked at, in bytes. The largest honest one is gotd's JSON with a list of DC
// options inside, about 10 KiB, and gotgproto's envelope around it, 14 KiB: this is eighteen times that.
const MaxText = 256 << 10

// textFormat is one format that comes as text.
type textFormat struct {
	format Format
	// parse reads a text that was trimmed; white space inside is gone unless the format is JSON.
	parse func([]byte) (Session, error)
}

// textFormats are tried in this order, which decides only whose error is shown.
var textFormats = []textFormat{
	{Gogram, parseGogram},
	{GramJS, parseGramJS},
	{Telethon, parseTelethon},
	{GoTD, parseGoTD},
	{GoTGProto, parseGoTGProto},
	{MTCute, parseMTCute},
	{MTKruto, parseMTKruto},
	{Pyrogram, parsePyrogram},
}

// ParseText reads a session string or JSON of any format that comes as text, and finds out which it is. White space
// and quotes around it, and lines broken by a mail program, do not matter. It fails with an *Error: ReasonUnrecognised,
// ReasonAmbiguous, ReasonOtherDoor for what ParseDir or sqlitefile reads, or what the format's reader has against it.
func ParseText(text []byte) (Session, error) {
	text, err := trim(text)
	if err != nil {
		return Session{}, err
	}
	packed, isJSON := pack(text)
	defer clear(packed)
	if !isJSON && !base64Text(packed) {
		return Session{}, unrecognised(packed)
	}
	likely := guess(packed)
	if likely == "" {
		return Session{}, unrecognised(packed)
	}
	var found []Session
	var why error
	for _, f := range textFormats {
		if (f.format == GoTD) != isJSON {
			continue
		}
		s, err := f.parse(packed)
		if err == nil {
			err = s.Check()
		}
		if err == nil {
			found = append(found, s)
			continue
		}
		s.Wipe()
		if f.format == likely {
			why = err
		}
	}
	if len(found) == 0 {
		return Session{}, why
	}
	if len(found) > 1 {
		return Session{}, ambiguous(found)
	}
	return found[0], nil
}

// ParseTextAs reads text as the format it is told, where ParseText found several. It fails with an *Error.
func ParseTextAs(f Format, text []byte) (Session, error) {
	i := slices.IndexFunc(textFormats, func(t textFormat) bool { return t.format == f })
	if i < 0 {
		return Session{}, bad(f, ReasonOtherDoor, "", "it is not a format that comes as text")
	}
	text, err := trim(text)
	if err != nil {
		return Session{}, err
	}
	packed, _ := pack(text)
	defer clear(packed)
	s, err := textFormats[i].parse(packed)
	if err == nil {
		err = s.Check()
	}
	if err != nil {
		s.Wipe()
		return Session{}, err
	}
	return s, nil
}

// ambiguous wipes what was found and says what it could be.
func ambiguous(found []Session) error {
	e := bad("", ReasonAmbiguous, "", "it can be read as more than one format: say which it is")
	for i := range found {
		e.Candidates = append(e.Candidates, found[i].Format)
		found[i].Wipe()
	}
	e.What += ":"
	for i, f := range e.Candidates {
		if i > 0 {
			e.What += " or"
		}
		e.What += " " + string(f)
	}
	return e
}

// trim takes off what people paste around a session, and recognises what is no text at all. The result aliases text.
func trim(text []byte) ([]byte, error) {
	if len(text) > MaxText {
		if IsSQLite(text) {
			return nil, errSQLite()
		}
		return nil, bad("", ReasonTooLarge, "", "it has %d bytes, and no session string or JSON has more than %d", len(text), MaxText)
	}
	text = bytes.TrimPrefix(text, []byte("\xef\xbb\xbf"))
	text = bytes.TrimSpace(text)
	for _, quote := range []string{`"`, `'`, "`", "“”", "‘’", "«»"} {
		open, shut := []byte(quote), []byte(quote)
		if len(quote) > 1 {
			open, shut = open[:len(open)/2], shut[len(shut)/2:]
		}
		if len(text) >= len(open)+len(shut) && bytes.HasPrefix(text, open) && bytes.HasSuffix(text, shut) {
			text = bytes.TrimSpace(text[len(open) : len(text)-len(shut)])
			break
		}
	}
	switch {
	case len(text) == 0:
		return nil, bad("", ReasonUnrecognised, "", "there is nothing in it (Telethon and GramJS write an empty string before a sign-in)")
	case IsSQLite(text):
		return nil, errSQLite()
	case bytes.HasPrefix(text, []byte(tdfMagic)):
		return nil, bad(TData, ReasonOtherDoor, "", "this is one file of a tdata folder: give the folder")
	case bytes.HasPrefix(text, []byte("<?php")):
		return nil, errMadeline()
	}
	return text, nil
}

// pack copies text without the white space in it. JSON keeps its own.
func pack(text []byte) (packed []byte, isJSON bool) {
	if text[0] == '{' {
		return bytes.Clone(text), true
	}
	packed = make([]byte, 0, len(text))
	for _, c := range text {
		switch c {
		case ' ', '\t', '\r', '\n':
		default:
			packed = append(packed, c)
		}
	}
	return packed, false
}

// guess names the format whose complaint is worth hearing when none can read a text, from how it begins and how long
// it is.
func guess(packed []byte) Format {
	switch {
	case packed[0] == '{':
		return GoTD
	case bytes.HasPrefix(packed, []byte(gogramJSON)), bytes.HasPrefix(packed, []byte(gogramFields)):
		return Gogram
	case len(packed) < minText:
		return ""
	}
	if packed[0] == '1' { // no other format's first byte is 0xD4 to 0xD7
		if data, ok := decode64(packed[1:]); ok {
			defer clear(data)
			if n, is := gramJSHost(data); is && n <= maxHost && data[3] > ' ' && data[3] < 0x7f && len(data) != telethonIPv4 {
				return GramJS
			}
		}
		return Telethon
	}
	data, ok := decode64(packed)
	if !ok {
		return ""
	}
	defer clear(data)
	switch first, second := data[0], data[1]; {
	case first == '{':
		return GoTGProto
	case first == mtcuteVersion && len(data) > pyrogramNow:
		return MTCute
	case (first == 1 || first == 6) && second >= '0' && second <= '9':
		return MTKruto
	case first >= 1 && first <= maxDC:
		return Pyrogram
	}
	return ""
}

// minText is the least that could hold part of an auth key: shorter texts are words, phone numbers and bot tokens, and
// are not named after a format.
const minText = 40

func unrecognised(packed []byte) error {
	if digits, rest, ok := bytes.Cut(packed, []byte(":")); ok && len(digits) >= 6 && len(rest) == 35 {
		return bad("", ReasonUnrecognised, "", "this looks like a bot's token: a bot signs in with it, there is no session to import")
	}
	return bad("", ReasonUnrecognised, "", "this is no session string or JSON that is known here: copy it whole, with nothing before or after it")
}

// IsSQLite says whether a file that begins with head is an SQLite file: sqlitefile reads those, by path. Sixteen bytes
// are enough.
func IsSQLite(head []byte) bool { return bytes.HasPrefix(head, []byte("SQLite format 3\x00")) }

func errSQLite() error {
	return bad("", ReasonOtherDoor, "", "this is an SQLite file (Telethon's or Pyrogram's .session): it is opened by its path, not read from a pipe")
}

func errMadeline() error {
	return bad("", ReasonUnreadable, "", "this is a MadelineProto session, a PHP object that no other program should load: in PHP, call $MadelineProto->exportAuthorization(), which gives DC and key, and bring those as a Telethon or Pyrogram string")
}

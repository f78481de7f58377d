package foreign

import "slices"

// FormatInfo is what a command can say about a format.
type FormatInfo struct {
	Name   Format
	What   string
	Read   bool
	Write  bool // Encode writes it
	Folder bool // it is a folder: ParseDir reads it, and EncodeDir writes tdata
}

type format struct {
	FormatInfo
	encode func(*Session) ([]byte, error)
}

// formats has every format once, in the order in which commands list them.
var formats = []format{
	{FormatInfo{Telethon, "Telethon's session string", true, true, false}, encodeTelethon},
	{FormatInfo{TelethonSQLite, "Telethon's .session file", true, false, false}, nil},
	{FormatInfo{GramJS, "GramJS's session string", true, true, false}, encodeGramJS},
	{FormatInfo{GramJSStore, "the folder of GramJS's StoreSession", true, false, true}, nil},
	{FormatInfo{Pyrogram, "session string of Pyrogram, Pyrofork, Hydrogram, Kurigram", true, true, false}, encodePyrogram},
	{FormatInfo{PyrogramSQLite, ".session file of Pyrogram, Pyrofork, Hydrogram, Kurigram", true, false, false}, nil},
	{FormatInfo{MTCute, "mtcute's session string", true, true, false}, encodeMTCute},
	{FormatInfo{MTKruto, "MTKruto's auth string", true, true, false}, encodeMTKruto},
	{FormatInfo{Gogram, "gogram's session string", true, true, false}, encodeGogram},
	{FormatInfo{GoTD, "gotd's session JSON", true, true, false}, encodeGoTD},
	{FormatInfo{GoTGProto, "gotgproto's session string", true, true, false}, encodeGoTGProto},
	{FormatInfo{TData, "Telegram Desktop's tdata folder", true, false, true}, nil},
}

// Formats lists every format, whether this package and sqlitefile read it, and whether Encode writes it.
func Formats() []FormatInfo {
	list := make([]FormatInfo, len(formats))
	for i, f := range formats {
		list[i] = f.FormatInfo
	}
	return list
}

// Encode writes a session as a string or JSON of another library, who can then act as the account: the caller must have
// stopped. It needs DC, Key and Test; an address is taken from the built-in table where the session has none. It fails
// with an *Error: ReasonNotWritten for formats that are only read, ReasonOtherDoor for EncodeDir's, ReasonMissing where the format needs what the session
// has not (Pyrogram: api_id, user and bot; mtcute: whether the user is a bot).
func Encode(f Format, s Session) ([]byte, error) {
	defer s.Key.Wipe() // of this copy; Guests are the caller's
	i := slices.IndexFunc(formats, func(x format) bool { return x.Name == f })
	if i < 0 {
		return nil, bad(f, ReasonUnrecognised, "", "there is no such format")
	}
	if f == TData {
		return nil, bad(f, ReasonOtherDoor, "", "it is a folder, and this program does not write it from the command line: from Go, EncodeDir does")
	}
	if formats[i].encode == nil {
		return nil, bad(f, ReasonNotWritten, "", "this program reads it and does not write it")
	}
	s.Format = f
	if err := s.Check(); err != nil {
		return nil, err
	}
	return formats[i].encode(&s)
}

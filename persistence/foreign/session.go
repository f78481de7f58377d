package foreign

import (
	"encoding/json"
	"fmt"
	"io"
	"log/slog"

	"github.com/mtfleet/mtfleet/mtproto/crypt"
)

// Format names a kind of foreign session, as commands and records spell it.
type Format string

// The formats. Formats says what each is and whether it is read and written.
const (
	Telethon       Format = "telethon"        // Telethon's StringSession, version 1
	TelethonSQLite Format = "telethon-sqlite" // Telethon's .session file
	GramJS         Format = "gramjs"          // GramJS's StringSession
	GramJSStore    Format = "gramjs-store"    // the folder of GramJS's StoreSession
	Pyrogram       Format = "pyrogram"        // session strings of Pyrogram, Pyrofork, Hydrogram, Kurigram
	PyrogramSQLite Format = "pyrogram-sqlite" // their .session files
	MTCute         Format = "mtcute"          // mtcute's string session, version 3
	MTKruto        Format = "mtkruto"         // MTKruto's auth string
	Gogram         Format = "gogram"          // gogram's string sessions, 1BvE and the older 1BvX
	GoTD           Format = "gotd"            // gotd's session JSON
	GoTGProto      Format = "gotgproto"       // gotgproto's string: gotd's JSON in an envelope
	TData          Format = "tdata"           // Telegram Desktop's folder
)

// Tristate is a yes or no that a format may leave open.
type Tristate uint8

// The values of a Tristate.
const (
	Unknown Tristate = iota
	No
	Yes
)

// String is "unknown", "no" or "yes".
func (t Tristate) String() string {
	switch t {
	case No:
		return "no"
	case Yes:
		return "yes"
	}
	return "unknown"
}

func tristate(b bool) Tristate {
	if b {
		return Yes
	}
	return No
}

const redacted = "[secret]"

// Key is an auth key. It formats, logs and marshals as "[secret]"; the bytes are reached by slicing it.
type Key [crypt.KeySize]byte

// String hides the key.
func (Key) String() string { return redacted }

// GoString hides the key.
func (Key) GoString() string { return redacted }

// Format hides the key from every verb of fmt.
func (Key) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, redacted) }

// LogValue hides the key.
func (Key) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalJSON hides the key.
func (Key) MarshalJSON() ([]byte, error) { return json.Marshal(redacted) }

// MarshalText hides the key from encoders other than JSON's.
func (Key) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// ID is the key's auth_key_id, which is public. It takes a pointer so that no copy of the key is left behind.
func (k *Key) ID() crypt.KeyID {
	a, err := crypt.NewAuthKey(k[:])
	if err != nil {
		return 0 // never: a Key has the size of a key
	}
	defer a.Wipe()
	return a.ID()
}

// Wipe overwrites the key with zeros.
func (k *Key) Wipe() { clear(k[:]) }

// GuestKey is a key that a session holds for a DC that is not the account's home. Only tdata has them.
type GuestKey struct {
	DC  int
	Key Key
}

// Session is what a foreign record says about one account. A zero field is one that the format does not have.
type Session struct {
	Format Format
	DC     int      // home DC, 1 to 5; 1 to 3 for test accounts
	Test   Tristate // whether DC and key belong to Telegram's test servers; also known from a well-known address
	Addr   string   // host:port where the DC was last reached; a hint, "" where there is none
	Key    Key      // perm key of the home DC
	UserID int64    // 0 if unknown
	Bot    Tristate
	APIID  int // the app under which the other library ran; 0 if unknown
	Guests []GuestKey
	// Dropped says in words what the record holds and this Session leaves.
	Dropped []string
}

// Wipe overwrites every key of the session with zeros.
func (s *Session) Wipe() {
	s.Key.Wipe()
	for i := range s.Guests {
		s.Guests[i].Key.Wipe()
	}
}

// maxDC and maxTestDC are the highest DC of Telegram's production and test worlds in which accounts live. CDN DCs have
// higher ids and no accounts.
const (
	maxDC     = 5
	maxTestDC = 3
)

// maxUserID is the highest user id there may be: ids have at most 52 bits, so that they fit the double in which
// JavaScript and the Bot API keep them.
const maxUserID = 1<<52 - 1

// Check holds what every record must keep, whatever its format, and learns Test from a well-known address. ParseText,
// ParseDir and sqlitefile have called it for what they answer. It fails with an *Error.
func (s *Session) Check() error {
	if s.Test == Unknown {
		s.Test = OfTestServers(s.Addr)
	}
	switch {
	case s.DC < 1 || s.DC > maxDC:
		return bad(s.Format, ReasonDC, "DC", "it is for DC %d, and accounts live on DCs 1 to %d: it is damaged, or not what it looks like", s.DC, maxDC)
	case s.Test == Yes && s.DC > maxTestDC:
		return bad(s.Format, ReasonDC, "DC", "it is for DC %d of the test servers, which have DCs 1 to %d", s.DC, maxTestDC)
	case s.Key == Key{}:
		return bad(s.Format, ReasonKey, "key", "the auth key is all zeros: the session was saved before it signed in")
	case s.UserID < 0 || s.UserID > maxUserID:
		return bad(s.Format, ReasonMalformed, "user id", "it is not the id of a user: the record is damaged")
	case s.APIID < 0:
		return bad(s.Format, ReasonMalformed, "api_id", "it is negative: the record is damaged")
	}
	return nil
}

// setKey takes the 256 bytes of a key out of a record.
func (s *Session) setKey(b []byte) error {
	if len(b) != len(s.Key) {
		if len(b) == 0 {
			return bad(s.Format, ReasonKey, "key", "there is no auth key in it: the session was saved before it signed in")
		}
		return bad(s.Format, ReasonKey, "key", "the auth key has %d bytes, not %d", len(b), len(s.Key))
	}
	copy(s.Key[:], b)
	return nil
}

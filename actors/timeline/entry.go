package timeline

import (
	"encoding/hex"
	"fmt"
	"math"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// A Kind says what happened. The numbers are part of the storage format: never
// reuse or renumber them.
type Kind uint8

// The kinds of entries.
const (
	// Started: the account began, with the process or after a failure.
	Started Kind = 1
	// State: it stands somewhere else, or for another reason. Word is the state,
	// Until the end of a wait that holds it.
	State Kind = 2
	// Wait: the server ordered one. Word is the method it holds, empty for the
	// whole account.
	Wait Kind = 3
	// Step: a sign-in asks for something. Word is what, Why what was wrong with the
	// last answer.
	Step Kind = 4

	// PermMade and TempMade: a key was made.
	PermMade Kind = 5
	TempMade Kind = 6
	// MakeFailed: a key could not be made.
	MakeFailed Kind = 7
	// Bound and BindFailed: a temp key was bound, or was not.
	Bound      Kind = 8
	BindFailed Kind = 9
	// Used: calls go under the key from now on.
	Used Kind = 10
	// Replaced: another key was taken into use; under this one answers may still
	// come.
	Replaced Kind = 11
	// Closed: nothing is sent or heard under a replaced key any more.
	Closed Kind = 12
	// Dropped: the server was asked to forget every temp key of the DC but those in
	// use.
	Dropped Kind = 13
	// Lost: nothing may be sent under the key any more, and none has taken its
	// place. Why is the server's answer that ended it, or ours.
	Lost Kind = 14
	// Gone: the server does not know the perm key any more, which is proved.
	Gone Kind = 15
	// Forgotten: the keys of the DC were thrown away.
	Forgotten Kind = 16

	// Connected and Disconnected: a connection stands, or is lost. Key is zero for
	// one that has no key yet.
	Connected    Kind = 17
	Disconnected Kind = 18
	// Unreachable: the DC cannot be reached.
	Unreachable Kind = 19
)

var kindNames = [...]string{
	Started: "started", State: "state", Wait: "wait", Step: "step", PermMade: "perm-key-made", TempMade: "temp-key-made",
	MakeFailed: "key-failed", Bound: "bound", BindFailed: "bind-failed", Used: "in-use", Replaced: "replaced", Closed: "closed",
	Dropped: "dropped", Lost: "key-lost", Gone: "key-gone", Forgotten: "keys-forgotten", Connected: "connected",
	Disconnected: "disconnected", Unreachable: "unreachable",
}

func (k Kind) known() bool { return int(k) < len(kindNames) && kindNames[k] != "" }

// String is the kind in a word.
func (k Kind) String() string {
	if k.known() {
		return kindNames[k]
	}
	return fmt.Sprintf("kind-%d", uint8(k))
}

// MarshalText is String.
func (k Kind) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// UnmarshalText reads what MarshalText wrote.
func (k *Kind) UnmarshalText(text []byte) error {
	for i, name := range kindNames {
		if name != "" && name == string(text) {
			*k = Kind(i)
			return nil
		}
	}
	return fmt.Errorf("timeline: %q is no kind of entry", text)
}

// A Key is the first half of an auth key's public id, as it stands on the wire:
// enough to tell an account's keys apart. Zero is none.
type Key [4]byte

// KeyOf shortens the id of an auth key.
func KeyOf(id int64) Key { return Key{byte(id), byte(id >> 8), byte(id >> 16), byte(id >> 24)} }

// IsZero reports whether it is none.
func (k Key) IsZero() bool { return k == Key{} }

// String is the half in hexadecimal.
func (k Key) String() string { return hex.EncodeToString(k[:]) }

// MarshalText is String.
func (k Key) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// UnmarshalText reads what MarshalText wrote.
func (k *Key) UnmarshalText(text []byte) error {
	if len(text) != 2*len(k) {
		return fmt.Errorf("timeline: %q is not the short id of a key", text)
	}
	_, err := hex.Decode(k[:], text)
	return err
}

// Entry is one thing that happened. Which fields are set is said at each Kind.
type Entry struct {
	At   time.Time `json:"at"` // to the millisecond
	Kind Kind      `json:"kind"`
	DC   int       `json:"dc,omitempty"`
	// Media: of the DC's addresses for media alone, where the account has
	// connections and temp keys of their own.
	Media bool   `json:"media,omitempty"`
	Key   Key    `json:"key,omitzero"`
	Word  string `json:"word,omitempty"`
	// Why it happened: the server's words and ours, cut short.
	Why   string    `json:"why,omitempty"`
	Until time.Time `json:"until,omitzero"` // to the second
}

const (
	wordMost = 40 // bytes of Word: no method that the manager calls by itself is longer
	whyMost  = 80 // bytes of Why: two lines on a terminal
	// digitsMost is how many digits may follow each other: a port has five, the
	// shortest phone number that is assigned seven.
	digitsMost = 6
)

// tidy brings an entry to what is kept of it.
func (e Entry) tidy() Entry {
	e.At = time.UnixMilli(min(max(e.At.UnixMilli(), earliest), latest)).UTC()
	if !e.Until.IsZero() {
		e.Until = time.Unix(min(max(e.Until.Unix(), earliest/1000), latest/1000), 0).UTC()
	}
	e.Word, e.Why = words(e.Word, wordMost), words(e.Why, whyMost)
	e.DC = min(max(e.DC, 0), math.MaxInt32) // with a sign it is kept for media, see encode
	e.Media = e.Media && e.DC != 0
	return e
}

// words makes text fit to be kept: one line, cut at a rune, and in place of a
// number that may be somebody's phone an ellipsis.
func words(s string, most int) string {
	if len(s) > 4*most {
		s = s[:4*most] // the rest could not be of use
	}
	var b strings.Builder
	for i := 0; i < len(s); {
		n := digits(s[i:])
		if n > digitsMost {
			b.WriteString("…")
		} else if n > 0 {
			b.WriteString(s[i : i+n])
		}
		if i += n; n > 0 {
			continue
		}
		r, size := utf8.DecodeRuneInString(s[i:])
		if i += size; r == utf8.RuneError || !unicode.IsPrint(r) {
			r = ' '
		}
		b.WriteRune(r)
	}
	out := strings.TrimSpace(b.String())
	if len(out) <= most {
		return out
	}
	cut := most - len("…")
	for !utf8.RuneStart(out[cut]) {
		cut--
	}
	return out[:cut] + "…"
}

func digits(s string) (n int) {
	for n < len(s) && '0' <= s[n] && s[n] <= '9' {
		n++
	}
	return n
}

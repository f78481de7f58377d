package transport

import "strconv"

// MaxPacket is the longest packet read or written, 16 MiB: the largest frame
// any known client accepts. The server itself drops connections that send more
// than about 1 MiB, which is the sender's concern, not the framing's.
const MaxPacket = 16 << 20

// Kind is a framing.
type Kind uint8

// The framings. The zero Kind is none of them.
const (
	// Abridged has the shortest header: one byte for packets below 508 bytes.
	Abridged Kind = 1 + iota
	// Intermediate has a four-byte length.
	Intermediate
	// Padded is Intermediate with 0..15 random bytes behind each packet, so
	// that lengths say less to an observer.
	Padded
	// Full has a length, a sequence number and a CRC32. It is never obfuscated.
	Full
)

// String returns the name that ParseKind reads.
func (k Kind) String() string {
	switch k {
	case 0:
		return "unknown"
	case Abridged:
		return "abridged"
	case Intermediate:
		return "intermediate"
	case Padded:
		return "padded"
	case Full:
		return "full"
	}
	return "kind " + strconv.Itoa(int(k))
}

// ParseKind returns the kind of that name; ok is false when there is none.
func ParseKind(name string) (k Kind, ok bool) {
	for k := Abridged; k <= Full; k++ {
		if k.String() == name {
			return k, true
		}
	}
	return 0, false
}

// tag is the word that announces the framing, the same on the wire in either
// byte order. Abridged sends only one byte of it; full has none.
func (k Kind) tag() uint32 {
	switch k {
	case Abridged:
		return 0xefefefef
	case Intermediate:
		return 0xeeeeeeee
	case Padded:
		return 0xdddddddd
	}
	return 0
}

// kindOfTag is the reverse of tag, as it appears in an obfuscated header.
func kindOfTag(tag uint32) Kind {
	for k := Abridged; k <= Padded; k++ {
		if k.tag() == tag {
			return k
		}
	}
	return 0
}

package peers

import (
	"encoding/binary"

	"github.com/mtfleet/mtfleet/tl"
	"github.com/mtfleet/mtfleet/tl/tg"
)

// form says where a constructor of User or Chat has what is of interest: the numbers of fields as tl.Walk counts them,
// -1 for none, and bits of its first word of flags, 0 for none. A test holds it to the schema.
type form struct {
	kind                      Kind
	id, hash, name, usernames int
	min, bot                  uint32
}

// Constructors of the two types.
const (
	userID = 0xb1b8cc83 // user
	chatID = 0x41cbf256 // chat
)

// formOf has the constructors that say something of a peer. userEmpty and chatEmpty name one that is not there;
// community and communityForbidden are nothing that an InputPeer can name.
func formOf(id uint32) (form, bool) {
	switch id {
	case userID:
		return form{User, 2, 3, 6, 15, 1 << 20, 1 << 14}, true
	case chatID:
		return form{Chat, 1, -1, -1, -1, 0, 0}, true
	case 0x6592a1a7: // chatForbidden
		return form{Chat, 0, -1, -1, -1, 0, 0}, true
	case 0xd49f34c6: // channel
		return form{Channel, 2, 3, 5, 13, 1 << 12, 0}, true
	case 0x17d493d5: // channelForbidden
		return form{Channel, 1, 2, -1, -1, 0, 0}, true
	}
	return form{}, false
}

// Read takes a peer out of a User or Chat. ok is false for what says nothing of one: the empty constructors, those of
// communities, other types, and bytes that are no value of the schema.
func Read(raw tl.Raw) (p Peer, ok bool) {
	if _, ok := formOf(raw.ID()); !ok {
		return Peer{}, false
	}
	if p, n, ok := read(raw); ok && n == len(raw) {
		return p, true
	}
	return Peer{}, false
}

// read is Read for the boxed value at the start of b, and returns its length as well, 0 for bytes that are none.
func read(b []byte) (p Peer, n int, ok bool) {
	raw := tl.Raw(b)
	f, ok := formOf(raw.ID())
	if !ok {
		n, _ = tl.Skip(tg.Schema, b)
		return Peer{}, n, false
	}
	p.Kind = f.kind
	n, err := tl.Walk(tg.Schema, raw, func(field tl.Field) {
		b := raw[field.Start:field.End]
		switch field.Index {
		case f.id:
			p.ID = int64(binary.LittleEndian.Uint64(b))
		case f.hash:
			p.AccessHash = int64(binary.LittleEndian.Uint64(b))
		case f.name:
			p.Username = tl.NewReader(b).String()
		case f.usernames:
			if name := firstActive(b); name != "" {
				p.Username = name
			}
		case 0:
			if word, is := field.Op.FlagWord(); is && word == 0 {
				flags := binary.LittleEndian.Uint32(b)
				p.Min, p.Bot = flags&f.min != 0, flags&f.bot != 0
			}
		}
	})
	if err != nil || p.ID == 0 {
		return Peer{}, n, false
	}
	p.partial = f.name < 0
	if len(p.Username) > maxUsername {
		p.Username = ""
	}
	return p, n, true
}

// maxUsername is more than a username can have (32), so that a peer's size is bounded whatever comes.
const maxUsername = 64

// firstActive returns the first active name of a vector of Username.
func firstActive(b []byte) string {
	r := tl.NewReader(b)
	for range r.VectorLen(12) {
		var name tg.Username
		if name.Parse(r); r.Err() != nil {
			return ""
		}
		if name.Active {
			return name.Username
		}
	}
	return ""
}

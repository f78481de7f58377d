package updates

import (
	"encoding/binary"

	"github.com/mtfleet/mtfleet/tl"
	"github.com/mtfleet/mtfleet/tl/tg"
)

// An envelope is what the updates of one push or of one difference share.
type envelope struct {
	users []tl.Raw
	chats []tl.Raw
	date  int32
	bytes int // of users and chats
	kept  int // how many items that are kept hold it
}

func newEnvelope(date int32, users, chats []tl.Raw) *envelope {
	e := &envelope{users: users, chats: chats, date: date}
	for _, list := range [2][]tl.Raw{users, chats} {
		for _, raw := range list {
			e.bytes += len(raw)
		}
	}
	return e
}

// Where the fields are, counted as tl.Walk counts them. A test holds the
// numbers against the schema.
const (
	fieldUpdates = 0 // of updates and updatesCombined, as the next three
	fieldUsers   = 1
	fieldChats   = 2
	fieldDate    = 3
	fieldSeq     = 4 // of updates; updatesCombined has seq_start there
	fieldSeqEnd  = 5 // of updatesCombined: seq

	fieldShortUpdate = 0 // of updateShort
	fieldShortDate   = 1

	fieldMessages  = 0 // of updates.difference and updates.differenceSlice, to the end
	fieldEncrypted = 1
	fieldOthers    = 2
	fieldDiffChats = 3
	fieldDiffUsers = 4
	fieldState     = 5

	fieldEmptyDate = 0 // of updates.differenceEmpty
	fieldEmptySeq  = 1
	fieldTooLong   = 0 // of updates.differenceTooLong: pts
)

// fieldsMost is more than any form needs: updateShortChatMessage has 13 fields.
const fieldsMost = 13

// A cut is a boxed value and where its first fields are. Nothing of users,
// chats and updates is parsed: they are handed on as the bytes they are.
type cut struct {
	raw    []byte
	fields [fieldsMost]tl.Field
}

// cutUp finds the fields of a value. ok is false for bytes that are not
// exactly one value that the schema knows. It is no pointer, to stay off the heap.
func cutUp(raw []byte) (c cut, ok bool) {
	c.raw = raw
	n, err := tl.Walk(tg.Schema, raw, func(f tl.Field) {
		if f.Index < fieldsMost {
			c.fields[f.Index] = f
		}
	})
	return c, err == nil && n == len(raw)
}

// bytes is field i as it stands in the input, nothing for one that is absent.
func (c *cut) bytes(i int) []byte {
	if i < 0 {
		return nil
	}
	return c.raw[c.fields[i].Start:c.fields[i].End]
}

func (c *cut) int(i int) int32 { return int32(binary.LittleEndian.Uint32(c.bytes(i))) }

// one is field i, a boxed value, as a copy: the driver may reuse its buffer.
func (c *cut) one(i int) tl.Raw { return append(tl.Raw(nil), c.bytes(i)...) }

// list is field i, a vector of boxed values, as copies.
func (c *cut) list(i int) []tl.Raw {
	r := tl.NewReader(c.bytes(i))
	n := r.VectorLen(4)
	if n == 0 {
		return nil
	}
	list := make([]tl.Raw, n)
	for j := range list {
		list[j] = r.Raw(tg.Schema, tl.TypeAny) // Walk has checked the type
	}
	return list
}

// state is field i, an updates.State. ok is false for one that cannot be.
func (c *cut) state(i int) (s State, ok bool) {
	var v tg.UpdatesState
	r := tl.NewReader(c.bytes(i))
	v.Parse(r)
	return stateOf(v), r.End() == nil && valid(v)
}

// envelope is what the updates of updates or updatesCombined share.
func (c *cut) envelope() *envelope {
	return newEnvelope(c.int(fieldDate), c.list(fieldUsers), c.list(fieldChats))
}

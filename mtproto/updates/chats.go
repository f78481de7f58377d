package updates

import (
	"encoding/binary"

	"github.com/mtfleet/mtfleet/tl"
	"github.com/mtfleet/mtfleet/tl/tg"
)

// This file reads what comes along of a channel: how it is asked for, and whether
// it still may be.

const (
	channelID          = 0xd49f34c6
	channelForbiddenID = 0x17d493d5

	flagLeft = 1 << 2  // of channel
	flagMin  = 1 << 12 // of channel
)

// chatFields says where a Chat constructor has its id and its access_hash.
var chatFields = map[uint32]struct{ id, hash int }{
	channelID:          {2, 3},
	channelForbiddenID: {1, 2},
}

// A seen is what an envelope says of a channel.
type seen struct {
	known bool
	hash  int64 // 0: not said, or by a min constructor, whose hash does not serve to ask
	gone  bool  // the account may not read it, or has left it
}

// see looks for a channel among the chats of an envelope.
func (e *envelope) see(id int64) (s seen) {
	for _, chat := range e.chats {
		at, ok := chatFields[chat.ID()]
		if !ok || len(chat) < 8 {
			continue
		}
		var got, hash int64
		n, err := tl.Walk(tg.Schema, chat, func(f tl.Field) {
			switch f.Index {
			case at.id:
				got = int64(binary.LittleEndian.Uint64(chat[f.Start:]))
			case at.hash:
				hash = int64(binary.LittleEndian.Uint64(chat[f.Start:]))
			}
		})
		if err != nil || n != len(chat) || got != id {
			continue
		}
		flags := binary.LittleEndian.Uint32(chat[4:]) // the first field of both
		full := chat.ID() == channelID
		s.known = true
		if s.gone = !full || flags&flagLeft != 0; full && flags&flagMin == 0 {
			s.hash = hash
		}
		return s
	}
	return seen{}
}

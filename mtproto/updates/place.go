package updates

import (
	"encoding/binary"
	"fmt"
	"strconv"
	"strings"

	"github.com/mtfleet/mtfleet/tl"
	"github.com/mtfleet/mtfleet/tl/tg"
)

// This file says which sequence an update counts in, and where it stands there.

// A BoxKind is a kind of sequence.
type BoxKind uint8

const (
	// BoxNone is no sequence: the update counts by nothing, as typing and
	// presence do. It comes as the server sends it, once or never.
	BoxNone BoxKind = iota
	// BoxCommon counts by the account's pts: messages of users and basic chats.
	BoxCommon
	// BoxQts counts by qts: secret chats, and some of what happens to bots.
	BoxQts
	// BoxChannel counts by the pts of one channel.
	BoxChannel
)

// A Box is one sequence of updates of an account. As text it is "common", "qts",
// "channel:123", or empty for none.
type Box struct {
	Kind    BoxKind
	Channel int64 // of BoxChannel: its id
}

// String is the text form.
func (b Box) String() string {
	switch b.Kind {
	case BoxCommon:
		return "common"
	case BoxQts:
		return "qts"
	case BoxChannel:
		return "channel:" + strconv.FormatInt(b.Channel, 10)
	}
	return ""
}

// MarshalText is String, for JSON.
func (b Box) MarshalText() ([]byte, error) { return []byte(b.String()), nil }

// UnmarshalText reads what MarshalText wrote.
func (b *Box) UnmarshalText(text []byte) error {
	switch s := string(text); s {
	case "":
		*b = Box{}
	case "common":
		*b = Box{Kind: BoxCommon}
	case "qts":
		*b = Box{Kind: BoxQts}
	default:
		id, ok := strings.CutPrefix(s, "channel:")
		n, err := strconv.ParseInt(id, 10, 64)
		if !ok || err != nil {
			return fmt.Errorf("updates: %q is no box: common, qts or channel:ID", s)
		}
		*b = Box{BoxChannel, n}
	}
	return nil
}

// IsZero reports whether there is no box.
func (b Box) IsZero() bool { return b == Box{} }

// PlaceOf returns the sequence in which a delivered update counts and where it
// stands there: a pts, or a qts. The place is 0 for a message out of a difference:
// the server does not say.
func PlaceOf(u tl.Raw) (Box, int32) {
	if pts, _, ok := tg.UpdatePts(u); ok {
		return Box{Kind: BoxCommon}, pts
	}
	if qts, ok := updateQts(u); ok {
		return Box{Kind: BoxQts}, qts
	}
	if p, ok := channelPlace(u); ok {
		return Box{BoxChannel, p.channel}, p.pts
	}
	return Box{}, 0
}

// The constructors that concern channels and are no plain updates of theirs.
const (
	updateNewChannelMessageID = 0x62ba04d9
	updateChannelTooLongID    = 0x108d941f
	updateChannelID           = 0x635b4c09
	updateReadChannelInboxID  = 0x922e6e10
	peerChannelID             = 0xa2a5371e
)

// fields says where an Update constructor has its channel and its pts, counted as
// tl.Walk counts; pts_count, if it has one, follows pts. -1 is none, and a channel
// of -1 is that of the message in field 0.
type fields struct{ channel, pts int }

// channelFields are the constructors that count in a channel. A test holds it, and
// the lists below, against the schema.
var channelFields = map[uint32]fields{
	updateNewChannelMessageID: {-1, 1},
	0x1b3f4df7:                {-1, 1}, // updateEditChannelMessage
	0xc32d5b12:                {0, 2},  // updateDeleteChannelMessages
	0x2f2ba99f:                {0, 2},  // updateChannelWebPage
	0x5bb98608:                {1, 3},  // updatePinnedChannelMessages
}

// hintFields are those that say where a channel is, without counting.
var hintFields = map[uint32]fields{
	updateChannelTooLongID:   {1, 2},
	updateReadChannelInboxID: {2, 5},
}

// messagePeer says which field of a Message constructor is where it was sent.
var messagePeer = map[uint32]int{
	0x7600b9d3: 6, // message
	0x7a800e0a: 3, // messageService
	0x90a6ca84: 2, // messageEmpty
}

// messageDate says which field of a Message constructor is when it was sent.
var messageDate = map[uint32]int{
	0x7600b9d3: 13, // message
	0x7a800e0a: 6,  // messageService
}

// DateOf is when the message of an update was sent, in unix seconds; 0 for an
// update that brings none. What a difference brings has no other date.
func DateOf(u tl.Raw) (date int32) {
	if id := u.ID(); id != updateNewMessageID && id != updateNewChannelMessageID || len(u) < 12 {
		return 0
	}
	message := u[4 : len(u)-8]
	index, known := messageDate[message.ID()]
	if !known {
		return 0
	}
	_, err := tl.Walk(tg.Schema, message, func(f tl.Field) {
		if f.Index == index {
			date = int32(binary.LittleEndian.Uint32(message[f.Start:]))
		}
	})
	if err != nil {
		return 0
	}
	return date
}

// place is where an update of a channel stands. A hint has no count.
type place struct {
	channel    int64
	pts, count int32
}

// channelPlace reads the place of an update that counts in a channel.
func channelPlace(u tl.Raw) (p place, ok bool) {
	at, ok := channelFields[u.ID()]
	if !ok {
		return place{}, false
	}
	return readPlace(u, at)
}

func readPlace(u tl.Raw, at fields) (p place, ok bool) {
	found := at.channel >= 0
	n, err := tl.Walk(tg.Schema, u, func(f tl.Field) {
		switch b := u[f.Start:f.End]; {
		case f.Index == 0 && at.channel < 0:
			p.channel, found = channelOf(tl.Raw(b))
		case f.Index == at.channel:
			p.channel = int64(binary.LittleEndian.Uint64(b))
		case f.Index == at.pts:
			p.pts = int32(binary.LittleEndian.Uint32(b))
		case f.Index == at.pts+1 && len(b) == 4:
			p.count = int32(binary.LittleEndian.Uint32(b))
		}
	})
	return p, found && err == nil && n == len(u)
}

// channelOf returns the channel that a message was sent to.
func channelOf(message tl.Raw) (id int64, ok bool) {
	index, known := messagePeer[message.ID()]
	if !known {
		return 0, false
	}
	_, err := tl.Walk(tg.Schema, message, func(f tl.Field) {
		if f.Index == index {
			id, ok = channelPeer(tl.Raw(message[f.Start:f.End]))
		}
	})
	return id, ok && err == nil
}

// channelPeer is the id in a peerChannel.
func channelPeer(peer tl.Raw) (int64, bool) {
	if peer.ID() != peerChannelID || len(peer) != 12 {
		return 0, false
	}
	return int64(binary.LittleEndian.Uint64(peer[4:])), true
}

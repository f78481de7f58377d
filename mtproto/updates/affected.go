package updates

import (
	"encoding/binary"
	"time"

	"github.com/mtfleet/mtfleet/tl"
	"github.com/mtfleet/mtfleet/tl/tg"
)

// This file takes what the results of queries say of updates. The server does not
// push to a session what it told it in a result.

const (
	affectedMessagesID      = 0x84d19185
	affectedHistoryID       = 0xb45c69d1
	affectedFoundMessagesID = 0xef8d3e6c
)

// nestedUpdates are the constructors of results whose first field is an Updates
// value. A test holds the list against the schema.
var nestedUpdates = map[uint32]bool{
	0x4e5f810d: true, // payments.paymentResult
	0x7f5defa6: true, // messages.invitedUsers
	0x445663a7: true, // messages.chatInviteJoinResultOk
}

// Concerns reports whether the result of a query is one that Learn wants. It looks
// at the constructor alone.
func Concerns(result tl.Raw) bool {
	switch result.ID() {
	case affectedMessagesID, affectedHistoryID, affectedFoundMessagesID,
		tg.UpdatesID, tg.UpdatesCombinedID, tg.UpdateShortID, tg.UpdatesTooLongID,
		tg.UpdateShortMessageID, tg.UpdateShortChatMessageID, tg.UpdateShortSentMessageID:
		return true
	}
	return nestedUpdates[result.ID()]
}

// Learn takes the result of a query that somebody else asked, of which Concerns
// says that it matters: updates, or that the place of a box moved by what the
// query did. Neither is kept.
func (m *Machine) Learn(now time.Time, query, result tl.Raw) {
	switch id := result.ID(); {
	case id == affectedMessagesID || id == affectedHistoryID || id == affectedFoundMessagesID:
		m.affected(now, query, result)
	case nestedUpdates[id]:
		if c, ok := cutUp(result); ok {
			m.push(now, c.one(0), nil)
		} else {
			m.miss(now)
		}
	case Concerns(result):
		m.push(now, result, query)
	}
	m.turn(now)
}

// affected moves a place by what a query did: the common one, or that of the
// channel that the query names.
func (m *Machine) affected(now time.Time, query, result tl.Raw) {
	c, ok := cutUp(result)
	box, readable := boxOfQuery(query)
	switch {
	case !ok, !readable:
		m.Gap(now)
		return
	case c.int(1) == 0:
		return // nothing moved
	case box.ID == 0:
		m.keepPts(now, nil, c.int(0), c.int(1), newEnvelope(0, nil, nil))
	default:
		if known := m.channelAt(box.ID); known != nil && known.Hash == 0 {
			known.Hash = box.Hash
		}
		// One that is not followed is begun with by an update, whose chats say how
		// it is asked for.
		if m.channelAt(box.ID) != nil {
			m.pushChannel(now, place{box.ID, c.int(0), c.int(1)}, nil, newEnvelope(0, nil, nil))
		}
	}
	m.settle(now)
}

// boxOfQuery returns the channel that a query's first InputChannel or InputPeer
// names; none for any other peer, or for a query without. ok is false for a query
// that the schema does not know.
func boxOfQuery(query tl.Raw) (box Channel, ok bool) {
	found := false
	n, err := tl.Walk(tg.Schema, query, func(f tl.Field) {
		if found || f.Op.Vector() || f.End-f.Start < 4 {
			return
		}
		switch v := query[f.Start:f.End]; tl.Raw(v).ID() {
		case tg.InputPeerChannelID, tg.InputChannelID:
			if _, boxed := f.Op.Boxed(); boxed {
				found = true
				box = Channel{ID: int64(binary.LittleEndian.Uint64(v[4:])), Hash: int64(binary.LittleEndian.Uint64(v[12:]))}
			}
		case tg.InputPeerChannelFromMessageID, tg.InputChannelFromMessageID:
			if _, boxed := f.Op.Boxed(); boxed {
				found = true
				box = Channel{ID: int64(binary.LittleEndian.Uint64(v[len(v)-8:]))}
			}
		}
	})
	return box, err == nil && n == len(query)
}

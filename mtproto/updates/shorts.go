package updates

import (
	"encoding/binary"
	"time"

	"github.com/mtfleet/mtfleet/tl"
	"github.com/mtfleet/mtfleet/tl/tg"
)

// This file makes of short forms the updates they stand for.

// A short form is an update and its envelope in one; where its fields are. pts_count
// and date follow pts. -1 is a field that the form has not.
type shortForm struct {
	peer, from, message, pts             int
	fwd, via, reply, media, entities, tl int
}

// shortForms: a test holds them against the schema.
var shortForms = map[uint32]shortForm{
	tg.UpdateShortMessageID:     {peer: 2, from: 2, message: 3, pts: 4, fwd: 7, via: 8, reply: 9, media: -1, entities: 10, tl: 11},
	tg.UpdateShortChatMessageID: {peer: 3, from: 2, message: 4, pts: 5, fwd: 8, via: 9, reply: 10, media: -1, entities: 11, tl: 12},
	tg.UpdateShortSentMessageID: {peer: -1, from: -1, message: -1, pts: 2, fwd: -1, via: -1, reply: -1, media: 5, entities: 6, tl: 7},
}

// sendForms are the queries that updateShortSentMessage answers: it leaves out what
// they say. Their first field is flags.
var sendForms = map[uint32]struct{ peer, reply, message int }{
	0xfef48f62: {1, 2, 3}, // messages.sendMessage
	0x0330e77f: {1, 2, 4}, // messages.sendMedia
}

const (
	messageID            = 0x7600b9d3
	messageReplyHeaderID = 0x1b97dd66
	inputReplyToMessage  = 0x3bd4b7c2
	peerUserID           = 0x59511722
	peerChatID           = 0x36c6019a

	flagOut          = 1 << 1 // of short forms and messages alike, as all of the next
	flagReply        = 1 << 3
	flagFrom         = 1 << 8
	flagSilent       = 1 << 13
	flagNoForwards   = 1 << 26
	flagInvertMedia  = 1 << 27
	flagsShort       = 1<<1 | 1<<2 | 1<<3 | 1<<4 | 1<<5 | 1<<7 | 1<<9 | 1<<11 | 1<<13 | 1<<25
	flagHeaderReply  = 1 << 4 // of messageReplyHeader
	flagQuerySilent  = 1 << 5 // of the queries that send
	flagQueryNoFwd   = 1 << 14
	flagQueryInverts = 1 << 16
)

// A shortMessage is what a message is made of.
type shortMessage struct {
	flags      uint32
	from, peer []byte // Peer
	reply      []byte // MessageReplyHeader, empty for none
	text       []byte // string
}

// pushShort takes a short form. query is what it answers, nil for what was pushed.
// One that cannot be made whole counts as missed: the difference brings it.
func (m *Machine) pushShort(now time.Time, raw, query tl.Raw, c *cut) {
	form := shortForms[raw.ID()]
	s, ok := m.resolve(form, c, query)
	if !ok {
		m.Gap(now)
		return
	}
	u := tl.AppendUint32(nil, updateNewMessageID)
	u = s.append(u, form, c)
	pts, count, date := c.int(form.pts), c.int(form.pts+1), c.int(form.pts+2)
	u = tl.AppendInt32(tl.AppendInt32(u, pts), count)
	m.keepPts(now, []tl.Raw{u}, pts, count, newEnvelope(date, nil, nil))
	m.settle(now)
}

// resolve finds what a form says by who we are, or by the query it answers.
func (m *Machine) resolve(form shortForm, c *cut, query tl.Raw) (s shortMessage, ok bool) {
	s.flags = uint32(c.int(0))&flagsShort | flagFrom
	out := s.flags&flagOut != 0
	switch {
	case form.from < 0:
		return m.resolveSent(s, query)
	case form.from == form.peer: // a user's: the peer is the other
		user := c.bytes(form.peer)
		s.peer, s.from = peerOf(peerUserID, user), peerOf(peerUserID, user)
		if out {
			s.from = m.me()
		}
	default:
		s.peer, s.from = peerOf(peerChatID, c.bytes(form.peer)), peerOf(peerUserID, c.bytes(form.from))
	}
	if s.from == nil {
		return s, false
	}
	s.reply, s.text = c.bytes(form.reply), c.bytes(form.message)
	return s, out || !m.known || m.knowsAll(c.bytes(form.from), c.bytes(form.via))
}

// knowsAll reports whether users' access_hashes are known.
func (m *Machine) knowsAll(users ...[]byte) bool {
	for _, user := range users {
		if m.knows != nil && len(user) == 8 && !m.knows(int64(binary.LittleEndian.Uint64(user))) {
			return false
		}
	}
	return true
}

// resolveSent finds what updateShortSentMessage leaves out in the query.
func (m *Machine) resolveSent(s shortMessage, query tl.Raw) (_ shortMessage, ok bool) {
	form, known := sendForms[query.ID()]
	q, whole := cutUp(query)
	if !known || !whole {
		return s, false
	}
	for asked, is := range map[uint32]uint32{flagQuerySilent: flagSilent, flagQueryNoFwd: flagNoForwards, flagQueryInverts: flagInvertMedia} {
		if uint32(q.int(0))&asked != 0 {
			s.flags |= is
		}
	}
	s.from, s.peer, s.text = m.me(), m.peerIn(q.bytes(form.peer)), q.bytes(form.message)
	if reply := q.bytes(form.reply); len(reply) > 0 {
		if tl.Raw(reply).ID() != inputReplyToMessage || binary.LittleEndian.Uint32(reply[4:]) != 0 {
			return s, false // a quote, a topic, a story
		}
		s.flags |= flagReply
		s.reply = tl.AppendUint32(tl.AppendUint32(nil, messageReplyHeaderID), flagHeaderReply)
		s.reply = append(s.reply, reply[8:12]...)
	}
	return s, s.from != nil && s.peer != nil
}

// append appends a message. Its optional fields have the same bits as in the form.
func (s shortMessage) append(b []byte, form shortForm, c *cut) []byte {
	b = tl.AppendUint32(b, messageID)
	b = tl.AppendUint32(b, s.flags)
	b = tl.AppendUint32(b, 0) // flags2
	b = append(b, c.bytes(1)...)
	b = append(b, s.from...)
	b = append(b, s.peer...)
	b = append(b, c.bytes(form.fwd)...)
	b = append(b, c.bytes(form.via)...)
	b = append(b, s.reply...)
	b = append(b, c.bytes(form.pts+2)...) // date
	b = append(b, s.text...)
	b = append(b, c.bytes(form.media)...)
	b = append(b, c.bytes(form.entities)...)
	return append(b, c.bytes(form.tl)...)
}

// me is the account's own peer, nil if that is not known.
func (m *Machine) me() []byte {
	if m.self == 0 {
		return nil
	}
	return peerOf(peerUserID, tl.AppendInt64(nil, m.self))
}

func peerOf(constructor uint32, id []byte) []byte {
	return append(tl.AppendUint32(nil, constructor), id...)
}

// peerIn is the peer that an InputPeer of a user or a basic chat names, nil for
// any other.
func (m *Machine) peerIn(input tl.Raw) []byte {
	switch input.ID() {
	case tg.InputPeerSelfID:
		return m.me()
	case tg.InputPeerUserID:
		return peerOf(peerUserID, input[4:12])
	case tg.InputPeerChatID:
		return peerOf(peerChatID, input[4:12])
	}
	return nil
}

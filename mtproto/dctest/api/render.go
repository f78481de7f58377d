package api

import (
	"time"

	"github.com/mtfleet/mtfleet/tl"
	"github.com/mtfleet/mtfleet/tl/tg"
)

// Constructors of messages and of how they are told.
const (
	updateMessageIDID             uint32 = 0x4e90bfd6
	updateNewMessageID            uint32 = 0x1f2b0afd
	updateEditMessageID           uint32 = 0xe40370a3
	updateReadHistoryInboxID      uint32 = 0x9e84bc99
	updateReadHistoryOutboxID     uint32 = 0x2f2f21bf
	updateNewChannelMessageID     uint32 = 0x62ba04d9
	updateEditChannelMessageID    uint32 = 0x1b3f4df7
	updateDeleteChannelMessagesID uint32 = 0xc32d5b12
	updateReadChannelInboxID      uint32 = 0x922e6e10
	updateChannelTooLongID        uint32 = 0x108d941f
	updateChannelID               uint32 = 0x635b4c09
	updateUserTypingID            uint32 = 0x2a17bf5c
	updateChannelUserTypingID     uint32 = 0x8c88c923
	updateBotStoppedID            uint32 = 0xc4870a49
	updateShortMessageID          uint32 = 0x313bc7f8
	updateShortSentMessageID      uint32 = 0x9015e101
	messageID                     uint32 = 0x7600b9d3
	messageServiceID              uint32 = 0x7a800e0a
	messageEmptyID                uint32 = 0x90a6ca84
	messageReplyHeaderID          uint32 = 0x1b97dd66
	messageActionChannelCreateID  uint32 = 0x95d2ac92
	messageActionChatAddUserID    uint32 = 0x15cefd00
	messageActionChatDeleteUserID uint32 = 0xa43f30cc
	peerUserID                    uint32 = 0x59511722
	channelID                     uint32 = 0xd49f34c6
	channelForbiddenID            uint32 = 0x17d493d5
	chatPhotoEmptyID              uint32 = 0x37c1011c
)

// Flags of messages and of updateShortMessage.
const (
	flagOut     = 1 << 1
	flagReplyTo = 1 << 3
	flagFrom    = 1 << 8
	flagPost    = 1 << 14
	flagEdited  = 1 << 15
)

func peerUser(id int64) []byte { return value(peerUserID, id) }

// append appends a message as a viewer reads it: its own copy of a private one, or a channel's.
func (m *message) append(b []byte, viewer *user) []byte {
	flags := 0
	if m.out || m.channel != nil && m.from == viewer.id {
		flags |= flagOut
	}
	// The author of a private message that came in is its peer, and is not named since layer 119.
	named := m.from != 0 && (m.channel != nil || m.out)
	if named {
		flags |= flagFrom
	}
	if m.channel != nil && m.channel.broadcast {
		flags |= flagPost
	}
	if m.replyTo != 0 {
		flags |= flagReplyTo
	}
	if !m.edited.IsZero() {
		flags |= flagEdited
	}
	if m.service != serviceNone {
		b = append(b, value(messageServiceID, flags)...)
	} else {
		b = append(b, value(messageID, flags, 0)...)
	}
	b = tl.AppendInt32(b, m.id)
	if named {
		b = append(b, peerUser(m.from)...)
	}
	b = append(b, m.where()...)
	if m.replyTo != 0 {
		b = append(b, m.replyHeader()...)
	}
	b = tl.AppendInt32(b, int32(m.at.Unix()))
	switch m.service {
	case serviceCreated:
		return append(b, value(messageActionChannelCreateID, m.channel.title)...)
	case serviceAdded:
		return appendLongs(tl.AppendUint32(b, messageActionChatAddUserID), m.about)
	case serviceGone:
		return append(b, value(messageActionChatDeleteUserID, m.about[0])...)
	case serviceNone:
	}
	b = tl.AppendString(b, m.text)
	if !m.edited.IsZero() {
		b = tl.AppendInt32(b, int32(m.edited.Unix()))
	}
	return b
}

// where is the peer that a message is in.
func (m *message) where() []byte {
	if m.channel != nil {
		return value(peerChannelID, m.channel.id)
	}
	return peerUser(m.peer)
}

func (m *message) replyHeader() []byte {
	const toMessage = 1 << 4
	return value(messageReplyHeaderID, toMessage, int(m.replyTo))
}

// appendUpdate appends the entry of a user's log; of a deletion the ids from skip on.
func (e *logEntry) appendUpdate(b []byte, u *user, skip int) []byte {
	switch e.kind {
	case entryMessage:
		b = e.message.append(tl.AppendUint32(b, updateNewMessageID), u)
	case entryEdit:
		b = e.message.append(tl.AppendUint32(b, updateEditMessageID), u)
	case entryReadInbox:
		b = append(b, value(updateReadHistoryInboxID, 0, peerUser(e.peer), int(e.ids[0]), u.unread(e.peer, e.ids[0]))...)
	case entryReadOutbox:
		b = append(b, value(updateReadHistoryOutboxID, peerUser(e.peer), int(e.ids[0]))...)
	case entryDelete:
		b = appendInts(tl.AppendUint32(b, updateDeleteMessagesID), e.ids[skip:])
	}
	return e.appendCounted(b, skip)
}

// appendChannelUpdate is appendUpdate of a channel's log, for a member.
func (e *logEntry) appendChannelUpdate(b []byte, ch *channel, u *user, skip int) []byte {
	switch e.kind {
	case entryMessage:
		b = e.message.append(tl.AppendUint32(b, updateNewChannelMessageID), u)
	case entryEdit:
		b = e.message.append(tl.AppendUint32(b, updateEditChannelMessageID), u)
	default:
		b = appendInts(append(b, value(updateDeleteChannelMessagesID, ch.id)...), e.ids[skip:])
	}
	return e.appendCounted(b, skip)
}

func appendInts(b []byte, list []int32) []byte {
	b = tl.AppendVectorHeader(b, len(list))
	for _, v := range list {
		b = tl.AppendInt32(b, v)
	}
	return b
}

func appendLongs(b []byte, list []int64) []byte {
	b = tl.AppendVectorHeader(b, len(list))
	for _, v := range list {
		b = tl.AppendInt64(b, v)
	}
	return b
}

// mention gathers whom the entry names.
func (e *logEntry) mention(m *mentioned, viewer *user) {
	if e.message != nil {
		m.message(viewer, e.message)
	}
	m.user(e.peer)
}

// updatesFor wraps an entry of a user's log as updates#74ae4240 with those it names.
func (b *Backend) updatesFor(now time.Time, u *user, e *logEntry) []byte {
	var m mentioned
	e.mention(&m, u)
	return b.updates(now, u, &m, e.appendUpdate(nil, u, 0))
}

// updates wraps updates with those they name; seq 0 says that they have no place in seq.
func (b *Backend) updates(now time.Time, viewer *user, m *mentioned, list ...[]byte) []byte {
	out := appendVector(tl.AppendUint32(nil, updatesID), list)
	out = m.appendPeople(out, b, viewer)
	out = m.appendChats(out, b, viewer)
	return append(out, value(int(now.Unix()), 0)...)
}

// appendShort appends the entry of a new private message as updateShortMessage, which names nobody.
func (e *logEntry) appendShort(b []byte) []byte {
	m := e.message
	flags := 0
	if m.out {
		flags |= flagOut
	}
	if m.replyTo != 0 {
		flags |= flagReplyTo
	}
	b = append(b, value(updateShortMessageID, flags, int(m.id), m.peer, m.text, int(e.pts), 1, int(m.at.Unix()))...)
	if m.replyTo != 0 {
		b = append(b, m.replyHeader()...)
	}
	return b
}

// append appends a channel as an account sees it, or channelForbidden when it may not look.
func (ch *channel) append(b []byte, back *Backend, viewer *user) []byte {
	const (
		creator, left, broadcast, username, megagroup = 1 << 0, 1 << 2, 1 << 5, 1 << 6, 1 << 8
		hash, count                                   = 1 << 13, 1 << 17
	)
	flags := megagroup
	if ch.broadcast {
		flags = broadcast
	}
	if !ch.has(viewer) && ch.username == "" {
		return append(b, value(channelForbiddenID, flags, ch.id, back.accessHash(viewer, ch.id), ch.title)...)
	}
	flags |= hash | count
	if ch.creator == viewer {
		flags |= creator
	}
	if !ch.has(viewer) {
		flags |= left
	}
	if ch.username != "" {
		flags |= username
	}
	b = append(b, value(channelID, flags, 0, ch.id, back.accessHash(viewer, ch.id), ch.title)...)
	if ch.username != "" {
		b = tl.AppendString(b, ch.username)
	}
	return append(b, value(chatPhotoEmptyID, int(ch.made.Unix()), len(ch.members))...)
}

// stranger is a user as another account sees it: a number is not shown.
func (b *Backend) stranger(viewer, u *user) *tg.User {
	v := u.describe()
	v.AccessHash = tl.Some(b.accessHash(viewer, u.id))
	v.Phone = tl.Opt[string]{}
	return v
}

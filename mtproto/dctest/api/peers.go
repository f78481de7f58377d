package api

import (
	"github.com/mtfleet/mtfleet/tl"
	"github.com/mtfleet/mtfleet/tl/tg"
)

// Constructors that name whom a query is about, and the peers of messages.
const (
	inputChannelID            uint32 = 0xf35aec28
	inputChannelFromMessageID uint32 = 0x5b934f9d
	inputMessageIDID          uint32 = 0xa676a322
	inputMessageReplyToID     uint32 = 0xbad88395
	peerChannelID             uint32 = 0xa2a5371e
)

var (
	errChannelInvalid   = &Error{400, "CHANNEL_INVALID"}
	errChannelPrivate   = &Error{400, "CHANNEL_PRIVATE"}
	errChatIDInvalid    = &Error{400, "CHAT_ID_INVALID"}
	errMsgIDInvalid     = &Error{400, "MSG_ID_INVALID"}
	errInputDeactivated = &Error{400, "INPUT_USER_DEACTIVATED"}
)

// accessHash is what an account has to name with a user or channel to be allowed to speak of it: each account has
// another, so that one that was copied from an account is worth nothing to the next. It is never 0.
func (b *Backend) accessHash(viewer *user, id int64) int64 {
	return int64(mix(mix(b.cfg.Seed^uint64(viewer.id))^uint64(id)) | 1)
}

// mix scatters the bits of a number (splitmix64).
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// target is what a query is about: a dialog with a user (who is nil for the service account), or a channel.
type target struct {
	id      int64 // of the user; 0 for a channel
	user    *user
	channel *channel
}

// peer reads an InputPeer of the caller's. A hash that is another account's is no better than none.
func (c *call) peer(raw []byte) (target, *Error) {
	r := tl.NewReader(raw)
	switch in := tg.ParseAnyInputPeer(r).(type) {
	case *tg.InputPeerSelf:
		return target{id: c.user.id, user: c.user}, nil
	case *tg.InputPeerUser:
		return c.peerUser(in.UserID, in.AccessHash)
	case *tg.InputPeerChannel:
		ch, err := c.channelBy(in.ChannelID, in.AccessHash)
		return target{channel: ch}, err
	case *tg.InputPeerUserFromMessage:
		if !c.seen(in.Peer.Append(nil), in.MsgID, in.UserID) {
			return target{}, errMsgIDInvalid
		}
		return target{id: in.UserID, user: c.b.dir.byID[in.UserID]}, nil
	case *tg.InputPeerChannelFromMessage:
		return target{}, errMsgIDInvalid // no message here names another channel
	case *tg.InputPeerChat:
		return target{}, errChatIDInvalid
	}
	return target{}, errPeerIDInvalid
}

// peerUser finds a user by the hash that the caller has for it.
func (c *call) peerUser(id, hash int64) (target, *Error) {
	if id == serviceUserID {
		return target{id: id}, nil
	}
	u := c.b.dir.byID[id]
	if u == nil || !c.knows(u, hash) {
		return target{}, errPeerIDInvalid
	}
	return target{id: id, user: u}, nil
}

// knows tells whether the caller may name a user: itself, or by its own hash. A bot may leave the hash out of whom it has
// a dialog with, as the Bot API does.
func (c *call) knows(u *user, hash int64) bool {
	return u == c.user || hash == c.b.accessHash(c.user, u.id) || hash == 0 && c.user.bot && c.user.dialogs[u.id] != nil
}

// channelBy finds a channel by the hash that the caller has for it, if it may look into it.
func (c *call) channelBy(id, hash int64) (*channel, *Error) {
	ch := c.b.channels.byID[id]
	if ch == nil || hash != c.b.accessHash(c.user, id) && (hash != 0 || !c.user.bot || !ch.has(c.user)) {
		return nil, errChannelInvalid
	}
	if !ch.has(c.user) && ch.username == "" {
		return nil, errChannelPrivate
	}
	return ch, nil
}

// inputChannel reads an InputChannel of the caller's.
func (c *call) inputChannel(raw []byte) (*channel, *Error) {
	r := tl.NewReader(raw)
	switch r.ID() {
	case inputChannelID:
		return c.channelBy(r.Int64(), r.Int64())
	case inputChannelFromMessageID:
		return nil, errMsgIDInvalid
	}
	return nil, errChannelInvalid
}

// seen tells whether a message that the caller can read is from a user, so that the user may be named by it.
func (c *call) seen(peer []byte, id int32, from int64) bool {
	t, err := c.peer(peer)
	if err != nil {
		return false
	}
	box := &c.user.log
	if t.channel != nil {
		box = &t.channel.log
	}
	m := box.messages[id]
	return m != nil && m.from == from
}

// mentioned gathers whom messages and updates name, each once and in the order in which they come, so that an answer can
// describe them.
type mentioned struct {
	users    []int64
	channels []*channel
}

func (m *mentioned) user(id int64) {
	if id != 0 && !contains(m.users, id) {
		m.users = append(m.users, id)
	}
}

func (m *mentioned) channel(ch *channel) {
	if !contains(m.channels, ch) {
		m.channels = append(m.channels, ch)
	}
}

// message gathers from a message as the viewer reads it.
func (m *mentioned) message(viewer *user, msg *message) {
	m.user(msg.from)
	for _, id := range msg.about {
		m.user(id)
	}
	if msg.channel != nil {
		m.channel(msg.channel)
	} else {
		m.user(msg.peer)
	}
}

// people describes those gathered, as the viewer sees them.
func (m *mentioned) people(b *Backend, viewer *user) []tg.AnyUser {
	list := make([]tg.AnyUser, 0, len(m.users))
	for _, id := range m.users {
		switch u := b.dir.byID[id]; {
		case id == serviceUserID:
			list = append(list, serviceUser())
		case u == viewer:
			list = append(list, u.self())
		case u != nil:
			list = append(list, b.stranger(viewer, u))
		}
	}
	return list
}

// chats describes the channels gathered.
func (m *mentioned) chats(b *Backend, viewer *user) []tl.Raw {
	list := make([]tl.Raw, 0, len(m.channels))
	for _, ch := range m.channels {
		list = append(list, ch.append(nil, b, viewer))
	}
	return list
}

// appendChats and appendPeople append the two vectors that go with messages; constructors differ in their order.
func (m *mentioned) appendChats(out []byte, b *Backend, viewer *user) []byte {
	return appendVector(out, m.chats(b, viewer))
}

func (m *mentioned) appendPeople(out []byte, b *Backend, viewer *user) []byte {
	list := m.people(b, viewer)
	out = tl.AppendVectorHeader(out, len(list))
	for _, u := range list {
		out = u.Append(out)
	}
	return out
}

// appendVector appends a Vector of boxed values.
func appendVector[B ~[]byte](out []byte, list []B) []byte {
	out = tl.AppendVectorHeader(out, len(list))
	for _, b := range list {
		out = append(out, b...)
	}
	return out
}

package api

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// This file is channels: one box for all members, with a pts of its own. A group (megagroup) is one in which every member
// may write, in a broadcast channel only its creator may.

// channel is one channel or group. Like users, channels are never removed.
type channel struct {
	id        int64
	title     string
	username  string // "" for one that only members may look into
	broadcast bool
	creator   *user
	made      time.Time
	members   []*member // in the order in which they came
	byUser    map[*user]*member
	log       updateLog
}

// member is one of a channel's.
type member struct {
	user *user
	read int32 // up to this message
	stay Membership
}

// channelList finds channels.
type channelList struct {
	byID   map[int64]*channel
	byName map[string]*channel // by lower-case username
	order  []*channel          // in order of creation
	ended  []Membership        // of who has left, in the order in which they left
}

// firstChannelID is above 2^31 and below the ids of users: a client that keeps one in 32 bits, or takes one for the
// other, is found out.
const firstChannelID = 2_200_000_001

// Bounds of what is made here. A channel that has nothing in it is 1 KiB, a member 150 bytes: 10 MiB for all channels, 15
// MiB for a channel with everybody in it. The list of members is gone through for every message, which is pushed whole to
// 1,000 of them (Config.ChannelPushMax, 17 MiB at the longest) and as a hint of 200 bytes to more (20 MiB). Of stays that
// have ended the ledger keeps a million, 80 bytes each; an eighth of them, the oldest, make way.
const (
	maxChannels = 10_000
	maxMembers  = 100_000
	maxTitle    = 128
	maxEnded    = 1 << 20
	maxInvited  = 200 // of one channels.inviteToChannel
)

// Errors of channels.
var (
	ErrChannelUnknown = errors.New("api: no such channel")
	ErrChannelFull    = errors.New("api: too many channels or members")
	ErrChannelName    = errors.New("api: a channel needs a title, and its username must be free and of 5 to 32 letters, digits and _")
)

var (
	errChannelsTooMuch    = &Error{400, "CHANNELS_TOO_MUCH"}
	errChatTitleEmpty     = &Error{400, "CHAT_TITLE_EMPTY"}
	errUserCreator        = &Error{400, "USER_CREATOR"}
	errUserNotParticipant = &Error{400, "USER_NOT_PARTICIPANT"}
	errAlreadyParticipant = &Error{400, "USER_ALREADY_PARTICIPANT"}
	errUsersTooMuch       = &Error{400, "USERS_TOO_MUCH"}
)

// member returns a member, nil for who is none.
func (ch *channel) member(u *user) *member { return ch.byUser[u] }

func (ch *channel) has(u *user) bool { return ch.member(u) != nil }

// mayPost judges whether a user may write.
func (ch *channel) mayPost(u *user) *Error {
	switch {
	case !ch.has(u):
		return errChatWriteForbidden
	case ch.broadcast && ch.creator != u:
		return errChatAdminRequired
	}
	return nil
}

// unread counts the messages of others after one.
func (ch *channel) unread(u *user, after int32) int {
	n := 0
	for id := max(after+1, ch.log.oldest); id < ch.log.nextMsg; id++ {
		if m := ch.log.messages[id]; m != nil && m.from != u.id {
			n++
		}
	}
	return n
}

// NewChannel describes a channel to make.
type NewChannel struct {
	Title     string
	Username  string // "" for a private one
	Broadcast bool   // only the creator writes; otherwise every member does
	Creator   int64  // a user
	Members   []int64
}

// AddChannel makes a channel with its members, who are told of it (updateChannel). Its first message says that it was
// made. It returns its id.
func (b *Backend) AddChannel(now time.Time, n NewChannel) (int64, error) {
	creator, err := b.user(n.Creator)
	if err != nil {
		return 0, err
	}
	var members []*user
	for _, id := range n.Members {
		u, err := b.user(id)
		if err != nil {
			return 0, err
		}
		if u != creator && !contains(members, u) {
			members = append(members, u)
		}
	}
	name := strings.ToLower(n.Username)
	switch {
	case len(b.channels.order) >= maxChannels || len(members) >= maxMembers:
		return 0, ErrChannelFull
	case n.Title == "" || len(n.Title) > maxTitle || name != "" && (!validUsername(name) || b.resolve(name) != target{}):
		return 0, fmt.Errorf("%w: %q", ErrChannelName, n.Username)
	}
	ch := b.newChannel(now, creator, n)
	for _, u := range members {
		ch.admit(now, u)
	}
	for _, m := range ch.members {
		b.pushHome(m.user, nil, b.aboutChannel(now, ch, m.user, nil))
	}
	return ch.id, nil
}

func (b *Backend) newChannel(now time.Time, creator *user, n NewChannel) *channel {
	ch := &channel{
		id: firstChannelID + int64(len(b.channels.order)), title: n.Title, username: n.Username, broadcast: n.Broadcast,
		creator: creator, made: now, log: b.newLog(), byUser: map[*user]*member{},
	}
	ch.admit(now, creator)
	if b.channels.byID == nil {
		b.channels.byID, b.channels.byName = map[int64]*channel{}, map[string]*channel{}
	}
	b.channels.byID[ch.id] = ch
	if ch.username != "" {
		b.channels.byName[strings.ToLower(ch.username)] = ch
	}
	b.channels.order = append(b.channels.order, ch)
	from := creator.id
	if ch.broadcast {
		from = 0
	}
	_, _ = ch.log.write(message{from: from, channel: ch, at: now, service: serviceCreated}) // the first cannot be too many
	return ch
}

// validUsername: 5 to 32 letters, digits and underscores.
func validUsername(name string) bool {
	return len(name) >= 5 && len(name) <= 32 && strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789_") == ""
}

// resolve finds who or what has a lower-case username; zero for nobody.
func (b *Backend) resolve(name string) target {
	if ch := b.channels.byName[name]; ch != nil {
		return target{channel: ch}
	}
	for _, u := range b.dir.order {
		if u.username != "" && strings.ToLower(u.username) == name && !u.deactivated && !u.banned {
			return target{id: u.id, user: u}
		}
	}
	return target{}
}

// channel finds a channel for one of the operator's calls.
func (b *Backend) channel(id int64) (*channel, error) {
	if ch := b.channels.byID[id]; ch != nil {
		return ch, nil
	}
	return nil, fmt.Errorf("%w: %d", ErrChannelUnknown, id)
}

func (b *Backend) channelAndUser(channelID, userID int64) (*channel, *user, error) {
	ch, err := b.channel(channelID)
	if err != nil {
		return nil, nil, err
	}
	u, err := b.user(userID)
	return ch, u, err
}

// createChannel answers channels.createChannel.
func (c *call) createChannel() ([]byte, *Error) {
	a := c.args() // flags, title, about
	title := a.text(1)
	switch {
	case title == "" || len(title) > maxTitle:
		return nil, errChatTitleEmpty
	case len(c.b.channels.order) >= maxChannels:
		return nil, errChannelsTooMuch
	}
	ch := c.b.newChannel(c.req.Now, c.user, NewChannel{Title: title, Broadcast: a.flag(0)})
	c.pushOthers(c.b.aboutChannel(c.req.Now, ch, c.user, nil))
	return c.b.aboutChannel(c.req.Now, ch, c.user, &ch.log.entries[0]), nil
}

const (
	messagesChatsID  uint32 = 0x64ff9fd5
	messagesFullID   uint32 = 0xe5d7d19c
	channelFullID    uint32 = 0xa04e8d3a
	photoEmptyID     uint32 = 0x2331b22d
	maxChannelsAsked        = 200
)

// getChannels answers channels.getChannels.
func (c *call) getChannels() ([]byte, *Error) {
	a := c.args() // id
	list := a.list(0)
	if len(list) > maxChannelsAsked {
		return nil, errInputRequestTooLong
	}
	var m mentioned
	for _, in := range list {
		ch, err := c.inputChannel(in)
		if err != nil {
			return nil, err
		}
		m.channel(ch)
	}
	return m.appendChats(value(messagesChatsID), c.b, c.user), nil
}

// getFullChannel answers channels.getFullChannel with what has a place here: who it is, how many, where it stands.
func (c *call) getFullChannel() ([]byte, *Error) {
	a := c.args() // channel
	ch, err := c.inputChannel(a[0])
	if err != nil {
		return nil, err
	}
	read, unread := int32(0), 0
	if m := ch.member(c.user); m != nil {
		read, unread = m.read, ch.unread(c.user, m.read)
	}
	full := value(channelFullID, 1, 0, ch.id, "", len(ch.members), int(read), 0, unread, photoEmptyID, int64(0),
		peerNotifySettingsID, 0, vector, int(ch.log.pts)) // flags.0: participants_count
	m := mentioned{channels: []*channel{ch}}
	return m.appendPeople(m.appendChats(value(messagesFullID, full), c.b, c.user), c.b, c.user), nil
}

// resolveUsername answers contacts.resolveUsername.
func (c *call) resolveUsername() ([]byte, *Error) {
	a := c.args() // flags, username
	name := strings.ToLower(strings.TrimPrefix(a.text(1), "@"))
	if !validUsername(name) {
		return nil, errUsernameInvalid
	}
	t := c.b.resolve(name)
	var m mentioned
	var where []byte
	switch {
	case t.channel != nil:
		m.channel(t.channel)
		where = value(peerChannelID, t.channel.id)
	case t.user != nil:
		m.user(t.id)
		where = peerUser(t.id)
	default:
		return nil, errUsernameNotOccupied
	}
	return m.appendPeople(m.appendChats(value(resolvedPeerID, where), c.b, c.user), c.b, c.user), nil
}

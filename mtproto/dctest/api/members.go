package api

import (
	"slices"
	"time"

	"github.com/mtfleet/mtfleet/tl"
)

// This file is how users come to channels and leave them. In a group everybody is told so by a service message, which has
// a place in its pts; in a broadcast channel nobody is. Who comes or leaves hears updateChannel on all its sessions.

// aboutChannel is updateChannel with the channel as a user sees it now, and the entry of its log that goes with it, if
// there is one.
func (b *Backend) aboutChannel(now time.Time, ch *channel, u *user, e *logEntry) []byte {
	m := mentioned{channels: []*channel{ch}}
	list := [][]byte{value(updateChannelID, ch.id)}
	if e != nil {
		e.mention(&m, u)
		list = append(list, e.appendChannelUpdate(nil, ch, u, 0))
	}
	return b.updates(now, u, &m, list...)
}

// enter makes users members who are none. by is who invited them, or the one user who came. It returns the service
// message, nil where there is none; others than the users and by have heard of it.
func (b *Backend) enter(now time.Time, ch *channel, by *user, users ...*user) *logEntry {
	for _, u := range users {
		ch.admit(now, u)
	}
	return b.announce(now, ch, message{from: by.id, service: serviceAdded, about: idsOf(users)}, slices.Concat(users, []*user{by})...)
}

// quit ends the membership of a user. Who is a member still hears of it.
func (b *Backend) quit(now time.Time, ch *channel, u *user) {
	if !ch.has(u) {
		return
	}
	b.channels.ended = appendEnded(b.channels.ended, ch.drop(now, u))
	b.announce(now, ch, message{from: u.id, service: serviceGone, about: []int64{u.id}})
}

// announce puts a service message about members into a group, and pushes it to all but some.
func (b *Backend) announce(now time.Time, ch *channel, m message, but ...*user) *logEntry {
	if ch.broadcast {
		return nil
	}
	m.channel, m.at = ch, now
	e, full := ch.log.write(m)
	if full != nil {
		return nil // they are members all the same
	}
	b.pushEntry(now, ch, &e, b.delivery(), but...)
	return &e
}

func idsOf(users []*user) []int64 {
	out := make([]int64, len(users))
	for i, u := range users {
		out[i] = u.id
	}
	return out
}

// appendEnded keeps the stay of who has left.
func appendEnded(list []Membership, m Membership) []Membership {
	if len(list) >= maxEnded {
		list = slices.Delete(list, 0, maxEnded/8)
	}
	return append(list, m)
}

// admit makes a user a member.
func (ch *channel) admit(now time.Time, u *user) {
	m := &member{user: u, stay: Membership{Channel: ch.id, UserID: u.id, From: now, FromPts: ch.log.pts}}
	ch.members, ch.byUser[u] = append(ch.members, m), m
}

// drop ends the membership of one who is a member, and returns the stay that it was.
func (ch *channel) drop(now time.Time, u *user) Membership {
	m := ch.byUser[u]
	m.stay.Until, m.stay.UntilPts = now, ch.log.pts
	delete(ch.byUser, u)
	ch.members = slices.DeleteFunc(ch.members, func(other *member) bool { return other == m })
	return m.stay
}

// Join makes a user a member of a channel, as from a phone that is no client of the cluster, and tells it.
func (b *Backend) Join(now time.Time, channelID, userID int64) error {
	ch, u, err := b.channelAndUser(channelID, userID)
	if err != nil || ch.has(u) {
		return err
	}
	if len(ch.members) >= maxMembers {
		return ErrChannelFull
	}
	e := b.enter(now, ch, u, u)
	b.pushHome(u, nil, b.aboutChannel(now, ch, u, e))
	return nil
}

// Leave ends a user's membership in the same way.
func (b *Backend) Leave(now time.Time, channelID, userID int64) error {
	ch, u, err := b.channelAndUser(channelID, userID)
	if err != nil {
		return err
	}
	b.quit(now, ch, u)
	b.pushHome(u, nil, b.aboutChannel(now, ch, u, nil))
	return nil
}

const (
	chatInviteJoinResultOkID uint32 = 0x445663a7
	invitedUsersID           uint32 = 0x7f5defa6
)

// joinChannel answers channels.joinChannel: whoever may look into a channel may join it. The answer has the service
// message of a group.
func (c *call) joinChannel() ([]byte, *Error) {
	a := c.args() // channel
	ch, err := c.inputChannel(a[0])
	switch {
	case err != nil:
		return nil, err
	case ch.has(c.user):
		return nil, errAlreadyParticipant
	case len(ch.members) >= maxMembers:
		return nil, errUsersTooMuch
	}
	e := c.b.enter(c.req.Now, ch, c.user, c.user)
	body := c.b.aboutChannel(c.req.Now, ch, c.user, e)
	c.pushOthers(body)
	return value(chatInviteJoinResultOkID, body), nil
}

// leaveChannel answers channels.leaveChannel.
func (c *call) leaveChannel() ([]byte, *Error) {
	a := c.args() // channel
	ch, err := c.inputChannel(a[0])
	switch {
	case err != nil:
		return nil, err
	case !ch.has(c.user):
		return nil, errUserNotParticipant
	case ch.creator == c.user:
		return nil, errUserCreator
	}
	c.b.quit(c.req.Now, ch, c.user)
	body := c.b.aboutChannel(c.req.Now, ch, c.user, nil)
	c.pushOthers(body)
	return body, nil
}

// inviteToChannel answers channels.inviteToChannel: in a group any member may, in a broadcast channel its creator.
func (c *call) inviteToChannel() ([]byte, *Error) {
	a := c.args() // channel, users
	ch, err := c.inputChannel(a[0])
	list := a.list(1)
	switch {
	case err != nil:
		return nil, err
	case !ch.has(c.user):
		return nil, errChatWriteForbidden
	case ch.broadcast && ch.creator != c.user:
		return nil, errChatAdminRequired
	case len(list) > maxInvited:
		return nil, errUsersTooMuch
	}
	var invited []*user
	for _, in := range list {
		u := c.inputUser(in)
		if u == nil {
			return nil, errInputUserIsNobodys
		}
		if !ch.has(u) && !contains(invited, u) {
			invited = append(invited, u)
		}
	}
	if len(ch.members)+len(invited) > maxMembers {
		return nil, errUsersTooMuch
	}
	var e *logEntry
	if len(invited) > 0 {
		e = c.b.enter(c.req.Now, ch, c.user, invited...)
	}
	for _, u := range invited {
		c.b.pushHome(u, nil, c.b.aboutChannel(c.req.Now, ch, u, e))
	}
	body := c.b.aboutChannel(c.req.Now, ch, c.user, e)
	if e != nil {
		c.pushOthers(body)
	}
	return append(value(invitedUsersID, body), tl.AppendVectorHeader(nil, 0)...), nil
}

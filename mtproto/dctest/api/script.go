package api

import (
	"cmp"
	"fmt"
	"slices"
	"time"
)

// This file is what a script does in place of people: it writes, edits and deletes as a user would from a phone that is
// none of the cluster's clients, and reads what was written. The rules for users hold: what the server would answer the
// phone is an *Error.

// Written is a message that a script wrote.
type Written struct {
	ID  int32 `json:"id"`  // in the box of who got it, or of the channel
	Pts int32 `json:"pts"` // of that box, after it
	// FromID and FromPts are the same in the box of who wrote it; 0 for a channel.
	FromID  int32 `json:"from_id,omitempty"`
	FromPts int32 `json:"from_pts,omitempty"`
}

// Say writes a private text from a user to another.
func (b *Backend) Say(now time.Time, from, to int64, text string, how Delivery) (Written, error) {
	u, err := b.user(from)
	if err != nil {
		return Written{}, err
	}
	v, err := b.user(to)
	if err != nil {
		return Written{}, err
	}
	if err := cmp.Or(checkText(text), mayWrite(u, v)); err != nil {
		return Written{}, err
	}
	s, err := b.say(now, u, v, text, 0)
	if err != nil {
		return Written{}, err
	}
	b.pushNews(u, how, b.told(now, u, &s.mine, s.known, how))
	if v != u {
		b.pushNews(v, how, b.told(now, v, &s.theirs, s.known, how))
	}
	return Written{ID: s.theirs.ids[0], Pts: s.theirs.pts, FromID: s.mine.ids[0], FromPts: s.mine.pts}, nil
}

// Post writes a text of a user to a channel; from 0 is its creator.
func (b *Backend) Post(now time.Time, channelID, from int64, text string, how Delivery) (Written, error) {
	ch, err := b.channel(channelID)
	if err != nil {
		return Written{}, err
	}
	u := ch.creator
	if from != 0 {
		if u, err = b.user(from); err != nil {
			return Written{}, err
		}
	}
	if err := cmp.Or(checkText(text), ch.mayPost(u)); err != nil {
		return Written{}, err
	}
	e, err := b.put(now, ch, u, text, 0)
	if err != nil {
		return Written{}, err
	}
	b.pushEntry(now, ch, &e, how)
	return Written{ID: e.ids[0], Pts: e.pts}, nil
}

// EditPost gives a message of a channel another text.
func (b *Backend) EditPost(now time.Time, channelID int64, id int32, text string, how Delivery) (pts int32, err error) {
	ch, err := b.channel(channelID)
	if err != nil {
		return 0, err
	}
	m := ch.log.messages[id]
	switch {
	case m == nil || m.service != serviceNone:
		return 0, errMessageIDInvalid
	case m.text == text:
		return 0, errMessageNotModified
	}
	if err := checkText(text); err != nil {
		return 0, err
	}
	e, err := ch.log.edit(now, id, text)
	if err == nil {
		b.pushEntry(now, ch, &e, how)
	}
	return e.pts, err
}

// DeletePosts deletes messages of a channel. Ids that are not there are passed over.
func (b *Backend) DeletePosts(now time.Time, channelID int64, how Delivery, ids ...int32) (pts int32, err error) {
	ch, err := b.channel(channelID)
	if err != nil {
		return 0, err
	}
	ids = ch.log.present(ids)
	switch {
	case len(ids) == 0:
		return ch.log.pts, nil
	case len(ids) > maxDeletedIDs:
		return 0, fmt.Errorf("%w, not %d", ErrTooManyIDs, len(ids))
	}
	e, err := ch.log.remove(now, ids)
	if err == nil {
		b.pushEntry(now, ch, &e, how)
	}
	return e.pts, err
}

// Message is one that is in a box, for a script to read.
type Message struct {
	ID      int32     `json:"id"`
	At      time.Time `json:"at"`
	From    int64     `json:"from,omitempty"` // a user; 0 for a channel's own
	Peer    int64     `json:"peer,omitempty"` // of a private message: the other side
	Channel int64     `json:"channel_id,omitempty"`
	Out     bool      `json:"out,omitempty"` // of a private message: the owner of the box wrote it
	Text    string    `json:"text"`
	ReplyTo int32     `json:"reply_to,omitempty"`
	Edited  time.Time `json:"edited,omitzero"`
}

// Changes is how many messages were written, edited or deleted in all: when it has not changed, no box has.
func (b *Backend) Changes() int { return b.changes }

// Messages returns what is in a user's box, oldest first: what it wrote and what was written to it.
func (b *Backend) Messages(userID int64) ([]Message, error) {
	u, err := b.user(userID)
	if err != nil {
		return nil, err
	}
	return u.log.shown(), nil
}

// Posts returns what is in a channel, oldest first.
func (b *Backend) Posts(channelID int64) ([]Message, error) {
	ch, err := b.channel(channelID)
	if err != nil {
		return nil, err
	}
	return ch.log.shown(), nil
}

func (l *updateLog) shown() []Message {
	list := l.history(0, len(l.messages), func(m *message) bool { return m.service == serviceNone })
	slices.Reverse(list)
	out := make([]Message, len(list))
	for i, m := range list {
		out[i] = Message{ID: m.id, At: m.at, From: m.from, Peer: m.peer, Out: m.out, Text: m.text, ReplyTo: m.replyTo, Edited: m.edited}
		if m.channel != nil {
			out[i].Channel = m.channel.id
		}
	}
	return out
}

// Channel is a channel as a script sees it.
type Channel struct {
	ID        int64   `json:"id"`
	Title     string  `json:"title"`
	Username  string  `json:"username,omitempty"`
	Broadcast bool    `json:"broadcast,omitempty"`
	Creator   int64   `json:"creator"`
	Members   []int64 `json:"members"`
	Pts       int32   `json:"pts"`
}

// Channels returns every channel, in order of creation.
func (b *Backend) Channels() []Channel {
	out := make([]Channel, len(b.channels.order))
	for i, ch := range b.channels.order {
		out[i] = Channel{
			ID: ch.id, Title: ch.title, Username: ch.username, Broadcast: ch.broadcast, Creator: ch.creator.id,
			Members: make([]int64, len(ch.members)), Pts: ch.log.pts,
		}
		for k, m := range ch.members {
			out[i].Members[k] = m.user.id
		}
	}
	return out
}

// ChannelUpdates returns what was logged in all channels, one after the other, each as Updates does.
func (b *Backend) ChannelUpdates() (out []UpdateRecord) {
	for _, ch := range b.channels.order {
		out = append(out, ch.log.records(0, ch.id)...)
	}
	return out
}

// Memberships returns every stay of a user in a channel, by channel and in order of their beginning; of stays that
// have ended the newest.
func (b *Backend) Memberships() []Membership {
	out := slices.Clone(b.channels.ended)
	for _, ch := range b.channels.order {
		for _, m := range ch.members {
			out = append(out, m.stay)
		}
	}
	slices.SortStableFunc(out, func(x, y Membership) int {
		return cmp.Or(cmp.Compare(x.Channel, y.Channel), cmp.Compare(x.FromPts, y.FromPts), cmp.Compare(x.UserID, y.UserID))
	})
	return out
}

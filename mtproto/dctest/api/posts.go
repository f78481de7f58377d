package api

import (
	"time"
)

// This file is the messages of channels.

// put writes a post into a channel's box.
func (b *Backend) put(now time.Time, ch *channel, from *user, text string, replyTo int32) (logEntry, error) {
	m := message{from: from.id, channel: ch, at: now, text: text, replyTo: replyTo}
	if ch.broadcast {
		m.from = 0 // in the channel's own name
	}
	if ch.log.messages[replyTo] == nil {
		m.replyTo = 0
	}
	return ch.log.write(m)
}

// pushEntry pushes an entry of a channel's log to its members but some.
func (b *Backend) pushEntry(now time.Time, ch *channel, e *logEntry, how Delivery, but ...*user) {
	if how.Lost {
		return
	}
	hint := how.Form == FormTooLong || how.Form == FormAuto && b.cfg.ChannelPushMax > 0 && len(ch.members) > b.cfg.ChannelPushMax
	for _, m := range ch.members {
		if !m.user.listens() || contains(but, m.user) {
			continue
		}
		if hint {
			b.pushNews(m.user, how, b.hint(now, ch, m.user))
		} else {
			b.pushNews(m.user, how, b.channelUpdates(now, ch, m.user, e))
		}
	}
}

// listens tells whether there is anybody to push to.
func (u *user) listens() bool { return len(u.rows) > 0 }

// channelUpdates wraps an entry of a channel's log with the channel and those it names.
func (b *Backend) channelUpdates(now time.Time, ch *channel, u *user, e *logEntry) []byte {
	m := mentioned{channels: []*channel{ch}}
	e.mention(&m, u)
	return b.updates(now, u, &m, e.appendChannelUpdate(nil, ch, u, 0))
}

// tooLong is updateChannelTooLong with the pts that the channel has now.
func (ch *channel) tooLong() []byte { return value(updateChannelTooLongID, 1, ch.id, int(ch.log.pts)) }

// hint pushes that a channel has moved in place of what moved it.
func (b *Backend) hint(now time.Time, ch *channel, u *user) []byte {
	m := mentioned{channels: []*channel{ch}}
	return b.updates(now, u, &m, ch.tooLong())
}

// post sends a message to a channel. The answer has the message too, under the random_id it was sent with, and says that
// the author has read up to it.
func (c *call) post(ch *channel, text string, replyTo int32, random int64) ([]byte, *Error) {
	now := c.req.Now
	e, full := c.b.put(now, ch, c.user, text, replyTo)
	if full != nil {
		return nil, errPersistentIsFull
	}
	c.pushPost(ch, &e)
	ch.member(c.user).read = e.ids[0]
	m := mentioned{channels: []*channel{ch}}
	e.mention(&m, c.user)
	read := value(updateReadChannelInboxID, 0, ch.id, int(e.ids[0]), 0, int(e.pts))
	return c.b.updates(now, c.user, &m, value(updateMessageIDID, int(e.ids[0]), random), read, e.appendChannelUpdate(nil, ch, c.user, 0)), nil
}

// pushPost pushes an entry of a channel's log to everybody but the session that made it.
func (c *call) pushPost(ch *channel, e *logEntry) {
	c.pushOthers(c.b.channelUpdates(c.req.Now, ch, c.user, e))
	c.b.pushEntry(c.req.Now, ch, e, c.b.delivery(), c.user)
}

// editPost edits a post.
func (c *call) editPost(ch *channel, id int32, text string) ([]byte, *Error) {
	e, full := ch.log.edit(c.req.Now, id, text)
	if full != nil {
		return nil, errPersistentIsFull
	}
	c.pushPost(ch, &e)
	return c.b.channelUpdates(c.req.Now, ch, c.user, &e), nil
}

// channelMessages answers channels.getMessages.
func (c *call) channelMessages() ([]byte, *Error) {
	a := c.args() // channel, id
	ch, err := c.inputChannel(a[0])
	if err != nil {
		return nil, err
	}
	list, missing := a.named(1, &ch.log)
	switch n := len(list) + len(missing); {
	case n == 0:
		return nil, errMessageIDsEmpty
	case n > maxHistory:
		return nil, errInputRequestTooLong
	}
	return c.listed(ch, list, missing, len(list)+len(missing)), nil
}

// deletePosts answers channels.deleteMessages: one's own, and the creator everybody's.
func (c *call) deletePosts() ([]byte, *Error) {
	a := c.args() // channel, id
	ch, err := c.inputChannel(a[0])
	switch {
	case err != nil:
		return nil, err
	case !ch.has(c.user):
		return nil, errMessageDelete
	}
	ids := ch.log.present(a.ints(1))
	if len(ids) > maxDeletedIDs {
		return nil, errInputRequestTooLong
	}
	for _, id := range ids {
		if ch.creator != c.user && ch.log.messages[id].from != c.user.id {
			return nil, errMessageDelete
		}
	}
	if len(ids) == 0 {
		return value(affectedMessagesID, int(ch.log.pts), 0), nil
	}
	e, full := ch.log.remove(c.req.Now, ids)
	if full != nil {
		return nil, errPersistentIsFull
	}
	c.pushPost(ch, &e)
	return value(affectedMessagesID, int(e.pts), len(ids)), nil
}

// readPosts answers channels.readHistory. It has no place in the channel's pts: only the reader's own sessions hear of
// it.
func (c *call) readPosts() ([]byte, *Error) {
	a := c.args() // channel, max_id
	ch, err := c.inputChannel(a[0])
	if err != nil {
		return nil, err
	}
	m := ch.member(c.user)
	if m == nil {
		return nil, errChannelPrivate
	}
	upTo := ch.log.nextMsg - 1
	if most := a.int32(1); most > 0 {
		upTo = min(upTo, most)
	}
	if upTo <= m.read {
		return value(true), nil
	}
	m.read = upTo
	names := mentioned{channels: []*channel{ch}}
	c.pushOthers(c.b.updates(c.req.Now, c.user, &names,
		value(updateReadChannelInboxID, 0, ch.id, int(upTo), ch.unread(c.user, upTo), int(ch.log.pts))))
	return value(true), nil
}

package api

import (
	"time"
	"unicode/utf8"
)

// This file is how people and bots write to each other: a private message is two, one in the box of each side, with ids
// and pts of their own.

// dialog is what a user has with another.
type dialog struct {
	top     int32 // the newest message there was
	readIn  int32 // the user has read up to here
	readOut int32 // the other side has
	blocked bool  // the user wants to hear nothing from the other side
}

// dialogWith returns the dialog with another user, made when there is none.
func (u *user) dialogWith(id int64) *dialog {
	d := u.dialogs[id]
	if d == nil {
		d = &dialog{}
		if u.dialogs == nil {
			u.dialogs = map[int64]*dialog{}
		}
		u.dialogs[id] = d
	}
	return d
}

// unread counts the messages from a user after one.
func (u *user) unread(peer int64, after int32) int {
	n := 0
	for id := max(after+1, u.log.oldest); id < u.log.nextMsg; id++ {
		if m := u.log.messages[id]; m != nil && m.peer == peer && !m.out {
			n++
		}
	}
	return n
}

// Form is how news of a message is pushed.
type Form uint8

const (
	// FormAuto is updateShortMessage for a private text between two who have written to each other before, updates with
	// users and chats for everything else, and updateChannelTooLong in a channel of more than Config.ChannelPushMax.
	FormAuto Form = iota
	// FormShort is updateShortMessage for every private text, known or not.
	FormShort
	// FormFull is updates with users and chats, whatever the message.
	FormFull
	// FormTooLong names no message: updatesTooLong, or updateChannelTooLong of a channel.
	FormTooLong
)

var formNames = [...]string{"auto", "short", "full", "too_long"}

// String is the form as the controls write it.
func (f Form) String() string {
	if int(f) < len(formNames) {
		return formNames[f]
	}
	return "unknown"
}

// Forms lists the names of the forms.
func Forms() []string { return formNames[:] }

// ParseForm reads the name of a form; "" is auto.
func ParseForm(name string) (Form, bool) {
	for i, n := range formNames {
		if n == name || name == "" {
			return Form(i), true
		}
	}
	return 0, false
}

// Delivery is how news of one message is pushed. The zero value is as the real servers do.
type Delivery struct {
	Form  Form
	Lost  bool // in the log, and pushed to nobody: only a difference brings it
	Twice bool // pushed twice
}

// maxMessage is the longest text, in characters: message_length_max of help.getConfig.
const maxMessage = 4096

// Errors of messages. Their codes are those of the public list.
var (
	errMessageEmpty        = &Error{400, "MESSAGE_EMPTY"}
	errMessageTooLong      = &Error{400, "MESSAGE_TOO_LONG"}
	errMessageNotModified  = &Error{400, "MESSAGE_NOT_MODIFIED"}
	errMessageIDInvalid    = &Error{400, "MESSAGE_ID_INVALID"}
	errMessageAuthor       = &Error{403, "MESSAGE_AUTHOR_REQUIRED"}
	errMessageDelete       = &Error{403, "MESSAGE_DELETE_FORBIDDEN"}
	errPeerIDInvalid       = &Error{400, "PEER_ID_INVALID"}
	errRandomIDDuplicate   = &Error{500, "RANDOM_ID_DUPLICATE"}
	errUserIsBot           = &Error{400, "USER_IS_BOT"}
	errUserIsBlocked       = &Error{400, "USER_IS_BLOCKED"}
	errYouBlockedUser      = &Error{400, "YOU_BLOCKED_USER"}
	errChatAdminRequired   = &Error{400, "CHAT_ADMIN_REQUIRED"}
	errChatWriteForbidden  = &Error{403, "CHAT_WRITE_FORBIDDEN"}
	errPersistentIsFull    = &Error{500, "PERSISTENT_TIMESTAMP_OUTDATED"}
	errInputUserIsNobodys  = &Error{400, "USER_ID_INVALID"}
	errMessageIDsEmpty     = &Error{400, "MESSAGE_IDS_EMPTY"}
	errUsernameInvalid     = &Error{400, "USERNAME_INVALID"}
	errUsernameNotOccupied = &Error{400, "USERNAME_NOT_OCCUPIED"}
)

// checkText judges the text of a message.
func checkText(text string) *Error {
	switch {
	case text == "":
		return errMessageEmpty
	case utf8.RuneCountInString(text) > maxMessage:
		return errMessageTooLong
	}
	return nil
}

// mayWrite judges whether a user may write to another. That a bot cannot begin is documented; that the answer is
// PEER_ID_INVALID is what the Bot API's server reads as "can't initiate conversation".
func mayWrite(from, to *user) *Error {
	switch {
	case to == nil: // the service account
		return errPeerIDInvalid
	case to.deactivated || to.banned:
		return errInputDeactivated
	case from == to && from.bot, from.bot && to.bot:
		return errUserIsBot
	case from == to:
		return nil
	}
	mine, theirs := from.dialogs[to.id], to.dialogs[from.id]
	switch {
	case theirs != nil && theirs.blocked:
		return errUserIsBlocked
	case mine != nil && mine.blocked:
		return errYouBlockedUser
	case from.bot && mine == nil:
		return errPeerIDInvalid
	}
	return nil
}

// sent is one private message in the boxes of both sides; of a message to oneself they are the same entry.
type sent struct {
	mine, theirs logEntry
	known        bool // the two had written to each other before
}

// say puts a text into both boxes.
func (b *Backend) say(now time.Time, from, to *user, text string, replyTo int32) (s sent, err error) {
	s.known = to.dialogs[from.id] != nil
	m := message{from: from.id, peer: to.id, out: true, at: now, text: text, replyTo: replyTo}
	if from == to {
		s.mine, err = from.log.write(m)
		if err == nil {
			from.dialogWith(to.id).top = s.mine.ids[0]
		}
		s.theirs = s.mine
		return s, err
	}
	m.twin = to.log.nextMsg
	if s.mine, err = from.log.write(m); err != nil {
		return s, err
	}
	m.peer, m.out, m.twin = from.id, false, s.mine.ids[0]
	if reply := from.log.messages[replyTo]; reply != nil {
		m.replyTo = reply.twin
	} else {
		m.replyTo = 0
	}
	if s.theirs, err = to.log.write(m); err != nil {
		return s, err
	}
	from.dialogWith(to.id).top = s.mine.ids[0]
	to.dialogWith(from.id).top = s.theirs.ids[0]
	return s, nil
}

// told is the push for one side of a private message.
func (b *Backend) told(now time.Time, u *user, e *logEntry, known bool, how Delivery) []byte {
	switch {
	case how.Form == FormTooLong:
		return appendTooLong(nil)
	case e.message.peer != u.id && (how.Form == FormShort || how.Form == FormAuto && known):
		return e.appendShort(nil)
	}
	return b.updatesFor(now, u, e)
}

// pushNews pushes to the home sessions of a user as a Delivery says.
func (b *Backend) pushNews(u *user, how Delivery, body []byte) {
	if how.Lost {
		return
	}
	b.pushHome(u, nil, body)
	if how.Twice {
		b.pushHome(u, nil, body)
	}
}

// pushOthers pushes to the home sessions of the caller but the one that calls.
func (c *call) pushOthers(body []byte) {
	c.b.pushHome(c.user, c.key, body)
	c.b.pushes = append(c.b.pushes, Push{DC: c.ref.dc, Perm: c.ref.perm, ExceptSession: c.req.Session, Body: body})
}

// Bound of the random ids that a user has used: the newest are remembered, 8 bytes and an entry of a map each.
const maxRandomIDs = 1000

// usedRandom notes a random_id and tells whether it was used before. 0 is no random id.
func (u *user) usedRandom(id int64) bool {
	if id == 0 {
		return false
	}
	if contains(u.randoms, id) {
		return true
	}
	if u.randoms = append(u.randoms, id); len(u.randoms) > maxRandomIDs {
		u.randoms = u.randoms[len(u.randoms)-maxRandomIDs:]
	}
	return false
}

// sendMessage answers messages.sendMessage: a text to a user, to oneself or to a channel.
func (c *call) sendMessage() ([]byte, *Error) {
	a := c.args() // flags, peer, reply_to, message, random_id
	t, err := c.peer(a[1])
	if err != nil {
		return nil, err
	}
	text, random := a.text(3), a.int64(4)
	if err := checkText(text); err != nil {
		return nil, err
	}
	if t.channel != nil {
		if err := t.channel.mayPost(c.user); err != nil {
			return nil, err
		}
	} else if err := mayWrite(c.user, t.user); err != nil {
		return nil, err
	}
	if c.user.usedRandom(random) {
		return nil, errRandomIDDuplicate
	}
	var replyTo int32
	if a.has(2) {
		replyTo = replyID(a[2])
	}
	if t.channel != nil {
		return c.post(t.channel, text, replyTo, random)
	}
	return c.write(t.user, text, replyTo, random)
}

// write sends a private message and answers as the real servers do: updateShortSentMessage, which names neither peer nor
// text. A message to oneself is answered in full, because clients do not know the peer of inputPeerSelf.
func (c *call) write(to *user, text string, replyTo int32, random int64) ([]byte, *Error) {
	now := c.req.Now
	s, err := c.b.say(now, c.user, to, text, replyTo)
	if err != nil {
		return nil, errPersistentIsFull
	}
	c.pushOthers(c.b.told(now, c.user, &s.mine, s.known, c.b.delivery()))
	if to == c.user {
		var m mentioned
		m.user(c.user.id)
		return c.b.updates(now, c.user, &m, value(updateMessageIDID, int(s.mine.ids[0]), random), s.mine.appendUpdate(nil, c.user, 0)), nil
	}
	c.b.pushNews(to, c.b.delivery(), c.b.told(now, to, &s.theirs, s.known, c.b.delivery()))
	return value(updateShortSentMessageID, flagOut, int(s.mine.ids[0]), int(s.mine.pts), 1, int(now.Unix())), nil
}

// delivery is how news of what clients write is pushed.
func (b *Backend) delivery() Delivery { return Delivery{Form: b.cfg.PushForm} }

// editMessage answers messages.editMessage: only the author may.
func (c *call) editMessage() ([]byte, *Error) {
	a := c.args() // flags, peer, id, message
	t, err := c.peer(a[1])
	if err != nil {
		return nil, err
	}
	box := &c.user.log
	if t.channel != nil {
		box = &t.channel.log
	}
	id, text := a.int32(2), a.text(3)
	m := box.messages[id]
	switch {
	case m == nil || m.service != serviceNone || t.channel == nil && m.peer != t.id:
		return nil, errMessageIDInvalid
	case t.channel != nil && !t.channel.has(c.user):
		return nil, errChannelPrivate
	case m.from != c.user.id && (t.channel == nil || m.from != 0 || t.channel.creator != c.user):
		return nil, errMessageAuthor
	}
	if err := checkText(text); err != nil {
		return nil, err
	}
	if m.text == text {
		return nil, errMessageNotModified
	}
	if t.channel != nil {
		return c.editPost(t.channel, id, text)
	}
	return c.editPrivate(t.user, m, text)
}

// editPrivate edits both copies.
func (c *call) editPrivate(to *user, m *message, text string) ([]byte, *Error) {
	now := c.req.Now
	e, err := c.user.log.edit(now, m.id, text)
	if err != nil {
		return nil, errPersistentIsFull
	}
	body := c.b.updatesFor(now, c.user, &e)
	c.pushOthers(body)
	if to != nil && to != c.user && to.log.messages[m.twin] != nil {
		if e, err := to.log.edit(now, m.twin, text); err == nil {
			c.b.pushNews(to, Delivery{}, c.b.updatesFor(now, to, &e))
		}
	}
	return body, nil
}

// deleteMessages answers messages.deleteMessages: of private messages, for the other side too with revoke. Ids that are
// not there are passed over.
func (c *call) deleteMessages() ([]byte, *Error) {
	a := c.args() // flags, id
	ids := c.user.log.present(a.ints(1))
	if len(ids) > maxDeletedIDs {
		return nil, errInputRequestTooLong
	}
	twins := map[int64][]int32{}
	var peers []int64 // of twins, in order
	for _, id := range ids {
		if m := c.user.log.messages[id]; m.twin != 0 {
			if twins[m.peer] == nil {
				peers = append(peers, m.peer)
			}
			twins[m.peer] = append(twins[m.peer], m.twin)
		}
	}
	pts, err := c.b.remove(c.req.Now, c.user, ids, c.pushOthers)
	if err != nil {
		return nil, err
	}
	if a.flag(0) {
		for _, id := range peers {
			u := c.b.dir.byID[id]
			if _, err := c.b.remove(c.req.Now, u, u.log.present(twins[id]), func(body []byte) { c.b.pushHome(u, nil, body) }); err != nil {
				return nil, err
			}
		}
	}
	return value(affectedMessagesID, int(pts), len(ids)), nil
}

// remove deletes messages of one box and tells its owner.
func (b *Backend) remove(now time.Time, u *user, ids []int32, tell func(body []byte)) (pts int32, err *Error) {
	if len(ids) == 0 {
		return u.log.pts, nil
	}
	e, full := u.log.remove(now, ids)
	if full != nil {
		return 0, errPersistentIsFull
	}
	tell(updatesOf(now, e.appendUpdate(nil, u, 0)))
	return e.pts, nil
}

// setTyping answers messages.setTyping: the other side is told at once or never. It has no pts and is in no log.
func (c *call) setTyping() ([]byte, *Error) {
	a := c.args() // flags, peer, top_msg_id, action
	t, err := c.peer(a[1])
	if err != nil {
		return nil, err
	}
	now := c.req.Now
	if t.channel != nil {
		if err := t.channel.mayPost(c.user); err != nil {
			return nil, err
		}
		for _, m := range t.channel.members {
			if m.user != c.user {
				c.b.pushHome(m.user, nil, updateShort(now, value(updateChannelUserTypingID, 0, t.channel.id, peerUser(c.user.id), a[3])))
			}
		}
		return value(true), nil
	}
	if err := mayWrite(c.user, t.user); err != nil {
		return nil, err
	}
	if t.user != c.user {
		c.b.pushHome(t.user, nil, updateShort(now, value(updateUserTypingID, 0, c.user.id, a[3])))
	}
	return value(true), nil
}

package api

import (
	"math"
	"time"
	"unicode/utf8"

	"github.com/mtfleet/mtfleet/tl"
	"github.com/mtfleet/mtfleet/tl/tg"
)

// Constructors of a message and of how it is told.
const (
	updateMessageIDID  uint32 = 0x4e90bfd6
	updateNewMessageID uint32 = 0x1f2b0afd
	messageID          uint32 = 0x7600b9d3
	peerUserID         uint32 = 0x59511722
)

// maxMessage is the longest text, in characters: message_length_max of help.getConfig.
const maxMessage = 4096

// Errors of messages.sendMessage.
var (
	errMessageEmpty   = &Error{400, "MESSAGE_EMPTY"}
	errMessageTooLong = &Error{400, "MESSAGE_TOO_LONG"}
	errPeerIDInvalid  = &Error{400, "PEER_ID_INVALID"}
	errUserIsBot      = &Error{400, "USER_IS_BOT"}
)

// sendMessage takes a text to oneself, which is the only dialog there can be: it goes into the update log and to the
// account's other sessions. A bot has no dialog with itself.
func (c *call) sendMessage() ([]byte, *Error) {
	var peer tg.AnyInputPeer
	var text string
	var random int64
	_, err := tl.Walk(tg.Schema, c.req.Body, func(f tl.Field) {
		r := tl.NewReader(c.req.Body[f.Start:f.End])
		switch f.Index { // flags, peer, reply_to, message, random_id
		case 1:
			peer = tg.ParseAnyInputPeer(r)
		case 3:
			text = r.String()
		case 4:
			random = r.Int64()
		}
	})
	switch peer := peer.(type) {
	case *tg.InputPeerSelf:
	case *tg.InputPeerUser:
		if peer.UserID != c.user.id {
			return nil, errPeerIDInvalid
		}
	default:
		return nil, errPeerIDInvalid
	}
	switch {
	case err != nil:
		return nil, errInputFetch
	case c.user.bot:
		return nil, errUserIsBot
	case text == "":
		return nil, errMessageEmpty
	case utf8.RuneCountInString(text) > maxMessage:
		return nil, errMessageTooLong
	case c.user.log.nextMsg == math.MaxInt32 || c.user.log.pts == math.MaxInt32:
		return nil, errPtsInvalid
	}
	e := c.b.appendMessage(c.req.Now, c.user, text)
	update := e.appendUpdate(nil, 0)
	body := c.updatesWithSelf(update)
	c.b.pushHome(c.user, c.key, body)
	c.b.pushes = append(c.b.pushes, Push{DC: c.ref.dc, Perm: c.ref.perm, ExceptSession: c.req.Session, Body: body})
	// The answer says too which random_id became which id. updateShortSentMessage would not do: clients do not know the
	// peer of inputPeerSelf.
	return c.updatesWithSelf(value(updateMessageIDID, int(e.ids[0]), random), update), nil
}

// updatesWithSelf wraps updates that name the user they are for.
func (c *call) updatesWithSelf(list ...[]byte) []byte {
	body := tl.AppendVectorHeader(tl.AppendUint32(nil, updatesID), len(list))
	for _, update := range list {
		body = append(body, update...)
	}
	body = append(tl.AppendVectorHeader(body, 1), c.user.self().Append(nil)...)
	return value(body, vector, int(c.req.Now.Unix()), 0)
}

// appendMessage puts a message of a user to itself into the log.
func (b *Backend) appendMessage(now time.Time, u *user, text string) logEntry {
	l := &u.log
	id := l.nextMsg
	e, err := l.add(b.cfg.LogMax, logEntry{at: now, ids: []int32{id}, message: appendMessage(nil, u.id, id, now, text)})
	if err == nil {
		l.nextMsg++
	}
	return e
}

// appendMessage appends a text that a user wrote to itself.
func appendMessage(b []byte, user int64, id int32, now time.Time, text string) []byte {
	const out, fromID = 1 << 1, 1 << 8
	peer := value(peerUserID, user)
	return append(b, value(messageID, out|fromID, 0, int(id), peer, peer, int(now.Unix()), text)...)
}

package security

import (
	"strings"
	"time"

	"github.com/mtfleet/mtfleet/tl"
	"github.com/mtfleet/mtfleet/tl/tg"
)

// A Notice is what the server told about the account's safety, unasked.
type Notice struct {
	Kind NoticeKind `json:"kind"`
	// Session names a new session, for TerminateSession.
	Session string `json:"session,omitempty"`
	// Unconfirmed: no other session has said yet that it is the owner's. At is
	// when it signed in; Device and Location are what the server says of it.
	Unconfirmed bool      `json:"unconfirmed,omitempty"`
	At          time.Time `json:"at,omitzero"`
	Device      string    `json:"device,omitempty"`
	Location    string    `json:"location,omitempty"`
	// Type and Text are the server's own words, of NoticeKeyDropped.
	Type string `json:"type,omitempty"`
	Text string `json:"text,omitempty"`
}

// A NoticeKind says what a Notice tells.
type NoticeKind string

const (
	// NoticeNewSession: somebody signed in to the account.
	NoticeNewSession NoticeKind = "new_session"
	// NoticeSessionConfirmed: a new session was confirmed, by whichever session.
	NoticeSessionConfirmed NoticeKind = "session_confirmed"
	// NoticeKeyDropped: the server says that it dropped this key. Whether that is
	// so, it is asked.
	NoticeKeyDropped NoticeKind = "key_dropped"
)

// keyDropped begins the type of a notification that this key was dropped.
const keyDropped = "AUTH_KEY_DROP_"

// NoticeOf reads an update; false for one that is not about the account's safety.
func NoticeOf(update tl.Raw) (n Notice, ok bool) {
	r := tl.NewReader(update)
	switch update.ID() {
	case tg.UpdateNewAuthorizationID:
		var v tg.UpdateNewAuthorization
		if v.Parse(r); r.Err() != nil {
			return n, false
		}
		n = Notice{
			Kind: NoticeSessionConfirmed, Session: SessionID(v.Hash), Unconfirmed: v.Unconfirmed,
			At: dateOf(v.Date.Or(0)), Device: v.Device.Or(""), Location: v.Location.Or(""),
		}
		if v.Unconfirmed {
			n.Kind = NoticeNewSession
		}
		return n, true
	case tg.UpdateServiceNotificationID:
		var v tg.UpdateServiceNotification
		if v.Parse(r); r.Err() != nil || !strings.HasPrefix(v.Type, keyDropped) {
			return n, false
		}
		return Notice{Kind: NoticeKeyDropped, Type: v.Type, Text: v.Message}, true
	}
	return n, false
}

// String is one line for people: what was told, and what to do about it.
func (n Notice) String() string {
	switch n.Kind {
	case NoticeNewSession:
		s := "somebody signed in to the account"
		if n.Device != "" {
			s += " on " + n.Device
		}
		if n.Location != "" {
			s += " from " + n.Location
		}
		return s + "; if that was not its owner, end session " + n.Session
	case NoticeSessionConfirmed:
		return "session " + n.Session + " of the account was confirmed"
	case NoticeKeyDropped:
		return "the server says that it dropped this key (" + n.Type + "); it is asked whether that is so"
	}
	return string(n.Kind)
}

// Doubt is why it has to be asked whether the account is signed in still; "" when
// it has not.
func (n Notice) Doubt() string {
	if n.Kind == NoticeKeyDropped {
		return "the server told " + n.Type
	}
	return ""
}

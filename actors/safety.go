package actors

import (
	"time"

	"github.com/mtfleet/mtfleet/mtproto/security"
)

// This file is the words in which an account's safety is told.

// TwoStep is what the server tells of an account's two-step verification.
type TwoStep struct {
	// Password: one is set.
	Password bool   `json:"password"`
	Hint     string `json:"hint,omitempty"`
	// Recovery: there is a confirmed recovery e-mail.
	Recovery bool `json:"recovery"`
	// Unconfirmed is the pattern of a recovery e-mail that waits for the code
	// mailed to it; at the first set-up the password waits with it.
	Unconfirmed string `json:"unconfirmed,omitempty"`
	// LoginEmail is the pattern of the e-mail that gets login codes.
	LoginEmail string `json:"login_email,omitempty"`
	// ResetAt is when the password may be removed without it, because a reset
	// was asked for; zero when none is under way. Server time.
	ResetAt time.Time `json:"reset_at,omitzero"`
	// Passport: personal documents hang on the password.
	Passport bool `json:"passport,omitempty"`
	// Unsupported: the password is kept in a way this version does not know.
	Unsupported bool `json:"unsupported,omitempty"`
}

// PasswordChange is what becomes of a two-step password.
type PasswordChange struct {
	// Current is the present password; "" when none is set.
	Current string
	// New is the password to set; "" leaves the present one.
	New string
	// Hint is shown to whoever is asked for New.
	Hint string
	// Remove removes the password, and its hint and e-mail with it.
	Remove bool
	// Email is the recovery e-mail; nil leaves it, and "" removes it. A new one
	// is in force when the code mailed to it was given.
	Email *string
	// LosePassport: personal documents (Telegram Passport) are sealed under the
	// password. What changes or removes it loses them, and is refused unless
	// this is set.
	LosePassport bool
}

// String says nothing of it.
func (c PasswordChange) String() string { return security.Change(c).String() }

// GoString is String.
func (c PasswordChange) GoString() string { return c.String() }

// PasswordReset is what the server said of removing a password without knowing it.
type PasswordReset struct {
	// State says what is so.
	State ResetState `json:"state"`
	// Until is when the reset is done by asking once more (ResetWaits), or when
	// one may be asked for (ResetRefused). Server time.
	Until time.Time `json:"until,omitzero"`
}

// A ResetState says where the reset of a password stands.
type ResetState string

const (
	// ResetWaits: it was asked for; asked once more after Until, it is done.
	// Whoever has a session of the account can decline it until then.
	ResetWaits ResetState = "waits"
	// ResetRefused: one was declined not long ago.
	ResetRefused ResetState = "refused"
	// ResetDone: the password is removed.
	ResetDone ResetState = "done"
)

// Sessions are the authorizations of an account.
type Sessions struct {
	// TTLDays is after how many days without a query a session ends.
	TTLDays  int       `json:"ttl_days"`
	Sessions []Session `json:"sessions"`
}

// Own is the session that we asked with; false when the list has none, which an
// authorized query should not be told.
func (s Sessions) Own() (Session, bool) {
	for _, one := range s.Sessions {
		if one.Current {
			return one, true
		}
	}
	return Session{}, false
}

// Session is one authorization as the server tells it: what its app said of
// itself, and what the server saw.
type Session struct {
	// ID names it to TerminateSession; "" for our own.
	ID string `json:"id,omitempty"`
	// Current: it is the one we asked with.
	Current bool `json:"current,omitempty"`
	// PasswordPending: somebody gave the login code and not yet the two-step
	// password. If that is not the owner, the code is known to somebody.
	PasswordPending bool `json:"password_pending,omitempty"`
	// Unconfirmed: new, and no other session has said yet that it is the owner's.
	Unconfirmed   bool      `json:"unconfirmed,omitempty"`
	Official      bool      `json:"official,omitempty"` // of an official app
	NoSecretChats bool      `json:"no_secret_chats,omitempty"`
	NoCalls       bool      `json:"no_calls,omitempty"`
	App           string    `json:"app,omitempty"`
	AppVersion    string    `json:"app_version,omitempty"`
	APIID         int       `json:"api_id,omitempty"`
	Device        string    `json:"device,omitempty"`
	Platform      string    `json:"platform,omitempty"`
	System        string    `json:"system,omitempty"`
	Created       time.Time `json:"created,omitzero"` // server time, like Active
	Active        time.Time `json:"active,omitzero"`
	IP            string    `json:"ip,omitempty"`
	Country       string    `json:"country,omitempty"`
	Region        string    `json:"region,omitempty"`
}

func sessionsOf(in security.Sessions) Sessions {
	out := Sessions{TTLDays: in.TTLDays, Sessions: make([]Session, len(in.Sessions))}
	for i, one := range in.Sessions {
		out.Sessions[i] = Session(one)
	}
	return out
}

// PasskeyInfo is one passkey of an account.
type PasskeyInfo struct {
	ID      string    `json:"id"`
	Name    string    `json:"name,omitempty"`
	Created time.Time `json:"created,omitzero"` // server time, like Used
	Used    time.Time `json:"used,omitzero"`    // zero: never
}

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

func noticeOf(n *security.Notice) *Notice {
	return &Notice{NoticeKind(n.Kind), n.Session, n.Unconfirmed, n.At, n.Device, n.Location, n.Type, n.Text}
}

// String is one line for people: what was told, and what to do about it.
func (n Notice) String() string {
	return security.Notice{
		Kind: security.NoticeKind(n.Kind), Session: n.Session, Unconfirmed: n.Unconfirmed, At: n.At,
		Device: n.Device, Location: n.Location, Type: n.Type, Text: n.Text,
	}.String()
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

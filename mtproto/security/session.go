package security

import (
	"slices"
	"strconv"
	"time"

	"github.com/mtfleet/mtfleet/tl/tg"
)

// Sessions are the authorizations of an account.
type Sessions struct {
	// TTLDays is after how many days without a query a session ends.
	TTLDays  int       `json:"ttl_days"`
	Sessions []Session `json:"sessions"`
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

// SessionsOf reads account.authorizations, our own session first.
func SessionsOf(v *tg.AccountAuthorizations) Sessions {
	s := Sessions{TTLDays: int(v.AuthorizationTTLDays), Sessions: []Session{}}
	for i := range v.Authorizations {
		s.Sessions = append(s.Sessions, SessionOf(&v.Authorizations[i]))
	}
	slices.SortStableFunc(s.Sessions, func(a, b Session) int {
		switch {
		case a.Current == b.Current:
			return 0
		case a.Current:
			return -1
		}
		return 1
	})
	return s
}

// SessionOf reads one authorization.
func SessionOf(v *tg.Authorization) Session {
	s := Session{
		Current: v.Current, PasswordPending: v.PasswordPending, Unconfirmed: v.Unconfirmed, Official: v.OfficialApp,
		NoSecretChats: v.EncryptedRequestsDisabled, NoCalls: v.CallRequestsDisabled,
		App: v.AppName, AppVersion: v.AppVersion, APIID: int(v.APIID),
		Device: v.DeviceModel, Platform: v.Platform, System: v.SystemVersion,
		Created: dateOf(v.DateCreated), Active: dateOf(v.DateActive), IP: v.IP, Country: v.Country, Region: v.Region,
	}
	if v.Hash != 0 {
		s.ID = SessionID(v.Hash)
	}
	return s
}

// Own is the session we asked with; false when the list has none, which an
// authorized query should not be told.
func (s Sessions) Own() (Session, bool) {
	for _, one := range s.Sessions {
		if one.Current {
			return one, true
		}
	}
	return Session{}, false
}

// SessionID is the name of the session with a hash: 16 hex digits, for JSON has
// no whole numbers of 64 bits.
func SessionID(hash int64) string {
	const digits = 16
	s := strconv.FormatUint(uint64(hash), 16)
	for len(s) < digits {
		s = "0" + s
	}
	return s
}

// ParseSessionID reads a name made by SessionID.
func ParseSessionID(id string) (hash int64, err error) {
	n, bad := strconv.ParseUint(id, 16, 64)
	if bad != nil || n == 0 {
		return 0, refuse(ReasonInput, "this is no session's id: it has 16 hex digits, as the list shows them")
	}
	return int64(n), nil
}

package api

import (
	"fmt"
	"time"
)

// This file is the seam between the two halves of the test cluster. The protocol half (package dctest) owns keys,
// sessions, messages, wrappers and bindings; the API half (this package) owns people, authorizations and their
// updates. The protocol half calls Server from its one owner; nothing here is safe for concurrent use.

// AppInfo is what a client said about itself in initConnection.
type AppInfo struct {
	APIID                      int
	DeviceModel, SystemVersion string
	AppVersion, SystemLangCode string
	LangPack, LangCode         string
	Proxy                      string // "host:port" of inputClientProxy, empty without one
}

// Request is one API query, unwrapped: no invokeWithLayer, initConnection, invokeAfterMsg, invokeWithoutUpdates or
// gzip_packed around it. It was sent once: repeats of a msg_id never reach the API half.
type Request struct {
	Now time.Time // the server's clock (the caller's, plus the skew fault)
	DC  int       // the DC that received the query, 1-based

	// Perm is the id of the perm key the query counts for: the key itself, or the one the temp key is bound to.
	// It is 0 for a temp key that is not bound (Unbound).
	Perm int64
	// Temp is the id of the temp key that carried the query, 0 when the perm key itself did.
	Temp    int64
	Unbound bool
	// PermCreated is when the perm key was made (zero when Unbound).
	PermCreated time.Time

	Session int64
	MsgID   int64

	Layer          int     // the layer declared for the key that carried the query; 0 if none yet
	App            AppInfo // zero if initConnection was never seen under that key
	Inited         bool
	WithoutUpdates bool
	RemoteAddr     string // "ip:port" of the connection, or a name for in-memory connections

	Body []byte // the innermost query, boxed; valid during the call only
}

// Error is an rpc_error: a code and the server's text, for example 303 "PHONE_MIGRATE_2".
type Error struct {
	Code int    `json:"code"`
	Text string `json:"text"`
}

// Error implements error.
func (e *Error) Error() string { return fmt.Sprintf("api: rpc error %d %s", e.Code, e.Text) }

// Reply is the answer to one Request: exactly one of Body and Err is set.
type Reply struct {
	Body  []byte        // the boxed result at layer 229; the protocol half downgrades it to the declared layer
	Err   *Error        //
	Delay time.Duration // how long to hold the answer back; 0 sends it at once
}

// Push is one server-initiated payload (an Updates constructor). It goes to the session named, or, with Session 0, to
// every subscribed session of the perm key: those that made an API query without invokeWithoutUpdates.
// A session that is not connected gets it when it comes back.
type Push struct {
	DC            int
	Perm          int64
	Session       int64
	ExceptSession int64  // a session to leave out, 0 for none
	Body          []byte // boxed, layer 229
}

// Endpoint is one address of a DC as help.getConfig lists it.
type Endpoint struct {
	DC   int    `json:"dc"`
	IP   string `json:"ip"`
	Port int    `json:"port"`
	// Media says that it is for media alone.
	Media bool `json:"media_only,omitempty"`
}

// Login is one successful query that put an authorization on a perm key.
type Login struct {
	At     time.Time `json:"at"`
	DC     int       `json:"dc"`
	Perm   int64     `json:"perm,string"`
	UserID int64     `json:"user_id"`
	Method string    `json:"method"` // auth.signIn, auth.signUp, auth.importBotAuthorization, auth.importAuthorization, ...
}

// Authorization is one row of the authorization table, live or ended.
type Authorization struct {
	DC      int       `json:"dc"`
	Perm    int64     `json:"perm,string"`
	UserID  int64     `json:"user_id"`
	Bot     bool      `json:"bot,omitempty"`
	Home    bool      `json:"home"` // false for a guest authorization (imported)
	Created time.Time `json:"created"`
	// Ended is zero while the authorization lives. Why says what ended it: logged_out, revoked, key_gone, duplicated,
	// frozen, ...
	Ended time.Time `json:"ended,omitzero"`
	Why   string    `json:"why,omitempty"`
}

// UpdateRecord is one entry of the update log of a user, or of a channel.
type UpdateRecord struct {
	At       time.Time `json:"at"`
	UserID   int64     `json:"user_id,omitempty"`
	Channel  int64     `json:"channel_id,omitempty"`
	Pts      int32     `json:"pts"`       // state after the update
	PtsCount int32     `json:"pts_count"` //
	// Kind is delete, message, edit, read or read_by_peer; Message is the one that it is about, but of a deletion.
	Kind    string `json:"kind"`
	Message int32  `json:"message,omitempty"`
}

// Membership is one stay of a user in a channel. The updates after FromPts and up to UntilPts are the member's: times are
// those of the DC that was asked, whose clock may be wrong.
type Membership struct {
	Channel  int64     `json:"channel_id"`
	UserID   int64     `json:"user_id"`
	From     time.Time `json:"from"`
	FromPts  int32     `json:"from_pts"`       // of the channel, as the member came
	Until    time.Time `json:"until,omitzero"` // zero while it lasts
	UntilPts int32     `json:"until_pts,omitempty"`
}

// User is one person or bot of the directory, as the descriptor shows it.
type User struct {
	ID       int64  `json:"id"`
	HomeDC   int    `json:"home_dc"`
	Phone    string `json:"phone,omitempty"`
	Code     string `json:"code,omitempty"`     // the login code, when the directory uses a fixed one
	Password bool   `json:"password,omitempty"` // two-step verification is on
	// PasswordText is the two-step password while it is the one the cluster's operator set.
	PasswordText string `json:"password_text,omitempty"`
	BotToken     string `json:"bot_token,omitempty"`
	Username     string `json:"username,omitempty"`
}

// Server is the API half as the protocol half sees it. One owner calls it; no call blocks.
type Server interface {
	// Method returns the name of the query that starts body ("auth.sendCode"), or "" when it is unknown.
	Method(body []byte) string
	// Layers lists the layers served; any other gets CONNECTION_LAYER_INVALID.
	Layers() []int
	// CheckInit judges an initConnection before the query inside runs: nil, or CONNECTION_API_ID_INVALID and the like.
	CheckInit(layer int, app *AppInfo) *Error
	// Handle answers one query. The protocol half has already refused unbound temp keys (except the calls they may
	// make) and uninitialised connections, and handles auth.bindTempAuthKey and auth.dropTempAuthKeys itself.
	Handle(req *Request) Reply
	// Admit is the gate of a call that the protocol half answers itself (testdc.echo, auth.dropTempAuthKeys): nil lets it
	// through, delay holds its answer back.
	Admit(req *Request, method string) (delay time.Duration, err *Error)
	// UserOf returns the user authorized on a perm key of a DC.
	UserOf(dc int, perm int64) (userID int64, ok bool)
	// SeedAuthorization puts a user on a perm key of its home DC without a sign-in: see [Backend.SeedAuthorization].
	SeedAuthorization(now time.Time, dc int, perm, userID int64) error
	// KeyGone says that a perm key no longer exists (destroy_auth_key or a fault).
	KeyGone(now time.Time, dc int, perm int64)

	// NextPush takes the next payload to push. It is called after every other input until it returns false.
	NextPush() (Push, bool)
	// Advance runs what is due; Deadline is when Advance is wanted next, zero for never.
	Advance(now time.Time)
	Deadline() time.Time

	// PushUpdate appends one updateDeleteMessages to the user's log and queues pushes to that user's home sessions.
	// It returns the pts after it.
	PushUpdate(now time.Time, userID int64) (pts int32, err error)
	// SetEndpoints replaces the addresses help.getConfig lists.
	SetEndpoints(eps []Endpoint)

	// Users, Logins, Authorizations, Updates and the rest are what the ledger and the descriptor read; each returns a copy.
	Users() []User
	APIIDs() []int // accepted application ids; empty means any
	Logins() []Login
	Authorizations() []Authorization
	Updates(userID int64) []UpdateRecord
	// ChannelUpdates is Updates of every channel, one after the other; Memberships says whose boxes they are.
	ChannelUpdates() []UpdateRecord
	Memberships() []Membership
}

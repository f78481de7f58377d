package actors

import (
	"time"

	"github.com/mtfleet/mtfleet/actors/account"
	"github.com/mtfleet/mtfleet/mtproto/standing"
	"github.com/mtfleet/mtfleet/persistence"
)

// State is where an account stands with the server. Its text, also in JSON, is
// the word in quotes.
type State uint8

const (
	// New, "new": the account is in the store and nobody is signed in, or a
	// sign-in came to nothing. A sign-in leaves it.
	New State = iota
	// SigningIn, "signing-in": Status.Step is what the sign-in waits for. Calls are
	// refused.
	SigningIn
	// Connecting, "connecting": signed in, and the home DC has not answered on the
	// present connection. Calls wait.
	Connecting
	// Online, "online": the home DC answered an authorized query on the present
	// connection.
	Online
	// Waiting, "waiting": the server ordered a wait that holds the whole account,
	// until Status.Until.
	Waiting
	// Frozen, "frozen": the server keeps the account readable and refuses the rest.
	// Calls go on.
	Frozen
	// Quarantined, "quarantined": the account failed too often here, or its records
	// cannot be read. Resume gives it another try.
	Quarantined
	// Duplicated, "duplicated": the server saw the key in two places and ended the
	// authorization. A sign-in leaves it.
	Duplicated
	// Revoked, "revoked": the authorization is gone, and it took proof. A sign-in
	// leaves it, or RestoreKey within seven days.
	Revoked
	// SigningOut, "signing-out": auth.logOut is under way.
	SigningOut
	// SignedOut, "signed-out": the owner logged out. A sign-in leaves it.
	SignedOut
	// Paused, "paused": the owner wants no connection now. Resume leaves it.
	Paused
	// Exported, "exported": the session was handed out to another program, which
	// may be using it. TakeBack leaves it.
	Exported
)

// String is the state's text.
func (s State) String() string { return standing.State(s).String() }

// MarshalText is String, for JSON.
func (s State) MarshalText() ([]byte, error) { return standing.State(s).MarshalText() }

// UnmarshalText reads what MarshalText wrote.
func (s *State) UnmarshalText(text []byte) error { return (*standing.State)(s).UnmarshalText(text) }

// Status is what is known of an account at one moment. It is a value: nobody
// changes it after it was published.
type Status struct {
	State State     `json:"state"`
	Since time.Time `json:"since"`
	// Why the account is in this state: the server's words and ours.
	Why string `json:"why,omitempty"`
	// Advice is what the operator can do about it; empty when nothing is asked.
	Advice string `json:"advice,omitempty"`
	// Until is the end of an ordered wait (Waiting, or SigningIn held by a flood wait).
	Until time.Time `json:"until,omitzero"`
	// Step is what a sign-in waits for, SignIn its id, which the ids of its steps
	// begin with (SigningIn only).
	Step   *Step  `json:"step,omitempty"`
	SignIn string `json:"sign_in,omitempty"`

	UserID int64 `json:"user_id,omitempty"`
	Bot    bool  `json:"bot,omitempty"`
	HomeDC int   `json:"home_dc,omitempty"`
	// PFS tells whether temp keys are wanted; Bound whether the connection to
	// the home DC runs under a bound temp key.
	PFS   bool `json:"pfs"`
	Bound bool `json:"bound"`
	// SignedIn tells whether an authorization is in the store.
	SignedIn bool `json:"signed_in"`
	// Labels are the operator's own words for the account.
	Labels persistence.Labels `json:"labels,omitzero"`
	// Origin is where its session came from, zero for a sign-in of our own.
	Origin Origin `json:"origin,omitzero"`
	// Proxy names the proxy that the account connects through, without what opens
	// it, as "socks5://host:1080"; empty: directly.
	Proxy string `json:"proxy,omitempty"`
}

// statusOf is what an account's actor says, which does not know of labels.
func statusOf(s *account.Status) *Status {
	return &Status{
		State: State(s.State), Since: s.Since, Why: s.Why, Advice: s.Advice, Until: s.Until,
		Step: stepOf(s.Step), SignIn: s.SignIn, UserID: s.UserID, Bot: s.Bot, HomeDC: s.HomeDC,
		PFS: s.PFS, Bound: s.Bound, SignedIn: s.SignedIn, Origin: Origin(s.Origin), Proxy: s.Proxy,
	}
}

// Origin says that an account's session was made by another program: in which
// form it came, under which api_id it ran there (0: not known), and when it came.
// The zero Origin is a session of our own.
type Origin struct {
	Format string    `json:"format"`
	APIID  int       `json:"api_id,omitempty"`
	At     time.Time `json:"at"`
}

// OriginOf finds it among an account's records of kind KindMeta; zero where there
// is none.
func OriginOf(meta []persistence.Record) Origin { return Origin(account.OriginOf(meta)) }

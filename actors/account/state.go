package account

import (
	"fmt"
	"time"

	"github.com/mtfleet/mtfleet/mtproto/login"
)

// State is where an account stands. Every change is an event.
type State uint8

const (
	// New: the account is in the store and nothing was asked of it yet.
	// A sign-in leaves it.
	New State = iota
	// SigningIn: a login is under way; Status.Step says what it waits for.
	// It ends in Connecting, or back in New when it fails.
	SigningIn
	// Connecting: signed in, and the home DC is not answering yet: dialling,
	// making a temp key, binding, or asking for missed updates.
	Connecting
	// Online: the home DC answered an authorized query on the present
	// connection. A lost connection leads back to Connecting.
	Online
	// Waiting: the server ordered a wait that holds the whole account;
	// Status.Until says when it ends. It is never retried early.
	Waiting
	// Frozen: the server keeps the account readable and refuses the rest.
	Frozen
	// Quarantined: the account failed too often, or its records cannot be
	// read, and it was taken out of service so that it cannot hurt others.
	Quarantined
	// Duplicated: the server saw the perm key in two places and ended the
	// authorization (406 AUTH_KEY_DUPLICATED). It never reconnects by itself.
	Duplicated
	// Revoked: the authorization is gone, and a second proof agreed. The perm
	// key is kept sealed for seven days.
	Revoked
	// SignedOut: the owner logged out.
	SignedOut
	// Paused: the owner wants no connection now. Resume leaves it.
	Paused
)

var stateNames = [...]string{
	New: "new", SigningIn: "signing-in", Connecting: "connecting", Online: "online",
	Waiting: "waiting", Frozen: "frozen", Quarantined: "quarantined",
	Duplicated: "duplicated", Revoked: "revoked", SignedOut: "signed-out", Paused: "paused",
}

// String returns the state's name as events, the CLI and the control API show it.
func (s State) String() string {
	if int(s) < len(stateNames) {
		return stateNames[s]
	}
	return fmt.Sprintf("state(%d)", uint8(s))
}

// MarshalText writes the name, so that JSON holds words and not numbers.
func (s State) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText reads a name written by MarshalText.
func (s *State) UnmarshalText(b []byte) error {
	for i, name := range stateNames {
		if name == string(b) {
			*s = State(i)
			return nil
		}
	}
	return fmt.Errorf("account: unknown state %q", b)
}

// final reports whether only the owner can lead the account out of this state.
func (s State) final() bool {
	switch s {
	case Quarantined, Duplicated, Revoked, SignedOut, Paused, New:
		return true
	case SigningIn, Connecting, Online, Waiting, Frozen:
		return false
	}
	panic("account: BUG: state without a rule")
}

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
	// Step is what a sign-in waits for (SigningIn only).
	Step *login.Step `json:"step,omitempty"`

	UserID int64 `json:"user_id,omitempty"`
	Bot    bool  `json:"bot,omitempty"`
	HomeDC int   `json:"home_dc,omitempty"`
	// PFS tells whether temp keys are wanted; Bound whether the connection to
	// the home DC runs under a bound temp key now.
	PFS   bool `json:"pfs"`
	Bound bool `json:"bound"`
	// SignedIn tells whether an authorization is in the store.
	SignedIn bool `json:"signed_in"`
}

package account

import (
	"time"

	"github.com/mtfleet/mtfleet/mtproto/login"
	"github.com/mtfleet/mtfleet/mtproto/standing"
	"github.com/mtfleet/mtfleet/persistence"
)

// State is where an account stands; the values are documented in standing.
type State = standing.State

// The states of an account.
const (
	New         = standing.New
	SigningIn   = standing.SigningIn
	Connecting  = standing.Connecting
	Online      = standing.Online
	Waiting     = standing.Waiting
	Frozen      = standing.Frozen
	Quarantined = standing.Quarantined
	Duplicated  = standing.Duplicated
	Revoked     = standing.Revoked
	SigningOut  = standing.SigningOut
	SignedOut   = standing.SignedOut
	Paused      = standing.Paused
	Exported    = standing.Exported
)

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
	Step   *login.Step `json:"step,omitempty"`
	SignIn string      `json:"sign_in,omitempty"`

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
}

// onStatus takes over what standing says of the account now, and tells it.
func (a *account) onStatus(c *ctx) {
	s, snap := a.stand.Status(), a.stand.Snapshot()
	online := s.State == Online && a.status.State != Online
	a.status = Status{
		State: s.State, Since: s.Since, Why: s.Why, Advice: s.Advice, Until: s.Until,
		UserID: snap.UserID, Bot: snap.Bot, HomeDC: int(snap.HomeDC), PFS: a.rec.PFS, SignedIn: a.stand.SignedIn(),
	}
	if a.status.SignedIn || a.login.Keeps() {
		a.status.Origin = a.origin
	}
	a.holdUser()
	if a.login.UnderWay() && s.State == SigningIn {
		a.status.Step, a.status.SignIn = a.login.Step(), a.login.ID()
	}
	a.publish(c)
	if s.State != SigningIn {
		a.login.End(nil)
	}
	if online {
		a.fetchConfig(c)
	}
}

// publish tells the present status, if anything changed that anybody could see.
func (a *account) publish(c *ctx) {
	a.status.Bound = a.rec.PFS && a.bindings.Home().Bound()
	if a.status.HomeDC == 0 && a.bindings.Home() != nil {
		a.status.HomeDC = int(a.bindings.Home().DC()) // a sign-in is under way there
	}
	if a.status == a.told {
		return
	}
	a.told = a.status
	status := a.status
	a.env.Publish(Event{Account: string(a.id), At: c.Now(), Kind: EventState, Status: &status})
}

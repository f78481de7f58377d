package account

import (
	"time"

	"github.com/mtfleet/mtfleet/mtproto/login"
	"github.com/mtfleet/mtfleet/mtproto/standing"
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

// Status is what is known of an account at one moment: what standing says, and
// what its connections and its sign-in do.
type Status struct {
	State  State
	Since  time.Time
	Why    string    // the server's words and ours
	Advice string    // what the operator can do about it; empty when nothing is asked
	Until  time.Time // the end of an ordered wait
	// Step is what a sign-in waits for, SignIn its id (SigningIn only).
	Step   *login.Step
	SignIn string

	UserID   int64
	Bot      bool
	HomeDC   int
	PFS      bool // temp keys are wanted
	Bound    bool // the connection to the home DC runs under a bound temp key
	SignedIn bool // an authorization is in the store
	Origin   Origin
	// Proxy names the proxy it connects through, without what opens it; empty:
	// directly.
	Proxy string
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
	a.status.Proxy = a.way.Name()
	a.status.Bound = a.rec.PFS && a.bindings.Home().Bound()
	if a.status.HomeDC == 0 && a.bindings.Home() != nil {
		a.status.HomeDC = int(a.bindings.Home().DC()) // a sign-in is under way there
	}
	if a.status == a.told {
		return
	}
	a.told = a.status
	a.env.Stands(a.id, c.Now(), a.status)
}

package standing

import (
	"time"

	"github.com/mtfleet/mtfleet/mtproto/dc"
)

// Config is what a machine needs to know.
type Config struct {
	// HasDC reports whether the DC table has a DC.
	HasDC func(dc.ID) bool
	// DefaultDC is where a sign-in begins.
	DefaultDC dc.ID
	// Rand gives jitter, uniform from [0, 1).
	Rand func() float64
}

// API sketch; every method is to be written.
//
// func New(cfg Config) *Machine                      // a new account
// func Restore(cfg Config, s Snapshot) *Machine      // nothing happens before Start
// func (m *Machine) Start(now)                       // begins, or goes on with what the snapshot says (login: a record of a sign-in exists)
// func (m *Machine) StartLogin(now)                  // as Start, for an account whose store has a login under way
// func (m *Machine) Snapshot() Snapshot
// func (m *Machine) Status() Status
// func (m *Machine) State() State
// func (m *Machine) SignedIn() bool                  // an authorization may be at the server under the home perm key and is the account's
// func (m *Machine) Next() (Output, bool); Deadline() time.Time; Advance(now)
//
// calls:
// func (m *Machine) Admit(now, *Call) error          // nil: send it. *WaitError, *StateError. ErrParked: the machine keeps it (restored wait, clock unverified); OutSend or OutEnd follows
// func (m *Machine) Proves(*Call) bool               // tell Answered of its result
// func (m *Machine) Answered(now, *Call, Where)      // a result came
// func (m *Machine) Ended(now, *Call, Where, err)    // an error came that NeedsPolicy, or any end of a query of the machine's own (OutCall; err nil for a result); OutEnd or OutSend follows, exactly one
// func (m *Machine) Canceled(now, CallID)            // nobody waits for a parked call any more
// func NeedsPolicy(err error) bool
// func SubjectID(salt []byte, s string) string       // hex of SHA-256, 32 characters
//
// the home binding:
// func (m *Machine) Routed(now)                      // calls can go home
// func (m *Machine) RouteLost(now, why string)
// func (m *Machine) Unreachable(now, why string)
// func (m *Machine) Clock(now, offset time.Duration) // server minus local, verified in this process
// func (m *Machine) KeyGone(now, at dc.ID, home bool, err error) // proved
// func (m *Machine) Foreign(now, err error)          // the keys are of another environment
// func (m *Machine) Moved(now, dc.ID)                // the authorization is at the DC of OutMove
// func (m *Machine) MoveFailed(now, err error)
//
// sign-in (the login machine decides its steps):
// func (m *Machine) BeginSignIn(now, bot bool) error // *StateError; then state SigningIn
// func (m *Machine) SignInStep(now, why, advice string, until time.Time)
// func (m *Machine) SignInHome(now, dc.ID)           // it moves
// func (m *Machine) SignedInAs(now, userID int64, bot bool, home dc.ID)  // emits OutSave{Account, LoginOver, Fresh, Must}, then Connecting
// func (m *Machine) SignInFailed(now, err error)
// func (m *Machine) Subject waits: RestoreWaits(now, []Wait)
//
// the owner:
// func (m *Machine) Pause(now, Request), Resume, LogOut, Remove(now, Request, force bool), ClearWaits(now, Request, method string)
// func (m *Machine) Erased(now)
//
// trouble:
// func (m *Machine) Quarantine(now, why, advice string)
// func (m *Machine) Unreadable(now, err error)       // its own record cannot be read: nothing is written over it, Remove needs force
type Machine struct {
	cfg   Config
	now   time.Time
	state State
	out   []Output
}

package standing

import (
	"time"

	"github.com/mtfleet/mtfleet/mtproto/dc"
	"github.com/mtfleet/mtfleet/mtproto/tgerr"
)

// signIn is what the login's step says, for the time when nothing is wrong
// with the connection.
type signIn struct {
	why, advice string
	until       time.Time
}

// BeginSignIn begins a sign-in, or says with a *StateError why it may not. The
// driver makes the login and waits for its turn, then calls SignInGranted.
func (m *Machine) BeginSignIn(now time.Time, bot bool) error {
	switch {
	case m.state == SigningIn:
		return &StateError{State: SigningIn, Why: "a sign-in is under way: answer its step, or cancel it"}
	case m.SignedIn():
		return &StateError{State: m.state, Why: "the account is signed in"}
	case !idleStates.has(m.state) || m.removal.erasing:
		return m.refusal()
	case m.restoring:
		return &StateError{State: m.state, Why: restoring}
	}
	m.bot, m.signIn = bot, signIn{}
	m.become(now, SigningIn, "starting", "", time.Time{})
	return nil
}

// SignInGranted says that it is the sign-in's turn: the binding of its DC is
// opened.
func (m *Machine) SignInGranted(now time.Time) {
	if m.state == SigningIn {
		m.open()
	}
}

// SignInStep shows what a sign-in waits for.
func (m *Machine) SignInStep(now time.Time, why, advice string, until time.Time) {
	if m.state == SigningIn {
		m.signIn = signIn{why: why, advice: advice, until: until}
		m.become(now, SigningIn, why, advice, until)
	}
}

// SignInHome says that a sign-in goes on at another DC. Keys made at the old
// one stay in the store as keys of a guest.
func (m *Machine) SignInHome(now time.Time, id dc.ID) {
	if m.state != SigningIn {
		return
	}
	m.home, m.routed = id, false
	m.save(now, Changes{Account: true}, false)
	m.emit(Output{Kind: OutMoved, DC: id})
}

// SignedInAs says that a sign-in ended in an authorization.
func (m *Machine) SignedInAs(now time.Time, userID int64, bot bool, home dc.ID) {
	if m.state != SigningIn || m.removal.erasing {
		return
	}
	m.userID, m.bot, m.home, m.signIn = userID, bot, home, signIn{}
	m.save(now, Changes{Account: true, LoginOver: true, Fresh: true}, true)
	m.live(now, "signed in, and nothing was answered yet")
	m.refuseRemoval(ErrSignedIn) // it was too late to cancel
}

// SignInFailed says that a sign-in ended without an authorization.
func (m *Machine) SignInFailed(now time.Time, err error) {
	if m.state != SigningIn || m.removal.erasing {
		return
	}
	why := err.Error() // which says what to do, and what the server said
	if _, bare := err.(*tgerr.Error); bare {
		why = serverWords(err)
	}
	m.save(now, Changes{Account: true, LoginOver: true}, true)
	m.close(&StateError{State: New, Why: why})
	m.become(now, New, why, adviceOf[New], time.Time{})
	if m.removal.asked != nil {
		m.erase(now)
	}
}

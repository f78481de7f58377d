package standing

import (
	"fmt"
	"time"

	"github.com/mtfleet/mtfleet/mtproto/dc"
)

// Routed says that calls can go home. It comes again when another connection
// takes over: updates may have been missed then too, but the account stays what
// it is.
func (m *Machine) Routed(now time.Time) {
	if m.removal.erasing || !admitted[ForBind].has(m.state) {
		return // of a binding that is being closed
	}
	m.routed = true
	switch {
	case m.doubt.err != nil:
		m.showDoubt(now, "it is not known yet whether that is so")
	case m.state == Connecting:
		m.become(now, Connecting, "connected, and nothing was answered yet", "", time.Time{})
	case m.state == Frozen:
		m.readFreezeSoon(now)
		m.become(now, Frozen, m.frozen.why, adviceOf[Frozen], time.Time{})
	case m.state == SigningIn:
		m.note(now, "", "")
	case m.state == SigningOut:
		m.note(now, byOwner, "")
	}
	m.sync()
	m.confirm(now)
}

// RouteLost says that calls cannot go home for now.
func (m *Machine) RouteLost(now time.Time, why string) {
	m.routed = false
	switch {
	case m.doubt.err != nil:
		m.showDoubt(now, why)
	case m.state == Online:
		m.become(now, Connecting, why, "", time.Time{})
	default:
		m.note(now, why, "")
	}
}

// Unreachable says that the home DC cannot be dialled. The same words again
// change nothing.
func (m *Machine) Unreachable(now time.Time, why string) {
	if m.doubt.err != nil {
		m.showDoubt(now, why)
		return
	}
	m.note(now, why, "")
}

// Foreign says that the keys are of another environment than the DC table:
// that proves nothing about the login.
func (m *Machine) Foreign(now time.Time, err error) {
	why, advice := serverWords(err), "start it with the DC table and the RSA keys that its keys were made with"
	if m.state == Online {
		m.become(now, Connecting, why, advice, time.Time{})
		return
	}
	m.note(now, why, advice)
}

// KeyGone says that the server has forgotten a perm key: the binding has
// proved it. At home the authorization went with it.
func (m *Machine) KeyGone(now time.Time, at dc.ID, home bool, err error) {
	switch {
	case !home || at != m.Home() || m.removal.erasing:
	case m.state == SigningIn:
		// Nobody was authorized under it: the sign-in goes on under a new one.
		m.emit(Output{Kind: OutForget})
	case m.state == SigningOut:
		m.loggedOut(now)
	case m.SignedIn():
		m.revoke(now, serverWords(err))
	}
}

// move begins to move the home to another DC, where the server says the user
// is.
func (m *Machine) move(to dc.ID) {
	if m.moving == 0 && to != m.home && liveStates.has(m.state) && !m.removal.erasing {
		m.moving = to
		m.emit(Output{Kind: OutMove, DC: to})
	}
}

// MoveEnded says how the query ForMove at a DC ended: by Moved or MoveFailed.
func (m *Machine) MoveEnded(now time.Time, at dc.ID, err error) {
	if err != nil {
		m.MoveFailed(now, err)
		return
	}
	m.Moved(now, at)
}

// Moved says that the authorization is at the DC of OutMove: it is the home
// from now on.
func (m *Machine) Moved(now time.Time, id dc.ID) {
	if id != m.moving || id == 0 {
		return
	}
	m.moving, m.home, m.routed = 0, id, false
	// What the old home says to a question under way counts for nothing.
	m.doubt.asking = false
	m.doubt.round++
	m.frozen.asking = false
	m.frozen.round++
	m.save(now, Changes{Account: true}, false)
	m.emit(Output{Kind: OutMoved, DC: id})
	why := fmt.Sprintf("its home moved to %v", id)
	if m.state == Online {
		m.become(now, Connecting, why, "", time.Time{})
		return
	}
	m.note(now, why, "")
}

// MoveFailed says that the authorization could not be carried to the DC of
// OutMove. Home stays where it is; the next 303 tries again.
func (m *Machine) MoveFailed(now time.Time, err error) {
	if m.moving == 0 {
		return
	}
	why := fmt.Sprintf("its home could not be moved to %v: %s", m.moving, serverWords(err))
	m.moving = 0
	m.note(now, why, "")
}

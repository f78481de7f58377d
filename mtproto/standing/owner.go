package standing

import (
	"fmt"
	"time"

	"github.com/mtfleet/mtfleet/mtproto/tgerr"
	"github.com/mtfleet/mtfleet/tl/tg"
)

const byOwner = "by its owner"

// Pause closes the account's connections and keeps its keys. The reply comes
// after the save.
func (m *Machine) Pause(now time.Time, r Request) {
	why := ""
	switch {
	case m.removal.erasing, m.unreadable:
		m.reply(r, m.refusal())
		return
	case m.handedOut() != nil:
		why = "its session was handed out: it has no connection, and is not to have one"
	case m.state == SigningIn:
		why = "a sign-in is under way: cancel it first"
	case m.state == SigningOut:
		why = "a logout is under way"
	case !m.SignedIn():
		why = "it is not signed in, so there is nothing to pause"
	}
	if why != "" {
		m.reply(r, &StateError{State: m.state, Why: why})
		return
	}
	m.close(&StateError{State: Paused, Why: byOwner})
	m.become(now, Paused, byOwner, adviceOf[Paused], time.Time{})
	m.save(now, Changes{Account: true}, false)
	m.saved(r)
}

// Resume ends a pause, and gives a quarantined account another try. other is the
// account that runs as the same user, empty for none: beside it this one stays
// where it is.
func (m *Machine) Resume(now time.Time, r Request, other string) {
	switch {
	case m.removal.erasing:
		m.reply(r, m.refusal())
	case other != "" && !m.unreadable:
		m.reply(r, &StateError{State: m.state, Why: second(other)})
	case m.state == Paused:
		m.live(now, "resumed")
		m.save(now, Changes{Account: true}, false)
		m.saved(r)
		m.open()
	case m.state == Quarantined && m.unreadable:
		m.reply(r, nil)
		m.emit(Output{Kind: OutReload})
	case m.state == Quarantined:
		back, why := m.back, "resumed"
		if back == Exported {
			why = "its session was handed out"
		}
		m.back = New
		m.become(now, back, why, adviceOf[back], time.Time{})
		m.save(now, Changes{Account: true}, false)
		m.saved(r)
		m.emit(Output{Kind: OutReload})
	case m.state == Exported:
		m.reply(r, m.handedOut())
	default:
		m.reply(r, &StateError{State: m.state, Why: "it is not paused"})
	}
}

// Quarantine takes the account out of service. A sign-in or a logout under way
// ends here and goes on when the account is resumed.
func (m *Machine) Quarantine(now time.Time, why, advice string) {
	if m.removal.erasing || m.logOut.erasing {
		return
	}
	back := m.backFromQuarantine()
	err := &StateError{State: Quarantined, Why: why}
	m.refuseRemoval(err)
	m.endLogOut(err)
	m.close(err)
	m.become(now, Quarantined, why, or(advice, adviceOf[Quarantined]), time.Time{})
	m.back = back
	m.save(now, Changes{Account: true}, false)
}

// backFromQuarantine is where a quarantine that begins now leads back to.
func (m *Machine) backFromQuarantine() State {
	switch s := m.state; {
	case s == Quarantined:
		return m.back
	case liveStates.has(s):
		return Connecting
	default:
		return s
	}
}

// Unreadable says that a record the account cannot live without (its own, a
// perm key, its login) cannot be read, or is of a newer version, so that nothing
// is known for certain. Nothing is written over it, and a Remove must be
// forced. It takes the place of Start.
func (m *Machine) Unreadable(now time.Time, err error) {
	back := m.backFromQuarantine()
	m.started, m.unreadable = true, true
	m.become(now, Quarantined, err.Error(),
		"start the program that wrote it or bring back a copy of the data directory, then resume it", time.Time{})
	m.back = back
}

// logOut is a logout under way. Its steps follow the order that loses nothing:
// the intention is on disk first, keys are deleted last.
type logOut struct {
	asked   []Request
	tries   int
	round   uint32
	asking  bool
	erasing bool // the server has ended the authorization
}

// logOutTries bounds how often auth.logOut is sent when no answer comes. A
// logout that the server never confirmed keeps its keys: they are still logged
// in there.
const logOutTries = 3

// LogOut ends the authorization at the server, then forgets the keys.
func (m *Machine) LogOut(now time.Time, r Request) {
	switch {
	case m.removal.erasing, m.unreadable:
		m.reply(r, m.refusal())
		return
	case m.state == SigningOut:
		m.logOut.asked = append(m.logOut.asked, r)
		return
	case !m.SignedIn():
		m.reply(r, &StateError{State: m.state, Why: "the account is not signed in"})
		return
	case m.handedOut() != nil:
		m.reply(r, m.handedOut())
		return
	}
	c := logOutCall()
	if until, _ := m.waits.holds(now, &c); !until.IsZero() {
		m.reply(r, &WaitError{Method: c.Method, Until: until})
		return
	}
	opened := liveStates.has(m.state)
	back := m.state
	if opened && back != Frozen {
		back = Connecting
	}
	m.logOut.asked = append(m.logOut.asked, r)
	m.moving, m.doubt = 0, doubt{round: m.doubt.round}
	m.become(now, SigningOut, byOwner, "", time.Time{})
	m.back = back
	m.save(now, Changes{Account: true}, false)
	m.emit(Output{Kind: OutRecall}) // what was not sent ends
	if !opened {
		m.open()
	}
	m.askLogOut(now)
}

func logOutCall() Call {
	return Call{Purpose: ForLogOut, Method: (*tg.AuthLogOutRequest)(nil).TypeName()}
}

// askLogOut sends auth.logOut when it may.
func (m *Machine) askLogOut(now time.Time) {
	l := &m.logOut
	if m.state != SigningOut || l.asking || l.erasing || m.removal.erasing {
		return
	}
	c := logOutCall()
	until, parked := m.waits.holds(now, &c)
	if !until.IsZero() {
		m.stay(now, &WaitError{Method: c.Method, Until: until})
		return
	}
	if parked {
		return
	}
	l.tries++
	l.round++
	l.asking, c.Round = true, l.round
	m.emit(Output{Kind: OutCall, Call: c, Query: &tg.AuthLogOutRequest{}})
}

// onLoggedOut takes what became of auth.logOut. A 401 says that the
// authorization had ended before.
func (m *Machine) onLoggedOut(now time.Time, c *Call, at Where, err error) {
	e, refused := tgerr.As(err)
	if length, ok := e.Wait(); ok {
		err = &WaitError{Method: c.Method, Until: m.waitFor(now, c, e, length), Err: err}
	}
	l := &m.logOut
	if m.state != SigningOut || !l.asking || c.Round != l.round {
		return
	}
	l.asking = false
	switch {
	case err == nil, refused && e.IsUnauthorized():
		m.loggedOut(now)
	case refused && e.Class() == tgerr.ClassUnbound && at.Temp:
		m.emit(Output{Kind: OutUnbound, Where: at})
		l.tries--
		m.askLogOut(now)
	case !refused && givenBack(err) && notSent(err):
		l.tries--
		m.askLogOut(now)
	case !refused && l.tries < logOutTries:
		m.askLogOut(now)
	default:
		m.stay(now, err)
	}
}

// loggedOut forgets the keys: the server has ended the authorization.
func (m *Machine) loggedOut(now time.Time) {
	m.logOut.asking, m.logOut.erasing = false, true
	m.close(&StateError{State: SignedOut, Why: byOwner})
	s := m.Snapshot()
	s.State, s.Back, s.HomeDC = SignedOut, New, 0
	s.Since, s.Why = now.Round(time.Microsecond).UTC(), byOwner
	m.emit(Output{Kind: OutErase, Snapshot: s, Must: true})
}

// stay gives a logout up: the account is where it was.
func (m *Machine) stay(now time.Time, err error) {
	why := "the logout came to nothing: " + serverWords(err)
	frozen, back := m.frozen, m.back
	switch back {
	case Paused, Quarantined:
		m.close(&StateError{State: back, Why: why})
		m.become(now, back, why, adviceOf[back], time.Time{})
		if back == Quarantined {
			m.back = Connecting
		}
	case Frozen:
		if frozen.why != "" && m.waits.account(now) == nil {
			m.become(now, Frozen, frozen.why, adviceOf[Frozen], time.Time{})
			m.sync()
			break
		}
		fallthrough
	default:
		m.live(now, why)
	}
	m.save(now, Changes{Account: true}, false)
	m.endLogOut(fmt.Errorf("the account is still signed in, for the logout came to nothing: %w", err))
}

// endLogOut answers everybody who waits for the logout.
func (m *Machine) endLogOut(err error) {
	asked := m.logOut.asked
	m.logOut = logOut{round: m.logOut.round}
	for _, r := range asked {
		m.reply(r, err)
	}
}

// removal is what is known of a Remove under way.
type removal struct {
	asked   []Request
	erasing bool // the records are being deleted; nothing new is begun
}

// Remove deletes every record of the account and ends it. Without force it is
// refused where an authorization may be there and nobody would be left to end
// it; a sign-in under way is cancelled first.
func (m *Machine) Remove(now time.Time, r Request, force bool) {
	switch {
	case m.removal.erasing:
		m.removal.asked = append(m.removal.asked, r)
	case force:
		m.removal.asked = append(m.removal.asked, r)
		m.erase(now)
	case m.state == SigningIn:
		if m.removal.asked == nil {
			m.emit(Output{Kind: OutCancelSignIn})
		}
		m.removal.asked = append(m.removal.asked, r)
	case m.logOut.erasing:
		m.removal.asked = append(m.removal.asked, r)
	case m.unreadable:
		m.reply(r, &StateError{State: m.state, Why: "its records cannot be read, so it may be signed in: resume it when they can, or force it"})
	case m.SignedIn():
		m.reply(r, ErrSignedIn)
	case m.state == Quarantined && m.back == SigningIn:
		m.reply(r, &StateError{State: m.state, Why: "it may be half signed in: resume it so that the sign-in can be cancelled, or force it"})
	default:
		m.removal.asked = append(m.removal.asked, r)
		m.erase(now)
	}
}

// erase deletes everything.
func (m *Machine) erase(now time.Time) {
	gone := &StateError{State: m.state, Why: "the account was removed"}
	m.removal.erasing = true
	if !m.logOut.erasing { // it is done otherwise
		m.endLogOut(gone)
	}
	m.close(gone)
	if liveStates.has(m.state) {
		m.become(now, Connecting, "it is being removed", "", time.Time{})
	}
	m.emit(Output{Kind: OutErase, All: true, Must: true})
}

// Removing is a *StateError while the records of the account are deleted, and nil
// otherwise: what is written of it then would outlive it.
func (m *Machine) Removing() error {
	if m.removal.erasing {
		return m.refusal()
	}
	return nil
}

// refuseRemoval answers who waits for a removal that cannot be.
func (m *Machine) refuseRemoval(err error) {
	asked := m.removal.asked
	m.removal.asked = nil
	for _, r := range asked {
		m.reply(r, err)
	}
}

// Erased says that the records of an OutErase are deleted.
func (m *Machine) Erased(now time.Time) {
	switch {
	case m.logOut.erasing:
		m.home = 0
		m.become(now, SignedOut, byOwner, adviceOf[SignedOut], time.Time{})
		m.endLogOut(nil)
		if m.removal.asked != nil && !m.removal.erasing {
			m.erase(now)
		}
	case m.removal.erasing:
		m.refuseRemoval(nil)
		m.emit(Output{Kind: OutGone})
	}
}

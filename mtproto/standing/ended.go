package standing

import (
	"time"

	"github.com/mtfleet/mtfleet/mtproto/dc"
	"github.com/mtfleet/mtfleet/mtproto/tgerr"
	"github.com/mtfleet/mtfleet/tl/tg"
)

const (
	// maxHops bounds the DCs one call is sent to by 303s: five DCs exist.
	maxHops = 5
	// maxRetries bounds the repeats of a repeatable call after the server's own
	// trouble: 1, 2, 4, 8, 16 s, half a minute in all.
	maxRetries = 5
)

// retry is a call that waits for its next try.
type retry struct {
	call Call
	at   time.Time
	err  error // what it failed with, in case it is not tried again
}

// Ended says that a query came to an error: the server's, or one of our own
// that says so by NotSent and GivenBack. Callers' errors come here when they
// NeedsPolicy, those of the account's own queries always. What it means for the
// account is drawn first; OutEnd or OutSend follows for the call, once, if need
// be after a pause.
//
// For queries that the machine asked for (OutCall) every end comes here, err is
// nil for a result, and nothing follows for the call. Nor does it for ForBind,
// which the session repeats by itself.
func (m *Machine) Ended(now time.Time, c *Call, at Where, err error) {
	e, refused := answered(err)
	if err != nil && !notSent(err) && (!refused || e.Class() == tgerr.ClassRetry) {
		c.Ran = true // also for a driver that stops before it has seen the OutEnd
	}
	switch {
	case c.Purpose == ForConfirm:
		m.onConfirmed(now, c, at, err)
	case c.Purpose == ForLogOut:
		m.onLoggedOut(now, c, at, err)
	case c.Purpose == ForProof:
		m.onProved(now, c, at, e, err)
	case c.Purpose == ForFreeze:
		m.onFreezeRead(now, c, at, e, err)
	case c.Purpose == ForBind:
		if refused {
			m.onBindRefused(now, c, at, e)
		}
	case err == nil:
		m.Answered(now, c, at)
		m.end(c, nil)
	case refused:
		m.onRefused(now, c, at, e, err)
	case givenBack(err) && (notSent(err) || c.Repeatable):
		m.again(c)
	default:
		m.end(c, err)
	}
}

// onRefused sorts the server's refusals.
func (m *Machine) onRefused(now time.Time, c *Call, at Where, e *tgerr.Error, err error) {
	switch e.Class() {
	case tgerr.ClassWait, tgerr.ClassFlood:
		m.onWait(now, c, e, err)
	case tgerr.ClassMigrate:
		m.onMigrate(c, at, e, err)
	case tgerr.ClassUnbound:
		m.onUnbound(c, at, err)
	case tgerr.ClassRevoked:
		m.onRevoked(now, c, at, err)
	case tgerr.ClassDeactivated, tgerr.ClassDuplicated:
		m.end(c, err)
		switch c.Purpose {
		case ForSignIn: // judges for itself
		case ForImport, ForGuestLogOut: // the key of a guest that is not authorized yet, or no more
		default:
			m.terminal(now, e)
		}
	case tgerr.ClassFrozen:
		m.end(c, err)
		m.freeze(now, c, err)
	case tgerr.ClassRetry:
		m.onTrouble(now, c, err)
	default:
		m.end(c, err)
	}
}

// ofTarget are the waits that concern what one call was about (a chat, an
// export) and hold nothing else.
func ofTarget(e *tgerr.Error) bool {
	return tgerr.Is(e, "SLOWMODE_WAIT", "2FA_CONFIRM_WAIT", "TAKEOUT_INIT_DELAY", "PREVIOUS_CHAT_IMPORT_ACTIVE_WAIT")
}

// onWait obeys a wait: it is written down, then who asked is told its end. It
// is never retried early.
func (m *Machine) onWait(now time.Time, c *Call, e *tgerr.Error, err error) {
	length, ok := e.Wait()
	if !ok {
		if c.Purpose != ForSignIn || !tgerr.Is(e, "PHONE_NUMBER_FLOOD", "PHONE_PASSWORD_FLOOD") {
			m.end(c, err) // a limit without a number holds nothing
			return
		}
		length = floodStop
	}
	m.end(c, &WaitError{Method: c.Method, Until: m.waitFor(now, c, e, length), Err: err})
}

// waitFor writes down a wait that a call got, by what it holds, and returns
// its end.
func (m *Machine) waitFor(now time.Time, c *Call, e *tgerr.Error, length time.Duration) time.Time {
	scope := ScopeMethod
	switch {
	case ofTarget(e):
		return now.Add(min(max(length, time.Second), lengthMost))
	case c.Purpose == ForUpdates:
		scope = ScopeAccount
	case c.Purpose == ForSignIn && c.Subject != "":
		scope = ScopeSubject
	}
	return m.impose(now, scope, c, length, serverWords(e))
}

// onMigrate sends a call where the server said the data is. Only when it says
// so of the user does the home move: PHONE_MIGRATE and NETWORK_MIGRATE are about
// the number or the address a sign-in is tried with.
func (m *Machine) onMigrate(c *Call, at Where, e *tgerr.Error, err error) {
	n, _ := e.Migrate()
	to := dc.ID(n)
	own := c.Purpose != ForCaller && c.Purpose != ForUpdates
	if own || c.Hops >= maxHops || m.cfg.HasDC != nil && !m.cfg.HasDC(to) {
		m.end(c, err)
		return
	}
	if m.atHome(at) && tgerr.Is(e, "USER_MIGRATE") {
		m.move(to)
	}
	if c.Purpose == ForUpdates {
		m.end(c, err) // its engine asks again, at the new home
		return
	}
	c.Hops++
	c.DC = to
	m.again(c)
}

// onUnbound: the server refused the key, not the call. It goes again under the
// next one. A perm key needs no binding: there the answer makes no sense.
func (m *Machine) onUnbound(c *Call, at Where, err error) {
	if !at.Temp {
		m.end(c, err)
		return
	}
	m.emit(Output{Kind: OutUnbound, Where: at})
	m.again(c)
}

// onRevoked reacts to a 401 by where it came from: on a guest DC the
// authorization is carried there again, at home it is confirmed first.
func (m *Machine) onRevoked(now time.Time, c *Call, at Where, err error) {
	if m.atHome(at) {
		m.end(c, err)
		if c.Purpose != ForSignIn {
			m.doubtHome(now, err)
		}
		return
	}
	if c.Purpose != ForCaller && c.Purpose != ForMove && c.Purpose != ForDrop || at.Home { // where home was before it moved
		m.end(c, err)
		return
	}
	m.emit(Output{Kind: OutUnauthorized, DC: at.DC, Err: err})
	if c.Again || c.Purpose == ForDrop { // its slot gives the order again by itself
		m.end(c, err)
		return
	}
	c.Again = true
	m.again(c)
}

// terminal ends an account whose authorization the server has ended in a way
// that needs no second proof. A logout under way finds out by itself.
func (m *Machine) terminal(now time.Time, e *tgerr.Error) {
	if !m.SignedIn() || m.state == SigningOut || m.removal.erasing {
		return
	}
	switch e.Class() {
	case tgerr.ClassDuplicated:
		m.giveUp(now, Duplicated, serverWords(e), adviceOf[Duplicated])
	case tgerr.ClassDeactivated:
		m.giveUp(now, Revoked, serverWords(e), "the account was deleted or banned: log in with an official app to see what can be done")
	}
}

// giveUp ends an account whose authorization is proved gone: everything is
// closed at once, and the state is written down.
func (m *Machine) giveUp(now time.Time, s State, why, advice string) {
	m.close(&StateError{State: s, Why: why})
	m.become(now, s, why, advice, time.Time{})
	m.save(now, Changes{Account: true}, false)
}

// onTrouble repeats a caller's call after the server's own trouble, after a
// pause that doubles. The account's engines pace theirs by themselves.
func (m *Machine) onTrouble(now time.Time, c *Call, err error) {
	if c.Purpose == ForUpdates {
		m.prove(now)
	}
	if c.Purpose != ForCaller || !c.Repeatable || c.Tries >= maxRetries || !liveStates.has(m.state) || ranBefore(err) {
		m.end(c, err)
		return
	}
	pause := time.Second << c.Tries
	c.Tries++
	m.retries = append(m.retries, retry{call: *c, at: now.Add(pause), err: err})
}

// ranBefore reports whether the server says, under the code of its own trouble,
// that it has what the call is to send: an earlier try brought it, and no later
// one is told anything else.
func ranBefore(err error) bool { return tgerr.Is(err, "RANDOM_ID_DUPLICATE") }

// prove asks something that any authorized key may ask. The question about
// updates may fail for hours by the server's trouble with the account's place,
// and nobody else may ask anything: the account is not to look for so long as if
// it could not connect. It comes with the engine's own pace, a minute at last.
func (m *Machine) prove(now time.Time) {
	if m.state != Connecting || !m.routed || m.doubt.err != nil {
		return
	}
	query := &tg.UsersGetUsersRequest{ID: []tg.AnyInputUser{&tg.InputUserSelf{}}}
	c := Call{Purpose: ForProof, Method: query.TypeName(), Repeatable: true}
	if until, parked := m.waits.holds(now, &c); parked || !until.IsZero() {
		return
	}
	m.emit(Output{Kind: OutCall, Call: c, Query: query})
}

// onProved takes what became of the proof: a refusal says of the account what
// any other says. Nobody waits for its end.
func (m *Machine) onProved(now time.Time, c *Call, at Where, e *tgerr.Error, err error) {
	switch {
	case err == nil:
		m.Answered(now, c, at)
		return
	case e == nil || !m.atHome(at):
		return
	}
	switch length, _ := e.Wait(); e.Class() {
	case tgerr.ClassWait:
		m.waitFor(now, c, e, length)
	case tgerr.ClassUnbound:
		if at.Temp {
			m.emit(Output{Kind: OutUnbound, Where: at})
		}
	case tgerr.ClassRevoked:
		m.doubtHome(now, err)
	case tgerr.ClassDeactivated, tgerr.ClassDuplicated:
		m.terminal(now, e)
	case tgerr.ClassFrozen:
		m.freeze(now, c, err)
	}
}

// repeatDue sends the calls whose pause is over.
func (m *Machine) repeatDue(now time.Time) {
	kept := m.retries[:0]
	for i := range m.retries {
		if r := &m.retries[i]; now.Before(r.at) {
			kept = append(kept, *r)
		} else {
			m.again(&r.call)
		}
	}
	if m.retries = kept; len(kept) == 0 {
		m.retries = nil
	}
}

// onBindRefused draws what the refusal of a binding means for more than the
// binding.
func (m *Machine) onBindRefused(now time.Time, c *Call, at Where, e *tgerr.Error) {
	why := "the server does not bind the temp key (" + serverWords(e) + "): another one is tried"
	length, wait := e.Wait()
	if wait {
		until := m.waitFor(now, c, e, length)
		why = "the server does not bind temp keys now (" + serverWords(e) + "): it is asked again at " + until.UTC().Format(time.RFC3339)
	}
	if m.atHome(at) {
		if m.state == Connecting && !m.routed {
			m.note(now, why, "")
		}
		if !wait {
			m.terminal(now, e)
		}
	}
}

// atHome reports whether an answer came from what is the home DC now.
func (m *Machine) atHome(at Where) bool { return at.Home && (at.DC == 0 || at.DC == m.Home()) }

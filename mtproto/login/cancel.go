package login

import (
	"time"

	"github.com/mtfleet/mtfleet/mtproto/tgerr"
)

func canceled() *Error {
	return &Error{Reason: ReasonCanceled, Retry: true, Message: "the sign-in was cancelled"}
}

// cancel ends the attempt and leaves nothing behind: no code that is still
// good, no half or whole authorization. What is under way is waited for.
func (m *Machine) cancel() {
	m.s.Canceled, m.s.NextPhone = true, ""
	switch m.s.State {
	case StateWaitPassword:
		m.call(callLogOut)
	case StateSending, StateSigningIn, StateSigningUp, StateImporting, StateProbing, StateCanceling, StateLoggingOut:
		m.save()
	case StateWaiting:
		switch call(m.s.Pending) {
		case callProbe, callCancelCode, callLogOut:
			m.save()
			return
		}
		m.endCanceled(nil)
	default:
		m.endCanceled(nil)
	}
}

// endCanceled ends a cancelled attempt when nothing is under way. e is the
// refusal of the last call, if that is how it ended.
func (m *Machine) endCanceled(e *tgerr.Error) {
	switch {
	case e != nil && e.Class() == tgerr.ClassPassword:
		m.call(callLogOut) // half signed in
	case m.s.Hash != "" && m.s.Pending != string(callCancelCode):
		m.call(callCancelCode)
	default:
		m.fail(canceled())
	}
}

// onCanceled: auth.cancelCode was answered, or will not be. The code is as
// good as gone either way.
func (m *Machine) onCanceled() {
	next := m.s.NextPhone
	if m.s.Canceled || next == "" {
		m.fail(canceled())
		return
	}
	m.forgetCode()
	m.s.Phone, m.s.NextPhone, m.s.LastError, m.s.Hops = next, "", "", 0
	m.call(callSendCode)
}

// undo takes an authorization back that is not the one asked for.
func (m *Machine) undo() {
	m.s.Undo = true
	m.call(callLogOut)
}

// onLoggedOut: the unwanted authorization is gone.
func (m *Machine) onLoggedOut() {
	if m.s.Undo {
		m.fail(&Error{Reason: ReasonOther, Message: "the server signed in somebody else than was asked for, or would not say whom; that was undone"})
		return
	}
	m.fail(canceled())
}

// onLogOutRefused: a 401 counts as done. Everything else is tried again, for
// an authorization that nobody keeps would be an orphan.
func (m *Machine) onLogOutRefused(now time.Time, e *tgerr.Error) {
	if e.IsUnauthorized() {
		m.onLoggedOut()
		return
	}
	m.again(now)
}

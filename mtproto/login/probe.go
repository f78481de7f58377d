package login

import (
	"time"

	"github.com/mtfleet/mtfleet/mtproto/tgerr"
	"github.com/mtfleet/mtfleet/tl/tg"
)

// A probe asks who we are after an answer was lost:
//
//	a user                   we are signed in
//	SESSION_PASSWORD_NEEDED  the first factor went through
//	any other 401            it did not; sign in once more
//	any other refusal        it may have; what there is, is taken back
//
// The probe stands in for the lost answer, so it needs no state of its own
// but what the snapshot still says about the attempt.

func (m *Machine) onProbed(now time.Time, users []tg.AnyUser) {
	a := new(Authorization)
	if len(users) == 1 && a.readUser(users[0]) {
		m.signedIn(a)
		return
	}
	m.undo()
}

func (m *Machine) onProbeRefused(now time.Time, e *tgerr.Error) {
	switch e.Class() {
	case tgerr.ClassRevoked:
		m.notSignedIn(now)
	case tgerr.ClassRetry, tgerr.ClassUnbound, tgerr.ClassInit:
		m.again(now)
	case tgerr.ClassPassword:
		if m.s.Canceled {
			m.call(callLogOut)
			return
		}
		m.s.Code, m.s.LastError = "", ""
		m.wait(StateWaitPassword)
	case tgerr.ClassDeactivated, tgerr.ClassDuplicated:
		m.onRefused(now, e) // nobody is signed in any more
	default:
		m.undo() // somebody may be
	}
}

// notSignedIn goes back to where the lost call was made.
func (m *Machine) notSignedIn(now time.Time) {
	switch {
	case m.s.Canceled:
		m.endCanceled(nil)
	case m.s.Token != "" && m.s.Repeats < repeatsMost:
		m.s.Repeats++
		m.s.Pending = string(callImportBot)
		m.again(now)
	case m.s.Token != "":
		m.fail(&Error{Reason: ReasonServer, Retry: true, Message: "the answers to the sign-in keep getting lost; try again later"})
	case m.s.FirstName != "":
		// auth.signUp is never repeated by itself.
		m.s.LastError = "ANSWER_LOST"
		m.wait(StateWaitSignUp)
	case m.s.Hash == "":
		m.s.LastError = "ANSWER_LOST"
		m.wait(StateWaitNewCode)
	case m.s.Code != "" && m.s.Repeats == 0:
		m.s.Repeats++
		m.call(callSignIn)
	default:
		m.s.Code, m.s.LastError = "", "ANSWER_LOST"
		m.wait(StateWaitCode)
	}
}

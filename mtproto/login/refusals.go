package login

import (
	"strings"
	"time"

	"github.com/mtfleet/mtfleet/mtproto/dc"
	"github.com/mtfleet/mtfleet/mtproto/tgerr"
)

// What a step's LastError says when it was not the server.
const (
	// answerLost: the connection was lost before the answer came.
	answerLost = "ANSWER_LOST"
	// restarted: the program was restarted, and what was typed is not stored.
	restarted = "RESTARTED"
	// floodWait: the server wants a wait; the step's Until says how long.
	floodWait = "FLOOD_WAIT"
	// halfExpired: the server forgot that the first factor had been right.
	halfExpired = "HALF_LOGIN_EXPIRED"
	// passwordGone: the account has no two-step password any more.
	passwordGone = "PASSWORD_REMOVED"
	// firebaseRefused: the server takes the call and not the device's proof.
	firebaseRefused = "FIREBASE_REFUSED"
	// notPaid: the server asks for the payment once more.
	notPaid = "NOT_PAID"
	// algoUnknown: the server wants passwords kept in a way that is not known.
	algoUnknown = "NEW_ALGO_UNKNOWN"
)

// onRefused sorts a refusal: what ends or moves a sign-in whatever was asked,
// then what belongs to the call, then what means the same for all.
//
// With a negative code (-503 Timeout) the server does not know itself what
// became of the query. One that signs in is looked up, also when it was cancelled:
// nobody else would end what it left. One that may run twice is repeated first.
func (m *Machine) onRefused(now time.Time, e *tgerr.Error) {
	what := m.pending()
	switch c := call(m.s.Pending); {
	case c == callCancelCode:
		m.s.Half = m.s.Half || e.Class() == tgerr.ClassPassword // so it says
		m.onCanceled()
	case c == callLogOut:
		m.onLogOutRefused(now, e)
	case c == callProbe:
		m.onProbeRefused(now, e)
	case what.signsIn && e.Code < 0 && e.IsRetry() && (m.s.Canceled || !what.repeatable):
		m.lost(now)
	case m.s.Canceled:
		m.endCanceled(e)
	case what.refused != nil && what.refused(m, now, e):
	default:
		if target, ok := e.Migrate(); ok {
			m.onMigrate(target, e)
			return
		}
		m.onClass(now, e)
	}
}

// onMigrate moves the attempt. Only the queries that begin one may: a code
// belongs to the DC that sent it.
func (m *Machine) onMigrate(target int, e *tgerr.Error) {
	if !m.pending().moves || e.IsFileMigrate() {
		m.fail(&Error{Reason: ReasonMigrate, Err: e, Retry: true, Message: "the server moved the account in the middle of the sign-in; begin it anew"})
		return
	}
	m.migrate(dc.ID(target), e)
}

// onClass takes what means the same for every call.
func (m *Machine) onClass(now time.Time, e *tgerr.Error) {
	switch e.Class() {
	case tgerr.ClassConfig:
		m.fail(&Error{Reason: ReasonConfig, Err: e, Message: "the server refuses this application; check api_id, api_hash and device info in the configuration"})
	case tgerr.ClassFlood:
		m.tooMany(now.Add(floodStop), e)
	case tgerr.ClassDeactivated:
		m.s.Half = false // nobody is signed in any more
		m.fail(&Error{Reason: ReasonBanned, Err: e, Message: "this account is deleted or banned; an official app tells more"})
	case tgerr.ClassFrozen:
		m.fail(&Error{Reason: ReasonBanned, Err: e, Message: "this account is frozen, and the server refuses this to it; appeal in an official app, then begin anew"})
	case tgerr.ClassDuplicated:
		m.s.Half = false
		m.fail(&Error{Reason: ReasonServer, Err: e, Retry: true, Message: "the server ended this key because it was used twice; begin the sign-in anew"})
	case tgerr.ClassChallenge:
		m.fail(&Error{Reason: ReasonChallenge, Err: e, Message: "the server wants a proof that only an official app can give; sign in there first"})
	case tgerr.ClassPassword:
		m.passwordNeeded(e)
	case tgerr.ClassUnbound, tgerr.ClassInit:
		m.again(now) // of the connection; the account is repairing it
	case tgerr.ClassRetry:
		m.trouble(now, e)
	case tgerr.ClassRevoked:
		if m.s.Half {
			m.restart(halfExpired)
			return
		}
		m.fail(&Error{Reason: ReasonServer, Err: e, Retry: true, Message: "the server has ended the key of this sign-in; begin it anew"})
	default:
		m.refuseAll(e)
	}
}

// refuseAll ends the sign-in for an error that nobody expects here.
func (m *Machine) refuseAll(e *tgerr.Error) {
	if strings.HasSuffix(e.Type, "METHOD_INVALID") {
		m.fail(&Error{Reason: ReasonUnsupported, Err: e, Message: "the server does not offer this way of signing in; choose another"})
		return
	}
	m.fail(&Error{Reason: ReasonServer, Err: e, Message: "the server refused the sign-in and gave no reason that is known here; an official app may tell more, or a newer version"})
}

// trouble repeats a call after the server's own error, a few times.
func (m *Machine) trouble(now time.Time, e *tgerr.Error) {
	most := retriesMost
	switch e.Type {
	case "AUTH_RESTART", "SIGN_IN_FAILED":
		most = restartsMost
	}
	switch what := m.pending(); {
	case m.s.Troubles < most:
		m.s.Troubles++
		m.again(now)
	case what.tired != nil:
		m.s.LastError = e.Type
		what.tired(m, e)
	default:
		m.fail(keepsFailing(e))
	}
}

func keepsFailing(e *tgerr.Error) *Error {
	return &Error{Reason: ReasonServer, Err: e, Retry: true, Message: "the server keeps failing; try again later"}
}

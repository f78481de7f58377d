package login

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/mtfleet/mtfleet/mtproto/tgerr"
	"github.com/mtfleet/mtfleet/tl/tg"
)

// A probe asks who we are after an answer was lost:
//
//	a user                   we are signed in
//	SESSION_PASSWORD_NEEDED  the first factor went through
//	any other 401            it did not; Probed says where to go on
//	any other refusal        it may have; what there is, is taken back
//
// Where to go on depends on what is still known: after a restart codes, tokens
// and passwords are gone, and whoever has them is asked again.

// probe looks up what became of the call under way.
func (m *Machine) probe() {
	if c := m.s.Pending; c != string(callProbe) {
		m.s.Probed = c
	}
	m.call(callProbe)
}

func (m *Machine) onProbed(_ time.Time, users []tg.AnyUser) {
	a := new(Authorization)
	if len(users) == 1 && a.readUser(users[0]) {
		m.signedIn(a)
		return
	}
	m.undo(nobodyKnows())
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
		m.passwordNeeded(e)
	case tgerr.ClassDeactivated, tgerr.ClassDuplicated:
		if m.s.Half = false; m.s.Canceled {
			m.endCanceled(e)
			return
		}
		m.onClass(now, e) // nobody is signed in any more
	default:
		m.undo(nobodyKnows()) // somebody may be
	}
}

// notSignedIn goes back to where the lost call was made.
func (m *Machine) notSignedIn(now time.Time) {
	half, what := m.s.Half, m.s.Probed
	m.s.Half, m.s.Probed = false, ""
	switch lost, ok := m.method(call(what)); {
	case m.s.Canceled:
		m.endCanceled(nil)
	case half:
		m.restart(halfExpired)
	case !ok:
		m.fail(senseless())
	default:
		m.s.LastError = answerLost
		lost.lost(m, now)
	}
}

// onAuthorization takes the answer of the calls that sign in.
func (m *Machine) onAuthorization(_ time.Time, v tg.AnyAuthAuthorization) {
	switch v := v.(type) {
	case *tg.AuthAuthorization:
		a := &Authorization{
			FutureAuthToken:       v.FutureAuthToken.Value,
			TmpSessions:           int(v.TmpSessions.Or(0)),
			SetupPasswordRequired: v.SetupPasswordRequired,
			ReloginDays:           int(v.OtherwiseReloginDays.Or(0)),
		}
		if !a.readUser(v.User) {
			m.probe() // signed in, but as whom?
			return
		}
		m.signedIn(a)
	case *tg.AuthAuthorizationSignUpRequired:
		m.signUpRequired(v.TermsOfService.Value, nil)
	default:
		m.unreadable()
	}
}

// readUser copies what matters of a user, and reports whether it is one.
func (a *Authorization) readUser(v tg.AnyUser) bool {
	u, ok := v.(*tg.User)
	if !ok || u.ID <= 0 {
		return false
	}
	a.UserID, a.IsBot = u.ID, u.Bot
	a.Name = strings.TrimSpace(u.FirstName.Or("") + " " + u.LastName.Or(""))
	a.Username = u.Username.Or("")
	if phone := u.Phone.Or(""); storedPhone(phone) {
		a.Phone = phone
	}
	return true
}

// signedIn ends the sign-in, or takes it back when nobody wants it any more,
// or when it is somebody else's.
func (m *Machine) signedIn(a *Authorization) {
	bot := m.s.Flow == FlowBot
	switch {
	case m.s.Canceled:
		m.call(callLogOut)
	case bot != a.IsBot,
		bot && m.s.Bot.ID != a.UserID,
		m.cfg.WantUser != 0 && m.cfg.WantUser != a.UserID,
		m.s.Flow == FlowWeb && m.s.Web.UserID != 0 && m.s.Web.UserID != a.UserID:
		m.undo(nobodyKnows())
	case m.cfg.HoldUser != nil:
		if account := m.cfg.HoldUser(a.UserID); account != "" {
			m.undo(already(account))
			return
		}
		m.done(a)
	case slices.Contains(m.cfg.others(), a.UserID):
		m.undo(already(""))
	default:
		m.done(a)
	}
}

func nobodyKnows() *Error {
	return &Error{Reason: ReasonOther, Message: "the server signed in somebody else than was asked for, or would not say whom; that was undone"}
}

func already(account string) *Error {
	other := "another account"
	if account != "" {
		other = "account " + strconv.Quote(account)
	}
	return &Error{Reason: ReasonAlready, Account: account, Message: other + " is that user already: use it, or log it out or remove it first; the new authorization was ended"}
}

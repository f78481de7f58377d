package login

import (
	"fmt"
	"time"

	"github.com/mtfleet/mtfleet/mtproto/tgerr"
	"github.com/mtfleet/mtfleet/tl"
	"github.com/mtfleet/mtfleet/tl/tg"
)

// call saves the snapshot and sends the query it describes. The query is on
// record before it is on the wire: after a crash we know what to ask about.
func (m *Machine) call(c call) {
	q := m.query(c)
	if q == nil {
		m.fail(&Error{Reason: ReasonServer, Retry: true, Message: "the stored sign-in makes no sense; begin it anew"})
		return
	}
	if c == callSignUp && !m.cfg.AllowSignUp {
		// Refused at the answer already; a snapshot could smuggle it in here.
		m.fail(signUpRefused(nil))
		return
	}
	if c == callSendCode {
		m.s.Offered = m.cfg.settings().LogoutTokens.Set
	}
	if string(c) != m.s.Pending {
		m.s.Pending, m.s.Retries, m.s.Troubles = string(c), 0, 0
	}
	m.become(stateOf[c])
	m.id++
	m.save()
	// A probe changes nothing, and a second cancel or log-out does no more
	// than the first.
	once := c != callProbe && c != callCancelCode && c != callLogOut
	m.emit(Output{Kind: OutCall, Call: m.id, Query: q, Once: once})
}

// query builds the query of a call, nil for none.
func (m *Machine) query(c call) tl.Object {
	switch c {
	case callSendCode:
		return &tg.AuthSendCodeRequest{PhoneNumber: m.s.Phone, APIID: m.cfg.APIID, APIHash: m.cfg.APIHash, Settings: m.cfg.settings()}
	case callResendCode:
		return &tg.AuthResendCodeRequest{PhoneNumber: m.s.Phone, PhoneCodeHash: m.s.Hash}
	case callCancelCode:
		return &tg.AuthCancelCodeRequest{PhoneNumber: m.s.Phone, PhoneCodeHash: m.s.Hash}
	case callSignIn:
		return &tg.AuthSignInRequest{PhoneNumber: m.s.Phone, PhoneCodeHash: m.s.Hash, PhoneCode: tl.Some(m.s.Code)}
	case callSignUp:
		return &tg.AuthSignUpRequest{
			NoJoinedNotifications: true, PhoneNumber: m.s.Phone, PhoneCodeHash: m.s.Hash,
			FirstName: m.s.FirstName, LastName: m.s.LastName,
		}
	case callImportBot:
		return &tg.AuthImportBotAuthorizationRequest{APIID: m.cfg.APIID, APIHash: m.cfg.APIHash, BotAuthToken: m.s.Token}
	case callProbe:
		return &tg.UsersGetUsersRequest{ID: []tg.AnyInputUser{&tg.InputUserSelf{}}}
	case callLogOut:
		return &tg.AuthLogOutRequest{}
	}
	return nil
}

// settings are those of auth.sendCode, with the tokens that may stand for a code.
func (cfg Config) settings() tg.CodeSettings {
	s := cfg.Settings
	if tokens := cfg.FutureTokens; len(tokens) > 0 {
		s.LogoutTokens = tl.Some(tokens[:min(len(tokens), tokensMost)])
	}
	return s
}

// maySignIn reports whether the call under way may have signed in although its
// answer is not known.
func (m *Machine) maySignIn() bool {
	switch call(m.s.Pending) {
	case callSignIn, callSignUp, callImportBot:
		return true
	case callSendCode:
		return m.s.Offered
	}
	return false
}

// underWay reports whether an answer belongs to the call under way.
func (m *Machine) underWay(id CallID) bool {
	return m.started && id == m.id && m.s.Pending != "" && stateOf[call(m.s.Pending)] == m.s.State
}

// Result says that a call was answered; body is the result's TL bytes.
func (m *Machine) Result(now time.Time, id CallID, body []byte) {
	if !m.underWay(id) {
		return
	}
	r := tl.NewReader(body)
	switch call(m.s.Pending) {
	case callSendCode, callResendCode:
		if v := tg.ParseAnyAuthSentCode(r); r.End() == nil {
			m.onSentCode(now, v)
			return
		}
	case callSignIn, callSignUp, callImportBot:
		if v := tg.ParseAnyAuthAuthorization(r); r.End() == nil {
			m.onAuthorization(now, v)
			return
		}
	case callProbe:
		if v := (*tg.UsersGetUsersRequest)(nil).ParseResult(r); r.End() == nil {
			m.onProbed(now, v)
			return
		}
	case callCancelCode:
		m.onCanceled()
		return
	case callLogOut:
		m.onLoggedOut()
		return
	}
	m.unreadable(now)
}

// unreadable handles a result that cannot be parsed. It may have been a
// success, so the server is asked; when that answer cannot be read either,
// there is nothing more to try.
func (m *Machine) unreadable(now time.Time) {
	switch {
	case m.maySignIn():
		m.call(callProbe)
	case call(m.s.Pending) == callProbe:
		m.undo() // somebody is signed in
	default:
		m.fail(&Error{Reason: ReasonServer, Retry: true, Message: "the server's answer could not be read; try again, or with a newer version"})
	}
}

// Lost says that no answer to a call will come, and that the server may have
// executed it.
func (m *Machine) Lost(now time.Time, id CallID) {
	if m.underWay(id) {
		m.lost(now)
	}
}

func (m *Machine) lost(now time.Time) {
	if m.maySignIn() {
		m.call(callProbe)
		return
	}
	switch call(m.s.Pending) {
	case callSendCode:
		// A code may be on its way, but its handle is lost. Sending another by
		// ourselves could go on for ever; a human decides.
		if m.s.Canceled {
			m.fail(canceled())
			return
		}
		m.s.LastError = "ANSWER_LOST"
		m.s.Until = time.Time{}
		m.wait(StateWaitNewCode)
	case callResendCode:
		// The last code may still be good. If not, the server will say so.
		if m.s.Canceled {
			m.call(callCancelCode)
			return
		}
		m.s.LastError = "ANSWER_LOST"
		m.wait(StateWaitCode)
	case callProbe:
		m.again(now)
	case callCancelCode:
		m.onCanceled()
	case callLogOut:
		m.again(now)
	default:
		m.fail(&Error{Reason: ReasonServer, Retry: true, Message: "the stored sign-in makes no sense; begin it anew"})
	}
}

// Failed says that a call was not executed: err is the server's refusal
// (*tgerr.Error), or what kept the query from being sent.
func (m *Machine) Failed(now time.Time, id CallID, err error) {
	if !m.underWay(id) {
		return
	}
	e, refused := tgerr.As(err)
	if !refused {
		m.notSent(now)
		return
	}
	switch call(m.s.Pending) {
	case callCancelCode:
		m.onCanceled()
	case callLogOut:
		m.onLogOutRefused(now, e)
	case callProbe:
		m.onProbeRefused(now, e)
	default:
		m.onRefused(now, e)
	}
}

// notSent repeats a call after a local trouble, for as long as it lasts. A
// cancelled attempt does not wait for a connection, except to take an
// authorization back.
func (m *Machine) notSent(now time.Time) {
	c := call(m.s.Pending)
	switch {
	case !m.s.Canceled || c == callProbe || c == callLogOut:
		m.again(now)
	case c == callCancelCode:
		m.onCanceled()
	default:
		m.endCanceled(nil)
	}
}

// onRefused sorts the refusals that any of the sign-in calls may get, in the
// order of how much they end; what is left belongs to the call.
func (m *Machine) onRefused(now time.Time, e *tgerr.Error) {
	if m.s.Canceled {
		m.endCanceled(e)
		return
	}
	if target, ok := e.Migrate(); ok {
		m.migrate(target, e)
		return
	}
	if wait, ok := e.Wait(); ok {
		m.flood(now, now.Add(wait))
		return
	}
	switch e.Class() {
	case tgerr.ClassConfig:
		m.fail(&Error{Reason: ReasonConfig, Err: e, Message: "the server refuses this application; check api_id, api_hash and device info in the configuration"})
	case tgerr.ClassFlood:
		m.fail(&Error{Reason: ReasonFlood, Err: e, Retry: true, Until: now.Add(floodStop), Message: "there were too many attempts for this number; leave it alone for a day"})
	case tgerr.ClassDeactivated, tgerr.ClassFrozen:
		m.fail(&Error{Reason: ReasonBanned, Err: e, Message: "this account is deleted or banned; an official app tells more"})
	case tgerr.ClassDuplicated:
		m.fail(&Error{Reason: ReasonServer, Err: e, Retry: true, Message: "the server ended this key because it was used twice; begin the sign-in anew"})
	case tgerr.ClassChallenge:
		m.fail(&Error{Reason: ReasonChallenge, Err: e, Message: "the server wants a proof that only an official app can give; sign in there first"})
	case tgerr.ClassPassword:
		m.s.Code, m.s.LastError = "", ""
		m.wait(StateWaitPassword)
	case tgerr.ClassUnbound, tgerr.ClassInit:
		m.again(now) // of the connection; the account is repairing it
	case tgerr.ClassRetry:
		m.trouble(now, e)
	default:
		m.onOwnError(now, e)
	}
}

// migrate moves the attempt to another DC. Only the queries that begin an
// attempt may: a code belongs to the DC that sent it.
func (m *Machine) migrate(target int, e *tgerr.Error) {
	c := call(m.s.Pending)
	id := dcID(target)
	known := id.Valid() && (m.cfg.HasDC == nil || m.cfg.HasDC(id))
	switch {
	case c != callSendCode && c != callImportBot || e.IsFileMigrate():
		m.fail(&Error{Reason: ReasonMigrate, Err: e, Retry: true, Message: "the server moved the account in the middle of the sign-in; begin it anew"})
	case !known:
		m.fail(&Error{Reason: ReasonMigrate, Err: e, Message: fmt.Sprintf("the server points to %v, which is not in the configuration", id)})
	case m.s.Hops >= hopsMost:
		m.fail(&Error{Reason: ReasonMigrate, Err: e, Retry: true, Message: fmt.Sprintf("the server sent the sign-in from DC to DC more than %d times; try later", hopsMost)})
	default:
		m.s.Hops++
		m.s.Target = id
		m.become(StateMigrating)
		m.save()
		m.emit(Output{Kind: OutMigrate, DC: id})
	}
}

// flood obeys an imposed wait. It is never cut short. A long one outlives the
// code and the human's patience: then they begin again when it is over.
func (m *Machine) flood(now, until time.Time) {
	c := call(m.s.Pending)
	switch {
	case c == callImportBot || until.Sub(now) <= patience:
		m.waitUntil(now, until, true)
	default:
		m.forgetCode()
		m.s.Until, m.s.LastError = until, "FLOOD_WAIT"
		m.wait(StateWaitNewCode)
	}
}

// trouble repeats a call after the server's own error, a few times.
func (m *Machine) trouble(now time.Time, e *tgerr.Error) {
	most := retriesMost
	switch e.Type {
	case "AUTH_RESTART", "SIGN_IN_FAILED":
		most = restartsMost
	}
	if m.s.Troubles < most {
		m.s.Troubles++
		m.again(now)
		return
	}
	switch call(m.s.Pending) {
	case callSignIn, callSignUp, callResendCode:
		m.forgetCode()
		m.s.LastError = e.Type
		m.wait(StateWaitNewCode)
	default:
		m.fail(&Error{Reason: ReasonServer, Err: e, Retry: true, Message: "the server keeps failing; try again later"})
	}
}

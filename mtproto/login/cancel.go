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
	m.s.Canceled, m.s.Phone.Next = true, ""
	switch c := call(m.s.Pending); {
	case m.underWay(m.id):
		m.save()
	case m.s.State == StateWaiting && (c == callProbe || c == callCancelCode || c == callLogOut):
		m.save()
	default:
		m.endCanceled(nil)
	}
}

// endCanceled ends a cancelled attempt when nothing is under way. e is the
// refusal of the last call, if that is how it ended.
func (m *Machine) endCanceled(e *tgerr.Error) {
	if e.IsUnauthorized() {
		m.s.Half = false
	}
	switch {
	case m.s.Flow.keeps():
		m.fail(canceled())
	case m.s.Half, e.Class() == tgerr.ClassPassword: // half signed in
		m.call(callLogOut)
	case m.s.Phone.Hash != "" && m.s.Pending != string(callCancelCode):
		m.call(callCancelCode)
	default:
		m.fail(canceled())
	}
}

// onCanceled: auth.cancelCode was answered, or will not be. The code is as
// good as gone either way.
func (m *Machine) onCanceled() {
	next := m.s.Phone.Next
	if m.s.Canceled || next == "" {
		m.fail(canceled())
		return
	}
	m.forgetCode()
	m.s.Phone.Number, m.s.Phone.Next, m.s.LastError, m.s.Hops = next, "", "", 0
	m.call(callSendCode)
}

// undo takes an authorization back, whole or half, and then ends with why.
func (m *Machine) undo(why *Error) {
	m.s.Undo = endingOf(why)
	m.call(callLogOut)
}

// onLoggedOut: the unwanted authorization is gone.
func (m *Machine) onLoggedOut() {
	m.s.Half = false
	if m.s.Undo != (Ending{}) {
		m.fail(m.s.Undo.err())
		return
	}
	m.fail(canceled())
}

// onLogOutRefused: a 401 counts as done. Everything else is tried again, for
// an authorization that nobody keeps would be an orphan; whoever waits is told.
func (m *Machine) onLogOutRefused(now time.Time, e *tgerr.Error) {
	if e.IsUnauthorized() {
		m.onLoggedOut()
		return
	}
	m.waitUntil(now, now.Add(m.backoff()), true)
}

// An Ending is the error that a sign-in ends with once what it left at the
// server is taken back. It is stored meanwhile.
type Ending struct {
	Reason  Reason    `json:"reason,omitempty"`
	Message string    `json:"message,omitempty"`
	Code    int       `json:"code,omitempty"` // the server's error
	Server  string    `json:"server,omitempty"`
	Retry   bool      `json:"retry,omitempty"`
	Account string    `json:"account,omitempty"` // of ReasonAlready
	Until   time.Time `json:"until,omitzero"`
}

func endingOf(e *Error) Ending {
	end := Ending{Reason: e.Reason, Message: e.Message, Retry: e.Retry, Until: e.Until, Account: e.Account}
	if server, ok := tgerr.As(e.Err); ok {
		end.Code, end.Server = server.Code, server.Type
	}
	return end
}

func (end Ending) err() *Error {
	e := &Error{Reason: end.Reason, Message: end.Message, Retry: end.Retry, Until: end.Until, Account: end.Account}
	if end.Server != "" {
		e.Err = &tgerr.Error{Code: end.Code, Type: end.Server, Message: end.Server}
	}
	return e
}

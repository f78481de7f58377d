package login

import (
	"fmt"
	"strings"
	"time"
)

// Input is what the human said. An answer that does not fit is refused with
// an *Error and changes nothing.
func (m *Machine) Input(now time.Time, a Answer) error {
	switch {
	case !m.started, m.s.State == StateDone, m.s.State == StateFailed:
		return m.misfit(a)
	case m.s.Canceled && a.Kind != AnswerCancel:
		return &Error{Reason: ReasonCanceled, Message: "the sign-in is being cancelled"}
	}
	switch a.Kind {
	case AnswerCancel:
		if !m.s.Canceled {
			m.cancel()
		}
		return nil
	case AnswerCode:
		return m.inputCode(a)
	case AnswerResend:
		return m.inputResend(now)
	case AnswerPhone:
		return m.inputPhone(a)
	case AnswerSignUp:
		return m.inputSignUp(a)
	case AnswerPassword:
		if m.s.State == StateWaitPassword {
			return &Error{Reason: ReasonUnsupported, Message: "two-step passwords are not supported yet; cancel this sign-in"}
		}
	}
	return m.misfit(a)
}

func (m *Machine) misfit(a Answer) *Error {
	return &Error{Reason: ReasonAnswer, Message: fmt.Sprintf("the answer %q does not fit: the sign-in is at %q", a.Kind, m.s.State)}
}

func (m *Machine) inputCode(a Answer) error {
	if m.s.State != StateWaitCode {
		return m.misfit(a)
	}
	code, problem := normalCode(m.s.Sent, a.Code)
	if problem != "" {
		// Nothing was sent: a slip costs none of the tries the server counts.
		return &Error{Reason: ReasonAnswer, Message: "this is not the code: " + problem + "; type it as it was received"}
	}
	m.s.Code, m.s.LastError, m.s.Repeats = code, "", 0
	m.call(callSignIn)
	return nil
}

func (m *Machine) inputResend(now time.Time) error {
	switch m.s.State {
	case StateWaitNewCode:
		if now.Before(m.s.Until) {
			return &Error{Reason: ReasonEarly, Until: m.s.Until, Message: "the server wants us to wait before another code is sent"}
		}
		m.s.LastError, m.s.Until = "", time.Time{}
		m.call(callSendCode)
		return nil
	case StateWaitCode:
		switch {
		case m.s.Sent.Next == "":
			return &Error{Reason: ReasonAnswer, Message: "the server knows no other way to send a code; type the one that came, or cancel"}
		case now.Before(m.s.Sent.ResendAt):
			return &Error{Reason: ReasonEarly, Until: m.s.Sent.ResendAt, Message: "another code may be asked for a little later"}
		}
		m.s.LastError = ""
		m.call(callResendCode)
		return nil
	}
	return m.misfit(Answer{Kind: AnswerResend})
}

func (m *Machine) inputPhone(a Answer) error {
	switch m.s.State {
	case StateWaitPhone, StateWaitCode, StateWaitNewCode, StateWaitEmail, StateWaitPayment, StateWaitSignUp:
	default:
		return m.misfit(a)
	}
	phone, problem := normalPhone(a.Phone)
	if problem != "" {
		return badPhone(problem)
	}
	m.s.NextPhone = phone
	m.s.FirstName, m.s.LastName, m.s.Terms, m.s.MinAge = "", "", "", 0
	if m.s.Hash != "" {
		m.call(callCancelCode) // one pending code at a time
	} else {
		m.onCanceled()
	}
	return nil
}

// nameMost is the server's limit of a name, in characters.
const nameMost = 64

func (m *Machine) inputSignUp(a Answer) error {
	switch {
	case m.s.State != StateWaitSignUp:
		return m.misfit(a)
	case !m.cfg.AllowSignUp:
		return signUpRefused(nil)
	}
	first, last := strings.TrimSpace(a.FirstName), strings.TrimSpace(a.LastName)
	if first == "" || len([]rune(first)) > nameMost || len([]rune(last)) > nameMost {
		return &Error{Reason: ReasonAnswer, Message: fmt.Sprintf("a first name is needed, and no name may be longer than %d characters", nameMost)}
	}
	m.s.FirstName, m.s.LastName, m.s.LastError = first, last, ""
	m.call(callSignUp)
	return nil
}

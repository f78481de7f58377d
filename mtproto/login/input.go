package login

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Input is what the human said. An answer that does not fit is refused with
// an *Error and changes nothing; so is one to a step that is over
// (ReasonStale), but for the last answer given once more, which is nil and
// does nothing.
func (m *Machine) Input(now time.Time, a Answer) error {
	switch {
	case !m.started, m.s.State.over():
		return m.misfit(a)
	case m.s.Canceled && a.Kind != AnswerCancel:
		return &Error{Reason: ReasonCanceled, Message: "the sign-in is being cancelled"}
	}
	if repeated, err := m.addressed(a); err != nil || repeated {
		return err
	}
	if a.Kind == AnswerCancel {
		if !m.s.Canceled {
			m.cancel()
		}
		return nil
	}
	before, asked := m.s.Answered, m.s.Asked
	m.s.Answered = asked // stored with what the answer leads to
	if err := m.answer(now, a); err != nil {
		m.s.Answered = before
		return err
	}
	m.answered = a.digest()
	return nil
}

// addressed says whether an answer names the step that is shown, or was given
// before.
func (m *Machine) addressed(a Answer) (repeated bool, err error) {
	if a.Step == "" {
		return false, nil
	}
	number, ok := strings.CutPrefix(a.Step, m.s.Attempt+".")
	n, bad := strconv.Atoi(number)
	switch {
	case !ok || bad != nil || n > m.s.Asked:
		return false, &Error{Reason: ReasonStale, Message: "this step belongs to another sign-in; look at the step that is shown now"}
	case a.Kind == AnswerCancel:
		return false, nil // it is the sign-in that is cancelled
	case n == m.s.Answered && a.digest() == m.answered:
		return true, nil
	case n == m.s.Answered:
		return false, &Error{Reason: ReasonStale, Message: "this step was answered already; look at the step that is shown now"}
	case n < m.s.Asked:
		return false, &Error{Reason: ReasonStale, Message: "this step is over; look at the step that is shown now"}
	}
	return false, nil
}

// answer hands an answer to the room that takes it.
func (m *Machine) answer(now time.Time, a Answer) error {
	switch a.Kind {
	case AnswerCode:
		return m.inputCode(a)
	case AnswerResend:
		return m.inputResend(now)
	case AnswerMissing:
		return m.inputMissing(a)
	case AnswerPhone:
		return m.inputPhone(a)
	case AnswerFirebase:
		return m.inputFirebase(a)
	case AnswerPaid:
		return m.inputPaid(now, a)
	case AnswerSignUp:
		return m.inputSignUp(a)
	case AnswerEmail:
		return m.inputEmail(now, a)
	case AnswerEmailToken:
		return m.inputEmailToken(a)
	case AnswerResetEmail:
		return m.inputResetEmail(now)
	case AnswerPassword:
		return m.inputPassword(now, a)
	case AnswerForgot:
		return m.inputForgot(now)
	case AnswerBack:
		return m.inputBack()
	case AnswerNewPassword, AnswerNoPassword:
		return m.inputNewPassword(now, a)
	case AnswerToken:
		return m.inputToken(now, a)
	case AnswerPasskey:
		return m.inputPasskey(a)
	case AnswerPNV:
		return m.inputPNV(a)
	}
	return m.misfit(a)
}

func (m *Machine) misfit(a Answer) *Error {
	return &Error{Reason: ReasonAnswer, Message: fmt.Sprintf("the answer %q does not fit: the sign-in is at %q", a.Kind, m.s.State)}
}

// early refuses what the server wants us to wait for.
func (m *Machine) early(now time.Time) error {
	if now.Before(m.s.Until) {
		return &Error{Reason: ReasonEarly, Until: m.s.Until, Message: "the server wants us to wait before this is tried again"}
	}
	return nil
}

// inputBack goes back from a tail's second question to its first.
func (m *Machine) inputBack() error {
	switch m.s.State {
	case StateWaitRecovery, StateWaitNewPassword:
		m.secret.recovery, m.s.LastError, m.s.Tries = "", "", 0
		m.wait(StateWaitPassword)
	case StateWaitEmailSetup:
		m.s.LastError, m.s.Tries = "", 0
		m.wait(StateWaitEmailAddress)
	default:
		return m.misfit(Answer{Kind: AnswerBack})
	}
	return nil
}

// inputToken takes the token that is not stored.
func (m *Machine) inputToken(now time.Time, a Answer) error {
	switch m.s.State {
	case StateWaitToken:
		return m.inputBotToken(now, a)
	case StateWaitWebToken:
		return m.inputWebToken(now, a)
	}
	return m.misfit(a)
}

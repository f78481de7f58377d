package login

// Step returns what the sign-in waits for, and whether it waits for anything
// that a human should see.
func (m *Machine) Step() (Step, bool) {
	s := Step{LastError: m.s.LastError, Supported: true}
	switch m.s.State {
	case StateWaitPhone:
		s.Kind = StepPhone
		s.Message = "The server does not take this number. Give it with its country code, as +49 170 1234567, or cancel."
	case StateWaitCode:
		m.codeStep(&s)
	case StateWaitNewCode:
		s.Kind, s.Until = StepNewCode, m.s.Until
		s.Message = newCodeMessage(m.s.LastError)
	case StateWaitSignUp:
		s.Kind, s.Terms, s.MinAge = StepSignUp, m.s.Terms, m.s.MinAge
		s.Supported = m.cfg.AllowSignUp
		s.Message = "This number has no account yet. Give a first name (and a last name) to make one; that accepts the terms."
		if !s.Supported {
			s.Message = "This number has no account, and new accounts are not made here. Register it in an official app, then cancel and begin again."
		}
	case StateWaitPassword:
		s.Kind, s.Supported = StepPassword, false
		s.Message = "The code was right, and the account has a two-step password. This version cannot answer it yet: cancel the sign-in."
	case StateWaitEmail:
		s.Kind, s.Supported = StepEmail, false
		s.How, s.Pattern, s.Length = HowEmail, m.s.Sent.Pattern, m.s.Sent.Length
		s.Message = "The server wants a login e-mail or a code from one. This version cannot do that yet: use an official app, or cancel."
	case StateWaitPayment:
		s.Kind, s.Supported = StepPayment, false
		s.Message = "The server wants this sign-in to be paid for, which is done in an official app. Cancel, or give another number."
	case StateWaiting:
		if !m.s.Imposed {
			return Step{}, false
		}
		s.Kind, s.Until = StepWait, m.s.Until
		s.Message = "The server wants us to wait. The sign-in goes on by itself afterwards."
	default:
		return Step{}, false
	}
	return s, true
}

func (m *Machine) codeStep(s *Step) {
	c := m.s.Sent
	s.Kind = StepCode
	s.How, s.Length, s.Pattern, s.URL, s.Next = c.How, c.Length, c.Pattern, c.URL, c.Next
	if c.Next != "" {
		s.ResendAt = c.ResendAt
	}
	s.ExpiresAt = c.SentAt.Add(codeLife)
	s.Tries = m.s.Tries
	s.Message = codeMessage[c.How]
	if s.Message == "" {
		s.Message = "Type the code that was sent."
	}
	switch m.s.LastError {
	case "PHONE_CODE_INVALID", "PHONE_CODE_EMPTY":
		s.Message = "That code was wrong. " + s.Message
	case "SEND_CODE_UNAVAILABLE":
		s.Message = "The server knows no other way to send a code. " + s.Message
	case "ANSWER_LOST":
		s.Message = "The connection was lost before the answer came; another code may have been sent. " + s.Message
	}
}

var codeMessage = map[string]string{
	HowApp:        "Type the code that Telegram sent to the account's other sessions.",
	HowSMS:        "Type the code from the text message.",
	HowCall:       "Type the code that the call will speak.",
	HowFlashCall:  "Type the number that calls; do not pick up.",
	HowMissedCall: "Type the last digits of the number that calls; do not pick up.",
	HowFragment:   "Open the page named by url and type the code shown there.",
	HowWord:       "Type the secret word from the text message.",
	HowPhrase:     "Type the secret phrase from the text message.",
}

func newCodeMessage(lastError string) string {
	switch lastError {
	case "PHONE_CODE_EXPIRED":
		return "The code has expired. Ask for a new one with resend, or cancel."
	case "ANSWER_LOST":
		return "The connection was lost while a code was being asked for. Ask for one with resend, or cancel."
	case "FLOOD_WAIT":
		return "The server wants a long wait before another code. Ask for one with resend when until has passed, or cancel."
	case "PHONE_NUMBER_OCCUPIED":
		return "The number has got an account meanwhile. Ask for a new code with resend, or cancel."
	}
	return "There is no valid code. Ask for a new one with resend, or cancel."
}

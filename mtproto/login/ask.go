package login

import "time"

// Step returns what the sign-in waits for, and whether it waits for anything
// that a human should see. At the end it tells how it ended.
func (m *Machine) Step() (Step, bool) {
	s := Step{ID: m.stepID(), Phone: m.s.Phone.Number, LastError: m.s.LastError, Supported: true}
	ok := m.shellStep(&s) || m.phoneStep(&s) || m.emailStep(&s) || m.passwordStep(&s) || m.otherStep(&s)
	if !ok {
		return Step{}, false
	}
	if s.Type == "" {
		if s.Type = typeOf[s.Kind]; s.Type == "" {
			s.Type = TypeInput
		}
	}
	return s, true
}

func (m *Machine) shellStep(s *Step) bool {
	switch m.s.State {
	case StateWaiting:
		if !m.s.Imposed {
			return false
		}
		s.Kind, s.Until, s.LastError = StepWait, m.s.Until, ""
		s.Message = "The server wants us to wait. The sign-in goes on by itself afterwards."
		if call(m.s.Pending) == callLogOut {
			s.Message = "The sign-in is over, and what it left at the server is being ended, which the server does not do yet. It is tried again by itself."
		}
	case StateDone:
		s.Kind, s.Type = StepOver, TypeDone
		s.Message = "Signed in."
	case StateFailed:
		s.Kind, s.Type = StepOver, TypeFailed
		s.Message = "The sign-in came to nothing."
		if m.last != nil {
			s.LastError, s.Until, s.Message = string(m.last.Reason), m.last.Until, m.last.Error()
		}
	default:
		return false
	}
	return true
}

func (m *Machine) phoneStep(s *Step) bool {
	switch m.s.State {
	case StateWaitPhone:
		s.Kind = StepPhone
		s.Message = "The server does not take this number. Give it with its country code, as +49 170 1234567, or cancel."
	case StateWaitCode, StateWaitFirebase:
		m.codeStep(s)
	case StateWaitNewCode:
		s.Kind, s.Until = StepNewCode, m.s.Until
		s.Message = newCodeMessage(m.s.LastError)
	case StateWaitPayment:
		s.Kind, s.Payment, s.Until = StepPayment, m.s.Phone.Payment, m.s.Until
		s.Message = "The server wants this sign-in to be paid for. That is done elsewhere: pay, then answer paid with the form_id of the payment form. Or cancel, or give another number."
		switch m.s.LastError {
		case notPaid:
			s.Message = "The server says that this form is not paid. " + s.Message
		case "FORM_EXPIRED":
			s.Message = "That payment form has expired; a new one is needed. " + s.Message
		default:
			s.Message = prefixed(m.s.LastError, s.Message)
		}
	case StateWaitSignUp:
		s.Kind, s.Terms, s.MinAge = StepSignUp, m.s.SignUp.Terms, m.s.SignUp.MinAge
		s.Supported = m.cfg.AllowSignUp
		s.Message = "This number has no account yet. Give a first name (and a last name) to make one; that accepts the terms."
		if !s.Supported {
			s.Message = "This number has no account, and new accounts are not made here. Register it in an official app, then cancel and begin again."
		}
	default:
		return false
	}
	return true
}

func (m *Machine) codeStep(s *Step) {
	c := m.s.Phone.Sent
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
	if m.s.State == StateWaitFirebase {
		s.Kind, s.Firebase, s.ResendAt = StepFirebase, c.Firebase, c.ResendAt
	}
	switch m.s.LastError {
	case "PHONE_CODE_INVALID", "PHONE_CODE_EMPTY", "CODE_INVALID", "EMAIL_TOKEN_INVALID":
		s.Message = "That code was wrong. " + s.Message
	case "SEND_CODE_UNAVAILABLE":
		s.Message = "The server knows no other way to send a code. " + s.Message
	case answerLost:
		s.Message = "The connection was lost before the answer came; if another code was asked for, it may have been sent. " + s.Message
	case firebaseRefused:
		s.Message = "The server does not take this proof. " + s.Message
	default:
		s.Message = prefixed(m.s.LastError, s.Message)
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
	HowEmail:      "Type the code from the e-mail that was sent to the login e-mail.",
	HowFirebase:   "The text message is sent once the device has proved itself to Firebase. Answer with that proof, ask for another way with resend, or type the code if it comes all the same.",
}

func newCodeMessage(lastError string) string {
	switch lastError {
	case "PHONE_CODE_EXPIRED", "PHONE_HASH_EXPIRED":
		return "The code has expired. Ask for a new one with resend, or cancel."
	case answerLost:
		return "The connection was lost while a code was being asked for. Ask for one with resend, or cancel."
	case floodWait:
		return "The server wants a long wait before another code. Ask for one with resend when that is over, or cancel."
	case "PHONE_NUMBER_OCCUPIED":
		return "The number has got an account meanwhile. Ask for a new code with resend, or cancel."
	case "EMAIL_INSTALL_MISSING":
		return "The code was to go to a login e-mail, and there is none. Ask for a new one with resend, or cancel."
	case halfExpired:
		return "The password took too long: the server has forgotten the code. Ask for a new one with resend, or cancel."
	case passwordGone:
		return "The account has no two-step password any more. Ask for a new code with resend, or cancel."
	}
	if lastError != "" {
		return "That did not work, and the code may be spent. Ask for a new one with resend, in a while if the server keeps failing, or cancel."
	}
	return "There is no valid code. Ask for a new one with resend, or cancel."
}

// prefixed says what went wrong last time in front of what to do.
func prefixed(lastError, message string) string {
	switch lastError {
	case "":
		return message
	case restarted:
		return "The program was restarted meanwhile, and what was typed is not kept. " + message
	case answerLost:
		return "The connection was lost before the answer came. " + message
	case floodWait:
		return "The server wants a pause first. " + message
	case halfExpired:
		return "The password took too long: the server has forgotten the step before it. " + message
	case passwordGone:
		return "The account has no two-step password any more, so that this begins once more. " + message
	}
	return "That did not work. " + message
}

func (m *Machine) emailStep(s *Step) bool {
	sent := m.s.Phone.Sent
	s.Tries = m.s.Tries
	switch m.s.State {
	case StateWaitEmailAddress:
		s.Kind, s.How, s.Apple, s.Google, s.Until = StepEmail, HowEmail, sent.Apple, sent.Google, m.s.Until
		s.Message = "The server wants a login e-mail first, which later codes are sent to. Give an address that you will keep."
		switch m.s.LastError {
		case "EMAIL_INVALID":
			s.Message = "The server does not take this address. " + s.Message
		case "EMAIL_NOT_ALLOWED":
			s.Message = "The server does not allow addresses of this kind. " + s.Message
		case "EMAIL_VERIFY_EXPIRED":
			s.Message = "That code has expired. " + s.Message
		default:
			s.Message = prefixed(m.s.LastError, s.Message)
		}
	case StateWaitEmailSetup:
		s.Kind, s.How, s.Pattern, s.Length = StepEmailSetup, HowEmail, m.s.Email.Pattern, m.s.Email.Length
		s.Apple, s.Google = sent.Apple, sent.Google
		s.Message = "Type the code that was sent to the new address, or give another address."
		if m.s.LastError == "CODE_INVALID" || m.s.LastError == "CODE_EMPTY" {
			s.Message = "That code was wrong. " + s.Message
		} else {
			s.Message = prefixed(m.s.LastError, s.Message)
		}
	case StateWaitEmailCode:
		m.codeStep(s)
		s.Apple, s.Google, s.Until = sent.Apple, sent.Google, m.s.Until
		switch {
		case m.s.LastError == "TASK_ALREADY_EXISTS":
			s.Message = "The login e-mail is being reset already, which takes its time. " + codeMessage[HowEmail]
			s.ResetAt = sent.ResetAt
		case !sent.ResetAt.IsZero():
			s.ResetAt = sent.ResetAt
			s.Message += " The login e-mail is being reset; the old one does until then."
		case sent.ResetIn >= 0:
			s.ResetAt = sent.SentAt.Add(sent.ResetIn)
			s.Message += " If nobody has access to that mailbox any more, answer reset_email: codes come by phone again after a while."
		}
	default:
		s.Tries = 0
		return false
	}
	return true
}

func (m *Machine) passwordStep(s *Step) bool {
	p := m.s.Password
	s.Tries, s.Until = m.s.Tries, m.s.Until
	switch m.s.State {
	case StateWaitPassword:
		s.Kind, s.Hint, s.Recovery, s.Supported = StepPassword, p.Hint, p.Recovery, !p.Refused
		switch {
		case p.Refused:
			s.Message = "The code was right, and the account has a two-step password. The server does not say how it is checked: cancel the sign-in."
		default:
			s.Message = passwordMessage(m.s.LastError, p.Recovery)
		}
	case StateWaitRecovery:
		s.Kind, s.How, s.Pattern = StepRecovery, HowEmail, p.Pattern
		s.Message = "Type the code that was sent to the recovery e-mail, or go back to the password."
		if m.s.LastError == "CODE_INVALID" || m.s.LastError == "CODE_EMPTY" {
			s.Message = "That code was wrong. " + s.Message
		} else {
			s.Message = prefixed(m.s.LastError, s.Message)
		}
	case StateWaitNewPassword:
		s.Kind = StepNewPassword
		s.Message = prefixed(m.s.LastError, "The code was right. Give a new two-step password (and a hint), or answer no_password to have none any more.")
	default:
		s.Tries, s.Until = 0, time.Time{}
		return false
	}
	return true
}

func passwordMessage(lastError string, recovery bool) string {
	s := "The account has a two-step password: type it."
	if recovery {
		s += " If it is forgotten, answer forgot; a code is sent to the recovery e-mail."
	}
	switch lastError {
	case "PASSWORD_HASH_INVALID":
		return "That password was wrong. " + s
	case "SRP_PASSWORD_CHANGED":
		return "The password was changed a moment ago. " + s
	case "PASSWORD_RECOVERY_NA":
		return "There is no recovery e-mail. " + s
	case "PASSWORD_RECOVERY_EXPIRED":
		return "The code from the recovery e-mail has expired. " + s
	}
	return prefixed(lastError, s)
}

// otherStep is for the flows that begin without a number.
func (m *Machine) otherStep(s *Step) bool {
	switch m.s.State {
	case StateWaitScan:
		if m.secret.link == "" {
			return false
		}
		s.Kind, s.URL, s.ExpiresAt = StepQR, m.secret.link, m.s.QR.ExpiresAt
		s.Message = "Scan the QR code with an app that is signed in: Settings, Devices, Link Desktop Device. It is replaced before it expires."
		switch m.s.LastError {
		case "", answerLost, restarted:
		case halfExpired, passwordGone:
			s.Message = "The last scan led to a password that is not wanted any more. " + s.Message
		default:
			s.Message = "The code that was scanned had expired, or was not taken. " + s.Message
		}
	case StateWaitToken:
		s.Kind, s.Until = StepToken, m.s.Until
		s.Message = prefixed(m.s.LastError, "Give the bot's token of @BotFather, or cancel.")
	case StateWaitWebToken:
		s.Kind, s.Until = StepWebToken, m.s.Until
		s.Message = "Give another link of a web client, or cancel."
		if m.s.LastError == "WEBAUTH_TOKEN_EXPIRED" || m.s.LastError == "AUTH_TOKEN_EXPIRED" {
			s.Message = "That link has expired; they live about a minute. " + s.Message
		} else {
			s.Message = prefixed(m.s.LastError, s.Message)
		}
	case StateWaitPasskey:
		s.Kind, s.Options = StepPasskey, m.secret.challenge
		s.Message = "Hand options to the authenticator that has the passkey, and answer with the credential it gives."
		if m.s.LastError != "" {
			s.Message = "The last challenge came to nothing; this is another one. " + s.Message
		}
	case StateWaitPNV:
		s.Kind, s.Nonce, s.Payload = StepPNV, m.secret.pnv.nonce, m.secret.pnv.payload
		s.Message = prefixed(m.s.LastError, "Hand nonce and payload to the device's credential manager, and answer with the token it gives. (Experimental.)")
	default:
		return false
	}
	return true
}

package login

import (
	"time"

	"github.com/mtfleet/mtfleet/mtproto/tgerr"
	"github.com/mtfleet/mtfleet/tl"
	"github.com/mtfleet/mtfleet/tl/tg"
)

// The sign-in by phone number: a code is sent, typed, and taken. Its other ways
// have files of their own: email.go, firebase.go, payment.go, signup.go.
// https://core.telegram.org/api/auth

const (
	callSendCode   call = "sendCode"
	callResendCode call = "resendCode"
	callCancelCode call = "cancelCode"
	callSignIn     call = "signIn"
	callMissing    call = "reportMissingCode"
)

// PhonePart is what is stored of a sign-in by phone.
type PhonePart struct {
	Number string   `json:"number,omitempty"` // digits only
	Next   string   `json:"next,omitempty"`   // the one to try after cancelCode
	Hash   string   `json:"hash,omitempty"`   // phone_code_hash of the newest code
	Sent   SentCode `json:"sent,omitzero"`    // how that code travels
	// Offered: future auth tokens went with the last auth.sendCode, which may
	// have signed us in.
	Offered bool    `json:"offered,omitempty"`
	MNC     string  `json:"mnc,omitempty"` // of the SIM that got no message
	Payment Payment `json:"payment,omitzero"`
}

func (m *Machine) phoneMethod(c call) (method, bool) {
	switch c {
	case callSendCode:
		return method{
			state: StateSending, moves: true, matters: true, signsIn: m.s.Phone.Offered,
			query: func(m *Machine) tl.Object {
				settings := m.cfg.settings(m.s.Phone.Number)
				m.s.Phone.Offered = settings.LogoutTokens.Set
				return &tg.AuthSendCodeRequest{PhoneNumber: m.s.Phone.Number, APIID: m.cfg.APIID, APIHash: m.cfg.APIHash, Settings: settings}
			},
			answer:  reads(tg.ParseAnyAuthSentCode, (*Machine).onSentCode),
			refused: (*Machine).onPhoneError,
			lost: func(m *Machine, _ time.Time) {
				// A code may be on its way, but its handle is lost. Sending another by
				// ourselves could go on for ever; a human decides.
				m.s.LastError = answerLost
				m.s.Until = time.Time{}
				m.wait(StateWaitNewCode)
			},
			late: (*Machine).laterCode,
		}, true
	case callResendCode:
		return method{
			state: StateSending, matters: true,
			query: func(m *Machine) tl.Object {
				return &tg.AuthResendCodeRequest{PhoneNumber: m.s.Phone.Number, PhoneCodeHash: m.s.Phone.Hash}
			},
			answer:  reads(tg.ParseAnyAuthSentCode, (*Machine).onSentCode),
			refused: (*Machine).onPhoneError,
			// The last code may still be good. If not, the server will say so.
			lost:  (*Machine).waitCodeAgain,
			late:  (*Machine).laterCode,
			tired: (*Machine).newCode,
		}, true
	case callCancelCode:
		return method{
			state: StateCanceling, repeatable: true, matters: true,
			query: func(m *Machine) tl.Object {
				return &tg.AuthCancelCodeRequest{PhoneNumber: m.s.Phone.Number, PhoneCodeHash: m.s.Phone.Hash}
			},
			answer: func(m *Machine, _ time.Time, _ *tl.Reader) bool { m.onCanceled(); return true },
		}, true
	case callSignIn:
		return method{
			state: StateSigningIn, signsIn: true,
			query:     (*Machine).signInQuery,
			answer:    reads(tg.ParseAnyAuthAuthorization, (*Machine).onAuthorization),
			refused:   (*Machine).onPhoneError,
			lost:      (*Machine).signInLost,
			forgotten: func(m *Machine) { m.wait(m.codeState()) },
			late:      (*Machine).laterCode,
			tired:     (*Machine).newCode,
		}, true
	case callMissing:
		return method{
			state: StateReporting, repeatable: true,
			query: func(m *Machine) tl.Object {
				return &tg.AuthReportMissingCodeRequest{PhoneNumber: m.s.Phone.Number, PhoneCodeHash: m.s.Phone.Hash, Mnc: m.s.Phone.MNC}
			},
			answer: func(m *Machine, _ time.Time, _ *tl.Reader) bool { m.wait(m.codeState()); return true },
			refused: func(m *Machine, now time.Time, e *tgerr.Error) bool {
				if e.Type == "PHONE_CODE_EXPIRED" || e.Type == "PHONE_NUMBER_INVALID" {
					return m.onPhoneError(now, e)
				}
				return m.stay(m.codeState(), e)
			},
			lost: (*Machine).waitCodeAgain,
			late: func(m *Machine, _ time.Time) { m.wait(m.codeState()) },
		}, true
	}
	for _, room := range []func(*Machine, call) (method, bool){(*Machine).firebaseMethod, (*Machine).paymentMethod, (*Machine).signUpMethod} {
		if found, ok := room(m, c); ok {
			return found, true
		}
	}
	return method{}, false
}

// stay goes back to the step of a call that came to nothing, with the server's
// word for it. What is not about this call it leaves to the shell.
func (m *Machine) stay(s State, e *tgerr.Error) bool {
	switch e.Class() {
	case tgerr.ClassBadRequest, tgerr.ClassForbidden:
		m.s.LastError = e.Type
		m.wait(s)
		return true
	}
	return false
}

// signInQuery takes the code as what it is: typed, or vouched for by an e-mail.
func (m *Machine) signInQuery() tl.Object {
	q := &tg.AuthSignInRequest{PhoneNumber: m.s.Phone.Number, PhoneCodeHash: m.s.Phone.Hash}
	switch {
	case m.secret.code == "":
		return nil
	case m.s.Phone.Sent.How == HowEmail:
		q.EmailVerification = tl.Some(m.emailVerification())
	default:
		q.PhoneCode = tl.Some(m.secret.code)
	}
	return q
}

// signInLost: nobody was signed in. The code is tried once more, if it is known.
func (m *Machine) signInLost(now time.Time) {
	if m.secret.code != "" && m.s.Repeats == 0 {
		m.s.Repeats++
		m.call(callSignIn)
		return
	}
	m.waitCodeAgain(now)
}

// waitCodeAgain asks for the code that is on its way already.
func (m *Machine) waitCodeAgain(time.Time) {
	m.secret.code, m.s.LastError = "", answerLost
	m.wait(m.codeState())
}

// codeState is where the newest code is waited for.
func (m *Machine) codeState() State {
	switch m.s.Phone.Sent.How {
	case HowEmail:
		return StateWaitEmailCode
	case HowFirebase:
		return StateWaitFirebase
	}
	return StateWaitCode
}

// newCode gives the code up. The caller has set LastError.
func (m *Machine) newCode(*tgerr.Error) {
	m.forgetCode()
	m.wait(StateWaitNewCode)
}

// laterCode is newCode after a wait.
func (m *Machine) laterCode(until time.Time) {
	m.forgetCode()
	m.s.Until = until
	m.wait(StateWaitNewCode)
}

// phoneAgain is for a half login that is gone: a new code is the human's to ask
// for.
func (m *Machine) phoneAgain(why string) {
	m.forgetCode()
	m.s.LastError = why
	m.wait(StateWaitNewCode)
}

// onPhoneError sorts the refusals that belong to a code or a number.
func (m *Machine) onPhoneError(now time.Time, e *tgerr.Error) bool {
	switch e.Type {
	case "PHONE_CODE_INVALID", "PHONE_CODE_EMPTY", "EMAIL_TOKEN_INVALID", "CODE_INVALID":
		if m.s.Phone.Hash == "" {
			return false // an answer to another question
		}
		m.secret.code = ""
		m.s.Tries++
		m.s.LastError = e.Type
		m.wait(m.codeState())
	case "PHONE_CODE_EXPIRED", "PHONE_HASH_EXPIRED", "PHONE_CODE_HASH_EMPTY", "EMAIL_INSTALL_MISSING", "PHONE_NUMBER_OCCUPIED":
		m.s.LastError = e.Type
		m.newCode(e)
	case "SEND_CODE_UNAVAILABLE":
		if m.s.Phone.Hash == "" {
			return false
		}
		m.s.Phone.Sent.Next = ""
		m.s.LastError = e.Type
		m.wait(m.codeState())
	case "PHONE_NUMBER_INVALID":
		m.forgetCode()
		m.s.LastError = e.Type
		m.wait(StateWaitPhone)
	case "PHONE_NUMBER_UNOCCUPIED":
		m.signUpRequired(tg.HelpTermsOfService{}, e)
	case "PHONE_NUMBER_APP_SIGNUP_FORBIDDEN":
		m.fail(signUpRefused(e))
	case "SMS_CODE_CREATE_FAILED":
		if m.s.Retries < restartsMost {
			m.again(now)
			return true
		}
		m.fail(&Error{Reason: ReasonServer, Err: e, Retry: true, Message: "the server could not make a code; try again later"})
	case "PHONE_NUMBER_BANNED":
		m.fail(&Error{Reason: ReasonBanned, Err: e, Message: "this number is banned; an official app tells how to appeal"})
	case "PHONE_PASSWORD_PROTECTED":
		m.fail(&Error{Reason: ReasonBanned, Err: e, Message: "this number is protected by a password; sign in with an official app first"})
	default:
		return false
	}
	return true
}

// forgetCode drops everything about the code on its way.
func (m *Machine) forgetCode() {
	m.secret.code = ""
	m.s.Phone.Hash, m.s.Phone.Sent, m.s.Phone.Payment = "", SentCode{}, Payment{}
	m.s.Tries, m.s.Repeats, m.s.Until = 0, 0, time.Time{}
	m.s.SignUp, m.s.Email = SignUpPart{}, EmailPart{}
}

func (m *Machine) inputCode(a Answer) error {
	switch m.s.State {
	case StateWaitCode, StateWaitFirebase, StateWaitEmailCode:
	case StateWaitEmailSetup:
		return m.inputEmailSetup(a)
	case StateWaitRecovery:
		return m.inputRecovery(a)
	default:
		return m.misfit(a)
	}
	code, err := m.typedCode(m.s.Phone.Sent, a.Code)
	if err != nil {
		return err
	}
	m.secret.code, m.secret.provider, m.s.LastError, m.s.Repeats = code, "", "", 0
	m.call(callSignIn)
	return nil
}

// typedCode reads a code. Nothing is sent of what cannot be the one: a slip
// costs none of the tries that the server counts.
func (m *Machine) typedCode(sent SentCode, text string) (string, error) {
	code, problem := normalCode(sent, text)
	if problem != "" {
		return "", &Error{Reason: ReasonAnswer, Message: "this is not the code: " + problem + "; type it as it was received"}
	}
	return code, nil
}

func (m *Machine) inputResend(now time.Time) error {
	switch m.s.State {
	case StateWaitNewCode:
		if now.Before(m.s.Until) {
			return &Error{Reason: ReasonEarly, Until: m.s.Until, Message: "the server wants us to wait before another code is sent"}
		}
		m.s.LastError = ""
		m.call(callSendCode)
		return nil
	case StateWaitCode, StateWaitEmailCode, StateWaitFirebase:
		switch {
		case m.s.Phone.Sent.Next == "" && m.s.State != StateWaitFirebase:
			return &Error{Reason: ReasonAnswer, Message: "the server knows no other way to send a code; type the one that came, or cancel"}
		case now.Before(m.s.Phone.Sent.ResendAt):
			return &Error{Reason: ReasonEarly, Until: m.s.Phone.Sent.ResendAt, Message: "another code may be asked for a little later"}
		}
		m.s.LastError = ""
		m.call(callResendCode)
		return nil
	}
	return m.misfit(Answer{Kind: AnswerResend})
}

// inputMissing reports a text message that did not come. Telegram takes this
// from its own apps.
func (m *Machine) inputMissing(a Answer) error {
	switch how := m.s.Phone.Sent.How; {
	case m.s.State != StateWaitCode, how != HowSMS && how != HowWord && how != HowPhrase:
		return m.misfit(a)
	case len(a.MNC) > 3:
		return &Error{Reason: ReasonAnswer, Message: "a mobile network code has two or three digits"}
	}
	m.s.Phone.MNC, m.s.LastError = a.MNC, ""
	m.call(callMissing)
	return nil
}

func (m *Machine) inputPhone(a Answer) error {
	switch m.s.State {
	case StateWaitPhone, StateWaitCode, StateWaitNewCode, StateWaitFirebase, StateWaitPayment,
		StateWaitEmailAddress, StateWaitEmailSetup, StateWaitEmailCode:
	case StateWaitSignUp:
		if m.s.Flow != FlowPhone {
			return m.misfit(a)
		}
	default:
		return m.misfit(a)
	}
	phone, problem := normalPhone(a.Phone)
	if problem != "" {
		return badPhone(problem)
	}
	m.s.Phone.Next = phone
	m.s.SignUp = SignUpPart{}
	if m.s.Phone.Hash != "" {
		m.call(callCancelCode) // one pending code at a time
	} else {
		m.onCanceled()
	}
	return nil
}

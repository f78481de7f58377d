package login

import (
	"strings"
	"time"

	"github.com/mtfleet/mtfleet/mtproto/tgerr"
	"github.com/mtfleet/mtfleet/tl"
	"github.com/mtfleet/mtfleet/tl/tg"
)

// The login e-mail, a tail of the sign-in by phone: codes that come by e-mail,
// an address that must be set up first, a mailbox that nobody can open any more.
// https://core.telegram.org/api/auth#email-verification

const (
	callVerifyCode  call = "sendVerifyEmailCode"
	callVerifyEmail call = "verifyEmail"
	callResetEmail  call = "resetLoginEmail"
)

// EmailPart is what is stored of a login e-mail that is being set up.
type EmailPart struct {
	Address string `json:"address,omitempty"`
	Pattern string `json:"pattern,omitempty"`
	Length  int    `json:"length,omitempty"`
}

func (m *Machine) emailMethod(c call) (method, bool) {
	switch c {
	case callVerifyCode:
		return method{
			state: StateMailing,
			query: func(m *Machine) tl.Object {
				return &tg.AccountSendVerifyEmailCodeRequest{Purpose: m.emailPurpose(), Email: m.s.Email.Address}
			},
			answer: reads((*tg.AccountSendVerifyEmailCodeRequest)(nil).ParseResult, func(m *Machine, _ time.Time, v *tg.AccountSentEmailCode) {
				m.s.Email.Pattern, m.s.Email.Length = v.EmailPattern, int(v.Length)
				m.s.LastError, m.s.Tries = "", 0
				m.wait(StateWaitEmailSetup)
			}),
			refused: (*Machine).onEmailError,
			lost:    (*Machine).mailingLost,
			late:    func(m *Machine, until time.Time) { m.s.Until = until; m.wait(StateWaitEmailAddress) },
			tired:   func(m *Machine, _ *tgerr.Error) { m.wait(StateWaitEmailAddress) },
		}, true
	case callVerifyEmail:
		return method{
			state: StateVerifying, matters: true,
			query: func(m *Machine) tl.Object {
				if m.secret.code == "" {
					return nil
				}
				return &tg.AccountVerifyEmailRequest{Purpose: m.emailPurpose(), Verification: m.emailVerification()}
			},
			answer:    reads(tg.ParseAnyAccountEmailVerified, (*Machine).onEmailVerified),
			refused:   (*Machine).onEmailError,
			lost:      func(m *Machine, _ time.Time) { m.s.LastError = answerLost; m.newCode(nil) },
			forgotten: func(m *Machine) { m.wait(m.emailSetupState()) },
			late:      (*Machine).laterCode,
			tired:     func(m *Machine, _ *tgerr.Error) { m.wait(m.emailSetupState()) },
		}, true
	case callResetEmail:
		return method{
			state: StateResettingEmail, matters: true,
			query: func(m *Machine) tl.Object {
				return &tg.AuthResetLoginEmailRequest{PhoneNumber: m.s.Phone.Number, PhoneCodeHash: m.s.Phone.Hash}
			},
			answer:  reads(tg.ParseAnyAuthSentCode, (*Machine).onSentCode),
			refused: (*Machine).onResetError,
			// The last code may still be good. If not, the server will say so.
			lost:  (*Machine).waitCodeAgain,
			late:  func(m *Machine, until time.Time) { m.s.Until = until; m.wait(StateWaitEmailCode) },
			tired: func(m *Machine, _ *tgerr.Error) { m.wait(StateWaitEmailCode) },
		}, true
	}
	return method{}, false
}

// readEmailCode remembers a code that comes by e-mail. A reset that was asked
// for has a date; else the server says how long one takes.
func readEmailCode(c *SentCode, clock time.Duration, t *tg.AuthSentCodeTypeEmailCode) {
	c.How, c.Pattern, c.Length = HowEmail, t.EmailPattern, int(t.Length)
	c.Apple, c.Google, c.ResetIn = t.AppleSigninAllowed, t.GoogleSigninAllowed, -1
	if date, ok := t.ResetPendingDate.Get(); ok {
		c.ResetIn, c.ResetAt = 0, time.Unix(int64(date), 0).UTC().Add(-clock)
	} else if period, ok := t.ResetAvailablePeriod.Get(); ok {
		c.ResetIn = time.Duration(max(period, 0)) * time.Second
	}
}

func (m *Machine) emailPurpose() tg.AnyEmailVerifyPurpose {
	return &tg.EmailVerifyPurposeLoginSetup{PhoneNumber: m.s.Phone.Number, PhoneCodeHash: m.s.Phone.Hash}
}

// emailVerification is what was typed, or a provider's word.
func (m *Machine) emailVerification() tg.AnyEmailVerification {
	switch m.secret.provider {
	case providerApple:
		return &tg.EmailVerificationApple{Token: m.secret.code}
	case providerGoogle:
		return &tg.EmailVerificationGoogle{Token: m.secret.code}
	}
	return &tg.EmailVerificationCode{Code: m.secret.code}
}

// emailSetupState is where the set-up stands: with a code on its way or not.
func (m *Machine) emailSetupState() State {
	if m.s.Email.Address == "" || m.secret.provider != "" {
		return StateWaitEmailAddress
	}
	return StateWaitEmailSetup
}

// mailingLost: the mail may be on its way all the same. An address is given
// again when it does not come.
func (m *Machine) mailingLost(time.Time) {
	m.s.LastError = answerLost
	m.s.Email.Pattern, m.s.Email.Length = "", 0
	m.wait(StateWaitEmailSetup)
}

func (m *Machine) onEmailVerified(now time.Time, v tg.AnyAccountEmailVerified) {
	login, ok := v.(*tg.AccountEmailVerifiedLogin)
	if !ok {
		// The other constructor is for who is signed in: without a sent code there
		// is no way on.
		m.unreadable()
		return
	}
	m.secret.code, m.secret.provider, m.s.Email = "", "", EmailPart{}
	m.onSentCode(now, login.SentCode)
}

// onEmailError sorts the refusals of the set-up.
func (m *Machine) onEmailError(now time.Time, e *tgerr.Error) bool {
	to := StateWaitEmailAddress
	switch e.Type {
	case "CODE_INVALID", "CODE_EMPTY":
		m.s.Tries++
		to = m.emailSetupState()
	case "EMAIL_INVALID", "EMAIL_NOT_ALLOWED", "EMAIL_NOT_SETUP", "EMAIL_VERIFY_EXPIRED", "EMAIL_TOKEN_INVALID":
		m.s.Email = EmailPart{}
	case "PHONE_CODE_EMPTY": // of the handle: there is no code in it
		e = tgerr.New(e.Code, "PHONE_CODE_EXPIRED")
		return m.onPhoneError(now, e)
	default:
		if call(m.s.Pending) == callVerifyEmail {
			to = m.emailSetupState() // its code may still be good
		}
		return m.onPhoneError(now, e) || m.stay(to, e)
	}
	m.secret.code, m.secret.provider = "", ""
	m.s.LastError = e.Type
	m.wait(to)
	return true
}

// onResetError sorts the refusals of a reset.
func (m *Machine) onResetError(now time.Time, e *tgerr.Error) bool {
	if e.Type == "TASK_ALREADY_EXISTS" {
		// The wait runs from the first request, whose time nobody tells: this is
		// the latest it can end.
		m.s.Phone.Sent.ResetAt, m.s.Phone.Sent.ResetIn = now.Add(max(m.s.Phone.Sent.ResetIn, 0)), 0
		m.s.LastError = e.Type
		m.wait(StateWaitEmailCode)
		return true
	}
	return m.onPhoneError(now, e) || m.stay(StateWaitEmailCode, e)
}

// addressMost bounds an e-mail address, in bytes (RFC 5321, 4.5.3.1).
const addressMost = 254

func (m *Machine) inputEmail(now time.Time, a Answer) error {
	switch m.s.State {
	case StateWaitEmailAddress, StateWaitEmailSetup:
	default:
		return m.misfit(a)
	}
	address := strings.TrimSpace(a.Email)
	name, host, ok := strings.Cut(address, "@")
	if !ok || name == "" || host == "" || len(address) > addressMost || strings.ContainsAny(address, " \t\r\n") {
		return &Error{Reason: ReasonAnswer, Message: "this is no e-mail address; write it as name@example.org"}
	}
	if err := m.early(now); err != nil {
		return err
	}
	m.s.Email, m.s.LastError, m.s.Tries = EmailPart{Address: address}, "", 0
	m.secret.provider = ""
	m.call(callVerifyCode)
	return nil
}

const providerApple, providerGoogle = "apple", "google"

// inputEmailToken takes a provider's word for an address, where the server does.
func (m *Machine) inputEmailToken(a Answer) error {
	switch m.s.State {
	case StateWaitEmailAddress, StateWaitEmailSetup, StateWaitEmailCode:
	default:
		return m.misfit(a)
	}
	sent := m.s.Phone.Sent
	if !(a.Provider == providerApple && sent.Apple || a.Provider == providerGoogle && sent.Google) {
		return &Error{Reason: ReasonAnswer, Message: "the server does not take a token of this provider here"}
	}
	if a.Token == "" {
		return &Error{Reason: ReasonAnswer, Message: "the token is missing"}
	}
	m.secret.code, m.secret.provider, m.s.LastError = a.Token, a.Provider, ""
	if m.s.State == StateWaitEmailCode {
		m.s.Repeats = 0
		m.call(callSignIn)
	} else {
		m.call(callVerifyEmail)
	}
	return nil
}

func (m *Machine) inputEmailSetup(a Answer) error {
	code, err := m.typedCode(SentCode{How: HowEmail, Length: m.s.Email.Length}, a.Code)
	if err != nil {
		return err
	}
	m.secret.code, m.secret.provider, m.s.LastError = code, "", ""
	m.call(callVerifyEmail)
	return nil
}

// inputResetEmail gives the login e-mail up.
func (m *Machine) inputResetEmail(now time.Time) error {
	sent := m.s.Phone.Sent
	switch {
	case m.s.State != StateWaitEmailCode:
		return m.misfit(Answer{Kind: AnswerResetEmail})
	case sent.ResetIn < 0:
		return &Error{Reason: ReasonAnswer, Message: "the server does not offer to reset the login e-mail; type the code that was sent, or cancel"}
	case now.Before(sent.ResetAt):
		return &Error{Reason: ReasonEarly, Until: sent.ResetAt, Message: "the login e-mail is being reset already, and that takes until then"}
	}
	if err := m.early(now); err != nil {
		return err
	}
	m.s.LastError = ""
	m.call(callResetEmail)
	return nil
}

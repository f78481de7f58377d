package login

import (
	"time"

	"github.com/mtfleet/mtfleet/mtproto/crypt"
	"github.com/mtfleet/mtfleet/mtproto/tgerr"
	"github.com/mtfleet/mtfleet/tl"
	"github.com/mtfleet/mtfleet/tl/tg"
)

// A forgotten two-step password: a code goes to the recovery e-mail, and whoever
// has it chooses a new password, or none. Without such an e-mail only the
// account's deletion remains, which nothing here does.
// https://core.telegram.org/api/srp#email-verification

const (
	callRequestRecovery call = "requestPasswordRecovery"
	callCheckRecovery   call = "checkRecoveryPassword"
	callRecover         call = "recoverPassword"
)

func (m *Machine) recoveryMethod(c call) (method, bool) {
	switch c {
	case callRequestRecovery:
		return method{
			state: StateRequestingRecovery,
			query: func(*Machine) tl.Object { return &tg.AuthRequestPasswordRecoveryRequest{} },
			answer: reads((*tg.AuthRequestPasswordRecoveryRequest)(nil).ParseResult, func(m *Machine, _ time.Time, v *tg.AuthPasswordRecovery) {
				m.s.Password.Pattern, m.s.LastError, m.s.Tries = v.EmailPattern, "", 0
				m.wait(StateWaitRecovery)
			}),
			refused: (*Machine).onRecoveryError,
			// The mail may have been sent all the same.
			lost:  func(m *Machine, _ time.Time) { m.s.LastError = answerLost; m.wait(StateWaitRecovery) },
			late:  (*Machine).laterPassword,
			tired: func(m *Machine, _ *tgerr.Error) { m.wait(StateWaitPassword) },
		}, true
	case callCheckRecovery:
		return method{
			state: StateCheckingRecovery,
			query: func(m *Machine) tl.Object {
				if m.secret.recovery == "" {
					return nil
				}
				return &tg.AuthCheckRecoveryPasswordRequest{Code: m.secret.recovery}
			},
			answer: reads((*tg.AuthCheckRecoveryPasswordRequest)(nil).ParseResult, func(m *Machine, _ time.Time, right bool) {
				if !right {
					m.wrongRecovery("CODE_INVALID")
					return
				}
				m.s.LastError, m.s.Tries = "", 0
				m.wait(StateWaitNewPassword)
			}),
			refused:   (*Machine).onRecoveryError,
			lost:      func(m *Machine, _ time.Time) { m.s.LastError = answerLost; m.wait(StateWaitRecovery) },
			forgotten: func(m *Machine) { m.wait(StateWaitRecovery) },
			late:      func(m *Machine, until time.Time) { m.s.Until = until; m.wait(StateWaitRecovery) },
			tired:     func(m *Machine, _ *tgerr.Error) { m.wait(StateWaitRecovery) },
		}, true
	case callRecover:
		return method{
			state: StateRecovering, signsIn: true,
			query: func(m *Machine) tl.Object {
				if m.secret.recovery == "" {
					return nil
				}
				return &tg.AuthRecoverPasswordRequest{Code: m.secret.recovery, NewSettings: m.secret.password.hash}
			},
			answer:    reads(tg.ParseAnyAuthAuthorization, (*Machine).onAuthorization),
			refused:   (*Machine).onRecoveryError,
			lost:      func(m *Machine, _ time.Time) { m.wait(StateWaitRecovery) },
			forgotten: func(m *Machine) { m.wait(StateWaitRecovery) },
			late:      func(m *Machine, until time.Time) { m.s.Until = until; m.wait(StateWaitNewPassword) },
			tired:     func(m *Machine, _ *tgerr.Error) { m.wait(StateWaitNewPassword) },
		}, true
	}
	return method{}, false
}

func (m *Machine) wrongRecovery(why string) {
	m.secret.recovery = ""
	m.s.Tries++
	m.s.LastError = why
	m.wait(StateWaitRecovery)
}

// onRecoveryError sorts the refusals of a recovery.
func (m *Machine) onRecoveryError(_ time.Time, e *tgerr.Error) bool {
	switch e.Type {
	case "CODE_EMPTY", "CODE_INVALID":
		m.wrongRecovery(e.Type)
	case "PASSWORD_EMPTY":
		m.onPasswordGone()
	case "PASSWORD_RECOVERY_NA":
		m.s.Password.Recovery = false
		m.s.LastError = e.Type
		m.wait(StateWaitPassword)
	case "PASSWORD_RECOVERY_EXPIRED":
		// Another mail is the human's to ask for.
		m.secret.recovery = ""
		m.s.LastError = e.Type
		m.wait(StateWaitPassword)
	default:
		to := StateWaitPassword
		switch call(m.s.Pending) {
		case callCheckRecovery:
			to = StateWaitRecovery
		case callRecover: // NEW_SETTINGS_INVALID, NEW_SALT_INVALID and their like
			to = StateWaitNewPassword
		}
		return m.stay(to, e)
	}
	return true
}

func (m *Machine) inputForgot(now time.Time) error {
	switch {
	case m.s.State == StateWaitRecovery: // the mail did not come
	case m.s.State != StateWaitPassword:
		return m.misfit(Answer{Kind: AnswerForgot})
	case !m.s.Password.Recovery:
		return &Error{Reason: ReasonAnswer, Message: "there is no recovery e-mail; the password can be reset in an official app that is signed in, which takes a week"}
	}
	if err := m.early(now); err != nil {
		return err
	}
	m.s.LastError, m.secret.recovery = "", ""
	m.call(callRequestRecovery)
	return nil
}

// recoveryMost bounds a code from a recovery e-mail, in bytes.
const recoveryMost = 256

func (m *Machine) inputRecovery(a Answer) error {
	code, err := m.typedCode(SentCode{How: HowEmail}, a.Code)
	if err != nil {
		return err
	}
	if len(code) > recoveryMost {
		return &Error{Reason: ReasonAnswer, Message: "this is not the code: it is too long"}
	}
	m.secret.recovery, m.s.LastError = code, ""
	m.call(callCheckRecovery)
	return nil
}

// hintMost bounds a hint, in characters.
const hintMost = 255

func (m *Machine) inputNewPassword(now time.Time, a Answer) error {
	none := a.Kind == AnswerNoPassword
	switch {
	case m.s.State != StateWaitNewPassword:
		return m.misfit(a)
	case !none && (a.Password == "" || len(a.Password) > passwordMost):
		return &Error{Reason: ReasonAnswer, Message: "the new password is missing, or far too long"}
	case !none && (a.Hint == a.Password || len([]rune(a.Hint)) > hintMost):
		return &Error{Reason: ReasonAnswer, Message: "the hint is too long, or gives the password away"}
	}
	if err := m.early(now); err != nil {
		return err
	}
	m.s.LastError, m.secret.password = "", passwordSecrets{}
	if none {
		m.call(callRecover)
		return nil
	}
	p := &m.secret.password
	p.want, p.text, p.hint = wishNew, a.Password, a.Hint
	m.s.LastError = restarted // as in inputPassword
	m.call(callGetPassword)
	return nil
}

// makePassword computes what the server is to keep of a new password.
func (m *Machine) makePassword(proposed tg.AnyPasswordKdfAlgo) {
	p := &m.secret.password
	algo, ok := readAlgo(proposed)
	if !ok {
		m.secret.password = passwordSecrets{}
		m.s.LastError = algoUnknown
		m.wait(StateWaitNewPassword)
		return
	}
	group, text := m.cfg.Group, []byte(p.text)
	m.s.LastError = ""
	p.text, p.params = "", srpParams{}
	random, ok := m.random(crypt.KeySize)
	if !ok {
		return
	}
	m.work(StateProving, func() WorkResult {
		made, hash, err := algo.NewPassword(group, random, text)
		clear(text)
		return WorkResult{err: err, made: made, hash: hash}
	})
}

func (m *Machine) onMade(r WorkResult) {
	if m.distrusts(r.err) {
		return
	}
	m.secret.password.hash = tl.Some(tg.AccountPasswordInputSettings{
		NewAlgo: tl.Some[tg.AnyPasswordKdfAlgo](&tg.PasswordKdfAlgoSHA256SHA256PBKDF2HMACSHA512iter100000SHA256ModPow{
			Salt1: r.made.Salt1, Salt2: r.made.Salt2, G: int32(r.made.G), P: r.made.P,
		}),
		NewPasswordHash: tl.Some(r.hash), Hint: tl.Some(m.secret.password.hint),
	})
	m.call(callRecover)
}

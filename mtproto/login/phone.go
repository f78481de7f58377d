package login

import (
	"strings"
	"time"

	"github.com/mtfleet/mtfleet/mtproto/dc"
	"github.com/mtfleet/mtfleet/mtproto/tgerr"
	"github.com/mtfleet/mtfleet/tl/tg"
)

func dcID(n int) dc.ID { return dc.ID(n) }

// onSentCode takes the answer of auth.sendCode and auth.resendCode.
func (m *Machine) onSentCode(now time.Time, v tg.AnyAuthSentCode) {
	switch v := v.(type) {
	case *tg.AuthSentCode:
		m.s.Hash = v.PhoneCodeHash // a new one with every code
		state := m.readSentCode(now, v)
		if m.s.Canceled {
			m.call(callCancelCode)
			return
		}
		m.s.LastError, m.s.Tries, m.s.Repeats = "", 0, 0
		m.wait(state)
	case *tg.AuthSentCodeSuccess:
		m.onAuthorization(now, v.Authorization)
	case *tg.AuthSentCodePaymentRequired:
		m.s.Hash = v.PhoneCodeHash
		if m.s.Canceled {
			m.call(callCancelCode)
			return
		}
		m.wait(StateWaitPayment)
	default:
		m.unreadable(now)
	}
}

// readSentCode remembers how the code travels and says what to wait for.
func (m *Machine) readSentCode(now time.Time, v *tg.AuthSentCode) State {
	timeout := time.Duration(max(v.Timeout.Or(0), 0)) * time.Second
	c := SentCode{SentAt: now, ResendAt: now.Add(timeout)}
	if next, ok := v.NextType.Get(); ok {
		c.Next = howOf(next)
	}
	state := StateWaitCode
	switch t := v.Type.(type) {
	case *tg.AuthSentCodeTypeApp:
		c.How, c.Length = HowApp, int(t.Length)
	case *tg.AuthSentCodeTypeSMS:
		c.How, c.Length = HowSMS, int(t.Length)
	case *tg.AuthSentCodeTypeFirebaseSMS:
		// Only official apps can pass its check; the SMS may come all the same.
		c.How, c.Length = HowSMS, int(t.Length)
	case *tg.AuthSentCodeTypeCall:
		c.How, c.Length = HowCall, int(t.Length)
	case *tg.AuthSentCodeTypeFlashCall:
		c.How, c.Pattern = HowFlashCall, t.Pattern
	case *tg.AuthSentCodeTypeMissedCall:
		c.How, c.Pattern, c.Length = HowMissedCall, t.Prefix, int(t.Length)
	case *tg.AuthSentCodeTypeFragmentSMS:
		c.How, c.URL, c.Length = HowFragment, t.URL, int(t.Length)
	case *tg.AuthSentCodeTypeSMSWord:
		c.How, c.Pattern = HowWord, t.Beginning.Or("")
	case *tg.AuthSentCodeTypeSMSPhrase:
		c.How, c.Pattern = HowPhrase, t.Beginning.Or("")
	case *tg.AuthSentCodeTypeEmailCode:
		c.How, c.Pattern, c.Length = HowEmail, t.EmailPattern, int(t.Length)
		state = StateWaitEmail
	case *tg.AuthSentCodeTypeSetUpEmailRequired:
		c.How = HowEmail
		state = StateWaitEmail
	}
	m.s.Sent = c
	return state
}

func howOf(next tg.AnyAuthCodeType) string {
	switch next.(type) {
	case *tg.AuthCodeTypeSMS:
		return HowSMS
	case *tg.AuthCodeTypeCall:
		return HowCall
	case *tg.AuthCodeTypeFlashCall:
		return HowFlashCall
	case *tg.AuthCodeTypeMissedCall:
		return HowMissedCall
	case *tg.AuthCodeTypeFragmentSMS:
		return HowFragment
	}
	return ""
}

// onAuthorization takes the answer of the calls that sign in.
func (m *Machine) onAuthorization(now time.Time, v tg.AnyAuthAuthorization) {
	switch v := v.(type) {
	case *tg.AuthAuthorization:
		a := &Authorization{
			FutureAuthToken:       v.FutureAuthToken.Value,
			TmpSessions:           int(v.TmpSessions.Or(0)),
			SetupPasswordRequired: v.SetupPasswordRequired,
			ReloginDays:           int(v.OtherwiseReloginDays.Or(0)),
		}
		if !a.readUser(v.User) {
			m.call(callProbe) // signed in, but as whom?
			return
		}
		m.signedIn(a)
	case *tg.AuthAuthorizationSignUpRequired:
		m.signUpRequired(v.TermsOfService.Value, nil)
	default:
		m.unreadable(now)
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
	return true
}

// signedIn ends the sign-in, or takes it back when nobody wants it any more,
// or when it is somebody else's.
func (m *Machine) signedIn(a *Authorization) {
	id, bot := botID(m.s.Token)
	switch {
	case m.s.Canceled:
		m.call(callLogOut)
	case bot != a.IsBot, bot && id != a.UserID:
		m.undo()
	default:
		m.done(a)
	}
}

// signUpRequired: the code was right, the number has no account.
func (m *Machine) signUpRequired(terms tg.HelpTermsOfService, e *tgerr.Error) {
	switch {
	case m.s.Canceled:
		m.endCanceled(nil)
	case m.s.Token != "":
		m.fail(&Error{Reason: ReasonServer, Message: "the server took the bot token for a new number; check it at @BotFather"})
	case !m.cfg.AllowSignUp:
		m.fail(signUpRefused(e))
	default:
		m.s.Code, m.s.LastError = "", ""
		m.s.Terms, m.s.MinAge = terms.Text, int(terms.MinAgeConfirm.Or(0))
		m.wait(StateWaitSignUp)
	}
}

func signUpRefused(e *tgerr.Error) *Error {
	err := &Error{Reason: ReasonSignUp, Message: "this number has no account, and new accounts are not made here; register it in an official app first"}
	if e != nil {
		err.Err = e
	}
	return err
}

// onOwnError sorts the refusals that belong to one of the calls.
func (m *Machine) onOwnError(now time.Time, e *tgerr.Error) {
	switch {
	case m.s.Token != "" && !tgerr.Is(e, "ACCESS_TOKEN_INVALID", "ACCESS_TOKEN_EXPIRED"),
		m.s.Hash == "" && tgerr.Is(e, "PHONE_CODE_INVALID", "PHONE_CODE_EMPTY", "SEND_CODE_UNAVAILABLE"),
		m.s.FirstName == "" && tgerr.Is(e, "FIRSTNAME_INVALID", "LASTNAME_INVALID"):
		m.refuseAll(e) // an answer to another question
		return
	}
	switch e.Type {
	case "PHONE_CODE_INVALID", "PHONE_CODE_EMPTY":
		m.s.Code = ""
		m.s.Tries++
		m.s.LastError = e.Type
		m.wait(StateWaitCode)
	case "PHONE_CODE_EXPIRED", "PHONE_CODE_HASH_EMPTY", "EMAIL_INSTALL_MISSING", "PHONE_NUMBER_OCCUPIED":
		m.forgetCode()
		m.s.LastError = e.Type
		m.wait(StateWaitNewCode)
	case "SEND_CODE_UNAVAILABLE":
		m.s.Sent.Next = ""
		m.s.LastError = e.Type
		m.wait(StateWaitCode)
	case "PHONE_NUMBER_INVALID":
		m.forgetCode()
		m.s.LastError = e.Type
		m.wait(StateWaitPhone)
	case "PHONE_NUMBER_UNOCCUPIED":
		m.signUpRequired(tg.HelpTermsOfService{}, e)
	case "PHONE_NUMBER_APP_SIGNUP_FORBIDDEN":
		m.fail(signUpRefused(e))
	case "FIRSTNAME_INVALID", "LASTNAME_INVALID":
		m.s.LastError = e.Type
		m.wait(StateWaitSignUp)
	case "SMS_CODE_CREATE_FAILED":
		if m.s.Retries < restartsMost {
			m.again(now)
			return
		}
		m.fail(&Error{Reason: ReasonServer, Err: e, Retry: true, Message: "the server could not make a code; try again later"})
	case "PHONE_NUMBER_BANNED":
		m.fail(&Error{Reason: ReasonBanned, Err: e, Message: "this number is banned; an official app tells how to appeal"})
	case "PHONE_PASSWORD_PROTECTED":
		m.fail(&Error{Reason: ReasonBanned, Err: e, Message: "this number is protected by a password; sign in with an official app first"})
	case "ACCESS_TOKEN_INVALID", "ACCESS_TOKEN_EXPIRED":
		m.fail(&Error{Reason: ReasonToken, Err: e, Message: "the server does not know this bot token; copy it from @BotFather again, or make a new one there"})
	default:
		m.refuseAll(e)
	}
}

// refuseAll ends the sign-in for an error that nobody expects here.
func (m *Machine) refuseAll(e *tgerr.Error) {
	m.fail(&Error{Reason: ReasonServer, Err: e, Retry: e.Code == 401, Message: "the server refused the sign-in"})
}

// forgetCode drops everything about the code on its way.
func (m *Machine) forgetCode() {
	m.s.Hash, m.s.Code, m.s.Sent = "", "", SentCode{}
	m.s.Tries, m.s.Repeats, m.s.Until = 0, 0, time.Time{}
	m.s.FirstName, m.s.LastName, m.s.Terms, m.s.MinAge = "", "", "", 0
}

package login

import (
	"time"

	"github.com/mtfleet/mtfleet/tl/tg"
)

// What the server says about a code it sent, after any of the calls that answer
// so: auth.sendCode, resendCode, resetLoginEmail, checkPaidAuth and
// account.verifyEmail.

// A SentCode is what is known about a code on its way.
type SentCode struct {
	How      string       `json:"how,omitempty"`
	Length   int          `json:"length,omitempty"`
	Pattern  string       `json:"pattern,omitempty"`
	URL      string       `json:"url,omitempty"`
	Next     string       `json:"next,omitempty"`
	SentAt   time.Time    `json:"sent_at,omitzero"`
	ResendAt time.Time    `json:"resend_at,omitzero"`
	Firebase FirebaseTask `json:"firebase,omitzero"`
	// Of a login e-mail: who may vouch for it, and when it can be or will be
	// reset. ResetIn is -1 when the server says nothing of it.
	Apple   bool          `json:"apple,omitempty"`
	Google  bool          `json:"google,omitempty"`
	ResetIn time.Duration `json:"reset_in,omitempty"`
	ResetAt time.Time     `json:"reset_at,omitzero"`
}

// onSentCode takes the answer of auth.sendCode and of all that answer like it.
func (m *Machine) onSentCode(now time.Time, v tg.AnyAuthSentCode) {
	switch v := v.(type) {
	case *tg.AuthSentCode:
		m.s.Phone.Hash = v.PhoneCodeHash // a new one with every code
		state := m.readSentCode(now, v)
		if m.s.Canceled {
			m.call(callCancelCode)
			return
		}
		m.s.LastError, m.s.Tries, m.s.Repeats = "", 0, 0
		m.s.Phone.Payment = Payment{}
		m.wait(state)
	case *tg.AuthSentCodeSuccess:
		m.onAuthorization(now, v.Authorization)
	case *tg.AuthSentCodePaymentRequired:
		m.onPaymentRequired(v)
	default:
		m.unreadable()
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
		if m.cfg.firebase() {
			c.How, c.Firebase, state = HowFirebase, firebaseTask(t), StateWaitFirebase
		}
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
		readEmailCode(&c, m.clock, t)
		state = StateWaitEmailCode
	case *tg.AuthSentCodeTypeSetUpEmailRequired:
		c.How, c.Apple, c.Google, c.ResetIn = HowEmail, t.AppleSigninAllowed, t.GoogleSigninAllowed, -1
		m.s.Email = EmailPart{}
		state = StateWaitEmailAddress
	}
	m.s.Phone.Sent = c
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

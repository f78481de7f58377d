package login

import (
	"fmt"
	"strings"
	"time"

	"github.com/mtfleet/mtfleet/mtproto/tgerr"
	"github.com/mtfleet/mtfleet/tl"
	"github.com/mtfleet/mtfleet/tl/tg"
)

// A new account: the first factor was right and the number has none. Only on
// test DCs.

const (
	callSignUp    call = "signUp"
	callPNVSignUp call = "firebasePnvSignUp"
)

// SignUpPart is what is stored of a new account.
type SignUpPart struct {
	FirstName string `json:"first_name,omitempty"`
	LastName  string `json:"last_name,omitempty"`
	Terms     string `json:"terms,omitempty"`
	MinAge    int    `json:"min_age,omitempty"`
}

func (m *Machine) signUpMethod(c call) (method, bool) {
	what := method{
		state: StateSigningUp, signsIn: true,
		answer: reads(tg.ParseAnyAuthAuthorization, (*Machine).onAuthorization),
		refused: func(m *Machine, now time.Time, e *tgerr.Error) bool {
			switch e.Type {
			case "FIRSTNAME_INVALID", "LASTNAME_INVALID":
				m.s.LastError = e.Type
				m.wait(StateWaitSignUp)
				return true
			case "PHONE_CODE_INVALID", "PHONE_CODE_EMPTY": // there is no code in it
				e = tgerr.New(e.Code, "PHONE_CODE_EXPIRED")
			}
			return m.s.Flow == FlowPhone && m.onPhoneError(now, e)
		},
		// It is never repeated by itself.
		lost: func(m *Machine, _ time.Time) { m.wait(StateWaitSignUp) },
	}
	switch c {
	case callSignUp:
		what.late, what.tired = (*Machine).laterCode, (*Machine).newCode
		what.query = func(m *Machine) tl.Object {
			return &tg.AuthSignUpRequest{
				NoJoinedNotifications: true, PhoneNumber: m.s.Phone.Number, PhoneCodeHash: m.s.Phone.Hash,
				FirstName: m.s.SignUp.FirstName, LastName: m.s.SignUp.LastName,
			}
		}
	case callPNVSignUp:
		what.query = func(m *Machine) tl.Object {
			return &tg.AuthFirebasePnvSignUpRequest{NoJoinedNotifications: true, FirstName: m.s.SignUp.FirstName, LastName: m.s.SignUp.LastName}
		}
	default:
		return method{}, false
	}
	return what, true
}

// signUpRequired: the first factor was right, there is no account.
func (m *Machine) signUpRequired(terms tg.HelpTermsOfService, e *tgerr.Error) {
	switch {
	case m.s.Canceled:
		m.endCanceled(nil)
	case m.s.Flow == FlowBot:
		m.fail(&Error{Reason: ReasonServer, Message: "the server took the bot token for a new number; check it at @BotFather"})
	case m.s.Flow != FlowPhone && m.s.Flow != FlowPNV:
		m.fail(&Error{Reason: ReasonServer, Message: "the server wants a new account to be made, which only a phone number can begin"})
	case !m.cfg.AllowSignUp:
		m.fail(signUpRefused(e))
	default:
		m.secret.code, m.s.LastError = "", ""
		m.s.SignUp = SignUpPart{Terms: terms.Text, MinAge: int(terms.MinAgeConfirm.Or(0))}
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
	m.s.SignUp.FirstName, m.s.SignUp.LastName, m.s.LastError = first, last, ""
	if m.s.Flow == FlowPNV {
		m.call(callPNVSignUp)
	} else {
		m.call(callSignUp)
	}
	return nil
}

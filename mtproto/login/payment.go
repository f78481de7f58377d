package login

import (
	"time"

	"github.com/mtfleet/mtfleet/mtproto/tgerr"
	"github.com/mtfleet/mtfleet/tl"
	"github.com/mtfleet/mtfleet/tl/tg"
)

// A sign-in that must be paid for. Nothing is bought here: what is due is shown,
// and the server is asked whether it was paid when somebody says so.
// https://core.telegram.org/api/auth#paid-logins

const callCheckPaid call = "checkPaidAuth"

// Payment is what the server wants to be paid.
type Payment struct {
	Product  string `json:"product,omitempty"` // in an app store
	Days     int    `json:"days,omitempty"`    // of Premium that come with it
	Currency string `json:"currency,omitempty"`
	Amount   int64  `json:"amount,omitempty"` // in the currency's smallest unit
	// Mail and Subject reach the support.
	Mail    string `json:"mail,omitempty"`
	Subject string `json:"subject,omitempty"`
	// FormID is the form that was paid.
	FormID int64 `json:"form_id,omitempty"`
}

func (m *Machine) paymentMethod(c call) (method, bool) {
	if c != callCheckPaid {
		return method{}, false
	}
	return method{
		state: StateCheckingPayment, signsIn: true,
		query: func(m *Machine) tl.Object {
			return &tg.AuthCheckPaidAuthRequest{PhoneNumber: m.s.Phone.Number, PhoneCodeHash: m.s.Phone.Hash, FormID: m.s.Phone.Payment.FormID}
		},
		answer: reads(tg.ParseAnyAuthSentCode, (*Machine).onSentCode),
		refused: func(m *Machine, now time.Time, e *tgerr.Error) bool {
			return m.onPhoneError(now, e) || m.stay(StateWaitPayment, e)
		},
		lost: func(m *Machine, _ time.Time) { m.wait(StateWaitPayment) },
		late: func(m *Machine, until time.Time) { m.s.Until = until; m.wait(StateWaitPayment) },
	}, true
}

// onPaymentRequired is also the answer to whether it was paid: no.
func (m *Machine) onPaymentRequired(v *tg.AuthSentCodePaymentRequired) {
	asked := m.s.Phone.Payment.FormID
	m.s.Phone.Hash = v.PhoneCodeHash
	m.s.Phone.Payment = Payment{
		Product: v.StoreProduct, Days: int(v.PremiumDays), Currency: v.Currency, Amount: v.Amount,
		Mail: v.SupportEmailAddress, Subject: v.SupportEmailSubject,
	}
	if m.s.Canceled {
		m.call(callCancelCode)
		return
	}
	if m.s.LastError = ""; asked != 0 {
		m.s.LastError = notPaid
	}
	m.wait(StateWaitPayment)
}

func (m *Machine) inputPaid(now time.Time, a Answer) error {
	switch {
	case m.s.State != StateWaitPayment:
		return m.misfit(a)
	case a.FormID == 0:
		return &Error{Reason: ReasonAnswer, Message: "form_id is missing: the id of the payment form that was paid"}
	}
	if err := m.early(now); err != nil {
		return err
	}
	m.s.Phone.Payment.FormID, m.s.LastError = a.FormID, ""
	m.call(callCheckPaid)
	return nil
}

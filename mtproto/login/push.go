package login

import (
	"time"

	"github.com/mtfleet/mtfleet/tl"
	"github.com/mtfleet/mtfleet/tl/tg"
)

// Pushed takes what the server sends unasked during a sign-in: the bytes of one
// Updates, or of one Update. What is no business of a sign-in, or cannot be
// read, is ignored: every push is also found by the next call.
func (m *Machine) Pushed(now time.Time, body []byte) {
	if !m.started || m.s.State.over() {
		return
	}
	r := tl.NewReader(body)
	switch r.PeekID() {
	case tg.UpdateLoginTokenID, tg.UpdateSentPhoneCodeID:
		m.pushed(now, body)
		return
	}
	v := tg.ParseAnyUpdates(r)
	if r.End() != nil {
		return
	}
	switch v := v.(type) {
	case *tg.UpdateShort:
		m.pushed(now, v.Update)
	case *tg.Updates:
		for _, u := range v.Updates {
			m.pushed(now, u)
		}
	case *tg.UpdatesCombined:
		for _, u := range v.Updates {
			m.pushed(now, u)
		}
	}
}

func (m *Machine) pushed(now time.Time, update tl.Raw) {
	r := tl.NewReader(update)
	switch r.PeekID() {
	case tg.UpdateLoginTokenID:
		m.onScanned()
	case tg.UpdateSentPhoneCodeID:
		v := new(tg.UpdateSentPhoneCode)
		if v.Parse(r); r.End() == nil && m.s.State == StateWaitPayment && !m.s.Canceled {
			m.onSentCode(now, v.SentCode) // it was paid for in a store
		}
	}
}

// onScanned: somebody scanned the code. The next export says who; one that is
// under way may have missed it.
func (m *Machine) onScanned() {
	switch {
	case m.s.State == StateWaitScan:
		m.secret.link = ""
		m.call(callExportToken)
	case m.s.State == StateExporting:
		m.s.QR.Again = true
	}
}

package login

import (
	"time"

	"github.com/mtfleet/mtfleet/mtproto/tgerr"
	"github.com/mtfleet/mtfleet/tl"
	"github.com/mtfleet/mtfleet/tl/tg"
)

// The sign-in by a number that the carrier vouches for (Firebase phone number
// verification). Experimental: nobody has published what these methods mean.
// What is here follows from their names and types: an intent for the device's
// credential manager, whose token is given back; a new number signs up.

const (
	callInitPNV   call = "initFirebasePnvLogin"
	callFinishPNV call = "finishFirebasePnvLogin"
)

// pnvIntent is for the device's credential manager.
type pnvIntent struct{ nonce, payload string }

func (m *Machine) pnvMethod(c call) (method, bool) {
	switch c {
	case callInitPNV:
		return method{
			state: StateStartingPNV, repeatable: true, moves: true, patient: true,
			query: func(m *Machine) tl.Object {
				return &tg.AuthInitFirebasePnvLoginRequest{APIID: m.cfg.APIID, APIHash: m.cfg.APIHash}
			},
			answer: reads((*tg.AuthInitFirebasePnvLoginRequest)(nil).ParseResult, func(m *Machine, _ time.Time, v *tg.AuthFirebasePnvIntent) {
				m.secret.pnv = pnvIntent{v.Nonce, v.DigitalCredentialPayload}
				m.wait(StateWaitPNV)
			}),
			lost: repeat(callInitPNV),
		}, true
	case callFinishPNV:
		return method{
			// The server knows whose number it is when it has the token, and may only
			// then say where that lives.
			state: StateFinishingPNV, signsIn: true, moves: true,
			query: func(m *Machine) tl.Object {
				if m.secret.google == "" {
					return nil
				}
				return &tg.AuthFinishFirebasePnvLoginRequest{GoogleToken: m.secret.google}
			},
			answer:    reads(tg.ParseAnyAuthAuthorization, (*Machine).onAuthorization),
			refused:   (*Machine).onPNVError,
			lost:      func(m *Machine, _ time.Time) { m.pnvAgain(answerLost) },
			forgotten: func(m *Machine) { m.pnvAgain(restarted) },
			tired:     func(m *Machine, e *tgerr.Error) { m.pnvAgain(e.Type) },
		}, true
	}
	return method{}, false
}

// onPNVError asks for another token where the server does not take this one,
// which may be good where its intent came from alone.
func (m *Machine) onPNVError(_ time.Time, e *tgerr.Error) bool {
	if e.Type != "AUTH_TOKEN_INVALID" && e.Type != "AUTH_TOKEN_EXPIRED" || m.s.Repeats >= restartsMost {
		return false
	}
	m.s.Repeats++
	m.pnvAgain(e.Type)
	return true
}

func (m *Machine) pnvAgain(why string) {
	m.secret.google, m.s.LastError = "", why
	m.call(callInitPNV)
}

func (m *Machine) inputPNV(a Answer) error {
	switch {
	case m.s.State != StateWaitPNV:
		return m.misfit(a)
	case a.Token == "" || len(a.Token) > credentialMost:
		return &Error{Reason: ReasonAnswer, Message: "the token is missing, or far too long"}
	}
	m.secret.google, m.secret.pnv, m.s.LastError = a.Token, pnvIntent{}, ""
	m.call(callFinishPNV)
	return nil
}

package login

import (
	"encoding/base64"
	"time"

	"github.com/mtfleet/mtfleet/mtproto/tgerr"
	"github.com/mtfleet/mtfleet/tl"
	"github.com/mtfleet/mtfleet/tl/tg"
)

// A text message by Firebase: the device proves to be an official app, which is
// done outside and cannot be done by any other; then the message is sent.

const callRequestSMS call = "requestFirebaseSms"

// A FirebaseTask is what the device is to sign, or what it is to wait for.
type FirebaseTask struct {
	// Nonce is for SafetyNet, base64.
	Nonce string `json:"nonce,omitempty"`
	// Project and PlayNonce (base64) are for Play Integrity.
	Project   int64  `json:"project,omitempty"`
	PlayNonce string `json:"play_nonce,omitempty"`
	// Receipt comes with a push, within PushTimeout seconds.
	Receipt     string `json:"receipt,omitempty"`
	PushTimeout int    `json:"push_timeout,omitempty"`
}

func firebaseTask(t *tg.AuthSentCodeTypeFirebaseSMS) FirebaseTask {
	return FirebaseTask{
		Nonce:     base64.StdEncoding.EncodeToString(t.Nonce.Value),
		Project:   t.PlayIntegrityProjectID.Or(0),
		PlayNonce: base64.StdEncoding.EncodeToString(t.PlayIntegrityNonce.Value),
		Receipt:   t.Receipt.Or(""), PushTimeout: int(t.PushTimeout.Or(0)),
	}
}

// firebaseProof is one of three.
type firebaseProof struct{ safetyNet, playIntegrity, iosPush string }

func (m *Machine) firebaseMethod(c call) (method, bool) {
	if c != callRequestSMS {
		return method{}, false
	}
	return method{
		state: StateRequestingSMS,
		query: func(m *Machine) tl.Object {
			proof := m.secret.firebase
			if proof == (firebaseProof{}) {
				return nil
			}
			return &tg.AuthRequestFirebaseSMSRequest{
				PhoneNumber: m.s.Phone.Number, PhoneCodeHash: m.s.Phone.Hash,
				SafetyNetToken: optional(proof.safetyNet), PlayIntegrityToken: optional(proof.playIntegrity), IosPushSecret: optional(proof.iosPush),
			}
		},
		answer: reads((*tg.AuthRequestFirebaseSMSRequest)(nil).ParseResult, func(m *Machine, _ time.Time, sent bool) {
			m.secret.firebase = firebaseProof{}
			switch {
			case sent:
				m.s.Phone.Sent.How, m.s.Phone.Sent.Firebase = HowSMS, FirebaseTask{}
				m.wait(StateWaitCode)
			default:
				m.s.LastError = firebaseRefused
				m.wait(StateWaitFirebase)
			}
		}),
		refused: func(m *Machine, now time.Time, e *tgerr.Error) bool {
			m.secret.firebase = firebaseProof{}
			if e.Type == "PHONE_CODE_EMPTY" { // of the handle: there is no code in it
				e = tgerr.New(e.Code, "PHONE_CODE_EXPIRED")
			}
			return m.onPhoneError(now, e) || m.stay(StateWaitFirebase, e)
		},
		lost:      (*Machine).waitCodeAgain,
		forgotten: func(m *Machine) { m.wait(StateWaitFirebase) },
		late:      (*Machine).laterCode,
		tired:     (*Machine).newCode,
	}, true
}

func optional(s string) tl.Opt[string] {
	if s == "" {
		return tl.Opt[string]{}
	}
	return tl.Some(s)
}

func (m *Machine) inputFirebase(a Answer) error {
	proof := firebaseProof{safetyNet: a.SafetyNet, playIntegrity: a.PlayIntegrity, iosPush: a.IOSPushSecret}
	given := 0
	for _, s := range []string{proof.safetyNet, proof.playIntegrity, proof.iosPush} {
		if s != "" {
			given++
		}
	}
	switch {
	case m.s.State != StateWaitFirebase:
		return m.misfit(a)
	case given != 1:
		return &Error{Reason: ReasonAnswer, Message: "exactly one proof is needed: play_integrity, safety_net or ios_push_secret"}
	}
	m.secret.firebase, m.s.LastError = proof, ""
	m.call(callRequestSMS)
	return nil
}

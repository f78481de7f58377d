package login

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/mtfleet/mtfleet/mtproto/dc"
)

// snapshotVersion is the version of the stored form. Version 1 knew the phone
// and the bot, and stored the code and the token; it is read and never written.
const snapshotVersion = 2

// A Snapshot is all that is stored of a sign-in: what the shell knows, and the
// part of each room that its flow passes through. Codes, passwords, tokens, QR
// codes and what was exported are not in it: after a restart whoever has them is
// asked again. It holds the number and the handle of a code: store it sealed, do
// not log it.
type Snapshot struct {
	Flow  Flow  `json:"flow"`
	State State `json:"state"`

	// Attempt tells the steps of this sign-in from those of others, Asked is the
	// number of the newest one, Answered that of the last one answered.
	Attempt  string `json:"attempt,omitempty"`
	Asked    int    `json:"asked,omitempty"`
	Answered int    `json:"answered,omitempty"`

	// Pending is the query under way, or the one to repeat after a wait or a
	// migration; Probed is the one whose answer was lost.
	Pending string    `json:"pending,omitempty"`
	Probed  string    `json:"probed,omitempty"`
	Until   time.Time `json:"until,omitzero"`   // end of StateWaiting; earliest new try of others
	Imposed bool      `json:"imposed,omitzero"` // the wait is the server's
	DC      dc.ID     `json:"dc,omitempty"`     // where calls go
	Target  dc.ID     `json:"target,omitempty"` // of StateMigrating

	Hops      int    `json:"hops,omitempty"`       // migrations so far
	Retries   int    `json:"retries,omitempty"`    // repeats of the pending query
	Troubles  int    `json:"troubles,omitempty"`   // those after the server's own errors
	Repeats   int    `json:"repeats,omitempty"`    // calls made anew within the attempt
	Tries     int    `json:"tries,omitempty"`      // wrong answers to this question
	LastError string `json:"last_error,omitempty"` // for the step

	Half     bool   `json:"half,omitempty"`     // the first factor was taken: a password is owed
	Canceled bool   `json:"canceled,omitempty"` // end as soon as it is safe
	Undo     Ending `json:"undo,omitzero"`      // log out again, and why

	Phone    PhonePart    `json:"phone,omitzero"`
	SignUp   SignUpPart   `json:"sign_up,omitzero"`
	Email    EmailPart    `json:"email,omitzero"`
	Password PasswordPart `json:"password,omitzero"`
	QR       QRPart       `json:"qr,omitzero"`
	Bot      BotPart      `json:"bot,omitzero"`
	Web      WebPart      `json:"web,omitzero"`
	Passkey  PasskeyPart  `json:"passkey,omitzero"`
	Import   ImportPart   `json:"import,omitzero"`

	old oldSecrets // of version 1, for this process alone
}

// sensible reports whether it can be gone on from: its flow is one, passes
// through its state, and has no part of another.
func (s Snapshot) sensible() bool {
	spec, ok := s.Flow.spec()
	if !ok || !spec.may(s.State) || s.State == StateMigrating && !s.Target.Valid() {
		return false
	}
	if s.State.over() {
		return true
	}
	phone, bot := s.Flow == FlowPhone, s.Flow == FlowBot
	switch {
	case phone && !storedPhone(s.Phone.Number), bot != (s.Bot.ID > 0),
		s.Flow == FlowPNV && s.Phone.Number != "" && !storedPhone(s.Phone.Number),
		!phone && (s.Phone != PhonePart{Number: s.pnvNumber()} || s.Email != EmailPart{}),
		!phone && s.Flow != FlowPNV && s.SignUp != SignUpPart{},
		bot && s.Password != PasswordPart{},
		s.Flow != FlowQR && s.QR != QRPart{},
		s.Flow != FlowWeb && s.Web != WebPart{},
		s.Flow != FlowPasskey && s.Passkey != PasskeyPart{},
		s.Flow != FlowImport && s.Import != ImportPart{}:
		return false
	}
	return true
}

// pnvNumber is the one that is expected of a carrier, if there is any.
func (s Snapshot) pnvNumber() string {
	if s.Flow == FlowPNV {
		return s.Phone.Number
	}
	return ""
}

// String names the state alone.
func (s Snapshot) String() string { return s.State.String() }

// GoString is String.
func (s Snapshot) GoString() string { return s.String() }

// ErrVersion says that a stored sign-in was written by a later version.
var ErrVersion = errors.New("the stored sign-in is of an unknown version")

type storedSnapshot struct {
	Version int `json:"v"`
	Snapshot
}

// Encode gives the stored form of a snapshot. It holds secrets.
func (s Snapshot) Encode() ([]byte, error) {
	b, err := json.Marshal(storedSnapshot{snapshotVersion, s})
	if err != nil {
		return nil, fmt.Errorf("encoding a sign-in: %w", err)
	}
	return b, nil
}

// DecodeSnapshot reads the stored form. Unknown versions, fields and states
// are errors: a later version knew something we would forget.
func DecodeSnapshot(b []byte) (Snapshot, error) {
	var head struct {
		Version int `json:"v"`
	}
	if err := json.Unmarshal(b, &head); err != nil {
		return Snapshot{}, errors.New("the stored sign-in is not readable")
	}
	switch head.Version {
	case 1:
		var old snapshotV1
		if err := decodeStrictly(b, &old); err != nil {
			return Snapshot{}, err
		}
		return old.upgrade(), nil
	case snapshotVersion:
		var stored storedSnapshot
		if err := decodeStrictly(b, &stored); err != nil {
			return Snapshot{}, err
		}
		return stored.Snapshot, nil
	}
	return Snapshot{}, fmt.Errorf("%w: %d", ErrVersion, head.Version)
}

func decodeStrictly(b []byte, to any) error {
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if d.Decode(to) != nil {
		// The decoder's own words may quote a secret.
		return errors.New("the stored sign-in has fields or values of an unknown kind")
	}
	return nil
}

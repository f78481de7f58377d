package login

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/mtfleet/mtfleet/mtproto/dc"
)

// snapshotVersion is the version of the stored form.
const snapshotVersion = 1

// A Snapshot is all that a machine needs to go on after a restart. It holds
// the number, the code handle, the bot token: store it sealed, do not log it.
type Snapshot struct {
	State State `json:"state"`

	Phone string `json:"phone,omitempty"` // digits only
	Token string `json:"token,omitempty"` // of a bot; empty for a phone login

	Hash string   `json:"hash,omitempty"` // phone_code_hash of the newest code
	Sent SentCode `json:"sent,omitzero"`  // how that code travels
	Code string   `json:"code,omitempty"` // the code being tried

	FirstName string `json:"first_name,omitempty"` // of a new account
	LastName  string `json:"last_name,omitempty"`
	Terms     string `json:"terms,omitempty"`
	MinAge    int    `json:"min_age,omitempty"`

	// Pending is the query under way, or the one to repeat after a wait or a
	// migration.
	Pending string    `json:"pending,omitempty"`
	Until   time.Time `json:"until,omitzero"`   // end of StateWaiting; earliest new code
	Imposed bool      `json:"imposed,omitzero"` // the wait is the server's
	Target  dc.ID     `json:"target,omitempty"` // of StateMigrating

	Offered   bool   `json:"offered,omitempty"`    // future auth tokens went with the last auth.sendCode
	Hops      int    `json:"hops,omitempty"`       // migrations so far
	Retries   int    `json:"retries,omitempty"`    // repeats of the pending query
	Troubles  int    `json:"troubles,omitempty"`   // those after the server's own errors
	Repeats   int    `json:"repeats,omitempty"`    // sign-ins repeated after a lost answer
	Tries     int    `json:"tries,omitempty"`      // wrong codes so far
	LastError string `json:"last_error,omitempty"` // for the step

	Canceled  bool   `json:"canceled,omitempty"`   // end as soon as it is safe
	Undo      bool   `json:"undo,omitempty"`       // log out again: signed in as somebody else
	NextPhone string `json:"next_phone,omitempty"` // to try after cancelCode
}

// A SentCode is what is known about a code on its way.
type SentCode struct {
	How      string    `json:"how,omitempty"`
	Length   int       `json:"length,omitempty"`
	Pattern  string    `json:"pattern,omitempty"`
	URL      string    `json:"url,omitempty"`
	Next     string    `json:"next,omitempty"`
	SentAt   time.Time `json:"sent_at,omitzero"`
	ResendAt time.Time `json:"resend_at,omitzero"`
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
	if head.Version != snapshotVersion {
		return Snapshot{}, fmt.Errorf("%w: %d", ErrVersion, head.Version)
	}
	var stored storedSnapshot
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(&stored); err != nil {
		// The decoder's own words may quote a secret.
		return Snapshot{}, errors.New("the stored sign-in has fields or values of an unknown kind")
	}
	return stored.Snapshot, nil
}

package login

import (
	"time"

	"github.com/mtfleet/mtfleet/mtproto/dc"
)

// snapshotV1 is the stored form of version 1. Its flow shows in what is empty.
type snapshotV1 struct {
	Version int     `json:"v"`
	State   stateV1 `json:"state"`

	Phone string   `json:"phone"`
	Token string   `json:"token"`
	Hash  string   `json:"hash"`
	Sent  SentCode `json:"sent"`
	Code  string   `json:"code"`

	FirstName string `json:"first_name"`
	LastName  string `json:"last_name"`
	Terms     string `json:"terms"`
	MinAge    int    `json:"min_age"`

	Pending string    `json:"pending"`
	Until   time.Time `json:"until"`
	Imposed bool      `json:"imposed"`
	Target  dc.ID     `json:"target"`

	Offered   bool   `json:"offered"`
	Hops      int    `json:"hops"`
	Retries   int    `json:"retries"`
	Troubles  int    `json:"troubles"`
	Repeats   int    `json:"repeats"`
	Tries     int    `json:"tries"`
	LastError string `json:"last_error"`

	Canceled  bool   `json:"canceled"`
	Undo      bool   `json:"undo"`
	NextPhone string `json:"next_phone"`
}

// stateV1 is a state by the name it had in version 1.
type stateV1 struct {
	State
	email bool
}

// UnmarshalText reads the name. One state has become two.
func (s *stateV1) UnmarshalText(text []byte) error {
	if string(text) == "wait-email" {
		s.email = true
		return nil
	}
	return s.State.UnmarshalText(text)
}

// oldSecrets is what version 1 stored and this one does not: it is good for the
// process that read it.
type oldSecrets struct{ Code, Token string }

// upgrade returns the same sign-in in the form of this version.
func (v snapshotV1) upgrade() Snapshot {
	s := Snapshot{
		Flow: FlowPhone, State: v.State.State,
		Pending: v.Pending, Until: v.Until, Imposed: v.Imposed, Target: v.Target,
		Hops: v.Hops, Retries: v.Retries, Troubles: v.Troubles, Repeats: v.Repeats, Tries: v.Tries,
		LastError: v.LastError, Canceled: v.Canceled,
		Phone:  PhonePart{Number: v.Phone, Hash: v.Hash, Sent: v.Sent, Offered: v.Offered, Next: v.NextPhone},
		SignUp: SignUpPart{FirstName: v.FirstName, LastName: v.LastName, Terms: v.Terms, MinAge: v.MinAge},
		old:    oldSecrets{Code: v.Code, Token: v.Token},
	}
	switch {
	case v.Token != "":
		id, _ := botID(v.Token)
		s.Flow, s.Bot = FlowBot, BotPart{ID: id}
		if v.Phone != "" {
			s.Flow = "" // of two: it makes no sense
		}
	case v.State.email && (v.Sent.Length > 0 || v.Sent.Pattern != ""):
		s.State = StateWaitEmailCode
	case v.State.email:
		s.State = StateWaitEmailAddress
	}
	if v.Undo {
		s.Undo = endingOf(nobodyKnows())
	}
	s.Half = s.State == StateWaitPassword
	if s.State == StateProbing || s.Pending == string(callProbe) {
		s.Probed = string(v.probed())
	}
	return s
}

// probed is the call whose answer was lost.
func (v snapshotV1) probed() call {
	switch {
	case v.Token != "":
		return callImportBot
	case v.FirstName != "":
		return callSignUp
	case v.Hash == "":
		return callSendCode
	}
	return callSignIn
}

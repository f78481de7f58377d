package login

import (
	"fmt"
	"time"

	"github.com/mtfleet/mtfleet/mtproto/tgerr"
	"github.com/mtfleet/mtfleet/tl"
	"github.com/mtfleet/mtfleet/tl/tg"
)

// A session that another program made: its perm key is in the store, and signed in
// already. All there is to do is to ask the server whose it is. Whatever comes of
// that, nothing is ended at the server: the session is the source's, and what is
// not taken in stays as it was.

const callIdentify call = "identify"

// ImportPart is what is stored of a session that is brought in.
type ImportPart struct {
	// UserID is whose the session says it is; 0: it does not say.
	UserID int64 `json:"user_id,omitempty"`
	// Bot says whether that is a bot; empty: it does not say.
	Bot Said `json:"bot,omitempty"`
}

// Said is what a session says about a yes or no.
type Said string

// What it says, if anything.
const (
	SaidYes Said = "yes"
	SaidNo  Said = "no"
)

// NewImport returns the taking in of a session whose perm key is in the store, at
// its home DC. It fails with an *Error. An [Attempt] of it is made by [Resume]:
// its snapshot is on disk together with the key, before anything is sent.
func NewImport(cfg Config, session ImportPart) (*Machine, error) {
	return newMachine(cfg, Snapshot{Flow: FlowImport, Import: session})
}

func (m *Machine) importMethod(c call) (method, bool) {
	if c != callIdentify {
		return method{}, false
	}
	return method{
		state: StateIdentifying, repeatable: true, patient: true,
		query: func(*Machine) tl.Object {
			return &tg.UsersGetUsersRequest{ID: []tg.AnyInputUser{&tg.InputUserSelf{}}}
		},
		answer:  reads((*tg.UsersGetUsersRequest)(nil).ParseResult, (*Machine).onIdentified),
		refused: (*Machine).onIdentifyRefused,
		lost:    repeat(callIdentify),
	}, true
}

// onIdentified takes who the session signs in.
func (m *Machine) onIdentified(_ time.Time, users []tg.AnyUser) {
	a, says := new(Authorization), m.s.Import
	if len(users) != 1 || !a.readUser(users[0]) {
		m.fail(&Error{Reason: ReasonSession, Message: "the server does not say whose this session is; nothing of it was kept"})
		return
	}
	switch bot := says.Bot == SaidYes; {
	case says.UserID != 0 && says.UserID != a.UserID, m.cfg.WantUser != 0 && m.cfg.WantUser != a.UserID:
		m.fail(&Error{Reason: ReasonOther, Message: fmt.Sprintf("this session is of user %d to the server, and of another one by what it says itself; nothing of it was kept", a.UserID)})
		return
	case says.Bot != "" && bot != a.IsBot:
		m.fail(&Error{Reason: ReasonOther, Message: "this session says that it is of a bot and is of a person, or the other way round; nothing of it was kept"})
		return
	}
	if m.cfg.HoldUser != nil {
		if account := m.cfg.HoldUser(a.UserID); account != "" {
			m.fail(AlreadyHere(account))
			return
		}
	}
	m.done(a)
}

// AlreadyHere refuses a session whose user another account is.
func AlreadyHere(account string) *Error {
	e := already(account)
	e.Message = fmt.Sprintf("account %q is that user already: use it, or log it out or remove it first; nothing of this session was kept", account)
	return e
}

// onIdentifyRefused takes what says that the session is of no use.
func (m *Machine) onIdentifyRefused(_ time.Time, e *tgerr.Error) bool {
	refuse := func(reason Reason, message string) bool {
		m.fail(&Error{Reason: reason, Err: e, Message: message})
		return true
	}
	switch e.Class() {
	case tgerr.ClassRevoked:
		return refuse(ReasonSession, "the server has no user for this session: it was ended, or never signed in; nothing of it was kept, sign in instead")
	case tgerr.ClassDuplicated:
		return refuse(ReasonSession, "the server has ended this session because it was used from two places: the program it came from still runs; stop that, and sign in anew")
	case tgerr.ClassPassword:
		return refuse(ReasonSession, "this session is signed in by half, for its two-step password is owed; finish that where it was begun and bring it in again, or sign in instead")
	case tgerr.ClassMigrate:
		dc, _ := e.Migrate()
		return refuse(ReasonMigrate, fmt.Sprintf("the user of this session lives on DC %d by now, and the session is of another; let the program it came from move, or sign in instead", dc))
	}
	return false
}

// KeyGone says that the server has forgotten the key of a session that is brought
// in.
func (a *Attempt) KeyGone() {
	if a.m.s.Flow.keeps() && a.phase != phaseOver {
		a.Fail(&Error{Reason: ReasonSession, Message: "the DC does not know the key of this session: it was ended, or is of another DC or of other servers; nothing of it was kept, sign in instead"})
	}
}

// Keeps reports whether what is authorized was so before it began: then an account
// that ends up with nothing is not one.
func (a *Attempt) Keeps() bool { return a.m.s.Flow.keeps() }

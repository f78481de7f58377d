package pfs

import "strconv"

// A Stage is what the machine is working on. Which key serves meanwhile is a
// separate matter, see [Machine.Serving].
//
//	New ─ Start ─► Resting ◄──────────────── Bound ───────────────┐
//	 │                │ rotation due, asked, lost                 │
//	 │                ▼                                           │
//	 │ ┌──────────► Asking ─ permit ─► Making ─ made ─► Holding ─► Binding
//	 │ │              ▲                   │ failed        (rotation)  │ refused
//	 │ │            Pausing ◄─────────────┴────────────◄──────────────┤
//	 │ │                                                              ▼
//	 │ └──────────────────────────── answered ──────────────────── Proving
//	 │ a key of another environment                                   │ two -404,
//	 ▼                                                                ▼ minutes apart
//	Foreign                                                         Gone
//
// The probe that follows Bound is no stage: the new key serves meanwhile, and
// all that hangs on the answer is what is pending under the retired one.
type Stage uint8

const (
	// StageNew is a machine that was not started. Only Start leaves it.
	StageNew Stage = iota

	// StageResting: a key serves and nothing needs doing. Left when the
	// rotation is due or asked for, the key expires, or the server has lost it.
	StageResting

	// StagePausing waits out a backoff before the next attempt, or a wait that
	// the server imposed on binds. Left by Advance at the deadline.
	StagePausing

	// StageAsking waits for the governor's permit to make a key. There is no
	// deadline: while a DC is down, everybody waits.
	StageAsking

	// StageMaking: a handshake runs somewhere. Left by Made or MakeFailed.
	StageMaking

	// StageHolding belongs to a rotation. The successor is saved, unbound; the
	// account holds new calls, and lets those under the serving key finish
	// unless they can be answered after the bind too. Left by Held, or by the
	// loss of either key.
	StageHolding

	// StageBinding: auth.bindTempAuthKey was asked for. Left by Bound or
	// BindFailed, or when the temp key turns out to be lost.
	StageBinding

	// StageProving: a bind was refused and nothing excuses it, or a serving
	// perm key got -404. help.getNearestDc is asked under the perm key itself.
	// Any answer keeps the key; a second -404, on another TCP connection and
	// minutes after the first, ends it, unless the DC answers so to others too.
	StageProving

	// StageGone: the server has forgotten the perm key. The records stay for
	// the account to deal with. Only Forget leaves it.
	StageGone

	// StageForeign: the perm key was made under an RSA key that the DC table
	// does not have, in another environment. Start leads here. Nothing is
	// connected, nothing is deleted, and there is no deadline: whoever mends the
	// settings makes another machine. Forget leaves it too.
	StageForeign
)

var stageNames = [...]string{
	StageNew:     "new",
	StageResting: "resting",
	StagePausing: "pausing",
	StageAsking:  "asking",
	StageMaking:  "making",
	StageHolding: "holding",
	StageBinding: "binding",
	StageProving: "proving",
	StageGone:    "gone",
	StageForeign: "foreign",
}

// String is the stage in a word.
func (s Stage) String() string {
	if int(s) < len(stageNames) {
		return stageNames[s]
	}
	return "stage " + strconv.Itoa(int(s))
}

// A task is what a pause leads to, and what is being made.
type task uint8

const (
	taskNone  task = iota
	taskPerm       // make a perm key
	taskTemp       // make a temp key
	taskBind       // bind the temp key at hand again
	taskProve      // ask under the perm key again
	taskServe      // let the perm key serve again, which is lent
)

package updates

import (
	"fmt"

	"github.com/mtfleet/mtfleet/tl"
)

// A State is a place in the update sequence.
type State struct {
	Pts  int32 // of messages and their like
	Qts  int32 // of secret chats and some bot events
	Date int32 // server time of the last update, unix seconds
	Seq  int32 // of Updates values
}

// String gives the four numbers.
func (s State) String() string {
	return fmt.Sprintf("pts %d, qts %d, date %d, seq %d", s.Pts, s.Qts, s.Date, s.Seq)
}

// A Snapshot is what New needs to go on after a restart.
type Snapshot struct {
	State State
	// Known is false for an account that never had a state.
	Known bool
	// Missed is set for an account that never had a state although it was
	// signed in before this process began: what was pushed to it is gone. The
	// first state is then told as a hole.
	Missed bool
}

// A Phase is what the machine is doing.
type Phase uint8

const (
	// PhaseNew: not started. Pushes are kept. Left by Start.
	PhaseNew Phase = iota

	// PhaseLoading: updates.getState is under way, because there is no state
	// or the server has voided it. Pushes are kept until it is answered.
	PhaseLoading

	// PhaseCurrent: as far as we know, nothing is missing. Updates are
	// delivered as they come. Left when one is missing or the server says so.
	PhaseCurrent

	// PhaseGap: something is missing and may still arrive; what comes after it
	// is kept, or was until there was no room. Left when it arrives, or to
	// Fetching half a second later.
	PhaseGap

	// PhaseFetching: updates.getDifference is under way. Pushes are kept and
	// applied afterwards.
	PhaseFetching

	// PhaseRetrying waits to ask again after a failure. Pushes are kept.
	PhaseRetrying
)

var phaseNames = [...]string{
	PhaseNew:      "new",
	PhaseLoading:  "loading",
	PhaseCurrent:  "current",
	PhaseGap:      "gap",
	PhaseFetching: "fetching",
	PhaseRetrying: "retrying",
}

// String is the phase in a word.
func (p Phase) String() string {
	if int(p) < len(phaseNames) {
		return phaseNames[p]
	}
	return fmt.Sprintf("phase %d", uint8(p))
}

// An OutputKind says what an [Output] asks for.
type OutputKind uint8

const (
	// OutDeliver carries Updates, to be handed on in this order, with the Users
	// and Chats that came along.
	OutDeliver OutputKind = iota + 1
	// OutGetState asks to run Query, updates.getState. Answer with Call:
	// Result or Failed.
	OutGetState
	// OutGetDifference asks to run Query, updates.getDifference from State.
	// Answer with Call: Result or Failed.
	OutGetDifference
	// OutSave carries the State to store, some time soon or, with Now, at once.
	// It need not be on disk before the next output: losing it repeats updates
	// and loses none, but for the first state of all, see Now.
	OutSave
	// OutHole says that updates after From and up to To will not be delivered:
	// the server no longer has them, or they cannot be read, or it pushed them
	// and does not know them. Any of the four numbers may differ, and a
	// renumbered sequence may have gone back. From is zero when the first state
	// of all is told so: nobody knows where what is missing begins.
	OutHole
	// OutConfig says that updateConfig or updateDcOptions was among the updates
	// just delivered: the table of DCs has changed and is to be asked for.
	OutConfig
)

var outputNames = [...]string{
	OutDeliver:       "Deliver",
	OutGetState:      "GetState",
	OutGetDifference: "GetDifference",
	OutSave:          "Save",
	OutHole:          "Hole",
	OutConfig:        "Config",
}

// String is the kind in a word or two.
func (k OutputKind) String() string {
	if int(k) < len(outputNames) && outputNames[k] != "" {
		return outputNames[k]
	}
	return fmt.Sprintf("output %d", uint8(k))
}

// A CallID tells answers apart: one that belongs to an older call is ignored.
type CallID uint32

// An Output is one thing the driver should do. Which fields are set is said
// at each kind.
type Output struct {
	Kind OutputKind

	// Updates are Update values, boxed, each whole; or updateShortMessage,
	// updateShortChatMessage and updateShortSentMessage values, which are an
	// update and its envelope in one. A message out of a difference is wrapped
	// as updateNewMessage with pts and pts_count 0.
	Updates []tl.Raw // OutDeliver
	// Users and Chats are boxed values as the server sent them, those of the
	// envelope that Updates came in. Deliveries out of one envelope share them:
	// they are read only.
	Users []tl.Raw // OutDeliver
	Chats []tl.Raw // OutDeliver

	Call     CallID    // OutGetState, OutGetDifference
	Query    tl.Object // OutGetState, OutGetDifference
	State    State     // OutGetDifference, OutSave
	From, To State     // OutHole

	// Now asks to write the state at once and not to gather it with other
	// changes. It is set for the first state of all, without which a process
	// that is killed would not know that it missed anything, and for what
	// Flush saves.
	Now bool // OutSave
}

// Durable reports whether the output must be on disk before the next is
// taken. None of this machine's is.
func (o Output) Durable() bool { return false }

// String tells the output without the content of updates.
func (o Output) String() string {
	switch o.Kind {
	case OutDeliver:
		return fmt.Sprintf("Deliver{%d updates}", len(o.Updates))
	case OutSave:
		if o.Now {
			return fmt.Sprintf("Save{%v} now", o.State)
		}
		return fmt.Sprintf("Save{%v}", o.State)
	case OutGetDifference:
		return fmt.Sprintf("%v{%v}", o.Kind, o.State)
	case OutHole:
		return fmt.Sprintf("Hole{after %v to %v}", o.From, o.To)
	}
	return o.Kind.String()
}

// GoString is String.
func (o Output) GoString() string { return o.String() }

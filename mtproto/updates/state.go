package updates

import (
	"fmt"
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
	// Channels are those that are followed.
	Channels []Channel
	// Self is the account's own user id, 0 for not known; Bot says that it is one.
	Self int64
	Bot  bool
	// Mark is the mark of the last delivery: those of this machine go on from it.
	Mark uint64
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

	// PhaseStalled: a durable consumer has acknowledged too little. Pushes are
	// dropped. Left to Fetching when it has caught up.
	PhaseStalled
)

var phaseNames = [...]string{
	PhaseNew:      "new",
	PhaseLoading:  "loading",
	PhaseCurrent:  "current",
	PhaseGap:      "gap",
	PhaseFetching: "fetching",
	PhaseRetrying: "retrying",
	PhaseStalled:  "stalled",
}

// String is the phase in a word.
func (p Phase) String() string {
	if int(p) < len(phaseNames) {
		return phaseNames[p]
	}
	return fmt.Sprintf("phase %d", uint8(p))
}

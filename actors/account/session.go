package account

import (
	"github.com/mtfleet/mtfleet/actors/journal"
	"github.com/mtfleet/mtfleet/mtproto/standing"
	"github.com/mtfleet/mtfleet/persistence"
)

// This file is about sessions that come from elsewhere or go there.

// signedInAnew forgets where the last session came from.
func (a *account) signedInAnew(c *ctx) {
	if a.origin != (Origin{}) {
		a.origin = Origin{}
		a.store(c, journal.Work{Commit: persistence.Commit{Delete: []persistence.Key{keyOfOrigin(a.id)}}}, nobodyWaits)
	}
}

// reply answers the owner. Who hands a session out is answered when nothing of
// ours uses its key any more.
func (a *account) reply(out standing.Output) {
	if out.Saved && a.refusal != nil {
		out.Err = a.refusal
	}
	if out.Err == nil && a.stand.State() == Exported {
		a.hushed = append(a.hushed, out.Request)
		a.tellHushed()
		return
	}
	a.wishes.Send(out.Request, struct{}{}, out.Err)
}

// tellHushed answers who waits for every connection to be closed.
func (a *account) tellHushed() {
	var err error
	switch {
	case len(a.hushed) == 0:
		return
	case a.stand.State() != Exported:
		err = &StateError{State: a.stand.State(), Why: a.stand.Status().Why}
	case !a.bindings.Quiet():
		return
	}
	for _, r := range a.hushed {
		a.wishes.Send(r, struct{}{}, err)
	}
	a.hushed = nil
}

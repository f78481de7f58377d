package account

import (
	"errors"

	"github.com/mtfleet/mtfleet/actors/governor"
	"github.com/mtfleet/mtfleet/actors/journal"
	"github.com/mtfleet/mtfleet/actors/runtime"
	"github.com/mtfleet/mtfleet/mtproto/standing"
	"github.com/mtfleet/mtfleet/persistence"
)

// This file is the beginning of an account's actor and its end.

// onLoaded converges on what the store says.
func (a *account) onLoaded(c *ctx, records []persistence.Record, err error) {
	if len(records) == 0 && err == nil {
		// It was removed, and who asked for that was not told; or it was removed while
		// it was about to be started.
		a.env.gone(a.id)
		c.Stop()
		return
	}
	state, decodeErr := persistence.DecodeState(records)
	err = persistence.JoinRecords(err, decodeErr)
	a.loaded, a.left = true, &state
	cfg := standing.Config{HasDC: a.hasDC, DefaultDC: a.env.DefaultDC, Rand: func() float64 { return runtime.Uniform(c.Rand()) }}
	if state.Account == nil {
		if err == nil {
			err = errors.New("its record is not in the store")
		}
		a.rec, a.stand = persistence.Account{ID: a.id}, standing.Restore(cfg, standing.Snapshot{})
		a.stand.Unreadable(c.Now(), err)
	} else {
		a.rec, a.stand = *state.Account, standing.Restore(cfg, snapshotOf(*state.Account, state.Waits))
		wayErr := a.takeWay()
		a.origin = OriginOf(state.Meta)
		a.login.Load(state.Meta)
		a.feed.Load(state.Updates, state.Channels, state.Peers)
		state.Peers = nil // it is read again when it is of use
		if gone := journal.Outlived(a.id, state.PermKeys, c.Now()); gone != nil {
			a.store(c, journal.Work{Commit: persistence.Commit{Delete: gone}}, nobodyWaits)
		}
		other := a.holdUser()
		switch {
		case persistence.Vital(err):
			a.stand.Unreadable(c.Now(), err)
		case wayErr != nil: // of a newer version, say: it connects in no other way
			a.stand.Unreadable(c.Now(), wayErr)
		case other != "":
			a.stand.StartSecond(c.Now(), other)
		case state.Login != nil:
			a.login.Resume(c.Now(), *state.Login)
		default:
			a.stand.Start(c.Now())
		}
	}
	a.pump(c)
	for _, call := range a.kept.TakeAll() { // of before they were read again
		a.onCall(c, call)
	}
	c.Resume()
}

// Stopping answers everything owed: what waits here was not sent, calls under
// way come back from their connections and end in Undelivered.
func (a *account) Stopping(c *ctx) {
	for _, call := range a.kept.TakeAll() {
		call.finish(nil, ErrStopped)
	}
	a.bindings.Release()
	a.feed.Flush(c.Now())
	a.feed.Release(ErrStopped)
	a.leave(c)
	a.login.End(ErrStopped)
	a.wishes.SendAll(struct{}{}, ErrStopped)
	a.env.ways.Leave(a.way)
}

// Undelivered ends what reached a stopped account.
func (a *account) Undelivered(m Message) {
	switch m := m.(type) {
	case *Call:
		m.finish(nil, ErrStopped)
	case callReturned:
		m.call.finish(m.body, m.err)
	case bindingWork:
		m.done(nil, ErrStopped)
	case signInGranted:
		a.env.Governor.Send(governor.Done{Ticket: m.ticket})
	case Met:
		m.Taken()
	case question:
		m.unheard()
	}
}

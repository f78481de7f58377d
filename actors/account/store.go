package account

import (
	"github.com/mtfleet/mtfleet/actors/journal"
	"github.com/mtfleet/mtfleet/persistence"
)

// This file drives the journal.

// job is one thing done with the store.
type job = journal.Job[waiter]

// waiter says what goes on when a job is over.
type waiter struct {
	waits waits
	reply func([]persistence.Record, error) // of a binding
}

// waits says what of the account goes on when a job is over.
type waits uint8

const (
	nobodyWaits   waits = iota
	startWaits          // the account, for its records
	standingWaits       // standing's other outputs
	eraseWaits          // the same, after an erasure
	loginWaits          // the login's other outputs
	subjectWaits        // a login, for the waits about its phone number
)

// store gives the journal work; what waits goes on when it is over.
func (a *account) store(c *ctx, w journal.Work, waits waits) {
	a.saving = a.saving || waits == standingWaits || waits == eraseWaits
	a.journal.Add(job{Work: w, For: waiter{waits: waits}})
	a.runJournal(c)
}

// runJournal begins what the journal has to do now.
func (a *account) runJournal(c *ctx) {
	if q, ok := a.journal.Next(c.Now()); ok {
		turn := a.disk.Turn() // before what it does when it stops
		c.GoIO(func() Message { return stored(turn.Do(q.Work)) })
	}
	c.At(timerJournal, a.journal.Deadline(), due{timerJournal})
}

// onStored goes on with whoever waited for the job under way.
func (a *account) onStored(c *ctx, m stored) {
	q, records, over := a.journal.Ended(c.Now(), journal.Done(m))
	if m.Err != nil && q.Kind != journal.Load && q.Kind != journal.Restore && q.For.reply == nil {
		a.env.StoreFailed(a.id, m.Err)
	}
	a.runJournal(c)
	if !over {
		return
	}
	switch q.For.waits {
	case startWaits:
		a.onLoaded(c, records, m.Err)
	case standingWaits:
		a.saving, a.refusal = false, m.Err
	case eraseWaits:
		a.onErased(c, q.All, m.Err)
	case loginWaits:
		a.login.Saved()
	case subjectWaits:
		state, _ := persistence.DecodeState(records) // what cannot be read is the server's to repeat
		a.login.Looked(c.Now(), waitsOf(state.Waits))
	case nobodyWaits:
		if q.For.reply != nil {
			q.For.reply(records, m.Err)
		}
	}
}

// onErased goes on when records were deleted. An account whose removal the
// store refuses is what it was: it begins again with what is there.
func (a *account) onErased(c *ctx, all bool, err error) {
	a.saving = false
	switch {
	case err != nil:
		a.wishes.SendAll(struct{}{}, err)
		a.load(c)
		return
	case all:
		a.env.gone(a.id)
	}
	a.stand.Erased(c.Now())
}

// leave has done what a stopping account has not.
func (a *account) leave(c *ctx) {
	turn, rest := a.disk.Turn(), a.journal.Rest() // before who hears of the end
	c.GoIO(func() Message {
		if rest == nil {
			turn.Leave()
			return stored{}
		}
		rest(turn, func(w waiter, err error) {
			if w.reply != nil {
				w.reply(nil, err)
			}
		})
		return stored{}
	})
}

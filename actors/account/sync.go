package account

import (
	"github.com/mtfleet/mtfleet/mtproto/tgerr"
	"github.com/mtfleet/mtfleet/mtproto/updates"
	"github.com/mtfleet/mtfleet/persistence"
	"github.com/mtfleet/mtfleet/tl"
)

// This file drives the engine of updates, and with it the difference between
// connecting and online: an account is online when the server has answered
// where its updates stand on the present connection. That answer is also what
// makes the server push updates to the session.

// restoreUpdates makes the engine, at the place the store knows, or at none. The
// place reaches the store within a moment of signing in: an account that was
// signed in before, and has none, has missed something.
func (a *account) restoreUpdates(rec *persistence.Updates, signedInNow bool) {
	snap := updates.Snapshot{Missed: !signedInNow}
	if rec != nil {
		snap = updates.Snapshot{State: updatesState(*rec), Known: true}
	}
	a.updates = updates.New(snap)
}

// sync asks the server where the updates stand: at the start, and whenever the
// connection was away.
func (a *account) sync(c *ctx) {
	if a.updates == nil || a.home == nil || !a.home.ready || a.leaving != nil || a.status.State == Waiting {
		return
	}
	now := c.Now()
	if w, waits := a.waiting(now, wholeAccount); waits { // since before a restart
		a.waitAll(c, w.Until, w.Why)
		return
	}
	if a.updates.Phase() == updates.PhaseNew {
		a.updates.Start(now)
	} else {
		a.updates.Gap(now)
	}
	a.pumpUpdates(c)
}

// onLinkReady goes on when a link can carry calls.
func (a *account) onLinkReady(c *ctx, l *link) {
	a.publish(c)
	switch {
	case !l.home:
		a.guestReady(c, l)
	case a.rec.SignedIn && a.login == nil:
		a.sync(c) // before the held calls: what was missed comes first
	}
	a.flushHeld(l)
}

// onLinkBack goes on when a link's connection has come back, under the same
// session.
func (a *account) onLinkBack(c *ctx, l *link) {
	if l.home && a.rec.SignedIn && a.login == nil {
		a.sync(c)
	}
}

// onLinkLost tells that a link cannot carry calls for now. A guest's trouble is
// nobody's but its callers'.
func (a *account) onLinkLost(c *ctx, l *link, why string) {
	if !l.home {
		return
	}
	a.synced = false
	switch a.status.State {
	case Online, Connecting:
		a.become(c, Connecting, why, "")
	default:
		a.publish(c)
	}
}

// onUpdates takes what the server pushed on the home connection.
func (a *account) onUpdates(c *ctx, cn *conn, raw tl.Raw) {
	if a.updates == nil || !cn.link.home || cn.role != roleMain {
		return
	}
	a.updates.Push(c.Now(), raw)
	a.pumpUpdates(c)
}

// onGap hears that the session was begun anew.
func (a *account) onGap(c *ctx, cn *conn) {
	l := cn.link
	if l.home && cn == l.conn && l.ready {
		a.sync(c)
	}
}

// pumpUpdates does what the engine asks for.
func (a *account) pumpUpdates(c *ctx) {
	for a.updates != nil {
		out, ok := a.updates.Next()
		if !ok {
			break
		}
		switch out.Kind {
		case updates.OutDeliver:
			a.deliver(c, out)
		case updates.OutGetState, updates.OutGetDifference:
			a.askUpdates(c, out)
		case updates.OutSave:
			a.saveUpdates(c, updatesRecord(out.State))
			if out.Now {
				a.flush(c)
			}
		case updates.OutHole:
			a.env.Logger.Warn("some updates cannot be had", "account", a.id, "after", out.From, "to", out.To)
			a.env.Publish(Event{Account: string(a.id), At: c.Now(), Kind: EventHole, From: place(out.From), To: place(out.To)})
		case updates.OutConfig:
			a.onConfigChanged(c)
		}
	}
	a.armUpdates(c)
}

func (a *account) armUpdates(c *ctx) {
	if a.updates == nil {
		c.Cancel(timerUpdates)
		return
	}
	if d := a.updates.Deadline(); !d.IsZero() {
		c.After(timerUpdates, d.Sub(c.Now()), updatesDue{})
	}
}

func (a *account) advanceUpdates(c *ctx) {
	if a.updates != nil {
		a.updates.Advance(c.Now())
		a.pumpUpdates(c)
	}
}

// deliver hands updates to who listens.
func (a *account) deliver(c *ctx, out updates.Output) {
	now := c.Now()
	for _, raw := range out.Updates {
		pts, qts := updates.Counts(raw)
		a.env.Publish(Event{
			Account: string(a.id), At: now, Kind: EventUpdate,
			Update: raw, Users: out.Users, Chats: out.Chats, Pts: pts, Qts: qts,
		})
	}
}

// askUpdates runs the engine's query. Its answer decides whether the account
// is online.
func (a *account) askUpdates(c *ctx, out updates.Output) {
	engine, id := a.updates, out.Call
	a.own(out.Query, Repeatable, func(body []byte, err error) {
		if a.updates != engine {
			return
		}
		if err == nil {
			engine.Result(c.Now(), id, body)
			a.onSynced(c)
		} else {
			engine.Failed(c.Now(), id, err)
			a.onSyncFailed(c, err)
		}
		a.pumpUpdates(c)
	})
}

// onSynced: the server answered an authorized query.
func (a *account) onSynced(c *ctx) {
	a.synced = true
	if a.status.State == Connecting && a.home != nil && a.home.ready {
		a.become(c, Online, "", "")
		a.fetchConfig(c)
	}
}

// onSyncFailed sorts the refusals that concern the account.
func (a *account) onSyncFailed(c *ctx, err error) {
	e, ok := tgerr.As(err)
	if !ok {
		return // the engine asks again
	}
	switch e.Class() {
	case tgerr.ClassRevoked:
		a.doubtHome(c, err)
	case tgerr.ClassWait:
		a.waitAll(c, a.imposed(c, wholeAccount, e), serverWords(err))
	case tgerr.ClassFrozen:
		a.become(c, Frozen, serverWords(err), "the account can only read: appeal in an official app")
	}
}

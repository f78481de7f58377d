package account

import (
	"github.com/mtfleet/mtfleet/mtproto/security"
	"github.com/mtfleet/mtfleet/mtproto/standing"
	"github.com/mtfleet/mtfleet/mtproto/updates"
)

// This file drives the engine of updates.

// sync asks the server where the updates stand, unless that is under way.
func (a *account) sync(c *ctx) {
	if a.updates == nil {
		a.updates = updates.At(a.place)
	}
	a.updates.Sync(c.Now())
}

// askAhead asks where the updates stand while calls are held: the question is
// sent before them, so that what was missed comes first.
func (a *account) askAhead(c *ctx) {
	switch a.stand.State() {
	case Connecting, Online, Frozen:
		a.sync(c)
	}
}

// flushUpdates notes how far the updates were delivered. It goes to disk with
// the account's next commit.
func (a *account) flushUpdates(c *ctx) {
	if a.updates != nil {
		a.updates.Flush(c.Now())
		a.pumpUpdates(c)
	}
}

// pumpUpdates does what the engine asks for; it reports whether there was
// anything.
func (a *account) pumpUpdates(c *ctx) (did bool) {
	for a.updates != nil {
		out, ok := a.updates.Next()
		if !ok {
			break
		}
		did = true
		a.decided(out)
		switch out.Kind {
		case updates.OutDeliver:
			a.deliver(c, out)
		case updates.OutGetState, updates.OutGetDifference:
			a.ask(c, standing.Call{Purpose: standing.ForUpdates, Repeatable: true}, out.Query, ownCall{updates: a.updates, place: out.Call})
		case updates.OutSave:
			place := out.State
			a.place = &place
			a.journal.Soon(c.Now(), placeRecord(place).Record(a.id))
			if out.Now {
				a.journal.Hurry(c.Now())
			}
			a.runJournal(c)
		case updates.OutHole:
			a.env.Logger.Warn("some updates cannot be had", "account", a.id, "after", out.From, "to", out.To)
			a.env.Publish(Event{Account: string(a.id), At: c.Now(), Kind: EventHole, From: place(out.From), To: place(out.To)})
		case updates.OutConfig:
			a.env.dcs.Expire()
			a.fetchConfig(c)
		}
	}
	return did
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
		if n, ok := security.NoticeOf(raw); ok {
			a.env.Logger.Warn(n.String(), "account", a.id)
			a.env.Publish(Event{Account: string(a.id), At: now, Kind: EventNotice, Notice: &n})
			a.stand.Suspect(now, n.Doubt())
		}
	}
}

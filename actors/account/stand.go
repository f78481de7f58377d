package account

import (
	"time"

	"github.com/mtfleet/mtfleet/actors/binding"
	"github.com/mtfleet/mtfleet/actors/journal"
	"github.com/mtfleet/mtfleet/mtproto/crypt"
	"github.com/mtfleet/mtfleet/mtproto/dc"
	"github.com/mtfleet/mtfleet/mtproto/standing"
	"github.com/mtfleet/mtfleet/persistence"
)

// This file carries out what standing decides.

// onWish tells standing what the owner wants; it is answered by its number.
func (a *account) onWish(c *ctx, m Wish) {
	switch now, r := c.Now(), a.wishes.Add(m.Reply); m.Kind {
	case LogOut:
		a.feed.Flush(now)
		a.stand.LogOut(now, r)
	case Pause:
		a.feed.Flush(now)
		a.stand.Pause(now, r)
	case Resume:
		a.stand.Resume(now, r, a.holdUser())
	case Remove:
		a.stand.Remove(now, r, m.Force)
	case RestoreKey:
		a.stand.RestoreKey(now, r, a.takeBack())
	case Export:
		a.feed.Flush(now)
		a.stand.Export(now, r, m.How)
	case TakeBack:
		a.stand.TakeBack(now, r, a.holdUser())
	case Rotate:
		a.stand.Rotate(now, r)
	case ClearWaits:
		a.stand.ClearWaits(now, r, m.Method)
		a.bindings.TellAll(binding.WaitCleared{Left: a.keyWaits(now)})
	}
}

// keyWaits are the waits that bindings obey.
func (a *account) keyWaits(now time.Time) binding.KeyWaits {
	w := a.stand.KeyWaits(now, 0)
	return binding.KeyWaits{Bind: w.Bind, Drop: w.Drop, InDoubt: w.Doubt.Length > 0}
}

// pumpStanding does what standing asks for, up to the next commit. It reports
// whether there was anything.
func (a *account) pumpStanding(c *ctx) (did bool) {
	for !a.saving {
		out, ok := a.stand.Next()
		if !ok {
			break
		}
		did = true
		a.decided(out)
		a.carryOut(c, out)
	}
	if a.reloading && !a.saving {
		a.load(c)
	}
	return did
}

// carryOut does one thing. The cases stand in the order of the outputs.
func (a *account) carryOut(c *ctx, out standing.Output) {
	switch out.Kind {
	case standing.OutSave:
		a.save(c, out)
	case standing.OutStatus:
		a.onStatus(c)
	case standing.OutOpen:
		a.openHome(c, out.DC)
	case standing.OutClose:
		a.closeAll(c)
	case standing.OutSync:
		a.feed.Sync(c.Now())
	case standing.OutSend:
		if call, ok := a.kept.Take(out.Call.ID); ok {
			call.query = out.Call
			a.onCall(c, call)
		}
	case standing.OutEnd:
		if call, ok := a.kept.Take(out.Call.ID); ok {
			call.query = out.Call
			a.end(c, call, nil, out.Err)
		}
	case standing.OutRecall:
		a.bindings.TellAll(binding.Recall{Method: out.Method})
		if w := a.keyWaits(c.Now()); !w.Bind.IsZero() || !w.Drop.IsZero() {
			a.bindings.TellAll(w)
		}
	case standing.OutCall:
		a.askFor(out)
	case standing.OutUnbound:
		a.bindings.TellUnbound(out.Where.DC, binding.Unbound{Key: crypt.KeyID(out.Where.Key)})
	case standing.OutUnauthorized:
		a.bindings.TellGuest(out.DC, binding.Unauthorized{Err: out.Err})
	case standing.OutHomeAlive:
		a.env.Logger.Warn("a 401 was not confirmed; the login is alive", "account", a.id)
		a.bindings.TellGuests(binding.HomeAlive{})
	case standing.OutForget:
		a.bindings.Tell(a.bindings.Home(), binding.Forget{})
	case standing.OutMove:
		a.move(c, out.DC)
	case standing.OutMoved:
		a.moveHome(c, out.DC)
	case standing.OutRotate:
		a.bindings.Rotate(func(err error) { a.self.Send(rotated{out.Round, err}) })
	case standing.OutCancelSignIn:
		a.login.Cancel(c.Now())
	case standing.OutErase:
		a.erase(c, out)
	case standing.OutRetire, standing.OutRestore:
		a.store(c, keyWork(c.Now(), a.rec, out), standingWaits)
	case standing.OutReload:
		a.reloading = true // when standing has said all
	case standing.OutGone:
		c.Stop()
	case standing.OutReply:
		a.reply(out)
	}
}

// save writes what standing wants on disk.
func (a *account) save(c *ctx, out standing.Output) {
	var w journal.Work
	if out.Must {
		w.Urgency = journal.Must
	}
	if out.Changes.Account {
		a.rec = recordOf(a.rec, a.stand.Snapshot(), a.stand.SignedIn())
	}
	noteWaits(a.env.line(a.id), c.Now(), out.Changes.Put)
	w.Commit = commitOf(out.Changes, a.rec, a.feed, a.env.dcs.Table().DCs())
	a.store(c, w, standingWaits)
}

// erase deletes the account's records, or those of its login.
func (a *account) erase(c *ctx, out standing.Output) {
	w := journal.Work{Kind: journal.Erase, Urgency: journal.Once, Account: a.id, All: out.All}
	if out.All {
		a.feed.Release(ErrStopped) // what it has still to read would be written again
	}
	if out.Unasked {
		w.Urgency = journal.Must
	} else if !out.All {
		// The server has ended the authorization: nothing is left to go back to.
		a.feed.Forget()
		a.rec = recordOf(a.rec, out.Snapshot, false)
		w.Urgency, w.Commit.Put = journal.Must, []persistence.Record{a.rec.Record()}
	}
	a.store(c, w, eraseWaits)
}

// openHome opens the home DC unless it is.
func (a *account) openHome(c *ctx, at dc.ID) {
	if a.bindings.Home() == nil {
		a.bindings.Open(at, true)
	}
	a.askAhead(c)
}

// moveHome makes another DC the home: what runs there or at the old one begins
// anew. Keys stay where they are.
func (a *account) moveHome(c *ctx, to dc.ID) {
	a.bindings.Close(a.bindings.At(to))
	a.bindings.Close(a.bindings.Home())
	a.openHome(c, to)
	a.login.Migrated(c.Now())
}

// closeAll closes every binding and drops the engines. What the updates engine
// knows is on its way to the disk before anything else of the account is.
func (a *account) closeAll(c *ctx) {
	a.feed.Flush(c.Now())
	a.journal.Hurry(c.Now())
	a.runJournal(c)
	a.feed.Drop()
	a.config, a.left = time.Time{}, nil
	a.login.Drop()
	a.bindings.CloseAll()
}

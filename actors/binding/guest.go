package binding

import (
	"time"

	"github.com/mtfleet/mtfleet/actors/dcconn"
	"github.com/mtfleet/mtfleet/mtproto/guest"
	"github.com/mtfleet/mtfleet/persistence"
	"github.com/mtfleet/mtfleet/tl"
	"github.com/mtfleet/mtfleet/tl/tg"
)

// guestIdle is how long a guest DC's connection outlives its last call. Its
// keys and its authorization stay in the store.
const guestIdle = 5 * time.Minute

// guestState is what a binding away from home has besides keys.
type guestState struct {
	machine *guest.Machine
	saving  bool // a commit is under way; outputs wait for it
	errands []errand
	last    ErrandID
}

// errand is what the account runs for the guest at the moment.
type errand struct {
	id   ErrandID
	kind Errand
	call guest.CallID // of Export and Import
}

// What the guest says to the actor.
type (
	guestDue   struct{}
	guestSaved struct{ err error }
	idleDue    struct{}
)

func (guestDue) bindingMessage()   {}
func (guestSaved) bindingMessage() {}
func (idleDue) bindingMessage()    {}

// ready reports whether calls may go as the user.
func (g *guestState) ready() bool { return g.machine.State() == guest.StateReady }

// leaving reports whether the key at hand is on its way out.
func (g *guestState) leaving() bool {
	for _, e := range g.errands {
		if e.kind == GuestLogOut {
			return true
		}
	}
	return false
}

func (b *binding) startGuest(c *ctx) {
	b.guest.machine.Start(c.Now())
	b.used(c)
}

// closes reports whether the binding is closed for want of calls.
func (b *binding) closes() bool { return b.guest != nil || b.forMedia() }

// used notes that somebody needs the DC.
func (b *binding) used(c *ctx) {
	if b.closes() {
		b.usedAt, b.resting = c.Now(), false
		c.After(timerIdle, guestIdle, idleDue{})
	}
}

// onGuest handles what concerns only a guest.
func (b *binding) onGuest(c *ctx, m Message) {
	if b.guest == nil {
		return
	}
	now, machine := c.Now(), b.guest.machine
	switch m := m.(type) {
	case Unauthorized:
		machine.Unauthorized(now, m.Err)
		b.pumpGuest(c)
		b.tellAgain()
	case WaitCleared:
		machine.WaitCleared(now)
	case HomeAlive:
		machine.HomeAlive(now)
	case Answered:
		b.onAnswered(now, m)
	case guestDue:
		machine.Advance(now)
	case guestSaved:
		b.onGuestSaved(m.err)
	}
}

// keyReady goes on when calls can be sent under the guest's key.
func (b *binding) keyReady(c *ctx) {
	if b.guest != nil && !b.guest.leaving() {
		b.guest.machine.KeyReady(c.Now())
	}
}

// pumpGuest does what the machine of the guest asks for, up to the next commit,
// and reports whether there was anything.
func (b *binding) pumpGuest(c *ctx) (any bool) {
	if b.guest == nil {
		return false
	}
	for !b.guest.saving {
		out, ok := b.guest.machine.Next()
		if !ok {
			break
		}
		any = true
		b.performGuest(c, out)
	}
	c.At(timerGuest, b.guest.machine.Deadline(), guestDue{})
	return any
}

func (b *binding) performGuest(c *ctx, out guest.Output) {
	switch out.Kind {
	case guest.OutExport:
		b.send(Export, out.Call, out.Query)
	case guest.OutImport:
		b.send(Import, out.Call, out.Query)
	case guest.OutSave:
		b.saveGuest(c)
	case guest.OutReady:
		b.tell("")
	case guest.OutStop:
		b.tell("the authorization has to be carried over again")
	case guest.OutRefused, guest.OutWaiting:
		b.endHeld(out.Err)
	case guest.OutDropKey:
		// Its authorization ends first: the refusals that led here may have been
		// wrong, an import may have lost no more than its answer, and nobody could
		// end it without the key.
		b.send(GuestLogOut, 0, &tg.AuthLogOutRequest{})
	case guest.OutHomeLost:
		b.notify(EventHomeLost{out.Err})
	case guest.OutFailed:
		b.endHeld(out.Err)
		b.notify(EventFailed{out.Err})
	}
}

// send has the account run a query for the guest.
func (b *binding) send(kind Errand, call guest.CallID, query tl.Object) {
	g := b.guest
	g.last++
	g.errands = append(g.errands, errand{g.last, kind, call})
	b.notify(EventCall{ID: g.last, For: kind, Query: query})
}

// onAnswered hears how such a query went.
func (b *binding) onAnswered(now time.Time, m Answered) {
	g := b.guest
	for i, e := range g.errands {
		if e.id != m.ID {
			continue
		}
		g.errands = append(g.errands[:i:i], g.errands[i+1:]...)
		switch {
		case e.kind == Export && m.Err == nil:
			g.machine.Exported(now, e.call, m.Body)
		case e.kind == Export:
			g.machine.ExportFailed(now, e.call, m.Err)
		case e.kind == Import && m.Err == nil:
			g.machine.Imported(now, e.call, m.Body)
		case e.kind == Import:
			g.machine.ImportFailed(now, e.call, m.Err)
		default:
			b.forget(now) // any answer will do: what is not authorized has no orphan
		}
		return
	}
}

// saveGuest writes down where the guest stands.
func (b *binding) saveGuest(c *ctx) {
	b.guest.saving = true
	rec := guestRecord(b.cfg.ID.DC, c.Now(), b.guest.machine.Snapshot())
	self := c.Self()
	b.cfg.Commit(persistence.Commit{Put: []persistence.Record{rec.Record(b.cfg.Account)}}, true, func(err error) { self.Send(guestSaved{err}) })
}

// onGuestSaved goes on after a commit, a refused one too: calls wait, and it is
// owed, also when this binding is closed meanwhile.
func (b *binding) onGuestSaved(err error) {
	b.guest.saving = false
	if err != nil {
		b.notify(EventStoreFailed{err})
		return
	}
	b.notify(EventGuest{b.guest.machine.Snapshot().Authorized})
}

// onIdle finds out whether nobody needs the DC any more. Calls go past this
// actor, so its connection is asked.
func (b *binding) onIdle(c *ctx) {
	ch := b.at(placeServing)
	switch {
	case b.awaited() || b.guest != nil && len(b.guest.errands) > 0:
		b.used(c)
	case ch == nil:
		b.idle(c)
	default:
		b.say(ch, dcconn.Poll{})
	}
}

func (b *binding) onPolled(c *ctx, ch *child, ev dcconn.Event) {
	if !b.closes() || ch.place != placeServing {
		return
	}
	quiet := min(ev.Quiet, c.Now().Sub(b.usedAt))
	if ev.Pending > 0 || quiet < guestIdle {
		c.After(timerIdle, guestIdle-quiet, idleDue{})
		return
	}
	b.idle(c)
}

// idle tells the account, and again later: it may know of a call on its way.
func (b *binding) idle(c *ctx) {
	b.used(c)
	b.resting = true
	b.notify(EventIdle{})
}

package binding

import (
	"time"

	"github.com/mtfleet/mtfleet/actors/dcconn"
	"github.com/mtfleet/mtfleet/actors/timeline"
	"github.com/mtfleet/mtfleet/mtproto/crypt"
	"github.com/mtfleet/mtfleet/mtproto/pfs"
	"github.com/mtfleet/mtfleet/mtproto/tgerr"
	"github.com/mtfleet/mtfleet/tl/tg"
)

// drainLimit is how long calls under a key may finish before its successor is
// bound, where the bind may cut them off.
const drainLimit = 10 * time.Second

// inUse is the key that calls travel under.
type inUse struct {
	key  *crypt.AuthKey
	salt int64
	temp bool
}

func keyOf(out pfs.Output) *inUse {
	if out.Temp != nil {
		return &inUse{out.Temp.Key, out.Temp.Salt, true}
	}
	return &inUse{out.Perm.Key, out.Perm.Salt, false}
}

// pumpKeys does what the machine of the keys decided, up to the next commit,
// and reports whether there was anything.
func (b *binding) pumpKeys(c *ctx) (any bool) {
	for b.saving == nil {
		out, ok := b.keys.Next()
		if !ok {
			return any
		}
		any = true
		b.perform(c, out)
	}
	return any
}

// perform does one thing that the machine asks for. The cases stand in the
// order of a key's life.
func (b *binding) perform(c *ctx, out pfs.Output) {
	b.noteKeys(c.Now(), out)
	switch out.Kind {
	case pfs.OutPermit:
		if out.Key == pfs.Temp {
			b.rotating()
		}
		b.wantKey(out.Key)
	case pfs.OutMake:
		b.makeKey(c, out)
	case pfs.OutSave:
		b.saving = commit(b.cfg.Account, b.cfg.ID.DC, out.Changes)
		b.save(c)
	case pfs.OutHold:
		b.rotationDid("held")
		b.hold(c, out)
	case pfs.OutBind:
		if at := b.cfg.Shared.binds(c.Now(), b.cfg.ID.Purpose, out.Temp.ID()); !at.IsZero() {
			b.keys.Blocked(c.Now(), out.Temp.ID(), at)
			return
		}
		b.rotating()
		b.bind = &out // see staff
	case pfs.OutProbe:
		if ch := b.under(placeServing, out.ID); ch != nil {
			b.move(ch, placeProbed)
			ch.speaks = true // once more
			b.say(ch, dcconn.Probe{Limit: pfs.ProbeLimit})
		}
	case pfs.OutUse:
		b.use(c, out)
	case pfs.OutReading:
		b.env.readings.learn(b.cfg.ID.DC, out.Reading)
	case pfs.OutEnd:
		b.endKey(c, out.ID)
	case pfs.OutStop:
		b.stopKey(c, out)
	case pfs.OutDrop:
		b.drop(c, out.Except)
	case pfs.OutProve:
		b.prove(c, out.Perm)
	case pfs.OutRotated:
		b.endRotate(out.Err)
	case pfs.OutGone:
		b.onGone(c, out.Err)
	case pfs.OutForeign:
		b.onForeign(out.Err)
	}
}

// hold stops new calls for a bind, and lets those under way finish as far as
// the machine says. The account hears of it before the connection does: what
// crosses that is given back unsent.
func (b *binding) hold(c *ctx, out pfs.Output) {
	b.setFlow(c, flowHeld, "")
	b.closeAsk(c)
	ch := b.at(placeServing)
	if ch == nil {
		b.keys.Held(c.Now())
		return
	}
	d := dcconn.Drain{Keep: out.Keep}
	if out.Wait {
		d.Limit = drainLimit
	}
	b.say(ch, d)
}

// use routes calls under a key: on the connection that bound it, on the one
// that served before, or on a new one after a restart.
func (b *binding) use(c *ctx, out pfs.Output) {
	before := b.using
	b.using, b.bind = keyOf(out), nil
	b.tempServes(c.Now(), before, out.Temp)
	id := b.using.key.ID()
	old, probed := b.at(placeServing), b.at(placeProbed)
	switch {
	case old != nil && old.key == id:
		b.say(old, dcconn.Resume{}) // a rotation was given up
		old.speaks, b.lastID = true, 0
	case old != nil:
		b.retire(old, out.Listen)
	case probed != nil && before != nil && probed.key == before.key.ID():
		probed.listen = out.Listen
	case before != nil && out.Listen > 0:
		// Its connection failed, and has stopped already.
		b.keys.Retired(c.Now(), before.key.ID())
	}
	if ch := b.under(placeSuccessor, id); ch != nil {
		b.promote(ch)
	} else if ch := b.under(placeSuccessor, 0); ch != nil && b.at(placeServing) == nil {
		b.serve(c, ch) // it made the perm key, and calls go under that
	}
	b.flowOfServing(c, "the connection is being made")
}

// stopKey ends the use of a key that nothing has replaced yet.
func (b *binding) stopKey(c *ctx, out pfs.Output) {
	why := out.Loss.String()
	if b.using != nil && b.using.temp {
		why += ": a new one is being made"
	}
	if until := b.keys.BindAfter(); until.After(c.Now()) {
		why += " when the server's wait for that is over, at " + until.UTC().Format(time.RFC3339)
	}
	b.tempLost(c.Now())
	b.using = nil
	b.closeAsk(c)
	b.setFlow(c, flowLost, why)
	switch ch := b.under(placeServing, out.ID); {
	case ch == nil && out.Drain:
		b.keys.Retired(c.Now(), out.ID) // it has stopped already
	case ch == nil:
	case out.Drain:
		b.retire(ch, out.Listen)
	default:
		b.move(ch, placeGone)
	}
}

// endKey stops the connection under a replaced key that is dead.
func (b *binding) endKey(c *ctx, id crypt.KeyID) {
	for _, p := range []place{placeRetired, placeProbed} {
		if ch := b.under(p, id); ch != nil {
			b.move(ch, placeEnding)
		}
	}
	if b.under(placeEnding, id) == nil {
		b.keys.Retired(c.Now(), id)
	}
}

// retire lets a connection listen for the answers it still waits for.
func (b *binding) retire(ch *child, listen time.Duration) {
	b.move(ch, placeRetired)
	ch.listen = listen
	b.say(ch, dcconn.Listen{Limit: listen})
}

// onUnbound hears that the server refused a call because its key is not bound.
// The account has given its route up; it gets it back if the key was another.
func (b *binding) onUnbound(c *ctx, m Unbound) {
	b.keys.Unbound(c.Now(), m.Key)
	b.pumpKeys(c)
	b.tellAgain()
}

// drop has the server forget the temp keys that were replaced.
func (b *binding) drop(c *ctx, except []crypt.KeyID) {
	ch := b.at(placeServing)
	switch {
	case ch == nil || !ch.up:
		return // see onUp
	case b.dropping != 0:
		return // its connection sends it again
	case b.flow != flowOpen:
		b.keys.NotDropped(c.Now())
		return
	}
	b.cfg.Shared.has(b.cfg.ID.Purpose, b.keys.Live()) // what was retired is not among them
	except, ok := b.cfg.Shared.drops(c.Now(), b.cfg.ID.Purpose, except)
	if !ok {
		b.keys.NotDropped(c.Now())
		return
	}
	b.note(c.Now(), timeline.Dropped, 0, nil)
	query := &tg.AuthDropTempAuthKeysRequest{}
	for _, id := range except {
		query.ExceptAuthKeys = append(query.ExceptAuthKeys, int64(id))
	}
	self, id, n := c.Self(), b.query(), b.watch.replaced
	b.dropping, b.watch.replaced = id, 0
	b.say(ch, dcconn.Call{
		ID: id, Body: query.Append(nil), Policy: Repeatable,
		Reply: func(_ []byte, err error) {
			self.Send(dropEnded{query.TypeName(), id, err, n})
		},
	})
	c.After(timerDrop, pfs.DropLimit, dropOverdue{ch, id})
}

// dropOverdue: an order to drop keys has no answer. It is taken back, for its list
// grows old, and must not go out with the next connection.
type dropOverdue struct {
	child *child
	id    QueryID
}

func (dropOverdue) bindingMessage() {}

func (b *binding) onDropOverdue(m dropOverdue) {
	if b.dropping == m.id && m.child.place < placeEnding {
		b.say(m.child, dcconn.Cancel{ID: m.id})
	}
}

// dropEnded: old temp keys were dropped, or err says why not. Those that the server
// refuses to drop expire by themselves.
type dropEnded struct {
	method string
	id     QueryID
	err    error
	n      int // of them
}

func (dropEnded) bindingMessage() {}

func (b *binding) onDropEnded(c *ctx, m dropEnded) {
	now := c.Now()
	if m.err == nil {
		b.env.Observe.TempKeysDropped(m.n)
	} else {
		b.watch.replaced += m.n
	}
	until, wait := tgerr.Until(m.err, now)
	switch e, refused := tgerr.As(m.err); {
	case wait:
		b.cfg.Shared.wait(waitDrop, until)
		b.notify(EventRefused{m.method, m.err})
	case refused && e.IsUnauthorized():
		b.notify(EventRefused{m.method, m.err})
	case refused && e.Class() == tgerr.ClassPassword: // a sign-in is under way, and they are dropped after it
	case refused:
		b.env.Logger.Warn("old temp keys were not dropped", "account", b.cfg.Account, "dc", int(b.cfg.ID.DC), "err", m.err)
	}
	if b.dropping != m.id {
		return // another has overtaken it, of which the machine will hear
	}
	b.dropping = 0
	c.Cancel(timerDrop)
	b.cfg.Shared.dropped(b.cfg.ID.Purpose)
	b.keys.DropEnded(now, m.err)
	if b.sweeps && b.keys.Swept() {
		b.sweeps = false
		b.notify(EventSwept{})
	}
}

// query numbers a query of the binding's own. The numbers are in the upper
// half, which no account uses.
func (b *binding) query() QueryID {
	b.queries++
	return QueryID(1<<63 | b.queries)
}

// onGone hears that the server has forgotten the perm key, which is proved. At
// home the account decides what that means.
func (b *binding) onGone(c *ctx, err error) {
	if b.forMedia() {
		b.notify(EventFailed{err})
		return
	}
	if b.guest == nil {
		b.notify(EventKeyGone{err})
		return
	}
	b.guest.errands = nil // a logout under a key that is gone
	b.guest.machine.KeyLost(c.Now())
	b.forget(c.Now())
}

// onForeign hears that the perm key is of another environment. A guest DC is
// given up by itself.
func (b *binding) onForeign(err error) {
	if b.guest == nil && !b.forMedia() {
		b.notify(EventForeign{err})
		return
	}
	b.endHeld(err)
	b.notify(EventFailed{err})
}

// forget begins anew with the keys.
func (b *binding) forget(now time.Time) {
	b.bind = nil
	b.unwantKey()
	for _, ch := range b.children {
		if ch.place == placeSuccessor || ch.place == placeProver {
			b.move(ch, placeGone)
		}
	}
	b.proof, b.doubted = nil, time.Time{}
	b.rotationEnded(RotationAborted, nil)
	b.keys.Forget(now)
}

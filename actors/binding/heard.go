package binding

import (
	"fmt"
	"time"

	"github.com/mtfleet/mtfleet/actors/dcconn"
	"github.com/mtfleet/mtfleet/mtproto/tgerr"
)

// This file is about what connections say.

// onConn hears of a connection.
func (b *binding) onConn(c *ctx, ch *child, ev dcconn.Event) {
	if ch.place >= placeEnding {
		return // its pushes count for nothing any more
	}
	if b.env.Trace != nil {
		b.env.Trace(ch, ev)
	}
	now := c.Now()
	b.noteConn(now, ch, ev)
	switch ev.Kind {
	case dcconn.EventUp:
		b.onUp(c, ch)
	case dcconn.EventDown:
		b.onDown(c, ch, ev.Err)
	case dcconn.EventKeyMade:
		b.onKeyMade(now, ev)
	case dcconn.EventKeyFailed:
		b.keyFailed(now, kindOf(ev.Temp), ev.Err)
	case dcconn.EventBound:
		b.bind = nil
		b.env.Observe.Bound(b.cfg.ID.DC, nil)
		b.keys.Bound(now, ch.key)
	case dcconn.EventBindFailed:
		b.onBindFailed(now, ch, ev.Err)
	case dcconn.EventKeyUnknown:
		b.onKeyUnknown(c, ch)
	case dcconn.EventDrained:
		b.onDrained(c, ch, ev.Last)
	case dcconn.EventSilent:
		b.hushed(c, ch, ev.Last)
	case dcconn.EventProbed:
		b.onProbed(c, ch, ev.Answered)
	case dcconn.EventClock:
		b.keys.Clock(now, ev.Offset, true)
		b.env.Observe.Clock(b.cfg.ID.DC, ev.Offset)
		b.notify(EventClock{ev.Offset})
	case dcconn.EventUpdates:
		if b.guest != nil || b.forMedia() || ch.place > placeRetired {
			ev.Pushes.Taken(len(ev.Updates))
			return
		}
		b.notify(EventUpdates{ev.Updates, ev.Pushes})
	case dcconn.EventGap:
		dropped := ev.Pushes != nil && ch.place <= placeRetired
		if b.guest == nil && !b.forMedia() && (dropped || ch.place == placeServing && b.told == flowOpen) {
			b.notify(EventGap{})
		}
	case dcconn.EventSave:
		b.onSnapshot(ch, ev.Snapshot)
	case dcconn.EventPolled:
		b.onPolled(c, ch, ev)
	}
}

func (b *binding) onUp(c *ctx, ch *child) {
	b.setUp(ch, true)
	b.env.Observe.Dialed(b.cfg.ID.DC, nil)
	b.saidLast = ""
	if ch.place == placeServing && b.flow == flowLost {
		b.flowOfServing(c, "")
		b.keys.Connected(c.Now())
	}
}

func (b *binding) onDown(c *ctx, ch *child, err error) {
	wasUp := ch.up
	b.setUp(ch, false)
	if wasUp {
		b.env.Observe.ConnectionLost(b.cfg.ID.DC)
	} else {
		b.env.Observe.Dialed(b.cfg.ID.DC, err)
	}
	switch ch.place {
	case placeSuccessor:
		b.waitAgain()
		b.holdBind(c.Now())
		if !wasUp && b.at(placeServing) == nil {
			b.unreachable(because(fmt.Sprintf("%v cannot be reached", b.cfg.ID.DC), err))
		}
	case placeServing:
		if wasUp && (b.flow == flowOpen || b.flow == flowTurning) {
			b.setFlow(c, flowLost, because("the connection was lost", err))
		} else if !wasUp {
			b.unreachable(because(fmt.Sprintf("%v cannot be reached", b.cfg.ID.DC), err))
		}
	}
}

// unreachable tells why the account gets nowhere, once for the same words.
func (b *binding) unreachable(why string) {
	if why != b.saidLast {
		b.saidLast = why
		b.notify(EventUnreachable{why})
	}
}

func because(what string, err error) string {
	if err == nil {
		return what
	}
	return what + ": " + err.Error()
}

// onBindFailed ends a bind. Another try has a connection of its own.
func (b *binding) onBindFailed(now time.Time, ch *child, err error) {
	if ch.place != placeSuccessor {
		return
	}
	b.move(ch, placeGone)
	b.bind = nil
	b.env.Observe.Bound(b.cfg.ID.DC, err)
	b.rotationEnded(RotationFailed, err)
	if _, refused := tgerr.As(err); refused {
		b.notify(EventRefused{"auth.bindTempAuthKey", err})
	}
	if until, ok := tgerr.Until(err, now); ok {
		b.cfg.Shared.wait(waitBind, until)
	}
	b.keys.BindFailed(now, ch.key, err)
}

// holdBind takes a bind back that is not on its way, while the server has that wait:
// its connection would send it as soon as it stands.
func (b *binding) holdBind(now time.Time) {
	until := b.keys.BindAfter()
	if b.bind == nil || !now.Before(until) {
		return
	}
	id := b.bind.Temp.ID()
	if ch := b.under(placeSuccessor, id); ch != nil {
		if ch.up {
			return // it is: its answer comes
		}
		b.move(ch, placeGone)
	}
	b.bind = nil
	b.keys.Blocked(now, id, until)
}

// onKeyUnknown hears of a -404 under a key. The connection does nothing more.
func (b *binding) onKeyUnknown(c *ctx, ch *child) {
	b.hushed(c, ch, 0)
	switch ch.place {
	case placeProver:
		b.onProofUnknown(c, ch)
	case placeConfirmer:
		b.endAsk(c, ch, nil, &QueryError{Reason: errKeyUnknown, Fate: ErrMayHaveRun})
	case placeSuccessor:
		b.move(ch, placeGone)
		b.bind = nil
		b.keys.Unknown(c.Now(), ch.key)
	case placeServing, placeProbed:
		b.keys.Unknown(c.Now(), ch.key)
	case placeRetired:
		b.keys.Unknown(c.Now(), ch.key)
		b.move(ch, placeEnding)
	}
}

// onDrained hears that a connection has fallen silent: nothing is pending, or
// what is pending is kept or has ended.
func (b *binding) onDrained(c *ctx, ch *child, last uint64) {
	switch {
	case ch.place == placeServing && b.flow == flowHeld:
		b.hushed(c, ch, last)
		b.keys.Held(c.Now())
	case ch.place == placeRetired:
		b.hushed(c, ch, last)
		b.move(ch, placeEnding)
	}
}

// onProbed hears whether a replaced key lives. From here on its connection
// listens for as long as it is worth. A lost socket says nothing about the key,
// which goes with its connection; a -404 is told before, as EventKeyUnknown.
func (b *binding) onProbed(c *ctx, ch *child, answered bool) {
	switch {
	case ch.place != placeProbed:
	case !answered && !ch.up:
		b.move(ch, placeEnding)
	default:
		b.retire(ch, ch.listen)
		b.keys.Probed(c.Now(), ch.key, answered)
	}
}

// onSnapshot hears what a session has learnt.
func (b *binding) onSnapshot(ch *child, s dcconn.Snapshot) {
	if ch.place != placeServing {
		return
	}
	b.session = sessionRecord(b.cfg.ID.DC, ch.key, s)
	if b.forMedia() {
		return // the record of the DC is that of the main purpose
	}
	b.notify(EventSession{*b.session})
}

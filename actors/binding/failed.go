package binding

import (
	"fmt"

	"github.com/mtfleet/mtfleet/actors/runtime"
)

// health is whether connections may be made.
type health uint8

const (
	// healthy: they may.
	healthy health = iota
	// recovering: one failed by a fault of this program. None is made until
	// respawnDue; those that are there go on.
	recovering
	// broken: they failed too often. There are none; nothing leaves it.
	broken
)

// ChildStopped implements [runtime.Parent]. A connection that failed is made
// anew after a delay, where it is still needed; calls that are held are kept.
func (b *binding) ChildStopped(c *ctx, id runtime.ActorID, reason error) {
	if c.Stopping() {
		return
	}
	for i, ch := range b.children {
		if ch.ref.ID() != id {
			continue
		}
		b.children = append(b.children[:i:i], b.children[i+1:]...)
		b.hushed(c, ch, 0)
		b.setUp(ch, false)
		if reason != nil || ch.place < placeEnding {
			b.onFailed(c, ch, failure(reason))
		}
		if ch.place == placeEnding || ch.place == placeRetired || ch.place == placeProbed {
			b.noteEnd(c.Now(), ch.key)
			b.keys.Retired(c.Now(), ch.key)
		}
		break
	}
	b.pump(c)
}

// failure is the error of what a connection owed when it failed.
func failure(reason error) error {
	if reason == nil {
		return errNoConnection
	}
	return fmt.Errorf("%w: %w", errNoConnection, reason)
}

// onFailed answers what a connection owed.
func (b *binding) onFailed(c *ctx, ch *child, reason error) {
	now := c.Now()
	b.pauseAfter(c, reason)
	switch ch.place {
	case placeSuccessor:
		b.waitAgain()
		if b.making == makeRunning {
			b.keyFailed(now, b.wants, reason)
		}
	case placeServing:
		if b.flow == flowHeld {
			b.keys.Held(now)
		} else {
			b.setFlow(c, flowLost, "a connection failed and will be started again: "+reason.Error())
		}
	case placeProver:
		b.proof = nil
		b.keys.ProofFailed(now, reason)
	case placeConfirmer:
		b.endAsk(c, ch, nil, &QueryError{Reason: reason, Fate: ErrMayHaveRun})
	}
}

// pauseAfter makes no connection for a while after a failure, and none at all
// after too many.
func (b *binding) pauseAfter(c *ctx, reason error) {
	delay, tooOften := b.keeper.Failed(c.Now(), c.Rand())
	if !tooOften {
		b.health = recovering
		c.After(timerRespawn, delay, respawnDue{})
		return
	}
	b.health = broken
	c.Cancel(timerRespawn)
	for _, ch := range b.children {
		b.move(ch, placeGone)
	}
	b.setFlow(c, flowLost, "connections failed too often")
	b.notify(EventBroken{reason})
}

func (b *binding) onRespawn(c *ctx) {
	if b.health == recovering {
		b.health = healthy
		b.keeper.Started(c.Now())
	}
}

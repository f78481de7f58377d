package binding

import (
	"time"

	"github.com/mtfleet/mtfleet/actors/dcconn"
	"github.com/mtfleet/mtfleet/actors/governor"
	"github.com/mtfleet/mtfleet/mtproto/pfs"
)

// making is how far the key that the machine wants has come.
type making uint8

const (
	// makeNone: the machine wants no key. OutPermit leaves it.
	makeNone making = iota
	// makeWaiting: there must be a connection to make it on. A permit is not
	// asked for before, so that nobody holds one while a DC is down. Left when
	// the successor's socket stands.
	makeWaiting
	// makeAsking: the governor has our ticket. Left by its permit, or with the
	// socket, back to makeWaiting.
	makeAsking
	// makeRunning: the handshake runs on the successor. Left by its end.
	makeRunning
)

// permitted is the governor's answer.
type permitted struct{ ticket *governor.Ticket }

func (permitted) bindingMessage() {}

// wantKey notes that the machine wants a key. A permit that was asked for is as
// good for a key of another kind; a handshake for one is not, and ends.
func (b *binding) wantKey(kind pfs.KeyKind) {
	b.wants = kind
	switch b.making {
	case makeRunning:
		b.unwantKey()
		if ch := b.at(placeSuccessor); ch != nil {
			b.move(ch, placeGone)
		}
		b.making = makeWaiting
	case makeNone:
		b.making = makeWaiting
	}
}

// unwantKey gives up a wish, with its permit.
func (b *binding) unwantKey() {
	b.making = makeNone
	b.endPermit()
}

// askPermit asks the governor, once there is a connection.
func (b *binding) askPermit(c *ctx) {
	if b.making != makeWaiting {
		return
	}
	self := c.Self()
	t := &governor.Ticket{Kind: governor.MakeKey, DC: int(b.cfg.ID.DC), Route: b.cfg.Way.Route, Active: true, Who: b.who}
	t.Granted = func() { self.Send(permitted{t}) }
	b.making, b.ticket = makeAsking, t
	b.env.Governor.Send(governor.Want{Ticket: t})
}

// waitAgain goes back to waiting for a connection: the one there was is lost.
func (b *binding) waitAgain() {
	if b.making == makeAsking {
		b.making = makeWaiting
		b.endPermit()
	}
}

// endPermit withdraws a wish or ends the use of a permit.
func (b *binding) endPermit() {
	if b.ticket != nil {
		b.env.Governor.Send(governor.Done{Ticket: b.ticket, Outcome: governor.Unknown})
		b.ticket = nil
	}
}

// onPermitted passes the permit on, or gives it back when the wish was
// overtaken by something else.
func (b *binding) onPermitted(now time.Time, p permitted) {
	if p.ticket != b.ticket {
		return // withdrawn since
	}
	b.keys.Permitted(now, b.wants)
	if b.keys.Stage() != pfs.StageMaking {
		b.unwantKey()
	}
}

// makeKey begins the handshake that the machine has a permit for.
func (b *binding) makeKey(c *ctx, out pfs.Output) {
	b.making = makeRunning
	ch := b.under(placeSuccessor, 0)
	if ch == nil {
		b.keyFailed(c.Now(), out.Key, errNoConnection)
		return
	}
	b.say(ch, dcconn.MakeKey{Temp: out.Key == pfs.Temp, ExpiresIn: out.ExpiresIn})
}

// keyFailed ends a handshake that came to nothing.
func (b *binding) keyFailed(now time.Time, kind pfs.KeyKind, err error) {
	b.unwantKey()
	b.env.Observe.KeyMade(b.cfg.ID.DC, kind == pfs.Temp, err)
	b.rotationEnded(RotationFailed, err)
	b.keys.MakeFailed(now, kind, err)
}

// onKeyMade ends a handshake with its key.
func (b *binding) onKeyMade(now time.Time, ev dcconn.Event) {
	b.unwantKey()
	b.env.Observe.KeyMade(b.cfg.ID.DC, ev.Temp, nil)
	made := ev.Made
	if ev.Temp {
		b.watch.made, b.watch.madeAt = made.Key.ID(), now
		b.rotationDid("key made")
	}
	b.env.primes.remember(made.Proven)
	b.keys.Made(now, kindOf(ev.Temp), pfs.NewKey{
		Key: made.Key, Salt: made.ServerSalt, TimeOffset: made.TimeOffset,
		ExpiresAt: made.ExpiresAt, Fingerprint: made.Fingerprint,
	})
}

func kindOf(temp bool) pfs.KeyKind {
	if temp {
		return pfs.Temp
	}
	return pfs.Perm
}

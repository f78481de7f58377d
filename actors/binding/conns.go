package binding

import (
	"errors"
	"time"

	"github.com/mtfleet/mtfleet/actors/dcconn"
	"github.com/mtfleet/mtfleet/actors/runtime"
	"github.com/mtfleet/mtfleet/mtproto/crypt"
	"github.com/mtfleet/mtfleet/mtproto/pfs"
	"github.com/mtfleet/mtfleet/tl"
	"github.com/mtfleet/mtfleet/tl/tg"
)

// place is what a connection is to its binding.
type place uint8

const (
	// placeSuccessor: it makes keys, then binds the last of them. There is at
	// most one. Left for placeServing when its key is bound, for placeGone when
	// that came to nothing.
	placeSuccessor place = iota
	// placeServing: it runs under the key in use and carries the calls. There is
	// at most one. Left for placeRetired or placeGone.
	placeServing
	// placeProbed: its key was replaced, and it asks whether the key still lives;
	// it listens whatever is pending. Left for placeRetired with the answer.
	placeProbed
	// placeRetired: its key was replaced, or refused as unbound; it sends nothing
	// and listens until its calls are answered. Left for placeEnding.
	placeRetired
	// placeProver: it asks one question under the perm key itself. Left for
	// placeGone.
	placeProver
	// placeConfirmer: it asks one question of the account, beside the serving
	// connection. Left for placeGone.
	placeConfirmer
	// placeEnding: a retired connection that was told to stop. Its end is told
	// to the machine of the keys.
	placeEnding
	// placeGone: told to stop. Nobody waits for its end.
	placeGone
)

// child is one connection.
type child struct {
	ref   runtime.Ref[dcconn.Message]
	place place
	key   crypt.KeyID // 0 until it runs under one
	temp  bool        // key is a temp key
	up    bool        // its socket stands

	speaks bool // calls went by it, and it has not said that it sends nothing more

	listen time.Duration // how long it may listen once it is retired
}

// connEvent is what a connection says.
type connEvent struct {
	child *child
	ev    dcconn.Event
}

func (connEvent) bindingMessage() {}

var (
	errNoConnection = errors.New("the connection is gone")
	errKeyUnknown   = errors.New("the server does not know the key")
)

// withoutUpdates goes before every query of a connection that must not get
// updates.
var withoutUpdates = tl.AppendUint32(nil, tg.InvokeWithoutUpdatesRequestID)

// at returns the connection in a place, nil when there is none.
func (b *binding) at(p place) *child {
	for _, ch := range b.children {
		if ch.place == p {
			return ch
		}
	}
	return nil
}

// under returns the connection in a place that runs under a key.
func (b *binding) under(p place, key crypt.KeyID) *child {
	for _, ch := range b.children {
		if ch.place == p && ch.key == key {
			return ch
		}
	}
	return nil
}

// say sends a connection a message.
func (b *binding) say(ch *child, m dcconn.Message) {
	if b.env.Trace != nil {
		b.env.Trace(ch, m)
	}
	ch.ref.Send(m)
}

// move brings a connection to another place; it is the only one to do so.
func (b *binding) move(ch *child, to place) {
	if ch.place >= placeEnding {
		return
	}
	ch.place = to
	if to >= placeEnding {
		if b.env.Trace != nil {
			b.env.Trace(ch, Stop{})
		}
		ch.ref.Stop()
	}
}

// open makes a connection that has no key yet.
func (b *binding) open(c *ctx, p place) *child {
	ch := &child{place: p}
	first := uint32(0)
	if p == placeProver { // one wrong address of several is no proof
		first = b.proofs
		b.proofs++
	}
	self := c.Self()
	ch.ref = dcconn.Spawn(c, b.env.conn, dcconn.Config{
		DC: b.cfg.ID.DC, Active: b.cfg.Active || b.awaited(), Who: b.who, Way: b.cfg.Way, Address: first, Spoken: b.spoken, Media: b.forMedia(),
		Notify: func(ev dcconn.Event) { self.Send(connEvent{ch, ev}) },
	})
	b.children = append(b.children, ch)
	return ch
}

// run puts a connection under a key, for the rest of its life.
func (b *binding) run(c *ctx, ch *child, key *inUse, bind *dcconn.Bind) {
	ch.key, ch.temp = key.key.ID(), key.temp
	cfg := dcconn.SessionConfig{Rand: c.Rand(), Header: b.env.headerOf(b.cfg.Way), Perm: !key.temp, SpreadPings: true}
	if b.guest != nil || b.forMedia() || ch.place == placeProver || ch.place == placeConfirmer {
		cfg.Prefix = withoutUpdates
	}
	sessionConfig(&cfg, b.session, ch.key)
	if len(cfg.Salts) == 0 && key.salt != 0 {
		cfg.Salts = []dcconn.Salt{{Value: key.salt}}
	}
	b.say(ch, dcconn.Run{Key: key.key, Session: cfg, Bind: bind})
}

// staff makes the connections that are needed and not there. While a successor
// is being bound nothing more is sent under the key it replaces.
func (b *binding) staff(c *ctx) {
	if b.health != healthy {
		return
	}
	if b.using != nil && b.flow != flowHeld && b.at(placeServing) == nil {
		b.serve(c, b.open(c, placeSuccessor))
	}
	switch {
	case b.bind != nil:
		temp, perm := b.bind.Temp, b.bind.Perm
		if b.under(placeSuccessor, temp.ID()) == nil {
			b.run(c, b.keyless(c), &inUse{temp.Key, temp.Salt, true}, &dcconn.Bind{Perm: perm.Key, ExpiresAt: temp.ExpiresAt})
		}
	case b.making == makeWaiting:
		if b.keyless(c).up {
			b.askPermit(c)
		}
	case b.saving == nil && b.keys.Stage() == pfs.StageResting:
		if ch := b.at(placeSuccessor); ch != nil {
			b.move(ch, placeGone) // nothing is left to do for it
		}
	}
	b.nextAsk(c)
}

// serve puts a connection that has no key yet under the one in use, for calls.
func (b *binding) serve(c *ctx, ch *child) {
	b.promote(ch)
	b.run(c, ch, b.using, nil)
}

// promote makes the successor the serving connection.
func (b *binding) promote(ch *child) {
	b.move(ch, placeServing)
	ch.speaks = true
}

// keyless returns the successor, a new one if there is none without a key.
func (b *binding) keyless(c *ctx) *child {
	ch := b.at(placeSuccessor)
	if ch != nil && ch.key != 0 {
		b.move(ch, placeGone)
		ch = nil
	}
	if ch == nil {
		ch = b.open(c, placeSuccessor)
	}
	return ch
}

// through changes the way of all connections.
func (b *binding) through(m Through) {
	b.cfg.Way = m.Way
	for _, ch := range b.children {
		if ch.place < placeGone {
			b.say(ch, dcconn.Through{Way: m.Way})
		}
	}
}

// check has the serving connection ask whether its DC is there, or all know that
// it is.
func (b *binding) check(m Check) {
	if m.Back {
		for _, ch := range b.children {
			if ch.place < placeRetired {
				b.say(ch, dcconn.Check{Back: true})
			}
		}
		return
	}
	if ch := b.at(placeServing); ch != nil && ch.up {
		b.say(ch, dcconn.Check{})
	}
}

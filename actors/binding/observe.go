package binding

import (
	"cmp"
	"time"

	"github.com/mtfleet/mtfleet/mtproto/crypt"
	"github.com/mtfleet/mtfleet/mtproto/dc"
	"github.com/mtfleet/mtfleet/mtproto/pfs"
	"github.com/mtfleet/mtfleet/persistence"
)

// Observer is told what happens, for metrics and traces. None of its functions
// may block; one that is nil is not called. Metrics name no account: the one that
// is given finds what a span is linked to.
type Observer struct {
	// Connected: sockets of connections that stand, 1 more or (-1) one less.
	Connected func(at dc.ID, n int)
	// Dialed: a connection got its socket, or did not.
	Dialed func(at dc.ID, err error)
	// ConnectionLost: an established connection ended.
	ConnectionLost func(at dc.ID)
	// KeyMade: a handshake for a perm or temp key has ended, well if err is nil.
	KeyMade func(at dc.ID, temp bool, err error)
	// Bound: a bind has ended, well if err is nil.
	Bound func(at dc.ID, err error)
	// Rotating: a temp key is to be replaced while it serves. The result is told
	// how that goes.
	Rotating func(id persistence.AccountID, at dc.ID) Rotation
	// TempKeyLost: the server had lost the temp key in use, or its binding.
	TempKeyLost func(at dc.ID)
	// TempKeyEnded: calls go under a temp key no more, so long after it was made.
	TempKeyEnded func(age time.Duration)
	// TempKeysDropped: the server was told to forget so many temp keys, and said
	// that it has.
	TempKeysDropped func(n int)
	// Clock: a DC's time minus ours, as just measured.
	Clock func(at dc.ID, offset time.Duration)
}

// A Rotation is told how one goes, by its binding.
type Rotation interface {
	// Did says that a step was done: "key made" or "held".
	Did(step string)
	// Ended says how it ended, nothing after that.
	Ended(how RotationEnd, err error)
}

// RotationEnd is how a rotation ended.
type RotationEnd uint8

const (
	// RotationWorked: calls go under the successor.
	RotationWorked RotationEnd = iota
	// RotationFailed: there is no successor; the old key goes on, and another
	// try follows.
	RotationFailed
	// RotationAborted: the binding was closed, failed or began anew meanwhile.
	RotationAborted
)

// usualLife is what a temp key is asked to live where Env.TempLife is zero.
const usualLife = 24 * time.Hour

// watch is what telemetry wants to know of a binding's temp keys.
type watch struct {
	rotation Rotation    // under way, nil for none
	made     crypt.KeyID // the temp key made last
	madeAt   time.Time
	since    time.Time // when the temp key in use was made; zero: there is none
	replaced int       // temp keys that the server was not told to forget
}

// filled returns the observer with no function missing.
func (o Observer) filled() Observer {
	if o.Connected == nil {
		o.Connected = func(dc.ID, int) {}
	}
	if o.Dialed == nil {
		o.Dialed = func(dc.ID, error) {}
	}
	if o.ConnectionLost == nil {
		o.ConnectionLost = func(dc.ID) {}
	}
	if o.KeyMade == nil {
		o.KeyMade = func(dc.ID, bool, error) {}
	}
	if o.Bound == nil {
		o.Bound = func(dc.ID, error) {}
	}
	if o.Rotating == nil {
		o.Rotating = func(persistence.AccountID, dc.ID) Rotation { return unwatched{} }
	}
	if o.TempKeyLost == nil {
		o.TempKeyLost = func(dc.ID) {}
	}
	if o.TempKeyEnded == nil {
		o.TempKeyEnded = func(time.Duration) {}
	}
	if o.TempKeysDropped == nil {
		o.TempKeysDropped = func(int) {}
	}
	if o.Clock == nil {
		o.Clock = func(dc.ID, time.Duration) {}
	}
	return o
}

type unwatched struct{}

func (unwatched) Did(string)               {}
func (unwatched) Ended(RotationEnd, error) {}

// setUp notes whether a connection's socket stands.
func (b *binding) setUp(ch *child, up bool) {
	if ch.up == up {
		return
	}
	n := 1
	if ch.up = up; !up {
		n = -1
	}
	b.env.Observe.Connected(b.cfg.ID.DC, n)
}

// rotating notes that the temp key in use is to have a successor.
func (b *binding) rotating() {
	if b.watch.rotation == nil && b.using != nil && b.using.temp {
		b.watch.rotation = b.env.Observe.Rotating(b.cfg.Account, b.cfg.ID.DC)
	}
}

func (b *binding) rotationDid(step string) {
	if b.watch.rotation != nil {
		b.watch.rotation.Did(step)
	}
}

func (b *binding) rotationEnded(how RotationEnd, err error) {
	if b.watch.rotation != nil {
		b.watch.rotation.Ended(how, err)
		b.watch.rotation = nil
	}
}

// tempServes notes which temp key, nil for none, serves from now on in place of
// before.
func (b *binding) tempServes(now time.Time, before *inUse, temp *pfs.TempKey) {
	var id crypt.KeyID
	if temp != nil {
		id = temp.ID()
	}
	if before != nil && before.temp && before.key.ID() != id {
		b.tempEnded(now)
		b.watch.replaced++
		b.rotationEnded(RotationWorked, nil)
	}
	switch {
	case temp == nil:
	case id == b.watch.made:
		b.watch.since = b.watch.madeAt
	case before == nil || before.key.ID() != id: // an earlier process made it, and asked for the usual life
		b.watch.since = temp.ExpiresAt.Add(-cmp.Or(b.env.TempLife, usualLife))
	}
}

// tempLost notes that the key in use serves no more, by no doing of ours.
func (b *binding) tempLost(now time.Time) {
	if b.using == nil || !b.using.temp {
		return
	}
	b.env.Observe.TempKeyLost(b.cfg.ID.DC)
	b.tempEnded(now)
	b.rotationEnded(RotationAborted, errKeyUnknown)
}

// tempEnded tells how old the temp key in use has become.
func (b *binding) tempEnded(now time.Time) {
	if !b.watch.since.IsZero() {
		b.env.Observe.TempKeyEnded(max(now.Sub(b.watch.since), 0))
	}
	b.watch.since = time.Time{}
}

package binding

import (
	"slices"
	"time"

	"github.com/mtfleet/mtfleet/mtproto/dc"
	"github.com/mtfleet/mtfleet/mtproto/pfs"
	"github.com/mtfleet/mtfleet/persistence"
)

// This file is about the binding for media: bulk transfers go by connections of
// their own to addresses for media alone, under a temp key of their own that is
// bound to the DC's perm key and kept in memory only. The binding for the main
// purpose lends the perm key, and has carried the authorization there before.
//
// Nothing depends on this binding: calls for media that it cannot take, because it
// is not there yet, has lost its key or cannot reach its address, go by the main one.

// mediaPatience is how long calls are held for a binding that opens, or rotates its
// key: a handshake and a bind take some ten ways there and back.
const mediaPatience = 5 * time.Second

// findAgain is how long somebody has for finding out what a DC makes of keys bound
// before: a rotation.
const findAgain = time.Minute

// MediaRoad is by which binding calls for media go; see [pfs.MediaRoad].
type MediaRoad = pfs.MediaRoad

// The values of a MediaRoad.
const (
	MediaByMain  = pfs.MediaByMain
	MediaFindOut = pfs.MediaFindOut
	MediaByOwn   = pfs.MediaByOwn
)

// MediaRoad says by which binding calls for media on a DC go, of an account with or
// without temp keys. MediaFindOut is said to one account at a time: it is to rotate
// the key of its main binding there.
func (e *Env) MediaRoad(now time.Time, at dc.ID, withTemps bool) MediaRoad {
	road := pfs.RoadOfMedia(e.mediaAddresses(at), withTemps, e.readings.of(at))
	if road == MediaFindOut && !e.readings.claim(now, at) {
		return MediaByMain
	}
	return road
}

// mediaAddresses reports whether a DC has addresses for media alone, which the
// network reaches.
func (e *Env) mediaAddresses(at dc.ID) bool {
	if n, ok := e.Network.(interface{ Media(dc.ID) bool }); ok && !n.Media(at) {
		return false
	}
	return slices.ContainsFunc(e.Table().Options, func(o dc.Option) bool { return o.DC == at && o.MediaOnly && !o.CDN })
}

// claim reports whether nobody has set out to learn the reading of a DC lately.
func (r *readings) claim(now time.Time, at dc.ID) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if since, claimed := r.claimed[at]; claimed && now.Sub(since) < findAgain {
		return false
	}
	if r.claimed == nil {
		r.claimed = map[dc.ID]time.Time{}
	}
	r.claimed[at] = now
	return true
}

// Sweep has the server forget what a process before this one left of temp keys for
// media, which are on no disk: the binding of the main slot is told, before the one
// for media is opened. EventSwept follows, be it after the connection was lost.
type Sweep struct{}

func (Sweep) bindingMessage() {}

// forMedia reports whether the binding is the one for media.
func (b *binding) forMedia() bool { return b.cfg.ID.Purpose == Media }

// beginMedia begins with the perm key that is lent, and with the temp keys that the
// last binding for media left.
func (b *binding) beginMedia(c *ctx) {
	snap := b.cfg.Shared.borrow()
	b.session = &persistence.Session{DC: int(b.cfg.ID.DC), TimeOffset: snap.TimeOffset}
	b.start(c, snap)
	b.used(c)
	b.pump(c)
	c.Resume()
}

// patience bounds how long calls are held here.
func (b *binding) patience(c *ctx) {
	if b.forMedia() && len(b.held) == 1 {
		c.After(timerPatience, mediaPatience, impatient{})
	}
}

// impatient: calls have been held for long enough.
type impatient struct{}

func (impatient) bindingMessage() {}

// onImpatient gives back what is held, to go by the main binding.
func (b *binding) onImpatient() {
	if len(b.held) == 0 {
		return
	}
	b.notify(EventLost{"the connection for media is not there yet"})
	for _, call := range take(&b.held) {
		call.giveBack()
	}
}

// leaveKeys says what becomes of the temp keys for media when their binding ends:
// kept in memory where it was closed for want of calls, and else the next order to
// drop keys is theirs.
func (b *binding) leaveKeys() {
	if !b.forMedia() || b.keys == nil {
		return
	}
	if b.resting {
		b.cfg.Shared.park(b.keys.Snapshot().Temps)
	} else {
		b.cfg.Shared.has(Media, nil)
	}
}

// onSharedChanged hears that another purpose's order has ended, or what the DC makes
// of keys bound before.
func (b *binding) onSharedChanged(now time.Time) { b.keys.Unblocked(now) }

// sharedChanged says so.
type sharedChanged struct{}

func (sharedChanged) bindingMessage() {}

package explore

import (
	"slices"
	"time"

	"github.com/mtfleet/mtfleet/mtproto/crypt"
	"github.com/mtfleet/mtfleet/mtproto/pfs"
	"github.com/mtfleet/mtfleet/mtproto/standing"
)

// This file is what the slots of the home DC have in common, and when there is one
// for media, as the account and its bindings have it. The other DC has one slot.

// media is what this process knows of it.
type media struct {
	slots   pfs.Slots
	perm    crypt.KeyID // under which calls have gone home
	lent    pfs.Snapshot
	parked  []pfs.TempKey // of a slot for media that was closed for want of calls
	noBinds time.Time     // until then the DC wants none
	noDrops time.Time     // and no order to drop keys
	swept   crypt.KeyID   // the perm key under which nothing is left of processes before
	sweeps  bool          // the main slot was told to see to that
	opens   bool          // calls for media may wait for their slot
	wanted  bool          // and want it as soon as calls go home
}

// patience is how long they wait for it.
const patience = 5 * time.Second

// has notes the temp keys of a slot.
func (w *world) has(s *slot) {
	if s != nil && s.at != atAway {
		w.media.slots.Has(s.at.slot(), s.m.Live())
	}
}

// placeOfMedia is where a call for media goes now.
func (w *world) placeOfMedia() place {
	if w.slots[atHome] == nil {
		return atHome
	}
	if w.slots[atMedia] == nil {
		w.openMedia()
	}
	if s := w.slots[atMedia]; s == nil || w.media.perm == 0 || !s.open() && !w.media.opens {
		return atHome
	}
	return atMedia
}

func (w *world) openMedia() {
	if w.media.wanted = w.media.perm == 0; w.media.wanted {
		return
	}
	switch pfs.RoadOfMedia(true, true, w.readings[0]) {
	case pfs.MediaFindOut:
		w.slots[atHome].m.Rotate(w.local())
	case pfs.MediaByOwn:
		if w.media.swept != w.media.perm && w.plant != sweepsNot {
			if !w.media.sweeps {
				w.media.sweeps = true
				w.slots[atHome].m.Sweep(w.local())
			}
			return
		}
		snap := w.media.lent
		snap.Temps, w.media.parked = w.media.parked, nil
		w.media.opens = true
		w.openSlot(atMedia, snap)
	case pfs.MediaByMain:
	}
}

// swept goes on when the main slot has had everything dropped that no slot names.
func (w *world) swept() {
	w.media.sweeps, w.media.swept = false, w.media.perm
	if w.slots[atMedia] == nil {
		w.openMedia()
	}
}

// routedHome lends the perm key that calls go home under.
func (w *world) routedHome(s *slot) {
	w.media.lent = pfs.Snapshot{Perm: s.m.Perm(), TimeOffset: s.m.Snapshot().TimeOffset}
	if w.media.perm != s.m.PermID() && w.slots[atMedia] != nil {
		w.closeMedia(false)
	}
	if w.media.perm = s.m.PermID(); w.media.wanted {
		w.openMedia()
	}
}

// closeMedia ends the slot for media. Its keys are kept in memory where it is
// closed for want of calls.
func (w *world) closeMedia(keep bool) {
	s := w.slots[atMedia]
	w.slots[atMedia], w.media.opens = nil, false
	if keep {
		w.has(s)
		w.media.parked = s.m.Snapshot().Temps
	} else {
		w.media.slots.Has(pfs.MediaSlot, nil)
	}
	w.rotated(atMedia, errClosed)
	for _, q := range slices.Clone(w.queries) {
		at := w.query(q.call.ID)
		switch {
		case at == nil || q.at != atMedia:
		case q.stage == queryHeld:
			w.returned(at, &local{back: true})
		case q.stage == querySent:
			w.lost(at)
		}
	}
}

// impatient gives back the calls for media that were held for long enough.
func (w *world) impatient() {
	if !w.callsWaitForMedia() {
		return
	}
	w.media.opens = false
	for _, q := range slices.Clone(w.queries) {
		if q.at == atMedia && q.stage == queryHeld {
			w.returned(w.query(q.call.ID), &local{back: true})
		}
	}
}

func (w *world) callsWaitForMedia() bool {
	return slices.ContainsFunc(w.queries, func(q query) bool { return q.at == atMedia && q.stage == queryHeld })
}

func (w *world) mediaActions(add adder) {
	s := w.slots[atMedia]
	idle := !slices.ContainsFunc(w.queries, func(q query) bool { return q.at == atMedia })
	switch {
	case s == nil && w.slots[atHome] != nil && !w.media.wanted && !w.media.sweeps && w.readings[0] != pfs.ReadingCut:
		add("media is wanted", 0, (*world).openMedia)
	case s != nil && idle && s.route != 0 && len(s.orders) == 0:
		add("media: it is closed for want of calls", 0, func(w *world) { w.closeMedia(true) })
	}
	if w.callsWaitForMedia() {
		add("media: calls wait no longer", 0, (*world).impatient)
	}
}

// A rotation is what became of the owner's asking for one.
type rotation uint8

const (
	notAsked rotation = iota
	underWay
	answered
)

func (r *rotation) end() {
	if *r == underWay {
		*r = answered
	}
}

// firstRotation is the request of the first.
const firstRotation standing.Request = 10

// rotating are the slots that owe an answer to a rotation.
type rotating struct {
	places uint8
	round  uint32
	err    error
}

// rotate asks every slot for another temp key, but one for media that calls do not
// go by.
func (w *world) rotate(round uint32) {
	w.rotating = rotating{round: round}
	for at, s := range w.slots {
		if s != nil && (place(at) != atMedia || s.open()) {
			w.rotating.places |= 1 << at
		}
	}
	if w.rotating.places == 0 {
		w.st.Rotated(w.local(), round, errClosed)
	}
	for at, s := range w.slots {
		if w.rotating.places>>at&1 != 0 {
			s.m.Rotate(w.local())
		}
	}
}

// rotated takes the answer of a slot.
func (w *world) rotated(at place, err error) {
	r := &w.rotating
	if r.places>>at&1 == 0 {
		return
	}
	if s := w.slots[at]; err == nil && s.route == 0 {
		w.failf("%v says that a rotation is over, and no key is in use", at)
	}
	if r.err == nil {
		r.err = err
	}
	if r.places &^= 1 << at; r.places == 0 {
		w.st.Rotated(w.local(), r.round, r.err)
	}
}

// replied is an answer to the owner.
func (w *world) replied(id standing.Request) {
	if id < firstRotation {
		return
	}
	r := &w.rotations[id-firstRotation]
	if *r != underWay {
		w.failf("a rotation is answered twice")
	}
	*r = answered
}

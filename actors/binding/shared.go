package binding

import (
	"slices"
	"sync"
	"time"

	"github.com/mtfleet/mtfleet/mtproto/crypt"
	"github.com/mtfleet/mtfleet/mtproto/pfs"
)

// Shared is what the bindings of one DC of an account have in common, one binding
// for each purpose, and what outlives each of them in this process. The zero value
// is that of a DC that had none. It is safe for concurrent use.
type Shared struct {
	Spoken // of connections for the main purpose

	mu     sync.Mutex // guards the following fields
	slots  pfs.Slots
	wakes  [2]func() // by purpose: that something here has changed for it
	lent   pfs.Snapshot
	parked []pfs.TempKey // of the binding for media, closed for want of calls
	waits  [2]time.Time  // ends of waits that the server imposed: on binds, and on drops
}

const (
	waitBind = iota
	waitDrop
)

func slotOf(p Purpose) pfs.Slot { return pfs.Slot(p) }

// joined says that the binding for a purpose begins.
func (s *Shared) joined(p Purpose, wake func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.wakes[p] = wake
	if p == Main { // which is told of waits when it begins
		s.waits = [2]time.Time{}
	}
}

// lend says what a binding for another purpose may use: the perm key, and the time.
func (s *Shared) lend(perm *pfs.PermKey, offset time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lent = pfs.Snapshot{Perm: perm, TimeOffset: offset}
}

// borrow returns that, with the temp keys that the last binding for media left.
func (s *Shared) borrow() pfs.Snapshot {
	s.mu.Lock()
	defer s.mu.Unlock()
	snap := s.lent
	snap.Temps, s.parked = s.parked, nil
	return snap
}

// park keeps the temp keys of a binding for media until the next.
func (s *Shared) park(temps []pfs.TempKey) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.parked = temps
}

// Clear forgets every key: the account's bindings on the DC are closed.
func (s *Shared) Clear() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lent, s.parked, s.slots, s.waits = pfs.Snapshot{}, nil, pfs.Slots{}, [2]time.Time{}
}

// has notes the temp keys of a purpose.
func (s *Shared) has(p Purpose, live []crypt.KeyID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.slots.Has(slotOf(p), live)
}

// binds says that a key is about to be bound; not before the returned time unless
// that is zero.
func (s *Shared) binds(now time.Time, p Purpose, id crypt.KeyID) time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	at := s.slots.Bind(now, slotOf(p), id)
	if wait := s.waits[waitBind]; wait.After(now) && wait.After(at) {
		at = wait
	}
	return at
}

// drops says that an order to drop temp keys is sent now, and returns what it has
// to name; none is sent while the server has that wait.
func (s *Shared) drops(now time.Time, p Purpose, own []crypt.KeyID) (except []crypt.KeyID, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if now.Before(s.waits[waitDrop]) {
		return nil, false
	}
	return s.slots.Drop(now, slotOf(p), own), true
}

// dropped says that the order of a purpose has ended.
func (s *Shared) dropped(p Purpose) {
	s.mu.Lock()
	s.slots.Dropped(slotOf(p))
	s.mu.Unlock()
	s.wake(p)
}

// wait notes a wait that the server imposed on a purpose: it holds for all.
func (s *Shared) wait(kind int, until time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if until.After(s.waits[kind]) {
		s.waits[kind] = until
	}
}

// waitsLeft says which waits are left of those after their owner cleared some.
func (s *Shared) waitsLeft(w KeyWaits) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.waits = [2]time.Time{waitBind: w.Bind, waitDrop: w.Drop}
}

// wake tells the bindings for other purposes than one that something has changed.
func (s *Shared) wake(but Purpose) {
	s.mu.Lock()
	wakes := slices.Clone(s.wakes[:])
	s.mu.Unlock()
	for p, wake := range wakes {
		if wake != nil && Purpose(p) != but {
			wake()
		}
	}
}

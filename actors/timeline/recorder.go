package timeline

import (
	"encoding/binary"
	"slices"
	"sync"
	"time"

	"github.com/mtfleet/mtfleet/persistence"
)

// Recorder is the timeline of one account. It is safe for concurrent use, for an
// account, its bindings and whoever reads add to it and look at it; nothing in it
// waits for anything but that. Nil records nothing.
//
// It is also what rides along with an account's commits; see journal.Rider.
type Recorder struct {
	id persistence.AccountID

	mu      sync.Mutex // guards what follows
	ring    ring
	read    bool // what an earlier process wrote is in the ring
	keep    bool // a record there is not ours to write over
	unsaved bool
}

// New returns the recorder of an account: nothing has happened. It has no more
// memory than this until something does.
func New(id persistence.AccountID) *Recorder { return &Recorder{id: id} }

// Add notes that something happened.
func (r *Recorder) Add(e Entry) {
	if r == nil {
		return
	}
	e = e.tidy()
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ring.add(e)
	r.unsaved = true
}

// Entries returns what happened last, the oldest first.
func (r *Recorder) Entries() []Entry {
	if r == nil {
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.ring.entries()
}

// Loaded takes what an earlier process wrote, out of an account's records as they
// were read with err. It counts once: after that the recorder knows more.
func (r *Recorder) Loaded(records []persistence.Record, err error) {
	key := RecordKey(r.id)
	bad := persistence.BadKeys(err)
	if err != nil && len(bad) == 0 {
		return // nothing was read
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.read {
		return
	}
	r.read, r.keep = true, slices.Contains(bad, key)
	var before []Entry
	for _, rec := range records {
		if rec.Key == key {
			before, _ = open(rec) // what is wrong with it is among them
			r.keep = rec.Version > version
		}
	}
	if len(before) == 0 {
		return
	}
	now := r.ring.entries()
	r.ring = ring{}
	for _, e := range append(before, now...) {
		r.ring.add(e)
	}
}

// Ride returns the record that is to go along with a commit, if it says anything
// new. Rode follows.
func (r *Recorder) Ride() (persistence.Record, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.unsaved || !r.read || r.keep {
		return persistence.Record{}, false
	}
	r.unsaved = false
	data := binary.AppendVarint(make([]byte, 0, binary.MaxVarintLen64+len(r.ring.data)), r.ring.base)
	return persistence.Record{Key: RecordKey(r.id), Version: version, Data: append(data, r.ring.data...)}, true
}

// Rode says how that commit went.
func (r *Recorder) Rode(err error) {
	if err != nil {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.unsaved = true
	}
}

const (
	sub     = "timeline"
	version = 1
)

// RecordKey is where an account's timeline is: it outlives logins, and goes with
// the account.
func RecordKey(id persistence.AccountID) persistence.Key {
	return persistence.Key{Account: id, Kind: persistence.KindMeta, Sub: sub}
}

// Of finds the timeline among an account's records of kind KindMeta. Of one that
// cannot be read the entries before the first bad one are told, and then that
// there were more.
func Of(meta []persistence.Record) []Entry {
	for _, rec := range meta {
		if rec.Kind == persistence.KindMeta && rec.Sub == sub {
			list, _ := open(rec)
			return list
		}
	}
	return nil
}

// open reads a record. Damage is told by an entry.
func open(rec persistence.Record) ([]Entry, error) {
	if rec.Version != version {
		return nil, &persistence.VersionError{Key: rec.Key, Version: rec.Version, Known: version}
	}
	r := reader{b: rec.Data}
	base := r.between(earliest, latest)
	list, _, err := parse(base, r.b)
	if r.bad {
		err = errEntry
	}
	if len(rec.Data) > limitOnDisk+binary.MaxVarintLen64 {
		list, err = list[:min(len(list), limitOnDisk/3)], errEntry
	}
	if err != nil {
		at := time.UnixMilli(base).UTC()
		if n := len(list); n > 0 {
			at = list[n-1].At
		}
		list = append(list, Entry{At: at, Kind: Started, Why: "what was kept of the time after this could not be read"})
	}
	return list, err
}

package world

import (
	"encoding/binary"
	"slices"

	"github.com/mtfleet/mtfleet/persistence"
)

// disk outlives the manager. A crash comes at the boundary of a commit: it is
// there whole or not at all, as a store promises.
type disk struct {
	rec     *recorder
	image   *persistence.Memory
	crash   func() // ends the manager's process
	fuse    int    // commits until the crash; 0: none is planned
	before  bool   // the crash comes before the commit, not after it
	plant   Plant
	lastKey *persistence.Key // perm key written last, for a plant
	gone    []persistence.Key

	corrupt *persistence.Key // a record that cannot be read; nil: none

	forgetWaits bool // a plant: no wait is read any more
}

// store is the disk as one life of the manager has it.
type store struct {
	*disk
	*persistence.Memory
	dead bool
}

// open gives the disk to a new process.
func (d *disk) open() *store {
	d.image = d.image.Reopen()
	return &store{disk: d, Memory: d.image}
}

// Commit writes, unless the process crashes first.
func (s *store) Commit(c persistence.Commit) error {
	if s.dead {
		return persistence.ErrClosed
	}
	blown := false
	if s.fuse > 0 {
		s.fuse--
		blown = s.fuse == 0
	}
	if blown && s.before {
		s.crash()
		return persistence.ErrClosed
	}
	err := s.Memory.Commit(c)
	if err == nil {
		s.note(c)
	}
	if blown {
		s.crash()
		return persistence.ErrClosed
	}
	return err
}

// Load reads what is there.
func (s *store) Load(id persistence.AccountID) ([]persistence.Record, error) {
	if s.dead {
		return nil, persistence.ErrClosed
	}
	records, err := s.Memory.Load(id)
	if bad := s.corrupt; bad != nil && bad.Account == id {
		records = slices.DeleteFunc(records, func(r persistence.Record) bool { return r.Key == *bad })
		err = persistence.JoinRecords(err, &persistence.CorruptError{Key: *bad, Why: "of the world's making"})
	}
	return slices.DeleteFunc(records, func(r persistence.Record) bool {
		return slices.Contains(s.gone, r.Key) || s.forgetWaits && r.Kind == persistence.KindWait
	}), err
}

// note writes a commit into the run's record.
func (d *disk) note(c persistence.Commit) {
	d.rec.count.Commits++
	for _, r := range c.Put {
		d.rec.note(notePut, uint64(d.rec.count.Commits), []byte(r.Key.String()), binary.LittleEndian.AppendUint16(nil, r.Version), r.Data)
		if r.Kind == persistence.KindPermKey {
			d.lastKey = &r.Key
		}
	}
	for _, k := range c.Delete {
		d.rec.note(noteDelete, uint64(d.rec.count.Commits), []byte(k.String()))
	}
}

// crashed is what a bad disk does at a crash: a plant.
func (d *disk) crashed() {
	d.fuse = 0
	if d.plant == PlantForgetRecord && d.lastKey != nil && len(d.gone) == 0 {
		d.gone = append(d.gone, *d.lastKey)
		d.rec.line("plant: the disk forgot %v", *d.lastKey)
	}
}
